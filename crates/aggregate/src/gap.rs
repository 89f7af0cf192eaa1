//! Events that come late into the rows of a busy key.
//!
//! ```text
//!   . . . . . . . . [ + +     ] . . . . . . . . . . . . . . . .     newest
//!          rows      added, room         rows that moved once
//! ```
//!
//! A row that belongs before many others moves them all. Where several such events of one key come
//! together, room for them is made at once, and they are put into it one after the other; so the
//! many move once for all of them. Room that is left is closed before the key is read, captured, or
//! swept.

use millrace_event::EventId;

use crate::key_state::KeyState;
use crate::rows::Rows;
use crate::shape::Shape;

/// A row that belongs before so many others is worth making room for.
const BEFORE_MANY: usize = 64;

/// Room among the rows of a busy key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gap {
    /// Rows before it, without those skipped.
    pub(crate) at: usize,
    /// Rows that it has room for; none when there is no gap.
    pub(crate) room: usize,
}

impl KeyState {
    pub(crate) fn gap(&self) -> Gap {
        self.index.as_ref().map_or(Gap::default(), |index| index.gap())
    }

    /// Whether a row at `at` is put where there is room, or room is to be made for it.
    pub(crate) fn is_before_many(&self, shape: &Shape, at: usize) -> bool {
        self.index.is_some() && (self.gap().room > 0 || at + BEFORE_MANY < self.times(shape).len())
    }

    /// Puts a row before others; `together` events of this key, itself included, may belong near.
    pub(crate) fn insert_before_many(
        &mut self,
        shape: &Shape,
        at: usize,
        words: &[u64],
        id: Option<&EventId>,
        together: impl FnOnce() -> usize,
    ) {
        if at == self.times(shape).len() {
            // Later rows move no others.
            self.close_gap(shape);
            return self.insert_row(shape, at, words, id);
        }
        if self.gap().room == 0 {
            self.open_gap(shape, at, together().max(1));
        }
        self.move_gap(shape, at);
        let stride = shape.stride;
        let skipped = self.skipped();
        let Gap { at, room } = self.gap();
        if let Rows::Wide(buffer) = &mut self.rows {
            buffer[(skipped + at) * stride..][..stride].copy_from_slice(words);
        }
        self.set_gap(Gap { at: at + 1, room: room - 1 });
        if let Some(id) = id {
            self.insert_id(shape, at, id);
        }
        let rows = self.rows.times(stride, skipped, self.gap());
        if let Some(index) = &mut self.index {
            index.insert_between(shape, words, at, rows);
        }
    }

    /// Closes what room is left among the rows.
    pub fn close_gap(&mut self, shape: &Shape) {
        let Gap { at, room } = self.gap();
        if room == 0 {
            return;
        }
        let (stride, from) = (shape.stride, self.skipped() + at);
        if let Rows::Wide(buffer) = &mut self.rows {
            buffer.copy_within((from + room) * stride.., from * stride);
            buffer.truncate(buffer.len() - room * stride);
        }
        self.set_gap(Gap::default());
    }

    fn open_gap(&mut self, shape: &Shape, at: usize, room: usize) {
        let (stride, from) = (shape.stride, self.skipped() + at);
        if let Rows::Wide(buffer) = &mut self.rows {
            let end = buffer.len();
            if buffer.capacity() < end + room * stride {
                buffer.reserve_exact(buffer.capacity().max(room * stride));
            }
            buffer.resize(end + room * stride, 0);
            buffer.copy_within(from * stride..end, (from + room) * stride);
        }
        self.set_gap(Gap { at, room });
    }

    fn move_gap(&mut self, shape: &Shape, at: usize) {
        let gap = self.gap();
        let (stride, skipped) = (shape.stride, self.skipped());
        if let Rows::Wide(buffer) = &mut self.rows {
            let row = |row: usize| (skipped + row) * stride;
            if at < gap.at {
                buffer.copy_within(row(at)..row(gap.at), row(at + gap.room));
            } else {
                buffer.copy_within(row(gap.at + gap.room)..row(at + gap.room), row(gap.at));
            }
        }
        self.set_gap(Gap { at, ..gap });
    }

    fn set_gap(&mut self, gap: Gap) {
        if let Some(index) = &mut self.index {
            index.set_gap(gap);
        }
    }
}

impl Gap {
    /// Where in the buffer a row is, counted from the first that is not skipped.
    #[inline]
    pub(crate) fn place(self, row: usize) -> usize {
        if row < self.at { row } else { row + self.room }
    }
}
