//! The second half of a training set: partitions on threads, then rows in order.

use std::sync::{Arc, Mutex, PoisonError};

use millrace_event::{Column, Physical};
use millrace_feature::plan::{Plan, View};
use millrace_stream::view_columns;

use crate::assemble::{Even, Output};
use crate::history::{ROWS, Scatter};
use crate::job::{BatchError, Job, Labelling, Subject};
use crate::keeper::{Keeper, Keeping};
use crate::label;
use crate::partition;
use crate::scatter::{BLOCK_ROWS, PARTITIONS};
use crate::spool::Spool;
use crate::unfinished::{self, Finished};
use crate::work::{Task, Work};

/// The share of the memory that a block of each partition may take.
const BLOCKS_SHARE: usize = 8;
/// The numbers of outputs as spools: behind those of any spool of events.
const OUTPUTS_FROM: u32 = 1 << 16;
/// Rows of a block of features, at least.
const BLOCK_ROWS_MIN: usize = 128;

/// All events, by what needs them and by key.
#[derive(Debug)]
pub struct Scattered {
    scatter: Scatter,
    /// By output and partition: the groups, then what tells.
    finished: Finished,
    keeping: Option<Keeping>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Partitions that are done, and how many there are.
    pub partitions: (usize, usize),
}

impl Step {
    pub(crate) fn of(is_done: &[bool]) -> Step {
        Step { partitions: (is_done.iter().filter(|is| **is).count(), is_done.len()) }
    }
}

/// The rows of a training set: id (of rows that are asked for their number), time, the view's columns, the fields that were asked for, and the
/// label with the time at which it was known to be positive.
#[derive(Debug)]
pub struct TrainingRows {
    pub columns: Vec<Column>,
}

impl Scattered {
    pub(crate) fn new(scatter: Scatter) -> Scattered {
        let tasks = (scatter.groups.len() + scatter.told.len()) * PARTITIONS;
        Scattered::resumed(scatter, vec![None; tasks])
    }

    pub(crate) fn resumed(scatter: Scatter, finished: Finished) -> Scattered {
        Scattered { scatter, finished, keeping: None }
    }

    /// Keeps the work here and from here on, so that another run of the job can go on from it. All
    /// of it goes to the scratch file then.
    ///
    /// # Errors
    /// When the scratch file or the keeper fails.
    pub fn keep_with(&mut self, keeper: Arc<dyn Keeper>) -> Result<(), BatchError> {
        let scatter = &mut self.scatter;
        let scratch = Arc::clone(&scatter.scratch);
        scatter.spools().try_for_each(|spool| spool.spill(&*scratch))?;
        let mut scattered = Vec::new();
        unfinished::put_scattered(scatter, &mut scattered);
        // What was resumed is kept already.
        if self.finished.iter().all(Option::is_none) {
            let mut work = scattered.clone();
            unfinished::put_none_done(self.finished.len() / PARTITIONS, &mut work);
            keeper.keep(&work).map_err(BatchError::Keep)?;
        }
        self.keeping = Some(Keeping::new(keeper, scattered));
        Ok(())
    }

    /// What an earlier run has done.
    pub fn step(&self) -> Step {
        Step::of(&self.finished.iter().map(Option::is_some).collect::<Vec<_>>())
    }

    /// How many rows there will be.
    pub fn rows(&self) -> u64 {
        self.scatter.rows.unsigned_abs()
    }

    /// Computes every partition, on so many threads, and hands out the rows in order. `watch` is
    /// told of each step, and says whether to go on.
    ///
    /// # Errors
    /// When the scratch file or `emit` fails, or `watch` says stop.
    pub fn run(
        mut self,
        threads: usize,
        watch: &(dyn Fn(Step) -> bool + Sync),
        emit: &mut dyn FnMut(TrainingRows) -> Result<(), String>,
    ) -> Result<(), BatchError> {
        let plan = Arc::clone(&self.scatter.job.plan);
        let view = &plan.views[self.scatter.job.view];
        let used = used_features(&plan, view);
        let outputs = self.outputs(&plan, view, &used);
        let is_done: Vec<bool> = self.finished.iter().map(Option::is_some).collect();
        self.put_finished(&outputs);
        let mut tasks = self.tasks();
        tasks.retain(|task| !is_done[task.output * PARTITIONS + task.partition]);
        let work = Work {
            scatter: &self.scatter,
            used: &used,
            outputs: &outputs,
            tasks: Mutex::new(tasks.into_iter()),
            is_done: Mutex::new(is_done),
            keeping: self.keeping.as_ref(),
        };
        work.run_all(threads, watch)?;
        let outputs = outputs.into_iter();
        let outputs =
            outputs.map(|o| Output::of(o.into_inner().unwrap_or_else(PoisonError::into_inner)));
        self.assemble(outputs.collect(), &used, emit)
    }

    /// What is to be done yet.
    fn tasks(&mut self) -> Vec<Task> {
        let scatter = &mut self.scatter;
        let groups = scatter.groups.iter_mut().map(|group| (&mut group.events, &mut group.reads));
        let told = scatter.told.iter_mut().map(|told| (&mut told.events, &mut told.rows));
        let mut tasks = Vec::new();
        for (output, (events, reads)) in groups.chain(told).enumerate() {
            tasks.extend((0..PARTITIONS).map(|partition| {
                let (events, reads) = (events.take(partition), reads.take(partition));
                Task { output, partition, events, reads }
            }));
        }
        tasks
    }

    fn outputs(&self, plan: &Plan, view: &View, used: &[Vec<usize>]) -> Vec<Mutex<Spool>> {
        let scatter = &self.scatter;
        // When the rows are put together, a block of each partition is in memory.
        let cells: usize =
            used.iter().map(|used| used.len() + 1).sum::<usize>() + 2 * scatter.told.len();
        let row_bytes = PARTITIONS * cells.max(1) * size_of::<u64>();
        let block_rows =
            (scatter.job.memory / BLOCKS_SHARE / row_bytes).clamp(BLOCK_ROWS_MIN, BLOCK_ROWS);
        let groups = view.reads.iter().zip(used).map(|(read, used)| {
            partition::output(&plan.groups[read.group], used, PARTITIONS, block_rows)
        });
        let told = scatter.told.iter().map(|_| label::output(PARTITIONS, block_rows));
        let outputs = (OUTPUTS_FROM..).zip(groups.chain(told)).map(|(number, mut spool)| {
            spool.set_number(number);
            Mutex::new(spool)
        });
        outputs.collect()
    }

    /// Puts what an earlier run has done where this one looks for it.
    fn put_finished(&mut self, outputs: &[Mutex<Spool>]) {
        for (output, lists) in outputs.iter().zip(self.finished.chunks_mut(PARTITIONS)) {
            let mut spool = output.lock().unwrap_or_else(PoisonError::into_inner);
            for (list, finished) in lists.iter_mut().enumerate() {
                spool.put_stretches(list, finished.take().unwrap_or_default());
            }
        }
    }

    fn assemble(
        self,
        mut outputs: Vec<Output>,
        used: &[Vec<usize>],
        emit: &mut dyn FnMut(TrainingRows) -> Result<(), String>,
    ) -> Result<(), BatchError> {
        let job = &self.scatter.job;
        let scratch = Arc::clone(&self.scatter.scratch);
        let view = &job.plan.views[job.view];
        let mut frame = Even::of(self.scatter.frame, ROWS);
        let mut first = 0;
        while let Some(mut columns) = frame.next(&*scratch)? {
            let number = match job.subject {
                Subject::Events => None,
                Subject::Asked => columns.pop(),
            };
            let rows = columns.first().map_or(0, Column::len);
            let next = outputs.iter_mut().map(|output| output.next(first, rows, &*scratch));
            let parts = next.collect::<Result<Vec<_>, _>>()?;
            first += rows as i64;
            let fields = spread(columns, &self.scatter.frame_fields, job.field_kinds());
            let mut rows = put_together(job, view, &fields, parts, used, rows);
            if let (Some(number), Some(first)) = (number, rows.columns.first_mut()) {
                *first = number;
            }
            emit(rows).map_err(BatchError::Sink)?;
        }
        Ok(())
    }
}

/// One row's columns from its fields, the features of each read, and what tells of its label.
fn put_together(
    job: &Job,
    view: &View,
    fields: &[Column],
    mut parts: Vec<Vec<Column>>,
    used: &[Vec<usize>],
    rows: usize,
) -> TrainingRows {
    let told = parts.split_off(view.reads.len());
    let mut features = Vec::new();
    for ((read, columns), used) in view.reads.iter().zip(parts).zip(used) {
        let group = &job.plan.groups[read.group].features;
        features.extend(spread(columns, used, group.iter().map(|f| f.ty.physical()).collect()));
    }
    let schema = &job.plan.streams[view.stream].schema;
    let own = |field: usize| fields[field].clone();
    let mut columns = vec![own(schema.id), own(schema.time)];
    columns.extend(view_columns(view, fields, features, rows));
    columns.extend(job.fields.iter().map(|field| own(*field)));
    if let Some(Labelling { label, cutoff, .. }) = job.labelling {
        let told: Vec<Column> = told.into_iter().flatten().collect();
        let definition = &job.plan.labels[label];
        let times = fields[schema.time].as_words();
        let (positive, among) = (&told[0], told.get(1));
        columns.push(label::label(definition, cutoff, times, positive, among));
        columns.push(label::known(cutoff, positive));
    }
    TrainingRows { columns }
}

/// Puts columns at their indexes; those that nobody needs are empty.
fn spread(columns: Vec<Column>, at: &[usize], kinds: Vec<Physical>) -> Vec<Column> {
    let mut all: Vec<Column> = kinds.into_iter().map(Column::new).collect();
    for (column, index) in columns.into_iter().zip(at) {
        all[*index] = column;
    }
    all
}

/// Of each read, the features that a column of the view uses.
fn used_features(plan: &Plan, view: &View) -> Vec<Vec<usize>> {
    let mut first = plan.streams[view.stream].schema.fields.len();
    let mut used: Vec<Vec<usize>> = Vec::new();
    for read in &view.reads {
        let count = plan.groups[read.group].features.len();
        let mut is_used = vec![false; count];
        for column in &view.columns {
            column.expr.for_each_column(&mut |index| {
                if (first..first + count).contains(&index) {
                    is_used[index - first] = true;
                }
            });
        }
        used.push((0..count).filter(|feature| is_used[*feature]).collect());
        first += count;
    }
    used
}
