//! The ids of a key's newest rows, in the order of the rows.

use std::collections::VecDeque;
use std::ops::Range;

use crate::short_list::ShortList;
use crate::varint::{Reader, put_bytes};

/// Most keys hold few ids.
#[derive(Clone, Debug)]
pub(crate) enum Ids {
    Few(ShortList),
    /// Boxed, because keys with many ids are rare, and all keys pay.
    Many(Box<Chunks>),
}

/// Many ids, in chunks: an id that comes between others moves those of its chunk only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunks {
    earlier: VecDeque<Chunk>,
    /// The last chunk is here, since most ids come to its end.
    last: Chunk,
    len: usize,
    /// Of the buffers of all chunks.
    heap_bytes: usize,
    /// The chunk of the last insertion: the next one is often near.
    near: At,
}

/// Some ids, one behind the other in one buffer, each with its length before it.
#[derive(Clone, Debug, Default)]
struct Chunk {
    count: u32,
    /// Bytes that each takes, where all take as many; 0 where they differ.
    width: u32,
    bytes: Vec<u8>,
}

const _: () = assert!(size_of::<Chunk>() == 32);

/// Which chunk, and the index of its first id.
#[derive(Clone, Copy, Debug, Default)]
struct At {
    chunk: usize,
    first: usize,
}

/// Ids in one chunk at most.
const CHUNK_IDS: usize = 128;
/// At so many ids a key that had many is again one that has few.
const FEW_AGAIN: usize = ShortList::COUNT_MAX / 4;
/// A chunk of several ids with so many bytes takes no more.
const CHUNK_BYTES_MAX: usize = 64 << 10;
/// Room that is made ahead for the ids of a chunk, in bytes, at most: longer ids make their own.
const CHUNK_ROOM_MAX: usize = 8 << 10;

impl Chunk {
    /// With room for as many ids of this length as a chunk takes.
    fn for_ids_like(id: &[u8]) -> Chunk {
        let room = (CHUNK_IDS * (1 + id.len())).min(CHUNK_ROOM_MAX);
        Chunk { bytes: Vec::with_capacity(room), ..Chunk::default() }
    }

    fn is_full(&self) -> bool {
        self.len() >= CHUNK_IDS || (self.count > 1 && self.bytes.len() >= CHUNK_BYTES_MAX)
    }

    fn len(&self) -> usize {
        self.count as usize
    }

    /// Where the id at `index` begins.
    fn offset(&self, index: usize) -> usize {
        if index >= self.len() {
            return self.bytes.len();
        }
        if self.width > 0 {
            return index * self.width as usize;
        }
        let mut rest = Reader(&self.bytes);
        (0..index).for_each(|_| _ = rest.bytes());
        self.bytes.len() - rest.0.len()
    }

    fn insert(&mut self, index: usize, id: &[u8]) {
        let (at, end) = (self.offset(index), self.bytes.len());
        put_bytes(&mut self.bytes, id);
        let added = self.bytes.len() - end;
        if at < end {
            self.bytes[at..].rotate_right(added);
        }
        if self.count == 0 {
            self.width = added as u32;
        } else if self.width != added as u32 {
            self.width = 0;
        }
        self.count += 1;
    }

    /// The ids from `index` on.
    fn from(&self, index: usize) -> impl Iterator<Item = &[u8]> {
        let mut rest = Reader(&self.bytes[self.offset(index)..]);
        std::iter::from_fn(move || rest.bytes().ok())
    }

    /// Leaves the first `count` here and returns the others.
    fn split_off(&mut self, count: usize) -> Chunk {
        let at = self.offset(count);
        let left = self.bytes.len() - at;
        let mut bytes = Vec::with_capacity(left.max(self.bytes.capacity().min(CHUNK_ROOM_MAX)));
        bytes.extend_from_slice(&self.bytes[at..]);
        self.bytes.truncate(at);
        let rest = Chunk { count: self.count - count as u32, width: self.width, bytes };
        self.count = count as u32;
        rest
    }

    fn remove_front(&mut self, count: usize) {
        self.bytes.drain(..self.offset(count));
        self.count -= count as u32;
    }
}

impl Chunks {
    fn chunk(&self, at: usize) -> &Chunk {
        self.earlier.get(at).unwrap_or(&self.last)
    }

    /// The chunk that has `index`, or whose end it is.
    fn find(&self, index: usize) -> At {
        let last = At { chunk: self.earlier.len(), first: self.len - self.last.len() };
        if index >= last.first {
            return last;
        }
        let from = [last, self.near, At::default()];
        let mut at = from.into_iter().min_by_key(|at| at.first.abs_diff(index)).unwrap_or(last);
        while index < at.first {
            at.chunk -= 1;
            at.first -= self.chunk(at.chunk).len();
        }
        while index > at.first + self.chunk(at.chunk).len() {
            at.first += self.chunk(at.chunk).len();
            at.chunk += 1;
        }
        at
    }

    /// The ids from `index` on.
    fn from(&self, index: usize) -> impl Iterator<Item = &[u8]> {
        let At { chunk, first } = self.find(index);
        let behind = (chunk + 1..=self.earlier.len()).flat_map(|at| self.chunk(at).from(0));
        self.chunk(chunk).from(index - first).chain(behind)
    }

    /// See [`Ids::count_while`].
    fn count_while(&self, range: Range<usize>, precedes: impl Fn(&[u8]) -> bool) -> usize {
        let At { mut chunk, mut first } = self.find(range.start);
        let mut start = range.start;
        let begins = |at: usize| self.chunk(at).from(0).next().is_some_and(&precedes);
        loop {
            let next = first + self.chunk(chunk).len();
            if next >= range.end || !begins(chunk + 1) {
                break;
            }
            (chunk, first, start) = (chunk + 1, next, next);
        }
        let ids = self.chunk(chunk).from(start - first).take(range.end.saturating_sub(start));
        start - range.start + ids.take_while(|id| precedes(id)).count()
    }

    fn insert(&mut self, index: usize, id: &[u8]) {
        let mut at = self.find(index);
        if self.chunk(at.chunk).is_full() {
            at = self.make_room(at, index, id);
        }
        let chunk = self.earlier.get_mut(at.chunk).unwrap_or(&mut self.last);
        let before = chunk.bytes.capacity();
        chunk.insert(index - at.first, id);
        self.heap_bytes += chunk.bytes.capacity() - before;
        self.len += 1;
        self.near = at;
    }

    /// Where an id like this one belongs that would have come into a full chunk.
    fn make_room(&mut self, At { chunk, first }: At, index: usize, id: &[u8]) -> At {
        let is_next = index == self.len;
        let full = self.chunk(chunk).len();
        let kept = if is_next { full } else { full / 2 };
        let split = self.earlier.get_mut(chunk).unwrap_or(&mut self.last);
        let rest = if is_next { Chunk::for_ids_like(id) } else { split.split_off(kept) };
        self.heap_bytes += rest.bytes.capacity();
        if chunk < self.earlier.len() {
            self.earlier.insert(chunk + 1, rest);
        } else {
            self.earlier.push_back(std::mem::replace(&mut self.last, rest));
        }
        if is_next || index > first + kept {
            At { chunk: chunk + 1, first: first + kept }
        } else {
            At { chunk, first }
        }
    }

    /// Removes the first `count`, of which there are as many.
    fn remove_front(&mut self, mut count: usize) {
        self.len -= count;
        self.near = At::default();
        while let Some(chunk) = self.earlier.front_mut() {
            if chunk.len() > count {
                return chunk.remove_front(count);
            }
            count -= chunk.len();
            self.heap_bytes -= chunk.bytes.capacity();
            self.earlier.pop_front();
        }
        self.last.remove_front(count);
    }

    fn heap_bytes(&self) -> usize {
        self.earlier.capacity() * size_of::<Chunk>() + self.heap_bytes
    }
}

const _: () = assert!(size_of::<Ids>() == 16);

impl Default for Ids {
    fn default() -> Ids {
        Ids::Few(ShortList::default())
    }
}

impl Ids {
    pub(crate) fn len(&self) -> usize {
        match self {
            Ids::Few(ids) => ids.len(),
            Ids::Many(ids) => ids.len,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        match self {
            Ids::Few(ids) => ids.get(index),
            Ids::Many(ids) => ids.from(index).next(),
        }
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.range(0..self.len())
    }

    pub(crate) fn range(&self, range: Range<usize>) -> impl Iterator<Item = &[u8]> {
        let (few, many) = match self {
            Ids::Few(ids) => (Some(ids.iter().skip(range.start)), None),
            Ids::Many(ids) => (None, Some(ids.from(range.start))),
        };
        let ids = few.into_iter().flatten().chain(many.into_iter().flatten());
        ids.take(range.len())
    }

    /// How many of the ids at `range` come before the first of which `precedes` does not hold; it
    /// holds of none behind that in the range.
    pub(crate) fn count_while(
        &self,
        range: Range<usize>,
        precedes: impl Fn(&[u8]) -> bool,
    ) -> usize {
        match self {
            Ids::Few(ids) => {
                let ids = ids.iter().skip(range.start).take(range.len());
                ids.take_while(|id| precedes(id)).count()
            }
            Ids::Many(ids) => ids.count_while(range, precedes),
        }
    }

    /// Reads where the next id most likely goes.
    #[inline]
    pub(crate) fn peek(&self) -> u64 {
        match self {
            Ids::Few(ids) => ids.len() as u64,
            Ids::Many(ids) => ids.last.bytes.last().copied().map_or(0, u64::from),
        }
    }

    /// Puts an id before the one at `index`.
    pub(crate) fn insert(&mut self, index: usize, id: &[u8]) {
        match self {
            Ids::Few(ids) => {
                if !ids.insert(index, id) {
                    let mut many = Chunks::default();
                    ids.iter().enumerate().for_each(|(at, id)| many.insert(at, id));
                    many.insert(index, id);
                    *self = Ids::Many(Box::new(many));
                }
            }
            Ids::Many(ids) => ids.insert(index, id),
        }
    }

    /// Removes the first `count` ids, or all if there are fewer.
    pub(crate) fn remove_front(&mut self, count: usize) {
        if count >= self.len() {
            *self = Ids::default();
            return;
        }
        match self {
            Ids::Few(ids) => ids.remove_front(count),
            Ids::Many(ids) => {
                ids.remove_front(count);
                if ids.len <= FEW_AGAIN {
                    self.shrink();
                }
            }
        }
    }

    /// Holds few ids as those of a key that never had many, unless one of them is too long.
    fn shrink(&mut self) {
        let mut few = ShortList::default();
        if self.range(0..self.len()).enumerate().all(|(at, id)| few.insert(at, id)) {
            *self = Ids::Few(few);
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Ids::Few(ids) => ids.heap_bytes(),
            Ids::Many(ids) => size_of::<Chunks>() + ids.heap_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_are_held_as_in_a_list(
            changes in prop::collection::vec((any::<bool>(), 0usize..400, 0usize..300), 0..900),
            alike in 0usize..900,
        ) {
            let mut ids = Ids::default();
            let mut oracle: Vec<Vec<u8>> = Vec::new();
            for (step, (comes, at, length)) in changes.into_iter().enumerate() {
                if comes || step % 8 > 0 {
                    let mixed = if length < 280 { length % 40 } else { length };
                    let id = vec![step as u8; if step < alike { 9 } else { mixed }];
                    let at = at.min(oracle.len());
                    ids.insert(at, &id);
                    oracle.insert(at, id);
                } else {
                    // Mostly a few, so that there are many; now and then all.
                    let count = if length % 8 == 0 { at } else { at / 10 };
                    ids.remove_front(count);
                    oracle.drain(..count.min(oracle.len()));
                }
                prop_assert_eq!(ids.len(), oracle.len());
                prop_assert!(ids.iter().eq(oracle.iter().map(Vec::as_slice)));
                prop_assert_eq!(ids.get(oracle.len()), None);
                if let Ids::Many(many) = &ids {
                    let chunks: Vec<_> = many.earlier.iter().chain([&many.last]).collect();
                    let held = chunks.iter().map(|chunk| chunk.bytes.capacity());
                    prop_assert_eq!(many.heap_bytes, held.sum::<usize>());
                    prop_assert!(chunks.iter().all(|c| (1..=CHUNK_IDS).contains(&c.len())));
                }
                let (from, until) = (at.min(ids.len()), (at + length).min(ids.len()));
                // Before and behind them stand ids that are in no order with them.
                let run = oracle[from..until].windows(2).take_while(|two| two[0] <= two[1]).count();
                let until = until.min(from + run + 1);
                let precedes = |id: &[u8]| id < &[step as u8 / 2][..];
                let expected = oracle[from..until].iter().filter(|id| precedes(id)).count();
                prop_assert_eq!(ids.count_while(from..until, precedes), expected);
                let some = oracle[from..until].iter().map(Vec::as_slice);
                prop_assert!(ids.range(from..until).eq(some));
            }
        }
    }

    /// Ids of one moment are in order, and are searched in their chunks.
    #[test]
    fn ids_in_order_are_counted_up_to_any() {
        let id = |n: usize| vec![b'a' + (n / 26 % 26) as u8, b'a' + (n % 26) as u8];
        let mut ids = Ids::default();
        let count = 600;
        (0..count).for_each(|n| ids.insert(n, &id(n)));
        for from in [0, 1, 127, 128, 300, count] {
            for until in [from, from + 1, 200, count].map(|until| until.clamp(from, count)) {
                for n in (0..count).step_by(7) {
                    let precedes = |other: &[u8]| other < &id(n)[..];
                    let expected = (from..until).filter(|other| *other < n).count();
                    assert_eq!(ids.count_while(from..until, precedes), expected, "{from} {n}");
                }
            }
        }
    }

    #[test]
    fn a_long_id_takes_no_room_for_others_like_it() {
        let mut ids = Ids::default();
        let mut held = 0;
        for n in 0..400usize {
            let id = vec![n as u8; if n % 128 == 0 { 100_000 } else { 9 }];
            ids.insert(n, &id);
            held += id.len();
        }
        assert!(ids.heap_bytes() < 2 * held, "{} bytes for {held}", ids.heap_bytes());
        let Ids::Many(many) = &ids else { panic!("these are many") };
        assert!(
            many.earlier.iter().all(|chunk| chunk.bytes.len() < 2 * (100_000 + CHUNK_BYTES_MAX))
        );
        ids.remove_front(395);
        assert!(matches!(ids, Ids::Few(_)) && ids.len() == 5);
    }
}
