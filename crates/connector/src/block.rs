//! A block while it is decoded: the good rows, the dead letters, and the place reached.

use std::sync::Arc;

use millrace_event::{Batch, Schema};

use crate::columns::{Cell, Columns};
use crate::dead::Fault;
use crate::judge::Judge;
use crate::{DeadLetter, Error, Limits, Position, UnknownFields};

/// One block of records, read: every record is either a row of the batch or a dead letter.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The good records, in the order of the source.
    pub batch: Batch,
    /// The bad ones, in the order of the source.
    pub dead: Vec<DeadLetter>,
    /// Their places among the records of the block, from 0.
    pub dead_at: Vec<usize>,
    /// Where the next block begins: all records before it are in this block or an earlier one.
    pub position: Position,
    /// Members of JSON objects that the stream does not declare.
    pub unknown: UnknownFields,
}

impl Decoded {
    /// How many records were read: the rows and the dead letters.
    pub fn records(&self) -> usize {
        self.batch.len() + self.dead.len()
    }

    /// The places of the good records among those of the block, from 0.
    pub fn good_at(&self) -> impl Iterator<Item = usize> {
        let mut dead = self.dead_at.iter().copied().peekable();
        (0..self.records()).filter(move |place| dead.next_if_eq(place).is_none())
    }
}

/// Reads whole records from the start of some bytes.
pub(crate) trait Decoder {
    /// Reads records from `input` into `block` until the block is full or no whole record is left,
    /// and returns the count of bytes read. With `last`, the end of `input` ends a record.
    fn decode(&mut self, input: &[u8], last: bool, block: &mut Block) -> usize;
}

#[derive(Debug)]
pub(crate) struct Block {
    schema: Arc<Schema>,
    origin: Arc<str>,
    pub columns: Columns,
    dead: Vec<DeadLetter>,
    dead_at: Vec<usize>,
    rows_max: usize,
    bytes_max: u64,
    bytes_read: u64,
    line: u64,
    byte: u64,
    pub limits: Limits,
    pub judge: Judge,
    pub unknown: UnknownFields,
}

/// What a block is read from and how far it may go.
#[derive(Clone, Debug)]
pub(crate) struct BlockPlan {
    pub schema: Arc<Schema>,
    pub origin: Arc<str>,
    pub limits: Limits,
    pub judge: Judge,
    pub rows_max: usize,
    /// The input's bytes that may make one block, give or take one record.
    pub bytes_max: usize,
}

impl BlockPlan {
    /// For a body that is at hand as a whole, and so is one block.
    pub fn of_body(
        schema: Arc<Schema>,
        body: &[u8],
        origin: &str,
        limits: Limits,
        judge: Judge,
    ) -> Result<BlockPlan, Error> {
        let limits = limits.bounded();
        if body.len() > limits.body_bytes {
            let (origin, given) = (origin.to_owned(), body.len());
            return Err(Error::BodyTooLarge { origin, given, limit: limits.body_bytes });
        }
        let origin = Arc::from(origin);
        let (rows_max, bytes_max) = (usize::MAX, usize::MAX);
        Ok(BlockPlan { schema, origin, limits, judge, rows_max, bytes_max })
    }
}

impl Block {
    /// A block that begins at this line and byte.
    pub fn new(plan: &BlockPlan, line: u64, byte: u64) -> Block {
        const CAPACITY_MAX: usize = 8_192;
        Block {
            schema: Arc::clone(&plan.schema),
            origin: Arc::clone(&plan.origin),
            columns: Columns::new(&plan.schema, plan.rows_max.min(CAPACITY_MAX)),
            dead: Vec::new(),
            dead_at: Vec::new(),
            rows_max: plan.rows_max,
            bytes_max: plan.bytes_max as u64,
            bytes_read: 0,
            line,
            byte,
            limits: plan.limits,
            judge: plan.judge.clone(),
            unknown: UnknownFields::default(),
        }
    }

    pub fn dead_count(&self) -> usize {
        self.dead.len()
    }

    pub fn has_room(&self) -> bool {
        self.columns.rows() + self.dead.len() < self.rows_max && self.bytes_read < self.bytes_max
    }

    pub fn has_records(&self) -> bool {
        self.columns.rows() + self.dead.len() > 0
    }

    /// Moves on by a record.
    pub fn advance(&mut self, lines: u64, bytes: usize) {
        self.line += lines;
        self.byte += bytes as u64;
        self.bytes_read += bytes as u64;
    }

    /// Where the record that is being read begins.
    pub fn position(&self) -> Position {
        Position::Line { line: self.line, byte: self.byte }
    }

    pub fn good(&mut self, cells: &mut [Cell<'_>]) {
        self.columns.push_row(cells);
    }

    /// The record at the present position is dead.
    pub fn bad(&mut self, fault: &Fault, record: &[u8]) {
        let letter = fault.letter(&self.origin, self.position(), record, &self.limits);
        self.dead_at.push(self.columns.rows() + self.dead.len());
        self.dead.push(letter);
    }

    /// The record at the present position is dead, and only its start is at hand.
    pub fn bad_start(&mut self, fault: &Fault, start: &[u8], bytes_total: u64) {
        self.bad(fault, start);
        if let Some(letter) = self.dead.last_mut() {
            letter.bytes_total = bytes_total;
        }
    }

    pub fn finish(self) -> Decoded {
        let position = self.position();
        let Block { schema, columns, dead, dead_at, unknown, .. } = self;
        Decoded { batch: columns.into_batch(schema), dead, dead_at, position, unknown }
    }
}
