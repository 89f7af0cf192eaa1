//! The handbook example: the Fraud Detection Handbook's simulated payments, row for row.
//!
//! ```
//! use millrace_handbook::{History, Settings};
//!
//! let settings = Settings { customers: 50, terminals: 100, radius: 30.0, ..Settings::default() };
//! let history = History::generate(&settings)?;
//! let fraud = history.transactions().iter().filter(|row| row.scenario.is_some()).count();
//! assert!(fraud > 0 && history.events().len() == history.transactions().len() + fraud);
//! # Ok::<(), millrace_handbook::SettingsError>(())
//! ```
//!
//! The *Reproducible Machine Learning for Credit Card Fraud Detection* handbook (Le Borgne, Siblini,
//! Lebichot and Bontempi, 2022) describes a simulator whose data set many have published scores
//! for. Its fraud lasts for weeks and its labels come after seven days, so fresh features gain
//! little on it: it is the control beside the payments example, whose fraud is over in hours.
//!
//! This was written from the book's rules, which the README repeats, and not from its code. The
//! default settings give its 1,754,155 transactions and 14,681 frauds, because the draws are those
//! of the generators that the book uses, in its order.
//!
//! ```text
//! settings ─▶ profile (customers, terminals) ─▶ draft (payments) ─▶ fraud (three scenarios) ─▶ history
//! history ─▶ event (payments; reports a week later) ─▶ table (CSV, JSON lines)
//!         └▶ summary (totals, checksum)
//! ```

mod cents;
mod draft;
#[cfg(test)]
mod draws;
mod event;
mod fraud;
mod history;
mod numpy_random;
mod profile;
mod python_random;
mod settings;
mod summary;
mod table;
mod transaction;

pub use cents::Cents;
pub use event::{Event, Events, REPORT_DELAY, Report};
pub use history::History;
pub use settings::{Settings, SettingsError};
pub use summary::{Experiment, Summary, Tally};
pub use table::{Form, Table, write_report, write_transaction, write_truth};
pub use transaction::{CustomerId, Scenario, TerminalId, Transaction, TransactionId};

/// The example project's definitions: file names and texts, in reading order.
pub const PROJECT: [(&str, &str); 5] = [
    ("transactions.mill", include_str!("../project/transactions.mill")),
    ("features.mill", include_str!("../project/features.mill")),
    ("scoring.mill", include_str!("../project/scoring.mill")),
    ("fraud.mill", include_str!("../project/fraud.mill")),
    ("lessons.mill", include_str!("../project/lessons.mill")),
];

/// Small models of the view `scoring`, each trained on features of one age: paths from the
/// project's folder, and texts.
pub const MODELS: [(&str, &str); 2] = [
    ("models/daily.txt", include_str!("../project/models/daily.txt")),
    ("models/event.txt", include_str!("../project/models/event.txt")),
];
