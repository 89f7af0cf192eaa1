use std::fmt;

use millrace_stream::live::PastError;

/// Why a decision, or a part of it, cannot be made again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Obstacle {
    /// The view is defined otherwise by now, or not at all: nothing can be compared.
    View { view: String },
    /// The rules are others by now: the outcome cannot be compared.
    Decision { decision: String },
    /// The file is another one by now: its score cannot be compared.
    Model { model: String },
    /// The decision counted events that a crash took before they were durable, and their senders
    /// were told so.
    EventsLost { left: u64 },
    /// The event log does not go back to the first event.
    EventsRemoved { first: u64 },
    /// The events are on their way to the log, which a running server writes.
    EventsNotThere,
    /// The group was new or changed when the server started, and knew nothing of older events.
    StartedEmpty { group: String },
    /// Its time lay behind the history that the server kept: there, a value is exact as long as what
    /// is behind was not cleaned up, and a limit from then on.
    NotKept,
    /// The event log cannot be applied any further.
    Unreadable { why: String },
}

impl Obstacle {
    /// Whether the project is another one by now.
    pub fn is_change(&self) -> bool {
        matches!(self, Obstacle::View { .. } | Obstacle::Decision { .. } | Obstacle::Model { .. })
    }

    pub(crate) fn of(error: &PastError) -> Obstacle {
        match error {
            PastError::Removed { first } => Obstacle::EventsRemoved { first: *first },
            PastError::NotThere { .. } => Obstacle::EventsNotThere,
            PastError::Behind { .. } | PastError::Live(_) => {
                Obstacle::Unreadable { why: error.to_string() }
            }
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::View { view } => {
                write!(f, "view `{view}` was defined otherwise: nothing is compared")
            }
            Obstacle::Decision { decision } => {
                write!(
                    f,
                    "decision `{decision}` was defined otherwise: its outcome is not compared"
                )
            }
            Obstacle::Model { model } => {
                write!(f, "the file of model `{model}` was another one: its score is not compared")
            }
            Obstacle::EventsLost { .. } => f.write_str(
                "it counted events that were lost in a crash before they were acknowledged",
            ),
            Obstacle::EventsRemoved { first } => {
                write!(f, "the event log begins at record {first}: older events were removed")
            }
            Obstacle::EventsNotThere => f.write_str("its events are not in the event log yet"),
            Obstacle::StartedEmpty { group } => {
                write!(f, "features `{group}` were new or changed, and had started empty")
            }
            Obstacle::NotKept => f.write_str(
                "its event lay further back than [engine] history keeps: what is a limit there \
                 depends on what was cleaned up already",
            ),
            Obstacle::Unreadable { why } => write!(f, "the event log cannot be applied: {why}"),
        }
    }
}
