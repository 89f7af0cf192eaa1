//! Values of many reads, held cell by cell until they are made into columns.
//!
//! A read leaves a few numbers per cell here (how many, their sum, the largest, …); what the
//! aggregates are made of. [`Readings::finish`] then makes the columns one after the other, each in
//! a loop of its own. Only for shapes whose values need nothing else of the key
//! ([`Shape::is_deferred`]).

use millrace_event::{Column, Mark, State};
use ruint::aliases::U256;

use crate::exact::quotient;
use crate::packed::Packed;
use crate::partial::{amount, order, square};
use crate::rows::RowsView;
use crate::shape::{Kind, Lane, Needs, Output, Shape, Way};
use crate::value::{Contents, push_output};
use crate::{Function, Layout};

/// The count of a cell whose history is no longer kept; keys hold fewer rows.
const LIMITED: u32 = u32::MAX;

/// Reads of one group's keys, in order.
#[derive(Debug, Default)]
pub struct Readings {
    rows: usize,
    cells: Vec<Cells>,
    /// Per window, the first row inside; space for one read.
    lows: Vec<usize>,
    /// The rows of a quiet key; space for one read.
    unpacked: Vec<u64>,
    /// Per window, whether its history is kept; space for one read.
    known: Vec<bool>,
}

/// One cell in all reads. What its lane does not need stays empty.
#[derive(Debug, Default)]
struct Cells {
    counts: Vec<u32>,
    bad: Vec<bool>,
    sums: Vec<i128>,
    squares: Vec<U256>,
    min: Vec<i64>,
    max: Vec<i64>,
    distinct: Vec<u32>,
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
}

impl Cells {
    #[inline]
    fn push(&mut self, needs: Needs, known: bool, reading: &Reading) {
        self.counts.push(if known { reading.count as u32 } else { LIMITED });
        if needs.has(Needs::SUM) {
            self.sums.push(reading.sum);
            self.bad.push(reading.bad);
            if needs.has(Needs::SQUARES) {
                self.squares.push(reading.squares);
            }
        }
        if needs.has(Needs::MIN) {
            self.min.push(reading.min);
        }
        if needs.has(Needs::MAX) {
            self.max.push(reading.max);
        }
        if needs.has(Needs::DISTINCT) {
            self.distinct.push(reading.distinct as u32);
        }
    }

    fn clear(&mut self) {
        self.counts.clear();
        self.bad.clear();
        self.sums.clear();
        self.squares.clear();
        self.min.clear();
        self.max.clear();
        self.distinct.clear();
    }
}

impl Readings {
    pub fn len(&self) -> usize {
        self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Begins a read at `t`: windows that reach behind `removed_to` cannot be known.
    #[inline]
    pub(crate) fn begin(&mut self, shape: &Shape, t: i64, removed_to: i64) {
        self.rows += 1;
        if self.cells.len() != shape.cells.len() {
            self.cells.resize_with(shape.cells.len(), Cells::default);
        }
        self.known.clear();
        self.known.extend(shape.widths.iter().map(|w| t.saturating_sub(*w) >= removed_to));
    }

    #[inline]
    pub(crate) fn push(&mut self, shape: &Shape, cell: usize, reading: &Reading) {
        let c = &shape.cells[cell];
        self.cells[cell].push(c.needs, self.known[c.window], reading);
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
        words.clear();
        words.reserve(packed.len() * shape.stride);
        packed.unpack(shape.stride, |word| words.push(word));
        let rows = RowsView::new(&words, shape.stride);
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
    /// Appends one value per read to each column, one column per aggregate, and forgets the reads.
    pub fn finish(&mut self, shape: &Shape, out: &mut [Column]) {
        if self.rows > 0 {
            for (output, column) in shape.outputs.iter().zip(out) {
                self.cells[output.cell].finish(output, column);
            }
        }
        self.cells.iter_mut().for_each(Cells::clear);
        self.rows = 0;
    }
}

impl Cells {
    fn finish(&self, output: &Output, column: &mut Column) {
        if self.counts.contains(&LIMITED) || self.bad.contains(&true) {
            return self.finish_slowly(output, column);
        }
        match output.function {
            Function::Count => {
                let words = self.counts.iter().map(|n| i64::from(*n));
                column.extend_words(words, self.marks(Mark::value(State::Empty)));
            }
            Function::Distinct
                if self.distinct.iter().all(|n| *n as usize <= Layout::DISTINCT_MAX) =>
            {
                let words = self.distinct.iter().map(|n| i64::from(*n));
                column.extend_words(words, self.marks(Mark::value(State::Empty)));
            }
            Function::Sum if output.kind != Kind::Float && self.sums.iter().all(is_word) => {
                let words = self.sums.iter().map(|sum| *sum as i64);
                column.extend_words(words, self.marks(Mark::value(State::Empty)));
            }
            Function::Mean => {
                let means = self.sums.iter().zip(&self.counts).map(|(sum, n)| match n {
                    0 => 0.0,
                    n => quotient(*sum, u128::from(*n) * output.unit),
                });
                column.extend_floats(means, self.marks(Mark::NULL));
            }
            Function::Min if output.kind == Kind::Word => {
                self.finish_ends(&self.min, column);
            }
            Function::Max if output.kind == Kind::Word => {
                self.finish_ends(&self.max, column);
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

    fn finish_ends(&self, ends: &[i64], column: &mut Column) {
        let words = ends.iter().zip(&self.counts).map(|(x, n)| if *n == 0 { 0 } else { *x });
        column.extend_words(words, self.marks(Mark::NULL));
    }

    /// Marks of cells that differ only by whether they are empty.
    fn marks(&self, empty: Mark) -> impl Iterator<Item = Mark> + Clone {
        self.counts.iter().map(move |n| if *n == 0 { empty } else { Mark::OK })
    }

    /// One value after the other, whatever its state.
    fn finish_slowly(&self, output: &Output, column: &mut Column) {
        for read in 0..self.counts.len() {
            let mut contents = Contents {
                count: u64::from(self.counts[read]),
                limited: self.counts[read] == LIMITED,
                bad: self.bad.get(read).map_or(0, |bad| u64::from(*bad)),
                sum: self.sums.get(read).copied().unwrap_or(0),
                min: self.min.get(read).copied().unwrap_or(i64::MAX),
                max: self.max.get(read).copied().unwrap_or(i64::MIN),
                distinct: self.distinct.get(read).map_or(0, |n| *n as usize),
                rare: None,
            };
            if let Some(squares) = self.squares.get(read) {
                contents.rare().squares = *squares;
            }
            push_output(output, &contents, None, column);
        }
    }
}

#[inline]
fn is_word(sum: &i128) -> bool {
    i64::try_from(*sum).is_ok()
}
