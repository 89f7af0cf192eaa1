//! Finds a key's slot by its hash: open addressing, one word per key.
//!
//! A word holds 32 bits of the hash and the slot's number, so a look costs one line of the cache
//! before the slot itself, growing does not touch the slots, and looks for several keys can be
//! begun together ([`Probe::peek`]).

/// Zero is free; else the hash's low half in the high half, and the slot's number plus one.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    entries: Vec<u64>,
    len: usize,
}

const SIZE_MIN: usize = 8;

impl Probe {
    /// The slot of this hash of which `is` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            // An empty table has no entries at all.
            let entry = *self.entries.get(at)?;
            if entry == 0 {
                return None;
            }
            if entry >> 32 == hash & TAG && is(slot(entry)) {
                return Some(slot(entry));
            }
            at = (at + 1) & self.mask();
        }
    }

    /// Adds a slot, which is not there yet.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32) {
        if (self.len + 1) * 4 > self.entries.len() * 3 {
            self.grow();
        }
        self.put((hash & TAG) << 32 | (u64::from(slot) + 1));
        self.len += 1;
    }

    /// Removes a slot, if it is there.
    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        let entry = (hash & TAG) << 32 | (u64::from(slot) + 1);
        let mut at = self.home(hash);
        loop {
            match self.entries.get(at).copied() {
                None | Some(0) => return,
                Some(found) if found == entry => break,
                Some(_) => at = (at + 1) & self.mask(),
            }
        }
        self.len -= 1;
        // Entries that were pushed on by this one move back, so that no gap hides them.
        let mut gap = at;
        loop {
            at = (at + 1) & self.mask();
            let entry = self.entries[at];
            if entry == 0 {
                break;
            }
            let home = self.home(entry >> 32);
            if (at.wrapping_sub(home) & self.mask()) >= (at.wrapping_sub(gap) & self.mask()) {
                self.entries[gap] = entry;
                gap = at;
            }
        }
        self.entries[gap] = 0;
    }

    /// Reads where the look for this hash begins, so that it is in the cache.
    #[inline]
    pub(crate) fn peek(&self, hash: u64) -> u64 {
        self.entries.get(self.home(hash)).copied().unwrap_or(0)
    }

    /// The slot that most likely has this hash.
    #[inline]
    pub(crate) fn guess(&self, hash: u64) -> Option<u32> {
        let found = self.peek(hash);
        (found != 0).then(|| slot(found))
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<u64>()
    }

    #[inline]
    fn mask(&self) -> usize {
        self.entries.len().wrapping_sub(1)
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        (hash & TAG) as usize & self.mask()
    }

    fn put(&mut self, entry: u64) {
        let mut at = self.home(entry >> 32);
        while self.entries[at] != 0 {
            at = (at + 1) & self.mask();
        }
        self.entries[at] = entry;
    }

    fn grow(&mut self) {
        let size = (self.entries.len() * 2).max(SIZE_MIN);
        let before = std::mem::replace(&mut self.entries, vec![0; size]);
        before.into_iter().filter(|entry| *entry != 0).for_each(|entry| self.put(entry));
    }
}

const TAG: u64 = u32::MAX as u64;

#[inline]
fn slot(entry: u64) -> u32 {
    (entry as u32).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Few hashes, so that entries push each other on; a list is the oracle.
        #[test]
        fn slots_are_found_until_they_are_removed(
            changes in prop::collection::vec((0u64..24, any::<bool>()), 0..300),
        ) {
            let hash = |key: u64| key % 7;
            let mut probe = Probe::default();
            let mut oracle: Vec<u32> = Vec::new();
            for (key, comes) in changes {
                let slot = key as u32;
                if comes && !oracle.contains(&slot) {
                    probe.insert(hash(key), slot);
                    oracle.push(slot);
                } else if !comes {
                    probe.remove(hash(key), slot);
                    oracle.retain(|s| *s != slot);
                }
                for key in 0u64..24 {
                    let slot = key as u32;
                    let found = probe.find(hash(key), |s| s == slot);
                    prop_assert_eq!(found, oracle.contains(&slot).then_some(slot));
                }
            }
        }
    }
}
