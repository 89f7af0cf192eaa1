//! Lists of rows that are written once and then read once, in memory as long as there is room.

use std::fmt;

use millrace_event::{Column, Physical};

use crate::BatchError;
use crate::packed::Packed;

/// A place for what does not fit into memory: bytes that are appended and read back.
pub trait Scratch: Send + Sync + fmt::Debug {
    /// Appends these bytes; returns where they begin.
    ///
    /// # Errors
    /// A sentence that says what could not be written, and why.
    fn append(&self, bytes: &[u8]) -> Result<u64, String>;

    /// Reads so many bytes back.
    ///
    /// # Errors
    /// A sentence that says what could not be read, and why.
    fn read(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, String>;
}

/// Some lists of rows, all with columns of the same kinds.
#[derive(Debug)]
pub(crate) struct Spool {
    kinds: Vec<Physical>,
    lists: Vec<List>,
    /// Rows that lie together at most.
    block_rows: usize,
    /// Bytes of all rows in memory.
    held: usize,
    /// Which of all spools of the job this is.
    number: u32,
}

#[derive(Debug, Default)]
struct List {
    blocks: Vec<Stored>,
    /// The last block, which is not full.
    open: Vec<Column>,
}

#[derive(Debug)]
enum Stored {
    Memory(Packed),
    Scratch(Stretch),
}

/// Which block it is, written before it: whatever says where blocks lie, none is taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    spool: u32,
    list: u32,
    /// Of all blocks of the list.
    position: u32,
}

impl Place {
    const BYTES: usize = 3 * size_of::<u32>();

    fn to_bytes(self) -> [u8; Place::BYTES] {
        let mut bytes = [0; Place::BYTES];
        let words = [self.spool, self.list, self.position].map(u32::to_le_bytes);
        bytes.copy_from_slice(words.as_flattened());
        bytes
    }
}

/// A block on the scratch file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub offset: u64,
    pub bytes: u64,
    pub rows: u32,
}

impl Spool {
    pub fn new(kinds: Vec<Physical>, lists: usize, block_rows: usize) -> Spool {
        let lists = (0..lists).map(|_| List::default()).collect();
        Spool { kinds, lists, block_rows, held: 0, number: 0 }
    }

    /// Tells it from the other spools of the job: a block that is read back must be its own.
    pub fn set_number(&mut self, number: u32) {
        self.number = number;
    }

    /// Bytes in memory.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Adds these rows of the columns to a list, in their order.
    pub fn append<'a>(
        &mut self,
        list: usize,
        columns: impl Iterator<Item = &'a Column> + Clone,
        mut rows: &[u32],
    ) {
        let list = &mut self.lists[list];
        while !rows.is_empty() {
            if list.open.is_empty() {
                list.open = self.kinds.iter().map(|kind| Column::new(*kind)).collect();
                list.open.iter_mut().for_each(|column| column.reserve(self.block_rows));
            }
            let room = self.block_rows - len(&list.open);
            let (some, rest) = rows.split_at(rows.len().min(room));
            rows = rest;
            for (to, from) in list.open.iter_mut().zip(columns.clone()) {
                let before = to.bytes();
                to.append_at(from, some);
                self.held += to.bytes() - before;
            }
            if len(&list.open) == self.block_rows {
                self.held -= list.open.iter().map(Column::bytes).sum::<usize>();
                let full = Packed::take(&mut list.open);
                self.held += full.bytes();
                list.blocks.push(Stored::Memory(full));
            }
        }
    }

    /// Adds all rows of the columns to a list, as they are where they make a block.
    pub fn append_block(&mut self, list: usize, columns: Vec<Column>) {
        let rows = len(&columns);
        let lines_up = len(&self.lists[list].open) == 0;
        if !lines_up || !(self.block_rows / 2..=self.block_rows).contains(&rows) {
            return self.append(list, columns.iter(), &(0..rows as u32).collect::<Vec<_>>());
        }
        let block = Packed::of(columns);
        self.held += block.bytes();
        self.lists[list].blocks.push(Stored::Memory(block));
    }

    /// Writes all that is in memory to the scratch file.
    pub fn spill(&mut self, scratch: &dyn Scratch) -> Result<(), BatchError> {
        (0..self.lists.len()).try_for_each(|list| self.spill_list(list, scratch))?;
        self.held = 0;
        Ok(())
    }

    /// Writes what a list has in memory to the scratch file.
    pub fn spill_list(&mut self, list: usize, scratch: &dyn Scratch) -> Result<(), BatchError> {
        let number = list as u32;
        let list = &mut self.lists[list];
        let open = list.open.iter().map(Column::bytes).sum::<usize>();
        self.held = self.held.saturating_sub(open);
        if let Some(sealed) = list.seal() {
            self.held += sealed;
        }
        let mut buffer = Vec::new();
        for (position, block) in (0..).zip(&mut list.blocks) {
            if let Stored::Memory(packed) = block {
                self.held = self.held.saturating_sub(packed.bytes());
                let columns = std::mem::take(packed).unpack();
                buffer.clear();
                let place = Place { spool: self.number, list: number, position };
                buffer.extend_from_slice(&place.to_bytes());
                columns.iter().for_each(|column| column.encode(&mut buffer));
                let offset = scratch.append(&buffer).map_err(BatchError::ScratchWrite)?;
                let (bytes, rows) = (buffer.len() as u64, len(&columns) as u32);
                *block = Stored::Scratch(Stretch { offset, bytes, rows });
            }
        }
        Ok(())
    }

    /// Where a list that was spilled lies.
    pub fn stretches(&self, list: usize) -> impl Iterator<Item = Stretch> {
        self.lists[list].blocks.iter().filter_map(|block| match block {
            Stored::Memory(_) => None,
            Stored::Scratch(stretch) => Some(*stretch),
        })
    }

    /// Adds blocks to a list that lie on the scratch file already.
    pub fn put_stretches(&mut self, list: usize, stretches: Vec<Stretch>) {
        self.lists[list].blocks.extend(stretches.into_iter().map(Stored::Scratch));
    }

    /// Takes a list's rows out, block by block.
    pub fn take(&mut self, list: usize) -> Blocks {
        let next = Place { spool: self.number, list: list as u32, position: 0 };
        let list = &mut self.lists[list];
        list.seal();
        let blocks = std::mem::take(&mut list.blocks);
        Blocks { kinds: self.kinds.clone(), blocks: blocks.into_iter(), next }
    }

    pub fn kinds(&self) -> &[Physical] {
        &self.kinds
    }

    pub fn lists(&self) -> usize {
        self.lists.len()
    }
}

impl List {
    /// Makes a block of the rows that are less than one; how many bytes it has.
    fn seal(&mut self) -> Option<usize> {
        let open = std::mem::take(&mut self.open);
        if len(&open) == 0 {
            return None;
        }
        let block = Packed::of(open);
        let bytes = block.bytes();
        self.blocks.push(Stored::Memory(block));
        Some(bytes)
    }
}

/// The rows of a list.
#[derive(Debug)]
pub(crate) struct Blocks {
    kinds: Vec<Physical>,
    blocks: std::vec::IntoIter<Stored>,
    next: Place,
}

impl Blocks {
    /// The next rows, as columns; `None` at the end.
    pub fn next(&mut self, scratch: &dyn Scratch) -> Result<Option<Vec<Column>>, BatchError> {
        Ok(self.next_packed(scratch)?.map(Packed::unpack))
    }

    /// As [`Blocks::next`], as they were kept.
    pub fn next_packed(&mut self, scratch: &dyn Scratch) -> Result<Option<Packed>, BatchError> {
        let next = self.blocks.next();
        let place = self.next;
        self.next.position += u32::from(next.is_some());
        match next {
            None => Ok(None),
            Some(Stored::Memory(packed)) => Ok(Some(packed)),
            Some(Stored::Scratch(stretch)) => Ok(Some(self.read(scratch, stretch, place)?)),
        }
    }

    fn read(
        &self,
        scratch: &dyn Scratch,
        Stretch { offset, bytes, rows }: Stretch,
        place: Place,
    ) -> Result<Packed, BatchError> {
        let bytes = usize::try_from(bytes).map_err(|e| e.to_string());
        let bytes = bytes.and_then(|bytes| scratch.read(offset, bytes));
        let bytes = bytes.map_err(BatchError::ScratchRead)?;
        match bytes.split_first_chunk() {
            Some((of, block)) if *of == place.to_bytes() => {
                let columns = Column::decode_all(&self.kinds, rows as usize, block);
                let columns = columns.map_err(|e| BatchError::ScratchRead(e.to_string()))?;
                Ok(Packed::of(columns))
            }
            Some(_) | None => Err(BatchError::Damaged("a block lies where another one should")),
        }
    }
}

/// Rows of columns of one length.
pub(crate) fn len(columns: &[Column]) -> usize {
    columns.first().map_or(0, Column::len)
}
