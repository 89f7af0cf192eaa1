//! The floor, a plain loop: the textbook way, the same for every key.
//!
//! A hash map of cards and one of merchants; per card one ring of the day's payments, per window a
//! running sum and a deque of maxima, and a count per merchant for the distinct ones.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::tuned::{CARD_WIDTHS_MS, DAY, MerchantState, Spent, Totals, go_through};
use super::{CardWindow, Columns, Row};

/// Computes the columns of every row, which come in the order of (time, id), and hands them to
/// `visit`.
pub fn compute(rows: &[Row], visit: impl FnMut(&Row, &Columns)) -> Totals {
    let mut by_card: HashMap<u32, Card> = HashMap::new();
    let mut by_merchant: HashMap<u32, MerchantState> = HashMap::new();
    go_through(rows, visit, |row| {
        let card = by_card.entry(row.card).or_default();
        let merchant = by_merchant.entry(row.merchant).or_default();
        let (windows, merchants) = card.read(row.at_ms);
        let columns = Columns { card: windows, merchants, merchant: merchant.read(row.at_ms) };
        card.apply(row);
        merchant.apply(row);
        columns
    })
}

#[derive(Debug, Default)]
struct Card {
    /// The day's payments, oldest first.
    day: VecDeque<Spent>,
    windows: [RunningWindow; 3],
    /// How many of the day's payments each merchant had.
    merchants: HashMap<u32, u32>,
}

#[derive(Debug, Default)]
struct RunningWindow {
    count: usize,
    sum_cents: i64,
    /// Payments that are larger than every later one: (time, amount), largest first.
    largest: VecDeque<(i64, u32)>,
}

impl Card {
    fn read(&mut self, now_ms: i64) -> ([CardWindow; 3], u32) {
        for (window, width_ms) in self.windows.iter_mut().zip(CARD_WIDTHS_MS) {
            let old_end_ms = now_ms - width_ms;
            while window.count > 0
                && let spent = self.day[self.day.len() - window.count]
                && spent.at_ms <= old_end_ms
            {
                window.count -= 1;
                window.sum_cents -= i64::from(spent.cents);
            }
            while window.largest.front().is_some_and(|(at_ms, _)| *at_ms <= old_end_ms) {
                window.largest.pop_front();
            }
        }
        while self.day.len() > self.windows[DAY].count {
            let Some(spent) = self.day.pop_front() else { break };
            if let Some(payments) = self.merchants.get_mut(&spent.merchant) {
                *payments -= 1;
                if *payments == 0 {
                    self.merchants.remove(&spent.merchant);
                }
            }
        }
        let windows = self.windows.each_ref().map(|window| CardWindow {
            count: window.count as u32,
            sum_cents: window.sum_cents,
            max_cents: window.largest.front().map_or(0, |(_, cents)| *cents),
        });
        (windows, self.merchants.len() as u32)
    }

    fn apply(&mut self, row: &Row) {
        self.day.push_back(Spent { at_ms: row.at_ms, cents: row.cents, merchant: row.merchant });
        for window in &mut self.windows {
            window.count += 1;
            window.sum_cents += i64::from(row.cents);
            while window.largest.back().is_some_and(|(_, cents)| *cents <= row.cents) {
                window.largest.pop_back();
            }
            window.largest.push_back((row.at_ms, row.cents));
        }
        *self.merchants.entry(row.merchant).or_insert(0) += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card_features::{Preset, Rows, Workload, compute_tuned, in_time_order};

    #[test]
    fn both_loops_give_the_same_columns() {
        let rate = 1.0 / 60.0;
        let expiring = Workload { rows: 2_880, rate, cards: 12, ..Preset::B100k.workload() };
        for workload in [Preset::A100k.workload(), expiring] {
            let rows = in_time_order(Rows::new(workload));
            let (mut plain, mut tuned) = (Vec::new(), Vec::new());
            let a = compute(&rows, |_, columns| plain.push(*columns));
            let b = compute_tuned(&rows, workload.cards, workload.merchants, |_, columns| {
                tuned.push(*columns);
            });
            assert_eq!(a, b);
            assert_eq!(plain, tuned);
        }
    }
}
