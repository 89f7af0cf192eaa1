//! The draws of NumPy's legacy generator (`numpy.random.RandomState`), as far as the rules use it.
//!
//! NumPy promises that this generator's streams never change, so they can be reproduced bit by bit:
//! MT19937 (Matsumoto and Nishimura, 1998) seeded from one 32-bit number, 53-bit floats, normal
//! numbers by the polar method (Marsaglia and Bray, 1964), Poisson numbers by multiplication.
//! Logarithms and exponentials come from `libm`, which gives the same bits on every machine. They
//! are NumPy's but for the last bit now and then, which moves no row: see the checksum in
//! `reference/`.

use rand_mt::Mt;

/// Below this rate the generator multiplies, above it does something else, which no rule needs.
const POISSON_RATE_MAX: f64 = 10.0;

#[derive(Clone, Debug)]
pub struct NumpyRandom {
    bits: Mt,
    /// The second normal number of a pair.
    spare: Option<f64>,
}

impl NumpyRandom {
    /// `RandomState(seed)`.
    pub fn new(seed: u32) -> NumpyRandom {
        NumpyRandom { bits: Mt::new(seed), spare: None }
    }

    /// `random_sample()`: uniform in `[0, 1)`, a multiple of 2⁻⁵³.
    fn unit(&mut self) -> f64 {
        unit(&mut self.bits)
    }

    /// `uniform(low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// `normal(mean, deviation)`.
    pub fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        mean + deviation * self.standard_normal()
    }

    fn standard_normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let x = 2.0 * self.unit() - 1.0;
            let y = 2.0 * self.unit() - 1.0;
            let square = x * x + y * y;
            if square < 1.0 && square != 0.0 {
                let factor = (-2.0 * libm::log(square) / square).sqrt();
                self.spare = Some(factor * x);
                return factor * y;
            }
        }
    }

    /// `poisson(rate)`, for rates below ten.
    pub fn poisson(&mut self, rate: f64) -> u32 {
        debug_assert!((0.0..POISSON_RATE_MAX).contains(&rate), "{rate} asks for another method");
        if rate == 0.0 {
            return 0;
        }
        let limit = libm::exp(-rate);
        let (mut count, mut product) = (0, self.unit());
        while product > limit {
            count += 1;
            product *= self.unit();
        }
        count
    }

    /// `choice(count, picks, replace=False)`: the first of a shuffle of all.
    pub fn choice<const PICKS: usize>(&mut self, count: u32) -> [u32; PICKS] {
        let mut all: Vec<u32> = (0..count).collect();
        for last in (1..all.len()).rev() {
            all.swap(last, self.at_most(last as u32) as usize);
        }
        let mut picks = all.into_iter();
        // Fewer than asked for are an error of the settings, which are checked before.
        std::array::from_fn(|_| picks.next().expect("at least as many as are picked"))
    }

    /// A number up to and with `greatest`, which is not 0: the lowest bits that can hold it, drawn
    /// until they do not pass it.
    fn at_most(&mut self, greatest: u32) -> u32 {
        let mask = u32::MAX >> greatest.leading_zeros();
        loop {
            let value = self.bits.next_u32() & mask;
            if value <= greatest {
                return value;
            }
        }
    }
}

/// 53 of the next 64 bits, as NumPy and CPython make them.
fn unit(bits: &mut Mt) -> f64 {
    let high = f64::from(bits.next_u32() >> 5);
    let low = f64::from(bits.next_u32() >> 6);
    (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::{Draws, floats, words};

    /// Seeds of a customer, of a day, and the greatest.
    const SEEDS: [u32; 4] = [0, 1, 4_999, u32::MAX];

    #[test]
    fn uniform_numbers_are_numpys() {
        let draws = Draws::new("numpy uniform");
        for seed in SEEDS {
            let mut random = NumpyRandom::new(seed);
            draws.same(seed, &floats((0..400).map(|_| random.uniform(5.0, 100.0)).step_by(40)));
        }
    }

    #[test]
    fn normal_numbers_are_numpys_but_for_the_last_bits() {
        let draws = Draws::new("numpy normal");
        for seed in SEEDS {
            let mut random = NumpyRandom::new(seed);
            draws.near(
                seed,
                &floats((0..401).map(|_| random.normal(43_200.0, 20_000.0)).step_by(20)),
            );
        }
    }

    #[test]
    fn poisson_numbers_are_numpys() {
        let draws = Draws::new("numpy poisson");
        for seed in SEEDS {
            let mut random = NumpyRandom::new(seed);
            let rates = [0.0, 0.004, 0.5, 1.0, 2.2, 3.999];
            let all = (0..200).flat_map(|_| rates.map(|rate| random.poisson(rate)));
            draws.same(seed, &words(all.step_by(17)));
        }
    }

    #[test]
    fn choices_without_replacement_are_numpys() {
        let draws = Draws::new("numpy choice");
        for seed in SEEDS {
            let mut random = NumpyRandom::new(seed);
            let mut all = Vec::new();
            for count in [3, 4, 5_000, 10_000] {
                all.extend(random.choice::<3>(count));
            }
            draws.same(seed, &words(all));
        }
    }

    #[test]
    fn a_normal_number_between_others_keeps_its_pair() {
        let draws = Draws::new("numpy mixed");
        for seed in SEEDS {
            let mut random = NumpyRandom::new(seed);
            let mut all = Vec::new();
            for _ in 0..50 {
                all.push(random.normal(0.0, 1.0));
                all.push(random.uniform(0.0, 1.0));
                all.push(f64::from(random.poisson(2.0)));
            }
            draws.near(seed, &floats(all.into_iter().step_by(7)));
        }
    }
}
