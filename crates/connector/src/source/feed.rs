//! Bytes of a line-based file, buffered until they hold whole records.
//!
//! The buffer never holds more than one record's limit and one read: a record that grows beyond is
//! given up, its start is kept for the dead letter, and the rest of its line is only counted.

use std::io::{self, Read};

use crate::Position;
use crate::block::{Block, BlockPlan, Decoder};
use crate::dead::Fault;
use crate::json::bom_length;

use super::mark::{HEAD_BYTES, checksum};

/// Bytes asked of the file at once; a chunk stays in the second-level cache.
const READ_BYTES: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct Feed<R> {
    input: R,
    /// The input's first bytes, as far as they were read.
    head: Vec<u8>,
    buffer: Vec<u8>,
    /// The buffered bytes that are decoded already.
    start: usize,
    /// Of the first byte that is not decoded.
    line: u64,
    byte: u64,
    skip: Option<Skip>,
}

/// A record beyond the limit, whose end has not been met.
#[derive(Debug)]
struct Skip {
    kept: Vec<u8>,
    length: u64,
}

/// What the end of the input means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AtEnd {
    /// It ends the last record.
    Ends,
    /// More may be written: an unfinished line waits.
    Waits,
}

impl<R: Read> Feed<R> {
    /// `input` stands at this byte, which begins this line; `head` is what it begins with.
    pub fn new(input: R, head: Vec<u8>, line: u64, byte: u64) -> Feed<R> {
        Feed { input, head, buffer: Vec::new(), start: 0, line, byte, skip: None }
    }

    /// Where the next block begins: the first record that no block has delivered.
    pub fn position(&self) -> Position {
        Position::Line { line: self.line, byte: self.byte }
    }

    /// How far the input was read, decoded or not.
    pub fn read_to(&self) -> u64 {
        let skipped = self.skip.as_ref().map_or(0, |skip| skip.length);
        self.byte + skipped + self.pending().len() as u64
    }

    /// The input's first bytes, of those that were read.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Of the first bytes before [`Feed::position`].
    pub fn head_checksum(&self) -> u32 {
        let before = usize::try_from(self.byte).unwrap_or(usize::MAX);
        checksum(&self.head[..self.head.len().min(before)])
    }

    pub fn input(&self) -> &R {
        &self.input
    }

    /// The unfinished record's bytes, as far as they are kept, and its length so far.
    pub fn unfinished(&self) -> (&[u8], u64) {
        match &self.skip {
            Some(skip) => (&skip.kept, skip.length),
            None => (self.pending(), self.pending().len() as u64),
        }
    }

    /// A block that begins here and holds nothing yet.
    pub fn empty_block(&self, plan: &BlockPlan) -> Block {
        Block::new(plan, self.line, self.byte)
    }

    fn pending(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Reads records until the block is full or the input ends.
    pub fn block(
        &mut self,
        decoder: &mut impl Decoder,
        plan: &BlockPlan,
        at_end: AtEnd,
    ) -> io::Result<Block> {
        let mut block = self.empty_block(plan);
        let mut ended = false;
        loop {
            let last = ended && at_end == AtEnd::Ends;
            if self.skip.is_some() {
                self.skip_on(&mut block, last);
            } else {
                self.decode(decoder, &mut block, last);
            }
            if !block.has_room() || ended {
                return Ok(block);
            }
            if self.pending().len() > plan.limits.record_bytes && self.skip.is_none() {
                self.give_up(plan.limits.kept_bytes);
            }
            ended = self.fill()? == 0;
        }
    }

    fn decode(&mut self, decoder: &mut impl Decoder, block: &mut Block, last: bool) {
        if self.byte == 0 {
            let bom = bom_length(self.pending());
            self.start += bom;
            block.advance(0, bom);
        }
        self.start += decoder.decode(&self.buffer[self.start..], last, block);
        self.follow(block);
    }

    fn follow(&mut self, block: &Block) {
        if let Position::Line { line, byte } = block.position() {
            (self.line, self.byte) = (line, byte);
        }
    }

    /// The pending bytes are the start of a record beyond the limit.
    fn give_up(&mut self, kept_bytes: usize) {
        let pending = self.pending();
        let kept = pending[..pending.len().min(kept_bytes)].to_vec();
        self.skip = Some(Skip { kept, length: pending.len() as u64 });
        self.start = self.buffer.len();
    }

    /// Skips to the end of the line, if it is there, and then delivers the dead letter.
    fn skip_on(&mut self, block: &mut Block, last: bool) {
        let Some(skip) = &mut self.skip else { return };
        let pending = &self.buffer[self.start..];
        let (rest, end) = match memchr::memchr(b'\n', pending) {
            Some(at) => (at, Some(1)),
            None => (pending.len(), last.then_some(0)),
        };
        skip.length += rest as u64;
        self.start += rest;
        let Some(end) = end else { return };
        self.start += end;
        let fault = Fault::record_too_large(skip.length, &block.limits);
        block.bad_start(&fault, &skip.kept, skip.length);
        block.advance(1, usize::try_from(skip.length).unwrap_or(usize::MAX) + end);
        self.skip = None;
        self.follow(block);
    }

    /// Reads once more; the count of bytes got.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let held = self.buffer.len();
        let is_head = self.read_to() == self.head.len() as u64;
        self.buffer.resize(held + READ_BYTES, 0);
        let got = loop {
            match self.input.read(&mut self.buffer[held..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                done => break done,
            }
        };
        self.buffer.truncate(held + *got.as_ref().unwrap_or(&0));
        if is_head {
            let rest = HEAD_BYTES - self.head.len();
            self.head.extend(self.buffer[held..].iter().take(rest));
        }
        got
    }
}
