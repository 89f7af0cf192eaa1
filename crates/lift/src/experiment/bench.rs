//! One job of an experiment: a model, and what it is worth on the test rows.
//!
//! The rows of a world fit together by construction, so their numbers are used as they are.

use super::{ALERT_SHARES, AlertPoint, Cell, Counts, KindCell, Options, Trial};
use crate::boosting::{Lessons, train};
use crate::error::Error;
use crate::metrics::{CardRow, Ranking, Scored, curve, measure, within_alerts};
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

impl Bench<'_> {
    pub fn job(&self, seed: u64, at: usize) -> Result<Done, Error> {
        let freshness = self.world.freshness();
        let own = &freshness[at];
        let OwnedLessons { rows, labels, weights } = self.lessons;
        let lessons = Lessons { rows, labels, weights };
        let model = train(&own.table, lessons, &self.options.settings, seed)?;
        let cell = self.cell(&model, own, own);
        let staler = if at + 1 == freshness.len() { &freshness[..at] } else { &[] };
        let fitting = staler.iter().filter(|staler| staler.table.same_columns(&own.table));
        let skew = fitting.map(|served| self.cell(&model, own, served)).collect();
        Ok((model, cell, skew))
    }

    fn cell(&self, model: &Model, trained: &Freshness, served: &Freshness) -> Cell {
        let rows = self.world.rows();
        let scores = model.scores(&served.table, self.test);
        let scored: Vec<Scored> = self
            .test
            .iter()
            .zip(scores)
            .map(|(row, score)| Scored {
                score,
                fraud: rows.truth[*row as usize],
                weight: rows.weight[*row as usize],
                amount_cents: rows.amount_cents[*row as usize],
            })
            .collect();
        let card =
            |row: &u32| CardRow { day: rows.day[*row as usize], card: rows.card[*row as usize] };
        let cards: Vec<CardRow> = self.test.iter().map(card).collect();
        let ranking = Ranking::new(&scored);
        let recall =
            |share| AlertPoint { share, recall: within_alerts(&ranking, share).recall(&ranking) };
        let names = model.features.iter().map(|feature| feature.name.clone());
        let mut importance: Vec<(String, f64)> = names.zip(model.importance()).collect();
        importance.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        Cell {
            trained: trained.name.clone(),
            served: served.name.clone(),
            metrics: measure(&ranking, &cards, &self.options.bounds),
            kinds: self.kinds(&ranking),
            recall_by_alerts: ALERT_SHARES.map(recall).to_vec(),
            curve: curve(&ranking, CURVE_POINTS),
            importance,
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
        let known = rows.part.iter().zip(rows.label.iter().zip(&rows.truth));
        let known =
            known.filter(|(part, (label, truth))| **part == Part::Train && **label && **truth);
        let train_fraud = count(Part::Train, &rows.truth);
        let counts = Counts {
            train_rows: self.lessons.rows.len(),
            train_reported: count(Part::Train, &rows.label),
            label_coverage: known.count() as f64 / train_fraud.max(1) as f64,
            test_rows: self.test.len(),
            test_fraud: count(Part::Test, &rows.truth),
        };
        let (fresh, skew, models) = (Vec::new(), Vec::new(), Vec::new());
        Trial { world: self.world.name().to_owned(), seed, counts, fresh, skew, models }
    }
}
