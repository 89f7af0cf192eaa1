//! The slots of a table: in chunks, so that growing neither moves key states nor doubles the space.

use std::ops::{Index, IndexMut};

use millrace_aggregate::KeyState;
use millrace_event::Key;

#[derive(Debug)]
pub(crate) enum Residence {
    Memory(KeyState),
    Disk,
}

/// One key, in one line of the cache.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Slot {
    pub(crate) key: SlotKey,
    pub(crate) state: Residence,
    pub(crate) flags: u8,
}

const _: () = assert!(size_of::<Slot>() == 64);

/// A [`Key`] in two words: most keys are one integer.
#[derive(Debug)]
pub(crate) enum SlotKey {
    Word([u8; 8]),
    #[expect(clippy::box_collection, reason = "a second word would make every slot larger")]
    Bytes(Box<Vec<u8>>),
}

impl SlotKey {
    #[inline]
    pub(crate) fn new(bytes: &[u8]) -> SlotKey {
        match <[u8; 8]>::try_from(bytes) {
            Ok(word) => SlotKey::Word(word),
            Err(_) => SlotKey::Bytes(Box::new(bytes.to_vec())),
        }
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            SlotKey::Word(word) => word,
            SlotKey::Bytes(bytes) => bytes,
        }
    }

    /// Whether the key has these bytes.
    #[inline]
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        match (self, <&[u8; 8]>::try_from(bytes)) {
            (SlotKey::Word(a), Ok(b)) => u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b),
            (SlotKey::Bytes(a), Err(_)) => a.as_slice() == bytes,
            (SlotKey::Word(_), Err(_)) | (SlotKey::Bytes(_), Ok(_)) => false,
        }
    }

    pub(crate) fn to_key(&self) -> Key {
        Key::from_bytes(self.as_bytes())
    }

    /// Bytes on the heap, beside the value itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            SlotKey::Word(_) => 0,
            SlotKey::Bytes(bytes) => size_of::<Vec<u8>>() + bytes.capacity(),
        }
    }
}

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Slots by number.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// All full but the last.
    chunks: Vec<Vec<Slot>>,
}

impl Slots {
    pub(crate) fn len(&self) -> usize {
        match self.chunks.last() {
            Some(last) => (self.chunks.len() - 1) * CHUNK + last.len(),
            None => 0,
        }
    }

    pub(crate) fn push(&mut self, slot: Slot) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => {
                // The first slots come in small steps, so that a small table stays small.
                last.push(slot);
            }
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(slot);
                self.chunks.push(chunk);
            }
            None => self.chunks.push(vec![slot]),
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Slot> {
        self.chunks.get(at >> CHUNK_BITS)?.get(at & (CHUNK - 1))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.chunks.iter().flatten()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.chunks.iter().map(Vec::capacity).sum()
    }
}

impl Index<usize> for Slots {
    type Output = Slot;

    #[inline]
    fn index(&self, at: usize) -> &Slot {
        &self.chunks[at >> CHUNK_BITS][at & (CHUNK - 1)]
    }
}

impl IndexMut<usize> for Slots {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut Slot {
        &mut self.chunks[at >> CHUNK_BITS][at & (CHUNK - 1)]
    }
}
