//! `millrace training-set`: one row per event of a view's stream, point in time, with its label.
//!
//! ```text
//!   files, or the log ─▶ History (judged, by key) ─▶ partitions on threads ─▶ rows in order ─▶ OUT
//!                            └── what does not fit into --memory ──▶ a scratch file ──┘
//! ```
//!
//! With `--resume` all goes to a scratch file that outlives the run, and another run goes on from
//! there: see `training_set/folder.rs`.

mod blocks;
mod folder;
mod identity;
mod logged;
mod manifest;
mod resume;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use millrace_batch::{
    BatchError, Counting, History, Job, Labelling, Scattered, Scratch, States, Subject,
    TrainingRows,
};
use millrace_event::{EventTime, Type};

use crate::compute::find_view;
use crate::config::{Size, did_you_mean};
use crate::console::{self, note};
use crate::exit::Failure;
use crate::history::scratch::ScratchFile;
use crate::history::when::{self, AsOfGrid, Delay, Period, When};
use crate::history::{
    self, AskedRows, Intake, Letters, Origins, PROGRESS, Summary, Table, find_label, read, unique,
};
use crate::project::{Place, Project};
use crate::stop::Stop;

/// Makes a training set: for each event the features as they were then, and what became of it
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace training-set checkout -o train.parquet     # the files that millrace.toml names
  millrace training-set checkout --label fraud --from 2026-01-15 --to 2026-02-12 -o train.parquet
  millrace training-set checkout --from-log -o train.parquet     # what the server has logged
  millrace training-set checkout --from-log --as-known -o known.parquet
  millrace training-set checkout --rows cases.csv -o cases.parquet     # for these keys and times
  millrace training-set checkout --asof daily -o nightly.parquet
  millrace training-set checkout --asof-delay 5m --memory 512MiB -o stale.parquet
  millrace training-set checkout --resume unfinished -o train.parquet    # again after it was killed

Each row has the id and time of its event, the columns of the view, the fields named by --with, and
with --label two columns more: the label (true, false, or null where it cannot be known yet) and
when it was known to be true. The features count what happened before the event and nothing after
it, and are those that a live server would have served, bit for bit. A label counts what is known at
--label-at, whatever the time of its event. With --as-known events and what tells of labels count
only from their arrival on, if that was later than their time.

The file of --rows has columns that are fields of the view's stream: the time, and what the view
looks at. Its rows get what a server would answer if it were asked at their times; they need not be
sorted. The first column of the output says the row of the file, counted from 1. --delimiter and
--no-header are said of this file, too.")]
pub struct Args {
    /// The view's name
    view: String,
    #[command(flatten)]
    origins: Origins,
    #[command(flatten)]
    period: Period,
    /// A row for each row of this file of keys and times, instead of for each event
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// The label that the rows get
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// What is known of the label at this time; --to and as long as the label takes to mature, if
    /// not given, but nothing beyond the last event
    #[arg(long, value_name = "TIME", requires = "label")]
    label_at: Option<When>,
    /// Features as they were so long before each event
    #[arg(long, value_name = "SPAN", conflicts_with = "asof")]
    asof_delay: Option<Delay>,
    /// Features as they were at the last full hour, or the last midnight (UTC)
    #[arg(long, value_enum)]
    asof: Option<AsOfGrid>,
    /// Count events and reports only from their arrival, which the log knows, as serving could have
    #[arg(long)]
    as_known: bool,
    /// Fields of the event that become columns too, separated by commas
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
    with: Vec<String>,
    /// Memory for events and features; what does not fit goes to a scratch file
    #[arg(long, value_name = "SIZE", default_value = "2GiB")]
    memory: Size,
    /// Where the scratch file lies; beside the output, if not given
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Keep unfinished work in this folder, and go on from what an earlier run of the same training
    /// set left there; when the output is there, what it holds is removed
    #[arg(long, value_name = "DIR", conflicts_with = "scratch")]
    resume: Option<PathBuf>,
    /// Where the rows go; the ending says the format
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// The least that a job can work with.
const MEMORY_MIN: u64 = 64 << 20;

pub fn training_set(args: &Args) -> Result<(), Failure> {
    let project = args.place.open()?;
    let job = args.job(&project)?;
    let stop = Stop::on_signals()?;
    let begun = Instant::now();
    let letters = Letters::path_beside(&args.output);
    let outputs = [args.output.as_path(), letters.as_path()];
    args.origins.reading.keep_apart(&project, &outputs)?;
    history::keep_files_apart(args.rows.iter().cloned(), &outputs)?;
    let threads = args.origins.reading.threads()?;
    let work = Work { args, project: &project, job: &job, threads, stop: &stop };
    let mut letters = Letters::at(letters);
    let (mut summary, letters) = match &args.resume {
        Some(dir) => work.run_kept(dir, letters.path())?,
        None => {
            let mut summary = Summary::default();
            let history = History::new(job.clone(), work.scratch()?);
            let scattered = work.read(history, &mut letters, &mut summary)?;
            summary.rows = work.write(scattered)?;
            letters.finish()?;
            (summary, letters.path_if_any().map(Path::to_path_buf))
        }
    };
    summary.took = begun.elapsed();
    let is_csv = args.output.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    if is_csv && columns(&job).iter().any(|(_, ty)| *ty == Type::Duration) {
        note!(
            "durations are milliseconds in CSV, and a model is served seconds: divide them by 1,000 \
             before you train or score"
        );
    }
    if args.json {
        summary.print_json(&args.view, &args.output, letters.as_deref())
    } else {
        summary.print(&args.view, &args.output, letters.as_deref())
    }
}

impl Args {
    fn job(&self, project: &Project) -> Result<Job, Failure> {
        let plan = &project.plan;
        let view = find_view(project, &self.view)?;
        let rows = self.period.rows()?;
        if self.memory.0 < MEMORY_MIN {
            return Err(Failure::usage(format!("--memory is less than {} MiB", MEMORY_MIN >> 20)));
        }
        let schema = &plan.streams[plan.views[view].stream].schema;
        if let Some((at, name)) =
            self.with.iter().enumerate().find(|(at, name)| self.with[..*at].contains(name))
        {
            let number = at + 1;
            return Err(Failure::usage(format!(
                "--with: field {number} is `{name}` again; name each field once"
            )));
        }
        let names = || schema.fields.iter().map(|field| &*field.name).collect::<Vec<_>>();
        let field = |name: &String| {
            schema.fields.iter().position(|field| *field.name == **name).ok_or_else(|| {
                let hint = did_you_mean(name, names());
                Failure::usage(format!("--with: `{}` has no field `{name}`; {hint}", schema.stream))
            })
        };
        Ok(Job {
            plan: Arc::clone(plan),
            view,
            labelling: self.labelling(project, view, rows.end)?,
            rows,
            asof: when::asof(self.asof_delay, self.asof),
            subject: if self.rows.is_some() { Subject::Asked } else { Subject::Events },
            counting: self.counting()?,
            fields: self.with.iter().map(field).collect::<Result<_, _>>()?,
            states: States::LeftOut,
            memory: self.memory.bytes(),
            settings: project.config.engine(),
        })
    }

    fn asked(
        &self,
        project: &Project,
        job: &Job,
        letters: &mut Letters,
    ) -> Result<Option<AskedRows>, Failure> {
        let csv = self.origins.reading.csv(',')?;
        let open = |path| AskedRows::open(path, project, job, (self.memory, csv), letters);
        self.rows.as_deref().map(open).transpose()
    }

    fn counting(&self) -> Result<Counting, Failure> {
        match (self.as_known, self.origins.from_log) {
            (false, _) => Ok(Counting::AsHappened),
            (true, true) => Ok(Counting::AsKnown),
            (true, false) => Err(Failure::usage(
                "--as-known: files do not say when their events arrived; the log does: add \
                 --from-log",
            )),
        }
    }

    fn labelling(
        &self,
        project: &Project,
        view: usize,
        end: EventTime,
    ) -> Result<Option<Labelling>, Failure> {
        let Some(name) = &self.label else { return Ok(None) };
        let plan = &project.plan;
        let label = find_label(plan, name, view)?;
        let definition = &plan.labels[label];
        let mature = if end == EventTime::MAX { end } else { end.plus(definition.matures) };
        let cutoff = self.label_at.map_or(mature, |When(time)| time);
        Ok(Some(Labelling { label, cutoff, is_given: self.label_at.is_some() }))
    }
}

/// One run of the command.
struct Work<'a> {
    args: &'a Args,
    project: &'a Project,
    job: &'a Job,
    threads: usize,
    stop: &'a Stop,
}

impl Work<'_> {
    fn scratch(&self) -> Result<Arc<dyn Scratch>, Failure> {
        let beside = self.args.output.parent().map(Path::to_path_buf);
        let folder = self.args.scratch.clone().or(beside).unwrap_or_default();
        Ok(Arc::new(ScratchFile::in_folder(folder)))
    }

    /// Takes in all events, and what is asked for.
    fn read(
        &self,
        history: History,
        letters: &mut Letters,
        summary: &mut Summary,
    ) -> Result<Scattered, Failure> {
        let asked = self.args.asked(self.project, self.job, letters)?;
        summary.asked = asked.as_ref().map(|asked| (asked.path().to_owned(), asked.counts));
        let intake = Intake::new(history, asked);
        let from = (self.project, &self.args.place, &self.args.origins);
        read(from, intake, Some(letters), summary, self.stop)
    }

    fn write(&self, scattered: Scattered) -> Result<u64, Failure> {
        let mut table = Table::create(&columns(self.job), &self.args.output, self.threads)?;
        let rows = scattered.rows().max(1);
        let bar = console::progress("computing", PROGRESS);
        let (done, all) = scattered.step().partitions;
        bar.set_position(PROGRESS * done as u64 / all.max(1) as u64);
        let watch = |step: millrace_batch::Step| {
            let (done, all) = step.partitions;
            bar.set_position(PROGRESS * done as u64 / all as u64);
            !self.stop.is_asked()
        };
        let mut emit = |block: TrainingRows| {
            if self.stop.is_asked() {
                return Err("stopped".to_owned());
            }
            table.write_all(block.columns)?;
            bar.set_message("writing");
            bar.set_position(PROGRESS * table.rows() / rows);
            Ok(())
        };
        let done = scattered.run(self.threads, &watch, &mut emit);
        self.check()?;
        match done {
            Ok(()) => {}
            Err(error @ BatchError::Sink(_)) => return Err(table.failure(error)),
            Err(error) => return Err(error.into()),
        }
        let rows = table.finish()?;
        bar.finish_and_clear();
        Ok(rows)
    }

    fn check(&self) -> Result<(), Failure> {
        if self.stop.is_asked() {
            return Err(Failure::interrupted("stopped; no file was written"));
        }
        Ok(())
    }
}

/// Names and types of the rows' columns.
fn columns(job: &Job) -> Vec<(String, Type)> {
    let plan = &job.plan;
    let mut columns = history::columns_of(plan, job.view);
    if job.subject == Subject::Asked {
        let name = unique(&columns[1..], "row", "row_number");
        columns[0] = (name, Type::Int);
    }
    let schema = &plan.streams[plan.views[job.view].stream].schema;
    let with =
        |columns: &[(String, Type)], name: &str| unique(columns, name, &format!("event_{name}"));
    for field in &job.fields {
        let field = &schema.fields[*field];
        let name = with(&columns, &field.name);
        columns.push((name, field.ty.clone()));
    }
    if let Some(labelling) = &job.labelling {
        let label = with(&columns, &plan.labels[labelling.label].name);
        let known = format!("{label}_known_at");
        columns.push((label, Type::Bool));
        let known = with(&columns, &known);
        columns.push((known, Type::Timestamp));
    }
    columns
}
