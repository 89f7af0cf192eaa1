use serde::Serialize;

use super::Scored;

/// Rows from the highest score down; of equal scores the row that comes first in the table.
#[derive(Debug)]
pub struct Ranking<'a> {
    rows: &'a [Scored],
    order: Vec<u32>,
    fraud: f64,
    good: f64,
}

impl<'a> Ranking<'a> {
    pub fn new(rows: &'a [Scored]) -> Self {
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_by(|a, b| rows[*b as usize].score.total_cmp(&rows[*a as usize].score));
        let weight_of = |fraud: bool| {
            rows.iter().filter(|row| row.fraud == fraud).map(|row| row.weight).sum::<f64>()
        };
        Self { rows, order, fraud: weight_of(true), good: weight_of(false) }
    }

    /// In the order of the table.
    pub fn rows(&self) -> &'a [Scored] {
        self.rows
    }

    /// From the highest score down.
    pub fn ranked(&self) -> impl ExactSizeIterator<Item = &'a Scored> + '_ {
        self.order.iter().map(|row| &self.rows[*row as usize])
    }

    /// The numbers of the rows in the table, from the highest score down.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// The weight of all fraud.
    pub fn fraud(&self) -> f64 {
        self.fraud
    }

    /// The weight of all that is not fraud.
    pub fn good(&self) -> f64 {
        self.good
    }

    /// The weights of fraud and good among the rows of each score, from the highest score down.
    fn steps(&self) -> Vec<(f64, f64)> {
        let mut steps: Vec<(f64, f64)> = Vec::new();
        let mut last = None;
        for row in self.ranked() {
            if last != Some(row.score) {
                steps.push((0.0, 0.0));
                last = Some(row.score);
            }
            if let Some((fraud, good)) = steps.last_mut() {
                *(if row.fraud { fraud } else { good }) += row.weight;
            }
        }
        steps
    }
}

/// The chance that a fraud has a higher score than a good payment; equal scores count half.
/// One half, where there is only one of the two.
pub fn auc(ranking: &Ranking<'_>) -> f64 {
    let (mut above, mut won) = (0.0, 0.0);
    for (fraud, good) in ranking.steps() {
        won += good * (above + fraud / 2.0);
        above += fraud;
    }
    let pairs = ranking.fraud * ranking.good;
    if pairs > 0.0 { won / pairs } else { 0.5 }
}

/// The mean of the precision over the recall it is reached at, without interpolation:
/// `average_precision_score` of scikit-learn.
pub fn average_precision(ranking: &Ranking<'_>) -> f64 {
    let (mut caught, mut alerted, mut sum) = (0.0, 0.0, 0.0);
    for (fraud, good) in ranking.steps() {
        caught += fraud;
        alerted += fraud + good;
        if fraud > 0.0 {
            sum += fraud * caught / alerted;
        }
    }
    if ranking.fraud > 0.0 { sum / ranking.fraud } else { 0.0 }
}

/// A point of the curve of precision over recall.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    pub recall: f64,
    pub precision: f64,
}

/// The precision when this many parts of the fraud are caught, at `points` equal steps of recall:
/// at the first score that reaches it.
pub fn curve(ranking: &Ranking<'_>, points: usize) -> Vec<CurvePoint> {
    let (mut caught, mut alerted) = (0.0, 0.0);
    let mut curve = Vec::with_capacity(points);
    for (fraud, good) in ranking.steps() {
        caught += fraud;
        alerted += fraud + good;
        while curve.len() < points {
            let recall = (curve.len() + 1) as f64 / points as f64;
            // The sums were taken in another order than the total: the last step must be reached.
            if caught < ranking.fraud * recall * (1.0 - 1e-12) || ranking.fraud == 0.0 {
                break;
            }
            curve.push(CurvePoint { recall, precision: caught / alerted });
        }
    }
    curve
}
