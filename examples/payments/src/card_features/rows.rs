use super::Workload;
use crate::random::{Alias, Random};

/// 2026-01-01T00:00:00Z in milliseconds since 1970.
const START_MS: i64 = 1_767_225_600_000;
const COUNTRIES: u64 = 40;
const APPROVED: f64 = 0.93;
const LAG_MS_MAX: u64 = 5_000;

/// One payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// Event time in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// 0, 1, 2, … in the order of arrival.
    pub id: u32,
    pub card: u32,
    pub merchant: u32,
    /// The amount in hundredths, at least one.
    pub cents: u32,
    pub country: u8,
    pub approved: bool,
}

/// The rows of a workload in the order of arrival.
#[derive(Clone, Debug)]
pub struct Rows {
    workload: Workload,
    next: u32,
    /// Milliseconds of event time since the start, before the lag of late rows.
    elapsed_ms: f64,
    cards: Ranked,
    merchants: Ranked,
    random: Random,
}

impl Rows {
    pub fn new(workload: Workload) -> Rows {
        let stream = |number| Random::new(workload.seed, number);
        Rows {
            workload,
            next: 0,
            elapsed_ms: 0.0,
            cards: Ranked::new(workload.cards, workload.zipf, &mut stream(1)),
            merchants: Ranked::new(workload.merchants, workload.zipf, &mut stream(2)),
            random: stream(0),
        }
    }
}

impl Iterator for Rows {
    type Item = Row;

    /// Every row draws in one fixed order from one generator: that makes a shorter run a prefix.
    fn next(&mut self) -> Option<Row> {
        if self.next >= self.workload.rows {
            return None;
        }
        let random = &mut self.random;
        self.elapsed_ms += random.exponential(1_000.0 / self.workload.rate);
        let is_late = random.chance(self.workload.out_of_order);
        let lag_ms = random.below(LAG_MS_MAX) as i64;
        let row = Row {
            at_ms: START_MS + self.elapsed_ms as i64 - if is_late { lag_ms } else { 0 },
            id: self.next,
            card: self.cards.draw(random),
            merchant: self.merchants.draw(random),
            cents: ((random.log_normal(3.5, 1.1) * 100.0).round() as u32).max(1),
            country: random.below(COUNTRIES) as u8,
            approved: random.chance(APPROVED),
        };
        self.next += 1;
        Some(row)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.workload.rows - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Rows {}

/// Keys whose ranks follow Zipf's law; which key has which rank is shuffled.
#[derive(Clone, Debug)]
struct Ranked {
    ranks: Alias,
    keys: Vec<u32>,
}

impl Ranked {
    fn new(keys: u32, exponent: f64, random: &mut Random) -> Ranked {
        let ranks = Alias::zipf(keys as usize, exponent);
        let mut keys: Vec<u32> = (0..keys).collect();
        for last in (1..keys.len()).rev() {
            keys.swap(last, random.index(last + 1));
        }
        Ranked { ranks, keys }
    }

    fn draw(&self, random: &mut Random) -> u32 {
        self.keys[self.ranks.draw(random)]
    }
}

/// The rows in the order of (time, id), as the floor takes them.
pub fn in_time_order(rows: impl IntoIterator<Item = Row>) -> Vec<Row> {
    let mut rows: Vec<Row> = rows.into_iter().collect();
    rows.sort_by_key(|row| (row.at_ms, row.id));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card_features::Preset;

    #[test]
    fn a_shorter_run_is_a_prefix_of_a_longer_one() {
        let workload = Preset::A5m.workload();
        let short = Rows::new(Workload { rows: 1_000, ..workload });
        assert_eq!(short.len(), 1_000);
        assert!(short.eq(Rows::new(workload).take(1_000)));
    }

    #[test]
    fn rows_are_distributed_as_the_module_says() {
        let rows: Vec<Row> = Rows::new(Preset::A100k.workload()).collect();
        let share = |is: &dyn Fn(&Row) -> bool| {
            rows.iter().filter(|row| is(row)).count() as f64 / rows.len() as f64
        };
        assert!((share(&|row| row.approved) - 0.93).abs() < 0.005);
        let mut newest = i64::MIN;
        let mut disorder = Vec::new();
        for row in &rows {
            newest = newest.max(row.at_ms);
            disorder.push(newest - row.at_ms);
        }
        assert!(disorder.iter().all(|lag| *lag <= 5_000));
        let late = disorder.iter().filter(|lag| **lag > 0).count() as f64 / rows.len() as f64;
        assert!((late - 0.01).abs() < 0.002, "{late}");
        let seconds = (newest - START_MS) as f64 / 1e3;
        assert!((seconds - 50.0).abs() < 1.0, "{seconds}");
        let mut logs: Vec<f64> =
            rows.iter().map(|row| (f64::from(row.cents) / 100.0).ln()).collect();
        logs.sort_by(f64::total_cmp);
        assert!((logs[50_000] - 3.5).abs() < 0.02);
        assert!((logs[84_134] - logs[50_000] - 1.1).abs() < 0.02);
        let countries = rows.iter().map(|row| row.country).max();
        assert_eq!(countries, Some(39));
    }

    #[test]
    fn the_hottest_keys_are_as_hot_as_zipf_says() {
        let rows: Vec<Row> = Rows::new(Preset::A100k.workload()).collect();
        let hottest = |key: &dyn Fn(&Row) -> u32, keys: usize| {
            let mut seen = vec![0u32; keys];
            rows.iter().for_each(|row| seen[key(row) as usize] += 1);
            f64::from(seen.into_iter().max().unwrap()) / rows.len() as f64
        };
        assert!((hottest(&|row| row.card, 200_000) - 0.10).abs() < 0.01);
        assert!((hottest(&|row| row.merchant, 10_000) - 0.126).abs() < 0.01);
    }
}
