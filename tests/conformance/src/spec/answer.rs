//! What the specification is told and what it answers: plain data.

use std::sync::Arc;

use millrace_event::{EventId, EventTime, Span, State, Value};

/// The two settings that decide which events count. (How much history an engine keeps must not.)
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A partition that delivers nothing for this long, by the receiving clock, holds nothing up.
    pub idle_after: Span,
    /// An event further than this in the future of the receiving clock is not believed.
    pub future_max: Span,
}

/// What became of an event on arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fate {
    Applied,
    Duplicate,
    Late,
    Future,
}

impl Fate {
    pub const ALL: [Fate; 4] = [Fate::Applied, Fate::Duplicate, Fate::Late, Fate::Future];

    pub fn name(self) -> &'static str {
        match self {
            Fate::Applied => "applied",
            Fate::Duplicate => "duplicate",
            Fate::Late => "late",
            Fate::Future => "future",
        }
    }
}

/// An event on its way in.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Index into [`Plan::streams`].
    pub stream: usize,
    /// Where it comes from; lateness is judged per origin.
    pub partition: Arc<str>,
    /// One value per field of the stream's schema.
    pub row: Vec<Value>,
    /// What the receiving clock said.
    pub received: EventTime,
}

/// A moment in the order of events, (time, id).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Position {
    /// All events with a time not after this.
    Time(EventTime),
    /// All that precede this event.
    Before(EventTime, EventId),
    /// All that precede this event, and itself.
    Including(EventTime, EventId),
}

/// A value and why it is what it is.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    pub value: Value,
    pub state: State,
}

impl Answer {
    /// A field of an event.
    pub(crate) fn given(value: &Value) -> Answer {
        let state = if value.is_null() { State::Empty } else { State::Ok };
        Answer { value: value.clone(), state }
    }

    /// As the result of an operator: a value that is there is `ok`, whatever it stood for.
    pub(crate) fn settled(self) -> Answer {
        if self.value.is_null() { self } else { Answer { state: State::Ok, ..self } }
    }

    pub(crate) fn null(state: State) -> Answer {
        Answer { value: Value::Null, state }
    }

    /// The default in the place of a null. Nothing there becomes `default`; a limit stays one.
    pub(crate) fn or_default(self, default: Option<&Value>) -> Answer {
        match default {
            Some(value) if self.value.is_null() => {
                let state = if self.state == State::Empty { State::Default } else { self.state };
                Answer { value: value.clone(), state }
            }
            Some(_) | None => self,
        }
    }
}
