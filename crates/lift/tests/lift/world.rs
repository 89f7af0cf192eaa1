//! Small worlds from a seed, in which what happened minutes ago tells more than the day before.

use millrace_lift::world::{Freshness, Kinds, Part, Rows, World};
use millrace_lift::{Column, Table};

/// The numbers of a seed (xorshift64*), good enough for made-up rows.
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn fraction(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Of the fraud three quarters are bursts, seen only in fresh values; the others are slow.
pub fn small(name: &str, seed: u64, count: usize) -> World {
    let mut draw = Draw::new(seed);
    let mut rows = Rows {
        part: Vec::new(),
        weight: vec![1.0; count],
        label: Vec::new(),
        truth: Vec::new(),
        day: Vec::new(),
        amount_cents: None,
        card: None,
        kinds: None,
    };
    let (mut card, mut amount_cents) = (Vec::new(), Vec::new());
    let (mut kinds, mut amount) = (Vec::new(), Vec::new());
    let (mut stale, mut fresh, mut shop) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..count {
        let fraud = draw.fraction() < 0.02;
        let burst = fraud && draw.fraction() < 0.75;
        let day = (row * 20 / count) as u32;
        rows.part.push(match day {
            0..10 => Part::Train,
            10..12 => Part::Out,
            _ => Part::Test,
        });
        rows.truth.push(fraud);
        rows.label.push(fraud && draw.fraction() < 0.8);
        rows.day.push(day);
        card.push((draw.fraction() * 300.0) as u32);
        amount_cents.push((draw.fraction() * 20_000.0) as i64);
        amount.push(draw.fraction() * 100.0 + if fraud { 25.0 } else { 0.0 });
        let noise = (draw.fraction() * 4.0).floor();
        stale.push(if draw.fraction() < 0.2 { f64::NAN } else { noise });
        fresh.push(noise + if burst { 5.0 * draw.fraction() + 2.0 } else { 0.0 });
        shop.push((draw.fraction() * 6.0 * if fraud { 0.6 } else { 1.0 }).floor());
        kinds.push(fraud.then_some(if burst { 0 } else { 1 }));
    }
    let names = ["burst", "slow"].map(str::to_owned).to_vec();
    (rows.card, rows.amount_cents) = (Some(card), Some(amount_cents));
    rows.kinds = Some(Kinds { names, of: kinds });
    let table = |recent: &[f64]| {
        let words = ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec();
        let columns = vec![
            Column::number("amount", amount.clone()).unwrap(),
            Column::category("shop", shop.clone(), words).unwrap(),
            Column::number("recent", recent.to_vec()).unwrap(),
        ];
        Table::new(columns).unwrap()
    };
    let request = Table::new(vec![Column::number("amount", amount.clone()).unwrap()]).unwrap();
    let freshness = [("request", request), ("midnight", table(&stale)), ("event", table(&fresh))];
    let freshness =
        freshness.map(|(name, table)| Freshness { name: name.to_owned(), table }).to_vec();
    World::new(name, freshness, rows).unwrap()
}
