//! A monotone queue: the least (or greatest) word of any window that ends at the newest row.

use std::collections::VecDeque;

/// Ordered words that no later row beats, with their row numbers. The first entry inside a window
/// is the window's answer, whichever window: one queue serves all windows of a lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    entries: VecDeque<(u64, i64)>,
    /// Entries dropped at the front since the beginning: places count from there.
    dropped: u64,
}

impl Queue {
    /// Puts in a row's word. `beats(new, old)`: an older `old` can never be the answer again once
    /// `new` is there. Returns the first place whose entry is not what it was.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        number: u64,
        word: i64,
        newest: bool,
        beats: impl Fn(i64, i64) -> bool,
    ) -> u64 {
        if newest {
            while self.entries.back().is_some_and(|e| beats(word, e.1)) {
                self.entries.pop_back();
            }
            self.entries.push_back((number, word));
            return self.dropped + self.entries.len() as u64 - 1;
        }
        let at = self.entries.partition_point(|e| e.0 < number);
        // A later row that is as good already stands: the new one never shows.
        if self.entries.get(at).is_some_and(|later| beats(later.1, word)) {
            return self.dropped + self.entries.len() as u64;
        }
        let keep = (0..at).rev().find(|i| !beats(word, self.entries[*i].1)).map_or(0, |i| i + 1);
        self.entries.drain(keep..at);
        self.entries.insert(keep, (number, word));
        self.dropped + keep as u64
    }

    /// A row was put at `from`: later ones have moved up by one.
    pub(crate) fn shift(&mut self, from: u64) {
        for entry in self.entries.iter_mut().rev().take_while(|e| e.0 >= from) {
            entry.0 += 1;
        }
    }

    /// Rows before `first` are gone.
    #[inline]
    pub(crate) fn drop_before(&mut self, first: u64) {
        while self.entries.front().is_some_and(|e| e.0 < first) {
            self.entries.pop_front();
            self.dropped += 1;
        }
    }

    /// The place of the first entry not before row `low`, at `place` or after it.
    #[inline]
    pub(crate) fn advance(&self, place: u64, low: u64) -> u64 {
        let mut at = place.saturating_sub(self.dropped) as usize;
        while self.entries.get(at).is_some_and(|e| e.0 < low) {
            at += 1;
        }
        self.dropped + at as u64
    }

    /// The place of the first entry not before row `low`, wherever it is.
    pub(crate) fn place(&self, low: u64) -> u64 {
        self.dropped + self.entries.partition_point(|e| e.0 < low) as u64
    }

    /// Row number and word of the entry at a place.
    #[inline]
    pub(crate) fn get(&self, place: u64) -> Option<(u64, i64)> {
        self.entries.get(place.saturating_sub(self.dropped) as usize).copied()
    }

    /// The word at a place, if there is an entry.
    #[inline]
    pub(crate) fn word(&self, place: u64) -> Option<i64> {
        self.get(place).map(|e| e.1)
    }

    /// Reads the newest entry, so that it is in the cache.
    #[inline]
    pub(crate) fn peek(&self) -> u64 {
        self.entries.back().map_or(0, |e| e.0)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(u64, i64)>()
    }
}
