//! The second half of a training set: partitions on threads, then rows in order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use millrace_event::{Column, Physical};
use millrace_feature::plan::{Plan, View};
use millrace_stream::view_columns;

use crate::assemble::{Even, Output};
use crate::history::{ROWS, Scatter};
use crate::job::{BatchError, Job, Labelling, Subject};
use crate::label;
use crate::partition::{self, Partition};
use crate::scatter::{BLOCK_ROWS, PARTITIONS};
use crate::spool::{Blocks, Spool};

/// The shares of the memory that features may take, and then a block of each partition.
const FEATURES_SHARE: usize = 4;
const BLOCKS_SHARE: usize = 8;
/// Rows of a block of features, at least.
const BLOCK_ROWS_MIN: usize = 128;

/// All events, by what needs them and by key.
#[derive(Debug)]
pub struct Scattered {
    scatter: Scatter,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Partitions that are done, and how many there are.
    pub partitions: (usize, usize),
}

/// The rows of a training set: id (of rows that are asked for their number), time, the view's columns, the fields that were asked for, and the
/// label with the time at which it was known to be positive.
#[derive(Debug)]
pub struct TrainingRows {
    pub columns: Vec<Column>,
}

/// Work that stands alone: a partition of a group, or of what tells of labels.
struct Task {
    /// Index into the outputs: the groups, then what tells.
    output: usize,
    partition: usize,
    events: Blocks,
    reads: Blocks,
}

impl Scattered {
    pub(crate) fn new(scatter: Scatter) -> Scattered {
        Scattered { scatter }
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
        let tasks = self.tasks();
        let outputs = self.outputs(&plan, view, &used);
        let done = AtomicUsize::new(0);
        let all = tasks.len();
        let tasks = Mutex::new(tasks.into_iter());
        let work = Work { scatter: &self.scatter, used: &used, outputs: &outputs };
        let work_on = || -> Result<(), BatchError> {
            loop {
                let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(task) = task else { return Ok(()) };
                work.run(task)?;
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                if !watch(Step { partitions: (done, all) }) {
                    return Err(BatchError::Stopped);
                }
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(work_on)).collect();
            let here = work_on();
            let joined = threads.into_iter().map(|t| t.join().unwrap_or(Err(BatchError::Thread)));
            joined.fold(here, Result::and)
        })?;
        let outputs = outputs.into_iter();
        let outputs =
            outputs.map(|o| Output::of(o.into_inner().unwrap_or_else(PoisonError::into_inner)));
        self.assemble(outputs.collect(), &used, emit)
    }

    fn tasks(&mut self) -> Vec<Task> {
        let mut tasks = Vec::new();
        let scatter = &mut self.scatter;
        for (output, group) in scatter.groups.iter_mut().enumerate() {
            tasks.extend((0..PARTITIONS).map(|partition| {
                let (events, reads) = (group.events.take(partition), group.reads.take(partition));
                Task { output, partition, events, reads }
            }));
        }
        for (output, told) in (scatter.groups.len()..).zip(&mut scatter.told) {
            tasks.extend((0..PARTITIONS).map(|partition| {
                let (events, reads) = (told.events.take(partition), told.rows.take(partition));
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
        groups.chain(told).map(Mutex::new).collect()
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

/// What the threads share.
struct Work<'a> {
    scatter: &'a Scatter,
    used: &'a [Vec<usize>],
    outputs: &'a [Mutex<Spool>],
}

impl Work<'_> {
    fn run(&self, task: Task) -> Result<(), BatchError> {
        let scatter = self.scatter;
        let Task { output, partition, events, reads } = task;
        let mut emit = |columns: Vec<Column>| {
            let mut spool = self.outputs[output].lock().unwrap_or_else(PoisonError::into_inner);
            spool.append_block(partition, columns);
            drop(spool);
            self.make_room()
        };
        let Some(input) = scatter.groups.get(output) else {
            return label::run(events, reads, &*scatter.scratch, &mut emit);
        };
        let group = &scatter.job.plan.groups[input.read.group];
        let scratch = &*scatter.scratch;
        Partition { input, group, used: &self.used[output], events, reads, scratch }.run(&mut emit)
    }

    fn make_room(&self) -> Result<(), BatchError> {
        let lock =
            |output: &Mutex<Spool>| output.lock().unwrap_or_else(PoisonError::into_inner).held();
        if self.outputs.iter().map(lock).sum::<usize>() > self.scatter.job.memory / FEATURES_SHARE {
            for output in self.outputs {
                let mut spool = output.lock().unwrap_or_else(PoisonError::into_inner);
                spool.spill(&*self.scatter.scratch)?;
            }
        }
        Ok(())
    }
}
