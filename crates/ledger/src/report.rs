//! Champion and challenger: what a shadow's score would have changed, on the decisions of a period.
//!
//! For each shadow and each score of a decision, the rules are tried again on the logged vector with
//! the shadow's score in the place of that score, all else as it was. So two things are assumed: the
//! thresholds are right for the challenger, too, and what was decided did not change what came next.
//! The second is never quite true: a payment that was blocked made no outcome to learn from.

use std::collections::BTreeMap;

use millrace_event::{Column, Span, Type, Value};
use millrace_feature::plan::{Decision, Outcome};
use millrace_serving::ServedValue;
use millrace_serving::decision::decide;
use millrace_serving::model::Score;

use crate::entries::Entry;
use crate::forms::{DecisionForm, hex};

/// Where the money of a decision is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Nobody asked for money.
    NotAsked,
    /// The index of a field of the event.
    Field(usize),
    /// The event had no such field when this was decided.
    NoField,
}

/// The report on one decision.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub decisions: u64,
    /// Taken under another definition of the decision: counted, and not tried again.
    pub other_definition: u64,
    /// Without an amount, or without a field for it: they add no money.
    pub without_money: u64,
    /// By day, in UTC, as the decisions were.
    pub days: BTreeMap<i64, DayRow>,
    /// By the name of a model.
    pub scores: BTreeMap<String, ScoreSpread>,
    pub shadows: BTreeMap<String, ScoreSpread>,
    /// By the names of the shadow and of the score that it takes the place of.
    pub challenges: BTreeMap<(String, String), Challenge>,
    /// Digits after the point of the amounts.
    pub amount_scale: u8,
}

/// Counts and money by outcome, in the order of [`Outcome::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayRow {
    pub counts: [u64; 3],
    /// In the smallest unit of the amount.
    pub money: [i128; 3],
}

/// All scores of one model.
#[derive(Clone, Debug, Default)]
pub struct ScoreSpread {
    scores: Vec<f64>,
}

/// Outcomes as they were against what they would have been.
#[derive(Clone, Debug, Default)]
pub struct Challenge {
    /// `[was][would be]`, in the order of [`Outcome::ALL`].
    pub counts: [[u64; 3]; 3],
    pub money: [[i128; 3]; 3],
    pub days: BTreeMap<i64, DayRow>,
}

impl Report {
    /// `decision` is as it is defined now.
    pub fn count(&mut self, entry: &Entry, decision: Option<&Decision>, amount: Amount) {
        let (record, form) = (&entry.record, entry.form());
        let money = match amount {
            Amount::NotAsked => Some(0),
            Amount::Field(field) => self.money(form, &record.event, field),
            Amount::NoField => None,
        };
        self.without_money += u64::from(money.is_none());
        let money = money.unwrap_or(0);
        let day = record.decided_at.0.div_euclid(Span::days(1).0);
        self.decisions += 1;
        self.days.entry(day).or_default().add(record.outcome, money);
        for (models, scores, to) in [
            (&form.scores, &record.scores, &mut self.scores),
            (&form.shadows, &record.shadows, &mut self.shadows),
        ] {
            for (model, score) in models.iter().zip(scores) {
                to.entry(model.name.clone()).or_default().scores.push(score.value);
            }
        }
        let Some(decision) = decision.filter(|d| hex(&d.hash) == form.hash) else {
            self.other_definition += 1;
            return;
        };
        let vector = served(form, &record.vector);
        for (shadow, challenger) in form.shadows.iter().zip(&record.shadows) {
            for (place, score) in form.scores.iter().enumerate() {
                let outcome = tried(decision, &vector, &record.scores, place, challenger);
                let names = (shadow.name.clone(), score.name.clone());
                let challenge = self.challenges.entry(names).or_default();
                let (was, would_be) = (index(record.outcome), index(outcome));
                challenge.counts[was][would_be] += 1;
                challenge.money[was][would_be] += money;
                challenge.days.entry(day).or_default().add(outcome, money);
            }
        }
    }

    /// The mantissa with as many digits after the point as all others have: the field may have had
    /// other digits in the course of the period.
    fn at_one_scale(&mut self, mantissa: i128, scale: u8) -> i128 {
        let times = |more: u8| 10i128.pow(u32::from(more));
        if scale <= self.amount_scale {
            return mantissa.saturating_mul(times(self.amount_scale - scale));
        }
        let more = times(scale - self.amount_scale);
        self.amount_scale = scale;
        let own = self.days.values_mut().flat_map(|row| &mut row.money);
        own.for_each(|money| *money = money.saturating_mul(more));
        for challenge in self.challenges.values_mut() {
            let days = challenge.days.values_mut().flat_map(|row| &mut row.money);
            let all = challenge.money.iter_mut().flatten().chain(days);
            all.for_each(|money| *money = money.saturating_mul(more));
        }
        mantissa
    }

    fn money(&mut self, form: &DecisionForm, event: &[Column], field: usize) -> Option<i128> {
        let (cell, of) = event.get(field).zip(form.fields.get(field))?;
        Some(match cell.value(0, &of.ty) {
            Value::Int(n) => self.at_one_scale(i128::from(n), 0),
            Value::Decimal { mantissa, scale } => self.at_one_scale(i128::from(mantissa), scale),
            Value::Null
            | Value::Bool(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Timestamp(_)
            | Value::Duration(_)
            | Value::List(_)
            | Value::Map(_) => return None,
        })
    }
}

/// The outcome with the challenger's score in the place of this one.
fn tried(
    decision: &Decision,
    vector: &[ServedValue<'_>],
    scores: &[Score],
    place: usize,
    challenger: &Score,
) -> Outcome {
    let instead = |(at, score): (usize, &Score)| {
        if at == place { challenger.value } else { score.value }
    };
    let values: Vec<f64> = scores.iter().enumerate().map(instead).collect();
    decide(decision, vector, &values).outcome
}

fn served<'a>(form: &'a DecisionForm, vector: &[Column]) -> Vec<ServedValue<'a>> {
    let cells = vector.iter().zip(&form.columns);
    let value = |(cell, column): (&Column, &'a crate::FieldForm)| ServedValue {
        name: column.name.as_str(),
        ty: &column.ty,
        value: cell.value(0, &column.ty),
        state: cell.mark(0).state(),
        // No rule sees an age.
        age: Span(0),
    };
    cells.map(value).collect()
}

fn index(outcome: Outcome) -> usize {
    Outcome::ALL.iter().position(|one| *one == outcome).unwrap_or(0)
}

impl DayRow {
    fn add(&mut self, outcome: Outcome, money: i128) {
        let at = index(outcome);
        self.counts[at] += 1;
        self.money[at] += money;
    }
}

impl Challenge {
    pub fn decisions(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Decisions whose outcome would have been the same.
    pub fn agreed(&self) -> u64 {
        (0..3).map(|at| self.counts[at][at]).sum()
    }
}

impl ScoreSpread {
    pub fn count(&self) -> usize {
        self.scores.len()
    }

    /// The scores below which these shares of all lie (the nearest rank).
    pub fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [f64; N] {
        let mut sorted = self.scores.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        shares.map(|share| {
            let rank = (share * sorted.len() as f64).ceil() as usize;
            sorted.get(rank.saturating_sub(1).min(last)).copied().unwrap_or(f64::NAN)
        })
    }

    /// Scores in ten equal parts of 0 to 1; what lies outside is in the first or the last.
    pub fn tenths(&self) -> [u64; 10] {
        let mut counts = [0; 10];
        for score in &self.scores {
            let at = (score * 10.0).clamp(0.0, 9.0) as usize;
            counts[at] += 1;
        }
        counts
    }
}

/// Whether the field can be summed up as money.
pub fn is_amount(ty: &Type) -> bool {
    matches!(ty, Type::Int | Type::Decimal(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_of_another_scale_is_added_as_what_it_is() {
        let mut report = Report::default();
        assert_eq!(report.at_one_scale(5, 0), 5);
        report.days.entry(1).or_default().money[0] = 5;
        assert_eq!(report.at_one_scale(1_250_000, 4), 1_250_000);
        assert_eq!((report.days[&1].money[0], report.amount_scale), (50_000, 4));
        assert_eq!(report.at_one_scale(125, 2), 12_500);
    }
}
