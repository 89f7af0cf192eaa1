//! What an event must keep to be taken, beyond what its schema says.

use crate::{EventTime, Span};

/// Why an event that can be read is not taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Refusal {
    /// Its time is too far ahead of the receiving clock.
    Future,
    /// An entity key is longer than can be kept.
    LongKey,
}

impl Refusal {
    /// Stable: it stands in logs, counters and stored letters.
    pub const fn name(self) -> &'static str {
        match self {
            Refusal::Future => "future",
            Refusal::LongKey => "long-key",
        }
    }

    /// What is wrong, and what would be right.
    pub const fn message(self) -> &'static str {
        match self {
            Refusal::Future => "the event time lies too far in the future; mend the sender's clock",
            Refusal::LongKey => "an entity key is longer than 65527 bytes; send a shorter one",
        }
    }
}

/// The rules of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How far an event may be ahead of the receiving clock.
    pub future_max: Span,
    /// The fields of each entity key.
    pub keys: Vec<Vec<usize>>,
    /// Bytes of one key: those of its texts, 4 more for each text, and 8 for each other field.
    pub key_bytes_max: usize,
}

impl Rules {
    /// What an event is refused for; `text_bytes` is the length of a field's text, `None` for a
    /// field of another type.
    pub fn refusal(
        &self,
        received: EventTime,
        time: EventTime,
        text_bytes: impl Fn(usize) -> Option<usize>,
    ) -> Option<Refusal> {
        if time > received.plus(self.future_max) {
            return Some(Refusal::Future);
        }
        self.has_long_key(text_bytes).then_some(Refusal::LongKey)
    }

    pub fn has_long_key(&self, text_bytes: impl Fn(usize) -> Option<usize>) -> bool {
        let bytes = |field: &usize| text_bytes(*field).map_or(8, |bytes| 4 + bytes);
        self.keys.iter().any(|key| key.iter().map(bytes).sum::<usize>() > self.key_bytes_max)
    }

    /// Whether texts of so many bytes together are too few for a long key.
    pub fn surely_short(&self, text_bytes: usize) -> bool {
        let fields = self.keys.iter().map(Vec::len).max().unwrap_or(0);
        text_bytes + 8 * fields <= self.key_bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_at_a_bound_is_taken_and_what_is_beyond_is_not() {
        let keys = vec![vec![0], vec![0, 1]];
        let rules = Rules { future_max: Span(10), keys, key_bytes_max: 20 };
        let judge = |time, bytes: usize| {
            rules.refusal(EventTime(5), EventTime(time), |field| (field == 0).then_some(bytes))
        };
        assert_eq!([judge(15, 8), judge(16, 8)], [None, Some(Refusal::Future)]);
        assert_eq!([judge(0, 8), judge(0, 9)], [None, Some(Refusal::LongKey)]);
        assert!(rules.surely_short(4) && !rules.surely_short(5));
    }
}
