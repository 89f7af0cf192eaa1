//! How many rows of a window have each word: what `distinct` of a busy key is counted from.

use std::hash::BuildHasher;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

/// Rows per word. Words of 32 bits are held in half the space, which is most of what a hot key
/// waits for.
#[derive(Clone, Debug)]
pub(crate) enum Members {
    Narrow(HashTable<(u32, u32)>),
    Wide(HashTable<(u64, u32)>),
}

impl Default for Members {
    fn default() -> Members {
        Members::Narrow(HashTable::new())
    }
}

impl Members {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Members::Narrow(table) => table.len(),
            Members::Wide(table) => table.len(),
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, word: u64) {
        match self {
            Members::Narrow(table) => match u32::try_from(word) {
                Ok(narrow) => add(table, narrow),
                Err(_) => self.widen(word),
            },
            Members::Wide(table) => add(table, word),
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, word: u64) {
        match self {
            Members::Narrow(table) => remove(table, word as u32),
            Members::Wide(table) => remove(table, word),
        }
    }

    /// How many rows have this word.
    pub(crate) fn count(&self, word: u64) -> u32 {
        let found = match self {
            Members::Narrow(table) => u32::try_from(word)
                .ok()
                .and_then(|narrow| table.find(hash(word), |e| e.0 == narrow).map(|e| e.1)),
            Members::Wide(table) => table.find(hash(word), |e| e.0 == word).map(|e| e.1),
        };
        found.unwrap_or(0)
    }

    #[cold]
    fn widen(&mut self, word: u64) {
        if let Members::Narrow(narrow) = self {
            let mut wide = HashTable::with_capacity(narrow.len() + 1);
            for (word, rows) in narrow.iter() {
                let word = u64::from(*word);
                wide.insert_unique(hash(word), (word, *rows), |e| hash(e.0));
            }
            *self = Members::Wide(wide);
        }
        self.add(word);
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Members::Narrow(table) => table.capacity() * 9,
            Members::Wide(table) => table.capacity() * 17,
        }
    }
}

#[inline]
fn add<W: Copy + Eq + Into<u64>>(table: &mut HashTable<(W, u32)>, word: W) {
    match table.entry(hash(word.into()), |e| e.0 == word, |e| hash(e.0.into())) {
        Entry::Occupied(mut entry) => entry.get_mut().1 += 1,
        Entry::Vacant(entry) => {
            entry.insert((word, 1));
        }
    }
}

#[inline]
fn remove<W: Copy + Eq + Into<u64>>(table: &mut HashTable<(W, u32)>, word: W) {
    if let Ok(mut entry) = table.find_entry(hash(word.into()), |e| e.0 == word) {
        entry.get_mut().1 -= 1;
        if entry.get().1 == 0 {
            entry.remove();
        }
    }
}

#[inline]
fn hash(word: u64) -> u64 {
    // The order of the table never shows, so a seed per process is enough.
    static BUILDER: std::sync::LazyLock<DefaultHashBuilder> =
        std::sync::LazyLock::new(DefaultHashBuilder::default);
    BUILDER.hash_one(word)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn members_are_counted_as_by_a_map(
            changes in prop::collection::vec((0u64..6, any::<bool>()), 0..200),
            wide in any::<bool>(),
        ) {
            let mut members = Members::default();
            let mut oracle: HashMap<u64, u32> = HashMap::new();
            for (word, comes) in changes {
                let word = if wide && word == 3 { word << 32 } else { word };
                if comes {
                    members.add(word);
                    *oracle.entry(word).or_insert(0) += 1;
                } else if let Some(rows) = oracle.get_mut(&word) {
                    members.remove(word);
                    *rows -= 1;
                }
                oracle.retain(|_, rows| *rows > 0);
                prop_assert_eq!(members.len(), oracle.len());
                prop_assert_eq!(members.count(word), oracle.get(&word).copied().unwrap_or(0));
            }
        }
    }
}
