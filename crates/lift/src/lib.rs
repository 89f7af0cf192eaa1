//! What fresher features are worth: one model per freshness, honest metrics, and the report.
//!
//! ```text
//! World (rows, a table per freshness) ─▶ experiment::run ─▶ Trials ─▶ Report ─▶ text, JSON, page
//!                                             │ boosting: Table ─▶ Model ─▶ LightGBM's text
//!                                             └ metrics: Ranking ─▶ Metrics
//! ```
//!
//! The same payments, the same model settings and the same split; only the moment that the features
//! know changes. Whatever has a result prints what limits it beside it.
//!
//! Invariant: nothing here knows events, plans or engines. A freshness is a name and a matrix; how
//! its values came to be is the caller's.

mod boosting;
mod error;
pub mod experiment;
pub mod metrics;
mod model;
pub mod render;
pub mod report;
mod table;
pub mod world;

pub use boosting::{LEAVES_MAX, Lessons, Settings, TREES_MAX, train};
pub use error::Error;
pub use model::{Child, Feature, Leaf, Model, Range, Rule, Split, Tree, to_lightgbm_text};
pub use table::{Column, ROWS_MAX, Table};
