//! One job of an experiment: a model, and what it is worth on the test rows.
//!
//! The rows of a world fit together by construction, so their numbers are used as they are.

use super::{ALERT_SHARES, AlertPoint, Cell, Counts, KindCell, Options, Thresholds, Trial};
use crate::boosting::{Lessons, train};
use crate::error::Error;
use crate::metrics::{
    Amounts, CardRow, Prefix, Ranking, Scored, curve, measure, within_alerts,
    within_false_positives,
};
use crate::model::Model;
use crate::world::{Freshness, Part, World};

/// Steps of recall at which the precision is plotted.
const CURVE_POINTS: usize = 50;

/// A model, served with what it was trained on and with staler values.
pub type Done = (Model, Cell, Vec<Cell>);

/// What is left of the training rows to learn from.
pub struct OwnedLessons {
    rows: Vec<u32>,
    labels: Vec<bool>,
    weights: Vec<f64>,
}

impl OwnedLessons {
    pub fn new(world: &World, keep_every: u32) -> Result<Self, Error> {
        if keep_every == 0 {
            let (given, rule) = ("0".to_owned(), "1 or more");
            return Err(Error::Setting { setting: "keep_every", given, rule });
        }
        let rows = world.rows();
        let mut lessons = Self { rows: Vec::new(), labels: Vec::new(), weights: Vec::new() };
        let mut unreported = 0;
        for row in world.rows_of(Part::Train) {
            let (label, weight) = (rows.label[row as usize], rows.weight[row as usize]);
            let kept = label || unreported % keep_every == 0;
            unreported += u32::from(!label);
            if kept {
                lessons.rows.push(row);
                lessons.labels.push(label);
                lessons.weights.push(if label { weight } else { weight * f64::from(keep_every) });
            }
        }
        Ok(lessons)
    }
}

/// What all jobs read.
pub struct Bench<'a> {
    pub world: &'a World,
    pub options: &'a Options,
    pub lessons: &'a OwnedLessons,
    pub test: &'a [u32],
}

/// The prediction of the last row of a prefix.
fn threshold(ranking: &Ranking<'_>, prefix: Prefix) -> f64 {
    let last = prefix.rows.checked_sub(1).and_then(|last| ranking.ranked().nth(last));
    last.map_or(f64::NAN, |row| 1.0 / (1.0 + libm::exp(-row.score)))
}

impl Bench<'_> {
    pub fn job(&self, seed: u64, at: usize) -> Result<Done, Error> {
        let freshness = self.world.freshness();
        let own = &freshness[at];
        let OwnedLessons { rows, labels, weights } = self.lessons;
        let lessons = Lessons { rows, labels, weights };
        let model = train(&own.table, lessons, &self.options.settings, seed)?;
        let names = model.features.iter().map(|feature| feature.name.clone());
        let mut importance: Vec<(String, f64)> = names.zip(model.importance()).collect();
        importance.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let cell = |served: &Freshness| {
            let scores = model.scores(&served.table, self.test);
            let cell = self.cell(&own.name, &served.name, &scores);
            Cell { importance: importance.clone(), ..cell }
        };
        let fresh = cell(own);
        let staler = if at + 1 == freshness.len() { &freshness[..at] } else { &[] };
        let fitting = staler.iter().filter(|staler| staler.table.same_columns(&own.table));
        let skew = fitting.map(cell).collect();
        Ok((model, fresh, skew))
    }

    /// What these scores of the test rows are worth; the importance is the caller's to know.
    pub fn cell(&self, trained: &str, served: &str, scores: &[f64]) -> Cell {
        let rows = self.world.rows();
        let scored: Vec<Scored> = self
            .test
            .iter()
            .zip(scores)
            .map(|(row, score)| Scored {
                score: *score,
                fraud: rows.truth[*row as usize],
                weight: rows.weight[*row as usize],
                amount_cents: rows.amount_cents.as_ref().map_or(0, |cents| cents[*row as usize]),
            })
            .collect();
        let cards: Option<Vec<CardRow>> = rows.card.as_ref().map(|card| {
            let row = |row: &u32| (rows.day[*row as usize], card[*row as usize]);
            self.test.iter().map(row).map(|(day, card)| CardRow { day, card }).collect()
        });
        let amounts = if rows.amount_cents.is_some() { Amounts::Known } else { Amounts::Unknown };
        let bounds = &self.options.bounds;
        let ranking = Ranking::new(&scored);
        let recall =
            |share| AlertPoint { share, recall: within_alerts(&ranking, share).recall(&ranking) };
        Cell {
            trained: trained.to_owned(),
            served: served.to_owned(),
            metrics: measure(&ranking, cards.as_deref(), amounts, bounds),
            thresholds: Thresholds {
                alerts: threshold(&ranking, within_alerts(&ranking, bounds.alert_share)),
                fpr: threshold(
                    &ranking,
                    within_false_positives(&ranking, bounds.false_positive_rate),
                ),
            },
            kinds: self.kinds(&ranking),
            recall_by_alerts: ALERT_SHARES.map(recall).to_vec(),
            curve: curve(&ranking, CURVE_POINTS),
            importance: Vec::new(),
        }
    }

    fn kinds(&self, ranking: &Ranking<'_>) -> Vec<KindCell> {
        let Some(kinds) = &self.world.rows().kinds else { return Vec::new() };
        let alerted = within_alerts(ranking, self.options.bounds.alert_share).rows;
        let mut sums = vec![(0, 0.0, 0.0); kinds.names.len()];
        for (rank, at) in ranking.order().iter().enumerate() {
            let row = &ranking.rows()[*at as usize];
            let Some(kind) = kinds.of[self.test[*at as usize] as usize] else { continue };
            if row.fraud {
                let (fraud, weight, caught) = &mut sums[kind as usize];
                *fraud += 1;
                *weight += row.weight;
                *caught += if rank < alerted { row.weight } else { 0.0 };
            }
        }
        let named = kinds.names.iter().zip(sums).filter(|(_, (fraud, ..))| *fraud > 0);
        named
            .map(|(kind, (fraud, weight, caught))| KindCell {
                kind: kind.clone(),
                fraud,
                recall: caught / weight,
            })
            .collect()
    }

    /// Of a seed whose models are still to be trained.
    pub fn empty_trial(&self, seed: u64) -> Trial {
        let rows = self.world.rows();
        let count = |part: Part, of: &[bool]| {
            rows.part.iter().zip(of).filter(|(one, is)| **one == part && **is).count()
        };
        // By weight: of what was never reported, only a part may be among the rows.
        let (mut known, mut fraud) = (0.0, 0.0);
        for row in self.world.rows_of(Part::Train) {
            let row = row as usize;
            let weight = if rows.truth[row] { rows.weight[row] } else { 0.0 };
            fraud += weight;
            known += if rows.label[row] { weight } else { 0.0 };
        }
        let counts = Counts {
            train_rows: self.lessons.rows.len(),
            train_reported: count(Part::Train, &rows.label),
            label_coverage: if fraud > 0.0 { known / fraud } else { 1.0 },
            test_rows: self.test.len(),
            test_fraud: count(Part::Test, &rows.truth),
        };
        let (fresh, skew, models) = (Vec::new(), Vec::new(), Vec::new());
        Trial { world: self.world.name().to_owned(), seed, counts, fresh, skew, models }
    }
}
