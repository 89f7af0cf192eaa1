//! The crate as the binary sees it.
#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped here is the test's failure")]

mod experiment;
mod metrics;
mod model_text;
mod trainer;
mod world;
