//! The clock of this machine.

use std::time::{SystemTime, UNIX_EPOCH};

use millrace_event::EventTime;

/// The receiving clock, in microseconds since 1970; 1970 itself where it is set to before it.
pub fn now() -> EventTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EventTime(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
