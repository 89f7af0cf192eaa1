//! The benchmark workload `card_features`: payments on skewed keys, and sixteen columns for each.
//!
//! Per card: count, sum, mean and largest amount over the last 10 minutes, hour and day, and the
//! distinct merchants of the day. Per merchant: count, sum and share of declined payments over the
//! last hour. A window is `(t − w, t]` and holds what precedes the payment in (time, id) order; the
//! payment itself is not counted. [`DEFINITIONS`] says the same in the feature language.
//!
//! Gaps between events are exponential; cards and merchants follow Zipf's law, each in an order of
//! its own; amounts are log-normal (mu 3.5, sigma 1.1); 93 % are approved; 1 % of the events carry
//! a time up to 5 s in the past. The numbers come from this crate's own generator, so files made
//! by another program with the same distribution hold other rows: compare rates, not results.
//!
//! Two loops over rows that are in memory and in order, without decoding, late events, durability
//! or answers to anybody, are what an engine is measured against. [`compute`] is the floor:
//! hash maps, rings and deques, the same for every key. [`compute_tuned`] is how far the same work goes
//! when it is tuned to these columns: keys that index arrays, and another form for quiet cards.

mod batch;
mod busy;
mod columns;
mod csv;
mod floor;
mod preset;
mod rows;
mod tuned;

pub use batch::rows_to_batch;
pub use columns::{CardWindow, Columns, MerchantWindow};
pub use csv::{write_csv, write_row};
pub use floor::compute;
pub use preset::{Preset, Workload};
pub use rows::{Row, Rows, in_time_order};
pub use tuned::{Totals, compute_tuned};

/// The workload's definitions in the feature language; the view `card_features` has the columns.
pub const DEFINITIONS: &str = include_str!("../card_features.mill");
