//! Aggregations of one group become its layout: every argument, condition, window and aggregation
//! once, windows by ascending width.

use std::collections::{HashMap, HashSet};

use millrace_aggregate::{Aggregate, Function, Input, Layout, Window};
use millrace_event::expr::{Expr, Kind};
use millrace_event::{Schema, Type};

use crate::canonical::{self, Columns};
use crate::plan::DefinitionHash;

/// One aggregation, its parts by index; the window is itself until all are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Wanted {
    function: Function,
    input: Option<usize>,
    filter: Option<usize>,
    window: Window,
}

#[derive(Default)]
pub(super) struct LayoutBuilder {
    inputs: Distinct,
    filters: Distinct,
    windows: HashSet<Window>,
    aggregates: Vec<(Wanted, Type)>,
    index: HashMap<Wanted, usize>,
}

/// A group keeps no more arguments or conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Expressions, each once, with their hashes.
#[derive(Default)]
struct Distinct(Vec<(Expr, DefinitionHash)>);

impl Distinct {
    fn index(&mut self, expr: Expr, columns: &Columns, most: usize) -> Result<usize, Full> {
        if let Some(at) = self.0.iter().position(|known| known.0 == expr) {
            return Ok(at);
        }
        if self.0.len() == most {
            return Err(Full);
        }
        let hash = columns.expression(&expr);
        self.0.push((expr, hash));
        Ok(self.0.len() - 1)
    }
}

impl LayoutBuilder {
    /// The index of an argument.
    pub fn input(&mut self, expr: Expr, columns: &Columns) -> Result<usize, Full> {
        self.inputs.index(expr, columns, Layout::INPUTS_MAX)
    }

    /// The index of a condition.
    pub fn filter(&mut self, expr: Expr, columns: &Columns) -> Result<usize, Full> {
        self.filters.index(expr, columns, Layout::FILTERS_MAX)
    }

    /// The hashes of an argument and a condition.
    pub fn hashes(
        &self,
        input: Option<usize>,
        filter: Option<usize>,
    ) -> (Option<&DefinitionHash>, Option<&DefinitionHash>) {
        (input.map(|at| &self.inputs.0[at].1), filter.map(|at| &self.filters.0[at].1))
    }

    /// The index of an aggregation.
    pub fn aggregate(
        &mut self,
        function: Function,
        input: Option<usize>,
        filter: Option<usize>,
        window: Window,
        ty: &Type,
    ) -> usize {
        self.windows.insert(window);
        let wanted = Wanted { function, input, filter, window };
        let next = self.aggregates.len();
        *self.index.entry(wanted).or_insert_with(|| {
            self.aggregates.push((wanted, ty.clone()));
            next
        })
    }

    pub fn finish(self, schema: &Schema) -> Layout {
        let mut windows: Vec<Window> = self.windows.into_iter().collect();
        windows.sort_unstable_by_key(order);
        let place: HashMap<Window, usize> =
            windows.iter().enumerate().map(|(at, window)| (*window, at)).collect();
        let aggregates = self
            .aggregates
            .into_iter()
            .map(|(wanted, ty)| Aggregate {
                function: wanted.function,
                input: wanted.input,
                filter: wanted.filter,
                window: place[&wanted.window],
                ty,
            })
            .collect();
        let is_time = |(expr, _): &(Expr, _)| expr.kind == Kind::Column(schema.time);
        let mut layout = Layout {
            time_input: self.inputs.0.iter().position(is_time),
            inputs: self.inputs.0.into_iter().map(|(expr, _)| Input { expr }).collect(),
            filters: self.filters.0.into_iter().map(|(expr, _)| expr).collect(),
            windows,
            aggregates,
            hash: 0,
        };
        layout.hash = canonical::layout(&layout, schema);
        layout
    }
}

/// Sliding windows by width, exact before tiled; the lifetime last.
fn order(window: &Window) -> (bool, i64, i64) {
    match window {
        Window::Sliding { width, every } => (false, width.0, every.map_or(0, |e| e.0)),
        Window::Lifetime => (true, 0, 0),
    }
}
