//! One meaning: the executable specification, and the corpus every engine must agree on.
//!
//! ```text
//!   corpus/*.mill ──▶ Case ──▶ Scenario ─┬─▶ Spec (the meaning) ──▶ answers ─┐
//!   seed ──▶ random definitions, events ─┘                                   ├─▶ compare
//!                            Variation ────▶ engine ──────────────▶ answers ─┘
//! ```
//!
//! A [`scenario::Scenario`] is definitions and events in the order of arrival. It is put through
//! an engine in many [`variation::Variation`]s, none of which may show, and asked far more than a
//! case expects. [`spec::Spec`] is the reference: where an engine and it disagree, one of the two
//! is wrong, and a hand-written expectation of the corpus tells which.

pub mod case;
pub mod compare;
pub mod driver;
pub mod failure;
pub mod prng;
pub mod question;
pub mod scenario;
pub mod spec;
pub mod variation;
