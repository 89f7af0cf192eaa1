//! Completes the view from the online store and gives every value its state and age.
//!
//! ```text
//! text or JSON key ─▶ parse_key ─▶ (the engine reads) ─▶ answers + ages
//!                                                          │ freshness policy of each group
//!                                                          ▼
//!                    Served { definition, frontier, values: name, type, value, state, age }
//! ```
//!
//! Everything here is a pure function of a plan and of what an engine answered. An engine answers
//! with what it holds; whether that is still good enough to be used is a promise of the definition
//! (`fresh 500ms, else last good for 5m, else default`), and this crate is where it is kept.

pub mod decision;
mod encoding;
mod freshness;
mod group;
mod key;
pub mod model;
mod request;
mod scoring;
mod served;
mod view;

pub use encoding::{Encoding, inputs, number, plain};
pub use freshness::{TooOld, Verdict, judge};
pub use group::serve_group;
pub use key::{KeyError, KeyPart, parse_key};
pub use request::{complete_event, complete_rows, request_schema, rows_schema};
pub use scoring::{Evaluation, Models, NotEvaluated, NotLoaded, NotScored, Reason, Scored, Unfit};
pub use served::{Served, ServedValue};
pub use view::{ViewSources, serve_view};
