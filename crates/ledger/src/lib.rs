//! The decision log: every decision logged before it is answered, kept as Parquet, and recomputed
//! to the bit.
//!
//! ```text
//!              ┌ decision-runs/  what a server's start means by its records ┐
//!  a decision ─┤                                                            ├▶ entries ─▶ audit, report
//!              └ decisions/      one record each ──┬────────────────────────┘
//!                                                  └▶ decision-files/NAME/*.parquet
//! ```
//!
//! A decision is a function of the event log up to a frontier, of the event that asked, of ages that
//! a clock said, and of definitions and models with a hash. All of that is in its record, so that it
//! can be decided again; and what it used is there beside it, so that the two can be compared.

mod audit;
mod comparison;
mod entries;
mod error;
mod export;
mod forms;
mod housekeeper;
mod id;
mod record;
mod report;
mod run;
mod writer;

pub use audit::{Audit, Auditor, Obstacle, Recomputed, Tally};
pub use comparison::{Difference, Part, cell_text, outcome_text, score_text};
pub use entries::{Entries, Entry, Period, Unreadable};
pub use error::LedgerError;
pub use forms::{DecisionForm, FieldForm, ModelForm, RuleForm};
pub use id::{DecisionId, Ids};
pub use record::{Record, RecordError};
pub use report::{Amount, Challenge, DayRow, Report, ScoreSpread, is_amount};
pub use run::Run;
pub use writer::{Ledger, LedgerSettings, NotLogged, Written, note_start};
