//! The rules of whom records are read for. They are judged here, where the bytes of a record still
//! are at hand, so that whatever is refused keeps them.

use std::sync::Arc;

use millrace_event::{EventTime, Rules, Schema};

use crate::Reason;
use crate::columns::Cell;
use crate::dead::{Fault, FaultBox};

/// The rules, if there are any, at one moment of the receiving clock.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub rules: Option<Arc<Rules>>,
    pub received: EventTime,
}

impl Judge {
    /// Until a clock is told, nothing is too far ahead of it.
    pub fn new(rules: Option<Arc<Rules>>) -> Judge {
        Judge { rules, received: EventTime::MAX }
    }

    pub fn fault(
        &self,
        time: i64,
        text_bytes: impl Fn(usize) -> Option<usize>,
    ) -> Option<FaultBox> {
        let rules = self.rules.as_ref()?;
        let refusal = rules.refusal(self.received, EventTime(time), text_bytes)?;
        Some(Fault::of_record(Reason::Refused(refusal), refusal.message().to_owned()))
    }

    /// Judges a record that can be read.
    pub fn check(&self, schema: &Schema, cells: &[Cell<'_>]) -> Result<(), FaultBox> {
        let time = match cells.get(schema.time) {
            Some(Cell::Word(time)) => *time,
            Some(Cell::Null | Cell::Float(_) | Cell::Text(_) | Cell::Nested(_)) | None => 0,
        };
        let text_bytes = |field: usize| match cells.get(field)? {
            Cell::Text(text) => Some(text.len()),
            Cell::Null | Cell::Word(_) | Cell::Float(_) | Cell::Nested(_) => None,
        };
        self.fault(time, text_bytes).map_or(Ok(()), Err)
    }

    /// Whether a record with this time and so many bytes needs no closer look.
    #[inline]
    pub fn surely_takes(&self, time: Option<i64>, record_bytes: usize) -> bool {
        let Some(rules) = &self.rules else { return true };
        time.is_some_and(|time| time <= self.received.plus(rules.future_max).0)
            && rules.surely_short(record_bytes)
    }
}
