//! Names of decisions: unique, and in the order of time.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use millrace_event::EventTime;

/// A UUID of version 7 (RFC 9562): 48 bits of milliseconds since 1970 and 12 that count within one,
/// then 62 of the process that made it. Later ones of a process are greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DecisionId(pub u128);

const VERSION: u128 = 7 << 76;
const VARIANT: u128 = 2 << 62;
const NODE_MASK: u128 = (1 << 62) - 1;

/// Makes ids.
#[derive(Debug)]
pub struct Ids {
    /// Milliseconds and the count within them, of the last id.
    last: AtomicU64,
    node: u64,
}

impl Default for Ids {
    fn default() -> Ids {
        Ids { last: AtomicU64::new(0), node: RandomState::new().hash_one(0u8) }
    }
}

impl Ids {
    /// A new one, at this time by the clock; where the clock stands still or goes back, it counts on.
    pub fn next(&self, now: EventTime) -> DecisionId {
        let millis = u64::try_from(now.0 / 1_000).unwrap_or(0);
        let least = millis << 12;
        let after = |last: u64| Some(least.max(last + 1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
        let moment = u128::from(least.max(last.unwrap_or_else(|last| last) + 1));
        let (millis, count) = (moment >> 12, moment & 0xfff);
        let node = u128::from(self.node) & NODE_MASK;
        DecisionId(millis << 80 | VERSION | count << 64 | VARIANT | node)
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            n >> 96,
            n >> 80 & 0xffff,
            n >> 64 & 0xffff,
            n >> 48 & 0xffff,
            n & 0xffff_ffff_ffff
        )
    }
}

impl FromStr for DecisionId {
    type Err = String;

    fn from_str(text: &str) -> Result<DecisionId, String> {
        let id = u128::from_str_radix(&text.replace('-', ""), 16).ok().map(DecisionId);
        id.filter(|id| id.to_string() == text.to_ascii_lowercase()).ok_or_else(|| {
            format!("`{text}` is no decision's id, such as 019a0b1c-2d3e-7000-8f00-0123456789ab")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_are_read_as_they_are_written() {
        let ids = Ids::default();
        let mut before = DecisionId(0);
        // The clock stands, goes back, and goes on.
        for micros in [5_000_000, 5_000_000, 4_000_000, 5_000_999, 6_000_000].repeat(3_000) {
            let id = ids.next(EventTime(micros));
            assert!(id > before);
            before = id;
        }
        let id = ids.next(EventTime(1_800_000_000_000_000));
        let text = id.to_string();
        assert_eq!(text.parse::<DecisionId>(), Ok(id));
        assert_eq!(text.to_uppercase().parse::<DecisionId>(), Ok(id));
        assert_eq!((text.len(), text.as_bytes()[14]), (36, b'7'));
        assert_eq!(id.0 >> 80, 1_800_000_000_000);
        for wrong in ["", "x", &text[1..], &text.replace('-', "")] {
            assert!(wrong.parse::<DecisionId>().is_err(), "{wrong}");
        }
    }
}
