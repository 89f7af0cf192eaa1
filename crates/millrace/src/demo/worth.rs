//! What fresh features were worth on the last days of the demo's own payments: the shipped models,
//! each with features of the age that it was trained on, scored here and now.

use std::sync::Arc;
use std::time::Instant;

use millrace_event::{EventTime, Span};
use millrace_lift::experiment::{Cell, Options, Trial, of_scores};
use millrace_lift::world::{Part, World};
use millrace_payments::{History, Kind, PROJECT};

use super::feed::missing;
use super::shipped::Shipped;
use crate::console::{duration, grouped, say};
use crate::exit::Failure;
use crate::lift::example::compiled;
use crate::lift::freshness::Freshness;
use crate::lift::made::Payments;
use crate::lift::selection::{Wanted, select};
use crate::lift::study::Study;
use crate::lift::tables;
use crate::lift::windows::Windows;
use crate::stop::Stop;

/// The ages of features that models are shipped for.
const AGES: [&str; 3] = ["daily", "5m", "event"];
/// What is looked at, and the days before it that the windows need at least.
const DAYS: u32 = 4;
pub const DAYS_MIN: u32 = 10;
const MEMORY: usize = 1 << 30;

/// Prints the tables; says so where the history is too short for them.
pub fn worth(
    history: &History,
    days: u32,
    live_from: EventTime,
    stop: &Stop,
) -> Result<(), Failure> {
    if days < DAYS_MIN {
        return say!("lift        left out: it takes --days {DAYS_MIN} or more");
    }
    let begun = Instant::now();
    let world = world(history, live_from, stop)?;
    let test = world.rows_of(Part::Test);
    let mut scores = Vec::new();
    for one in world.freshness() {
        scores.push(Shipped::named(&one.name)?.scores(&one.table, &test)?);
    }
    let trial = of_scores(&world, &scores, &Options::default())?;
    let took = duration(begun.elapsed());
    print(&trial, &took)
}

fn world(history: &History, live_from: EventTime, stop: &Stop) -> Result<World, Failure> {
    let plan = compiled(&PROJECT)?;
    let view = plan.view("checkout").ok_or_else(|| missing("checkout"))?;
    let schema = &plan.streams[plan.views[view].stream].schema;
    let source = Payments { plan: Arc::clone(&plan), history, extra: &[], end: live_from };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let study = Study {
        name: "lift".to_owned(),
        plan: Arc::clone(&plan),
        view,
        label: plan.label("fraud").ok_or_else(|| missing("fraud"))?,
        source: &source,
        settings: millrace_stream::Settings::default(),
        threads,
        memory: MEMORY,
        scratch: std::env::temp_dir(),
        stop,
    };
    let from = live_from.minus(Span::days(i64::from(DAYS)));
    // Nothing is learnt here.
    let windows = Windows { train: from..from, test: from..live_from };
    let truth = source.truth();
    let wanted = Wanted {
        windows: &windows,
        known: EventTime::MAX,
        truth: Some(&truth),
        kinds: Some(&truth),
        card: None,
        amount: schema.field("amount"),
        keep_every: 1,
    };
    let ages = AGES.map(|age| age.parse::<Freshness>().map_err(Failure::bug));
    let ages = ages.into_iter().collect::<Result<Vec<_>, _>>()?;
    tables::world(&study, &windows, &ages, select(&study, &wanted)?)
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
        "            simulated payments, one run; over more: `millrace lift --example payments`, and"
    )?;
    say!("            where fraud lasts for weeks: `millrace lift --example handbook`")
}

/// A difference in recall that is not worth speaking of.
const STILL: f64 = 0.05;

/// What freshness does to the fraud that is in no hurry.
fn slow(trial: &Trial) -> Option<String> {
    let recall = |cell: &Cell| {
        let kind = cell.kinds.iter().find(|kind| kind.kind == Kind::Slow.name())?;
        Some(kind.recall)
    };
    let (stale, fresh) = (recall(trial.fresh.first()?)?, recall(trial.fresh.last()?)?);
    let moved = (fresh - stale) * 100.0;
    Some(if (fresh - stale).abs() <= STILL {
        format!("slow fraud moves by {moved:+.1} points: fresh features do not help against it")
    } else {
        format!("slow fraud moves by {moved:+.1} points, where about none is expected of one run")
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
