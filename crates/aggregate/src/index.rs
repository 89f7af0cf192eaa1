//! Running answers for a busy key: one cursor per window, sums that are added to and subtracted
//! from, a monotone queue per lane for min and max, member counts for distinct.
//!
//! ```text
//!   rows     . . . . . . . . . . . . . . .      oldest → newest, row i has number base + i
//!   24h      ^cursor                     |
//!   1h                     ^cursor       | at   every window ends at `at`
//!   10m                          ^cursor |
//! ```
//!
//! A read elsewhere differs by the rows between its windows and the running ones: they are left
//! out, or counted in, on the fly. The index is derived from the rows and never stored: a restored
//! key builds it again when it gets busy. Every entry is exact, so a rebuilt index gives the same
//! bits.

use hashbrown::HashMap;
use millrace_event::EventTime;
use ruint::aliases::U256;

use crate::partial::{amount, order, square};
use crate::queue::Queue;
use crate::readings::{Reading, Readings};
use crate::rows::{RowsView, boundary};
use crate::shape::{Cell, Kind, Lane, Needs, Shape};
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
    /// Per cell.
    running: Vec<Running>,
    /// Per lane.
    ends: Vec<Ends>,
}

/// One cell over the rows from its window's cursor to the newest.
#[derive(Clone, Debug, Default)]
struct Running {
    /// Selected rows; kept where some are not.
    count: u64,
    bad: u64,
    sum: i128,
    /// The places of the window's least and greatest word in the lane's queues.
    min: u64,
    max: u64,
    more: Option<Box<More>>,
}

/// What few cells need.
#[derive(Clone, Debug, Default)]
struct More {
    squares: U256,
    members: HashMap<u64, u32>,
}

/// Least and greatest words of one lane, over all rows of the key.
#[derive(Clone, Debug, Default)]
struct Ends {
    min: Queue,
    max: Queue,
}

impl Index {
    pub(crate) fn build(shape: &Shape, rows: RowsView<'_>) -> Index {
        let windows = shape.layout.windows.len();
        let running = |cell: &Cell| Running {
            more: cell.needs.has(Needs::SQUARES.or(Needs::DISTINCT)).then(Box::default),
            ..Running::default()
        };
        let mut index = Index {
            base: 0,
            at: i64::MIN,
            cursors: vec![0; windows],
            running: shape.cells.iter().map(running).collect(),
            ends: vec![Ends::default(); shape.lanes.len()],
        };
        for i in 0..rows.len() {
            index.insert(shape, rows.until(i + 1), i);
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
        for (lane, ends) in shape.lanes.iter().zip(&mut self.ends) {
            if !lane.selects(shape, row) {
                continue;
            }
            let word = lane.word(row);
            let changed = ends.insert(lane, number, word, newest);
            for cell in &lane.cells {
                let c = &shape.cells[*cell];
                let cursor = self.cursors[c.window];
                let running = &mut self.running[*cell];
                if number >= cursor {
                    running.insert(lane, c.needs, word);
                }
                if newest {
                    running.min = ends.min.advance(running.min.min(changed.0), cursor);
                    running.max = ends.max.advance(running.max.min(changed.1), cursor);
                } else {
                    running.min = ends.min.place(cursor);
                    running.max = ends.max.place(cursor);
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
        for ends in &mut self.ends {
            ends.min.shift(from);
            ends.max.shift(from);
        }
    }

    /// Moves the end of all windows to `t`.
    #[inline]
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
            let before = self.cursors[window];
            let mut cursor = before;
            while cursor < end {
                let row = rows.row((cursor - self.base) as usize);
                if row[0] as i64 > old_end {
                    break;
                }
                self.leave(shape, window, row);
                cursor += 1;
            }
            if cursor != before {
                self.cursors[window] = cursor;
                self.advance_ends(shape, window, cursor);
            }
        }
    }

    /// A window's oldest row leaves it.
    #[inline]
    fn leave(&mut self, shape: &Shape, window: usize, row: &[u64]) {
        for cell in &shape.moving_of[window] {
            let c = &shape.cells[*cell];
            let lane = &shape.lanes[c.lane];
            if lane.selects(shape, row) {
                self.running[*cell].remove(lane, c.needs, lane.word(row));
            }
        }
    }

    fn advance_ends(&mut self, shape: &Shape, window: usize, cursor: u64) {
        for cell in &shape.cells_of[window] {
            let c = &shape.cells[*cell];
            let (running, ends) = (&mut self.running[*cell], &self.ends[c.lane]);
            if c.needs.has(Needs::MIN) {
                running.min = ends.min.advance(running.min, cursor);
            }
            if c.needs.has(Needs::MAX) {
                running.max = ends.max.advance(running.max, cursor);
            }
        }
    }

    /// The first `count` rows are about to go. Windows that still hold them let them go.
    pub(crate) fn remove_front(&mut self, shape: &Shape, rows: RowsView<'_>, count: usize) {
        let first = self.base + count as u64;
        for window in 0..self.cursors.len() {
            let before = self.cursors[window];
            for number in before..first {
                self.leave(shape, window, rows.row((number - self.base) as usize));
            }
            if before < first {
                self.cursors[window] = first;
                self.advance_ends(shape, window, first);
            }
        }
        for ends in &mut self.ends {
            ends.min.drop_before(first);
            ends.max.drop_before(first);
        }
        self.base = first;
    }

    /// Leaves every cell as the windows stand, with all rows, to `readings`.
    pub(crate) fn read(&self, shape: &Shape, rows: RowsView<'_>, readings: &mut Readings) {
        let end = self.base + rows.len() as u64;
        for (cell, (c, running)) in shape.cells.iter().zip(&self.running).enumerate() {
            let lane = &shape.lanes[c.lane];
            let ends = &self.ends[c.lane];
            let mut reading = Reading {
                count: running.count as usize,
                bad: running.bad > 0,
                sum: running.sum,
                ..Reading::EMPTY
            };
            if lane.takes_all {
                reading.count = (end - self.cursors[c.window]) as usize;
            }
            if c.needs.has(Needs::MIN) {
                reading.min = ends.min.get(running.min).map_or(i64::MAX, |e| e.1);
            }
            if c.needs.has(Needs::MAX) {
                reading.max = ends.max.get(running.max).map_or(i64::MIN, |e| e.1);
            }
            if let Some(more) = &running.more {
                reading.squares = more.squares;
                reading.distinct = more.members.len();
            }
            readings.push(shape, cell, &reading);
        }
    }

    /// Per window, how many rows lie before it at `t`. Looks near the cursors first.
    pub(crate) fn lows(
        &self,
        shape: &Shape,
        rows: RowsView<'_>,
        t: EventTime,
        lows: &mut Vec<usize>,
    ) {
        const STEPS: usize = 8;
        for (window, cursor) in shape.layout.windows.iter().zip(&self.cursors) {
            let old_end = boundary(window, t);
            let cursor = (*cursor - self.base) as usize;
            let inside = |i: usize| rows.time(i) > old_end;
            let before = (cursor.saturating_sub(STEPS)..cursor).rev().take_while(|i| inside(*i));
            let low = cursor - before.count();
            let after = (low..rows.len().min(low + STEPS)).take_while(|i| !inside(*i));
            let low = low + after.count();
            let found = (low == 0 || !inside(low - 1)) && (low == rows.len() || inside(low));
            lows.push(if found { low } else { rows.count_until(old_end) });
        }
    }

    /// Whether a read of rows `lows[window] .. high` is so near to where the windows stand that
    /// going from there costs less than a walk.
    pub(crate) fn is_near(&self, rows: RowsView<'_>, lows: &[usize], high: usize) -> bool {
        const NEAR: usize = 64;
        let newer = rows.len() - high;
        lows.iter().zip(&self.cursors).all(|(low, cursor)| {
            let cursor = (*cursor - self.base) as usize;
            cursor <= high
                && *low <= high
                && newer + cursor.abs_diff(*low) < NEAR + (high - low) / 4
        })
    }

    /// Fills the contents of every cell from rows `lows[window] .. high`, which is near.
    pub(crate) fn contents(
        &self,
        shape: &Shape,
        rows: RowsView<'_>,
        lows: &[usize],
        high: usize,
        out: &mut [Contents],
    ) {
        for (cell, c) in shape.cells.iter().enumerate() {
            let lane = &shape.lanes[c.lane];
            let low = lows[c.window];
            let cursor = (self.cursors[c.window] - self.base) as usize;
            let running = &self.running[cell];
            let contents = &mut out[cell];
            running.contents(c.needs, contents);
            if lane.takes_all {
                contents.count = (rows.len() - cursor) as u64;
            }
            let mut difference = Difference { lane, needs: c.needs, running, members: None };
            for i in (cursor..low).chain(high..rows.len()) {
                difference.leave_out(shape, rows.row(i), contents);
            }
            for i in low..cursor {
                difference.count_in(shape, rows.row(i), contents);
            }
            self.ends[c.lane].contents(shape, c, rows, (self.base, low, high), contents);
            if c.needs.has(Needs::FIRST.or(Needs::LAST)) && contents.count > 0 {
                first_and_last(shape, lane, rows.until(high), low, c.needs, contents);
            }
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let more = |m: &More| size_of::<More>() + m.members.capacity() * 17;
        let members: usize = self.running.iter().filter_map(|r| r.more.as_deref()).map(more).sum();
        let ends: usize = self.ends.iter().map(|e| e.min.heap_bytes() + e.max.heap_bytes()).sum();
        members
            + ends
            + self.running.capacity() * size_of::<Running>()
            + self.ends.capacity() * size_of::<Ends>()
            + self.cursors.capacity() * 8
    }
}

impl Ends {
    /// Returns the first changed places.
    #[inline]
    fn insert(&mut self, lane: &Lane, number: u64, word: u64, newest: bool) -> (u64, u64) {
        let ordered = order(lane.kind, word);
        let mut changed = (0, 0);
        if lane.needs.has(Needs::MIN) {
            changed.0 = self.min.insert(number, ordered, newest, |new, old| new <= old);
        }
        if lane.needs.has(Needs::MAX) {
            changed.1 = self.max.insert(number, ordered, newest, |new, old| new >= old);
        }
        changed
    }

    /// Least and greatest word of rows `low .. high`, given relative to `base`.
    fn contents(
        &self,
        shape: &Shape,
        cell: &Cell,
        rows: RowsView<'_>,
        (base, low, high): (u64, usize, usize),
        out: &mut Contents,
    ) {
        let lane = &shape.lanes[cell.lane];
        let (first, end) = (base + low as u64, base + high as u64);
        // The answer over all later rows is the answer here, unless it lies behind the window.
        let inside = |queue: &Queue| match queue.get(queue.place(first)) {
            Some((number, word)) if number < end => Some(word),
            Some(_) | None => None,
        };
        let walk = || {
            let selected = (low..high).map(|i| rows.row(i)).filter(|row| lane.selects(shape, row));
            selected.map(|row| order(lane.kind, lane.word(row)))
        };
        if cell.needs.has(Needs::MIN) {
            out.min = inside(&self.min).or_else(|| walk().min()).unwrap_or(i64::MAX);
        }
        if cell.needs.has(Needs::MAX) {
            out.max = inside(&self.max).or_else(|| walk().max()).unwrap_or(i64::MIN);
        }
    }
}

impl Running {
    #[inline]
    fn insert(&mut self, lane: &Lane, needs: Needs, word: u64) {
        self.count += 1;
        if needs.has(Needs::SUM) {
            match amount(lane.kind, word) {
                Some(amount) => {
                    self.sum += amount;
                    if needs.has(Needs::SQUARES) {
                        self.more().squares += square(amount);
                    }
                }
                None => self.bad += 1,
            }
        }
        if needs.has(Needs::DISTINCT) {
            *self.more().members.entry(word).or_insert(0) += 1;
        }
    }

    /// Takes out a row.
    #[inline]
    fn remove(&mut self, lane: &Lane, needs: Needs, word: u64) {
        self.count -= 1;
        if needs.has(Needs::SUM) {
            match amount(lane.kind, word) {
                Some(amount) => {
                    self.sum -= amount;
                    if needs.has(Needs::SQUARES) {
                        self.more().squares -= square(amount);
                    }
                }
                None => self.bad -= 1,
            }
        }
        if needs.has(Needs::DISTINCT)
            && let hashbrown::hash_map::Entry::Occupied(mut entry) = self.more().members.entry(word)
        {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_with(Box::default)
    }

    fn contents(&self, needs: Needs, out: &mut Contents) {
        out.count = self.count;
        out.bad = self.bad;
        out.sum = self.sum;
        out.limited = false;
        if let Some(more) = &self.more {
            out.distinct = more.members.len();
            if needs.has(Needs::SQUARES) {
                out.rare().squares = more.squares;
            }
        }
    }
}

/// How the contents at a read differ from the running ones of a cell.
struct Difference<'a> {
    lane: &'a Lane,
    needs: Needs,
    running: &'a Running,
    /// Of the members touched, how many rows more (or less) there are.
    members: Option<HashMap<u64, i64>>,
}

impl Difference<'_> {
    fn leave_out(&mut self, shape: &Shape, row: &[u64], out: &mut Contents) {
        if !self.lane.selects(shape, row) {
            return;
        }
        let word = self.lane.word(row);
        out.count -= 1;
        if self.needs.has(Needs::SUM) {
            match amount(self.lane.kind, word) {
                Some(amount) => {
                    out.sum -= amount;
                    if self.needs.has(Needs::SQUARES) {
                        out.rare().squares -= square(amount);
                    }
                }
                None => out.bad -= 1,
            }
        }
        if self.needs.has(Needs::DISTINCT) && self.count_member(word, -1) == 0 {
            out.distinct -= 1;
        }
    }

    fn count_in(&mut self, shape: &Shape, row: &[u64], out: &mut Contents) {
        if !self.lane.selects(shape, row) {
            return;
        }
        let word = self.lane.word(row);
        out.count += 1;
        if self.needs.has(Needs::SUM) {
            match amount(self.lane.kind, word) {
                Some(amount) => {
                    out.sum += amount;
                    if self.needs.has(Needs::SQUARES) {
                        out.rare().squares += square(amount);
                    }
                }
                None => out.bad += 1,
            }
        }
        if self.needs.has(Needs::DISTINCT) && self.count_member(word, 1) == 1 {
            out.distinct += 1;
        }
    }

    /// Counts rows of a member in or out; returns how many there are now.
    fn count_member(&mut self, word: u64, rows: i64) -> i64 {
        let more = self.running.more.as_ref();
        let known = more.and_then(|m| m.members.get(&word)).map_or(0, |n| i64::from(*n));
        let change = self.members.get_or_insert_default().entry(word).or_insert(0);
        *change += rows;
        known + *change
    }
}

/// First and last rows of a window, found from its ends.
fn first_and_last(
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
