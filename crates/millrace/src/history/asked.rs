//! Rows that a training set is asked for, from a file, in the order of time.
//!
//! ```text
//!   FILE ─▶ looked through ─┬ fits ─▶ sorted in memory ─┬▶ handed over, not far ahead of events
//!              dead letters └ sorted already ─▶ FILE ───┘
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_batch::{History, Job, Scattered};
use millrace_connector::{CsvOptions, Decoded, FileOptions, FileSource};
use millrace_event::{Batch, Column, EventTime, Schema};
use millrace_serving::{complete_rows, rows_schema};

use super::Letters;
use crate::config::Size;
use crate::exit::Failure;
use crate::project::Project;

/// Rows that are handed over together.
const TOGETHER: usize = 1 << 16;
/// The share of the memory that rows may take to be sorted.
const ROWS_SHARE: usize = 4;

/// A history, and the rows that it is asked for, if a file says them.
#[derive(Debug)]
pub struct Intake {
    pub history: History,
    pub asked: Option<AskedRows>,
    /// Where a log that is read ends; at its end, if not given.
    pub log_end: Option<u64>,
}

impl Intake {
    pub fn new(history: History, asked: Option<AskedRows>) -> Intake {
        Intake { history, asked, log_end: None }
    }

    /// All events before this time have come: so have the rows then. None comes sooner, for it would
    /// wait in memory.
    pub fn ask_until(&mut self, until: EventTime) -> Result<(), Failure> {
        let Intake { history, asked, .. } = self;
        let Some(asked) = asked else { return Ok(()) };
        while !asked.is_over && asked.reached < until {
            match asked.next()? {
                Some((rows, numbers)) => history.ask(&rows, &numbers)?,
                None => history.asked_all()?,
            }
        }
        Ok(())
    }

    /// All events have come.
    pub fn finish(mut self) -> Result<Scattered, Failure> {
        self.ask_until(EventTime::MAX)?;
        Ok(self.history.finish()?)
    }
}

/// The rows of a file, each an event of a view's stream as a request would give it.
#[derive(Debug)]
pub struct AskedRows {
    path: PathBuf,
    /// Of the view's stream.
    schema: Arc<Schema>,
    rows: Rows,
    /// The time of the last row that was handed out.
    reached: EventTime,
    is_over: bool,
    /// Records that are rows, and those that cannot be read.
    pub counts: (u64, u64),
}

#[derive(Debug)]
enum Rows {
    /// Sorted in memory: their numbers, their order, and how many were handed out.
    Held { rows: Batch, numbers: Vec<i64>, order: Vec<u32>, next: usize },
    /// Sorted in the file: how many records were read.
    File { source: Box<FileSource>, records: i64 },
}

impl AskedRows {
    /// Looks through the file; what cannot be read becomes a dead letter.
    pub fn open(
        path: &Path,
        project: &Project,
        job: &Job,
        (memory, csv): (Size, CsvOptions),
        letters: &mut Letters,
    ) -> Result<AskedRows, Failure> {
        let plan = &project.plan;
        let view = &plan.views[job.view];
        let schema = Arc::clone(&plan.streams[view.stream].schema);
        let label = job.labelling.map(|labelling| &plan.labels[labelling.label]);
        let told = label.into_iter().flat_map(|l| [&l.positive].into_iter().chain(&l.among));
        let joined = told.map(|source| source.by_own);
        let also: Vec<usize> = job.fields.iter().copied().chain(joined).collect();
        let given = Arc::new(rows_schema(plan, view, &also));
        let options =
            FileOptions { limits: project.config.limits(), csv, ..FileOptions::default() };
        let open = || FileSource::open(path, Arc::clone(&given), &options);
        let mut survey = Survey::new(&schema, memory.bytes() / ROWS_SHARE);
        let mut source = open()?;
        while let Some(decoded) = source.next_block(TOGETHER)? {
            letters.take_rows(&decoded)?;
            survey.take(&schema, decoded);
        }
        let (counts, unsorted) = ((survey.rows, survey.dead), survey.unsorted);
        let rows = match (survey.held, unsorted) {
            (Some((rows, numbers)), _) => Rows::sorted(rows, numbers),
            (None, None) => Rows::File { source: Box::new(open()?), records: 0 },
            (None, Some(number)) => return Err(too_many(path, &schema, number)),
        };
        let (path, reached) = (path.to_owned(), EventTime::MIN);
        Ok(AskedRows { path, schema, rows, reached, is_over: false, counts })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next rows with their numbers in the file, in the order of time; nothing at the end.
    fn next(&mut self) -> Result<Option<(Batch, Vec<i64>)>, Failure> {
        let next = match &mut self.rows {
            Rows::Held { rows, numbers, order, next } => {
                let some = &order[*next..order.len().min(*next + TOGETHER)];
                *next += some.len();
                let numbers = some.iter().map(|row| numbers[*row as usize]).collect();
                (!some.is_empty()).then(|| (rows.select(some), numbers))
            }
            Rows::File { source, records } => {
                let next = source.next_block(TOGETHER)?;
                next.map(|decoded| numbered(&self.schema, decoded, records))
            }
        };
        let times = next.as_ref().map(|(rows, _)| rows.times());
        self.is_over = times.is_none();
        if let Some(last) = times.and_then(<[i64]>::last) {
            self.reached = EventTime(*last);
        }
        Ok(next)
    }
}

impl Rows {
    fn sorted(rows: Batch, numbers: Vec<i64>) -> Rows {
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_by_key(|row| rows.time(*row as usize));
        Rows::Held { rows, numbers, order, next: 0 }
    }
}

/// What is found in the file.
struct Survey {
    /// All rows so far with their numbers, as long as there is room for them.
    held: Option<(Batch, Vec<i64>)>,
    room: usize,
    records: i64,
    rows: u64,
    dead: u64,
    last: i64,
    /// The first row that is earlier than one before it.
    unsorted: Option<i64>,
}

impl Survey {
    fn new(schema: &Arc<Schema>, room: usize) -> Survey {
        let held = Some((Batch::new(Arc::clone(schema)), Vec::new()));
        Survey { held, room, records: 0, rows: 0, dead: 0, last: i64::MIN, unsorted: None }
    }

    fn take(&mut self, schema: &Arc<Schema>, decoded: Decoded) {
        self.dead += decoded.dead.len() as u64;
        let (batch, numbers) = numbered(schema, decoded, &mut self.records);
        self.rows += batch.len() as u64;
        for (time, number) in batch.times().iter().zip(&numbers) {
            if *time < self.last {
                self.unsorted.get_or_insert(*number);
            }
            self.last = *time;
        }
        if let Some((rows, held)) = &mut self.held {
            rows.append(&batch);
            held.extend(numbers);
            if bytes(rows) > self.room {
                self.held = None;
            }
        }
    }
}

/// The good records of a block as events, with their numbers: records are counted from 1.
fn numbered(schema: &Arc<Schema>, decoded: Decoded, records: &mut i64) -> (Batch, Vec<i64>) {
    let first = *records + 1;
    *records += decoded.records() as i64;
    let numbers = decoded.good_at().map(|place| first + place as i64).collect();
    (complete_rows(schema, decoded.batch.columns), numbers)
}

/// About how many bytes rows take in memory.
fn bytes(rows: &Batch) -> usize {
    let numbers = rows.len() * (size_of::<i64>() + size_of::<u32>());
    rows.columns.iter().map(Column::bytes).sum::<usize>() + numbers
}

fn too_many(path: &Path, schema: &Schema, number: i64) -> Failure {
    let time = &schema.fields[schema.time].name;
    Failure::user(format!(
        "{}: row {number} is earlier than a row before it, and the rows take more than the quarter \
         of --memory in which they would be sorted; sort the file by {time}, or give more --memory",
        path.display()
    ))
}
