//! The ids of recent events, so that a second delivery is known for what it is.

use std::hash::BuildHasher;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use millrace_event::{Batch, EventTime};
use siphasher::sip128::SipHasher13;

/// An id in 128 bits: an integer as it is, a string by a keyed hash (two different ids share one
/// with probability 2⁻¹²⁸ per pair, and nobody without the key can look for such a pair).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) struct IdHash(pub(crate) u128);

/// What is known of an id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// An event of this id came before, and could still be delivered again.
    Before,
    /// It is new, but its event comes too late to be taken.
    Late,
    /// It is new, and remembered from now on.
    New,
}

/// Ids by hash, each with its event's time; forgotten once the watermark has passed that time.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    times: Times,
    /// Remembered since the last checkpoint.
    new: Vec<(IdHash, EventTime)>,
    /// Room for those that come next, of those before.
    spare: Vec<(IdHash, EventTime)>,
    /// Whether they are noted for checkpoints.
    tracked: bool,
    secret: SipHasher13,
}

#[derive(Clone, Debug)]
enum Times {
    Int(Table<u64>),
    Text(Table<[u64; 2]>),
}

/// Ids in parts, which one is told by their hash: a part that grows or is purged holds nobody up,
/// as one table of millions of ids would.
#[derive(Clone, Debug)]
struct Table<I> {
    parts: Vec<Part<I>>,
    hasher: DefaultHashBuilder,
}

/// An id's time stays in its part after it has lost its meaning; such entries go all at once when
/// there are about as many of them as of others. So an event costs one look into one part.
#[derive(Clone, Debug)]
struct Part<I> {
    ids: HashTable<(I, EventTime)>,
    /// At this many ids the ones without a meaning are dropped.
    purge_at: usize,
    /// Which part it is: a later one is purged later. All are about equally full, and if they were
    /// all purged at once, whole seconds would go into that.
    number: usize,
}

const PARTS: usize = 256;
/// Above the bits that find an id in its part.
const PART_SHIFT: u32 = 40;
/// Room for no more ids is kept for those to come.
const SPARE_MAX: usize = 1 << 20;
/// A part is not purged below this many ids.
const PURGE_MIN: usize = 16;

impl Remembered {
    /// `text` says whether ids are strings, else they are integers.
    pub(crate) fn new(text: bool, secret: [u8; 16], tracked: bool) -> Remembered {
        let times = if text { Times::Text(Table::new()) } else { Times::Int(Table::new()) };
        let secret = SipHasher13::new_with_key(&secret);
        Remembered { times, new: Vec::new(), spare: Vec::new(), tracked, secret }
    }

    #[inline]
    pub(crate) fn hash(&self, batch: &Batch, row: usize) -> IdHash {
        let column = &batch.columns[batch.schema.id];
        match column.as_texts() {
            Some(texts) => IdHash(self.secret.hash(texts.get(row).as_bytes()).as_u128()),
            None => IdHash(u128::from(column.as_words()[row] as u64)),
        }
    }

    /// Remembers the id of an event, unless it is known already or the event is late.
    #[inline]
    pub(crate) fn see(
        &mut self,
        id: IdHash,
        time: EventTime,
        watermark: EventTime,
        late: bool,
    ) -> Seen {
        let seen = match &mut self.times {
            Times::Int(table) => table.see(id.0 as u64, time, watermark, late),
            Times::Text(table) => table.see(halves(id), time, watermark, late),
        };
        if self.tracked && seen == Seen::New {
            self.new.push((id, time));
        }
        seen
    }

    /// Whether an event of this id came before, and could still be delivered again.
    pub(crate) fn contains(&self, id: IdHash, watermark: EventTime) -> bool {
        match &self.times {
            Times::Int(table) => table.contains(id.0 as u64, watermark),
            Times::Text(table) => table.contains(halves(id), watermark),
        }
    }

    /// Remembers an id from now on, whatever is known of it.
    pub(crate) fn insert(&mut self, id: IdHash, time: EventTime) {
        self.restore(id, time);
        if self.tracked {
            self.new.push((id, time));
        }
    }

    /// Remembers an id that the last checkpoint has already.
    pub(crate) fn restore(&mut self, id: IdHash, time: EventTime) {
        match &mut self.times {
            Times::Int(table) => table.set(id.0 as u64, time),
            Times::Text(table) => table.set(halves(id), time),
        }
    }

    /// The ids that came since the last call.
    pub(crate) fn take_new(&mut self) -> Vec<(IdHash, EventTime)> {
        std::mem::replace(&mut self.new, std::mem::take(&mut self.spare))
    }

    /// Takes back what [`Remembered::take_new`] gave, whose ids are needed no more.
    pub(crate) fn reuse(&mut self, mut ids: Vec<(IdHash, EventTime)>) {
        if ids.capacity() <= SPARE_MAX {
            ids.clear();
            self.spare = ids;
        }
    }

    /// All ids that are remembered, in order.
    pub(crate) fn all(&self) -> Vec<(IdHash, EventTime)> {
        let whole = |halves: [u64; 2]| u128::from(halves[0]) | u128::from(halves[1]) << 64;
        let mut all: Vec<_> = match &self.times {
            Times::Int(table) => {
                table.iter().map(|(id, t)| (IdHash(u128::from(*id)), *t)).collect()
            }
            Times::Text(table) => table.iter().map(|(id, t)| (IdHash(whole(*id)), *t)).collect(),
        };
        all.sort_unstable();
        all
    }

    /// Ids held: those that have a meaning, and at most one and a half times as many others.
    pub(crate) fn len(&self) -> usize {
        match &self.times {
            Times::Int(table) => table.len(),
            Times::Text(table) => table.len(),
        }
    }
}

fn halves(id: IdHash) -> [u64; 2] {
    [id.0 as u64, (id.0 >> 64) as u64]
}

/// What finds an id in its table.
trait Id: Copy + Eq {
    fn bucket(self, hasher: &DefaultHashBuilder) -> u64;
}

impl Id for u64 {
    #[inline]
    fn bucket(self, hasher: &DefaultHashBuilder) -> u64 {
        hasher.hash_one(self)
    }
}

impl Id for [u64; 2] {
    /// It is a keyed hash already.
    #[inline]
    fn bucket(self, _: &DefaultHashBuilder) -> u64 {
        self[0]
    }
}

impl<I: Id> Table<I> {
    fn new() -> Table<I> {
        let part = |number| Part { ids: HashTable::new(), purge_at: PURGE_MIN, number };
        let parts = (0..PARTS).map(part).collect();
        Table { parts, hasher: DefaultHashBuilder::default() }
    }

    #[inline]
    fn see(&mut self, id: I, time: EventTime, watermark: EventTime, late: bool) -> Seen {
        let hasher = &self.hasher;
        let bucket = id.bucket(hasher);
        let part = &mut self.parts[part_of(bucket)];
        match part.ids.entry(bucket, |e| e.0 == id, |e| e.0.bucket(hasher)) {
            Entry::Occupied(entry) if entry.get().1 >= watermark => Seen::Before,
            Entry::Occupied(_) | Entry::Vacant(_) if late => Seen::Late,
            Entry::Occupied(mut entry) => {
                entry.get_mut().1 = time;
                Seen::New
            }
            Entry::Vacant(entry) => {
                entry.insert((id, time));
                if part.ids.len() >= part.purge_at {
                    part.purge(watermark, hasher);
                }
                Seen::New
            }
        }
    }

    fn contains(&self, id: I, watermark: EventTime) -> bool {
        let bucket = id.bucket(&self.hasher);
        let found = self.parts[part_of(bucket)].ids.find(bucket, |e| e.0 == id);
        found.is_some_and(|e| e.1 >= watermark)
    }

    /// Remembers an id whose event is not behind the watermark, whatever is known of it.
    fn set(&mut self, id: I, time: EventTime) {
        let hasher = &self.hasher;
        let bucket = id.bucket(hasher);
        let part = &mut self.parts[part_of(bucket)];
        match part.ids.entry(bucket, |e| e.0 == id, |e| e.0.bucket(hasher)) {
            Entry::Occupied(mut entry) => entry.get_mut().1 = time,
            Entry::Vacant(entry) => {
                entry.insert((id, time));
                // All that a checkpoint has had a meaning: there is nothing to purge yet.
                part.purge_at = part.purge_at.max(part.next_purge(part.ids.len()));
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = &(I, EventTime)> {
        self.parts.iter().flat_map(|part| part.ids.iter())
    }

    fn len(&self) -> usize {
        self.parts.iter().map(|part| part.ids.len()).sum()
    }
}

#[inline]
fn part_of(bucket: u64) -> usize {
    (bucket >> PART_SHIFT) as usize % PARTS
}

impl<I: Id> Part<I> {
    /// At how many ids to purge when so many are kept: at 1.5 to 2.5 times as many.
    fn next_purge(&self, kept: usize) -> usize {
        (kept + kept / 2 + kept * self.number / PARTS).max(PURGE_MIN)
    }

    #[cold]
    fn purge(&mut self, watermark: EventTime, hasher: &DefaultHashBuilder) {
        let kept = self.ids.iter().filter(|e| e.1 >= watermark).count();
        self.purge_at = self.next_purge(kept);
        let mut ids = HashTable::with_capacity(self.purge_at);
        for entry in self.ids.iter().filter(|e| e.1 >= watermark) {
            ids.insert_unique(entry.0.bucket(hasher), *entry, |e| e.0.bucket(hasher));
        }
        self.ids = ids;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_not_all_purged_at_once() {
        let mut remembered = Remembered::new(false, [1; 16], false);
        let purges = |remembered: &Remembered| match &remembered.times {
            Times::Int(table) => table.parts.iter().map(|part| part.purge_at).collect::<Vec<_>>(),
            Times::Text(_) => Vec::new(),
        };
        // So many that each part was purged some times before.
        let (before, more) = (200_000, 2_000);
        let see = |remembered: &mut Remembered, ids: std::ops::Range<u128>| {
            for id in ids {
                remembered.see(IdHash(id), EventTime(0), EventTime(0), false);
            }
        };
        see(&mut remembered, 0..before);
        for step in 0..50 {
            let first = before + step * more;
            let earlier = purges(&remembered);
            see(&mut remembered, first..first + more);
            let purged = purges(&remembered).iter().zip(&earlier).filter(|(a, b)| a != b).count();
            assert!(purged <= PARTS / 8, "{purged} of {PARTS} parts within {more} ids");
        }
        assert_eq!(remembered.len() as u128, before + 50 * more);
        assert_eq!(remembered.see(IdHash(7), EventTime(0), EventTime(0), false), Seen::Before);
    }
}
