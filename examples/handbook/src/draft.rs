//! What each customer pays, before anything of it is fraud.

use crate::cents::Cents;
use crate::numpy_random::NumpyRandom;
use crate::profile::{Customer, customers, terminals};
use crate::python_random::PythonRandom;
use crate::settings::Settings;

pub(crate) const DAY_SECONDS: u32 = 86_400;
/// Payments crowd round noon.
const TIME_MEAN: f64 = 43_200.0;
const TIME_DEVIATION: f64 = 20_000.0;

/// A payment without a place in the order of all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft {
    /// Since the start of day 0.
    pub second: u32,
    pub customer: u32,
    pub terminal: u32,
    pub amount: Cents,
}

impl Draft {
    pub fn day(&self) -> u32 {
        self.second / DAY_SECONDS
    }
}

/// All payments in order of time. Those of one second stand in the order in which they are drawn,
/// by customer: the book sorts without saying what becomes of ties, so they differ there from
/// machine to machine, while the rows are the same.
pub(crate) fn drafts(settings: &Settings) -> Vec<Draft> {
    let terminals = terminals(settings);
    let (mut all, mut near) = (Vec::new(), Vec::new());
    for (number, customer) in (0..).zip(customers(settings)) {
        customer.reach(&terminals, settings.radius, &mut near);
        payments(settings, number, &customer, &near, &mut all);
    }
    all.sort_by_key(|draft| draft.second);
    all
}

/// One customer's payments at the terminals near by. Every draw is made in the book's order, also
/// for a customer who finds no terminal and so pays nowhere.
fn payments(
    settings: &Settings,
    number: u32,
    customer: &Customer,
    near: &[u32],
    out: &mut Vec<Draft>,
) {
    let seed = settings.customer_seed(number);
    let (mut numpy, mut python) = (NumpyRandom::new(seed as u32), PythonRandom::new(seed));
    for day in 0..settings.days {
        for _ in 0..numpy.poisson(customer.rate) {
            let Some(second) = time_of_day(&mut numpy) else {
                continue;
            };
            let amount = amount(customer.mean_amount, &mut numpy);
            if let Some(terminal) = python.choice(near) {
                let second = day * DAY_SECONDS + second;
                out.push(Draft { second, customer: number, terminal, amount });
            }
        }
    }
}

/// `None` outside the day, for a payment that is not made.
fn time_of_day(random: &mut NumpyRandom) -> Option<u32> {
    let second = random.normal(TIME_MEAN, TIME_DEVIATION) as i64;
    u32::try_from(second).ok().filter(|second| (1..DAY_SECONDS).contains(second))
}

fn amount(mean: f64, random: &mut NumpyRandom) -> Cents {
    let amount = random.normal(mean, mean / 2.0);
    Cents::of_units(if amount < 0.0 { random.uniform(0.0, mean * 2.0) } else { amount })
}
