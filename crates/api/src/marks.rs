//! Which dead letters were handed over again.
//!
//! The marks travel as the position of a source of its own, in the log with the events and in
//! every checkpoint: a letter is marked exactly when its event is taken, even across a kill.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use millrace_stream::live::DeadEvent;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::ApiError;

/// When to come back while somebody else hands letters over.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The marks by stream, and whose turn it is to change them.
#[derive(Debug, Default)]
pub struct AllMarks {
    turn: Arc<Mutex<()>>,
    by_stream: RwLock<BTreeMap<String, Marks>>,
}

impl AllMarks {
    /// The right to hand letters over, until it is dropped.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] while somebody else has it.
    pub fn turn(&self) -> Result<OwnedMutexGuard<()>, ApiError> {
        let what = "other dead letters are being handed over";
        let turn = Arc::clone(&self.turn).try_lock_owned();
        turn.map_err(|_| ApiError::Overloaded { what, retry_after: RETRY_AFTER })
    }

    pub fn contains(&self, number: u64, letter: &DeadEvent) -> bool {
        let stream = letter.stream.as_deref().unwrap_or_default();
        let marks = self.by_stream.read().unwrap_or_else(PoisonError::into_inner);
        marks.get(stream).is_some_and(|marks| marks.contains(number))
    }

    pub fn of(&self, stream: &str) -> Marks {
        let marks = self.by_stream.read().unwrap_or_else(PoisonError::into_inner);
        marks.get(stream).cloned().unwrap_or_default()
    }

    pub fn set(&self, stream: &str, marks: Marks) {
        let mut all = self.by_stream.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(stream.to_owned(), marks);
    }
}

/// Letter numbers, as ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// By first number, the last.
    ranges: BTreeMap<u64, u64>,
}

impl Marks {
    pub fn contains(&self, number: u64) -> bool {
        self.ranges.range(..=number).next_back().is_some_and(|(_, last)| *last >= number)
    }

    pub fn insert(&mut self, number: u64) {
        if self.contains(number) {
            return;
        }
        let mut first = number;
        if let Some((before, last)) = self.ranges.range(..number).next_back()
            && last.checked_add(1) == Some(number)
        {
            first = *before;
        }
        let after = number.checked_add(1).and_then(|next| self.ranges.remove(&next));
        self.ranges.insert(first, after.unwrap_or(number));
    }

    /// `0-5,7,9-12`.
    pub fn write(&self) -> Vec<u8> {
        let range = |(first, last): (&u64, &u64)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        self.ranges.iter().map(range).collect::<Vec<_>>().join(",").into_bytes()
    }

    /// `None` for what [`Marks::write`] never writes.
    pub fn parse(bytes: &[u8]) -> Option<Marks> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut ranges = BTreeMap::new();
        for range in text.split(',').filter(|r| !r.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            if last < first || ranges.insert(first, last).is_some() {
                return None;
            }
        }
        Some(Marks { ranges })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_hold_what_was_put_in_and_stay_short() {
        let mut marks = Marks::default();
        for number in [5, 3, 4, 0, 9, 10, 8, 5, u64::MAX] {
            marks.insert(number);
        }
        let text = String::from_utf8(marks.write()).unwrap();
        assert_eq!(text, format!("0,3-5,8-10,{}", u64::MAX));
        let held: Vec<u64> = (0..12).filter(|n| marks.contains(*n)).collect();
        assert_eq!(held, [0, 3, 4, 5, 8, 9, 10]);
        assert_eq!(Marks::parse(&marks.write()), Some(marks));
        assert_eq!(Marks::parse(b""), Some(Marks::default()));
        for wrong in ["x", "5-3", "1,1", "1-"] {
            assert_eq!(Marks::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
