//! The threads that compute the partitions, and what they share.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use millrace_event::Column;

use crate::history::Scatter;
use crate::job::BatchError;
use crate::keeper::Keeping;
use crate::label;
use crate::partition::Partition;
use crate::scatter::PARTITIONS;
use crate::scattered::Step;
use crate::spool::{Blocks, Spool};
use crate::unfinished;

/// The share of the memory that features may take.
const FEATURES_SHARE: usize = 4;

/// Work that stands alone: a partition of a group, or of what tells of labels.
pub(crate) struct Task {
    /// Index into the outputs: the groups, then what tells.
    pub output: usize,
    pub partition: usize,
    pub events: Blocks,
    pub reads: Blocks,
}

/// What the threads share.
pub(crate) struct Work<'a> {
    pub scatter: &'a Scatter,
    pub used: &'a [Vec<usize>],
    pub outputs: &'a [Mutex<Spool>],
    pub tasks: Mutex<std::vec::IntoIter<Task>>,
    /// By output and partition.
    pub is_done: Mutex<Vec<bool>>,
    pub keeping: Option<&'a Keeping>,
}

impl Work<'_> {
    /// Computes every partition, on so many threads, and keeps what is done where it is kept.
    pub fn run_all(
        &self,
        threads: usize,
        watch: &(dyn Fn(Step) -> bool + Sync),
    ) -> Result<(), BatchError> {
        let done = std::thread::scope(|scope| {
            let work = || self.work_on(watch);
            let threads: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(work)).collect();
            let here = work();
            let joined = threads.into_iter().map(|t| t.join().unwrap_or(Err(BatchError::Thread)));
            joined.fold(here, Result::and)
        });
        let is_worth_keeping = matches!(done, Ok(()) | Err(BatchError::Stopped));
        if let Some(keeping) = self.keeping.filter(|_| is_worth_keeping) {
            self.keep(keeping)?;
        }
        done
    }

    fn work_on(&self, watch: &(dyn Fn(Step) -> bool + Sync)) -> Result<(), BatchError> {
        loop {
            let task = lock(&self.tasks).next();
            let Some(task) = task else { return Ok(()) };
            let at = task.output * PARTITIONS + task.partition;
            self.run(task)?;
            let step = {
                let mut is_done = lock(&self.is_done);
                is_done[at] = true;
                Step::of(&is_done)
            };
            self.keep_if_due()?;
            if !watch(step) {
                return Err(BatchError::Stopped);
            }
        }
    }

    fn run(&self, task: Task) -> Result<(), BatchError> {
        let scatter = self.scatter;
        let Task { output, partition, events, reads } = task;
        let mut emit = |columns: Vec<Column>| {
            lock(&self.outputs[output]).append_block(partition, columns);
            self.make_room()
        };
        let Some(input) = scatter.groups.get(output) else {
            return label::run(events, reads, &*scatter.scratch, &mut emit);
        };
        let group = &scatter.job.plan.groups[input.read.group];
        let scratch = &*scatter.scratch;
        let (used, states) = (&self.used[output][..], scatter.job.states);
        Partition { input, group, used, states, events, reads, scratch }.run(&mut emit)
    }

    fn make_room(&self) -> Result<(), BatchError> {
        let held = self.outputs.iter().map(|output| lock(output).held());
        if held.sum::<usize>() > self.scatter.job.memory / FEATURES_SHARE {
            for output in self.outputs {
                lock(output).spill(&*self.scatter.scratch)?;
            }
        }
        Ok(())
    }

    fn keep_if_due(&self) -> Result<(), BatchError> {
        let Some(keeping) = self.keeping else { return Ok(()) };
        let unkept = keeping.unkept.fetch_add(1, Ordering::Relaxed) + 1;
        // Where another thread keeps, what was done here is kept the next time.
        let Ok(_turn) = keeping.turn.try_lock() else { return Ok(()) };
        if keeping.keeper.is_due(unkept) { self.keep(keeping) } else { Ok(()) }
    }

    fn keep(&self, keeping: &Keeping) -> Result<(), BatchError> {
        keeping.unkept.store(0, Ordering::Relaxed);
        let is_done = lock(&self.is_done).clone();
        let mut work = keeping.scattered.clone();
        unfinished::put_count(self.outputs.len(), &mut work);
        for (output, is_done) in self.outputs.iter().zip(is_done.chunks(PARTITIONS)) {
            let mut spool = lock(output);
            for list in (0..PARTITIONS).filter(|list| is_done[*list]) {
                spool.spill_list(list, &*self.scatter.scratch)?;
            }
            unfinished::put_output(&spool, is_done, &mut work);
        }
        keeping.keeper.keep(&work).map_err(BatchError::Keep)
    }
}

/// What a thread that failed has left is not used: its error ends the job.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
