use millrace_event::expr::Expr;
use millrace_event::{Span, Type};

/// An aggregation function, by its name in the language.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Function {
    /// `count()` counts events; `count(e)` those with `e` non-null.
    Count,
    Sum,
    Mean,
    Min,
    Max,
    Stddev,
    Variance,
    /// Exact up to [`Layout::DISTINCT_MAX`] members.
    Distinct,
    First,
    Last,
    /// `last(e, n)`: up to `n` values, the newest first. `n` is at most [`Layout::LAST_N_MAX`].
    LastN(u32),
}

/// A window `(t − width, t]`, or the lifetime.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Window {
    /// With `every`, the old end is floored to that grid.
    Sliding {
        width: Span,
        every: Option<Span>,
    },
    Lifetime,
}

/// One argument of the group's aggregations, evaluated over the columns of an event batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    pub expr: Expr,
}

impl Input {
    pub fn ty(&self) -> &Type {
        &self.expr.ty
    }
}

/// One aggregation: a function of an input over the selected events of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub function: Function,
    /// Index into [`Layout::inputs`]; `None` for `count()`.
    pub input: Option<usize>,
    /// Index into [`Layout::filters`].
    pub filter: Option<usize>,
    /// Index into [`Layout::windows`].
    pub window: usize,
    /// The type of the result; it may always be null or carry a state.
    pub ty: Type,
}

/// What one group keeps per key: built by the resolver, read by the key state.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Layout {
    /// Distinct arguments.
    pub inputs: Vec<Input>,
    /// Index into [`Layout::inputs`] of the one that is the event's own time, where one is: each
    /// row has that anyway, and events of one moment agree in it.
    pub time_input: Option<usize>,
    /// Distinct `where` conditions, of type bool; an event is selected when it is true, not null.
    pub filters: Vec<Expr>,
    /// Distinct windows: sliding ones by ascending width, then the lifetime.
    pub windows: Vec<Window>,
    /// Distinct aggregations.
    pub aggregates: Vec<Aggregate>,
    /// Identifies the shape of the state: two layouts with one hash read each other's bytes.
    pub hash: u64,
}

impl Layout {
    /// Members that `distinct` holds exactly, per key and window.
    pub const DISTINCT_MAX: usize = 4_096;
    /// The largest `n` of `last(e, n)`.
    pub const LAST_N_MAX: u32 = 1_000;
    /// The most `where` conditions of one group (one bit each).
    pub const FILTERS_MAX: usize = 32;
    /// The most distinct arguments of one group (one bit each).
    pub const INPUTS_MAX: usize = 32;
    /// The most tiles (`width / every`) of one window.
    pub const TILES_MAX: i64 = 4_096;
}
