//! Whether worlds are what the rules promise: forty worlds of the same rules in Python, measured
//! by `reference/worlds.py`, against five of this crate.

use std::collections::HashSet;

use millrace_payments::{History, Kind, Payment, Settings};

use crate::quantities::{Quantity, count, moments, quantities};

/// A line for each quantity: its name, its mean over the worlds in Python, and the deviation of
/// one world.
const REFERENCE: &str = include_str!("../../reference/worlds.csv");
const REFERENCE_WORLDS: f64 = 40.0;
const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;
/// How many standard errors the two means may lie apart. With 43 degrees of freedom, chance alone
/// passes four for one quantity in 4,000: for the eighty of them together, once in fifty changes of
/// the random numbers.
const STANDARD_ERRORS: f64 = 4.0;

/// The quantities of each seed's world.
fn worlds() -> Vec<Vec<Quantity>> {
    let world = |seed| History::generate(&Settings { seed, ..Settings::default() }).unwrap();
    SEEDS.map(|seed| quantities(&world(seed))).collect()
}

/// How far the means lie apart, in standard errors of their difference; the variance of one world
/// is estimated from both sides together.
fn distance(ours: &[f64], mean: f64, deviation: f64) -> f64 {
    let (our_mean, our_deviation) = moments(ours);
    let n = ours.len() as f64;
    let squares = n * our_deviation.powi(2) + (REFERENCE_WORLDS - 1.0) * deviation.powi(2);
    let variance = squares / (n - 1.0 + REFERENCE_WORLDS - 1.0);
    let error = (variance * (1.0 / n + 1.0 / REFERENCE_WORLDS)).sqrt();
    // Where every world has the same, there is no error to divide by.
    if our_mean == mean { 0.0 } else { (our_mean - mean) / error }
}

#[test]
fn worlds_agree_with_the_rules_in_python() {
    let worlds = worlds();
    let mut apart = Vec::new();
    let mut names = HashSet::new();
    for line in REFERENCE.lines() {
        let [name, mean, deviation] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("`{line}` is not a name and two numbers");
        };
        names.insert(name);
        let find = |world: &Vec<Quantity>| world.iter().find(|(of, _)| of == name).unwrap().1;
        let ours: Vec<f64> = worlds.iter().map(find).collect();
        let (mean, deviation): (f64, f64) = (mean.parse().unwrap(), deviation.parse().unwrap());
        let distance = distance(&ours, mean, deviation);
        // Shown by `--nocapture`.
        println!("{name:20} {mean:12.5} {:12.5} {distance:6.2}", moments(&ours).0);
        if distance.abs() > STANDARD_ERRORS {
            apart.push(format!("{name}: {ours:?}, expected {mean} ± {deviation}: {distance:.1}"));
        }
    }
    assert!(worlds[0].iter().all(|(name, _)| names.contains(name.as_str())));
    assert_eq!(worlds[0].len(), names.len());
    assert!(apart.is_empty(), "standard errors apart:\n{}", apart.join("\n"));
}

fn small(settings: Settings) -> History {
    let base = Settings { n_cards: 3_000, n_new: 1_000, days: 30, ..settings };
    History::generate(&base).unwrap()
}

#[test]
fn slow_share_moves_the_balance_and_not_the_rate() {
    let slow = |slow_share| {
        let history = small(Settings { slow_share, fraud_scale: 3.0, ..Settings::default() });
        let fraud = count(history.payments(), Payment::is_fraud);
        let slow = count(history.payments(), |p| p.is_fraud() && p.kind == Kind::Slow);
        (slow / fraud, fraud)
    };
    let ((low, some), (high, other)) = (slow(0.28), slow(0.9));
    assert!((0.15..0.32).contains(&low), "{low}");
    assert!((0.80..0.95).contains(&high), "{high}");
    assert!((0.6..1.6).contains(&(some / other)), "{some} {other}");
    assert_eq!(slow(1.0).0, 1.0);
    assert_eq!(slow(0.0).0, 0.0);
}

#[test]
fn a_scale_of_zero_is_a_world_without_fraud_and_leaves_the_rest_alone() {
    let without = small(Settings { fraud_scale: 0.0, ..Settings::default() });
    let with = small(Settings::default());
    assert!(without.payments().iter().all(|p| p.kind == Kind::Legitimate));
    let honest = |history: &History| -> Vec<(i64, u32)> {
        let payments = history.payments().iter().filter(|p| p.kind == Kind::Legitimate);
        payments.map(|p| (p.at.0, p.amount.0)).collect()
    };
    let (mut left, mut right) = (honest(&without), honest(&with));
    left.sort_unstable();
    right.sort_unstable();
    assert_eq!(left, right);
}

#[test]
fn novelty_scales_new_devices_and_addresses() {
    let devices = |novelty| {
        let history = small(Settings { novelty, fraud_scale: 0.0, ..Settings::default() });
        let payments = history.payments();
        let distinct: HashSet<_> = payments.iter().map(|p| p.keys.device).collect();
        distinct.len() as f64 / payments.len() as f64
    };
    let (none, some, most) = (devices(0.0), devices(1.0), devices(Settings::NOVELTY_MAX));
    assert!(none < 0.12 && some > none + 0.1 && most > some, "{none} {some} {most}");
}
