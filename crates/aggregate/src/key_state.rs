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

use millrace_event::{EventId, EventTime};
use smallvec::SmallVec;

use crate::arguments::Arguments;
use crate::dictionary::Dictionary;
use crate::gap::Gap;
use crate::ids::Ids;
use crate::index::{INDEX_ABOVE, INDEX_BELOW, Index};
use crate::position::Horizon;
use crate::rows::{self, Rows, Times, Words, boundary};
use crate::shape::{Kind, Shape};
use crate::summary::{Removed, Summary, text_partials};

/// Rows that one key may hold. Beyond it the oldest go early, and what would need them answers
/// with the state `limit`.
pub const ROWS_PER_KEY_MAX: usize = 1 << 22;

/// Whether any of many ids is settled is looked at once in so many events: the oldest row that has
/// one is seldom in the cache.
const LOOK_EVERY: usize = 16;
/// With fewer, the row is.
const FEW_IDS: usize = 32;

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
            self.remove_rows_until(shape, horizon);
            let ids = self.extra.as_ref().map_or(0, |extra| extra.ids.len());
            if ids < FEW_IDS || ids.is_multiple_of(LOOK_EVERY) {
                self.remove_settled_ids(shape, horizon);
            }
            self.drop_empty_extra(shape);
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
                let until = rows.count_until_from_end(time);
                let is_tie = until > 0 && rows.time(until - 1) == time;
                match id.map(EventId::as_bytes) {
                    Some(id) if is_tie && self.id(shape, until - 1) > Some(id) => {
                        self.place_among_ties(shape, time, id, until)
                    }
                    Some(_) | None => until,
                }
            }
        }
    }

    /// Where it belongs among the rows of one time, which go up to `until`.
    fn place_among_ties(&self, shape: &Shape, time: i64, id: &[u8], until: usize) -> usize {
        let rows = self.times(shape);
        let Some(extra) = &self.extra else { return until };
        let without = rows.len() - extra.ids.len();
        let from = rows.count_until_from_end(time.saturating_sub(1)).max(without);
        from + extra.ids.count_while(from - without..until - without, |tie| tie <= id)
    }

    /// The id of a row, where it is still kept.
    pub(crate) fn id(&self, shape: &Shape, row: usize) -> Option<&[u8]> {
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

    pub(crate) fn extra(&mut self) -> &mut Extra {
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
        self.remove_rows_until(shape, horizon);
        self.remove_settled_ids(shape, horizon);
        self.drop_empty_extra(shape);
    }

    fn remove_rows_until(&mut self, shape: &Shape, horizon: Horizon) {
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
    }

    fn remove_settled_ids(&mut self, shape: &Shape, horizon: Horizon) {
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
    }

    fn remove_rows(&mut self, shape: &Shape, gone: usize, horizon: Horizon) {
        if !shape.summarised.is_empty() {
            self.summarise_rows(shape, gone, horizon);
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

    /// Adds the first `gone` rows to the summaries.
    fn summarise_rows(&mut self, shape: &Shape, gone: usize, horizon: Horizon) {
        // The ids are read one after the other: to look for each would take as many steps.
        let ids = self.extra.as_mut().map(|extra| std::mem::take(&mut extra.ids));
        let without = self.times(shape).len() - ids.as_ref().map_or(0, Ids::len);
        let mut of_rows = ids.as_ref().map(|ids| ids.range(0..ids.len()));
        for row in 0..gone {
            let words = self.words(shape);
            let words = SmallVec::<[u64; 16]>::from_slice(words.view(shape.stride).row(row));
            let id = if row < without { None } else { of_rows.as_mut().and_then(Iterator::next) };
            let id = EventId::from_bytes(id.unwrap_or_default());
            self.summarise(shape, &words, &id, horizon);
        }
        drop(of_rows);
        if let Some(ids) = ids {
            self.extra().ids = ids;
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
        let ids = self.extra.as_ref().map_or(0, |extra| extra.ids.peek());
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
