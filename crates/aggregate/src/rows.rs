//! The events of one key, in order: row-major words, the oldest first.

use millrace_event::EventTime;
use smallvec::SmallVec;

use crate::gap::Gap;
use crate::packed::Packed;

/// Rows of `stride` words each; word 0 is the event time. A quiet key has them packed. Of wide
/// rows, removing many from the front is O(1) amortised: rows are skipped first, and moved when
/// more than half of the buffer is skipped, or a quarter of a full one. How many are skipped is
/// kept by whoever has many rows, the index of a busy key.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    Packed(Packed),
    Wide(Vec<u64>),
}

const _: () = assert!(size_of::<Rows>() == 24);

impl Default for Rows {
    fn default() -> Rows {
        Rows::Wide(Vec::new())
    }
}

/// The times of all rows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Times<'a> {
    Packed(&'a Packed, usize),
    Wide(RowsView<'a>),
    /// While late rows are being added.
    Gapped(RowsView<'a>, Gap),
}

impl Times<'_> {
    #[inline]
    pub(crate) fn len(self) -> usize {
        match self {
            Times::Packed(packed, _) => packed.len(),
            Times::Wide(rows) => rows.len(),
            Times::Gapped(rows, gap) => rows.len() - gap.room,
        }
    }

    #[inline]
    pub(crate) fn time(self, index: usize) -> i64 {
        match self {
            Times::Packed(packed, stride) => packed.time(index, stride),
            Times::Wide(rows) => rows.time(index),
            Times::Gapped(rows, gap) => rows.time(gap.place(index)),
        }
    }

    #[inline]
    pub(crate) fn first_time(self) -> Option<i64> {
        (self.len() > 0).then(|| self.time(0))
    }

    #[inline]
    pub(crate) fn last_time(self) -> Option<i64> {
        self.len().checked_sub(1).map(|i| self.time(i))
    }

    /// How many rows have a time not after `boundary`.
    pub(crate) fn count_until(self, boundary: i64) -> usize {
        match self {
            Times::Packed(..) => (0..self.len()).take_while(|i| self.time(*i) <= boundary).count(),
            Times::Wide(rows) => rows.count_until(boundary),
            Times::Gapped(..) => search(0, self.len(), boundary, |row| self.time(row)),
        }
    }

    /// As [`Times::count_until`], for a time near that of the last rows, which are in the cache.
    pub(crate) fn count_until_from_end(self, boundary: i64) -> usize {
        let mut high = self.len();
        let mut step = 1;
        while high > 0 {
            let row = high.saturating_sub(step);
            if self.time(row) <= boundary {
                return search(row + 1, high, boundary, |row| self.time(row));
            }
            high = row;
            step *= 2;
        }
        0
    }
}

/// How many of the rows before `high` have a time not after `boundary`; those before `low` have.
fn search(mut low: usize, mut high: usize, boundary: i64, time: impl Fn(usize) -> i64) -> usize {
    while low < high {
        let middle = low.midpoint(high);
        if time(middle) <= boundary {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Rows as wide words, copied if they are not held so.
#[expect(clippy::large_enum_variant, reason = "it lives on the stack, for one call")]
pub(crate) enum Words<'a> {
    Held(&'a [u64]),
    /// Few, as they were packed: they find room without an allocation.
    Copied(SmallVec<[u64; 64]>),
}

impl Words<'_> {
    pub(crate) fn view(&self, stride: usize) -> RowsView<'_> {
        match self {
            Words::Held(words) => RowsView { words, stride },
            Words::Copied(words) => RowsView { words, stride },
        }
    }
}

/// A borrowed view that knows the stride.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowsView<'a> {
    words: &'a [u64],
    stride: usize,
}

impl<'a> RowsView<'a> {
    pub(crate) fn new(words: &'a [u64], stride: usize) -> RowsView<'a> {
        RowsView { words, stride }
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        self.words.len() / self.stride
    }

    #[inline]
    pub(crate) fn row(self, index: usize) -> &'a [u64] {
        &self.words[index * self.stride..][..self.stride]
    }

    #[inline]
    pub(crate) fn time(self, index: usize) -> i64 {
        self.words[index * self.stride] as i64
    }

    #[cfg(test)]
    pub(crate) fn rows(self) -> impl Iterator<Item = &'a [u64]> {
        self.words.chunks_exact(self.stride)
    }

    /// The first `count` rows.
    #[inline]
    pub(crate) fn until(self, count: usize) -> RowsView<'a> {
        RowsView { words: &self.words[..count * self.stride], stride: self.stride }
    }

    /// All but the first `count` rows.
    #[inline]
    pub(crate) fn after(self, count: usize) -> RowsView<'a> {
        RowsView { words: &self.words[count * self.stride..], stride: self.stride }
    }

    /// Rows `low .. high`, the newest first.
    #[inline]
    pub(crate) fn newest_first(self, low: usize, high: usize) -> impl Iterator<Item = &'a [u64]> {
        self.words[low * self.stride..high * self.stride].chunks_exact(self.stride).rev()
    }

    #[inline]
    pub(crate) fn last_time(self) -> Option<i64> {
        self.len().checked_sub(1).map(|i| self.time(i))
    }

    /// How many rows have a time not after `boundary`.
    pub(crate) fn count_until(self, boundary: i64) -> usize {
        const LINEAR_MAX: usize = 16;
        let n = self.len();
        if n <= LINEAR_MAX {
            return (0..n).take_while(|i| self.time(*i) <= boundary).count();
        }
        search(0, n, boundary, |row| self.time(row))
    }
}

impl Rows {
    /// Rows are packed if they are few and fit.
    pub(crate) fn from_words(words: Vec<u64>, stride: usize) -> Rows {
        match Packed::new(&words, stride) {
            Some(packed) => Rows::Packed(packed),
            None => Rows::Wide(words),
        }
    }

    #[inline]
    pub(crate) fn times(&self, stride: usize, skipped: usize, gap: Gap) -> Times<'_> {
        match self {
            Rows::Packed(packed) => Times::Packed(packed, stride),
            Rows::Wide(words) => {
                let rows = RowsView { words: &words[skipped * stride..], stride };
                if gap.room == 0 { Times::Wide(rows) } else { Times::Gapped(rows, gap) }
            }
        }
    }

    pub(crate) fn words(&self, stride: usize, skipped: usize) -> Words<'_> {
        match self {
            Rows::Packed(packed) => {
                let mut words = SmallVec::from_elem(0, packed.len() * stride);
                packed.unpack(stride, &mut words);
                Words::Copied(words)
            }
            Rows::Wide(words) => Words::Held(&words[skipped * stride..]),
        }
    }

    /// The rows of a key that has an index, or that is to have one: they are wide.
    #[inline]
    pub(crate) fn view(&self, stride: usize, skipped: usize) -> RowsView<'_> {
        let words = match self {
            Rows::Packed(_) => &[][..],
            Rows::Wide(words) => &words[skipped * stride..],
        };
        debug_assert!(matches!(self, Rows::Wide(_)), "a key with an index has wide rows");
        RowsView { words, stride }
    }

    /// Inserts a row before row `at` of the buffer.
    #[inline]
    pub(crate) fn insert(&mut self, at: usize, row: &[u64]) {
        let stride = row.len();
        match self {
            Rows::Packed(packed) => {
                if !packed.insert(at, row) {
                    self.insert_anew(at, row);
                }
            }
            Rows::Wide(words) if words.is_empty() => {
                if let Some(packed) = Packed::new(row, stride) {
                    *self = Rows::Packed(packed);
                } else {
                    insert_wide(words, at, row);
                }
            }
            Rows::Wide(words) => insert_wide(words, at, row),
        }
    }

    /// A row does not fit beside the others: with another base it may.
    #[cold]
    fn insert_anew(&mut self, at: usize, row: &[u64]) {
        let mut words = self.take_words(row.len());
        insert_wide(&mut words, at, row);
        *self = Rows::from_words(words, row.len());
    }

    fn take_words(&mut self, stride: usize) -> Vec<u64> {
        match std::mem::take(self) {
            Rows::Packed(packed) => {
                let length = packed.len() * stride;
                let mut words = Vec::with_capacity(length + stride);
                words.resize(length, 0);
                packed.unpack(stride, &mut words);
                words
            }
            Rows::Wide(words) => words,
        }
    }

    /// Removes `count` rows after those `skipped`; returns how many are skipped now.
    pub(crate) fn remove_front(&mut self, count: usize, stride: usize, skipped: usize) -> usize {
        let skipped = skipped + count;
        if let Rows::Wide(words) = self
            && skipped * stride * 2 < words.len()
        {
            return skipped;
        }
        self.drop_front(skipped, stride);
        0
    }

    /// Before a row is added: a full buffer of which a good part is skipped needs no more room, for
    /// the rows can move to its front. Returns how many are skipped now.
    pub(crate) fn reuse_front(&mut self, stride: usize, skipped: usize) -> usize {
        match self {
            Rows::Wide(words)
                if words.capacity() - words.len() < stride
                    && skipped * stride * 4 >= words.len() =>
            {
                self.drop_front(skipped, stride);
                0
            }
            Rows::Wide(_) | Rows::Packed(_) => skipped,
        }
    }

    /// Removes the first `count` rows of the buffer and moves the others.
    pub(crate) fn drop_front(&mut self, count: usize, stride: usize) {
        match self {
            Rows::Packed(packed) if packed.len() == count => *self = Rows::default(),
            Rows::Packed(packed) => packed.drop_front(count, stride),
            Rows::Wide(words) => {
                words.drain(..count * stride);
                let rows = words.len() / stride;
                if words.capacity() > 4 * words.len().max(4 * stride) {
                    words.shrink_to((rows + 2) * stride);
                }
            }
        }
    }

    /// Rows for an index.
    #[cfg(test)]
    pub(crate) fn widen(&mut self, stride: usize) {
        *self = Rows::Wide(self.take_words(stride));
    }

    /// Packs the rows of a key that became quiet.
    pub(crate) fn pack(&mut self, stride: usize) {
        if let Rows::Wide(words) = self
            && let Some(packed) = Packed::new(words, stride)
        {
            *self = Rows::Packed(packed);
        }
    }

    /// Rewrites one word of every row.
    pub(crate) fn map_slot(
        &mut self,
        stride: usize,
        skipped: usize,
        slot: usize,
        map: impl Fn(u64) -> u64,
    ) {
        let packed = matches!(self, Rows::Packed(_));
        let mut words = self.take_words(stride);
        for row in words.chunks_exact_mut(stride).skip(skipped) {
            row[slot] = map(row[slot]);
        }
        *self = if packed { Rows::from_words(words, stride) } else { Rows::Wide(words) };
    }

    /// The first word of the buffer: reading it brings the rows into the cache.
    #[inline]
    pub(crate) fn peek(&self) -> u64 {
        match self {
            Rows::Packed(packed) => packed.peek(),
            Rows::Wide(words) => words.first().copied().unwrap_or(0),
        }
    }

    /// The last word of the buffer: it lies beside where the next row goes.
    #[inline]
    pub(crate) fn peek_last(&self) -> u64 {
        match self {
            Rows::Packed(_) => 0,
            Rows::Wide(words) => words.last().copied().unwrap_or(0),
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Rows::Packed(packed) => packed.heap_bytes(),
            Rows::Wide(words) => words.capacity() * size_of::<u64>(),
        }
    }
}

/// Makes room for a row at least: twice as much as there is, and of much, half as much again.
fn make_room(words: &mut Vec<u64>, stride: usize) {
    const MANY: usize = 64;
    if words.capacity() - words.len() < stride {
        let rows = words.capacity() / stride;
        words.reserve_exact(if rows < MANY { rows.max(2) } else { rows / 2 } * stride);
    }
}

/// A new last row, all of zeros.
#[inline]
pub(crate) fn append(words: &mut Vec<u64>, stride: usize) -> &mut [u64] {
    make_room(words, stride);
    let end = words.len();
    words.resize(end + stride, 0);
    &mut words[end..]
}

fn insert_wide(words: &mut Vec<u64>, at: usize, row: &[u64]) {
    let stride = row.len();
    make_room(words, stride);
    let start = at * stride;
    let end = words.len();
    words.extend_from_slice(row);
    if start < end {
        words[start..].rotate_right(stride);
    }
}

/// The old end of a window at `t`: events after it are inside.
pub(crate) fn boundary(window: &crate::Window, t: EventTime) -> i64 {
    match window {
        crate::Window::Sliding { width, every: None } => t.minus(*width).0,
        crate::Window::Sliding { width, every: Some(grid) } => t.minus(*width).floor_to(*grid).0,
        crate::Window::Lifetime => i64::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STRIDE: usize = 3;

    fn word() -> impl Strategy<Value = u64> {
        prop_oneof![
            20 => (-3i64..3).prop_map(|n| n as u64),
            2 => Just(i32::MIN as i64 as u64),
            2 => Just(i32::MAX as u64),
            1 => Just(1u64 << 31),
            1 => any::<u64>(),
        ]
    }

    fn time() -> impl Strategy<Value = i64> {
        const FAR: i64 = 1 << 47;
        prop_oneof![
            20 => -100i64..100,
            2 => (0i64..3).prop_map(|n| FAR - 1 + n),
            2 => (0i64..3).prop_map(|n| 1 - FAR - n),
            1 => Just(i64::MAX),
            1 => Just(i64::MIN),
        ]
    }

    proptest! {
        #[test]
        fn rows_are_held_as_in_a_list(
            changes in prop::collection::vec((time(), word(), word(), 0usize..40), 1..80),
        ) {
            let mut rows = Rows::default();
            let mut oracle: Vec<[u64; STRIDE]> = Vec::new();
            for (time, a, b, change) in changes {
                if change < 30 {
                    let row = [time as u64, a, b];
                    let at = oracle.partition_point(|r| r[0] as i64 <= time);
                    rows.insert(at, &row);
                    oracle.insert(at, row);
                } else {
                    let gone = (change - 30).min(oracle.len());
                    rows.drop_front(gone, STRIDE);
                    oracle.drain(..gone);
                    rows.pack(STRIDE);
                }
                let times = rows.times(STRIDE, 0, Gap::default());
                prop_assert_eq!(times.len(), oracle.len());
                prop_assert!((0..oracle.len()).all(|i| times.time(i) == oracle[i][0] as i64));
                prop_assert_eq!(
                    times.count_until(time),
                    oracle.iter().filter(|r| r[0] as i64 <= time).count()
                );
                prop_assert_eq!(times.count_until_from_end(time), times.count_until(time));
                let words = rows.words(STRIDE, 0);
                let view = words.view(STRIDE);
                prop_assert!((0..oracle.len()).all(|i| view.row(i) == oracle[i]));
            }
        }
    }
}
