//! Where a read is taken, and how far back there is anything to read.

use millrace_event::{EventId, EventTime};

use crate::shape::Shape;

/// Where a read is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// After all events with a time not after this one.
    Time(EventTime),
    /// After all events that precede (time, id).
    Before(EventTime, EventId),
    /// After all events up to (time, id), itself included.
    Including(EventTime, EventId),
}

impl Position {
    pub fn time(&self) -> EventTime {
        match self {
            Position::Time(t) | Position::Before(t, _) | Position::Including(t, _) => *t,
        }
    }
}

/// How far back a group's states are complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Reads at this time or later are exact; no event before it will arrive but by replay.
    pub exact_from: EventTime,
    /// Events up to this time may have been removed from the rows.
    pub removed_to: EventTime,
}

impl Horizon {
    /// The horizon of a group when no read before `exact_from` needs to be exact.
    pub fn at(shape: &Shape, exact_from: EventTime) -> Horizon {
        // An event at the horizon itself stays a row: a read may be just before it.
        let width = shape.raw_width.max(millrace_event::Span(1));
        Horizon { exact_from, removed_to: exact_from.minus(width) }
    }
}
