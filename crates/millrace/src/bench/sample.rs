//! Many measurements of one thing.

use std::time::Duration;

/// Times taken, for percentiles.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    nanos: Vec<u64>,
}

impl Sample {
    pub fn push(&mut self, time: Duration) {
        self.nanos.push(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub fn append(&mut self, mut other: Sample) {
        self.nanos.append(&mut other.nanos);
    }

    pub fn len(&self) -> usize {
        self.nanos.len()
    }

    /// The time in milliseconds that this share of the measurements did not exceed; `None` without
    /// any.
    pub fn percentile_ms(&mut self, share: f64) -> Option<f64> {
        self.nanos.sort_unstable();
        let rank = (self.nanos.len() as f64 * share).ceil() as usize;
        let nanos = self.nanos.get(rank.max(1) - 1)?;
        Some(*nanos as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_measurements() {
        let mut sample = Sample::default();
        assert_eq!(sample.percentile_ms(0.5), None);
        (1..=100).rev().for_each(|ms| sample.push(Duration::from_millis(ms)));
        let of = |sample: &mut Sample, share| sample.percentile_ms(share).unwrap().round() as u64;
        assert_eq!([0.5, 0.99, 1.0, 0.0].map(|share| of(&mut sample, share)), [50, 99, 100, 1]);
    }
}
