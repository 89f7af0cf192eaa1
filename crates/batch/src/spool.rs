//! Lists of rows that are written once and then read once, in memory as long as there is room.

use std::fmt;
use std::ops::Range;

use millrace_event::{Column, Data, Physical};

use crate::BatchError;

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
    Memory(Vec<Column>),
    Scratch { offset: u64, bytes: usize, rows: usize },
}

/// What a nested value is taken to need, in bytes.
const NESTED_BYTES: usize = 64;

impl Spool {
    pub fn new(kinds: Vec<Physical>, lists: usize, block_rows: usize) -> Spool {
        let lists = (0..lists).map(|_| List::default()).collect();
        Spool { kinds, lists, block_rows, held: 0 }
    }

    /// Bytes in memory.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Adds these rows of the columns to a list.
    pub fn append(&mut self, list: usize, columns: &[Column], rows: Range<usize>) {
        let list = &mut self.lists[list];
        let mut start = rows.start;
        while start < rows.end {
            if list.open.is_empty() {
                list.open = self.kinds.iter().map(|kind| Column::new(*kind)).collect();
                list.open.iter_mut().for_each(|column| column.reserve(self.block_rows));
            }
            let room = self.block_rows - list.open.first().map_or(0, Column::len);
            let some = start..rows.end.min(start + room);
            start = some.end;
            for (to, from) in list.open.iter_mut().zip(columns) {
                let before = bytes(to);
                to.append_rows(from, some.clone());
                self.held += bytes(to) - before;
            }
            if list.open.first().map_or(0, Column::len) == self.block_rows {
                list.blocks.push(Stored::Memory(std::mem::take(&mut list.open)));
            }
        }
    }

    /// Adds all rows of the columns to a list, as they are where they make a block.
    pub fn append_block(&mut self, list: usize, columns: Vec<Column>) {
        let rows = columns.first().map_or(0, Column::len);
        let lines_up = self.lists[list].open.is_empty();
        if !lines_up || !(self.block_rows / 2..=self.block_rows).contains(&rows) {
            return self.append(list, &columns, 0..rows);
        }
        self.held += columns.iter().map(bytes).sum::<usize>();
        self.lists[list].blocks.push(Stored::Memory(columns));
    }

    /// Writes all that is in memory to the scratch file.
    pub fn spill(&mut self, scratch: &dyn Scratch) -> Result<(), BatchError> {
        let mut buffer = Vec::new();
        for list in &mut self.lists {
            list.seal();
            for block in &mut list.blocks {
                let Stored::Memory(columns) = block else { continue };
                buffer.clear();
                columns.iter().for_each(|column| column.encode(&mut buffer));
                let offset = scratch.append(&buffer).map_err(BatchError::ScratchWrite)?;
                let rows = columns.first().map_or(0, Column::len);
                *block = Stored::Scratch { offset, bytes: buffer.len(), rows };
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

    pub fn lists(&self) -> usize {
        self.lists.len()
    }
}

impl List {
    fn seal(&mut self) {
        if !self.open.is_empty() {
            self.blocks.push(Stored::Memory(std::mem::take(&mut self.open)));
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
        match self.blocks.next() {
            None => Ok(None),
            Some(Stored::Memory(columns)) => Ok(Some(columns)),
            Some(Stored::Scratch { offset, bytes, rows }) => {
                let bytes = scratch.read(offset, bytes).map_err(BatchError::ScratchRead)?;
                let columns = Column::decode_all(&self.kinds, rows, &bytes);
                columns.map(Some).map_err(|e| BatchError::ScratchRead(e.to_string()))
            }
        }
    }
}

/// Bytes of a column's cells.
fn bytes(column: &Column) -> usize {
    let cells = match &column.data {
        Data::Word(v) => size_of_val(&v[..]),
        Data::Float(v) => size_of_val(&v[..]),
        Data::Text(v) => v.bytes_len() + v.len() * size_of::<u32>(),
        Data::Nested(v) => v.len() * NESTED_BYTES,
    };
    cells + column.marks().map_or(0, <[_]>::len)
}
