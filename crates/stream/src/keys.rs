//! The keys of a batch under one group, with their hashes.

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;
use millrace_event::{Batch, Data};

/// Per event the key's bytes (see [`millrace_event::Key`]) and hash; events with a null key have
/// none. Held end to end, so that a batch costs no allocation per event.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    pub(crate) hashes: Vec<u64>,
    /// Whether the event has a key.
    pub(crate) present: Vec<bool>,
}

impl Keys {
    pub(crate) fn of(batch: &Batch, fields: &[usize], hasher: &DefaultHashBuilder) -> Keys {
        let rows = batch.len();
        let mut keys = Keys {
            bytes: Vec::with_capacity(rows * 8),
            ends: Vec::with_capacity(rows),
            hashes: Vec::with_capacity(rows),
            present: vec![true; rows],
        };
        for row in 0..rows {
            let start = keys.bytes.len();
            for field in fields {
                let column = &batch.columns[*field];
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
            keys.ends.push(keys.bytes.len() as u32);
        }
        keys
    }

    /// Whether each event has the same key here and there.
    pub(crate) fn same_as(&self, other: &Keys) -> bool {
        self.bytes == other.bytes && self.ends == other.ends && self.present == other.present
    }

    #[inline]
    pub(crate) fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.bytes[start..self.ends[row] as usize]
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
