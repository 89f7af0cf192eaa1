//! The payments example: a seeded generator of card payments, outcomes and fraud reports.
//!
//! ```
//! use millrace_payments::{History, Settings};
//!
//! let settings = Settings { days: 2, n_cards: 1_000, n_new: 100, ..Settings::default() };
//! let history = History::generate(&settings)?;
//! let fraud = history.payments().iter().filter(|p| p.is_fraud()).count();
//! assert!(fraud > 0 && history.events().len() > 2 * history.payments().len());
//! # Ok::<(), millrace_payments::SettingsError>(())
//! ```
//!
//! A world is what a payment provider sees: cards (each with the BIN of its issuer), devices, IP
//! addresses and merchants; an attempt to pay, its outcome 1.2 s later, and for most fraud a
//! report some days later. Most of the fraud is over within minutes to hours, so it can only be
//! stopped by features that are as fresh as that. It is a simulator: it shows a mechanism and its
//! size under rules that anybody can read, and not what a given merchant will get.
//!
//! ```text
//! settings ─▶ world (merchants, cards) ─▶ legitimate ─┐
//!                                       └▶ fraud ─────┴▶ history (ordered, numbered) ─▶ events
//! events ─▶ json (lines per stream) │ batch (columns)
//! ```
//!
//! Three choices keep the rules from flattering a model:
//! - family members come in pairs that share one device, so that more than one card on a device is
//!   nothing remarkable;
//! - a quarter of the new addresses of honest people seem to be in another country, which is drawn
//!   for each payment that brings such an address, so that no one country gives fraud away;
//! - ids are numbered by first appearance, so that no id shows who was made up for a fraud.
//!
//! [`card_features`] is another workload, for benchmarks: no fraud, two skewed keys, sixteen
//! window features, and the fastest plain loop that computes them.

mod batch;
pub mod card_features;
mod category;
mod cents;
mod clock;
mod country;
mod draft;
mod event;
mod fraud;
mod history;
mod id;
mod injection;
mod json;
mod legitimate;
mod random;
mod settings;
mod stream;
mod world;

pub use batch::{BatchWriter, SchemaError};
pub use category::Category;
pub use cents::Cents;
pub use country::Country;
pub use event::{Attempt, Keys, OUTCOME_DELAY, Outcome, PaymentEvent, PaymentStream, Report};
pub use history::{History, Kind, Payment};
pub use id::{BinId, CardId, DeviceId, IpId, MerchantId, PaymentId};
pub use json::{JsonLines, write_json};
pub use settings::{Settings, SettingsError};
pub use stream::{Events, Merge, merge};

/// The example project's definitions: file names and texts, in reading order.
pub const PROJECT: [(&str, &str); 5] = [
    ("payments.mill", include_str!("../project/payments.mill")),
    ("features.mill", include_str!("../project/features.mill")),
    ("checkout.mill", include_str!("../project/checkout.mill")),
    ("fraud.mill", include_str!("../project/fraud.mill")),
    ("lessons.mill", include_str!("../project/lessons.mill")),
];

/// What is decided about a payment: beside [`PROJECT`], and with [`MODELS`] in the same folder.
pub const DECISION: (&str, &str) = ("decision.mill", include_str!("../project/decision.mill"));

/// The models of [`DECISION`]: paths from the project's folder, and texts.
pub const MODELS: [(&str, &str); 3] = [
    ("models/daily.txt", include_str!("../project/models/daily.txt")),
    ("models/5m.txt", include_str!("../project/models/5m.txt")),
    ("models/event.txt", include_str!("../project/models/event.txt")),
];
