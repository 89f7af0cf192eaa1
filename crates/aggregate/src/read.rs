//! Reads of a key state.

use millrace_event::{Column, EventTime};
use smallvec::SmallVec;

use crate::key_state::KeyState;
use crate::position::{Horizon, Position};
use crate::readings::Readings;
use crate::rows::{Rows, boundary};
use crate::scan::scan;
use crate::shape::Shape;
use crate::value::{Contents, push_output};

/// Space for a read's intermediate results, reused from read to read.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) lows: Vec<usize>,
    pub(crate) cells: Vec<Contents>,
}

impl KeyState {
    /// Appends the value of every aggregate at `position`, one cell to each of `out` (one column
    /// per aggregate of the layout). The windows of a busy key move to at most `settled`, before
    /// which nothing will be read any more.
    pub fn read(
        &mut self,
        shape: &Shape,
        position: &Position,
        horizon: Horizon,
        settled: EventTime,
        scratch: &mut Scratch,
        out: &mut [Column],
    ) {
        if self.is_undecided(shape, position, horizon) {
            let limited = Contents { limited: true, ..Contents::default() };
            for (output, column) in shape.outputs.iter().zip(out) {
                push_output(output, &limited, None, column);
            }
            return;
        }
        let t = position.time();
        let high = self.high(shape, position);
        let words = self.rows.words(shape.stride, self.skipped());
        let rows = words.view(shape.stride);
        scratch.cells.clear();
        scratch.cells.resize(shape.cells.len(), Contents::default());
        scratch.lows.clear();
        if let Some(index) = &mut self.index {
            if high == rows.len() && t >= index.at() {
                index.advance(shape, rows, t.min(settled));
            }
            index.lows(shape, rows, t, &mut scratch.lows);
            if index.is_near(rows, &scratch.lows, high) {
                index.contents(shape, rows, &scratch.lows, high, &mut scratch.cells);
            } else {
                scan(shape, rows, &scratch.lows, high, &mut scratch.cells);
            }
        } else {
            let windows = &shape.layout.windows;
            scratch.lows.extend(windows.iter().map(|w| rows.count_until(boundary(w, t))));
            scan(shape, rows, &scratch.lows, high, &mut scratch.cells);
        }
        self.add_summaries(shape, t, high, horizon, scratch);
        let dictionary = self.extra.as_ref().map(|e| &e.dictionary);
        for (output, column) in shape.outputs.iter().zip(out) {
            push_output(output, &scratch.cells[output.cell], dictionary, column);
        }
    }

    /// As [`KeyState::read`] at [`Position::Time`], for a shape that [`Shape::is_deferred`]: leaves
    /// the values to `readings`, in its place. Nothing will be read before `t` any more.
    #[inline]
    pub fn read_deferred(
        &mut self,
        shape: &Shape,
        t: EventTime,
        horizon: Horizon,
        readings: &mut Readings,
        place: usize,
    ) {
        readings.begin(shape, place, t.0, self.removed_to(horizon).0);
        let rows = match &self.rows {
            Rows::Packed(packed) => return readings.walk_packed(shape, packed, t.0),
            Rows::Wide(_) => self.rows.view(shape.stride, self.skipped()),
        };
        let high = match rows.last_time() {
            Some(last) if last > t.0 => rows.count_until(t.0),
            Some(_) | None => rows.len(),
        };
        match &mut self.index {
            Some(index) if high == rows.len() && t >= index.at() => {
                index.advance(shape, rows, t);
                index.read(shape, rows, readings);
            }
            None => readings.walk(shape, rows, high, t.0),
            Some(_) => {
                let lows = shape.layout.windows.iter().map(|w| rows.count_until(boundary(w, t)));
                let lows: SmallVec<[usize; 8]> = lows.collect();
                let mut cells = vec![Contents::default(); shape.cells.len()];
                scan(shape, rows, &lows, high, &mut cells);
                readings.extend(shape, &cells);
            }
        }
    }

    /// Rows up to here may have been removed.
    pub(crate) fn removed_to(&self, horizon: Horizon) -> EventTime {
        match self.extra.as_ref().and_then(|e| e.truncated_to()) {
            Some(truncated) => truncated.max(horizon.removed_to),
            None => horizon.removed_to,
        }
    }

    /// Whether events of the position's own moment may lie on either side of it: some were removed,
    /// or are rows whose ids went once their order was settled.
    fn is_undecided(&self, shape: &Shape, position: &Position, horizon: Horizon) -> bool {
        let t = match position {
            Position::Time(_) => return false,
            Position::Before(t, _) | Position::Including(t, _) => *t,
        };
        if t <= self.removed_to(horizon) {
            return true;
        }
        let rows = self.times(shape);
        if rows.last_time().is_none_or(|last| last < t.0) {
            return false;
        }
        let first = rows.count_until(t.0.saturating_sub(1));
        rows.time(first) == t.0 && self.id(shape, first).is_none()
    }

    /// How many rows lie before the position.
    fn high(&self, shape: &Shape, position: &Position) -> usize {
        let rows = self.times(shape);
        let t = position.time().0;
        let all = match rows.last_time() {
            Some(last) if last > t => rows.count_until(t),
            _ => rows.len(),
        };
        let (id, including) = match position {
            Position::Time(_) => return all,
            Position::Before(_, id) => (id.as_bytes(), false),
            Position::Including(_, id) => (id.as_bytes(), true),
        };
        let Some(extra) = &self.extra else { return all };
        // Ids of one moment ascend, from the first that is still kept.
        let without = rows.len() - extra.ids.len();
        let ties = rows.count_until(t.saturating_sub(1)).max(without).min(all)..all;
        if ties.is_empty() {
            return all;
        }
        let precedes = |other: &[u8]| if including { other <= id } else { other < id };
        ties.start + extra.ids.count_while(ties.start - without..ties.end - without, precedes)
    }
}
