//! Running answers for a busy key: one cursor per window, sums that are added to and subtracted
//! from, monotone queues for min and max, member counts for distinct.
//!
//! ```text
//!   rows     . . . . . . . . . . . . . . .      oldest → newest, row i has number base + i
//!   24h      ^cursor                     |
//!   1h                     ^cursor       | at   every window ends at `at`
//!   10m                          ^cursor |
//! ```
//!
//! The index is derived from the rows and never stored: a restored key builds it again when it
//! gets busy. Every entry is exact, so a rebuilt index gives the same bits.

use std::collections::VecDeque;

use hashbrown::HashMap;
use millrace_event::EventTime;
use ruint::aliases::U256;

use crate::partial::{amount, order, square};
use crate::rows::{RowsView, boundary};
use crate::shape::{Kind, Lane, Needs, Shape};
use crate::value::Contents;

/// Above this many rows a key gets an index.
pub(crate) const INDEX_ABOVE: usize = 48;
/// Below this many it loses it again.
pub(crate) const INDEX_BELOW: usize = 12;

#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// The number of the first row.
    base: u64,
    /// The end of all windows.
    at: i64,
    /// Per window, the number of its first row.
    cursors: Vec<u64>,
    running: Vec<Running>,
}

/// One cell over the rows from its window's cursor to the newest.
#[derive(Clone, Debug, Default)]
struct Running {
    count: u64,
    bad: u64,
    sum: i128,
    squares: U256,
    /// Ordered words that no later row undercuts, with their row numbers.
    min: VecDeque<(u64, i64)>,
    max: VecDeque<(u64, i64)>,
    members: HashMap<u64, u32>,
}

impl Index {
    pub(crate) fn build(shape: &Shape, rows: RowsView<'_>) -> Index {
        let windows = shape.layout.windows.len();
        let mut index = Index {
            base: 0,
            at: i64::MIN,
            cursors: vec![0; windows],
            running: vec![Running::default(); shape.cells.len()],
        };
        for i in 0..rows.len() {
            index.insert(shape, rows, i);
        }
        index
    }

    pub(crate) fn at(&self) -> EventTime {
        EventTime(self.at)
    }

    /// Takes in row `i`, which is in `rows` already.
    pub(crate) fn insert(&mut self, shape: &Shape, rows: RowsView<'_>, i: usize) {
        let row = rows.row(i);
        let time = row[0] as i64;
        let number = self.base + i as u64;
        let newest = i + 1 == rows.len();
        if newest && time > self.at {
            // The new row itself is at the end of every window, so it is never passed over.
            self.advance_over(shape, rows, EventTime(time), i);
        } else {
            if !newest {
                self.shift(number);
            }
            for (cursor, w) in self.cursors.iter_mut().zip(&shape.layout.windows) {
                *cursor += u64::from(*cursor == number && time <= boundary(w, EventTime(self.at)));
            }
        }
        for lane in &shape.lanes {
            if !lane.selects(shape, row) {
                continue;
            }
            let word = lane.word(row);
            for cell in &lane.cells {
                let c = &shape.cells[*cell];
                if number >= self.cursors[c.window] {
                    self.running[*cell].insert(lane, c.needs, number, word, newest);
                }
            }
        }
    }

    /// A row was put before others: those have moved up by one.
    fn shift(&mut self, from: u64) {
        for cursor in &mut self.cursors {
            // A row put before a cursor is outside; one put at it is inside unless expired.
            *cursor += u64::from(*cursor > from);
        }
        for running in &mut self.running {
            for queue in [&mut running.min, &mut running.max] {
                for entry in queue.iter_mut().rev().take_while(|e| e.0 >= from) {
                    entry.0 += 1;
                }
            }
        }
    }

    /// Moves the end of all windows to `t`.
    pub(crate) fn advance(&mut self, shape: &Shape, rows: RowsView<'_>, t: EventTime) {
        if t.0 > self.at {
            self.advance_over(shape, rows, t, rows.len());
        }
    }

    fn advance_over(&mut self, shape: &Shape, rows: RowsView<'_>, t: EventTime, end: usize) {
        self.at = t.0;
        let end = self.base + end as u64;
        for (window, w) in shape.layout.windows.iter().enumerate() {
            let old_end = boundary(w, t);
            let mut cursor = self.cursors[window];
            while cursor < end {
                let row = rows.row((cursor - self.base) as usize);
                if row[0] as i64 > old_end {
                    break;
                }
                for cell in &shape.cells_of[window] {
                    let c = &shape.cells[*cell];
                    let lane = &shape.lanes[c.lane];
                    if lane.selects(shape, row) {
                        self.running[*cell].remove(lane, c.needs, cursor, lane.word(row));
                    }
                }
                cursor += 1;
            }
            self.cursors[window] = cursor;
        }
    }

    /// The first `count` rows are about to go. Windows that still hold them let them go.
    pub(crate) fn remove_front(&mut self, shape: &Shape, rows: RowsView<'_>, count: usize) {
        let first = self.base + count as u64;
        for window in 0..self.cursors.len() {
            for number in self.cursors[window]..first {
                let row = rows.row((number - self.base) as usize);
                for cell in &shape.cells_of[window] {
                    let c = &shape.cells[*cell];
                    let lane = &shape.lanes[c.lane];
                    if lane.selects(shape, row) {
                        self.running[*cell].remove(lane, c.needs, number, lane.word(row));
                    }
                }
            }
            self.cursors[window] = self.cursors[window].max(first);
        }
        self.base = first;
    }

    /// Per window, how many rows lie before it at `t`, which is not before [`Index::at`].
    pub(crate) fn lows(
        &self,
        shape: &Shape,
        rows: RowsView<'_>,
        t: EventTime,
        lows: &mut Vec<usize>,
    ) {
        for (window, cursor) in shape.layout.windows.iter().zip(&self.cursors) {
            let old_end = boundary(window, t);
            let mut low = (*cursor - self.base) as usize;
            while low < rows.len() && rows.time(low) <= old_end {
                low += 1;
            }
            lows.push(low);
        }
    }

    /// Fills the contents of every cell at `t`, which is not before [`Index::at`]. What lies
    /// between is left out on the fly, so that reading does not move the windows.
    pub(crate) fn contents(
        &self,
        shape: &Shape,
        rows: RowsView<'_>,
        lows: &[usize],
        out: &mut [Contents],
    ) {
        for (cell, c) in shape.cells.iter().enumerate() {
            let lane = &shape.lanes[c.lane];
            let low = self.base + lows[c.window] as u64;
            let cursor = self.cursors[c.window];
            let contents = &mut out[cell];
            self.running[cell].contents(c.needs, low, contents);
            let leaving = (cursor - self.base) as usize..lows[c.window];
            if !leaving.is_empty() {
                self.running[cell].leave_out(shape, cell, rows, leaving, contents);
            }
            if c.needs.has(Needs::FIRST.or(Needs::LAST)) && contents.count > 0 {
                ends(shape, lane, rows, lows[c.window], c.needs, contents);
            }
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let running: usize = self
            .running
            .iter()
            .map(|r| (r.min.capacity() + r.max.capacity() + r.members.capacity()) * 16)
            .sum();
        running + self.running.capacity() * size_of::<Running>() + self.cursors.capacity() * 8
    }
}

impl Running {
    fn insert(&mut self, lane: &Lane, needs: Needs, number: u64, word: u64, newest: bool) {
        self.count += 1;
        if needs.has(Needs::SUM) {
            match amount(lane.kind, word) {
                Some(amount) => {
                    self.sum += amount;
                    if needs.has(Needs::SQUARES) {
                        self.squares += square(amount);
                    }
                }
                None => self.bad += 1,
            }
        }
        if needs.has(Needs::MIN.or(Needs::MAX)) {
            let ordered = order(lane.kind, word);
            if needs.has(Needs::MIN) {
                enqueue(&mut self.min, number, ordered, newest, |old, new| old >= new);
            }
            if needs.has(Needs::MAX) {
                enqueue(&mut self.max, number, ordered, newest, |old, new| old <= new);
            }
        }
        if needs.has(Needs::DISTINCT) {
            *self.members.entry(word).or_insert(0) += 1;
        }
    }

    /// Takes out the oldest row.
    fn remove(&mut self, lane: &Lane, needs: Needs, number: u64, word: u64) {
        self.count -= 1;
        if needs.has(Needs::SUM) {
            match amount(lane.kind, word) {
                Some(amount) => {
                    self.sum -= amount;
                    if needs.has(Needs::SQUARES) {
                        self.squares -= square(amount);
                    }
                }
                None => self.bad -= 1,
            }
        }
        for queue in [&mut self.min, &mut self.max] {
            if queue.front().is_some_and(|e| e.0 <= number) {
                queue.pop_front();
            }
        }
        if needs.has(Needs::DISTINCT)
            && let hashbrown::hash_map::Entry::Occupied(mut entry) = self.members.entry(word)
        {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    fn contents(&self, needs: Needs, low: u64, out: &mut Contents) {
        out.count = self.count;
        out.bad = self.bad;
        out.sum = self.sum;
        out.distinct = self.members.len();
        out.limited = false;
        if needs.has(Needs::SQUARES) {
            out.rare().squares = self.squares;
        }
        let front = |queue: &VecDeque<(u64, i64)>| queue.iter().find(|e| e.0 >= low).map(|e| e.1);
        out.min = front(&self.min).unwrap_or(i64::MAX);
        out.max = front(&self.max).unwrap_or(i64::MIN);
    }

    /// Subtracts the rows that have left the window since the last move.
    fn leave_out(
        &self,
        shape: &Shape,
        cell: usize,
        rows: RowsView<'_>,
        leaving: std::ops::Range<usize>,
        out: &mut Contents,
    ) {
        let needs = shape.cells[cell].needs;
        let lane = &shape.lanes[shape.cells[cell].lane];
        let mut members: HashMap<u64, u32> = HashMap::new();
        for i in leaving {
            let row = rows.row(i);
            if !lane.selects(shape, row) {
                continue;
            }
            let word = lane.word(row);
            out.count -= 1;
            if needs.has(Needs::SUM) {
                match amount(lane.kind, word) {
                    Some(amount) => {
                        out.sum -= amount;
                        if needs.has(Needs::SQUARES) {
                            out.rare().squares -= square(amount);
                        }
                    }
                    None => out.bad -= 1,
                }
            }
            if needs.has(Needs::DISTINCT) {
                let gone = members.entry(word).or_insert(0);
                *gone += 1;
                out.distinct -= usize::from(self.members.get(&word) == Some(gone));
            }
        }
    }
}

/// Puts an entry into a monotone queue. `beats(old, new)`: an older `old` can never be the answer
/// again once `new` is there.
fn enqueue(
    queue: &mut VecDeque<(u64, i64)>,
    number: u64,
    word: i64,
    newest: bool,
    beats: impl Fn(i64, i64) -> bool,
) {
    let mut at = queue.len();
    if !newest {
        at = queue.partition_point(|e| e.0 < number);
        // A later row that is as good already stands: the new one never shows.
        if queue.get(at).is_some_and(|later| beats(word, later.1)) {
            return;
        }
    }
    let keep = (0..at).rev().find(|i| !beats(queue[*i].1, word)).map_or(0, |i| i + 1);
    if newest {
        queue.truncate(keep);
        queue.push_back((number, word));
    } else {
        queue.drain(keep..at);
        queue.insert(keep, (number, word));
    }
}

/// First and last rows of a window, found from its ends.
fn ends(
    shape: &Shape,
    lane: &Lane,
    rows: RowsView<'_>,
    low: usize,
    needs: Needs,
    out: &mut Contents,
) {
    debug_assert!(lane.kind != Kind::None);
    let selected = |i: &usize| lane.selects(shape, rows.row(*i));
    if needs.has(Needs::FIRST)
        && let Some(first) = (low..rows.len()).find(selected)
    {
        out.rare().first = lane.word(rows.row(first));
    }
    if needs.has(Needs::LAST) {
        let newest = (low..rows.len()).rev().filter(selected).take(lane.last_n as usize);
        let last = &mut out.rare().last;
        last.clear();
        last.extend(newest.map(|i| lane.word(rows.row(i))));
    }
}
