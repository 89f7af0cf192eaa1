//! Records for a checkpoint, one after the other in one buffer.
//!
//! A checkpoint of a busy second holds a hundred thousand small key states, captured by one thread
//! and written by another. Two allocations for each of them took longer than all else about it.

use millrace_event::Key;

/// One key's bytes for a checkpoint; `None` says that the key is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub table: u16,
    pub key: Key,
    pub bytes: Option<Vec<u8>>,
}

/// A [`Block`] of [`Blocks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef<'a> {
    pub table: u16,
    pub key: &'a [u8],
    pub bytes: Option<&'a [u8]>,
}

impl BlockRef<'_> {
    pub fn to_block(self) -> Block {
        let BlockRef { table, key, bytes } = self;
        Block { table, key: Key::from_bytes(key), bytes: bytes.map(<[u8]>::to_vec) }
    }
}

/// Blocks in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    heads: Vec<Head>,
    /// Of each block its key, then its bytes.
    buffer: Vec<u8>,
}

/// Where a block ends in the buffer; it begins where the one before it ends.
#[derive(Clone, Copy, Debug)]
struct Head {
    table: u16,
    is_gone: bool,
    key_end: usize,
    end: usize,
}

impl Blocks {
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Bytes of all keys and values, and of what is kept beside them.
    pub fn bytes(&self) -> usize {
        self.buffer.len() + self.heads.len() * size_of::<Head>()
    }

    /// Bytes that they have room for.
    pub(crate) fn room(&self) -> usize {
        self.buffer.capacity() + self.heads.capacity() * size_of::<Head>()
    }

    /// Gives back the room, where nothing is in it and it is for more than `max` bytes.
    pub(crate) fn shrink_above(&mut self, max: usize) {
        if self.is_empty() && self.room() > max {
            *self = Blocks::default();
        }
    }

    /// None yet, and room for so many bytes.
    #[cfg(test)]
    pub(crate) fn with_room(bytes: usize) -> Blocks {
        Blocks { heads: Vec::new(), buffer: Vec::with_capacity(bytes) }
    }

    /// Removes all blocks and keeps the room for others.
    pub(crate) fn clear(&mut self) {
        self.heads.clear();
        self.buffer.clear();
    }

    /// Appends a block whose bytes `write` appends to the buffer.
    pub(crate) fn put(&mut self, table: u16, key: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        self.buffer.extend_from_slice(key);
        let key_end = self.buffer.len();
        write(&mut self.buffer);
        self.heads.push(Head { table, is_gone: false, key_end, end: self.buffer.len() });
    }

    pub(crate) fn gone(&mut self, table: u16, key: &[u8]) {
        self.buffer.extend_from_slice(key);
        let end = self.buffer.len();
        self.heads.push(Head { table, is_gone: true, key_end: end, end });
    }

    /// Moves the blocks of `other` behind these.
    pub(crate) fn append(&mut self, other: &mut Blocks) {
        if self.is_empty() {
            return std::mem::swap(self, other);
        }
        let begin = self.buffer.len();
        let moved =
            |head: Head| Head { key_end: begin + head.key_end, end: begin + head.end, ..head };
        self.heads.extend(other.heads.drain(..).map(moved));
        self.buffer.append(&mut other.buffer);
    }

    pub fn iter(&self) -> impl Iterator<Item = BlockRef<'_>> {
        let begins = std::iter::once(0).chain(self.heads.iter().map(|head| head.end));
        begins.zip(&self.heads).map(|(begin, head)| BlockRef {
            table: head.table,
            key: &self.buffer[begin..head.key_end],
            bytes: (!head.is_gone).then(|| &self.buffer[head.key_end..head.end]),
        })
    }
}

impl Extend<Block> for Blocks {
    fn extend<I: IntoIterator<Item = Block>>(&mut self, blocks: I) {
        for Block { table, key, bytes } in blocks {
            match bytes {
                Some(bytes) => {
                    self.put(table, key.as_bytes(), |out| out.extend_from_slice(&bytes));
                }
                None => self.gone(table, key.as_bytes()),
            }
        }
    }
}

impl FromIterator<Block> for Blocks {
    fn from_iter<I: IntoIterator<Item = Block>>(blocks: I) -> Blocks {
        let mut all = Blocks::default();
        all.extend(blocks);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_as_they_were_put_in() {
        let block = |table, key: &[u8], bytes: Option<&[u8]>| Block {
            table,
            key: Key::from_bytes(key),
            bytes: bytes.map(<[u8]>::to_vec),
        };
        let expected = [
            block(1, b"a", Some(b"value")),
            block(2, b"bc", None),
            block(0x8000, b"", Some(b"")),
            block(3, b"def", Some(b"x")),
        ];
        let mut blocks: Blocks = expected[..2].iter().cloned().collect();
        let mut more: Blocks = expected[2..].iter().cloned().collect();
        blocks.append(&mut more);
        assert!(more.is_empty());
        assert_eq!(blocks.len(), 4);
        assert!(blocks.iter().map(BlockRef::to_block).eq(expected));
        let mut empty = Blocks::default();
        empty.append(&mut blocks);
        assert_eq!((empty.len(), blocks.len()), (4, 0));
    }

    #[test]
    fn room_is_given_back_above_a_limit() {
        let room = |bytes: usize| {
            let mut blocks = Blocks::with_room(bytes);
            blocks.shrink_above(1_000);
            blocks.room()
        };
        assert_eq!((room(1_000), room(1_001)), (1_000, 0));
        let mut held = Blocks::with_room(2_000);
        held.gone(1, b"a");
        held.shrink_above(1_000);
        assert_eq!(held.len(), 1);
    }
}
