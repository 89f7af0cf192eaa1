//! The best way to part the rows of a leaf in two, by the loss it takes away.
//!
//! With G and H the sums of gradient and curvature and λ the penalty, a leaf is worth
//! G² / (H + λ), and a split gains what its two sides are worth more than the leaf (Chen and
//! Guestrin, KDD 2016, equation 7, without the factor of one half). Rows without a value are
//! tried on either side.

use super::Settings;
use super::bins::Bins;
use super::histogram::Sum;

/// Up to so many categories, each is tried alone against the others.
const SINGLE_CATEGORIES_MAX: usize = 4;
/// Categories that one side may hold, where they are taken in the order of their mean slope.
const CATEGORIES_LEFT_MAX: usize = 32;
/// Added to the curvature of a category when they are ordered, so that a rare one is not extreme,
/// and the rows that a category needs to be in the order at all.
const CATEGORY_SMOOTHING: f64 = 10.0;
/// Added to λ for sets of categories, since they are chosen after looking at the slopes.
const CATEGORY_PENALTY: f64 = 10.0;
/// Rows that a category must bring before another side is tried.
const CATEGORY_ROWS_MIN: u32 = 100;
/// The curvature that either side must have.
const CURVATURE_MIN: f64 = 1e-3;

/// What goes left.
#[derive(Debug, Clone, PartialEq)]
pub enum Side {
    /// The bins up to this one, and with `nulls` the rows without a value.
    UpTo { bin: usize, nulls: bool },
    /// These bins. Rows without a value, and words never seen, go right.
    Set(Vec<usize>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub column: usize,
    pub side: Side,
    pub gain: f64,
    pub left: Sum,
    pub right: Sum,
}

impl Candidate {
    /// Whether each bin goes left.
    pub fn goes_left(&self, bins: &Bins) -> [bool; 256] {
        let mut left = [false; 256];
        let null = bins.values();
        for (bin, place) in left.iter_mut().enumerate() {
            *place = match &self.side {
                Side::UpTo { bin: last, nulls } => bin <= *last || (bin == null && *nulls),
                Side::Set(set) => set.contains(&bin),
            };
        }
        left
    }
}

/// The value of a leaf with these sums, before shrinkage.
pub fn leaf_value(sum: Sum, penalty: f64) -> f64 {
    -sum.gradient / (sum.curvature + penalty)
}

fn worth(sum: Sum, penalty: f64) -> f64 {
    sum.gradient * sum.gradient / (sum.curvature + penalty)
}

/// Keeps the best split of one column: of equal ones the first, so that the order of the columns
/// and of the bins decides, and nothing else.
struct Search<'a> {
    settings: &'a Settings,
    column: usize,
    total: Sum,
    best: Option<Candidate>,
}

impl Search<'_> {
    fn offer(&mut self, left: Sum, extra_penalty: f64, side: impl FnOnce(Sum, Sum) -> Side) {
        let right = self.total - left;
        let rows_min = self.settings.leaf_rows_min;
        if left.rows < rows_min || right.rows < rows_min {
            return;
        }
        if left.curvature < CURVATURE_MIN || right.curvature < CURVATURE_MIN {
            return;
        }
        let penalty = self.settings.penalty;
        let sides = worth(left, penalty + extra_penalty) + worth(right, penalty + extra_penalty);
        let gain = sides - worth(self.total, penalty);
        if gain > self.best.as_ref().map_or(0.0, |best| best.gain) {
            let side = side(left, right);
            self.best = Some(Candidate { column: self.column, side, gain, left, right });
        }
    }

    fn numbers(&mut self, values: &[Sum], nulls: Sum) {
        let Some((last, before)) = values.split_last() else { return };
        let mut left = Sum::default();
        for (bin, sum) in before.iter().enumerate().filter(|(_, sum)| sum.rows > 0) {
            left += *sum;
            // Where the leaf knows nothing of nulls, they go with the majority.
            let majority = |left: Sum, right: Sum| nulls.rows == 0 && left.rows >= right.rows;
            self.offer(left, 0.0, |left, right| Side::UpTo { bin, nulls: majority(left, right) });
        }
        if nulls.rows == 0 {
            return;
        }
        left += *last;
        self.offer(left, 0.0, |_, _| Side::UpTo { bin: before.len(), nulls: false });
        let mut left = nulls;
        for (bin, sum) in before.iter().enumerate().filter(|(_, sum)| sum.rows > 0) {
            left += *sum;
            self.offer(left, 0.0, |_, _| Side::UpTo { bin, nulls: true });
        }
    }

    fn categories(&mut self, values: &[Sum]) {
        if values.len() <= SINGLE_CATEGORIES_MAX {
            for (bin, sum) in values.iter().enumerate() {
                self.offer(*sum, 0.0, |_, _| Side::Set(vec![bin]));
            }
            return;
        }
        let enough = |sum: &Sum| f64::from(sum.rows) >= CATEGORY_SMOOTHING;
        let mut order: Vec<(usize, Sum)> =
            values.iter().copied().enumerate().filter(|(_, sum)| enough(sum)).collect();
        let mean = |sum: &Sum| sum.gradient / (sum.curvature + CATEGORY_SMOOTHING);
        order.sort_by(|(_, a), (_, b)| mean(a).total_cmp(&mean(b)));
        self.prefixes(order.iter());
        self.prefixes(order.iter().rev());
    }

    fn prefixes<'a>(&mut self, order: impl Iterator<Item = &'a (usize, Sum)>) {
        let (mut left, mut set, mut since) = (Sum::default(), Vec::new(), 0);
        for (bin, sum) in order.take(CATEGORIES_LEFT_MAX) {
            left += *sum;
            set.push(*bin);
            since += sum.rows;
            if since >= CATEGORY_ROWS_MIN {
                since = 0;
                self.offer(left, CATEGORY_PENALTY, |_, _| Side::Set(set.clone()));
            }
        }
    }
}

/// The best split of one column whose bins have these sums, if any takes some loss away.
pub fn best_split(
    settings: &Settings,
    column: usize,
    bins: &Bins,
    sums: &[Sum],
    total: Sum,
) -> Option<Candidate> {
    let (nulls, values) = sums.split_last()?;
    let mut search = Search { settings, column, total, best: None };
    match bins {
        Bins::Number { .. } => search.numbers(values, *nulls),
        Bins::Category { .. } => search.categories(values),
    }
    search.best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::histogram::Slope;
    use super::*;

    const VALUES: usize = 6;

    /// A row is its bin, the last one being null, and its slope.
    fn any_rows() -> impl Strategy<Value = Vec<(usize, Slope)>> {
        let row = (0..=VALUES, -8..8i8, 1..8u8).prop_map(|(bin, gradient, curvature)| {
            let (gradient, curvature) = (f32::from(gradient), f32::from(curvature) / 4.0);
            (bin, Slope { gradient, curvature })
        });
        prop::collection::vec(row, 0..40)
    }

    fn sum_of(rows: &[(usize, Slope)], wanted: impl Fn(usize) -> bool) -> Sum {
        let mut sum = Sum::default();
        rows.iter().filter(|(bin, _)| wanted(*bin)).for_each(|(_, slope)| sum += *slope);
        sum
    }

    fn settings() -> Settings {
        Settings { leaf_rows_min: 3, ..Settings::default() }
    }

    /// The gain of one way to part the rows, if both sides have enough of them.
    fn slow_gain(rows: &[(usize, Slope)], goes_left: impl Fn(usize) -> bool) -> Option<f64> {
        let (left, right) = (sum_of(rows, &goes_left), sum_of(rows, |bin| !goes_left(bin)));
        let worth = |sum: Sum| sum.gradient.powi(2) / (sum.curvature + settings().penalty);
        let gain = worth(left) + worth(right) - worth(sum_of(rows, |_| true));
        (left.rows >= 3 && right.rows >= 3 && gain > 0.0).then_some(gain)
    }

    fn search(rows: &[(usize, Slope)], bins: &Bins) -> Option<Candidate> {
        let nulls = bins.values();
        let sums: Vec<Sum> = (0..=nulls)
            .map(|bin| sum_of(rows, |of| if bin == nulls { of >= nulls } else { of == bin }))
            .collect();
        best_split(&settings(), 0, bins, &sums, sum_of(rows, |_| true))
    }

    fn same(found: Option<f64>, wanted: Option<f64>) -> bool {
        (found.unwrap_or_default() - wanted.unwrap_or_default()).abs() < 1e-9
    }

    proptest! {
        #[test]
        fn numbers_are_parted_where_it_gains_most(rows in any_rows()) {
            let bounds = (0..VALUES).map(|bound| bound as f64).collect();
            let bins = Bins::Number { bounds, least: 0.0, most: 5.0 };
            let found = search(&rows, &bins);
            let ways = (0..VALUES).flat_map(|last| [(last, false), (last, true)]);
            let gains = ways.filter_map(|(last, nulls)| {
                slow_gain(&rows, |bin| bin <= last || (nulls && bin == VALUES))
            });
            prop_assert!(same(found.as_ref().map(|found| found.gain), gains.reduce(f64::max)));
            if let Some(found) = found {
                let left = found.goes_left(&bins);
                prop_assert!(same(slow_gain(&rows, |bin| left[bin]), Some(found.gain)));
            }
        }

        #[test]
        fn of_few_words_the_best_one_goes_left(rows in any_rows()) {
            let codes: Vec<u32> = (0..SINGLE_CATEGORIES_MAX as u32).collect();
            let found = search(&rows, &Bins::Category { codes: codes.clone() });
            let alone = codes.iter().filter_map(|code| {
                slow_gain(&rows, |bin| bin == *code as usize)
            });
            prop_assert!(same(found.map(|found| found.gain), alone.reduce(f64::max)));
        }
    }
}
