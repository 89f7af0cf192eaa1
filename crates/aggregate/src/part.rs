//! The rows and ids of a busy key in parts, so that a checkpoint writes only what changed.
//!
//! ```text
//!   rows    . . . . . . . . | . . . . . . . . | . . . . . . . . | . . .      oldest → newest
//!         first             part k + 1        part k + 2        until        numbers
//!   stored  part k            …                 …                in the key state's own bytes
//! ```
//!
//! Each row of a busy key has a number that it keeps while rows are removed from the front. Part
//! `k` has the rows numbered `k · PART_ROWS` and up to the next part; what the newest rows leave
//! of a part is in the key state's own bytes. A row that comes between others renumbers all after
//! it, and their parts are written again; few rows come late, and not by much.
//!
//! A part as bytes:
//!
//! ```text
//!   version      1 byte, = 2, or 1 where it ends behind the rows
//!   shape        8 bytes little-endian: the hash of the layout that wrote it
//!   first        the number of its first row
//!   rows         as in a key state
//!   ids          count of its newest rows that have one, then length and bytes of each
//! ```
//!
//! Rows and ids are only ever removed from the front, so a part that is as it was written has at
//! least what the key state still needs of it. The ids of a key are those of the parts one after
//! the other, and then those in its own bytes. In a part with fewer ids than rows the ids of all
//! rows before had gone when it was written: what earlier parts have of them is dropped. Then the
//! oldest are dropped until there are as many as the key state says.

use std::ops::Range;

use crate::encode::DecodeError::{self, Damaged};
use crate::encode::{check_layout, decode_rows, encode_rows, put_ids, take_ids};
use crate::ids::Ids;
use crate::key_state::{KeyState, ROWS_PER_KEY_MAX};
use crate::shape::Shape;
use crate::varint::{Reader, put};

/// Rows of a part that has them all. A checkpoint writes half of this many again, on average, for
/// each busy key that changed; each part costs a record and its place in memory.
pub const PART_ROWS: u64 = 64;

const VERSION: u8 = 2;
const WITHOUT_IDS: u8 = 1;

/// Which rows of a key are in parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Parted {
    /// The number of the key's first row.
    pub(crate) first: u64,
    /// That of the first row which is not in a part.
    pub(crate) until: u64,
    /// Whether the ids of the rows are in the parts as well.
    pub(crate) has_ids: bool,
}

impl Parted {
    /// As bytes have it.
    pub(crate) fn new(first: u64, until: u64, has_ids: bool) -> Result<Parted, DecodeError> {
        let rows = until.checked_sub(first).filter(|n| (1..=ROWS_PER_KEY_MAX as u64).contains(n));
        if rows.is_none() || !until.is_multiple_of(PART_ROWS) {
            return Err(Damaged("which rows are in parts"));
        }
        Ok(Parted { first, until, has_ids })
    }

    pub(crate) fn parts(self) -> Range<u64> {
        self.first / PART_ROWS..self.until / PART_ROWS
    }

    /// The words of all rows that are in parts, and the ids of the newest of them.
    pub(crate) fn read<E: From<DecodeError>>(
        self,
        shape: &Shape,
        mut part: impl FnMut(u64) -> Result<Vec<u8>, E>,
    ) -> Result<(Vec<u64>, Ids), E> {
        let (mut words, mut ids) = (Vec::new(), Ids::default());
        for number in self.parts() {
            let bytes = part(number)?;
            self.append(shape, number, &bytes, &mut words, &mut ids)?;
        }
        Ok((words, ids))
    }

    fn append(
        self,
        shape: &Shape,
        number: u64,
        bytes: &[u8],
        words: &mut Vec<u64>,
        ids: &mut Ids,
    ) -> Result<(), DecodeError> {
        let mut input = Reader(bytes);
        let version = input.byte()?;
        if !matches!(version, VERSION | WITHOUT_IDS) {
            return Err(DecodeError::PartVersion(version));
        }
        check_layout(shape, &mut input)?;
        let first = input.varint()?;
        let before = words.len();
        let rows = decode_rows(shape, &mut input, words)?;
        let with_id = if version == VERSION { input.count()? } else { 0 };
        if with_id > rows {
            return Err(Damaged("a part has more ids than rows"));
        }
        if with_id < rows {
            // Those of the rows before have gone since their parts were written.
            *ids = Ids::default();
        }
        take_ids(&mut input, with_id, ids)?;
        let begin = number * PART_ROWS;
        let needed = self.first.max(begin);
        let whole = (begin..=needed).contains(&first)
            && first.checked_add(rows as u64) == Some(begin + PART_ROWS)
            && input.0.is_empty();
        if !whole {
            return Err(Damaged("a part has other rows than it should"));
        }
        // The oldest may have gone since the part was written.
        words.drain(before..before + (needed - first) as usize * shape.stride);
        Ok(())
    }
}

impl KeyState {
    /// Which rows are in parts; `None` when none are.
    pub(crate) fn parted(&self, shape: &Shape) -> Option<Parted> {
        let first = self.index.as_ref()?.base();
        let end = first + self.times(shape).len() as u64;
        let until = end - end % PART_ROWS;
        (until > first).then_some(Parted { first, until, has_ids: true })
    }

    /// The numbers of the parts that hold the older rows of a busy key: [`KeyState::encode`] leaves
    /// them out.
    pub fn parts(&self, shape: &Shape) -> Range<u64> {
        self.parted(shape).map_or(0..0, Parted::parts)
    }

    /// Those of [`KeyState::parts`] that have changed since the last call.
    pub fn take_changed_parts(&mut self, shape: &Shape) -> Range<u64> {
        let Some(parted) = self.parted(shape) else { return 0..0 };
        let Range { start, end } = parted.parts();
        let before = self.index.as_mut().map_or(0, |index| index.set_parted(parted.until));
        start.max(before / PART_ROWS).min(end)..end
    }

    /// Appends the bytes of one of [`KeyState::parts`].
    pub fn encode_part(&self, shape: &Shape, number: u64, out: &mut Vec<u8>) {
        let key_first = self.index.as_ref().map_or(0, |index| index.base());
        let words = self.words(shape);
        let rows = words.view(shape.stride);
        let from = (number * PART_ROWS).saturating_sub(key_first) as usize;
        let until = ((number + 1) * PART_ROWS - key_first) as usize;
        out.push(VERSION);
        out.extend_from_slice(&shape.layout.hash.to_le_bytes());
        put(out, key_first + from as u64);
        encode_rows(shape, rows.until(until).after(from), out);
        let Some(extra) = &self.extra else { return put(out, 0) };
        let without = rows.len() - extra.ids.len();
        let [from, until] = [from, until].map(|row| row.saturating_sub(without));
        put(out, (until - from) as u64);
        put_ids(&extra.ids, from..until, out);
    }
}
