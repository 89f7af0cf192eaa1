//! Lists of rows that are written once and then read once, in memory as long as there is room.

use std::fmt;

use millrace_event::{Column, Physical};

use crate::BatchError;
use crate::packed::{Packed, column_bytes};

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
    Scratch { offset: u64, bytes: usize, rows: usize },
}

impl Spool {
    pub fn new(kinds: Vec<Physical>, lists: usize, block_rows: usize) -> Spool {
        let lists = (0..lists).map(|_| List::default()).collect();
        Spool { kinds, lists, block_rows, held: 0 }
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
                let before = column_bytes(to);
                to.append_at(from, some);
                self.held += column_bytes(to) - before;
            }
            if len(&list.open) == self.block_rows {
                self.held -= list.open.iter().map(column_bytes).sum::<usize>();
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
        let mut buffer = Vec::new();
        for list in &mut self.lists {
            list.seal();
            for block in &mut list.blocks {
                if let Stored::Memory(packed) = block {
                    let columns = std::mem::take(packed).unpack();
                    buffer.clear();
                    columns.iter().for_each(|column| column.encode(&mut buffer));
                    let offset = scratch.append(&buffer).map_err(BatchError::ScratchWrite)?;
                    *block = Stored::Scratch { offset, bytes: buffer.len(), rows: len(&columns) };
                }
            }
        }
        self.held = 0;
        Ok(())
    }

    /// Takes a list's rows out, block by block.
    pub fn take(&mut self, list: usize) -> Blocks {
        let list = &mut self.lists[list];
        list.seal();
        let blocks = std::mem::take(&mut list.blocks);
        Blocks { kinds: self.kinds.clone(), blocks: blocks.into_iter() }
    }

    pub fn kinds(&self) -> &[Physical] {
        &self.kinds
    }

    pub fn lists(&self) -> usize {
        self.lists.len()
    }
}

impl List {
    fn seal(&mut self) {
        let open = std::mem::take(&mut self.open);
        if len(&open) > 0 {
            self.blocks.push(Stored::Memory(Packed::of(open)));
        }
    }
}

/// The rows of a list.
#[derive(Debug)]
pub(crate) struct Blocks {
    kinds: Vec<Physical>,
    blocks: std::vec::IntoIter<Stored>,
}

impl Blocks {
    /// The next rows, as columns; `None` at the end.
    pub fn next(&mut self, scratch: &dyn Scratch) -> Result<Option<Vec<Column>>, BatchError> {
        Ok(self.next_packed(scratch)?.map(Packed::unpack))
    }

    /// As [`Blocks::next`], as they were kept.
    pub fn next_packed(&mut self, scratch: &dyn Scratch) -> Result<Option<Packed>, BatchError> {
        match self.blocks.next() {
            None => Ok(None),
            Some(Stored::Memory(packed)) => Ok(Some(packed)),
            Some(Stored::Scratch { offset, bytes, rows }) => {
                let bytes = scratch.read(offset, bytes).map_err(BatchError::ScratchRead)?;
                let columns = Column::decode_all(&self.kinds, rows, &bytes);
                let columns = columns.map_err(|e| BatchError::ScratchRead(e.to_string()))?;
                Ok(Some(Packed::of(columns)))
            }
        }
    }
}

/// Rows of columns of one length.
pub(crate) fn len(columns: &[Column]) -> usize {
    columns.first().map_or(0, Column::len)
}
