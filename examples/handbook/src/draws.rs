//! For tests: what NumPy and CPython drew, out of `reference/draws.txt`.

use std::collections::HashMap;

/// Written by `python3 reference/draws.py > reference/draws.txt`: a line for each kind of draw and
/// seed, with floats as the hexadecimal of their bits.
const TEXT: &str = include_str!("../reference/draws.txt");

/// The draws of one kind, by their seeds.
pub struct Draws(HashMap<u64, Vec<u64>>);

impl Draws {
    pub fn new(kind: &str) -> Draws {
        let lines = TEXT.lines().filter_map(|line| line.strip_prefix(kind)?.split_once(':'));
        let hex = |word: &str| u64::from_str_radix(word, 16).unwrap();
        let seeds = lines.map(|(seed, values)| {
            (seed.trim().parse().unwrap(), values.split_whitespace().map(hex).collect())
        });
        Draws(seeds.collect())
    }

    #[track_caller]
    pub fn same(&self, seed: impl Into<u64>, drawn: &[u64]) {
        let seed = seed.into();
        assert_eq!(self.0[&seed], drawn, "seed {seed}");
    }

    /// Floats that are at most a few last bits away, since logarithms differ in theirs.
    #[track_caller]
    pub fn near(&self, seed: impl Into<u64>, drawn: &[u64]) {
        let seed = seed.into();
        assert_eq!(self.0[&seed].len(), drawn.len(), "seed {seed}");
        for (expected, drawn) in self.0[&seed].iter().zip(drawn) {
            let (expected, drawn) = (f64::from_bits(*expected), f64::from_bits(*drawn));
            let slack = 8.0 * f64::EPSILON * expected.abs();
            assert!((expected - drawn).abs() <= slack, "seed {seed}: {drawn} is not {expected}");
        }
    }
}

pub fn floats(drawn: impl IntoIterator<Item = f64>) -> Vec<u64> {
    drawn.into_iter().map(f64::to_bits).collect()
}

pub fn words(drawn: impl IntoIterator<Item = u32>) -> Vec<u64> {
    drawn.into_iter().map(u64::from).collect()
}
