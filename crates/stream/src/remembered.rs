//! The ids of recent events, so that a second delivery is known for what it is.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use millrace_event::{Batch, EventTime, Span};
use siphasher::sip128::SipHasher13;

/// An id in 128 bits: an integer as it is, a string by a keyed hash (two different ids share one
/// with probability 2⁻¹²⁸ per pair, and nobody without the key can look for such a pair).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) struct IdHash(pub(crate) u128);

/// Ids by hash, each with its event's time; forgotten once the watermark has passed that time.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    times: HashMap<IdHash, EventTime>,
    /// Ids by the time bucket they can be dropped with.
    buckets: BTreeMap<i64, Vec<IdHash>>,
    /// The bucket that took the last id, out of the map: most ids go to the same one.
    open: (i64, Vec<IdHash>),
    width: i64,
    /// Remembered since the last checkpoint.
    new: Vec<(IdHash, EventTime)>,
    /// Whether they are noted for checkpoints.
    tracked: bool,
    hasher: SipHasher13,
}

impl Remembered {
    pub(crate) fn new(lateness: Span, secret: [u8; 16], tracked: bool) -> Remembered {
        Remembered {
            times: HashMap::new(),
            buckets: BTreeMap::new(),
            open: (i64::MIN, Vec::new()),
            width: (lateness.0 / 8).max(1_000_000),
            new: Vec::new(),
            tracked,
            hasher: SipHasher13::new_with_key(&secret),
        }
    }

    pub(crate) fn hash(&self, batch: &Batch, row: usize) -> IdHash {
        let column = &batch.columns[batch.schema.id];
        match column.as_texts() {
            Some(texts) => IdHash(self.hasher.hash(texts.get(row).as_bytes()).as_u128()),
            None => IdHash(u128::from(column.as_words()[row] as u64)),
        }
    }

    /// Whether an event of this id was seen and could still be delivered again.
    #[inline]
    pub(crate) fn contains(&self, id: IdHash, watermark: EventTime) -> bool {
        self.times.get(&id).is_some_and(|time| *time >= watermark)
    }

    #[inline]
    pub(crate) fn insert(&mut self, id: IdHash, time: EventTime) {
        self.restore(id, time);
        if self.tracked {
            self.new.push((id, time));
        }
    }

    /// Remembers an id that the last checkpoint has already.
    pub(crate) fn restore(&mut self, id: IdHash, time: EventTime) {
        self.times.insert(id, time);
        let bucket = time.0.div_euclid(self.width);
        if bucket != self.open.0 {
            self.close_bucket();
            self.open = (bucket, self.buckets.remove(&bucket).unwrap_or_default());
        }
        self.open.1.push(id);
    }

    fn close_bucket(&mut self) {
        let (bucket, ids) = std::mem::take(&mut self.open);
        if !ids.is_empty() {
            self.buckets.insert(bucket, ids);
        }
    }

    /// Drops the ids of whole buckets behind the watermark.
    pub(crate) fn forget_before(&mut self, watermark: EventTime) {
        let keep = watermark.0.div_euclid(self.width);
        if self.open.0 < keep {
            self.close_bucket();
        }
        while let Some(entry) = self.buckets.first_entry() {
            if *entry.key() >= keep {
                break;
            }
            for id in entry.remove() {
                // The id may have come again since, with a later time.
                if self.times.get(&id).is_some_and(|t| t.0.div_euclid(self.width) < keep) {
                    self.times.remove(&id);
                }
            }
        }
    }

    /// The ids that came since the last call.
    pub(crate) fn take_new(&mut self) -> Vec<(IdHash, EventTime)> {
        std::mem::take(&mut self.new)
    }

    /// All ids that are remembered, in order.
    pub(crate) fn all(&self) -> Vec<(IdHash, EventTime)> {
        let mut all: Vec<_> = self.times.iter().map(|(id, t)| (*id, *t)).collect();
        all.sort_unstable();
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }
}
