//! Fraud campaigns, found again in the payments: attempts of one kind with one device or at one
//! merchant, until nothing comes for a while.

use std::collections::HashSet;

use millrace_payments::{Kind, Payment};

use crate::quantities::{DAY_US, HOUR_US, MINUTE_US, Quantity};

/// What attempts of a campaign have in common.
type Key = fn(&Payment) -> u32;

const DEVICE: Key = |p| p.keys.device.0;
const MERCHANT: Key = |p| u32::from(p.keys.merchant.0);

pub fn quantities(payments: &[Payment]) -> Vec<Quantity> {
    let kinds: [(Kind, &str, Key, i64); 4] = [
        (Kind::CardTesting, "A", MERCHANT, HOUR_US),
        (Kind::StolenCard, "B", DEVICE, DAY_US),
        (Kind::Takeover, "C", DEVICE, DAY_US),
        (Kind::MerchantBurst, "D", MERCHANT, 5 * HOUR_US),
    ];
    kinds
        .into_iter()
        .flat_map(|(kind, name, key, pause)| {
            let mut rows: Vec<Payment> =
                payments.iter().filter(|p| p.kind == kind).copied().collect();
            rows.sort_by_key(key);
            of_kind(&rows, name, |a, b| key(a) == key(b) && b.at.since(a.at).0 <= pause)
        })
        .collect()
}

fn of_kind(
    rows: &[Payment],
    name: &str,
    belong_together: impl Fn(&Payment, &Payment) -> bool,
) -> Vec<Quantity> {
    let campaigns: Vec<&[Payment]> = rows.chunk_by(belong_together).collect();
    let mean = |of: &dyn Fn(&[Payment]) -> f64| {
        campaigns.iter().map(|rows| of(rows)).sum::<f64>() / campaigns.len() as f64
    };
    let distinct =
        |key: Key| mean(&|rows| rows.iter().map(key).collect::<HashSet<u32>>().len() as f64);
    let span = |rows: &[Payment]| rows[rows.len() - 1].at.since(rows[0].at).0 as f64;
    let mut all = vec![
        ("campaigns", campaigns.len() as f64),
        ("size", mean(&|rows| rows.len() as f64)),
        ("minutes", mean(&span) / MINUTE_US as f64),
    ];
    if matches!(name, "A" | "C") {
        all.push(("cards of", distinct(|p| p.keys.card.0)));
        all.push(("devices of", distinct(DEVICE)));
        all.push(("addresses of", distinct(|p| p.keys.ip.0)));
    }
    all.into_iter().map(|(what, value)| (format!("{what} {name}"), value)).collect()
}
