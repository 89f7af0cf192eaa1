//! The events of one key, in order: row-major words, the oldest first.

use millrace_event::EventTime;

/// Rows of `stride` words each; word 0 is the event time. Removing many from the front is O(1)
/// amortised: rows are skipped first, and moved when more than half of the buffer is skipped. How
/// many are skipped is kept by whoever has many rows, the index of a busy key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    words: Vec<u64>,
}

/// A borrowed view that knows the stride.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowsView<'a> {
    words: &'a [u64],
    stride: usize,
}

impl<'a> RowsView<'a> {
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

    /// The first `count` rows.
    #[inline]
    pub(crate) fn until(self, count: usize) -> RowsView<'a> {
        RowsView { words: &self.words[..count * self.stride], stride: self.stride }
    }

    /// Rows `low .. high`, the newest first.
    #[inline]
    pub(crate) fn newest_first(self, low: usize, high: usize) -> impl Iterator<Item = &'a [u64]> {
        self.words[low * self.stride..high * self.stride].chunks_exact(self.stride).rev()
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
        const LINEAR_MAX: usize = 16;
        let n = self.len();
        if n <= LINEAR_MAX {
            return (0..n).take_while(|i| self.time(*i) <= boundary).count();
        }
        let (mut low, mut high) = (0, n);
        while low < high {
            let middle = low.midpoint(high);
            if self.time(middle) <= boundary {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

impl Rows {
    #[inline]
    pub(crate) fn view(&self, stride: usize, skipped: usize) -> RowsView<'_> {
        RowsView { words: &self.words[skipped * stride..], stride }
    }

    /// Inserts a row before row `at` of the buffer and returns its words, all zero.
    pub(crate) fn insert(&mut self, at: usize, stride: usize) -> &mut [u64] {
        self.grow(stride);
        let start = at * stride;
        let end = self.words.len();
        self.words.resize(end + stride, 0);
        if start < end {
            self.words.copy_within(start..end, start + stride);
            self.words[start..start + stride].fill(0);
        }
        &mut self.words[start..start + stride]
    }

    /// Room for one more row. Small blocks grow by little, so that a quiet key stays small.
    fn grow(&mut self, stride: usize) {
        let capacity = self.words.capacity();
        if capacity - self.words.len() >= stride {
            return;
        }
        let rows = capacity / stride;
        let more = match rows {
            0..=15 => 4,
            16..=31 => rows / 2,
            _ => rows,
        };
        self.words.reserve_exact(more * stride);
    }

    /// Removes `count` rows after those `skipped`; returns how many are skipped now.
    pub(crate) fn remove_front(&mut self, count: usize, stride: usize, skipped: usize) -> usize {
        let skipped = skipped + count;
        if skipped * stride * 2 < self.words.len() {
            return skipped;
        }
        self.drop_front(skipped, stride);
        0
    }

    /// Removes the first `count` rows of the buffer and moves the others.
    pub(crate) fn drop_front(&mut self, count: usize, stride: usize) {
        self.words.drain(..count * stride);
        let rows = self.words.len() / stride;
        if self.words.capacity() > 4 * self.words.len().max(4 * stride) {
            self.words.shrink_to((rows + 2) * stride);
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
        for row in self.words.chunks_exact_mut(stride).skip(skipped) {
            row[slot] = map(row[slot]);
        }
    }

    pub(crate) fn from_words(words: Vec<u64>) -> Rows {
        Rows { words }
    }

    /// The first word of the buffer: reading it brings the rows into the cache.
    #[inline]
    pub(crate) fn peek(&self) -> u64 {
        self.words.first().copied().unwrap_or(0)
    }

    /// The last word of the buffer: it lies beside where the next row goes.
    #[inline]
    pub(crate) fn peek_last(&self) -> u64 {
        self.words.last().copied().unwrap_or(0)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.words.capacity() * 8
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
