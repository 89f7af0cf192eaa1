//! `millrace lift`: what fresher features are worth, on the user's own events or on made-up ones.
//!
//! ```text
//!   events ─▶ labels at the cut, labels in the end ─▶ rows that are kept
//!          └▶ features as of each freshness (a pass each) ─▶ tables ─▶ models ─▶ report
//! ```
//!
//! The definitions are those that are served, and the features those of the offline engine; nothing
//! here knows better what a feature was at some time than a training set does.

pub mod encode;
pub mod example;
mod files;
pub mod freshness;
pub mod made;
mod output;
pub mod selection;
pub mod source;
pub mod study;
pub mod tables;
mod trial;
pub mod truth;
pub mod windows;

use std::path::{Path, PathBuf};

use millrace_lift::experiment::Options;

use crate::config::Size;
use crate::console::note;
use crate::exit::Failure;
use crate::history::Reading;
use crate::project::Place;
use crate::stop::Stop;
use example::Worlds;
use freshness::Freshness;

/// Says what fresher features are worth: one model per freshness, on your events or on made-up ones
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace lift checkout --label fraud --card card --amount amount -o report.html
  millrace lift checkout --label fraud --freshness daily,5m,event --seeds 3
  millrace lift --example payments --worlds 3 -o report.html
  millrace lift --example handbook

The same rows, the same columns of the view and the same settings each time; only the moment that
the features know changes: `request` sees no group at all, `daily` and `hourly` what was there at the
last midnight or full hour (UTC), `5m` and other spans what was there so long before, and `event` all
that was there. A model learns from earlier events, as their labels were known when the test begins,
and is tested on later ones. What is printed was computed by this run.")]
pub struct Args {
    /// The view's name
    #[arg(required_unless_present = "example")]
    view: Option<String>,
    /// The label that is learnt
    #[arg(long, value_name = "LABEL", required_unless_present = "example")]
    label: Option<String>,
    #[command(flatten)]
    worlds: Worlds,
    #[command(flatten)]
    reading: Reading,
    /// How old features are, separated by commas: request, daily, hourly, event, or spans
    #[arg(
        long,
        value_name = "AGE,…",
        value_delimiter = ',',
        default_value = "request,daily,hourly,5m,event"
    )]
    freshness: Vec<Freshness>,
    #[command(flatten)]
    windows: windows::Given,
    /// The field that says whose card it is, for the cards to be looked at in a day
    #[arg(long, value_name = "FIELD")]
    card: Option<String>,
    /// The field with the amount, for the money that is saved
    #[arg(long, value_name = "FIELD")]
    amount: Option<String>,
    /// A CSV file `id,kind` with the kinds of positive events, for a table by kind
    #[arg(long, value_name = "FILE")]
    kinds: Option<PathBuf>,
    /// A CSV file with a column `id` of the events that were positive after all, and perhaps `kind`:
    /// held against the test instead of the label
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    #[command(flatten)]
    training: Training,
    /// Memory for events, and as much again for features; events that do not fit go to a scratch
    /// file
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    memory: Size,
    /// Where the scratch file lies; beside the output or, without one, in the project's folder, if
    /// not given
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// A page with tables and plots
    #[arg(short, long, value_name = "FILE.html")]
    output: Option<PathBuf>,
    /// A folder for the models of the first world and seed, as LightGBM writes them: daily.txt, …
    #[arg(long, value_name = "DIR")]
    save_models: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Print every cell as JSON
    #[arg(long)]
    json: bool,
}

/// How models are trained. None of it is tuned.
#[derive(clap::Args, Clone, Debug)]
struct Training {
    /// Trees of a model, of 31 leaves each
    #[arg(long, default_value_t = 300)]
    trees: usize,
    /// Models per freshness, with different draws
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=20))]
    seeds: u64,
    /// Of the events that are not positive, learn from one in so many, with so many times its weight
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    keep_every: u32,
}

/// The least that a pass can work with.
const MEMORY_MIN: u64 = 64 << 20;

pub fn lift(args: &Args) -> Result<(), Failure> {
    let freshness = freshness::in_order(&args.freshness).map_err(Failure::usage)?;
    let mut options = Options { threads: args.reading.threads()?, ..Options::default() };
    options.settings.trees = args.training.trees;
    options.settings.check()?;
    let seeds = (1..=args.training.seeds).collect();
    let plan = trial::Plan { freshness, options, seeds };
    let stop = Stop::on_signals()?;
    let report = match args.worlds.example {
        Some(example) => example::report(args, example, &plan, &stop)?,
        None => files::report(args, &plan, &stop)?,
    };
    output::write(args, &report)
}

impl Args {
    /// Not among other temporary files, which often lie in memory.
    fn scratch_folder(&self, project: &Path) -> PathBuf {
        let beside = self.output.as_deref().and_then(Path::parent).unwrap_or(project);
        self.scratch.clone().unwrap_or_else(|| beside.to_owned())
    }

    fn memory(&self) -> Result<usize, Failure> {
        if self.memory.0 < MEMORY_MIN {
            return Err(Failure::usage(format!("--memory is less than {} MiB", MEMORY_MIN >> 20)));
        }
        Ok(self.memory.bytes())
    }

    fn sampling_note(&self) -> Option<String> {
        match self.training.keep_every {
            1 => None,
            every => Some(format!(
                "Of the events to learn from that were not reported by then, one in {every} is \
                 learnt from, with {every} times its weight; all of the test is scored."
            )),
        }
    }
}
