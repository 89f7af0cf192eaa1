//! What many reads found, held until it is made into columns.
//!
//! A read leaves a few numbers per cell here (how many, their sum, the largest, …); what the
//! aggregates are made of. [`Readings::finish`] then makes the columns, some hundred reads at a
//! time, each column in a loop of its own. Only for shapes whose values need nothing else of the
//! key ([`Shape::is_deferred`]).

use millrace_event::{Column, Mark, State};
use ruint::aliases::U256;
use smallvec::SmallVec;

use crate::exact::quotient;
use crate::packed::Packed;
use crate::partial::{amount, order, square};
use crate::rows::RowsView;
use crate::shape::{Cell, Kind, Lane, Needs, Output, Places, Shape, Way};
use crate::value::{Contents, push_output};
use crate::{Function, Layout};

/// The first word of a cell holds how many, and above that these marks: whether an amount cannot be
/// added, and whether the window's history is no longer kept.
const BAD: u64 = 1 << 32;
const LIMITED: u64 = 1 << 33;

/// Words of a sum in a record; behind them those of its squares.
pub(crate) const SUM_WORDS: usize = 2;
pub(crate) const SQUARES_WORDS: usize = 4;

/// Reads that are made into columns together: the records of most shapes then stay in the nearest
/// cache.
const BLOCK: usize = 256;

/// Reads of one group's keys. Each has a place, in which its record lies: the cells one after the
/// other, of each only what its aggregates need ([`Cell::record`]). So reads may come in any order,
/// and one of them touches few lines of the cache.
#[derive(Debug, Default)]
pub struct Readings {
    /// Longer than needed: what lies behind is of earlier reads.
    words: Vec<u64>,
    places: usize,
    /// Reads that have begun since [`Readings::prepare`].
    begun: usize,
    /// Where the record of the read at hand begins.
    at: usize,
    /// Per window, the first row inside; space for one read.
    lows: Vec<usize>,
    /// Begins with the rows of a quiet key; space for one read.
    unpacked: Vec<u64>,
    /// Per window, the marks of a window whose history is not kept; space for one read.
    marks: SmallVec<[u64; 8]>,
    /// Whether any of them is set.
    is_limited: bool,
}

/// One cell in one read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) count: usize,
    pub(crate) bad: bool,
    pub(crate) sum: i128,
    pub(crate) squares: U256,
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) distinct: usize,
}

impl Reading {
    pub(crate) const EMPTY: Reading = Reading {
        count: 0,
        bad: false,
        sum: 0,
        squares: U256::ZERO,
        min: i64::MAX,
        max: i64::MIN,
        distinct: 0,
    };

    /// Writes what the cell needs into the record of its read.
    #[inline]
    pub(crate) fn put(&self, cell: &Cell, marks: &[u64], words: &mut [u64]) {
        let Cell { window, needs, record, .. } = cell;
        words[record.count] = self.count as u64 | if self.bad { BAD } else { 0 } | marks[*window];
        if needs.has(Needs::SUM) {
            words[record.sum] = self.sum as u64;
            words[record.sum + 1] = (self.sum >> 64) as u64;
            if needs.has(Needs::SQUARES) {
                words[record.sum + SUM_WORDS..][..SQUARES_WORDS]
                    .copy_from_slice(self.squares.as_limbs());
            }
        }
        if needs.has(Needs::MIN) {
            words[record.min] = self.min as u64;
        }
        if needs.has(Needs::MAX) {
            words[record.max] = self.max as u64;
        }
        if needs.has(Needs::DISTINCT) {
            words[record.members] = self.distinct as u64;
        }
    }
}

impl Readings {
    /// Makes room for `reads` reads; each place must be read once before [`Readings::finish`].
    pub fn prepare(&mut self, shape: &Shape, reads: usize) {
        let words = reads * shape.record_words;
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
        (self.places, self.begun) = (reads, 0);
        self.marks.clear();
        self.marks.resize(shape.widths.len(), 0);
        self.is_limited = false;
    }

    /// Begins the read of a place at `t`: windows that reach behind `removed_to` cannot be known.
    #[inline]
    pub(crate) fn begin(&mut self, shape: &Shape, place: usize, t: i64, removed_to: i64) {
        self.begun += 1;
        self.at = place * shape.record_words;
        // Of nearly all reads everything is known.
        let is_limited = t.saturating_sub(shape.raw_width.0) < removed_to;
        if !is_limited && !self.is_limited {
            return;
        }
        self.is_limited = is_limited;
        self.marks.clear();
        let known = shape.widths.iter().map(|width| t.saturating_sub(*width) >= removed_to);
        self.marks.extend(known.map(|known| if known { 0 } else { LIMITED }));
    }

    /// Of the read at hand, and the marks of its windows.
    #[inline]
    pub(crate) fn record(&mut self, shape: &Shape) -> (&mut [u64], &[u64]) {
        (&mut self.words[self.at..][..shape.record_words], &self.marks)
    }

    #[inline]
    fn push(&mut self, shape: &Shape, cell: usize, reading: &Reading) {
        let (record, marks) = self.record(shape);
        reading.put(&shape.cells[cell], marks, record);
    }

    /// Takes over a read that was computed another way.
    pub(crate) fn extend(&mut self, shape: &Shape, cells: &[Contents]) {
        for (cell, contents) in cells.iter().enumerate() {
            let reading = Reading {
                count: contents.count as usize,
                bad: contents.bad > 0,
                sum: contents.sum,
                squares: contents.rare.as_ref().map_or(U256::ZERO, |r| r.squares),
                min: contents.min,
                max: contents.max,
                distinct: contents.distinct,
            };
            self.push(shape, cell, &reading);
        }
    }

    /// Reads every cell of a quiet key.
    pub(crate) fn walk_packed(&mut self, shape: &Shape, packed: &Packed, t: i64) {
        let mut words = std::mem::take(&mut self.unpacked);
        let length = packed.len() * shape.stride;
        if words.len() < length {
            words.resize(length, 0);
        }
        packed.unpack(shape.stride, &mut words);
        let rows = RowsView::new(&words[..length], shape.stride);
        let high = match rows.last_time() {
            Some(last) if last > t => rows.count_until(t),
            Some(_) | None => rows.len(),
        };
        self.walk(shape, rows, high, t);
        self.unpacked = words;
    }

    /// Reads every cell by a walk over the newest of `high` rows.
    pub(crate) fn walk(&mut self, shape: &Shape, rows: RowsView<'_>, high: usize, t: i64) {
        self.lows.clear();
        let mut low = high;
        for width in &shape.widths {
            let old_end = t.saturating_sub(*width);
            while low > 0 && rows.time(low - 1) > old_end {
                low -= 1;
            }
            self.lows.push(low);
        }
        for lane in &shape.lanes {
            match lane.way {
                Way::Count => {
                    for cell in &lane.cells {
                        let low = self.lows[shape.cells[*cell].window];
                        self.push(shape, *cell, &Reading { count: high - low, ..Reading::EMPTY });
                    }
                }
                Way::Words if lane.takes_all => self.words::<true>(shape, lane, rows, high),
                Way::Words => self.words::<false>(shape, lane, rows, high),
                Way::Members => self.members(shape, lane, rows, high),
                Way::General => self.general(shape, lane, rows, high),
            }
        }
    }

    fn words<const ALL: bool>(
        &mut self,
        shape: &Shape,
        lane: &Lane,
        rows: RowsView<'_>,
        high: usize,
    ) {
        let mut sofar = Reading::EMPTY;
        let mut at = high;
        for cell in &lane.cells {
            let low = self.lows[shape.cells[*cell].window];
            for row in rows.newest_first(low, at) {
                if ALL || lane.selects(shape, row) {
                    let word = row[lane.slot] as i64;
                    sofar.count += 1;
                    sofar.sum += i128::from(word);
                    sofar.min = sofar.min.min(word);
                    sofar.max = sofar.max.max(word);
                }
            }
            at = low;
            self.push(shape, *cell, &sofar);
        }
    }

    fn members(&mut self, shape: &Shape, lane: &Lane, rows: RowsView<'_>, high: usize) {
        let mut sofar = Reading::EMPTY;
        let mut filter = MemberFilter::default();
        let mut at = high;
        for cell in &lane.cells {
            let low = self.lows[shape.cells[*cell].window];
            while at > low {
                at -= 1;
                let row = rows.row(at);
                if lane.selects(shape, row) {
                    sofar.count += 1;
                    let known = filter.may_have(row[lane.slot])
                        && is_among(shape, lane, rows, at + 1..high, row[lane.slot]);
                    sofar.distinct += usize::from(!known);
                }
            }
            self.push(shape, *cell, &sofar);
        }
    }

    fn general(&mut self, shape: &Shape, lane: &Lane, rows: RowsView<'_>, high: usize) {
        let mut sofar = Reading::EMPTY;
        let mut at = high;
        for cell in &lane.cells {
            let low = self.lows[shape.cells[*cell].window];
            while at > low {
                at -= 1;
                let row = rows.row(at);
                if !lane.selects(shape, row) {
                    continue;
                }
                let word = lane.word(row);
                sofar.count += 1;
                if lane.needs.has(Needs::DISTINCT) {
                    let known = is_among(shape, lane, rows, at + 1..high, word);
                    sofar.distinct += usize::from(!known);
                }
                sofar.add_amount(lane, word);
            }
            self.push(shape, *cell, &sofar);
        }
    }
}

impl Reading {
    fn add_amount(&mut self, lane: &Lane, word: u64) {
        if lane.needs.has(Needs::SUM) {
            match amount(lane.kind, word) {
                Some(amount) => {
                    self.sum += amount;
                    if lane.needs.has(Needs::SQUARES) {
                        self.squares += square(amount);
                    }
                }
                None => self.bad = true,
            }
        }
        let ordered = order(lane.kind, word);
        self.min = self.min.min(ordered);
        self.max = self.max.max(ordered);
    }
}

/// Sixty-four bits that say of most new words that they are new.
#[derive(Default)]
struct MemberFilter(u64);

impl MemberFilter {
    #[inline]
    fn may_have(&mut self, word: u64) -> bool {
        let bit = 1 << (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58);
        let had = self.0 & bit != 0;
        self.0 |= bit;
        had
    }
}

fn is_among(
    shape: &Shape,
    lane: &Lane,
    rows: RowsView<'_>,
    mut range: std::ops::Range<usize>,
    word: u64,
) -> bool {
    range.any(|i| {
        let other = rows.row(i);
        lane.word(other) == word && lane.selects(shape, other)
    })
}

impl Readings {
    /// Appends one value per place to each column, one column per aggregate, and forgets the reads.
    pub fn finish(&mut self, shape: &Shape, out: &mut [Column]) {
        assert_eq!(self.begun, self.places, "a place was not read");
        let words = &self.words[..self.places * shape.record_words];
        for words in words.chunks(BLOCK * shape.record_words.max(1)) {
            let records = words.chunks_exact(shape.record_words.max(1));
            let counts =
                records.flat_map(|words| shape.cells.iter().map(|c| words[c.record.count]));
            let is_plain = counts.fold(0, |all, count| all | count) < BAD;
            for (output, column) in shape.outputs.iter().zip(&mut *out) {
                let record = &shape.cells[output.cell].record;
                let block = Block { words, length: shape.record_words, record };
                if is_plain {
                    block.finish(output, column);
                } else {
                    block.finish_slowly(output, column);
                }
            }
        }
        (self.places, self.begun) = (0, 0);
    }
}

/// One cell in some reads that follow each other.
#[derive(Clone, Copy)]
struct Block<'a> {
    words: &'a [u64],
    /// Of a record.
    length: usize,
    record: &'a Places,
}

impl<'a> Block<'a> {
    fn all(self, at: usize) -> impl Iterator<Item = u64> + Clone + 'a {
        self.words.chunks_exact(self.length).map(move |words| words[at])
    }

    fn counts(self) -> impl Iterator<Item = u64> + Clone + 'a {
        self.all(self.record.count)
    }

    fn sums(self) -> impl Iterator<Item = i128> + Clone + 'a {
        let at = self.record.sum;
        let sum =
            move |words: &[u64]| i128::from(words[at + 1] as i64) << 64 | i128::from(words[at]);
        self.words.chunks_exact(self.length).map(sum)
    }

    /// Of reads that have no marks beside their counts.
    fn finish(self, output: &Output, column: &mut Column) {
        match output.function {
            Function::Count => {
                let words = self.counts().map(|n| n as i64);
                column.extend_words(words, self.marks(Mark::value(State::Empty)));
            }
            Function::Distinct if self.distinct().all(|n| n <= Layout::DISTINCT_MAX as u64) => {
                let words = self.distinct().map(|n| n as i64);
                column.extend_words(words, self.marks(Mark::value(State::Empty)));
            }
            Function::Sum if output.kind != Kind::Float && self.sums().all(is_word) => {
                let words = self.sums().map(|sum| sum as i64);
                column.extend_words(words, self.marks(Mark::value(State::Empty)));
            }
            Function::Mean => {
                let means = self.sums().zip(self.counts()).map(|(sum, n)| match n {
                    0 => 0.0,
                    n => quotient(sum, u128::from(n) * output.unit),
                });
                column.extend_floats(means, self.marks(Mark::NULL));
            }
            Function::Min if output.kind == Kind::Word => {
                self.finish_ends(self.record.min, column);
            }
            Function::Max if output.kind == Kind::Word => {
                self.finish_ends(self.record.max, column);
            }
            Function::Distinct
            | Function::Sum
            | Function::Min
            | Function::Max
            | Function::Stddev
            | Function::Variance
            | Function::First
            | Function::Last
            | Function::LastN(_) => self.finish_slowly(output, column),
        }
    }

    fn distinct(self) -> impl Iterator<Item = u64> + Clone + 'a {
        self.all(self.record.members)
    }

    fn finish_ends(self, at: usize, column: &mut Column) {
        let ends = self.all(at).zip(self.counts());
        let words = ends.map(|(x, n)| if n == 0 { 0 } else { x as i64 });
        column.extend_words(words, self.marks(Mark::NULL));
    }

    /// Marks of cells that differ only by whether they are empty.
    fn marks(self, empty: Mark) -> impl Iterator<Item = Mark> + Clone + 'a {
        self.counts().map(move |n| if n == 0 { empty } else { Mark::OK })
    }

    /// One value after the other, whatever its state.
    fn finish_slowly(self, output: &Output, column: &mut Column) {
        for words in self.words.chunks_exact(self.length) {
            let mut contents = contents(self.record, words);
            if matches!(output.function, Function::Stddev | Function::Variance) {
                contents.rare().squares = squares(self.record, words);
            }
            push_output(output, &contents, None, column);
        }
    }
}

/// A cell's contents out of the record of a read. What the cell does not need may be anything.
fn contents(places: &Places, words: &[u64]) -> Contents {
    let word = |at: usize| words.get(at).copied().unwrap_or(0);
    let count = words[places.count];
    Contents {
        count: u64::from(count as u32),
        limited: count & LIMITED != 0,
        bad: u64::from(count & BAD != 0),
        sum: i128::from(word(places.sum + 1) as i64) << 64 | i128::from(word(places.sum)),
        min: word(places.min) as i64,
        max: word(places.max) as i64,
        distinct: word(places.members) as usize,
        rare: None,
    }
}

fn squares(places: &Places, words: &[u64]) -> U256 {
    let limbs =
        words.get(places.sum + SUM_WORDS..).and_then(|words| words.first_chunk::<SQUARES_WORDS>());
    limbs.map_or(U256::ZERO, |limbs| U256::from_limbs(*limbs))
}

#[inline]
fn is_word(sum: i128) -> bool {
    i64::try_from(sum).is_ok()
}
