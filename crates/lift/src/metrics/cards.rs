use std::collections::{BTreeMap, BTreeSet};

use super::Scored;

/// When a row was, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardRow {
    pub day: u32,
    pub card: u32,
}

/// The mean over the days, and the highest mean that a ranking could have reached on the cards that
/// were still to be caught on each day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CardPrecision {
    pub mean: f64,
    pub most: f64,
}

/// Card precision at `per_day` (Le Borgne et al., Fraud Detection Handbook, 2022): each day the
/// cards of highest score among those not caught on an earlier day, and the share of `per_day` that
/// have a fraud on that day. A card has its highest score of the day; of equal ones the smaller
/// number goes first. Weights play no part, since a card is looked at once.
pub fn card_precision(rows: &[Scored], cards: &[CardRow], per_day: usize) -> CardPrecision {
    let mut days: BTreeMap<u32, BTreeMap<u32, (f64, bool)>> = BTreeMap::new();
    for (row, CardRow { day, card }) in rows.iter().zip(cards) {
        let day = days.entry(*day).or_default();
        let (score, fraud) = day.entry(*card).or_insert((row.score, false));
        *score = score.max(row.score);
        *fraud |= row.fraud;
    }
    let (mut found, mut findable) = (0, 0);
    let mut caught: BTreeSet<u32> = BTreeSet::new();
    for cards in days.values() {
        let mut open: Vec<(u32, f64, bool)> = cards
            .iter()
            .filter(|(card, _)| !caught.contains(card))
            .map(|(card, (score, fraud))| (*card, *score, *fraud))
            .collect();
        findable += open.iter().filter(|(.., fraud)| *fraud).count().min(per_day);
        open.sort_by(|(_, a, _), (_, b, _)| b.total_cmp(a));
        let alerted = open.iter().take(per_day).filter(|(.., fraud)| *fraud);
        let before = caught.len();
        caught.extend(alerted.map(|(card, ..)| *card));
        found += caught.len() - before;
    }
    let places = (days.len() * per_day).max(1) as f64;
    CardPrecision { mean: found as f64 / places, most: findable as f64 / places }
}
