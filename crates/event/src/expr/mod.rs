//! Typed expressions over columns: total, without I/O, loops or clocks.
//!
//! The resolver builds them; every engine evaluates them with [`eval`], so there is one meaning.
//! An operator is applied to a whole column at a time: one `match` per operator and batch, then a
//! loop over slices. A row of one event is a batch of one.
//!
//! Null in, null out, unless an operator says otherwise. A null carries the reason it is there
//! ([`crate::State`]): of several null operands the first `limit` or `overflow` wins, else the
//! first one's state. A result that is not null is always `ok`.

mod calendar;
#[cfg(test)]
mod cases;
mod cells;
mod compare;
mod convert;
mod decimal;
mod eval;
mod float;
mod int;
mod logic;
mod marks;
#[cfg(test)]
mod oracle;
mod text;

pub use calendar::{Clock, Zone};
pub use decimal::quotient;
pub use eval::eval;

use crate::{Type, Value};

/// A typed expression. `Column(i)` means the i-th column of the row it is evaluated over.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: Kind,
    pub ty: Type,
    /// Whether the result may be null.
    pub nullable: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Column(usize),
    /// A value of the expression's type, or null.
    Literal(Value),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// Whether the first equals one of the others, three-valued as `a = x or b = x`.
    In(Box<Expr>, Vec<Expr>),
    /// The second where the first is true, else (false or null) the third.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// The first that is not null.
    Coalesce(Vec<Expr>),
    /// The smallest; null if one is null.
    Least(Vec<Expr>),
    /// The largest; null if one is null.
    Greatest(Vec<Expr>),
}

/// Operators of one operand.
#[derive(Clone, Debug, PartialEq)]
pub enum Unary {
    /// Of int, float, decimal, duration.
    Negate,
    /// Of bool.
    Not,
    /// Of anything; never null.
    IsNull,
    /// Of int, float, decimal, duration.
    Abs,
    /// Of float to float, of decimal to int; so are `Ceil` and `Round` (half away from zero).
    Floor,
    Ceil,
    Round,
    /// Of float; so are `Ln` and `Exp`.
    Sqrt,
    Ln,
    Exp,
    /// Of text; so is `Upper`.
    Lower,
    Upper,
    /// Characters of a text, or elements of a list.
    Length,
    /// To the type of the expression: between bool, int, decimal and float.
    Convert,
    /// A part of a timestamp as a clock on the wall of a zone shows it.
    Clock(Clock, Zone),
}

/// Operators of two operands. Numbers meet as: int with int, decimal with decimal or int, float
/// with float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    /// To float, correctly rounded; null when the divisor is zero.
    Divide,
    /// With the sign of the dividend; null when the divisor is zero.
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    /// Of texts.
    StartsWith,
    /// A text in a text, or an element in a list.
    Contains,
}

impl Expr {
    pub fn column(index: usize, ty: Type, nullable: bool) -> Expr {
        Expr { kind: Kind::Column(index), ty, nullable }
    }

    /// A literal; null makes it nullable.
    pub fn literal(value: Value, ty: Type) -> Expr {
        let nullable = value.is_null();
        Expr { kind: Kind::Literal(value), ty, nullable }
    }

    /// Calls `f` with each operand, from left to right.
    pub fn for_each_operand<'a>(&'a self, f: &mut impl FnMut(&'a Expr)) {
        match &self.kind {
            Kind::Column(_) | Kind::Literal(_) => {}
            Kind::Unary(_, a) => f(a),
            Kind::Binary(_, a, b) => {
                f(a);
                f(b);
            }
            Kind::If(a, b, c) => [a, b, c].into_iter().for_each(|e| f(e)),
            Kind::In(a, rest) => {
                f(a);
                rest.iter().for_each(f);
            }
            Kind::Coalesce(all) | Kind::Least(all) | Kind::Greatest(all) => all.iter().for_each(f),
        }
    }

    /// Calls `f` with the index of every column the expression reads, in the order of the text.
    pub fn for_each_column(&self, f: &mut impl FnMut(usize)) {
        columns_of(self, f);
    }

    /// The same expression over other columns: `Column(i)` becomes `Column(f(i))`.
    pub fn map_columns(&mut self, f: &mut impl FnMut(usize) -> usize) {
        match &mut self.kind {
            Kind::Column(index) => *index = f(*index),
            Kind::Literal(_) => {}
            Kind::Unary(_, a) => a.map_columns(f),
            Kind::Binary(_, a, b) => {
                a.map_columns(f);
                b.map_columns(f);
            }
            Kind::If(a, b, c) => [a, b, c].into_iter().for_each(|e| e.map_columns(f)),
            Kind::In(a, rest) => {
                a.map_columns(f);
                rest.iter_mut().for_each(|e| e.map_columns(f));
            }
            Kind::Coalesce(all) | Kind::Least(all) | Kind::Greatest(all) => {
                all.iter_mut().for_each(|e| e.map_columns(f));
            }
        }
    }
}

/// [`Expr::for_each_column`] by way of a trait object, so that the recursion has one type.
fn columns_of(expr: &Expr, f: &mut dyn FnMut(usize)) {
    if let Kind::Column(index) = expr.kind {
        f(index);
    }
    expr.for_each_operand(&mut |operand| columns_of(operand, &mut *f));
}
