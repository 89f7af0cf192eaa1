//! What is measured of a world. `reference/worlds.py` measures the same by the same names.

use millrace_payments::{History, Kind, Payment, PaymentEvent};

use crate::{campaigns, honest};

pub const MINUTE_US: i64 = 60_000_000;
pub const HOUR_US: i64 = 60 * MINUTE_US;
pub const DAY_US: i64 = 24 * HOUR_US;

/// A quantity of one world, by name.
pub type Quantity = (String, f64);

pub fn quantities(history: &History) -> Vec<Quantity> {
    let payments = history.payments();
    let mut all = totals(payments);
    for (kind, name) in Kind::ALL.into_iter().skip(1).zip(["A", "B", "C", "D", "E"]) {
        all.extend(of_kind(history, kind, name));
    }
    all.extend(reports(history));
    all.extend(distinct(payments));
    all.extend(campaigns::quantities(payments));
    all.extend(honest::quantities(history));
    all
}

pub fn named<const N: usize>(all: [(&str, f64); N]) -> Vec<Quantity> {
    all.map(|(name, value)| (name.to_owned(), value)).into()
}

pub fn count(payments: &[Payment], is: impl Fn(&Payment) -> bool) -> f64 {
    payments.iter().filter(|p| is(p)).count() as f64
}

pub fn money(payments: &[Payment], is: impl Fn(&Payment) -> bool) -> f64 {
    payments.iter().filter(|p| is(p)).map(|p| p.amount.units()).sum()
}

/// The mean and the deviation.
pub fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / n).sqrt())
}

pub fn log_price(history: &History, payment: &Payment) -> f64 {
    (payment.amount.units() / history.list_price(payment.keys.merchant).units()).ln()
}

pub fn is_abroad(payment: &Payment) -> bool {
    payment.card_country != payment.ip_country
}

fn totals(payments: &[Payment]) -> Vec<Quantity> {
    let approved = count(payments, |p| p.approved);
    named([
        ("attempts", payments.len() as f64),
        ("approved", approved),
        ("fraud", count(payments, Payment::is_fraud) / approved),
        ("fraud money", money(payments, Payment::is_fraud) / money(payments, |p| p.approved)),
    ])
}

fn of_kind(history: &History, kind: Kind, name: &str) -> Vec<Quantity> {
    let payments = history.payments();
    let of: Vec<Payment> = payments.iter().filter(|p| p.kind == kind).copied().collect();
    let (tried, done) = (of.len() as f64, count(&of, |p| p.approved));
    let prices: Vec<f64> = of.iter().map(|p| log_price(history, p)).collect();
    let all = [
        ("attempts", tried),
        ("approved", done / tried),
        ("share", done / count(payments, Payment::is_fraud)),
        ("mean amount", money(&of, |p| p.approved) / done),
        ("log price", moments(&prices).0),
        ("new card", count(&of, |p| p.first_of_card) / tried),
    ];
    all.map(|(what, value)| (format!("{what} {name}"), value)).into()
}

fn reports(history: &History) -> Vec<Quantity> {
    let payments = history.payments();
    let fraud = count(payments, Payment::is_fraud);
    let mut days: Vec<f64> = history
        .events()
        .filter_map(|event| match event {
            PaymentEvent::Report(report) => {
                let at = history.payment(report.payment).unwrap().at;
                Some(report.at.since(at).0 as f64 / DAY_US as f64)
            }
            PaymentEvent::Attempt(_) | PaymentEvent::Outcome(_) => None,
        })
        .collect();
    days.sort_by(f64::total_cmp);
    let logs: Vec<f64> = days.iter().map(|days| days.ln()).collect();
    named([
        ("fraud countries", count(payments, |p| p.is_fraud() && is_abroad(p)) / fraud),
        ("reported", days.len() as f64 / fraud),
        ("median delay", days[days.len() / 2]),
        ("log delay deviation", moments(&logs).1),
    ])
}

fn distinct(payments: &[Payment]) -> Vec<Quantity> {
    let of = |key: &dyn Fn(&Payment) -> u32| {
        let mut seen = Seen::default();
        payments.iter().filter(|p| seen.insert(key(p))).count() as f64
    };
    named([
        ("cards", of(&|p| p.keys.card.0)),
        ("devices", of(&|p| p.keys.device.0)),
        ("addresses", of(&|p| p.keys.ip.0)),
        ("bins", of(&|p| u32::from(p.keys.bin.0))),
    ])
}

/// A set of small numbers: one flag each.
#[derive(Default)]
pub struct Seen(Vec<bool>);

impl Seen {
    /// Whether it was not there before.
    pub fn insert(&mut self, number: u32) -> bool {
        let at = number as usize;
        if at >= self.0.len() {
            self.0.resize(at + 1, false);
        }
        !std::mem::replace(&mut self.0[at], true)
    }

    pub fn contains(&self, number: u32) -> bool {
        self.0.get(number as usize) == Some(&true)
    }
}
