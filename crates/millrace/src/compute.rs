//! `millrace compute`: one view over history, from files to a file.
//!
//! ```text
//!   files ─▶ decode (a thread each) ─▶ engine, in order ─▶ rows ─▶ write (a thread) ─▶ OUT
//!                    └────────────────────┴▶ dead letters ─▶ OUT.dead.ndjson
//! ```

use std::path::{Path, PathBuf};
use std::time::Instant;

use millrace_connector::Position;
use millrace_stream::live::now;
use millrace_stream::{Ordered, PartitionId, Rows, Settings};

use crate::config::did_you_mean;
use crate::console;
use crate::exit::Failure;
use crate::history::{self, Block, Letters, PROGRESS, Reading, Sources, Summary, Table};
use crate::project::{Place, Project};
use crate::stop::Stop;

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
    #[command(flatten)]
    reading: Reading,
    /// Where the rows go; the ending says the format
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

pub fn compute(args: &Args) -> Result<(), Failure> {
    let project = args.place.open()?;
    let job = Job {
        view: find_view(&project, &args.view)?,
        project: &project,
        reading: &args.reading,
        output: &args.output,
        threads: args.reading.threads()?,
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
    pub reading: &'a Reading,
    pub output: &'a Path,
    pub threads: usize,
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
    let letters = Letters::path_beside(job.output);
    job.reading.keep_apart(job.project, &[job.output, letters.as_path()])?;
    let letters = Letters::at(letters);
    let frontier = Frontier::default();
    let summary = Summary::default();
    let mut run = Run { ordered, letters, summary, frontier, after_block };
    let needs: Vec<bool> =
        (0..job.project.plan.streams.len()).map(|s| run.ordered.needs(s)).collect();
    let sources = Sources::open(job.project, job.reading, threads, &needs, |stream, name| {
        run.ordered.partition(stream, name)
    })?;
    sources.streams().for_each(|(index, name)| run.summary.add_stream(index, name));
    run.frontier.positions = sources.positions();
    let columns = history::columns_of(&job.project.plan, job.view);
    let table = Table::create(&columns, job.output, threads)?;
    run.read_all(sources, table, stop)?;
    let Run { ordered, letters, summary, .. } = run;
    Ok(Done { ordered, letters, summary })
}

pub fn find_view(project: &Project, name: &str) -> Result<usize, Failure> {
    let names: Vec<&str> = project.plan.views.iter().map(|v| &*v.name).collect();
    project.plan.view(name).ok_or_else(|| {
        Failure::usage(format!("no view is named `{name}`; {}", did_you_mean(name, names)))
    })
}

struct Run<'a> {
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
    /// Reads every file of the streams that the view needs.
    fn read_all(
        &mut self,
        mut sources: Sources,
        mut table: Table,
        stop: &Stop,
    ) -> Result<(), Failure> {
        let bar = console::progress("computing", PROGRESS);
        while let Some((partition, block)) = sources.next(|p| self.ordered.reached(p))? {
            if stop.is_asked() {
                return Err(Failure::interrupted("stopped; no file was written"));
            }
            match block {
                Some(block) => {
                    self.push(partition, block, &mut table)?;
                    (self.after_block)(&mut self.ordered, &self.frontier)?;
                }
                None => {
                    let mut emit = |rows: Rows<'_>| write(&mut table, &rows);
                    let closed = self.ordered.close(partition, &mut emit);
                    closed.map_err(|e| table.engine_failure(e))?;
                }
            }
            bar.set_position((sources.fraction() * PROGRESS as f64) as u64);
        }
        let finished = self.ordered.finish(&mut |rows| write(&mut table, &rows));
        finished.map_err(|e| table.engine_failure(e))?;
        bar.set_message("writing");
        self.summary.rows = table.finish()?;
        self.letters.finish()?;
        bar.finish_and_clear();
        Ok(())
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
        self.letters.take(&decoded, stream, &mut self.summary)?;
        // None is too far ahead: their source has judged them by the same limit, and not later.
        let received = received.max(now());
        let mut emit = |rows: Rows<'_>| write(table, &rows);
        let pushed = self.ordered.push(partition, &decoded.batch, received, &mut emit);
        pushed.map_err(|e| table.engine_failure(e))?;
        self.frontier.rows = table.rows();
        Ok(())
    }
}

/// Writes id, time and the view's columns.
fn write(table: &mut Table, rows: &Rows<'_>) -> Result<(), String> {
    let Rows { events, values } = rows;
    let own = [events.schema.id, events.schema.time].map(|field| &events.columns[field]);
    table.write(own.into_iter().chain(*values), events.len())
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
