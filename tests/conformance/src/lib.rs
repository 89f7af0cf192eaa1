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
//!
//! A case is a file under `corpus/<topic>/` that says in its first comment what it pins down, and
//! whose `test` blocks hold values worked out by hand. [`case::Directives`] lists what its header
//! may say. A line that must not compile ends in `# error: code`. What a random scenario finds is
//! printed as such a file, so that it can be made a case.
//!
//! ```text
//! cargo test -p millrace-conformance -- --nocapture      # how much was compared, and which seeds
//! MILLRACE_CONFORMANCE_VALUES=100000000 MILLRACE_CONFORMANCE_SEED=7 cargo test …   # much longer
//! ```

pub mod case;
pub mod compare;
pub mod driver;
pub mod failure;
pub mod offline;
pub mod prng;
pub mod question;
pub mod random;
pub mod scenario;
pub mod spec;
pub mod variation;
