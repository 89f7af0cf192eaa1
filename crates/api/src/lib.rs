//! The only crate that knows HTTP and JSON over HTTP.
