//! Each value as the number of its bin: one byte, and the order of the values is kept.

use crate::table::{Column, Table};

/// Bins of values a column may have; one more holds what is null.
pub const VALUE_BINS_MAX: usize = 254;
/// Training rows that a bin of numbers holds at least, where the column has so many.
const ROWS_PER_BIN_MIN: u32 = 3;
/// LightGBM reads a smaller number of a dense row as zero, so no threshold lies between it and
/// zero.
const ZERO_MAX: f64 = 1e-35_f32 as f64;

/// What the bins of one column stand for.
#[derive(Debug, Clone, PartialEq)]
pub enum Bins {
    /// A value is in the first bin whose bound is not below it. The last bound is the largest
    /// number there is, so that a number never seen has a bin too.
    Number { bounds: Vec<f64>, least: f64, most: f64 },
    /// The code of each bin, the most frequent one first. The rarest ones, if there are more than
    /// bins, go with the nulls.
    Category { codes: Vec<u32> },
}

impl Bins {
    fn of(column: &Column, rows: &[u32]) -> Self {
        let mut seen: Vec<f64> = rows
            .iter()
            .filter_map(|row| column.values().get(*row as usize).copied())
            .filter(|value| !value.is_nan())
            .map(|value| if value.abs() <= ZERO_MAX { 0.0 } else { value })
            .collect();
        seen.sort_unstable_by(f64::total_cmp);
        let mut distinct: Vec<(f64, u32)> = Vec::new();
        for value in seen {
            match distinct.last_mut() {
                Some((last, count)) if *last == value => *count += 1,
                Some(_) | None => distinct.push((value, 1)),
            }
        }
        if column.words().is_none() { Self::number(&distinct) } else { Self::category(distinct) }
    }

    fn number(distinct: &[(f64, u32)]) -> Self {
        let mut bounds: Vec<f64> = if distinct.len() <= VALUE_BINS_MAX {
            bounds_of_few(distinct)
        } else {
            bounds_of_many(distinct)
        };
        bounds.push(f64::MAX);
        let least = distinct.first().map_or(0.0, |(value, _)| *value);
        let most = distinct.last().map_or(0.0, |(value, _)| *value);
        Self::Number { bounds, least, most }
    }

    fn category(mut distinct: Vec<(f64, u32)>) -> Self {
        // The sort is stable: of equally frequent codes the smaller one comes first.
        distinct.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        distinct.truncate(VALUE_BINS_MAX);
        Self::Category { codes: distinct.into_iter().map(|(code, _)| code as u32).collect() }
    }

    /// How many bins hold values; the next number is the bin of the nulls.
    pub fn values(&self) -> usize {
        match self {
            Self::Number { bounds, .. } => bounds.len(),
            Self::Category { codes } => codes.len(),
        }
    }

    fn place(&self, column: &Column, rows: &[u32]) -> Vec<u8> {
        let null = self.values() as u8;
        let values = rows.iter().map(|row| column.values().get(*row as usize).copied());
        let values = values.map(|value| value.unwrap_or(f64::NAN));
        match self {
            Self::Number { bounds, .. } => {
                let bin = |value: f64| bounds.partition_point(|bound| *bound < value) as u8;
                values.map(|value| if value.is_nan() { null } else { bin(value) }).collect()
            }
            Self::Category { codes } => {
                let words = column.words().map_or(0, <[String]>::len);
                let mut bin_of = vec![null; words];
                for (bin, code) in codes.iter().enumerate() {
                    if let Some(place) = bin_of.get_mut(*code as usize) {
                        *place = bin as u8;
                    }
                }
                let bin = |value: f64| bin_of.get(value as usize).copied().unwrap_or(null);
                values.map(|value| if value.is_nan() { null } else { bin(value) }).collect()
            }
        }
    }
}

/// The training rows of a table, one byte a value, column by column.
#[derive(Debug)]
pub struct Binned {
    pub bins: Vec<Bins>,
    pub columns: Vec<Vec<u8>>,
}

impl Binned {
    pub fn new(table: &Table, rows: &[u32]) -> Self {
        let bins: Vec<Bins> = table.columns().iter().map(|column| Bins::of(column, rows)).collect();
        let columns = table.columns().iter().zip(&bins);
        let columns = columns.map(|(column, bins)| bins.place(column, rows)).collect();
        Self { bins, columns }
    }
}

/// A bound after each value, unless the bin would hold too few rows.
fn bounds_of_few(distinct: &[(f64, u32)]) -> Vec<f64> {
    let mut bounds = Vec::new();
    let mut held = 0;
    for ((value, count), (next, _)) in distinct.iter().zip(distinct.iter().skip(1)) {
        held += count;
        if held >= ROWS_PER_BIN_MIN {
            bounds.push(between(*value, *next));
            held = 0;
        }
    }
    bounds
}

/// About equally many rows a bin. A value that fills a bin has one of its own, and the mean of the
/// others is taken without it.
fn bounds_of_many(distinct: &[(f64, u32)]) -> Vec<f64> {
    let total: f64 = distinct.iter().map(|(_, count)| f64::from(*count)).sum();
    let fills = |count: u32| f64::from(count) >= total / VALUE_BINS_MAX as f64;
    let full = distinct.iter().filter(|(_, count)| fills(*count));
    let (full_bins, full_rows) =
        full.fold((0, 0.0), |(bins, rows), (_, count)| (bins + 1, rows + f64::from(*count)));
    let mut bins_left = (VALUE_BINS_MAX - full_bins).max(1) as f64;
    let mut rows_left = total - full_rows;
    let mut mean = rows_left / bins_left;
    let (mut bounds, mut held) = (Vec::new(), 0.0);
    for ((value, count), (next, next_count)) in distinct.iter().zip(distinct.iter().skip(1)) {
        held += f64::from(*count);
        if !fills(*count) {
            rows_left -= f64::from(*count);
        }
        let closes =
            fills(*count) || held >= mean || (fills(*next_count) && held >= (mean / 2.0).max(1.0));
        if closes && bounds.len() + 1 < VALUE_BINS_MAX {
            bounds.push(between(*value, *next));
            held = 0.0;
            if !fills(*count) {
                bins_left = (bins_left - 1.0).max(1.0);
                mean = rows_left / bins_left;
            }
        }
    }
    bounds
}

/// A number at or above `low` and below `high`, halfway if there is one.
fn between(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    let middle = if low <= middle && middle < high { middle } else { low };
    match middle {
        near if near.abs() > ZERO_MAX => near,
        _ if low < 0.0 => low,
        _ => ZERO_MAX,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bins_of(values: &[f64]) -> (Bins, Vec<u8>) {
        let table = Table::new(vec![Column::number("x", values.to_vec()).unwrap()]).unwrap();
        let rows: Vec<u32> = (0..values.len() as u32).collect();
        let binned = Binned::new(&table, &rows);
        (binned.bins[0].clone(), binned.columns[0].clone())
    }

    #[test]
    fn few_values_have_a_bound_halfway() {
        let values = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 8.0, 8.0, 8.0, f64::NAN];
        let (bins, placed) = bins_of(&values);
        let bounds = vec![1.5, 5.0, f64::MAX];
        assert_eq!(bins, Bins::Number { bounds, least: 1.0, most: 8.0 });
        assert_eq!(placed, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]);
    }

    #[test]
    fn a_threshold_is_never_so_near_zero_that_it_is_read_as_zero() {
        for (low, high) in [(0.0, 1.2e-35), (-1.2e-35, 0.0), (0.0, 1.0), (-1.0, 1.0)] {
            let bound = between(low, high);
            assert!(low <= bound && bound < high && bound.abs() >= ZERO_MAX, "{low} {high}");
        }
    }

    #[test]
    fn categories_are_numbered_by_how_frequent_they_are() {
        let words = ["a", "b", "c"].map(str::to_owned).to_vec();
        let values = vec![2.0, 2.0, 0.0, f64::NAN];
        let table = Table::new(vec![Column::category("x", values, words).unwrap()]).unwrap();
        let binned = Binned::new(&table, &[0, 1, 2, 3]);
        assert_eq!(binned.bins, [Bins::Category { codes: vec![2, 0] }]);
        assert_eq!(binned.columns, [[0, 0, 1, 2]]);
    }

    proptest! {
        #[test]
        fn bins_keep_the_order(values in prop::collection::vec(-1e3_f64..1e3, 1..2_000)) {
            let (bins, placed) = bins_of(&values);
            prop_assert!(bins.values() <= VALUE_BINS_MAX);
            let mut pairs: Vec<(f64, u8)> = values.into_iter().zip(placed).collect();
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            prop_assert!(pairs.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        }
    }
}
