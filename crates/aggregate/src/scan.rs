//! Cells computed by walking the rows: the way for quiet keys, for positions behind the newest
//! event, and the slow oracle of the index.

use hashbrown::HashSet;
use smallvec::SmallVec;

use crate::partial::{amount, order, square};
use crate::rows::RowsView;
use crate::shape::{Kind, Lane, Needs, Shape, Way};
use crate::value::Contents;

/// Up to this many rows, members are compared pairwise instead of hashed.
const PAIRWISE_MAX: usize = 32;

impl Lane {
    /// Whether a row is selected, with a non-null argument.
    #[inline]
    pub(crate) fn selects(&self, shape: &Shape, row: &[u64]) -> bool {
        !shape.has_flags || (row[1] & self.wanted == self.wanted && row[1] & self.unwanted == 0)
    }

    #[inline]
    pub(crate) fn word(&self, row: &[u64]) -> u64 {
        match self.kind {
            Kind::None => 0,
            Kind::Word | Kind::Float | Kind::Text => row[self.slot],
        }
    }
}

/// Fills the contents of every cell from rows `lows[window] .. high`, walking each lane once from
/// the newest row to the oldest that any of its windows needs.
pub(crate) fn scan(
    shape: &Shape,
    rows: RowsView<'_>,
    lows: &[usize],
    high: usize,
    cells: &mut [Contents],
) {
    for lane in &shape.lanes {
        let mut order: SmallVec<[(usize, usize); 8]> = lane
            .cells
            .iter()
            .map(|cell| (lows[shape.cells[*cell].window].min(high), *cell))
            .collect();
        if lane.way == Way::Count {
            for (low, cell) in order {
                cells[cell].count = (high - low) as u64;
            }
            continue;
        }
        order.sort_unstable_by(|a, b| b.cmp(a));
        walk(shape, lane, rows, &order, high, cells);
    }
}

fn walk(
    shape: &Shape,
    lane: &Lane,
    rows: RowsView<'_>,
    order: &[(usize, usize)],
    high: usize,
    cells: &mut [Contents],
) {
    let lowest = order.last().map_or(high, |(low, _)| *low);
    let hashed = lane.needs.has(Needs::DISTINCT) && high - lowest > PAIRWISE_MAX;
    let mut members = HashSet::new();
    let mut sofar = Contents::default();
    let mut at = high;
    for (low, cell) in order {
        while at > *low {
            at -= 1;
            let row = rows.row(at);
            if !lane.selects(shape, row) {
                continue;
            }
            let word = lane.word(row);
            sofar.add(lane, word);
            if lane.needs.has(Needs::DISTINCT) {
                let new = if hashed {
                    members.insert(word)
                } else {
                    !(at + 1..high).any(|i| {
                        let other = rows.row(i);
                        lane.word(other) == word && lane.selects(shape, other)
                    })
                };
                sofar.distinct += usize::from(new);
            }
        }
        cells[*cell].clone_from(&sofar);
    }
}

impl Contents {
    /// Adds a selected row, going from newer to older rows.
    #[inline]
    fn add(&mut self, lane: &Lane, word: u64) {
        self.count += 1;
        if lane.needs.has(Needs::SUM) {
            match amount(lane.kind, word) {
                Some(amount) => {
                    self.sum += amount;
                    if lane.needs.has(Needs::SQUARES) {
                        self.rare().squares += square(amount);
                    }
                }
                None => self.bad += 1,
            }
        }
        if lane.needs.has(Needs::MIN.or(Needs::MAX)) {
            let ordered = order(lane.kind, word);
            self.min = self.min.min(ordered);
            self.max = self.max.max(ordered);
        }
        if lane.needs.has(Needs::FIRST) {
            self.rare().first = word;
        }
        if lane.needs.has(Needs::LAST) {
            let last = &mut self.rare().last;
            if last.len() < lane.last_n as usize {
                last.push(word);
            }
        }
    }
}
