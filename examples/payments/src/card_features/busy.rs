use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashMap;

use super::CardWindow;
use super::tuned::{CARD_WIDTHS_MS, DAY, Spent};

/// A card that pays often. One ring of the day's payments serves all three windows: a shorter
/// window is a count of the ring's oldest entries that it has left behind. One deque of falling
/// amounts serves all three largest amounts, because the largest of a shorter window is the first
/// entry inside it.
#[derive(Debug, Default)]
pub(super) struct Busy {
    /// Oldest first.
    day: VecDeque<Spent>,
    /// How many of the day's oldest payments the shorter windows have left behind.
    left: [usize; DAY],
    sums_cents: [i64; 3],
    /// Payments of the day that are larger than every later one: (time, amount), largest first.
    largest: VecDeque<(i64, u32)>,
    /// How many of the day's payments each merchant had.
    merchants: HashMap<u32, u32, BuildHasherDefault<Multiply>>,
}

impl Busy {
    /// The windows at this time, and the distinct merchants of the day.
    pub fn read(&mut self, now_ms: i64) -> ([CardWindow; 3], u32) {
        self.leave(now_ms);
        self.expire(now_ms - CARD_WIDTHS_MS[DAY]);
        let mut windows = [CardWindow::default(); 3];
        let mut first = 0;
        for (index, window) in windows.iter_mut().enumerate().rev() {
            let old_end_ms = now_ms - CARD_WIDTHS_MS[index];
            while self.largest.get(first).is_some_and(|(at_ms, _)| *at_ms <= old_end_ms) {
                first += 1;
            }
            let left = self.left.get(index).copied().unwrap_or(0);
            *window = CardWindow {
                count: (self.day.len() - left) as u32,
                sum_cents: self.sums_cents[index],
                max_cents: self.largest.get(first).map_or(0, |(_, cents)| *cents),
            };
        }
        (windows, self.merchants.len() as u32)
    }

    /// Lets the shorter windows leave behind what is too old for them.
    fn leave(&mut self, now_ms: i64) {
        for (index, left) in self.left.iter_mut().enumerate() {
            let old_end_ms = now_ms - CARD_WIDTHS_MS[index];
            while let Some(spent) = self.day.get(*left)
                && spent.at_ms <= old_end_ms
            {
                self.sums_cents[index] -= i64::from(spent.cents);
                *left += 1;
            }
        }
    }

    /// Forgets what is older than a day, which the shorter windows have left behind already.
    fn expire(&mut self, old_end_ms: i64) {
        while let Some(spent) = self.day.front().copied()
            && spent.at_ms <= old_end_ms
        {
            self.day.pop_front();
            self.sums_cents[DAY] -= i64::from(spent.cents);
            self.left.iter_mut().for_each(|left| *left -= 1);
            if let Some(payments) = self.merchants.get_mut(&spent.merchant) {
                *payments -= 1;
                if *payments == 0 {
                    self.merchants.remove(&spent.merchant);
                }
            }
        }
        while self.largest.front().is_some_and(|(at_ms, _)| *at_ms <= old_end_ms) {
            self.largest.pop_front();
        }
    }

    pub fn apply(&mut self, spent: Spent) {
        self.day.push_back(spent);
        self.sums_cents.iter_mut().for_each(|sum| *sum += i64::from(spent.cents));
        while self.largest.back().is_some_and(|(_, cents)| *cents <= spent.cents) {
            self.largest.pop_back();
        }
        self.largest.push_back((spent.at_ms, spent.cents));
        *self.merchants.entry(spent.merchant).or_insert(0) += 1;
    }
}

/// One multiplication: enough to spread small integers that nobody chose to collide.
#[derive(Debug, Default)]
struct Multiply(u64);

impl Hasher for Multiply {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, word: u32) {
        let mixed = (self.0 ^ u64::from(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
