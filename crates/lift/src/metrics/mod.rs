//! How good a ranking of payments is, in the terms that a risk team uses.
//!
//! Everything here is a function of the test rows in the order of their scores. Rows of equal score
//! are one step where a definition says so (AUC, average precision); where a budget cuts between
//! them, the row that comes first in the table is alerted first, so a cut is the same in every run.

mod budget;
mod cards;
mod ranking;

use serde::Serialize;

use crate::error::Error;

pub use self::budget::{Money, Prefix, within_alerts, within_false_positives};
pub use self::cards::{CardPrecision, CardRow, card_precision};
pub use self::ranking::{CurvePoint, Ranking, auc, average_precision, curve};

/// A test row as the metrics see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub score: f64,
    pub fraud: bool,
    /// How many payments it stands for.
    pub weight: f64,
    pub amount_cents: i64,
}

/// What each metric is taken at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bounds {
    /// The share of all payments that can be looked at.
    pub alert_share: f64,
    /// The share of good payments that may be stopped.
    pub false_positive_rate: f64,
    /// Cards that can be looked at in a day.
    pub cards_per_day: usize,
    /// What a fraud costs beyond its amount.
    pub fee_cents: i64,
    /// The share of a good payment's amount that is lost when it is stopped.
    pub margin: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            alert_share: 0.01,
            false_positive_rate: 0.001,
            cards_per_day: 100,
            fee_cents: 1_500,
            margin: 0.1,
        }
    }
}

impl Bounds {
    pub fn check(&self) -> Result<(), Error> {
        let share = |share: f64| share > 0.0 && share <= 1.0;
        let shares = [
            ("alert_share", self.alert_share),
            ("false_positive_rate", self.false_positive_rate),
            ("margin", self.margin),
        ];
        if let Some((setting, given)) = shares.into_iter().find(|(_, given)| !share(*given)) {
            let (given, rule) = (given.to_string(), "above 0 and at most 1");
            return Err(Error::Setting { setting, given, rule });
        }
        let whole =
            [("cards_per_day", self.cards_per_day as i64, 1), ("fee_cents", self.fee_cents, 0)];
        match whole.into_iter().find(|(_, given, least)| given < least) {
            Some((setting, given, _)) => {
                let (given, rule) = (given.to_string(), "a positive number; the fee may be 0");
                Err(Error::Setting { setting, given, rule })
            }
            None => Ok(()),
        }
    }
}

/// One value of every metric; `T` is a number for one model, or its spread over several.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Metrics<T> {
    pub auc: T,
    pub average_precision: T,
    pub recall_at_alerts: T,
    pub precision_at_alerts: T,
    pub recall_at_fpr: T,
    pub precision_at_fpr: T,
    pub card_precision: T,
    /// The highest card precision that any ranking could have had on the days of this one.
    pub card_precision_max: T,
    pub money_saved_at_fpr: T,
    pub money_saved_at_alerts: T,
}

/// What a test row lacks: metrics that need it are NaN, which JSON writes as null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amounts {
    Known,
    Unknown,
}

impl<T> Metrics<T> {
    /// In the order of the fields.
    pub fn as_array(&self) -> [&T; 10] {
        [
            &self.auc,
            &self.average_precision,
            &self.recall_at_alerts,
            &self.precision_at_alerts,
            &self.recall_at_fpr,
            &self.precision_at_fpr,
            &self.card_precision,
            &self.card_precision_max,
            &self.money_saved_at_fpr,
            &self.money_saved_at_alerts,
        ]
    }

    /// One metric after the other, from the same metric of several.
    pub fn zip_with<U>(all: &[&Self], mut make: impl FnMut(Vec<&T>) -> U) -> Metrics<U> {
        let mut of = |pick: fn(&Self) -> &T| make(all.iter().map(|one| pick(one)).collect());
        Metrics {
            auc: of(|one| &one.auc),
            average_precision: of(|one| &one.average_precision),
            recall_at_alerts: of(|one| &one.recall_at_alerts),
            precision_at_alerts: of(|one| &one.precision_at_alerts),
            recall_at_fpr: of(|one| &one.recall_at_fpr),
            precision_at_fpr: of(|one| &one.precision_at_fpr),
            card_precision: of(|one| &one.card_precision),
            card_precision_max: of(|one| &one.card_precision_max),
            money_saved_at_fpr: of(|one| &one.money_saved_at_fpr),
            money_saved_at_alerts: of(|one| &one.money_saved_at_alerts),
        }
    }
}

/// All metrics of one ranking. `cards` has the day and the card of each row, where those are known.
pub fn measure(
    ranking: &Ranking<'_>,
    cards: Option<&[CardRow]>,
    amounts: Amounts,
    bounds: &Bounds,
) -> Metrics<f64> {
    let alerts = within_alerts(ranking, bounds.alert_share);
    let stopped = within_false_positives(ranking, bounds.false_positive_rate);
    let money = Money { fee_cents: bounds.fee_cents, margin: bounds.margin };
    let nothing = CardPrecision { mean: f64::NAN, most: f64::NAN };
    let by_card =
        cards.map_or(nothing, |cards| card_precision(ranking.rows(), cards, bounds.cards_per_day));
    let saved = |prefix| match amounts {
        Amounts::Known => money.saved(ranking, prefix),
        Amounts::Unknown => f64::NAN,
    };
    Metrics {
        auc: auc(ranking),
        average_precision: average_precision(ranking),
        recall_at_alerts: alerts.recall(ranking),
        precision_at_alerts: alerts.precision(),
        recall_at_fpr: stopped.recall(ranking),
        precision_at_fpr: stopped.precision(),
        card_precision: by_card.mean,
        card_precision_max: by_card.most,
        money_saved_at_fpr: saved(stopped),
        money_saved_at_alerts: saved(alerts),
    }
}
