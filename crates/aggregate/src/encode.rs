//! Key states as bytes: versioned, self-describing, the same for every engine and store.
//!
//! Versions 1 to 3, all integers as LEB128 varints unless said otherwise:
//!
//! ```text
//!   version      1 byte, = 1, or 3 where the older rows and their ids are in parts (`part.rs`), or
//!                2 where only the rows are
//!   shape        8 bytes little-endian: the hash of the layout that wrote it
//!   parted       not in version 1: the number of the first row, and that of the first row that
//!                is not in a part
//!   rows         count, then column by column: times (first, then differences, zigzag),
//!                then each further word (zigzag for words, 8 bytes for floats, plain otherwise);
//!                an argument that is the event's own time has none
//!   ids          count of the newest rows that have one, then length and bytes of each that is
//!                not in a part
//!   strings      count, then length and UTF-8 of each
//!   truncated    0, or 1 and a zigzag time
//!   summaries    count, then each: 0 and a partial (lifetime), or 1, a count of tiles,
//!                and for each its start (zigzag) and a partial
//!   partial      count, bad, sum (16 bytes), squares (32 bytes), min and max (8 bytes each),
//!                0, or 1 and: members (count, words), first (0, or 1 and a placed word),
//!                last (count, placed words); a placed word = time (zigzag), id, word
//! ```

use std::collections::VecDeque;
use std::ops::Range;

use millrace_event::{EventId, EventTime, Physical};
use ruint::aliases::U256;
use thiserror::Error;

use crate::Window;
use crate::ids::Ids;
use crate::index::{INDEX_ABOVE, Index};
use crate::key_state::{Extra, KeyState};
use crate::part::Parted;
use crate::partial::{More, Partial, Placed};
use crate::rows::{Rows, RowsView};
use crate::shape::Shape;
use crate::summary::{Summary, text_partials};
use crate::varint::{Reader, put, put_bytes, put_signed};

/// All rows are in the state's own bytes.
const WHOLE: u8 = 1;
/// Those that are in parts are not, but their ids are.
const ROWS_PARTED: u8 = 2;
/// Those that are in parts are not, nor are their ids.
const PARTED: u8 = 3;

/// Why bytes are not a key state of this shape.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum DecodeError {
    #[error("key state of version {0}; this program reads versions 1 to 3")]
    Version(u8),
    #[error("part of a key state of version {0}; this program reads versions 1 and 2")]
    PartVersion(u8),
    #[error("key state of another layout ({found:016x}, expected {expected:016x})")]
    Layout { found: u64, expected: u64 },
    #[error("key state is damaged: {0}")]
    Damaged(&'static str),
}

use DecodeError::Damaged;

impl KeyState {
    /// Appends the bytes of this key state, without what is in [`KeyState::parts`].
    pub fn encode(&self, shape: &Shape, out: &mut Vec<u8>) {
        let words = self.words(shape);
        let mut rows = words.view(shape.stride);
        let parted = self.parted(shape);
        out.push(if parted.is_some() { PARTED } else { WHOLE });
        out.extend_from_slice(&shape.layout.hash.to_le_bytes());
        if let Some(Parted { first, until, .. }) = parted {
            put(out, first);
            put(out, until);
            rows = rows.after((until - first) as usize);
        }
        encode_rows(shape, rows, out);
        let empty = Extra::default();
        let extra = self.extra.as_deref().unwrap_or(&empty);
        put(out, extra.ids.len() as u64);
        let ids = extra.ids.len();
        put_ids(&extra.ids, ids.saturating_sub(rows.len())..ids, out);
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

    /// The numbers of the parts without which these bytes are not a whole key state.
    ///
    /// # Errors
    /// [`DecodeError`] when that cannot be read from the bytes.
    pub fn parts_of(shape: &Shape, bytes: &[u8]) -> Result<Range<u64>, DecodeError> {
        Ok(Parted::decode(shape, &mut Reader(bytes))?.map_or(0..0, Parted::parts))
    }

    /// Reads what [`KeyState::encode`] wrote; `part` gives the bytes of the parts by number.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are of another version or layout, or are damaged, and those
    /// of `part`.
    pub fn decode<E: From<DecodeError>>(
        shape: &Shape,
        bytes: &[u8],
        part: impl FnMut(u64) -> Result<Vec<u8>, E>,
    ) -> Result<KeyState, E> {
        let mut input = Reader(bytes);
        let parted = Parted::decode(shape, &mut input)?;
        let (words, ids) = match parted {
            Some(parted) => parted.read(shape, part)?,
            None => Default::default(),
        };
        Ok(KeyState::decode_rest(shape, input, words, ids, parted)?)
    }

    /// Reads what is behind the parts, whose rows and ids these are.
    fn decode_rest(
        shape: &Shape,
        mut input: Reader<'_>,
        mut words: Vec<u64>,
        ids: Ids,
        parted: Option<Parted>,
    ) -> Result<KeyState, DecodeError> {
        let added = decode_rows(shape, &mut input, &mut words)?;
        let rows = words.len() / shape.stride;
        let mut extra = Extra { ids, ..Extra::default() };
        let with_id = input.varint()?;
        let with_id = usize::try_from(with_id).ok().filter(|n| *n <= rows);
        let with_id = with_id.ok_or(Damaged("more ids than rows"))?;
        let here = match parted {
            Some(Parted { has_ids: true, .. }) => with_id.min(added),
            _ => with_id,
        };
        // Ids of older rows may have gone since their part was written.
        let gone = (extra.ids.len() + here).checked_sub(with_id);
        extra.ids.remove_front(gone.ok_or(Damaged("an id of a part is missing"))?);
        take_ids(&mut input, here, &mut extra.ids)?;
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
        let first = parted.map_or(0, |parted| parted.first);
        let index = (rows > INDEX_ABOVE).then(|| {
            let mut index = Index::build(shape, state_rows.view(shape.stride, 0), first);
            // Parts without ids are to be written again.
            index.set_parted(parted.filter(|p| p.has_ids).map_or(0, |parted| parted.until));
            Box::new(index)
        });
        let bare = with_id == 0 && extra.dictionary.len() == 0 && extra.removed.is_none();
        Ok(KeyState { rows: state_rows, extra: (!bare).then(|| Box::new(extra)), index })
    }
}

impl Parted {
    /// Reads the front of a key state's bytes; `None` when no rows are in parts.
    fn decode(shape: &Shape, input: &mut Reader<'_>) -> Result<Option<Parted>, DecodeError> {
        let version = input.byte()?;
        if !matches!(version, WHOLE | ROWS_PARTED | PARTED) {
            return Err(DecodeError::Version(version));
        }
        check_layout(shape, input)?;
        if version == WHOLE {
            return Ok(None);
        }
        Parted::new(input.varint()?, input.varint()?, version == PARTED).map(Some)
    }
}

pub(crate) fn check_layout(shape: &Shape, input: &mut Reader<'_>) -> Result<(), DecodeError> {
    let (found, expected) = (u64::from_le_bytes(input.array()?), shape.layout.hash);
    if found == expected { Ok(()) } else { Err(DecodeError::Layout { found, expected }) }
}

pub(crate) fn encode_rows(shape: &Shape, rows: RowsView<'_>, out: &mut Vec<u8>) {
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

/// The words of a row after the time, and how each is held.
fn columns(shape: &Shape) -> Vec<(usize, Physical)> {
    let mut columns = Vec::new();
    if shape.has_flags {
        columns.push((1, Physical::Nested));
    }
    for (input, slot) in shape.slots.iter().enumerate() {
        if let Some(slot) = slot.filter(|slot| *slot > 0) {
            columns.push((slot, shape.layout.inputs[input].ty().physical()));
        }
    }
    columns
}

/// Appends rows to `words`, which are not older than those that are there. Returns how many.
pub(crate) fn decode_rows(
    shape: &Shape,
    input: &mut Reader<'_>,
    words: &mut Vec<u64>,
) -> Result<usize, DecodeError> {
    let rows = input.count()?;
    let before = words.len();
    let mut least = before.checked_sub(shape.stride).map_or(i64::MIN, |last| words[last] as i64);
    words.resize(before + rows * shape.stride, 0);
    let added = &mut words[before..];
    let mut time = 0i64;
    for words in added.chunks_exact_mut(shape.stride) {
        time = time.wrapping_add(input.signed()?);
        if time < least {
            return Err(Damaged("rows out of order"));
        }
        least = time;
        words[0] = time as u64;
    }
    for (slot, physical) in columns(shape) {
        for words in added.chunks_exact_mut(shape.stride) {
            words[slot] = match physical {
                Physical::Word => input.signed()? as u64,
                Physical::Float => u64::from_le_bytes(input.array()?),
                Physical::Text | Physical::Nested => input.varint()?,
            };
        }
    }
    Ok(rows)
}

pub(crate) fn put_ids(ids: &Ids, range: Range<usize>, out: &mut Vec<u8>) {
    ids.range(range).for_each(|id| put_bytes(out, id));
}

/// Reads `count` ids behind those that are there.
pub(crate) fn take_ids(
    input: &mut Reader<'_>,
    count: usize,
    ids: &mut Ids,
) -> Result<(), DecodeError> {
    for _ in 0..count {
        ids.insert(ids.len(), input.bytes()?);
    }
    Ok(())
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
