//! Key states as bytes: versioned, self-describing, the same for every engine and store.
//!
//! Version 1, all integers as LEB128 varints unless said otherwise:
//!
//! ```text
//!   version      1 byte, = 1
//!   shape        8 bytes little-endian: the hash of the layout that wrote it
//!   rows         count, then column by column: times (first, then differences, zigzag),
//!                then each further word (zigzag for words, 8 bytes for floats, plain otherwise)
//!   ids          count of the newest rows that have one, then length and bytes of each
//!   strings      count, then length and UTF-8 of each
//!   truncated    0, or 1 and a zigzag time
//!   summaries    count, then each: 0 and a partial (lifetime), or 1, a count of tiles,
//!                and for each its start (zigzag) and a partial
//!   partial      count, bad, sum (16 bytes), squares (32 bytes), min and max (8 bytes each),
//!                0, or 1 and: members (count, words), first (0, or 1 and a placed word),
//!                last (count, placed words); a placed word = time (zigzag), id, word
//! ```

use std::collections::VecDeque;

use millrace_event::{EventId, EventTime, Physical};
use ruint::aliases::U256;
use thiserror::Error;

use crate::Window;
use crate::index::{INDEX_ABOVE, Index};
use crate::key_state::{Extra, KeyState, Summary, text_partials};
use crate::partial::{More, Partial, Placed};
use crate::rows::Rows;
use crate::shape::Shape;

const VERSION: u8 = 1;

/// Why bytes are not a key state of this shape.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum DecodeError {
    #[error("key state of version {0}; this program reads version 1")]
    Version(u8),
    #[error("key state of another layout ({found:016x}, expected {expected:016x})")]
    Layout { found: u64, expected: u64 },
    #[error("key state is damaged: {0}")]
    Damaged(&'static str),
}

use DecodeError::Damaged;

impl KeyState {
    /// Appends the bytes of this key state.
    pub fn encode(&self, shape: &Shape, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.extend_from_slice(&shape.layout.hash.to_le_bytes());
        self.encode_rows(shape, out);
        let empty = Extra::default();
        let extra = self.extra.as_deref().unwrap_or(&empty);
        put(out, extra.ids.len() as u64);
        extra.ids.iter().for_each(|id| put_bytes(out, id));
        put(out, extra.dictionary.len() as u64);
        for index in 0..extra.dictionary.len() {
            put_bytes(out, extra.dictionary.get(index as u64).as_bytes());
        }
        match extra.truncated_to() {
            None => put(out, 0),
            Some(t) => {
                put(out, 1);
                put_signed(out, t.0);
            }
        }
        put(out, extra.summaries().len() as u64);
        extra.summaries().iter().for_each(|s| s.encode(out));
    }

    fn encode_rows(&self, shape: &Shape, out: &mut Vec<u8>) {
        let words = self.words(shape);
        let rows = words.view(shape.stride);
        put(out, rows.len() as u64);
        let mut before = 0i64;
        for row in 0..rows.len() {
            let time = rows.time(row);
            put_signed(out, time.wrapping_sub(before));
            before = time;
        }
        for (slot, physical) in columns(shape) {
            for row in 0..rows.len() {
                let word = rows.row(row)[slot];
                match physical {
                    Physical::Word => put_signed(out, word as i64),
                    Physical::Float => out.extend_from_slice(&word.to_le_bytes()),
                    Physical::Text | Physical::Nested => put(out, word),
                }
            }
        }
    }

    /// Reads what [`KeyState::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are of another version or layout, or are damaged.
    pub fn decode(shape: &Shape, bytes: &[u8]) -> Result<KeyState, DecodeError> {
        let mut input = Reader(bytes);
        let version = input.byte()?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let found = u64::from_le_bytes(input.array()?);
        if found != shape.layout.hash {
            return Err(DecodeError::Layout { found, expected: shape.layout.hash });
        }
        let words = decode_rows(shape, &mut input)?;
        let rows = words.len() / shape.stride;
        let mut extra = Extra::default();
        let ids = input.count()?;
        if ids > rows {
            return Err(Damaged("more ids than rows"));
        }
        for index in 0..ids {
            extra.ids.insert(index, input.bytes()?);
        }
        for _ in 0..input.count()? {
            let text = std::str::from_utf8(input.bytes()?).map_err(|_| Damaged("text"))?;
            extra.dictionary.intern(text);
        }
        if input.varint()? == 1 {
            extra.removed().truncated_to = Some(EventTime(input.signed()?));
        }
        decode_summaries(shape, &mut input, &mut extra)?;
        if !input.0.is_empty() {
            return Err(Damaged("bytes after the end"));
        }
        check_words(shape, &words, &mut extra)?;
        let state_rows = Rows::from_words(words, shape.stride);
        let index = (rows > INDEX_ABOVE)
            .then(|| Box::new(Index::build(shape, state_rows.view(shape.stride, 0))));
        let bare = ids == 0 && extra.dictionary.len() == 0 && extra.removed.is_none();
        Ok(KeyState { rows: state_rows, extra: (!bare).then(|| Box::new(extra)), index })
    }
}

/// The words of a row after the time, and how each is held.
fn columns(shape: &Shape) -> Vec<(usize, Physical)> {
    let mut columns = Vec::new();
    if shape.has_flags {
        columns.push((1, Physical::Nested));
    }
    for (input, slot) in shape.slots.iter().enumerate() {
        if let Some(slot) = slot {
            columns.push((*slot, shape.layout.inputs[input].ty().physical()));
        }
    }
    columns
}

fn decode_rows(shape: &Shape, input: &mut Reader<'_>) -> Result<Vec<u64>, DecodeError> {
    let rows = input.count()?;
    let mut words = vec![0u64; rows * shape.stride];
    let mut time = 0i64;
    for (row, words) in words.chunks_exact_mut(shape.stride).enumerate() {
        let step = input.signed()?;
        if row > 0 && step < 0 {
            return Err(Damaged("rows out of order"));
        }
        time = time.wrapping_add(step);
        words[0] = time as u64;
    }
    for (slot, physical) in columns(shape) {
        for words in words.chunks_exact_mut(shape.stride) {
            words[slot] = match physical {
                Physical::Word => input.signed()? as u64,
                Physical::Float => u64::from_le_bytes(input.array()?),
                Physical::Text | Physical::Nested => input.varint()?,
            };
        }
    }
    Ok(words)
}

fn decode_summaries(
    shape: &Shape,
    input: &mut Reader<'_>,
    extra: &mut Extra,
) -> Result<(), DecodeError> {
    let count = input.count()?;
    let cells: Vec<usize> = shape.summary_cells().collect();
    if count != 0 && count != cells.len() {
        return Err(Damaged("number of summaries"));
    }
    for cell in cells.into_iter().take(count) {
        let summary = match (input.varint()?, &shape.layout.windows[shape.cells[cell].window]) {
            (0, Window::Lifetime) => Summary::Lifetime(Partial::decode(input)?),
            (1, Window::Sliding { .. }) => {
                let mut tiles = VecDeque::new();
                for _ in 0..input.count()? {
                    let start = input.signed()?;
                    tiles.push_back((start, Partial::decode(input)?));
                }
                Summary::Tiles(tiles)
            }
            _ => return Err(Damaged("kind of summary")),
        };
        extra.removed().summaries.push(summary);
    }
    Ok(())
}

/// Indexes into the dictionary must be inside it.
fn check_words(shape: &Shape, words: &[u64], extra: &mut Extra) -> Result<(), DecodeError> {
    let strings = extra.dictionary.len() as u64;
    let mut inside = true;
    for (slot, physical) in columns(shape) {
        if physical == Physical::Text {
            inside &= words.chunks_exact(shape.stride).all(|row| row[slot] < strings);
        }
    }
    for partial in text_partials(shape, &mut extra.removed) {
        partial.for_each_word(|word| inside &= *word < strings);
    }
    if inside { Ok(()) } else { Err(Damaged("string index")) }
}

impl Summary {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Summary::Lifetime(partial) => {
                put(out, 0);
                partial.encode(out);
            }
            Summary::Tiles(tiles) => {
                put(out, 1);
                put(out, tiles.len() as u64);
                for (start, partial) in tiles {
                    put_signed(out, *start);
                    partial.encode(out);
                }
            }
        }
    }
}

impl Partial {
    fn encode(&self, out: &mut Vec<u8>) {
        put(out, self.count);
        put(out, self.bad);
        out.extend_from_slice(&self.sum.to_le_bytes());
        out.extend_from_slice(&self.squares.to_le_bytes::<32>());
        out.extend_from_slice(&self.min.to_le_bytes());
        out.extend_from_slice(&self.max.to_le_bytes());
        let Some(more) = &self.more else { return put(out, 0) };
        put(out, 1);
        let mut members: Vec<u64> = more.distinct.iter().copied().collect();
        members.sort_unstable();
        put(out, members.len() as u64);
        members.into_iter().for_each(|m| put(out, m));
        put(out, u64::from(more.first.is_some()));
        more.first.iter().for_each(|p| p.encode(out));
        put(out, more.last.len() as u64);
        more.last.iter().for_each(|p| p.encode(out));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Partial, DecodeError> {
        let mut partial = Partial {
            count: input.varint()?,
            bad: input.varint()?,
            sum: i128::from_le_bytes(input.array()?),
            squares: U256::from_le_bytes::<32>(input.array()?),
            min: i64::from_le_bytes(input.array()?),
            max: i64::from_le_bytes(input.array()?),
            more: None,
        };
        if input.varint()? == 1 {
            let mut more = More::default();
            for _ in 0..input.count()? {
                more.distinct.insert(input.varint()?);
            }
            if input.varint()? == 1 {
                more.first = Some(Placed::decode(input)?);
            }
            for _ in 0..input.count()? {
                more.last.push(Placed::decode(input)?);
            }
            partial.more = Some(Box::new(more));
        }
        Ok(partial)
    }
}

impl Placed {
    fn encode(&self, out: &mut Vec<u8>) {
        put_signed(out, self.time.0);
        put_bytes(out, self.id.as_bytes());
        put(out, self.word);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Placed, DecodeError> {
        let time = EventTime(input.signed()?);
        let id = EventId::from_bytes(input.bytes()?);
        Ok(Placed { time, id, word: input.varint()? })
    }
}

fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn put_signed(out: &mut Vec<u8>, n: i64) {
    put(out, ((n << 1) ^ (n >> 63)) as u64);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads from the front of the bytes; every length is checked against what is left.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.0.split_first().ok_or(Damaged("it ends too early"))?;
        self.0 = rest;
        Ok(*first)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Damaged("it ends too early"))?;
        self.0 = rest;
        Ok(*first)
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(Damaged("a number is too long"))
    }

    fn signed(&mut self) -> Result<i64, DecodeError> {
        let n = self.varint()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    /// A count of things of at least one byte each.
    fn count(&mut self) -> Result<usize, DecodeError> {
        let n = self.varint()?;
        usize::try_from(n)
            .ok()
            .filter(|n| *n <= self.0.len())
            .ok_or(Damaged("a count is too large"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let n = self.count()?;
        let (first, rest) = self.0.split_at(n);
        self.0 = rest;
        Ok(first)
    }
}
