//! Sums of slopes by bin: all that the search for a split sees of the rows.

use std::ops::{AddAssign, Range, Sub};

use super::bins::Binned;

/// The first and the second derivative of one row's loss, times its weight. Of 32 bits, since
/// reading them is what a histogram costs; sums are of 64.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slope {
    pub gradient: f32,
    pub curvature: f32,
}

/// The sums over some rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sum {
    pub gradient: f64,
    pub curvature: f64,
    pub rows: u32,
}

impl AddAssign<Slope> for Sum {
    fn add_assign(&mut self, slope: Slope) {
        self.gradient += f64::from(slope.gradient);
        self.curvature += f64::from(slope.curvature);
        self.rows += 1;
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.gradient += other.gradient;
        self.curvature += other.curvature;
        self.rows += other.rows;
    }
}

impl Sub for Sum {
    type Output = Self;

    /// Of a part that lies in the whole. Rounding may leave a curvature of nearly nothing below
    /// zero; no row has one.
    fn sub(self, part: Self) -> Self {
        Self {
            gradient: self.gradient - part.gradient,
            curvature: (self.curvature - part.curvature).max(0.0),
            rows: self.rows - part.rows,
        }
    }
}

/// Where the bins of each column lie in a histogram: its values, then its nulls.
#[derive(Debug)]
pub struct Layout {
    starts: Vec<usize>,
}

impl Layout {
    pub fn new(binned: &Binned) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        for bins in &binned.bins {
            end += bins.values() + 1;
            starts.push(end);
        }
        Self { starts }
    }

    pub fn range(&self, column: usize) -> Range<usize> {
        let at = |column: usize| self.starts.get(column).copied().unwrap_or(0);
        at(column)..at(column + 1)
    }

    pub fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }
}

/// The sums of `rows` by bin, for the columns that are `used`; those of the others stay zero.
///
/// The rows are added in the order given, so the sums are the same to the last bit in every run.
pub fn histogram(
    binned: &Binned,
    layout: &Layout,
    used: &[usize],
    rows: &[u32],
    slopes: &[Slope],
) -> Vec<Sum> {
    let mut sums = vec![Sum::default(); layout.len()];
    // Once in the order of the rows: each column reads them one after the other.
    let gathered: Vec<Slope> = rows.iter().map(|row| slopes[*row as usize]).collect();
    for &column in used {
        let bins = &binned.columns[column];
        let part = &mut sums[layout.range(column)];
        for (row, slope) in rows.iter().zip(&gathered) {
            part[usize::from(bins[*row as usize])] += *slope;
        }
    }
    sums
}

/// Takes the one child from its parent, which leaves the other child.
pub fn subtract(parent: &mut [Sum], child: &[Sum]) {
    for (whole, part) in parent.iter_mut().zip(child) {
        *whole = *whole - *part;
    }
}
