//! The control: what fresh features are worth where fraud is in no hurry. On a world of the
//! Handbook's rules, whose fraud lasts for weeks, they buy little, and the demo says so beside what
//! they bought on its own payments.

use std::sync::Arc;
use std::time::Instant;

use millrace_handbook::{History, MODELS, PROJECT, Settings};
use millrace_lift::experiment::Trial;

use super::feed::missing;
use super::shipped;
use super::study::study;
use crate::console::{duration, grouped, say};
use crate::exit::Failure;
use crate::lift::example::compiled;
use crate::lift::made::Handbook;
use crate::stop::Stop;

/// The models learnt from the published data set, which is world 0.
const WORLD: u32 = 1;
/// The first day that is scored: from here on the windows, of up to 37 days, are full.
const FROM: u32 = 37;
const DAYS: u32 = 14;
/// From the stalest to the freshest.
const AGES: [&str; 2] = ["daily", "event"];
/// A gain that is not more than little, in average precision.
const LITTLE: f64 = 0.03;

/// Prints the row.
pub fn control(stop: &Stop) -> Result<(), Failure> {
    let begun = Instant::now();
    let trial = trial(stop)?;
    print(&trial, &duration(begun.elapsed()))
}

fn trial(stop: &Stop) -> Result<Trial, Failure> {
    let settings = Settings { salt: WORLD, days: FROM + DAYS, ..Settings::default() };
    let history = History::generate(&settings).map_err(Failure::bug)?;
    let (from, to) = (history.midnight(FROM), history.midnight(FROM + DAYS));
    let plan = compiled(&PROJECT)?;
    let source = Handbook { plan: Arc::clone(&plan), history, end: to };
    let view = plan.view("scoring").ok_or_else(|| missing("scoring"))?;
    let study = study("control", (&plan, view), &source, stop)?;
    shipped::trial(&study, &source.truth(), (from, to), &AGES, &MODELS)
}

fn print(trial: &Trial, took: &str) -> Result<(), Failure> {
    let [stale, fresh] = trial.fresh.as_slice() else {
        return Err(Failure::bug("the control has two ages"));
    };
    let [stale, fresh] = [stale, fresh].map(|cell| cell.metrics.average_precision);
    let (rows, fraud) = (trial.counts.test_rows as u64, trial.counts.test_fraud as u64);
    let last = FROM + DAYS - 1;
    say!(
        "control     where fraud lasts for weeks: the Handbook's payments, days {FROM} to {last} of world"
    )?;
    say!(
        "            {WORLD}, {} payments, {} of them fraud, scored in {took} by shipped models that",
        grouped(rows),
        grouped(fraud)
    )?;
    say!("            learnt from world 0; average precision in %")?;
    let [stale_percent, fresh_percent, gain] = [stale, fresh, fresh - stale].map(|x| x * 100.0);
    say!(
        "            last midnight {stale_percent:.1}, the event {fresh_percent:.1}, {gain:+.1} points{}",
        in_words(fresh - stale)
    )?;
    say!("            one run; over more: `millrace lift --example handbook --worlds 3`")
}

fn in_words(gain: f64) -> &'static str {
    if gain.abs() <= LITTLE {
        ": fresh features buy little there"
    } else {
        ", where about one is expected"
    }
}
