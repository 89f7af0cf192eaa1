//! The only crate that knows HTTP and JSON over HTTP.
//!
//! ```text
//! connection ─▶ route ─▶ guard (host, origin, key) ─▶ admission ─▶ body ─▶ events, features, views …
//!                          401 403 404 421               429          408 413          │
//!                                                                                     ▼
//!                                        Live: one engine thread, asked through its inbox
//! ```
//!
//! Whatever can be refused is refused before a byte of the body is read. What was taken on is
//! finished: events are acknowledged when they are durable, and a read waits for a few pieces of
//! other people's events at most.

mod admission;
mod answer;
mod ask;
mod body;
mod client;
mod dead_letters;
mod decisions;
mod definitions;
mod error;
mod events;
mod features;
mod guard;
mod handover;
mod health;
mod letter_log;
mod marks;
mod media;
mod meters;
mod metrics;
mod nearest;
mod openapi;
mod patience;
mod query;
mod remarks;
mod resubmit;
mod route;
mod server;
mod service;
mod settings;
mod views;
mod write;

pub use client::{Client, ClientError, Reply};
pub use letter_log::{Chosen, LetterLog, letter_reasons};
pub use nearest::did_you_mean;
pub use server::{ServeError, Server};
pub use settings::{Limits, Settings};
