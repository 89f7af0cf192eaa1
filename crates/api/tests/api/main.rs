//! The server as its clients meet it: every route, every refusal, over real connections.

#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped here is the test's failure")]
#![expect(clippy::disallowed_methods, reason = "a test may sleep and write files")]

mod access;
mod dead_letters;
mod decisions;
mod documents;
mod events;
mod overload;
mod reads;
mod shutdown;
mod world;
