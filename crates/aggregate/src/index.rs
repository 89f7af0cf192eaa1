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
use smallvec::{SmallVec, smallvec};

use crate::Arguments;
use crate::gap::Gap;
use crate::members::Members;
use crate::partial::{amount, order, square};
use crate::queue::Queue;
use crate::readings::{Reading, Readings};
use crate::rows::{RowsView, Times, boundary};
use crate::shape::{Cell, Kind, Lane, Needs, Shape, Way};
use crate::value::Contents;

/// Above this many rows a key gets an index.
pub(crate) const INDEX_ABOVE: usize = 48;
/// Below this many it loses it again.
pub(crate) const INDEX_BELOW: usize = 12;

/// Small enough that all of it is in the cache after a few misses: the parts that most shapes need
/// lie in it, and what a read needs of rows and queues is held here too. [`Shape::sizes`] says how
/// many parts there are of each kind, and [`Cell::places`] which is whose.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// The number of the first row.
    base: u64,
    /// The end of all windows.
    at: i64,
    /// The time of the first row.
    oldest: i64,
    /// Rows before the first that are still in the buffer.
    skipped: usize,
    /// Rows before this number are as they were when they were last taken for parts.
    parted: u64,
    /// Room for late rows, while some are being added.
    gap: Gap,
    /// Per window.
    cursors: SmallVec<[Cursor; 3]>,
    /// Selected rows of those cells of which some rows are not.
    counts: SmallVec<[u64; 1]>,
    sums: SmallVec<[i128; 3]>,
    fronts: SmallVec<[Front; 3]>,
    /// Least and greatest words of lanes, over all rows of the key.
    queues: SmallVec<[Queue; 1]>,
    members: SmallVec<[Members; 1]>,
    /// Beside each sum, in shapes that need more.
    wide: Vec<Wide>,
}

/// A window's first row.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    number: u64,
    /// Its time; `i64::MAX` when the window is empty.
    time: i64,
}

/// A window's least or greatest word.
#[derive(Clone, Copy, Debug)]
struct Front {
    /// Its place in the queue.
    place: u64,
    /// `None` when the window is empty.
    word: Option<i64>,
}

/// What few sums need.
#[derive(Clone, Copy, Debug, Default)]
struct Wide {
    squares: U256,
    bad: u64,
}

impl Index {
    /// `first` is the number of the first row.
    pub(crate) fn build(shape: &Shape, rows: RowsView<'_>, first: u64) -> Index {
        let sizes = &shape.sizes;
        let mut index = Index {
            base: first,
            parted: 0,
            gap: Gap::default(),
            at: i64::MIN,
            oldest: i64::MAX,
            skipped: 0,
            cursors: smallvec![Cursor { number: first, time: i64::MAX }; shape.layout.windows.len()],
            counts: smallvec![0; sizes.counts],
            sums: smallvec![0; sizes.sums],
            fronts: smallvec![Front { place: 0, word: None }; sizes.fronts],
            queues: smallvec![Queue::default(); sizes.queues],
            members: smallvec![Members::default(); sizes.members],
            wide: vec![Wide::default(); if sizes.wide_sums { sizes.sums } else { 0 }],
        };
        for i in 0..rows.len() {
            index.insert(shape, rows.until(i + 1), i);
        }
        index
    }

    pub(crate) fn at(&self) -> EventTime {
        EventTime(self.at)
    }

    #[inline]
    pub(crate) fn skipped(&self) -> usize {
        self.skipped
    }

    pub(crate) fn set_skipped(&mut self, skipped: usize) {
        self.skipped = skipped;
    }

    #[inline]
    pub(crate) fn gap(&self) -> Gap {
        self.gap
    }

    pub(crate) fn set_gap(&mut self, gap: Gap) {
        self.gap = gap;
    }

    /// The number of the first row.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Rows before `number` are taken for parts as they are now; returns up to where they still
    /// were as taken before.
    pub(crate) fn set_parted(&mut self, number: u64) -> u64 {
        std::mem::replace(&mut self.parted, number)
    }

    /// The time of the first row.
    #[inline]
    pub(crate) fn oldest(&self) -> i64 {
        self.oldest
    }

    /// Takes in row `i`, which is in `rows` already.
    pub(crate) fn insert(&mut self, shape: &Shape, rows: RowsView<'_>, i: usize) {
        let row = rows.row(i);
        let time = row[0] as i64;
        if i + 1 < rows.len() {
            return self.insert_between(shape, row, i, Times::Wide(rows));
        }
        let number = self.base + i as u64;
        if i == 0 {
            self.oldest = time;
        }
        if time > self.at {
            // The new row itself is at the end of every window, so it is never passed over.
            self.advance_over(shape, rows, EventTime(time), i);
        }
        for (cursor, w) in self.cursors.iter_mut().zip(&shape.layout.windows) {
            let outside = time <= boundary(w, EventTime(self.at));
            cursor.number += u64::from(cursor.number == number && outside);
            if cursor.number == number {
                cursor.time = time;
            }
        }
        for lane in &shape.lanes {
            if lane.way != Way::Count && lane.selects(shape, row) {
                self.insert_into_lane(shape, lane, number, lane.word(row), true);
            }
        }
    }

    /// Takes in a row that is not the newest. `times` are those of all rows, and have it already.
    pub(crate) fn insert_between(
        &mut self,
        shape: &Shape,
        row: &[u64],
        i: usize,
        times: Times<'_>,
    ) {
        let time = row[0] as i64;
        let number = self.base + i as u64;
        if i == 0 {
            self.oldest = time;
        }
        self.shift(number);
        for (cursor, w) in self.cursors.iter_mut().zip(&shape.layout.windows) {
            let outside = time <= boundary(w, EventTime(self.at));
            cursor.number += u64::from(cursor.number == number && outside);
            let first = (cursor.number - self.base) as usize;
            cursor.time = if first < times.len() { times.time(first) } else { i64::MAX };
        }
        for lane in &shape.lanes {
            if lane.way != Way::Count && lane.selects(shape, row) {
                self.insert_into_lane(shape, lane, number, lane.word(row), false);
            }
        }
    }

    #[inline]
    fn insert_into_lane(
        &mut self,
        shape: &Shape,
        lane: &Lane,
        number: u64,
        word: u64,
        newest: bool,
    ) {
        let ordered = order(lane.kind, word);
        let (mut min, mut max) = (0, 0);
        if lane.needs.has(Needs::MIN) {
            let queue = &mut self.queues[lane.places.min];
            min = queue.insert(number, ordered, newest, |new, old| new <= old);
        }
        if lane.needs.has(Needs::MAX) {
            let queue = &mut self.queues[lane.places.max];
            max = queue.insert(number, ordered, newest, |new, old| new >= old);
        }
        let amount = if lane.needs.has(Needs::SUM) { amount(lane.kind, word) } else { Some(0) };
        for cell in &lane.cells {
            let c = &shape.cells[*cell];
            let cursor = self.cursors[c.window].number;
            if number >= cursor {
                self.add(lane, c, word, amount);
            }
            if c.needs.has(Needs::MIN) {
                let queue = &self.queues[lane.places.min];
                self.fronts[c.places.min].insert(queue, newest.then_some(min), cursor);
            }
            if c.needs.has(Needs::MAX) {
                let queue = &self.queues[lane.places.max];
                self.fronts[c.places.max].insert(queue, newest.then_some(max), cursor);
            }
        }
    }

    /// A row comes into a cell.
    #[inline]
    fn add(&mut self, lane: &Lane, cell: &Cell, word: u64, amount: Option<i128>) {
        if !lane.takes_all {
            self.counts[cell.places.count] += 1;
        }
        if cell.needs.has(Needs::SUM) {
            match amount {
                Some(amount) => {
                    self.sums[cell.places.sum] += amount;
                    if cell.needs.has(Needs::SQUARES) {
                        self.wide[cell.places.sum].squares += square(amount);
                    }
                }
                None => self.wide[cell.places.sum].bad += 1,
            }
        }
        if cell.needs.has(Needs::DISTINCT) {
            self.members[cell.places.members].add(word);
        }
    }

    /// A window's oldest row leaves its cells.
    #[inline]
    fn leave(&mut self, shape: &Shape, window: usize, row: &[u64]) {
        for cell in &shape.moving_of[window] {
            let c = &shape.cells[*cell];
            let lane = &shape.lanes[c.lane];
            if !lane.selects(shape, row) {
                continue;
            }
            let word = lane.word(row);
            if !lane.takes_all {
                self.counts[c.places.count] -= 1;
            }
            if c.needs.has(Needs::SUM) {
                match amount(lane.kind, word) {
                    Some(amount) => {
                        self.sums[c.places.sum] -= amount;
                        if c.needs.has(Needs::SQUARES) {
                            self.wide[c.places.sum].squares -= square(amount);
                        }
                    }
                    None => self.wide[c.places.sum].bad -= 1,
                }
            }
            if c.needs.has(Needs::DISTINCT) {
                self.members[c.places.members].remove(word);
            }
        }
    }

    /// A row was put before others: those have moved up by one.
    fn shift(&mut self, from: u64) {
        self.parted = self.parted.min(from);
        for cursor in &mut self.cursors {
            // A row put before a cursor is outside; one put at it is inside unless expired.
            cursor.number += u64::from(cursor.number > from);
        }
        self.queues.iter_mut().for_each(|queue| queue.shift(from));
    }

    /// Moves the end of all windows to `t`.
    #[inline]
    pub(crate) fn advance(&mut self, shape: &Shape, rows: RowsView<'_>, t: EventTime) {
        if t.0 > self.at {
            self.advance_over(shape, rows, t, rows.len());
        }
    }

    #[inline]
    fn advance_over(&mut self, shape: &Shape, rows: RowsView<'_>, t: EventTime, end: usize) {
        self.at = t.0;
        for (window, w) in shape.layout.windows.iter().enumerate() {
            let old_end = boundary(w, t);
            if self.cursors[window].time <= old_end {
                self.advance_window(shape, rows, window, old_end, end);
            }
        }
    }

    fn advance_window(
        &mut self,
        shape: &Shape,
        rows: RowsView<'_>,
        window: usize,
        old_end: i64,
        end: usize,
    ) {
        let mut low = (self.cursors[window].number - self.base) as usize;
        while low < end && rows.time(low) <= old_end {
            self.leave(shape, window, rows.row(low));
            low += 1;
        }
        self.set_cursor(shape, rows.until(end), window, low);
    }

    /// A window now begins at row `low`, which is not before where it began.
    fn set_cursor(&mut self, shape: &Shape, rows: RowsView<'_>, window: usize, low: usize) {
        let number = self.base + low as u64;
        let time = if low < rows.len() { rows.time(low) } else { i64::MAX };
        self.cursors[window] = Cursor { number, time };
        for cell in &shape.cells_of[window] {
            let c = &shape.cells[*cell];
            let lane = &shape.lanes[c.lane];
            if c.needs.has(Needs::MIN) {
                self.fronts[c.places.min].advance(&self.queues[lane.places.min], number);
            }
            if c.needs.has(Needs::MAX) {
                self.fronts[c.places.max].advance(&self.queues[lane.places.max], number);
            }
        }
    }

    /// The first `count` rows are about to go. Windows that still hold them let them go.
    pub(crate) fn remove_front(&mut self, shape: &Shape, rows: RowsView<'_>, count: usize) {
        let first = self.base + count as u64;
        for window in 0..self.cursors.len() {
            let low = (self.cursors[window].number - self.base) as usize;
            if low < count {
                (low..count).for_each(|i| self.leave(shape, window, rows.row(i)));
                self.set_cursor(shape, rows, window, count);
            }
        }
        self.queues.iter_mut().for_each(|queue| queue.drop_before(first));
        self.base = first;
        self.oldest = if count < rows.len() { rows.time(count) } else { i64::MAX };
    }

    /// Leaves every cell as the windows stand, with all rows, to `readings`.
    #[inline]
    pub(crate) fn read(&self, shape: &Shape, rows: RowsView<'_>, readings: &mut Readings) {
        let end = self.base + rows.len() as u64;
        let (record, marks) = readings.record(shape);
        for c in &shape.cells {
            let count = if shape.lanes[c.lane].takes_all {
                end - self.cursors[c.window].number
            } else {
                self.counts[c.places.count]
            };
            let mut reading = Reading { count: count as usize, ..Reading::EMPTY };
            if c.needs.has(Needs::SUM) {
                reading.sum = self.sums[c.places.sum];
                if let Some(wide) = self.wide.get(c.places.sum) {
                    reading.bad = wide.bad > 0;
                    reading.squares = wide.squares;
                }
            }
            if c.needs.has(Needs::MIN) {
                reading.min = self.fronts[c.places.min].word.unwrap_or(i64::MAX);
            }
            if c.needs.has(Needs::MAX) {
                reading.max = self.fronts[c.places.max].word.unwrap_or(i64::MIN);
            }
            if c.needs.has(Needs::DISTINCT) {
                reading.distinct = self.members[c.places.members].len();
            }
            reading.put(c, marks, record);
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
            let cursor = (cursor.number - self.base) as usize;
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
            let cursor = (cursor.number - self.base) as usize;
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
            let cursor = (self.cursors[c.window].number - self.base) as usize;
            let contents = &mut out[cell];
            self.running(lane, c, rows.len() - cursor, contents);
            let members = c.needs.has(Needs::DISTINCT).then(|| &self.members[c.places.members]);
            let mut difference = Difference { lane, needs: c.needs, members, touched: None };
            for i in (cursor..low).chain(high..rows.len()) {
                difference.leave_out(shape, rows.row(i), contents);
            }
            for i in low..cursor {
                difference.count_in(shape, rows.row(i), contents);
            }
            self.ends(shape, c, rows, (low, high), contents);
            if c.needs.has(Needs::FIRST.or(Needs::LAST)) && contents.count > 0 {
                first_and_last(shape, lane, rows.until(high), low, c.needs, contents);
            }
        }
    }

    /// A cell as its window stands, without extremes.
    fn running(&self, lane: &Lane, c: &Cell, rows: usize, out: &mut Contents) {
        out.count = if lane.takes_all { rows as u64 } else { self.counts[c.places.count] };
        out.limited = false;
        if c.needs.has(Needs::SUM) {
            out.sum = self.sums[c.places.sum];
            if let Some(wide) = self.wide.get(c.places.sum) {
                out.bad = wide.bad;
                if c.needs.has(Needs::SQUARES) {
                    out.rare().squares = wide.squares;
                }
            }
        }
        if c.needs.has(Needs::DISTINCT) {
            out.distinct = self.members[c.places.members].len();
        }
    }

    /// Least and greatest word of rows `low .. high`.
    fn ends(
        &self,
        shape: &Shape,
        cell: &Cell,
        rows: RowsView<'_>,
        (low, high): (usize, usize),
        out: &mut Contents,
    ) {
        let lane = &shape.lanes[cell.lane];
        let (first, end) = (self.base + low as u64, self.base + high as u64);
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
            let known = inside(&self.queues[lane.places.min]);
            out.min = known.or_else(|| walk().min()).unwrap_or(i64::MAX);
        }
        if cell.needs.has(Needs::MAX) {
            let known = inside(&self.queues[lane.places.max]);
            out.max = known.or_else(|| walk().max()).unwrap_or(i64::MIN);
        }
    }

    /// Reads what any event will need, so that it is in the cache by then.
    #[inline]
    pub(crate) fn peek(&self) -> u64 {
        let front = self.fronts.first().map_or(0, |f| f.place);
        let sum = self.sums.first().map_or(0, |s| *s as u64);
        let queues = self.queues.iter().map(Queue::peek).fold(0, |a, b| a ^ b);
        self.base ^ front ^ sum ^ queues
    }

    /// Reads what this event will need: rows that leave a window, and the members it comes to.
    #[inline]
    pub(crate) fn peek_for(
        &self,
        shape: &Shape,
        rows: RowsView<'_>,
        arguments: &Arguments,
        row: usize,
    ) -> u64 {
        let mut read = 0;
        let t = EventTime(arguments.time(row));
        for (cursor, window) in self.cursors.iter().zip(&shape.layout.windows) {
            if cursor.time <= boundary(window, t) {
                read ^= rows.time((cursor.number - self.base) as usize) as u64;
            }
        }
        for (members, input) in self.members.iter().zip(&shape.member_inputs) {
            read ^= u64::from(members.count(arguments.word(*input, row)));
        }
        read
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let members: usize = self.members.iter().map(Members::heap_bytes).sum();
        let queues: usize = self.queues.iter().map(Queue::heap_bytes).sum();
        let spilled = |spilled, bytes| if spilled { bytes } else { 0 };
        members
            + queues
            + spilled(self.cursors.spilled(), self.cursors.capacity() * size_of::<Cursor>())
            + spilled(self.counts.spilled(), self.counts.capacity() * 8)
            + spilled(self.sums.spilled(), self.sums.capacity() * size_of::<i128>())
            + spilled(self.fronts.spilled(), self.fronts.capacity() * size_of::<Front>())
            + spilled(self.queues.spilled(), self.queues.capacity() * size_of::<Queue>())
            + spilled(self.members.spilled(), self.members.capacity() * size_of::<Members>())
            + self.wide.capacity() * size_of::<Wide>()
    }
}

impl Front {
    /// A row was put into the queue: everything from place `changed` on is new, or anything where
    /// that is not known.
    #[inline]
    fn insert(&mut self, queue: &Queue, changed: Option<u64>, cursor: u64) {
        match changed {
            Some(changed) if changed > self.place => {}
            Some(changed) => {
                self.place = changed;
                self.advance(queue, cursor);
            }
            None => {
                self.place = queue.place(cursor);
                self.word = queue.word(self.place);
            }
        }
    }

    #[inline]
    fn advance(&mut self, queue: &Queue, cursor: u64) {
        self.place = queue.advance(self.place, cursor);
        self.word = queue.word(self.place);
    }
}

/// How the contents at a read differ from the running ones of a cell.
struct Difference<'a> {
    lane: &'a Lane,
    needs: Needs,
    members: Option<&'a Members>,
    /// Of the members touched, how many rows more (or less) there are.
    touched: Option<HashMap<u64, i64>>,
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
        let known = self.members.map_or(0, |members| i64::from(members.count(word)));
        let change = self.touched.get_or_insert_default().entry(word).or_insert(0);
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
