//! The decision log as servers write it and auditors read it, without HTTP.

#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped here is the test's failure")]

mod audits;
mod files;
mod report;
mod survival;
mod world;
