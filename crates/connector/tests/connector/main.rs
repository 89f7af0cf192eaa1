//! The connector through its public face: what is read, what is dead, what is written.
#![expect(clippy::unwrap_used, reason = "a test that cannot make its own input has to stop")]

mod csv;
mod dead_letters;
mod hostile;
mod json;
mod parquet;
mod round_trip;
mod rows;
mod rules;
mod sinks;
mod sources;
mod tail;
