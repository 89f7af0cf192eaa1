//! Where the parts of a busy key's rows lie.

use std::collections::VecDeque;
use std::ops::Range;

use millrace_event::Key;
use millrace_store::{Location, SegmentId};

/// Set in the table number of a part: the other bits are the table of its key.
pub(crate) const PART_TABLES: u16 = 0x4000;

/// Bytes by which a part's key is longer than the key it belongs to.
pub(crate) const PART_KEY_BYTES: usize = size_of::<u64>();

/// The key of a part: its number, so that neighbours differ early, then the key it belongs to.
pub(crate) fn part_key(number: u64, key: &[u8]) -> Key {
    Key::from_bytes(&[&number.to_be_bytes(), key].concat())
}

/// A part's number and the key it belongs to; `None` when these bytes are no part's key.
pub(crate) fn split_part_key(bytes: &[u8]) -> Option<(u64, &[u8])> {
    bytes.split_first_chunk().map(|(number, key)| (u64::from_be_bytes(*number), key))
}

/// The parts of one key.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// The number of the first.
    first: u64,
    places: VecDeque<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// As of the newest published checkpoint that wrote it.
    location: Option<Location>,
    /// Whether the next checkpoint must write it, changed or not.
    is_due: bool,
}

const UNWRITTEN: Place = Place { location: None, is_due: true };

impl Parts {
    /// Parts as a checkpoint has them.
    pub(crate) fn restored(first: u64, locations: impl Iterator<Item = Option<Location>>) -> Parts {
        let place = |location: Option<Location>| Place { location, is_due: location.is_none() };
        Parts { first, places: locations.map(place).collect() }
    }

    /// The key has these parts now, and those of `changed` hold other rows than before. Returns
    /// which are to be written.
    pub(crate) fn capture(
        &mut self,
        numbers: Range<u64>,
        changed: &Range<u64>,
        released: &mut Vec<Location>,
    ) -> Vec<u64> {
        self.fit(numbers, released);
        let is_due = |(number, place): (u64, &mut Place)| {
            let is_due = std::mem::take(&mut place.is_due) || changed.contains(&number);
            is_due.then_some(number)
        };
        (self.first..).zip(&mut self.places).filter_map(is_due).collect()
    }

    /// Gives up the parts that are none of these, and expects those that are new.
    fn fit(&mut self, numbers: Range<u64>, released: &mut Vec<Location>) {
        let end = self.first + self.places.len() as u64;
        if numbers.start >= end || numbers.start < self.first {
            released.extend(self.locations());
            self.places.clear();
            self.first = numbers.start;
        }
        let gone = self.places.drain(..(numbers.start - self.first) as usize);
        released.extend(gone.filter_map(|place| place.location));
        self.first = numbers.start;
        let count = (numbers.end - numbers.start) as usize;
        if count < self.places.len() {
            released.extend(self.places.drain(count..).filter_map(|place| place.location));
        }
        self.places.resize(count, UNWRITTEN);
    }

    /// Notes where a checkpoint put a part. Returns what lies there to no purpose any more.
    pub(crate) fn locate(&mut self, number: u64, location: Location) -> Option<Location> {
        match self.place(number) {
            Some(place) => place.location.replace(location),
            None => Some(location),
        }
    }

    pub(crate) fn location(&self, number: u64) -> Option<Location> {
        self.places.get(self.index(number)?)?.location
    }

    pub(crate) fn locations(&self) -> impl Iterator<Item = Location> {
        self.places.iter().filter_map(|place| place.location)
    }

    fn place(&mut self, number: u64) -> Option<&mut Place> {
        let at = self.index(number)?;
        self.places.get_mut(at)
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    /// The next checkpoint writes all of them.
    pub(crate) fn mark_all(&mut self) {
        self.places.iter_mut().for_each(|place| place.is_due = true);
    }

    /// The next checkpoint writes those that lie in one of the segments; whether there are any.
    pub(crate) fn mark_segments(&mut self, segments: &[SegmentId]) -> bool {
        let mut any = false;
        for place in &mut self.places {
            let here = place.location.is_some_and(|l| segments.contains(&l.segment));
            place.is_due |= here;
            any |= here;
        }
        any
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Location {
        Location { segment: SegmentId(1), offset, len: 1 }
    }

    #[test]
    fn only_what_changed_is_written_again() {
        let (mut parts, mut released) = (Parts::default(), Vec::new());
        assert_eq!(parts.capture(2..5, &(2..5), &mut released), [2, 3, 4]);
        (2..5).for_each(|n| assert_eq!(parts.locate(n, at(n)), None));
        assert_eq!(parts.capture(2..5, &(5..5), &mut released), [] as [u64; 0]);
        assert_eq!(parts.capture(3..6, &(4..6), &mut released), [4, 5]);
        assert_eq!(released, [at(2)]);
        assert_eq!(parts.locate(4, at(40)), Some(at(4)));
        assert_eq!(parts.locate(5, at(5)), None);
        assert_eq!(parts.locate(2, at(20)), Some(at(20)), "it is no part any more");
        parts.mark_all();
        assert_eq!(parts.capture(3..6, &(6..6), &mut released), [3, 4, 5]);
    }

    #[test]
    fn numbers_may_begin_anew() {
        let (mut parts, mut released) = (Parts::default(), Vec::new());
        parts.capture(7..9, &(7..9), &mut released);
        (7..9).for_each(|n| assert_eq!(parts.locate(n, at(n)), None));
        assert_eq!(parts.capture(0..3, &(0..3), &mut released), [0, 1, 2]);
        assert_eq!(released, [at(7), at(8)]);
        assert_eq!(parts.capture(0..1, &(1..1), &mut released), [] as [u64; 0]);
        assert_eq!(parts.capture(0..0, &(0..0), &mut released), [] as [u64; 0]);
        assert_eq!(parts.locations().count(), 0);
    }

    #[test]
    fn parts_in_old_segments_are_due() {
        let (mut parts, mut released) = (Parts::default(), Vec::new());
        parts.capture(0..2, &(0..2), &mut released);
        parts.locate(0, at(0));
        parts.locate(1, Location { segment: SegmentId(2), offset: 0, len: 1 });
        assert!(!parts.mark_segments(&[SegmentId(3)]));
        assert!(parts.mark_segments(&[SegmentId(2)]));
        assert_eq!(parts.capture(0..2, &(2..2), &mut released), [1]);
    }

    #[test]
    fn a_part_has_a_key_of_its_own() {
        let key = part_key(258, b"card");
        assert_eq!(split_part_key(key.as_bytes()), Some((258, &b"card"[..])));
        assert_eq!(split_part_key(b"short"), None);
    }
}
