//! The corpus and random scenarios, on the specification and on every engine.

mod asked;
mod corpus;
mod coverage;
mod diagnostics;
mod known;
mod random;
