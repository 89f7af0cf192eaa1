//! Grows one tree, always at the leaf where a split gains most.

use std::ops::Range;

use super::Settings;
use super::bins::Binned;
use super::histogram::{Layout, Slope, Sum, histogram, subtract};
use super::split::{Candidate, best_split};

/// Where a side of a split leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Split(usize),
    Leaf(usize),
}

/// A split in terms of bins, with the sums of all its rows.
#[derive(Debug)]
pub struct GrownSplit {
    pub candidate: Candidate,
    pub goes_left: [bool; 256],
    pub total: Sum,
    pub left: Next,
    pub right: Next,
}

/// Splits in the order in which they were made; the first one is the root.
#[derive(Debug)]
pub struct GrownTree {
    pub splits: Vec<GrownSplit>,
    pub leaves: Vec<Sum>,
}

impl GrownTree {
    /// The leaf of a training row, whether it helped to grow the tree or not.
    pub fn leaf_of(&self, binned: &Binned, row: usize) -> usize {
        let mut next = if self.splits.is_empty() { Next::Leaf(0) } else { Next::Split(0) };
        loop {
            match next {
                Next::Leaf(leaf) => return leaf,
                Next::Split(split) => {
                    let split = &self.splits[split];
                    let bin = binned.columns[split.candidate.column][row];
                    next = if split.goes_left[usize::from(bin)] { split.left } else { split.right };
                }
            }
        }
    }
}

/// A leaf that may still be split: its rows are a range of the order.
#[derive(Debug)]
struct Open {
    rows: Range<usize>,
    sum: Sum,
    sums: Vec<Sum>,
    best: Option<Candidate>,
    parent: Option<(usize, bool)>,
}

/// What all trees of a model have in common.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    pub settings: &'a Settings,
    pub binned: &'a Binned,
    pub layout: &'a Layout,
}

/// A tree from these columns and rows. Rows are added up in the given order.
pub fn grow(ground: Ground<'_>, used: &[usize], rows: Vec<u32>, slopes: &[Slope]) -> GrownTree {
    let mut growth = Growth { ground, used, slopes, order: rows, spare: Vec::new() };
    let all = 0..growth.order.len();
    let mut total = Sum::default();
    for row in &growth.order {
        total += slopes[*row as usize];
    }
    let sums = growth.sums_of(all.clone());
    let mut leaves = vec![growth.open(all, total, sums, None)];
    let mut splits = Vec::new();
    while leaves.len() < ground.settings.leaves_max {
        let Some(at) = most_gain(&leaves) else { break };
        growth.split(at, &mut leaves, &mut splits);
    }
    GrownTree { splits, leaves: leaves.into_iter().map(|leaf| leaf.sum).collect() }
}

/// Of equal ones the leaf that was made first.
fn most_gain(leaves: &[Open]) -> Option<usize> {
    let mut most: Option<(usize, f64)> = None;
    for (at, leaf) in leaves.iter().enumerate() {
        let Some(best) = &leaf.best else { continue };
        if most.is_none_or(|(_, gain)| best.gain > gain) {
            most = Some((at, best.gain));
        }
    }
    most.map(|(at, _)| at)
}

struct Growth<'a> {
    ground: Ground<'a>,
    used: &'a [usize],
    slopes: &'a [Slope],
    /// The rows of each leaf are next to each other and keep their order.
    order: Vec<u32>,
    spare: Vec<u32>,
}

impl Growth<'_> {
    fn sums_of(&self, rows: Range<usize>) -> Vec<Sum> {
        let Ground { binned, layout, .. } = self.ground;
        histogram(binned, layout, self.used, &self.order[rows], self.slopes)
    }

    fn open(
        &self,
        rows: Range<usize>,
        sum: Sum,
        sums: Vec<Sum>,
        parent: Option<(usize, bool)>,
    ) -> Open {
        let Ground { settings, binned, layout } = self.ground;
        let mut best: Option<Candidate> = None;
        if sum.rows >= settings.leaf_rows_min.saturating_mul(2) {
            for &column in self.used {
                let (bins, part) = (&binned.bins[column], &sums[layout.range(column)]);
                let found = best_split(settings, column, bins, part, sum);
                let better =
                    |found: &Candidate| best.as_ref().is_none_or(|best| found.gain > best.gain);
                if found.as_ref().is_some_and(better) {
                    best = found;
                }
            }
        }
        Open { rows, sum, sums, best, parent }
    }

    /// The left side keeps the number of the leaf, the right one gets the next, as in LightGBM.
    fn split(&mut self, at: usize, leaves: &mut Vec<Open>, splits: &mut Vec<GrownSplit>) {
        let Some(candidate) = leaves[at].best.take() else { return };
        let (rows, parent) = (leaves[at].rows.clone(), leaves[at].parent);
        let goes_left = candidate.goes_left(&self.ground.binned.bins[candidate.column]);
        let middle = self.part(rows.clone(), candidate.column, &goes_left);
        let mut larger = std::mem::take(&mut leaves[at].sums);
        let left_is_smaller = candidate.left.rows <= candidate.right.rows;
        let smaller_rows = if left_is_smaller { rows.start..middle } else { middle..rows.end };
        let smaller = self.sums_of(smaller_rows);
        subtract(&mut larger, &smaller);
        let (left_sums, right_sums) =
            if left_is_smaller { (smaller, larger) } else { (larger, smaller) };
        let number = splits.len();
        let left = self.open(rows.start..middle, candidate.left, left_sums, Some((number, true)));
        let right = self.open(middle..rows.end, candidate.right, right_sums, Some((number, false)));
        if let Some((parent, is_left)) = parent {
            let parent: &mut GrownSplit = &mut splits[parent];
            *(if is_left { &mut parent.left } else { &mut parent.right }) = Next::Split(number);
        }
        let total = leaves[at].sum;
        let (left_leaf, right_leaf) = (Next::Leaf(at), Next::Leaf(leaves.len()));
        let split = GrownSplit { candidate, goes_left, total, left: left_leaf, right: right_leaf };
        splits.push(split);
        leaves[at] = left;
        leaves.push(right);
    }

    /// Brings the rows that go left before the others and tells where these begin.
    fn part(&mut self, rows: Range<usize>, column: usize, goes_left: &[bool; 256]) -> usize {
        let bins = &self.ground.binned.columns[column];
        let part = &mut self.order[rows.clone()];
        self.spare.clear();
        let mut kept = 0;
        for at in 0..part.len() {
            let row = part[at];
            if goes_left[usize::from(bins[row as usize])] {
                part[kept] = row;
                kept += 1;
            } else {
                self.spare.push(row);
            }
        }
        part[kept..].copy_from_slice(&self.spare);
        rows.start + kept
    }
}
