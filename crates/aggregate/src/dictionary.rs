//! The strings of one key state: rows hold indexes, each string is held once.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::short_list::ShortList;

/// Above this many strings a hash table finds them.
const LINEAR_MAX: usize = 16;

/// Up to so many strings are kept although no row uses them any more.
const UNUSED_MAX: usize = 32;

/// Strings by index, in order of first use. Indexes stay valid until [`Dictionary::compact`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Dictionary(Option<Box<Strings>>);

const _: () = assert!(size_of::<Dictionary>() == 8, "keys without strings pay for it as well");

#[derive(Clone, Debug)]
enum Strings {
    /// Most keys have few strings.
    Few(ShortList),
    Many(Box<Table>),
}

const _: () = assert!(size_of::<Strings>() == 16);

/// Strings end to end, found by hash.
#[derive(Clone, Debug, Default)]
struct Table {
    text: String,
    ends: Vec<u32>,
    places: HashTable<u32>,
    /// Compacted when it holds this many strings.
    compact_at: usize,
}

impl Dictionary {
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |strings| strings.len())
    }

    pub(crate) fn get(&self, index: u64) -> &str {
        self.0.as_ref().map_or("", |strings| strings.get(index))
    }

    /// The index of `s`, which is added if it is new.
    pub(crate) fn intern(&mut self, s: &str) -> u64 {
        self.0.get_or_insert_default().intern(s)
    }

    /// Whether so many strings have come that it is worth looking for unused ones.
    pub(crate) fn is_full(&self) -> bool {
        self.0.as_ref().is_some_and(|strings| strings.is_full())
    }

    /// Keeps the strings marked `true`; returns the new index of each old one.
    pub(crate) fn compact(&mut self, used: &[bool]) -> Vec<u64> {
        self.0.as_mut().map_or_else(Vec::new, |strings| strings.compact(used))
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |strings| size_of::<Strings>() + strings.heap_bytes())
    }
}

impl Default for Strings {
    fn default() -> Strings {
        Strings::Few(ShortList::default())
    }
}

impl Strings {
    fn len(&self) -> usize {
        match self {
            Strings::Few(list) => list.len(),
            Strings::Many(table) => table.ends.len(),
        }
    }

    fn get(&self, index: u64) -> &str {
        match self {
            Strings::Few(list) => list
                .get(index as usize)
                .map_or("", |bytes| std::str::from_utf8(bytes).expect("it was a string")),
            Strings::Many(table) => table.get(index),
        }
    }

    fn intern(&mut self, s: &str) -> u64 {
        if let Some(found) = self.find(s) {
            return u64::from(found);
        }
        let index = self.len();
        match self {
            Strings::Few(list) => {
                if index >= LINEAR_MAX || !list.insert(index, s.as_bytes()) {
                    let mut table = Box::new(Table::default());
                    (0..index as u64).for_each(|i| table.push(self.get(i)));
                    table.push(s);
                    *self = Strings::Many(table);
                }
            }
            Strings::Many(table) => table.push(s),
        }
        index as u64
    }

    fn find(&self, s: &str) -> Option<u32> {
        match self {
            Strings::Few(list) => {
                list.iter().position(|other| other == s.as_bytes()).map(|i| i as u32)
            }
            Strings::Many(table) => {
                table.places.find(hash(s), |i| table.get(u64::from(*i)) == s).copied()
            }
        }
    }

    fn is_full(&self) -> bool {
        match self {
            Strings::Few(_) => false,
            Strings::Many(table) => table.ends.len() >= table.compact_at.max(UNUSED_MAX),
        }
    }

    fn compact(&mut self, used: &[bool]) -> Vec<u64> {
        let mut kept = Strings::default();
        let map = used.iter().enumerate();
        let map = map.map(|(i, used)| if *used { kept.intern(self.get(i as u64)) } else { 0 });
        let map = map.collect();
        if let Strings::Many(table) = &mut kept {
            table.compact_at = table.ends.len() * 2;
        }
        *self = kept;
        map
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Strings::Few(list) => list.heap_bytes(),
            Strings::Many(table) => {
                size_of::<Table>()
                    + table.text.capacity()
                    + table.ends.capacity() * 4
                    + table.places.capacity() * 5
            }
        }
    }
}

impl Table {
    fn get(&self, index: u64) -> &str {
        string(&self.text, &self.ends, index as usize)
    }

    fn push(&mut self, s: &str) {
        let index = self.ends.len() as u32;
        self.text.push_str(s);
        self.ends.push(self.text.len() as u32);
        let (text, ends) = (&self.text, &self.ends);
        self.places.insert_unique(hash(s), index, |i| hash(string(text, ends, *i as usize)));
    }
}

fn string<'a>(text: &'a str, ends: &[u32], index: usize) -> &'a str {
    let Some(end) = ends.get(index) else { return "" };
    let start = if index == 0 { 0 } else { ends[index - 1] as usize };
    &text[start..*end as usize]
}

fn hash(s: &str) -> u64 {
    // The order of the table never shows, so a fixed seed per process is enough.
    static BUILDER: std::sync::LazyLock<DefaultHashBuilder> =
        std::sync::LazyLock::new(DefaultHashBuilder::default);
    BUILDER.hash_one(s)
}
