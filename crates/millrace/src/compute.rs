//! `millrace compute`: one view over history, from files to a file.
//!
//! ```text
//!   files ─▶ decode (a thread each) ─▶ engine, in order ─▶ rows ─▶ write (a thread) ─▶ OUT
//!                    └────────────────────┴▶ dead letters ─▶ OUT.dead.ndjson
//! ```

mod inputs;
mod letters;
mod summary;
mod table;

use std::path::{Path, PathBuf};
use std::time::Instant;

use millrace_connector::{CsvOptions, FileOptions, Position};
use millrace_stream::live::{now, rules_of};
use millrace_stream::{Ordered, PartitionId, Rows, Settings};

use crate::config::did_you_mean;
use crate::console::{self, note};
use crate::exit::Failure;
use crate::project::{Place, Project};
use crate::stop::Stop;
pub use inputs::Events;
use inputs::{Block, Origin};
use letters::Letters;
use summary::Summary;
use table::Table;

/// The most threads that one computation may use.
const THREADS_MAX: usize = 256;

/// Computes a view for every event of its stream, from files of history
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace compute checkout \\
    --events payment_attempts=data/payment_attempts.ndjson \\
    --events payment_outcomes=data/payment_outcomes.ndjson \\
    --events fraud_reports=data/fraud_reports.ndjson -o train.parquet
  millrace compute checkout --events payments=part-0.csv,part-1.csv -o train.csv
  millrace compute checkout -o train.parquet      # the files that millrace.toml names

One row for each event of the view's stream, ordered by time and id: the id, the time, then the
columns of the view. The values are those that a live server would have served at that moment.
Several files of one stream are partitions: lateness is judged in each by itself. Formats are told
by the endings: .ndjson, .jsonl, .csv, .parquet.")]
pub struct Args {
    /// The view's name
    view: String,
    /// A stream and its files, separated by commas; may be given several times. No file after the
    /// `=` means a stream without events; streams not named have the files of millrace.toml
    #[arg(long, value_name = "STREAM=FILE[,FILE…]")]
    events: Vec<Events>,
    /// Where the rows go; the ending says the format
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Threads to work on; as many as this machine has, if not given
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// What separates the columns of CSV files, instead of what millrace.toml says
    #[arg(long)]
    delimiter: Option<char>,
    /// The CSV files have no header: their columns are the stream's fields, in their order
    #[arg(long)]
    no_header: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

pub fn compute(args: &Args) -> Result<(), Failure> {
    let project = args.place.open()?;
    let job = Job {
        view: find_view(&project, &args.view)?,
        project: &project,
        events: &args.events,
        output: &args.output,
        threads: threads(args.threads)?,
        delimiter: args.delimiter,
        has_header: !args.no_header,
        tracking: Tracking::Off,
    };
    let stop = Stop::on_signals()?;
    let begun = Instant::now();
    let done = run(&job, &stop, &mut |_, _| Ok(()))?;
    done.report(&job, args.json, begun)
}

/// What is to be computed, out of which files and into which.
#[derive(Debug)]
pub struct Job<'a> {
    pub project: &'a Project,
    pub view: usize,
    pub events: &'a [Events],
    pub output: &'a Path,
    pub threads: usize,
    /// Instead of what the configuration says.
    pub delimiter: Option<char>,
    /// Whether the first line of a CSV file names its columns.
    pub has_header: bool,
    pub tracking: Tracking,
}

/// Whether the engine notes what changes, for checkpoints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tracking {
    On,
    Off,
}

/// How far a computation is between two blocks: what to go on from, beside the engine's state.
#[derive(Debug, Default)]
pub struct Frontier {
    /// By partition, its file and where the next block of it begins.
    pub positions: Vec<(PartitionId, PathBuf, Position)>,
    /// Rows handed to the output.
    pub rows: u64,
}

/// Called after each block.
pub type AfterBlock<'a> = dyn FnMut(&mut Ordered, &Frontier) -> Result<(), Failure> + 'a;

/// Computes the view's rows; the output has its name when this returns.
pub fn run(job: &Job<'_>, stop: &Stop, after_block: &mut AfterBlock<'_>) -> Result<Done, Failure> {
    let threads = job.threads;
    let settings = Settings { shards: threads, threads, ..job.project.config.engine() };
    let tracked = job.tracking == Tracking::On;
    let ordered = Ordered::new(job.project.plan.clone(), job.view, settings, tracked);
    // Before anything is opened: beginning the letters removes those of an earlier run.
    let letters = Letters::path_beside(job.output);
    inputs::keep_apart(job.events, job.project, [job.output, letters.as_path()])?;
    let letters = Letters::at(letters)?;
    let frontier = Frontier::default();
    let summary = Summary::default();
    let mut run = Run { job, ordered, letters, summary, frontier, after_block };
    let origins = run.open()?;
    let table = Table::create(&job.project.plan, job.view, job.output, threads)?;
    run.read_all(origins, table, stop)?;
    let Run { ordered, letters, summary, .. } = run;
    Ok(Done { ordered, letters, summary })
}

pub fn find_view(project: &Project, name: &str) -> Result<usize, Failure> {
    let names: Vec<&str> = project.plan.views.iter().map(|v| &*v.name).collect();
    project.plan.view(name).ok_or_else(|| {
        Failure::usage(format!("no view is named `{name}`; {}", did_you_mean(name, names)))
    })
}

fn threads(given: Option<usize>) -> Result<usize, Failure> {
    match given {
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX)),
        Some(n) if (1..=THREADS_MAX).contains(&n) => Ok(n),
        Some(n) => Err(Failure::usage(format!("--threads is {n}; use 1 to {THREADS_MAX}"))),
    }
}

fn delimiter(given: char) -> Result<u8, Failure> {
    u8::try_from(given)
        .ok()
        .filter(u8::is_ascii)
        .ok_or_else(|| Failure::usage(format!("--delimiter is `{given}`; use an ASCII sign")))
}

struct Run<'a> {
    job: &'a Job<'a>,
    ordered: Ordered,
    letters: Letters,
    summary: Summary,
    frontier: Frontier,
    after_block: &'a mut AfterBlock<'a>,
}

/// A computation that has come to its end.
#[derive(Debug)]
pub struct Done {
    pub ordered: Ordered,
    letters: Letters,
    pub summary: Summary,
}

impl Run<'_> {
    /// Opens every file of the streams that the view needs.
    fn open(&mut self) -> Result<Vec<Origin>, Failure> {
        let Job { project, threads, .. } = *self.job;
        let given = inputs::by_stream(self.job.events, &project.plan)?;
        // A server would take no other events either.
        let rules = rules_of(&project.plan, project.config.engine().future_max);
        let mut origins = Vec::new();
        for (stream, files) in given.into_iter().enumerate() {
            let schema = &project.plan.streams[stream].schema;
            let name = &schema.stream;
            if !self.ordered.needs(stream) {
                if files.is_some() {
                    note!("the view does not need stream {name}; its files are not read");
                }
                continue;
            }
            let (files, configured) = match files {
                Some(files) => (files, ','),
                None => inputs::configured(project, name)?,
            };
            let options = FileOptions {
                limits: project.config.limits(),
                csv: CsvOptions {
                    has_header: self.job.has_header,
                    delimiter: delimiter(self.job.delimiter.unwrap_or(configured))?,
                    ..CsvOptions::default()
                },
                rules: rules.get(stream).cloned(),
                ..FileOptions::default()
            };
            self.summary.add_stream(stream, name);
            for path in &files {
                let partition = self.ordered.partition(stream, &path.to_string_lossy());
                let origin = Origin::open(path, partition, schema.clone(), &options, threads)?;
                self.frontier.positions.push((partition, path.clone(), origin.start));
                origins.push(origin);
            }
        }
        Ok(origins)
    }

    /// Reads the files side by side: always the one that is furthest behind in event time, so that
    /// as few events as possible wait for the others.
    fn read_all(
        &mut self,
        mut origins: Vec<Origin>,
        mut table: Table,
        stop: &Stop,
    ) -> Result<(), Failure> {
        let bar = console::progress("computing", 1_000);
        let files = origins.len().max(1) as f64;
        let mut ended = 0.0;
        while let Some(index) = self.furthest_behind(&origins) {
            if stop.is_asked() {
                return Err(Failure::interrupted("stopped; no file was written"));
            }
            let origin = &mut origins[index];
            let partition = origin.partition;
            match origin.next_block()? {
                Some(block) => {
                    self.push(partition, block, &mut table)?;
                    (self.after_block)(&mut self.ordered, &self.frontier)?;
                }
                None => {
                    ended += 1.0;
                    origins.swap_remove(index);
                    let closed = self.ordered.close(partition, &mut |rows| table.write(&rows));
                    closed.map_err(|e| table.failure(e))?;
                }
            }
            let open: f64 = origins.iter().map(Origin::fraction).sum();
            bar.set_position(((ended + open) / files * 1_000.0) as u64);
        }
        let finished = self.ordered.finish(&mut |rows| table.write(&rows));
        finished.map_err(|e| table.failure(e))?;
        bar.set_message("writing");
        self.summary.rows = table.finish()?;
        self.letters.finish()?;
        bar.finish_and_clear();
        Ok(())
    }

    fn furthest_behind(&self, origins: &[Origin]) -> Option<usize> {
        (0..origins.len()).min_by_key(|i| self.ordered.reached(origins[*i].partition))
    }

    fn push(
        &mut self,
        partition: PartitionId,
        block: Block,
        table: &mut Table,
    ) -> Result<(), Failure> {
        let stream = partition.stream();
        let Block { decoded, received, .. } = block;
        let known = self.frontier.positions.iter_mut().find(|(id, _, _)| *id == partition);
        if let Some((_, _, position)) = known {
            *position = decoded.position;
        }
        for letter in &decoded.dead {
            self.summary.dead(stream, letter.reason.name());
            self.letters.push(&decoded.batch.schema.stream, letter)?;
        }
        // None is too far ahead: their source has judged them by the same limit, and not later.
        let received = received.max(now());
        let mut emit = |rows: Rows<'_>| table.write(&rows);
        let pushed = self.ordered.push(partition, &decoded.batch, received, &mut emit);
        pushed.map_err(|e| table.failure(e))?;
        self.frontier.rows = table.rows();
        Ok(())
    }
}

impl Done {
    fn report(mut self, job: &Job<'_>, json: bool, begun: Instant) -> Result<(), Failure> {
        for (index, stream) in &mut self.summary.streams {
            stream.counts = self.ordered.counts(*index);
        }
        self.summary.took = begun.elapsed();
        let letters = self.letters.path_if_any();
        let view = &job.project.plan.views[job.view].name;
        if json {
            self.summary.print_json(view, job.output, letters)
        } else {
            self.summary.print(view, job.output, letters)
        }
    }
}
