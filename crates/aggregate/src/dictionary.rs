//! The strings of one key state: rows hold indexes, each string is held once.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Above this many strings a hash table finds them.
const LINEAR_MAX: usize = 16;

/// Strings by index, in order of first use. Indexes stay valid until [`Dictionary::compact`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Dictionary {
    text: String,
    ends: Vec<u32>,
    table: Option<Box<HashTable<u32>>>,
}

impl Dictionary {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, index: u64) -> &str {
        let index = index as usize;
        let Some(end) = self.ends.get(index) else { return "" };
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.text[start..*end as usize]
    }

    /// The index of `s`, which is added if it is new.
    pub(crate) fn intern(&mut self, s: &str) -> u64 {
        if let Some(found) = self.find(s) {
            return u64::from(found);
        }
        let index = self.ends.len() as u32;
        if self.ends.len() <= LINEAR_MAX {
            // A key with few strings stays as small as they are.
            self.text.reserve_exact(s.len());
            self.ends.reserve_exact(1);
        }
        self.text.push_str(s);
        self.ends.push(self.text.len() as u32);
        if let Some(mut table) = self.table.take() {
            table.insert_unique(hash(s), index, |i| hash(self.get(u64::from(*i))));
            self.table = Some(table);
        } else if self.ends.len() > LINEAR_MAX {
            self.build_table();
        }
        u64::from(index)
    }

    pub(crate) fn find(&self, s: &str) -> Option<u32> {
        match &self.table {
            Some(table) => table.find(hash(s), |i| self.get(u64::from(*i)) == s).copied(),
            None => (0..self.ends.len() as u32).find(|i| self.get(u64::from(*i)) == s),
        }
    }

    fn build_table(&mut self) {
        let mut table = HashTable::with_capacity(self.ends.len());
        for index in 0..self.ends.len() as u32 {
            let h = hash(self.get(u64::from(index)));
            table.insert_unique(h, index, |i| hash(self.get(u64::from(*i))));
        }
        self.table = Some(Box::new(table));
    }

    /// Keeps the strings marked `true`; returns the new index of each old one.
    pub(crate) fn compact(&mut self, used: &[bool]) -> Vec<u64> {
        let mut kept = Dictionary::default();
        let map = used.iter().enumerate().map(|(i, used)| {
            if !used {
                return 0;
            }
            kept.text.push_str(self.get(i as u64));
            kept.ends.push(kept.text.len() as u32);
            kept.ends.len() as u64 - 1
        });
        let map = map.collect();
        if kept.ends.len() > LINEAR_MAX {
            kept.build_table();
        }
        *self = kept;
        map
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let table =
            self.table.as_ref().map_or(0, |t| t.capacity() * 5 + size_of::<HashTable<u32>>());
        self.text.capacity() + self.ends.capacity() * 4 + table
    }
}

fn hash(s: &str) -> u64 {
    // The order of the table never shows, so a fixed seed per process is enough.
    static BUILDER: std::sync::LazyLock<DefaultHashBuilder> =
        std::sync::LazyLock::new(DefaultHashBuilder::default);
    BUILDER.hash_one(s)
}
