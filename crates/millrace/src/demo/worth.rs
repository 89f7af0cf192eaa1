//! What fresh features were worth on the last days of the demo's own payments: the shipped models,
//! each with features of the age that it was trained on, scored here and now.

use std::sync::Arc;
use std::time::Instant;

use millrace_event::{EventTime, Span};
use millrace_lift::experiment::{Cell, Trial};
use millrace_payments::{History, Kind, MODELS, PROJECT};

use super::feed::missing;
use super::shipped;
use super::study::study;
use crate::console::{duration, grouped, say};
use crate::exit::Failure;
use crate::lift::example::compiled;
use crate::lift::made::Payments;
use crate::stop::Stop;

/// The ages of features that models are shipped for.
const AGES: [&str; 3] = ["daily", "5m", "event"];
/// What is looked at, and the days before it that the windows need at least.
const DAYS: u32 = 4;
pub const DAYS_MIN: u32 = 10;

/// Prints the tables of the last days before the live part.
pub fn worth(history: &History, live_from: EventTime, stop: &Stop) -> Result<(), Failure> {
    let begun = Instant::now();
    let trial = trial(history, live_from, stop)?;
    print(&trial, &duration(begun.elapsed()))
}

fn trial(history: &History, live_from: EventTime, stop: &Stop) -> Result<Trial, Failure> {
    let plan = compiled(&PROJECT)?;
    let source = Payments { plan: Arc::clone(&plan), history, extra: &[], end: live_from };
    let view = plan.view("checkout").ok_or_else(|| missing("checkout"))?;
    let study = study("lift", (&plan, view), &source, stop)?;
    let from = live_from.minus(Span::days(i64::from(DAYS)));
    shipped::trial(&study, &source.truth(), (from, live_from), &AGES, &MODELS)
}

fn print(trial: &Trial, took: &str) -> Result<(), Failure> {
    let (rows, fraud) = (trial.counts.test_rows as u64, trial.counts.test_fraud as u64);
    say!(
        "lift        the last {DAYS} days again, {} payments, {} of them fraud, scored in {took} by",
        grouped(rows),
        grouped(fraud)
    )?;
    say!("            the shipped models, which learnt from another world; in %")?;
    say!("            features as of   average    recall at    recall at   money saved")?;
    say!("                           precision   1 % alerts    0.1 % FPR  at 0.1 % FPR")?;
    let percent = |share: f64| share * 100.0;
    for Cell { served, metrics, .. } in &trial.fresh {
        say!(
            "            {:<14} {:>11.1} {:>12.1} {:>12.1} {:>13.1}",
            as_words(served),
            percent(metrics.average_precision),
            percent(metrics.recall_at_alerts),
            percent(metrics.recall_at_fpr),
            percent(metrics.money_saved_at_fpr),
        )?;
    }
    kinds(trial)?;
    if let Some(sentence) = slow(trial) {
        say!("            {sentence}")?;
    }
    say!(
        "            simulated payments, one run; over more: `millrace lift --example payments --worlds 3`"
    )
}

/// A difference in recall that is not worth speaking of.
const STILL: f64 = 0.05;

/// What freshness does to the fraud that is in no hurry.
fn slow(trial: &Trial) -> Option<String> {
    let slow = |cell: &Cell| {
        let kind = cell.kinds.iter().find(|kind| kind.kind == Kind::Slow.name())?;
        Some((kind.recall, kind.fraud))
    };
    let ((stale, fraud), (fresh, _)) = (slow(trial.fresh.first()?)?, slow(trial.fresh.last()?)?);
    let moved = fresh - stale;
    let (points, frauds) = (moved * 100.0, moved * fraud as f64);
    let told = format!("slow fraud moves by {points:+.1} points, {frauds:+.0} of {fraud} frauds");
    Some(if moved.abs() <= STILL {
        format!("{told}: fresh features do not help against it")
    } else {
        format!("{told}, where about none is expected; over more worlds, see below")
    })
}

/// Which fraud is caught, by its kind.
fn kinds(trial: &Trial) -> Result<(), Failure> {
    let Some(first) = trial.fresh.first() else { return Ok(()) };
    say!("            caught within 1 % alerts")?;
    for (at, kind) in first.kinds.iter().enumerate() {
        let mut line = String::new();
        for cell in &trial.fresh {
            let recall = cell.kinds.get(at).map_or(f64::NAN, |kind| kind.recall);
            line.push_str(&format!("  {} {:>5.1}", as_words(&cell.served), recall * 100.0));
        }
        let (name, fraud) = (&kind.kind, kind.fraud);
        say!("              {name:<15} {fraud:>4} frauds {line}")?;
    }
    Ok(())
}

fn as_words(served: &str) -> &str {
    match served {
        "daily" => "last midnight",
        "5m" => "5 minutes ago",
        "event" => "the event",
        other => other,
    }
}
