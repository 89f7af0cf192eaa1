//! How old the features of a row are.

use millrace_event::{EventTime, Span};

/// At which moment the features of an event's row are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// Just before the event, or with it where the view says `including`.
    Event,
    /// So long before the event: what a pipeline with this delay would have served.
    Delay(Span),
    /// At the last multiple of this span before the event (UTC): what a job that runs at these
    /// moments, and is done at once, would have served.
    Every(Span),
}

impl AsOf {
    /// When the features of an event at `time` are taken; all that happened up to then counts.
    pub fn position(self, time: EventTime) -> EventTime {
        match self {
            AsOf::Event => time,
            AsOf::Delay(delay) => time.minus(delay),
            // An event at such a moment is not known to the job that runs at it.
            AsOf::Every(grid) => time.minus(Span(1)).floor_to(grid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_at_midnight_is_served_by_the_night_before() {
        let day = Span::hours(24);
        let at = |hours: i64| EventTime(hours * 3_600_000_000);
        assert_eq!(AsOf::Every(day).position(at(25)), at(24));
        assert_eq!(AsOf::Every(day).position(at(24)), at(0));
        assert_eq!(AsOf::Delay(Span::hours(1)).position(at(25)), at(24));
        assert_eq!(AsOf::Event.position(at(25)), at(25));
    }
}
