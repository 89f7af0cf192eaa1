//! What fresher features are worth: one model per freshness, honest metrics, and the report.

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
