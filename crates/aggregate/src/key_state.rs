//! The key state: everything one group holds for one key.
//!
//! ```text
//!   tiles, lifetime summary  |  rows, in (time, id) order            |
//!   (events removed so far)  |  one row per event, all windows share |
//!                            ^ removal horizon                       ^ newest
//! ```
//!
//! An event is a row until no window without `every` can need it (the removal horizon); then it is
//! added to the tiles of `every` windows and to the lifetime summary, and removed. So each event is
//! counted in exactly one of the two. A quiet key is nothing but rows, and is read by a walk over
//! them; a busy one has an [`Index`] as well, derived from the rows and never stored.

use std::collections::VecDeque;

use millrace_event::{Column, EventId, EventTime};
use smallvec::SmallVec;

use crate::Window;
use crate::arguments::Arguments;
use crate::dictionary::Dictionary;
use crate::gap::Gap;
use crate::ids::Ids;
use crate::index::{INDEX_ABOVE, INDEX_BELOW, Index};
use crate::partial::Partial;
use crate::readings::Readings;
use crate::rows::{self, Rows, Times, Words, boundary};
use crate::scan::scan;
use crate::shape::{Kind, Shape};
use crate::value::{Contents, push_output};

/// Rows that one key may hold. Beyond it the oldest go early, and what would need them answers
/// with the state `limit`.
pub const ROWS_PER_KEY_MAX: usize = 1 << 22;

/// Where a read is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// After all events with a time not after this one.
    Time(EventTime),
    /// After all events that precede (time, id).
    Before(EventTime, EventId),
    /// After all events up to (time, id), itself included.
    Including(EventTime, EventId),
}

impl Position {
    pub fn time(&self) -> EventTime {
        match self {
            Position::Time(t) | Position::Before(t, _) | Position::Including(t, _) => *t,
        }
    }
}

/// How far back a group's states are complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Reads at this time or later are exact; no event before it will arrive but by replay.
    pub exact_from: EventTime,
    /// Events up to this time may have been removed from the rows.
    pub removed_to: EventTime,
}

impl Horizon {
    /// The horizon of a group when no read before `exact_from` needs to be exact.
    pub fn at(shape: &Shape, exact_from: EventTime) -> Horizon {
        // An event at the horizon itself stays a row: a read may be just before it.
        let width = shape.raw_width.max(millrace_event::Span(1));
        Horizon { exact_from, removed_to: exact_from.minus(width) }
    }
}

/// All that one group holds for one key.
#[derive(Clone, Debug, Default)]
pub struct KeyState {
    pub(crate) rows: Rows,
    pub(crate) extra: Option<Box<Extra>>,
    pub(crate) index: Option<Box<Index>>,
}

/// What only some keys have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    pub(crate) dictionary: Dictionary,
    /// Ids of the newest `ids.len()` rows.
    pub(crate) ids: Ids,
    /// `None` for most keys.
    pub(crate) removed: Option<Box<Removed>>,
}

const _: () = assert!(size_of::<Extra>() == 32);

/// What is left of rows that went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Removed {
    /// Per cell of a summarised window, in the order of [`Shape::summary_cells`].
    pub(crate) summaries: Vec<Summary>,
    /// Rows up to here went early because of [`ROWS_PER_KEY_MAX`].
    pub(crate) truncated_to: Option<EventTime>,
}

impl Extra {
    pub(crate) fn removed(&mut self) -> &mut Removed {
        self.removed.get_or_insert_default()
    }

    pub(crate) fn summaries(&self) -> &[Summary] {
        self.removed.as_ref().map_or(&[], |removed| &removed.summaries)
    }

    pub(crate) fn truncated_to(&self) -> Option<EventTime> {
        self.removed.as_ref()?.truncated_to
    }
}

/// The removed events of one cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Summary {
    Lifetime(Partial),
    /// By start; the tile `s` covers `(s, s + every]`.
    Tiles(VecDeque<(i64, Partial)>),
}

/// Space for a read's intermediate results, reused from read to read.
#[derive(Debug, Default)]
pub struct Scratch {
    lows: Vec<usize>,
    cells: Vec<Contents>,
}

impl Shape {
    pub(crate) fn summary_cells(&self) -> impl Iterator<Item = usize> + '_ {
        let summarised = |c: &usize| self.summarised.contains(&self.cells[*c].window);
        (0..self.cells.len()).filter(summarised)
    }
}

impl KeyState {
    /// Adds row `row` of `arguments`. Without an id, the event follows all others in order.
    /// An event behind the removal horizon goes to the summaries at once.
    pub fn insert(
        &mut self,
        shape: &Shape,
        arguments: &Arguments,
        row: usize,
        id: Option<&EventId>,
        horizon: Horizon,
    ) {
        self.insert_together(shape, arguments, row, id, horizon, || 1);
        self.close_gap(shape);
    }

    /// As [`KeyState::insert`], for one of several events of the key that come together: `together`
    /// says how many are left, this one included. After the last, [`KeyState::close_gap`] is to be
    /// called before anything else.
    pub fn insert_together(
        &mut self,
        shape: &Shape,
        arguments: &Arguments,
        row: usize,
        id: Option<&EventId>,
        horizon: Horizon,
        together: impl FnOnce() -> usize,
    ) {
        let time = arguments.time(row);
        if self.gap().room == 0 {
            self.remove_until(shape, horizon);
        }
        if time <= horizon.removed_to.0 {
            if !shape.summarised.is_empty() {
                let mut words: SmallVec<[u64; 16]> = SmallVec::from_elem(0, shape.stride);
                self.fill(shape, arguments, row, &mut words);
                let id = id.cloned().unwrap_or_else(|| EventId::text(""));
                self.summarise(shape, &words, &id, horizon);
            }
            return;
        }
        self.reuse_front(shape);
        let at = self.place(shape, time, id);
        if !shape.has_text
            && self.gap().room == 0
            && at == self.times(shape).len()
            && let (Rows::Wide(words), Some(index)) = (&mut self.rows, &mut self.index)
        {
            // The common case of a busy key: the words are written where they stay.
            arguments.fill(shape, row, rows::append(words, shape.stride));
            let rows = self.rows.view(shape.stride, index.skipped());
            index.insert(shape, rows, at);
            if let Some(id) = id {
                self.insert_id(shape, at, id);
            }
            return;
        }
        let mut words: SmallVec<[u64; 16]> = SmallVec::from_elem(0, shape.stride);
        self.fill(shape, arguments, row, &mut words);
        if self.is_before_many(shape, at) {
            self.insert_before_many(shape, at, &words, id, together);
        } else {
            self.insert_row(shape, at, &words, id);
        }
    }

    /// See [`Rows::reuse_front`].
    #[inline]
    fn reuse_front(&mut self, shape: &Shape) {
        if let Some(index) = &mut self.index
            && index.skipped() > 0
        {
            index.set_skipped(self.rows.reuse_front(shape.stride, index.skipped()));
        }
    }

    pub(crate) fn insert_row(
        &mut self,
        shape: &Shape,
        at: usize,
        words: &[u64],
        id: Option<&EventId>,
    ) {
        self.rows.insert(self.skipped() + at, words);
        if let Some(id) = id {
            self.insert_id(shape, at, id);
        }
        self.index_row(shape, at);
    }

    #[inline]
    pub(crate) fn times(&self, shape: &Shape) -> Times<'_> {
        self.rows.times(shape.stride, self.skipped(), self.gap())
    }

    #[inline]
    pub(crate) fn words(&self, shape: &Shape) -> Words<'_> {
        self.rows.words(shape.stride, self.skipped())
    }

    /// Rows of the buffer that are there no more.
    #[inline]
    pub(crate) fn skipped(&self) -> usize {
        self.index.as_ref().map_or(0, |index| index.skipped())
    }

    /// Where a row of this time and id belongs.
    fn place(&self, shape: &Shape, time: i64, id: Option<&EventId>) -> usize {
        let rows = self.times(shape);
        match rows.last_time() {
            None => 0,
            Some(last) if last < time => rows.len(),
            Some(_) => {
                let mut at = rows.count_until(time);
                let Some(id) = id.map(EventId::as_bytes) else { return at };
                while at > 0 && rows.time(at - 1) == time && self.id(shape, at - 1) > Some(id) {
                    at -= 1;
                }
                at
            }
        }
    }

    /// The id of a row, where it is still kept.
    fn id(&self, shape: &Shape, row: usize) -> Option<&[u8]> {
        let ids = &self.extra.as_ref()?.ids;
        let first = self.times(shape).len() - ids.len();
        ids.get(row.checked_sub(first)?)
    }

    /// Writes the words of an event. Strings go through the dictionary.
    fn fill(&mut self, shape: &Shape, arguments: &Arguments, row: usize, words: &mut [u64]) {
        arguments.fill(shape, row, words);
        if shape.has_text {
            let dictionary = &mut self.extra().dictionary;
            for (input, slot) in shape.slots.iter().enumerate() {
                if let (Some(slot), Some(text)) = (slot, arguments.text(input, row)) {
                    words[*slot] = dictionary.intern(text);
                }
            }
        }
    }

    fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_with(Box::default)
    }

    pub(crate) fn insert_id(&mut self, shape: &Shape, at: usize, id: &EventId) {
        let rows = self.times(shape).len();
        let extra = self.extra();
        // Rows older than the oldest one with an id have none: their order is settled. A replayed
        // event may fall among them; its id goes as theirs did, and the others still line up.
        let first = rows - 1 - extra.ids.len();
        if at >= first {
            extra.ids.insert(at - first, id.as_bytes());
        }
    }

    fn index_row(&mut self, shape: &Shape, at: usize) {
        let rows = match self.rows.times(shape.stride, self.skipped(), Gap::default()) {
            // Few rows are packed, and have no index.
            Times::Packed(..) => return,
            Times::Wide(rows) | Times::Gapped(rows, _) => rows,
        };
        match &mut self.index {
            Some(index) => index.insert(shape, rows, at),
            None if rows.len() > INDEX_ABOVE => {
                self.index = Some(Box::new(Index::build(shape, rows, 0)));
            }
            None => {}
        }
    }

    /// Removes the rows that lie behind the horizon, and the ids that can no longer matter.
    pub fn remove_until(&mut self, shape: &Shape, horizon: Horizon) {
        let rows = self.times(shape);
        let n = rows.len();
        let mut gone = 0;
        let oldest = match &self.index {
            Some(index) => index.oldest(),
            None => rows.first_time().unwrap_or(i64::MAX),
        };
        while oldest <= horizon.removed_to.0 && gone < n && rows.time(gone) <= horizon.removed_to.0
        {
            gone += 1;
        }
        if n - gone >= ROWS_PER_KEY_MAX {
            gone = n + 1 - ROWS_PER_KEY_MAX;
            let until = EventTime(rows.time(gone - 1));
            self.extra().removed().truncated_to = Some(until);
        }
        if gone > 0 {
            self.remove_rows(shape, gone, horizon);
        }
        let skipped = self.skipped();
        let Some(extra) = &mut self.extra else { return };
        if !shape.ordered && !extra.ids.is_empty() {
            let rows = self.rows.times(shape.stride, skipped, Gap::default());
            let first = rows.len() - extra.ids.len();
            // Most of the time none is settled: one look then, instead of a search.
            if rows.time(first) < horizon.exact_from.0 {
                let settled = rows.count_until(horizon.exact_from.0.saturating_sub(1));
                extra.ids.remove_front(settled.saturating_sub(first));
            }
        }
        self.drop_empty_extra(shape);
    }

    fn remove_rows(&mut self, shape: &Shape, gone: usize, horizon: Horizon) {
        if !shape.summarised.is_empty() {
            for row in 0..gone {
                let words = self.words(shape);
                let words = SmallVec::<[u64; 16]>::from_slice(words.view(shape.stride).row(row));
                let id = EventId::from_bytes(self.id(shape, row).unwrap_or_default());
                self.summarise(shape, &words, &id, horizon);
            }
        }
        let skipped = self.skipped();
        let n = self.times(shape).len();
        if let Some(extra) = &mut self.extra {
            let without = n - extra.ids.len();
            extra.ids.remove_front(gone.saturating_sub(without));
        }
        match &mut self.index {
            None => self.rows.drop_front(gone, shape.stride),
            Some(index) if n - gone < INDEX_BELOW => {
                self.rows.drop_front(index.skipped() + gone, shape.stride);
                self.rows.pack(shape.stride);
                self.index = None;
            }
            Some(index) => {
                let rows = self.rows.view(shape.stride, skipped);
                index.remove_front(shape, rows, gone);
                index.set_skipped(self.rows.remove_front(gone, shape.stride, skipped));
            }
        }
        if shape.has_text && self.extra.as_ref().is_some_and(|e| e.dictionary.is_full()) {
            self.compact_dictionary(shape);
        }
    }

    /// Adds a removed event to the tiles and the lifetime summary.
    fn summarise(&mut self, shape: &Shape, words: &[u64], id: &EventId, horizon: Horizon) {
        let removed = self.extra().removed();
        if removed.summaries.is_empty() {
            removed.summaries = shape
                .summary_cells()
                .map(|c| match shape.layout.windows[shape.cells[c].window] {
                    Window::Lifetime => Summary::Lifetime(Partial::default()),
                    Window::Sliding { .. } => Summary::Tiles(VecDeque::new()),
                })
                .collect();
        }
        let time = EventTime(words[0] as i64);
        for (cell, summary) in shape.summary_cells().zip(&mut removed.summaries) {
            let lane = &shape.lanes[shape.cells[cell].lane];
            if !lane.selects(shape, words) {
                continue;
            }
            let word = lane.word(words);
            match (summary, &shape.layout.windows[shape.cells[cell].window]) {
                (Summary::Lifetime(partial), _) => partial.add(lane, time, id, word),
                (Summary::Tiles(tiles), window) => {
                    let Window::Sliding { every: Some(every), .. } = window else { continue };
                    let oldest = boundary(window, horizon.exact_from);
                    while tiles.front().is_some_and(|t| t.0 < oldest) {
                        tiles.pop_front();
                    }
                    let start = EventTime(time.0 - 1).floor_to(*every).0;
                    if start < oldest {
                        continue;
                    }
                    let at = tiles.partition_point(|t| t.0 < start);
                    if tiles.get(at).is_none_or(|t| t.0 != start) {
                        tiles.insert(at, (start, Partial::default()));
                    }
                    tiles[at].1.add(lane, time, id, word);
                }
            }
        }
    }

    fn drop_empty_extra(&mut self, shape: &Shape) {
        let Some(extra) = &self.extra else { return };
        let in_use = !extra.ids.is_empty()
            || extra.removed.is_some()
            || (shape.has_text && self.times(shape).len() > 0);
        if !in_use {
            self.extra = None;
        }
    }

    /// Whether nothing is left that any read at the horizon or later could show.
    pub fn is_empty(&self, shape: &Shape, horizon: Horizon) -> bool {
        if self.times(shape).last_time().is_some_and(|t| t > horizon.removed_to.0) {
            return false;
        }
        let Some(extra) = &self.extra else { return shape.summarised.is_empty() };
        let pending = self.times(shape).len() > 0 && !shape.summarised.is_empty();
        !pending
            && shape.summary_cells().zip(extra.summaries()).all(|(cell, summary)| match summary {
                Summary::Lifetime(_) => false,
                Summary::Tiles(tiles) => {
                    let window = &shape.layout.windows[shape.cells[cell].window];
                    let oldest = boundary(window, horizon.exact_from);
                    tiles.back().is_none_or(|t| t.0 < oldest)
                }
            })
    }

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
    fn removed_to(&self, horizon: Horizon) -> EventTime {
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
        let mut high = all;
        while high > 0 && rows.time(high - 1) == t {
            match self.id(shape, high - 1) {
                Some(other) if other > id || (!including && other == id) => high -= 1,
                Some(_) | None => break,
            }
        }
        high
    }

    /// Adds what was removed from the rows, and marks what can no longer be known.
    fn add_summaries(
        &self,
        shape: &Shape,
        t: EventTime,
        high: usize,
        horizon: Horizon,
        scratch: &mut Scratch,
    ) {
        let removed = self.removed_to(horizon);
        for (cell, c) in shape.cells.iter().enumerate() {
            let window = &shape.layout.windows[c.window];
            scratch.cells[cell].limited = match window {
                Window::Sliding { every: None, .. } => boundary(window, t) < removed.0,
                Window::Sliding { every: Some(_), .. } => t < horizon.exact_from,
                Window::Lifetime => t < horizon.removed_to,
            };
        }
        let Some(extra) = self.extra.as_ref().filter(|e| !e.summaries().is_empty()) else { return };
        let words = self.words(shape);
        let rows = words.view(shape.stride);
        for (cell, summary) in shape.summary_cells().zip(extra.summaries()) {
            let c = &shape.cells[cell];
            let lane = &shape.lanes[c.lane];
            let contents = &mut scratch.cells[cell];
            let selected = (scratch.lows[c.window]..high)
                .map(|row| rows.row(row))
                .filter(|row| lane.selects(shape, row))
                .map(|row| lane.word(row));
            match summary {
                Summary::Lifetime(partial) => contents.add_older(lane, partial, selected),
                Summary::Tiles(tiles) => {
                    let old_end = boundary(&shape.layout.windows[c.window], t);
                    let mut total = Partial::default();
                    let inside = tiles.partition_point(|tile| tile.0 < old_end);
                    tiles.iter().skip(inside).for_each(|tile| total.merge(lane, &tile.1));
                    contents.add_older(lane, &total, selected);
                }
            }
        }
    }

    /// Drops the strings that no row and no summary uses.
    fn compact_dictionary(&mut self, shape: &Shape) {
        let skipped = self.skipped();
        let Some(extra) = &mut self.extra else { return };
        let slots: SmallVec<[usize; 8]> =
            shape.lanes.iter().filter(|l| l.kind == Kind::Text).map(|l| l.slot).collect();
        let mut used = vec![false; extra.dictionary.len()];
        let words = self.rows.words(shape.stride, skipped);
        let rows = words.view(shape.stride);
        for row in 0..rows.len() {
            slots.iter().for_each(|s| used[rows.row(row)[*s] as usize] = true);
        }
        for partial in text_partials(shape, &mut extra.removed) {
            partial.for_each_word(|word| used[*word as usize] = true);
        }
        let map = extra.dictionary.compact(&used);
        for slot in shape.slots.iter().enumerate().filter_map(|(input, slot)| {
            let text = shape.layout.inputs[input].ty().physical() == millrace_event::Physical::Text;
            slot.filter(|_| text)
        }) {
            self.rows.map_slot(shape.stride, skipped, slot, |word| map[word as usize]);
        }
        for partial in text_partials(shape, &mut extra.removed) {
            partial.for_each_word(|word| *word = map[*word as usize]);
        }
        if self.index.is_some() {
            let mut index = Box::new(Index::build(shape, self.rows.view(shape.stride, skipped), 0));
            index.set_skipped(skipped);
            self.index = Some(index);
        }
    }

    /// Reads a word of the rows, and where the ids are, so that they are in the cache when they are
    /// needed: looking at several keys this way lets their cache misses overlap.
    #[inline]
    pub fn peek(&self) -> u64 {
        let rows = match &self.index {
            Some(index) => index.peek() ^ self.rows.peek_last(),
            None => self.rows.peek() ^ self.rows.peek_last(),
        };
        rows ^ self.extra.as_ref().map_or(0, |extra| u64::from(matches!(extra.ids, Ids::Many(_))))
    }

    /// As [`KeyState::peek`], for what this event will need of a busy key.
    #[inline]
    pub fn peek_for(&self, shape: &Shape, arguments: &Arguments, row: usize) -> u64 {
        let Some(index) = &self.index else { return 0 };
        let rows = self.rows.view(shape.stride, index.skipped());
        let ids = self.extra.as_ref().map_or(0, |extra| extra.ids.len() as u64);
        ids ^ index.peek_for(shape, rows, arguments, row)
    }

    /// Bytes held for this key, this struct included.
    pub fn bytes(&self) -> usize {
        let extra = self.extra.as_ref().map_or(0, |e| {
            let summaries: usize = e.summaries().iter().map(Summary::bytes).sum();
            let removed = e.removed.as_ref().map_or(0, |_| size_of::<Removed>()) + summaries;
            size_of::<Extra>() + e.dictionary.heap_bytes() + e.ids.heap_bytes() + removed
        });
        let index = self.index.as_ref().map_or(0, |i| i.heap_bytes() + size_of::<Index>());
        size_of::<KeyState>() + self.rows.heap_bytes() + extra + index
    }

    /// The same key without an index, which every read then finds by a walk.
    #[cfg(test)]
    pub(crate) fn without_index(&self, shape: &Shape) -> KeyState {
        let mut plain = self.clone();
        plain.rows.drop_front(plain.skipped(), shape.stride);
        plain.index = None;
        plain.rows.pack(shape.stride);
        plain
    }

    /// The event time of the newest row, where there is one.
    pub fn newest(&self, shape: &Shape) -> Option<EventTime> {
        self.times(shape).last_time().map(EventTime)
    }
}

pub(crate) fn text_partials<'a>(
    shape: &'a Shape,
    removed: &'a mut Option<Box<Removed>>,
) -> impl Iterator<Item = &'a mut Partial> {
    shape
        .summary_cells()
        .zip(removed.iter_mut().flat_map(|removed| &mut removed.summaries))
        .filter(|(cell, _)| shape.lanes[shape.cells[*cell].lane].kind == Kind::Text)
        .flat_map(|(_, summary)| match summary {
            Summary::Lifetime(partial) => std::slice::from_mut(partial).iter_mut().collect(),
            Summary::Tiles(tiles) => tiles.iter_mut().map(|t| &mut t.1).collect::<Vec<_>>(),
        })
}

impl Summary {
    fn bytes(&self) -> usize {
        size_of::<Summary>()
            + match self {
                Summary::Lifetime(partial) => partial.heap_bytes(),
                Summary::Tiles(tiles) => {
                    tiles.capacity() * size_of::<(i64, Partial)>()
                        + tiles.iter().map(|t| t.1.heap_bytes()).sum::<usize>()
                }
            }
    }
}
