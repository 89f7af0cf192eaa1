use super::histogram::Slope;
use crate::error::Error;
use crate::table::Table;

/// The rows to learn from: their numbers in the table, and for each its label and weight.
#[derive(Debug, Clone, Copy)]
pub struct Lessons<'a> {
    pub rows: &'a [u32],
    pub labels: &'a [bool],
    pub weights: &'a [f64],
}

impl Lessons<'_> {
    pub fn check(self, table: &Table) -> Result<(), Error> {
        let wanted = self.rows.len();
        for (what, given) in [("labels", self.labels.len()), ("weights", self.weights.len())] {
            if given != wanted {
                return Err(Error::Length { what: what.to_owned(), given, wanted });
            }
        }
        if let Some(row) = self.rows.iter().find(|row| **row as usize >= table.rows()) {
            let given = table.rows();
            return Err(Error::Length {
                what: "table".to_owned(),
                given,
                wanted: *row as usize + 1,
            });
        }
        let positive = |weight: f64| weight > 0.0 && weight.is_finite();
        let mut weights = self.rows.iter().zip(self.weights);
        if let Some((row, weight)) = weights.find(|(_, weight)| !positive(**weight)) {
            return Err(Error::Weight { row: *row as usize, weight: *weight });
        }
        if !self.labels.contains(&true) {
            return Err(Error::Empty { what: "positive row to learn from" });
        }
        if !self.labels.contains(&false) {
            return Err(Error::Empty { what: "negative row to learn from" });
        }
        Ok(())
    }

    /// Of a row that nothing is known of.
    pub fn log_odds(self) -> f64 {
        let (mut positive, mut negative) = (0.0, 0.0);
        for (label, weight) in self.labels.iter().zip(self.weights) {
            *(if *label { &mut positive } else { &mut negative }) += weight;
        }
        libm::log(positive / negative)
    }

    /// The logistic loss of each row at its score.
    pub fn slopes(self, scores: &[f64]) -> Vec<Slope> {
        let rows = self.labels.iter().zip(self.weights).zip(scores);
        let slope = |((label, weight), score): ((&bool, &f64), &f64)| {
            let chance = 1.0 / (1.0 + libm::exp(-score));
            let truth = if *label { 1.0 } else { 0.0 };
            Slope {
                gradient: (weight * (chance - truth)) as f32,
                curvature: (weight * chance * (1.0 - chance)) as f32,
            }
        };
        rows.map(slope).collect()
    }
}
