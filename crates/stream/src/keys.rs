//! The keys of a batch under one group, with their hashes.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;
use millrace_event::{Batch, Column, Data};

/// Finds keys in memory; never where an order or a file could show it.
pub type KeyHasher = DefaultHashBuilder;

/// Per event the key's bytes (see [`millrace_event::Key`]) and hash; events with a null key have
/// none. Held end to end, so that a batch costs no allocation per event.
#[derive(Debug, Default)]
pub struct Keys {
    bytes: Vec<u8>,
    /// Where each key ends; none where every key is one word.
    ends: Option<Vec<u32>>,
    pub(crate) hashes: Vec<u64>,
    /// Whether the event has a key.
    pub(crate) present: Vec<bool>,
}

/// Bytes of a key that is one integer.
const WORD: usize = size_of::<u64>();

impl Keys {
    pub(crate) fn of(batch: &Batch, fields: &[usize], hasher: &DefaultHashBuilder) -> Keys {
        let columns: Vec<&Column> = fields.iter().map(|field| &batch.columns[*field]).collect();
        Keys::of_columns(&columns, batch.len(), hasher)
    }

    /// Keys of so many rows, each made of a cell of every column.
    pub fn of_columns(columns: &[&Column], rows: usize, hasher: &DefaultHashBuilder) -> Keys {
        if let [column @ Column { data: Data::Word(words), .. }] = columns {
            return Keys::of_words(words, column, hasher);
        }
        let mut keys = Keys {
            bytes: Vec::with_capacity(rows * WORD),
            ends: None,
            hashes: Vec::with_capacity(rows),
            present: vec![true; rows],
        };
        let mut ends = Vec::with_capacity(rows);
        for row in 0..rows {
            let start = keys.bytes.len();
            for column in columns {
                keys.present[row] &= !column.is_null(row);
                match &column.data {
                    Data::Word(words) => keys.bytes.extend_from_slice(&words[row].to_le_bytes()),
                    Data::Text(texts) => {
                        let text = texts.get(row).as_bytes();
                        keys.bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
                        keys.bytes.extend_from_slice(text);
                    }
                    Data::Float(_) | Data::Nested(_) => keys.present[row] = false,
                }
            }
            keys.hashes.push(hash_key(hasher, &keys.bytes[start..]));
            ends.push(keys.bytes.len() as u32);
        }
        Keys { ends: Some(ends), ..keys }
    }

    fn of_words(words: &[i64], column: &Column, hasher: &DefaultHashBuilder) -> Keys {
        let present = match column.marks() {
            Some(marks) => marks.iter().map(|m| !m.is_null()).collect(),
            None => vec![true; words.len()],
        };
        Keys {
            bytes: words.iter().flat_map(|w| w.to_le_bytes()).collect(),
            ends: None,
            hashes: words.iter().map(|w| hasher.hash_one(*w as u64)).collect(),
            present,
        }
    }

    /// Whether the row has a key.
    #[inline]
    pub fn is_present(&self, row: usize) -> bool {
        self.present[row]
    }

    #[inline]
    pub fn get(&self, row: usize) -> &[u8] {
        let Some(ends) = &self.ends else { return &self.bytes[row * WORD..][..WORD] };
        let start = if row == 0 { 0 } else { ends[row - 1] as usize };
        &self.bytes[start..ends[row] as usize]
    }
}

/// The hash that places a key: its shard by the high half, its bucket by the rest.
#[inline]
pub(crate) fn hash_key(hasher: &DefaultHashBuilder, bytes: &[u8]) -> u64 {
    match <[u8; 8]>::try_from(bytes) {
        Ok(word) => hasher.hash_one(u64::from_le_bytes(word)),
        Err(_) => hasher.hash_one(bytes),
    }
}

#[inline]
pub(crate) fn shard_of(hash: u64, shards: usize) -> usize {
    (((hash >> 32) * shards as u64) >> 32) as usize
}
