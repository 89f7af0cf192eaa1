//! Typed expressions over columns: total, without I/O, loops or clocks.
//!
//! The resolver builds them; every engine evaluates them with [`eval`], so there is one meaning.

mod eval;

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
    Literal(Value),
}
