//! Aggregations as algebra, and the key state that gives exact sliding windows over them.
//!
//! Reading order: [`Layout`] (what the resolver asks for) → [`Shape`] (the same, compiled) →
//! [`Arguments`] (a batch seen by one group) → [`KeyState`] (the events of one key, read at any
//! position) → the private parts: rows, scan (the plain way), index (the fast way), partial (the
//! algebra of tiles and lifetimes), exact (the only place where numbers are rounded).

mod arguments;
mod dictionary;
mod encode;
mod exact;
mod gap;
mod ids;
mod index;
mod key_state;
mod layout;
mod members;
#[cfg(test)]
mod oracle;
mod packed;
mod part;
mod partial;
mod position;
mod queue;
mod read;
mod readings;
mod rows;
mod scan;
mod shape;
mod short_list;
mod summary;
mod value;
mod varint;

pub use arguments::Arguments;
pub use encode::DecodeError;
pub use key_state::{KeyState, ROWS_PER_KEY_MAX};
pub use layout::{Aggregate, Function, Input, Layout, Window};
pub use position::{Horizon, Position};
pub use read::Scratch;
pub use readings::Readings;
pub use shape::Shape;
