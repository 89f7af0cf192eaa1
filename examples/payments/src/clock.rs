//! Time inside a world: milliseconds since midnight (UTC) of day 0.

/// Milliseconds since the start of the period; may lie outside it before a payment is dropped.
pub(crate) type Offset = i64;

pub(crate) const SECOND_MS: Offset = 1_000;
pub(crate) const MINUTE_MS: Offset = 60 * SECOND_MS;
pub(crate) const HOUR_MS: Offset = 60 * MINUTE_MS;
pub(crate) const DAY_MS: Offset = 24 * HOUR_MS;
