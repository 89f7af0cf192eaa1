//! The tuned loop: all that is known of exactly these sixteen columns and their keys is used.
//!
//! Most cards pay a few times a day: their payments lie in one short vector, and each read looks at
//! all of them. A card that pays more often gets running sums and a deque of maxima.

use std::collections::VecDeque;

use super::busy::Busy;
use super::{CardWindow, Columns, MerchantWindow, Row};

/// 10 minutes, 1 hour, 24 hours.
pub(super) const CARD_WIDTHS_MS: [i64; 3] = [600_000, 3_600_000, 86_400_000];
pub(super) const DAY: usize = 2;
const MERCHANT_WIDTH_MS: i64 = 3_600_000;
/// Beyond this many payments in a day, running sums are faster than looking at all.
const SCANNED_MAX: usize = 16;

/// What the whole run came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Totals {
    pub rows: u64,
    /// The wrapping sum of [`Columns::checksum`] over all rows.
    pub checksum: u64,
}

/// Computes the columns of every row and hands them to `visit`. Rows come in the order of (time,
/// id); cards are below `cards`, merchants below `merchants`.
pub fn compute_tuned(
    rows: &[Row],
    cards: u32,
    merchants: u32,
    visit: impl FnMut(&Row, &Columns),
) -> Totals {
    let mut by_card: Vec<CardState> = (0..cards).map(|_| CardState::Quiet(Vec::new())).collect();
    let mut by_merchant: Vec<MerchantState> =
        (0..merchants).map(|_| MerchantState::default()).collect();
    go_through(rows, visit, |row| {
        let card = &mut by_card[row.card as usize];
        let merchant = &mut by_merchant[row.merchant as usize];
        let (windows, merchants) = card.read(row.at_ms);
        let columns = Columns { card: windows, merchants, merchant: merchant.read(row.at_ms) };
        card.apply(row);
        merchant.apply(row);
        columns
    })
}

/// What both loops do: `step` gives the columns of a row and takes the row in.
#[inline]
pub(super) fn go_through(
    rows: &[Row],
    mut visit: impl FnMut(&Row, &Columns),
    mut step: impl FnMut(&Row) -> Columns,
) -> Totals {
    let mut checksum = 0u64;
    for row in rows {
        let columns = step(row);
        checksum = checksum.wrapping_add(columns.checksum());
        visit(row, &columns);
    }
    Totals { rows: rows.len() as u64, checksum }
}

/// One payment of a card.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub at_ms: i64,
    pub cents: u32,
    pub merchant: u32,
}

/// One card's last day.
#[derive(Debug)]
enum CardState {
    /// Oldest first, at most [`SCANNED_MAX`].
    Quiet(Vec<Spent>),
    Busy(Box<Busy>),
}

impl CardState {
    /// The windows at this time, and the distinct merchants of the day.
    fn read(&mut self, now_ms: i64) -> ([CardWindow; 3], u32) {
        match self {
            CardState::Quiet(day) => {
                let old_end_ms = now_ms - CARD_WIDTHS_MS[DAY];
                let expired = day.iter().take_while(|spent| spent.at_ms <= old_end_ms).count();
                if expired > 0 {
                    day.drain(..expired);
                }
                scan(day, now_ms)
            }
            CardState::Busy(busy) => busy.read(now_ms),
        }
    }

    fn apply(&mut self, row: &Row) {
        let spent = Spent { at_ms: row.at_ms, cents: row.cents, merchant: row.merchant };
        match self {
            CardState::Quiet(day) if day.len() < SCANNED_MAX => day.push(spent),
            CardState::Quiet(day) => {
                let mut busy = Busy::default();
                day.iter().chain([&spent]).for_each(|spent| busy.apply(*spent));
                *self = CardState::Busy(Box::new(busy));
            }
            CardState::Busy(busy) => busy.apply(spent),
        }
    }
}

fn scan(day: &[Spent], now_ms: i64) -> ([CardWindow; 3], u32) {
    let mut windows = [CardWindow::default(); 3];
    let mut merchants = 0;
    for (position, spent) in day.iter().enumerate() {
        for (window, width_ms) in windows.iter_mut().zip(CARD_WIDTHS_MS) {
            let is_inside = spent.at_ms > now_ms - width_ms;
            window.count += u32::from(is_inside);
            window.sum_cents += if is_inside { i64::from(spent.cents) } else { 0 };
            window.max_cents = window.max_cents.max(if is_inside { spent.cents } else { 0 });
        }
        let is_new = day[..position].iter().all(|other| other.merchant != spent.merchant);
        merchants += u32::from(is_new);
    }
    (windows, merchants)
}

#[derive(Debug, Default)]
pub(super) struct MerchantState {
    /// The last hour's payments, oldest first: time, amount, whether declined.
    hour: VecDeque<(i64, u32, bool)>,
    sum_cents: i64,
    declined: u32,
}

impl MerchantState {
    pub fn read(&mut self, now_ms: i64) -> MerchantWindow {
        let old_end_ms = now_ms - MERCHANT_WIDTH_MS;
        while let Some((at_ms, cents, declined)) = self.hour.front().copied()
            && at_ms <= old_end_ms
        {
            self.hour.pop_front();
            self.sum_cents -= i64::from(cents);
            self.declined -= u32::from(declined);
        }
        let count = self.hour.len() as u32;
        MerchantWindow { count, sum_cents: self.sum_cents, declined: self.declined }
    }

    pub fn apply(&mut self, row: &Row) {
        self.hour.push_back((row.at_ms, row.cents, !row.approved));
        self.sum_cents += i64::from(row.cents);
        self.declined += u32::from(!row.approved);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::card_features::{Preset, Rows, Workload, in_time_order};

    /// Looks at every earlier row again for each row.
    fn by_rescan(rows: &[Row], position: usize) -> Columns {
        let (row, earlier) = (&rows[position], &rows[..position]);
        let inside = |width_ms: i64| move |r: &&Row| r.at_ms > row.at_ms - width_ms;
        let of_card = || earlier.iter().filter(|r| r.card == row.card);
        let of_merchant = || {
            earlier.iter().filter(|r| r.merchant == row.merchant).filter(inside(MERCHANT_WIDTH_MS))
        };
        let sum = |cents: &mut dyn Iterator<Item = u32>| cents.map(i64::from).sum();
        let of_day = of_card().filter(inside(CARD_WIDTHS_MS[DAY]));
        Columns {
            card: CARD_WIDTHS_MS.map(|width_ms| {
                let window = || of_card().filter(inside(width_ms)).map(|r| r.cents);
                CardWindow {
                    count: window().count() as u32,
                    sum_cents: sum(&mut window()),
                    max_cents: window().max().unwrap_or(0),
                }
            }),
            merchants: of_day.map(|r| r.merchant).collect::<BTreeSet<_>>().len() as u32,
            merchant: MerchantWindow {
                count: of_merchant().count() as u32,
                sum_cents: sum(&mut of_merchant().map(|r| r.cents)),
                declined: of_merchant().filter(|r| !r.approved).count() as u32,
            },
        }
    }

    #[track_caller]
    fn check(workload: Workload) {
        let rows = in_time_order(Rows::new(workload));
        let mut position = 0;
        let mut checksum = 0u64;
        let totals = compute_tuned(&rows, workload.cards, workload.merchants, |row, columns| {
            assert_eq!(*columns, by_rescan(&rows, position), "row {position}: {row:?}");
            position += 1;
            checksum = checksum.wrapping_add(columns.checksum());
        });
        assert_eq!(totals, Totals { rows: u64::from(workload.rows), checksum });
    }

    #[test]
    fn the_tuned_loop_equals_a_rescan_when_every_window_expires() {
        // One event a minute for two days, on few keys: all windows fill and empty again.
        let rate = 1.0 / 60.0;
        let base = Preset::B100k.workload();
        check(Workload { rows: 2_880, rate, cards: 12, merchants: 40, ..base });
    }

    #[test]
    fn the_tuned_loop_equals_a_rescan_when_many_times_are_equal() {
        // Three events a millisecond: ties everywhere, and the row itself must not be counted.
        let base = Preset::A100k.workload();
        check(Workload { rows: 1_500, rate: 3_000.0, cards: 3, merchants: 2, ..base });
    }

    #[test]
    fn a_window_has_lost_what_is_exactly_as_old_as_it_is_wide() {
        let row = |at_ms, id| Row {
            at_ms,
            id,
            card: 0,
            merchant: 0,
            cents: 100,
            country: 0,
            approved: true,
        };
        let rows = [row(0, 0), row(1, 1), row(600_000, 2)];
        let mut counts = Vec::new();
        compute_tuned(&rows, 1, 1, |_, columns| counts.push(columns.card.map(|w| w.count)));
        assert_eq!(counts, [[0, 0, 0], [1, 1, 1], [1, 2, 2]]);
    }

    #[test]
    fn a_data_set_keeps_its_checksum_from_release_to_release() {
        let workload = Preset::B100k.workload();
        let rows = in_time_order(Rows::new(workload));
        let totals = compute_tuned(&rows, workload.cards, workload.merchants, |_, _| {});
        assert_eq!(totals, Totals { rows: 100_000, checksum: 7_819_374_632_177_724_431 });
    }
}
