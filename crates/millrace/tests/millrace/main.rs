//! The program as its users meet it: its commands, what they print, and how they end.

#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped here is the test's failure")]

mod backtest;
mod compute;
mod configuration;
mod decisions;
mod demo;
mod from_log;
mod key;
mod lift;
mod logged;
mod model;
mod payments;
mod program;
mod project;
mod resume;
mod rows;
mod run;
mod training_set;
mod walk_through;
