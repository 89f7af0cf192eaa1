//! The few rows of a quiet key, in about half the space.
//!
//! ```text
//!   count | base time (4) | time - base (3), word (2), word (2), … | …      in units of 16 bits
//! ```
//!
//! Most words are small, and most keys quiet: this is what most of the memory goes to. Rows that do
//! not fit are held wide instead.

/// A key holds at most so many rows packed: reading them takes time linear in their number.
pub(crate) const PACKED_MAX: usize = 16;

/// A block has room for a multiple of so many rows.
const ROOM: usize = 4;

/// Units before the first row.
const HEAD: usize = 5;
/// Units of a time, as the difference from the base: ± 4 years.
const TIME: usize = 3;
/// Units of any other word.
const WORD: usize = 2;

/// Rows of equal stride; room for some more may follow the last.
#[derive(Clone, Debug)]
pub(crate) struct Packed(Box<[u16]>);

const fn width(stride: usize) -> usize {
    TIME + WORD * (stride - 1)
}

impl Packed {
    /// `None` when there are too many rows, none at all, or one does not fit.
    pub(crate) fn new(words: &[u64], stride: usize) -> Option<Packed> {
        let rows = words.len() / stride;
        let base = *words.first()?;
        if rows > PACKED_MAX {
            return None;
        }
        let mut units = vec![0u16; HEAD + room(rows) * width(stride)].into_boxed_slice();
        units[0] = rows as u16;
        for (at, unit) in units[1..HEAD].iter_mut().enumerate() {
            *unit = (base >> (16 * at)) as u16;
        }
        let mut packed = Packed(units);
        for (at, row) in words.chunks_exact(stride).enumerate() {
            if !packed.put(at, row) {
                return None;
            }
        }
        Some(packed)
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        usize::from(self.0[0])
    }

    #[inline]
    fn base(&self) -> i64 {
        let unit = |at: usize| u64::from(self.0[1 + at]) << (16 * at);
        (unit(0) | unit(1) | unit(2) | unit(3)) as i64
    }

    #[inline]
    pub(crate) fn time(&self, row: usize, stride: usize) -> i64 {
        let at = HEAD + row * width(stride);
        self.base().wrapping_add(difference(&self.0[at..at + TIME]))
    }

    /// Writes the words of all rows, in order, over the first of these.
    #[inline]
    pub(crate) fn unpack(&self, stride: usize, words: &mut [u64]) {
        let base = self.base();
        let width = width(stride);
        let mut units = &self.0[HEAD..];
        let mut words = words;
        // Chunks of a length that is not known ahead would cost a division each time.
        for _ in 0..self.len() {
            let (row, behind) = units.split_at(width);
            let (to, after) = words.split_at_mut(stride);
            (units, words) = (behind, after);
            to[0] = base.wrapping_add(difference(row)) as u64;
            let (pairs, _) = row[TIME..].as_chunks::<WORD>();
            for (word, [low, high]) in to[1..].iter_mut().zip(pairs) {
                let narrow = u32::from(*low) | u32::from(*high) << 16;
                *word = i64::from(narrow.cast_signed()) as u64;
            }
        }
    }

    /// Writes a row over what stands at `at`; `false` when it does not fit.
    #[inline]
    fn put(&mut self, at: usize, words: &[u64]) -> bool {
        let base = self.base();
        let width = width(words.len());
        let units = &mut self.0[HEAD + at * width..][..width];
        let offset = (words[0] as i64).wrapping_sub(base);
        let mut fits = offset == offset << 16 >> 16;
        for (at, unit) in units[..TIME].iter_mut().enumerate() {
            *unit = (offset >> (16 * at)) as u16;
        }
        for (word, units) in words[1..].iter().zip(units[TIME..].chunks_exact_mut(WORD)) {
            fits &= *word == i64::from(*word as i32) as u64;
            units[0] = *word as u16;
            units[1] = (*word >> 16) as u16;
        }
        fits
    }

    /// Puts a row before the one at `at`; `false`, and nothing changes, when it does not fit.
    pub(crate) fn insert(&mut self, at: usize, words: &[u64]) -> bool {
        let width = width(words.len());
        let rows = self.len();
        if rows >= PACKED_MAX {
            return false;
        }
        let end = HEAD + rows * width;
        if self.0.len() < end + width {
            let mut units = std::mem::take(&mut self.0).into_vec();
            let length = HEAD + room(rows + 1) * width;
            units.reserve_exact(length - units.len());
            units.resize(length, 0);
            self.0 = units.into_boxed_slice();
        }
        // It is written after the last row and turned into its place.
        if !self.put(rows, words) {
            return false;
        }
        self.0[HEAD + at * width..end + width].rotate_right(width);
        self.0[0] += 1;
        true
    }

    /// Removes the first `count` rows.
    pub(crate) fn drop_front(&mut self, count: usize, stride: usize) {
        let width = width(stride);
        let left = self.len() - count;
        let from = HEAD + count * width;
        self.0.copy_within(from..from + left * width, HEAD);
        self.0[0] = left as u16;
        if self.0.len() > HEAD + (room(left) + ROOM) * width {
            self.0 = self.0[..HEAD + room(left) * width].into();
        }
    }

    /// Units at either end, which stand for the block being in the cache.
    #[inline]
    pub(crate) fn peek(&self) -> u64 {
        u64::from(self.0[0]) ^ u64::from(self.0[self.0.len() - 1])
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.len() * size_of::<u16>()
    }
}

/// How many rows a block for so many has room for.
fn room(rows: usize) -> usize {
    rows.next_multiple_of(ROOM)
}

#[inline]
fn difference(units: &[u16]) -> i64 {
    let unit = |at: usize| u64::from(units[at]) << (16 * at);
    ((unit(0) | unit(1) | unit(2)) << 16) as i64 >> 16
}
