//! The corpus and random scenarios, on the specification and on every engine.

mod corpus;
mod diagnostics;
mod random;
