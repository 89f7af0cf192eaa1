use serde::Serialize;

/// One number over several trials.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Spread {
    pub mean: f64,
    /// The standard deviation, of a sample; none of a single trial.
    pub deviation: Option<f64>,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    /// All zero of no values at all.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count.max(1.0);
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let deviation = (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
        let least = values.iter().copied().reduce(f64::min).unwrap_or_default();
        let most = values.iter().copied().reduce(f64::max).unwrap_or_default();
        Self { mean, deviation, least, most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_no_deviation_of_one_value() {
        let one = Spread::of(&[0.5]);
        assert_eq!(one, Spread { mean: 0.5, deviation: None, least: 0.5, most: 0.5 });
        let two = Spread::of(&[0.0, 2.0]);
        assert_eq!((two.mean, two.deviation), (1.0, Some(2.0_f64.sqrt())));
    }
}
