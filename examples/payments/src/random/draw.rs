//! Distributions, each by its textbook method.

use std::ops::RangeInclusive;

use super::Random;

impl Random {
    /// Uniform in `[0, 1)`, a multiple of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `(0, 1]`, for logarithms.
    fn unit_above_zero(&mut self) -> f64 {
        1.0 - self.unit()
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A uniform integer below `n`, which is at least 1 (Lemire, 2019: unbiased).
    pub fn below(&mut self, n: u64) -> u64 {
        debug_assert!(n > 0);
        loop {
            let product = u128::from(self.bits()) * u128::from(n);
            let low = product as u64;
            if low >= n || low >= n.wrapping_neg() % n {
                return (product >> 64) as u64;
            }
        }
    }

    /// A uniform index into something of this length, which is at least 1.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// One of these, of which there is at least one.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    /// A uniform integer with both ends included.
    pub fn between(&mut self, range: RangeInclusive<i64>) -> i64 {
        let (low, high) = range.into_inner();
        low + self.below((high - low + 1) as u64) as i64
    }

    /// Marsaglia's polar method.
    pub fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        if let Some(z) = self.spare.take() {
            return mean + deviation * z;
        }
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let s = x * x + y * y;
            if s > 0.0 && s < 1.0 {
                let scale = libm::sqrt(-2.0 * libm::log(s) / s);
                self.spare = Some(y * scale);
                return mean + deviation * x * scale;
            }
        }
    }

    /// `exp` of a normal number of this mean and deviation.
    pub fn log_normal(&mut self, mean: f64, deviation: f64) -> f64 {
        libm::exp(self.normal(mean, deviation))
    }

    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(self.unit_above_zero())
    }

    /// Marsaglia and Tsang, 2000; a shape below 1 is reached from shape + 1.
    pub fn gamma(&mut self, shape: f64, scale: f64) -> f64 {
        if shape < 1.0 {
            let boost = libm::pow(self.unit_above_zero(), 1.0 / shape);
            return boost * self.gamma(shape + 1.0, scale);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / libm::sqrt(9.0 * d);
        loop {
            let x = self.normal(0.0, 1.0);
            let root = 1.0 + c * x;
            if root <= 0.0 {
                continue;
            }
            let v = root * root * root;
            if libm::log(self.unit_above_zero()) < 0.5 * x * x + d * (1.0 - v + libm::log(v)) {
                return d * v * scale;
            }
        }
    }

    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (x, y) = (self.gamma(a, 1.0), self.gamma(b, 1.0));
        x / (x + y)
    }

    /// Counts arrivals of rate 1 until `mean` has passed: time linear in the result, which is
    /// what a caller spends on the result anyway.
    pub fn poisson(&mut self, mean: f64) -> usize {
        let mut passed = self.exponential(1.0);
        let mut arrivals = 0;
        while passed < mean {
            arrivals += 1;
            passed += self.exponential(1.0);
        }
        arrivals
    }

    /// How many trials until the first success: 1, 2, ….
    pub fn geometric(&mut self, success: f64) -> usize {
        let mut trials = 1;
        while !self.chance(success) {
            trials += 1;
        }
        trials
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of 200,000 draws.
    fn moments(mut draw: impl FnMut(&mut Random) -> f64) -> (f64, f64) {
        let mut random = Random::new(7, 7);
        let n = 200_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let x = draw(&mut random);
            sum += x;
            squares += x * x;
        }
        let mean = sum / f64::from(n);
        (mean, squares / f64::from(n) - mean * mean)
    }

    #[track_caller]
    fn check((mean, variance): (f64, f64), want_mean: f64, want_variance: f64) {
        assert!((mean - want_mean).abs() < 0.02 * want_mean.abs() + 0.01, "mean {mean}");
        assert!((variance / want_variance - 1.0).abs() < 0.05, "variance {variance}");
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        check(moments(|r| r.unit()), 0.5, 1.0 / 12.0);
        check(moments(|r| r.between(1..=6) as f64), 3.5, 35.0 / 12.0);
        check(moments(|r| r.normal(2.0, 3.0)), 2.0, 9.0);
        check(moments(|r| r.exponential(4.0)), 4.0, 16.0);
        check(moments(|r| r.gamma(0.8, 0.45)), 0.36, 0.162);
        check(moments(|r| r.gamma(5.0, 2.0)), 10.0, 20.0);
        check(moments(|r| r.beta(1.2, 22.0)), 1.2 / 23.2, 1.2 * 22.0 / (23.2 * 23.2 * 24.2));
        check(moments(|r| r.poisson(7.5) as f64), 7.5, 7.5);
        check(moments(|r| r.geometric(0.6) as f64), 1.0 / 0.6, 0.4 / 0.36);
        check(moments(|r| f64::from(u8::from(r.chance(0.3)))), 0.3, 0.21);
    }

    #[test]
    fn a_poisson_number_of_mean_zero_is_zero() {
        assert_eq!(Random::new(1, 1).poisson(0.0), 0);
    }

    #[test]
    fn ranges_include_both_ends_and_nothing_else() {
        let mut random = Random::new(3, 0);
        let mut seen = [0u32; 5];
        for _ in 0..10_000 {
            seen[(random.between(-2..=2) + 2) as usize] += 1;
        }
        assert!(seen.iter().all(|n| *n > 1_800), "{seen:?}");
        assert_eq!(random.between(9..=9), 9);
    }
}
