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

/// Ids in buckets, which one is told by their hash: a bucket that grows or is purged holds nobody
/// up, as one table of millions of ids would.
#[derive(Clone, Debug)]
struct Table<I> {
    buckets: Vec<Bucket<I>>,
    hasher: DefaultHashBuilder,
}

/// An id's time stays in its bucket after it has lost its meaning; such entries go all at once
/// when there are about as many of them as of others. So an event costs one look into one bucket.
#[derive(Clone, Debug)]
struct Bucket<I> {
    ids: HashTable<(I, EventTime)>,
    /// At this many ids the ones without a meaning are dropped.
    purge_at: usize,
    /// Which bucket it is: a later one is purged later. All are about equally full, and if they were
    /// all purged at once, whole seconds would go into that.
    number: usize,
}

const BUCKETS: usize = 256;
/// Above the bits that find an id in its bucket.
const BUCKET_SHIFT: u32 = 40;
/// Room for no more ids is kept for those to come.
const SPARE_IDS_MAX: usize = 1 << 20;
/// A bucket is not purged below this many ids.
const PURGE_MIN: usize = 64;
/// A bucket keeps its room when that is for not more than so many times as many ids as it needs.
const ROOM_MAX: usize = 2;

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
    pub(crate) fn insert(&mut self, id: IdHash, time: EventTime, watermark: EventTime) {
        self.restore(id, time, watermark);
        if self.tracked {
            self.new.push((id, time));
        }
    }

    /// Remembers an id that the last checkpoint has already.
    pub(crate) fn restore(&mut self, id: IdHash, time: EventTime, watermark: EventTime) {
        match &mut self.times {
            Times::Int(table) => table.set(id.0 as u64, time, watermark),
            Times::Text(table) => table.set(halves(id), time, watermark),
        }
    }

    /// The ids that came since the last call.
    pub(crate) fn take_new(&mut self) -> Vec<(IdHash, EventTime)> {
        std::mem::replace(&mut self.new, std::mem::take(&mut self.spare))
    }

    /// Takes back what [`Remembered::take_new`] gave, whose ids are needed no more.
    pub(crate) fn reuse(&mut self, mut ids: Vec<(IdHash, EventTime)>) {
        if ids.capacity() <= SPARE_IDS_MAX {
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

    /// Ids held, with or without a meaning: of each bucket at most two and a half times as many as
    /// had one when it was purged last, or [`PURGE_MIN`].
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
    fn hash_with(self, hasher: &DefaultHashBuilder) -> u64;
}

impl Id for u64 {
    #[inline]
    fn hash_with(self, hasher: &DefaultHashBuilder) -> u64 {
        hasher.hash_one(self)
    }
}

impl Id for [u64; 2] {
    /// It is a keyed hash already.
    #[inline]
    fn hash_with(self, _: &DefaultHashBuilder) -> u64 {
        self[0]
    }
}

impl<I: Id> Table<I> {
    fn new() -> Table<I> {
        let bucket = |number| Bucket { ids: HashTable::new(), purge_at: PURGE_MIN, number };
        let buckets = (0..BUCKETS).map(bucket).collect();
        Table { buckets, hasher: DefaultHashBuilder::default() }
    }

    #[inline]
    fn see(&mut self, id: I, time: EventTime, watermark: EventTime, late: bool) -> Seen {
        let hasher = &self.hasher;
        let hash = id.hash_with(hasher);
        let bucket = &mut self.buckets[bucket_of(hash)];
        match bucket.ids.entry(hash, |e| e.0 == id, |e| e.0.hash_with(hasher)) {
            Entry::Occupied(entry) if entry.get().1 >= watermark => Seen::Before,
            Entry::Occupied(_) | Entry::Vacant(_) if late => Seen::Late,
            Entry::Occupied(mut entry) => {
                entry.get_mut().1 = time;
                Seen::New
            }
            Entry::Vacant(entry) => {
                entry.insert((id, time));
                bucket.purge_when_due(watermark, hasher);
                Seen::New
            }
        }
    }

    fn contains(&self, id: I, watermark: EventTime) -> bool {
        let hash = id.hash_with(&self.hasher);
        let found = self.buckets[bucket_of(hash)].ids.find(hash, |e| e.0 == id);
        found.is_some_and(|e| e.1 >= watermark)
    }

    /// Remembers an id whose event is not behind the watermark, whatever is known of it.
    fn set(&mut self, id: I, time: EventTime, watermark: EventTime) {
        let hasher = &self.hasher;
        let hash = id.hash_with(hasher);
        let bucket = &mut self.buckets[bucket_of(hash)];
        match bucket.ids.entry(hash, |e| e.0 == id, |e| e.0.hash_with(hasher)) {
            Entry::Occupied(mut entry) => entry.get_mut().1 = time,
            Entry::Vacant(entry) => {
                entry.insert((id, time));
                bucket.purge_when_due(watermark, hasher);
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = &(I, EventTime)> {
        self.buckets.iter().flat_map(|bucket| bucket.ids.iter())
    }

    fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.ids.len()).sum()
    }
}

#[inline]
fn bucket_of(hash: u64) -> usize {
    (hash >> BUCKET_SHIFT) as usize % BUCKETS
}

impl<I: Id> Bucket<I> {
    /// At how many ids to purge when so many are kept: at 1.5 to 2.5 times as many.
    fn next_purge(&self, kept: usize) -> usize {
        (kept + kept / 2 + kept * self.number / BUCKETS).max(PURGE_MIN)
    }

    #[inline]
    fn purge_when_due(&mut self, watermark: EventTime, hasher: &DefaultHashBuilder) {
        if self.ids.len() >= self.purge_at {
            self.purge(watermark, hasher);
        }
    }

    #[cold]
    fn purge(&mut self, watermark: EventTime, hasher: &DefaultHashBuilder) {
        let kept: Vec<_> = self.ids.iter().filter(|e| e.1 >= watermark).copied().collect();
        self.purge_at = self.next_purge(kept.len());
        if self.ids.capacity() > ROOM_MAX * self.purge_at {
            self.ids = HashTable::with_capacity(self.purge_at);
        } else {
            self.ids.clear();
        }
        for entry in kept {
            self.ids.insert_unique(entry.0.hash_with(hasher), entry, |e| e.0.hash_with(hasher));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many ids have a meaning, about: 200 in each bucket.
    const MEANT: usize = 200 * BUCKETS;
    /// Ids that come in a step, and how many buckets may be purged meanwhile.
    const STEP: usize = 1_500;
    const PURGES_MAX: usize = 20;

    /// Ids by one moment each, of which the last [`MEANT`] have a meaning. They are strings: where
    /// those lie depends on the secret alone.
    struct Stream {
        remembered: Remembered,
        came: usize,
    }

    impl Stream {
        fn new() -> Stream {
            Stream { remembered: Remembered::new(true, [1; 16], false), came: 0 }
        }

        fn id(&self, number: usize) -> IdHash {
            IdHash(self.remembered.secret.hash(&number.to_le_bytes()).as_u128())
        }

        fn watermark(&self) -> EventTime {
            EventTime(self.came.saturating_sub(MEANT) as i64)
        }

        fn see(&mut self, count: usize) {
            for _ in 0..count {
                let (id, time) = (self.id(self.came), EventTime(self.came as i64));
                let seen = self.remembered.see(id, time, self.watermark(), false);
                assert_eq!(seen, Seen::New);
                self.came += 1;
            }
        }

        fn replay(&mut self, count: usize) {
            for _ in 0..count {
                let (id, time) = (self.id(self.came), EventTime(self.came as i64));
                self.remembered.insert(id, time, self.watermark());
                self.came += 1;
            }
        }

        fn sizes(&self) -> Vec<usize> {
            match &self.remembered.times {
                Times::Int(_) => Vec::new(),
                Times::Text(table) => table.buckets.iter().map(|b| b.ids.len()).collect(),
            }
        }

        fn assert_bounded(&self) {
            let held = self.remembered.len();
            let bounds = MEANT..MEANT * 5 / 2 + BUCKETS * PURGE_MIN;
            assert!(bounds.contains(&held), "{held} ids of which {MEANT} have a meaning");
        }
    }

    #[test]
    fn buckets_are_not_all_purged_at_once() {
        let mut stream = Stream::new();
        // So many that each bucket was purged some times before.
        stream.see(4 * MEANT);
        let mut most = 0;
        for _ in 0..100 {
            let before = stream.sizes();
            stream.see(STEP);
            // A purge takes away more than a step brings.
            let purged = stream.sizes().iter().zip(&before).filter(|(a, b)| a < b).count();
            most = most.max(purged);
            stream.assert_bounded();
        }
        assert!((1..=PURGES_MAX).contains(&most), "{most} of {BUCKETS} buckets in one step");
        let newest = stream.id(stream.came - 1);
        assert!(stream.remembered.contains(newest, stream.watermark()));
    }

    #[test]
    fn replayed_ids_are_purged_as_others_are() {
        let mut stream = Stream::new();
        for _ in 0..10 {
            stream.replay(MEANT);
            stream.assert_bounded();
        }
        let oldest = stream.id(stream.came - MEANT);
        assert!(stream.remembered.contains(oldest, stream.watermark()));
    }
}
