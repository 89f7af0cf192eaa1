use super::{Ranking, Scored};

/// Shares such as 0.01 have no exact bits: a hundredth of 300 rows must be 3 and not 2.
const ROUNDING: f64 = 1e-9;

/// The highest-scored rows that fit a budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prefix {
    /// How many rows.
    pub rows: usize,
    /// The weights of fraud and good among them.
    pub fraud: f64,
    pub good: f64,
}

impl Prefix {
    /// The longest prefix whose cost stays within `budget`. A row that fits no more ends it.
    fn within(ranking: &Ranking<'_>, budget: f64, cost: impl Fn(&Scored) -> f64) -> Self {
        let budget = budget + budget.abs() * ROUNDING;
        let (mut spent, mut prefix) = (0.0, Self { rows: 0, fraud: 0.0, good: 0.0 });
        for row in ranking.ranked() {
            spent += cost(row);
            if spent > budget {
                break;
            }
            prefix.rows += 1;
            *(if row.fraud { &mut prefix.fraud } else { &mut prefix.good }) += row.weight;
        }
        prefix
    }

    /// The share of the fraud that is in it.
    pub fn recall(self, ranking: &Ranking<'_>) -> f64 {
        ratio(self.fraud, ranking.fraud())
    }

    /// The share of it that is fraud.
    pub fn precision(self) -> f64 {
        ratio(self.fraud, self.fraud + self.good)
    }
}

/// What can be looked at, if this share of all payments can.
pub fn within_alerts(ranking: &Ranking<'_>, share: f64) -> Prefix {
    let budget = share * (ranking.fraud() + ranking.good());
    Prefix::within(ranking, budget, |row| row.weight)
}

/// What can be stopped, if at most this share of the good payments may be.
pub fn within_false_positives(ranking: &Ranking<'_>, rate: f64) -> Prefix {
    let cost = |row: &Scored| if row.fraud { 0.0 } else { row.weight };
    Prefix::within(ranking, rate * ranking.good(), cost)
}

/// What stopping a payment is worth.
#[derive(Debug, Clone, Copy)]
pub struct Money {
    pub fee_cents: i64,
    pub margin: f64,
}

impl Money {
    /// When a prefix is stopped: the amount and the fee of each fraud, less the margin of each good
    /// payment, as a share of the amounts and fees of all fraud. Below zero where it costs more
    /// than it saves.
    pub fn saved(self, ranking: &Ranking<'_>, prefix: Prefix) -> f64 {
        let loss = |row: &Scored| row.weight * (row.amount_cents + self.fee_cents) as f64;
        let margin = |row: &Scored| row.weight * self.margin * row.amount_cents as f64;
        let gain = |row: &Scored| if row.fraud { loss(row) } else { -margin(row) };
        let gained: f64 = ranking.ranked().take(prefix.rows).map(gain).sum();
        ratio(gained, ranking.rows().iter().filter(|row| row.fraud).map(loss).sum())
    }
}

/// Zero where there is nothing to take a share of.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
