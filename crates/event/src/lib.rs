//! What arrives: schemas, types, values, event time, columnar batches, and expressions over them.
//!
//! Everything here is plain data with no I/O and no clock. A [`Batch`] holds the events of one
//! stream column by column, because filters and arguments are evaluated column-wise; a [`Value`]
//! is one cell, used at the edges (JSON, tests, the executable specification).

mod batch;
mod codec;
mod column;
pub mod expr;
mod id;
mod rules;
mod schema;
mod time;
mod types;
mod value;

pub use batch::Batch;
pub use codec::CodecError;
pub use column::{Column, Data, Mark, State, Texts};
pub use id::{EventId, Key};
pub use rules::{Refusal, Rules};
pub use schema::{Field, Schema};
pub use time::{EventTime, Span};
pub use types::{Entity, KeyKind, Physical, Type};
pub use value::Value;
