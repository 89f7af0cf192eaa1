//! The language from outside: texts in, plans and diagnostics out.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has to stop")]
#![expect(clippy::disallowed_methods, reason = "tests read their files, and time what is hostile")]

mod decisions;
mod docs;
mod errors;
mod formatting;
mod hashes;
mod hints;
mod hostile;
mod limits;
mod projects;
mod rendering;
