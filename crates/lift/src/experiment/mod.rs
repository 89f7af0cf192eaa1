//! One model per freshness and seed, each measured on the same test rows.
//!
//! ```text
//! World ─▶ for each seed and freshness: train ─▶ score the test rows ─▶ Cell
//!                    └─ of the freshest: score with each staler table ─▶ Cell (skew)
//! ```
//!
//! A model is trained by one thread and takes its draws from its seed alone, so the number of
//! threads changes how long it takes and nothing else.

mod bench;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use self::bench::{Bench, Done, OwnedLessons};
use crate::boosting::Settings;
use crate::error::Error;
use crate::metrics::{Bounds, CurvePoint, Metrics};
use crate::model::Model;
use crate::world::{Part, World};

/// The shares of all payments at which the recall is plotted.
pub const ALERT_SHARES: [f64; 8] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
/// Seeds of one world at most.
pub const SEEDS_MAX: usize = 100;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Options {
    pub settings: Settings,
    pub bounds: Bounds,
    /// Of the training rows that are not reported, only every so many is learnt from, with so many
    /// times its weight, beginning with the first; 1 keeps all. All that is reported is kept. The
    /// good payments are a few hundred times as many as the fraud, and most of them teach nothing.
    pub keep_every: u32,
    /// Models that are trained at the same time.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { settings: Settings::default(), bounds: Bounds::default(), keep_every: 1, threads: 1 }
    }
}

/// All that one seed gave on one world.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    pub world: String,
    pub seed: u64,
    pub counts: Counts,
    /// From the stalest freshness to the freshest: trained on it and served with it.
    pub fresh: Vec<Cell>,
    /// The model of the freshest, served with each staler one that has the same columns.
    pub skew: Vec<Cell>,
    /// In the order of `fresh`.
    #[serde(skip)]
    pub models: Vec<Model>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Counts {
    pub train_rows: usize,
    pub train_reported: usize,
    /// The share of the fraud among the training rows that training knew of.
    pub label_coverage: f64,
    pub test_rows: usize,
    pub test_fraud: usize,
}

/// One model served with one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    pub trained: String,
    pub served: String,
    pub metrics: Metrics<f64>,
    /// From which prediction on the test rows are within each budget.
    pub thresholds: Thresholds,
    pub kinds: Vec<KindCell>,
    pub recall_by_alerts: Vec<AlertPoint>,
    pub curve: Vec<CurvePoint>,
    /// Each column's share of the loss that the splits took away, the largest first.
    pub importance: Vec<(String, f64)>,
}

/// The lowest prediction within a budget, as a probability; null where nothing is within it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Thresholds {
    pub alerts: f64,
    pub fpr: f64,
}

/// The recall of one kind of fraud at the budget of alerts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KindCell {
    pub kind: String,
    pub fraud: usize,
    pub recall: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AlertPoint {
    pub share: f64,
    pub recall: f64,
}

/// Told of each model that is done, and how many there will be; says whether to go on.
pub type Watch<'a> = &'a (dyn Fn(usize, usize) -> bool + Sync);

/// Runs every seed on one world.
pub fn run(
    world: &World,
    seeds: &[u64],
    options: &Options,
    watch: Watch<'_>,
) -> Result<Vec<Trial>, Error> {
    if seeds.len() > SEEDS_MAX {
        return Err(Error::TooMany { what: "seeds", given: seeds.len(), limit: SEEDS_MAX });
    }
    options.bounds.check()?;
    let lessons = OwnedLessons::new(world, options.keep_every)?;
    let test = world.rows_of(Part::Test);
    let bench = Bench { world, options, lessons: &lessons, test: &test };
    let jobs: Vec<(u64, usize)> =
        seeds.iter().flat_map(|seed| (0..world.freshness().len()).map(|at| (*seed, at))).collect();
    let mut done = in_parallel(&bench, &jobs, watch)?.into_iter();
    let mut trials = Vec::with_capacity(seeds.len());
    for seed in seeds {
        let mut trial = bench.empty_trial(*seed);
        for (model, cell, skew) in done.by_ref().take(world.freshness().len()) {
            trial.models.push(model);
            trial.fresh.push(cell);
            trial.skew.extend(skew);
        }
        trials.push(trial);
    }
    Ok(trials)
}

/// What models that were trained elsewhere are worth: `scores` has for each freshness, in its order,
/// the log-odds of the test rows, in theirs.
pub fn of_scores(world: &World, scores: &[Vec<f64>], options: &Options) -> Result<Trial, Error> {
    options.bounds.check()?;
    let lessons = OwnedLessons::new(world, options.keep_every)?;
    let test = world.rows_of(Part::Test);
    let bench = Bench { world, options, lessons: &lessons, test: &test };
    let mut trial = bench.empty_trial(0);
    for (freshness, scores) in world.freshness().iter().zip(scores) {
        if scores.len() != test.len() {
            let (what, given) = (freshness.name.clone(), scores.len());
            return Err(Error::Length { what, given, wanted: test.len() });
        }
        trial.fresh.push(bench.cell(&freshness.name, &freshness.name, scores));
    }
    Ok(trial)
}

/// The results in the order of the jobs, whichever thread did them; the first error of that order.
fn in_parallel(
    bench: &Bench<'_>,
    jobs: &[(u64, usize)],
    watch: Watch<'_>,
) -> Result<Vec<Done>, Error> {
    let finished = AtomicUsize::new(0);
    let one = |seed: u64, freshness: usize| {
        if !watch(finished.load(Ordering::Relaxed), jobs.len()) {
            return Err(Error::Stopped);
        }
        let done = bench.job(seed, freshness);
        watch(finished.fetch_add(1, Ordering::Relaxed) + 1, jobs.len());
        done
    };
    let one = &one;
    let threads = bench.options.threads.clamp(1, jobs.len().max(1));
    let mut done: Vec<(usize, Result<Done, Error>)> = thread::scope(|scope| {
        let worker = |first: usize| {
            let mine = jobs.iter().enumerate().skip(first).step_by(threads);
            mine.map(|(at, (seed, freshness))| (at, one(*seed, *freshness))).collect()
        };
        let workers: Vec<_> =
            (0..threads).map(|first| scope.spawn(move || -> Vec<_> { worker(first) })).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.flat_map(|done| done.expect("a panic of a worker is passed on")).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, done)| done).collect()
}
