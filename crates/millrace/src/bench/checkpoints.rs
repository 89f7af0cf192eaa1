//! Checkpoints of an ordered computation, taken as a server takes them: the changed key states are
//! captured between two blocks, and a thread of its own writes and publishes them.
//!
//! A checkpoint holds all that the computation would go on from: the key states, the remembered
//! ids, the events that wait for the watermark, where each file is, and how many rows are out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millrace_event::Key;
use millrace_store::{
    Access, Change, Checkpoints, CheckpointsConfig, FileDisk, LiveBytes, StoreError,
};
use millrace_stream::live::checkpointer::{
    self, Checkpointer, Cleaning, Done, Report, Spares, Task,
};
use millrace_stream::{Block, BlockRef, Blocks, Engine, Moving, Ordered, Settings};
use serde::{Deserialize, Serialize};

use crate::compute::Frontier;
use crate::exit::Failure;
use crate::project::Project;

/// Key states captured at once, per group and shard.
const CAPTURE_KEYS: usize = 4_096;
/// Portions that may wait to be written; beyond it the computation waits.
const TASKS_MAX: usize = 4;
/// The table of the events that wait for the watermark: one that no stream's ids have.
const PENDING_TABLE: u16 = u16::MAX;

/// What stands in a checkpoint beside its records.
#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    plan: String,
    /// By file, where its next block begins.
    positions: Vec<(String, String)>,
    /// Rows handed to the output.
    rows: u64,
    /// Keys of all groups, to check a restored engine against.
    keys: u64,
    engine: String,
}

/// What was taken.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Taken {
    pub checkpoints: u64,
    /// Key states and chunks of ids captured, and the bytes of them.
    pub records: u64,
    pub bytes: u64,
}

/// Takes checkpoints of a computation while it runs.
pub struct Taker {
    tasks: SyncSender<Task>,
    reports: Receiver<Report>,
    /// Bytes of the portions that wait; their number bounds them already.
    waiting: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
    every: Duration,
    begun: Instant,
    is_under_way: bool,
    spares: Spares,
    pub taken: Taken,
}

impl Taker {
    /// Begins with an empty folder.
    pub fn start(folder: &Path, every: Duration) -> Result<Taker, Failure> {
        let disk = FileDisk::open(folder, Access::Owner)?;
        let (checkpoints, _) = Checkpoints::open(Arc::new(disk), CheckpointsConfig::default())?;
        let (tasks, task_queue) = sync_channel(TASKS_MAX);
        let (report, reports) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = Arc::clone(&waiting);
        let this = Checkpointer::new(checkpoints, LiveBytes::default());
        let run = move || checkpointer::run(this, &task_queue, &report, &written);
        let thread = std::thread::Builder::new().name("checkpoint".to_owned()).spawn(run);
        let thread = thread
            .map_err(|e| Failure::environment(format!("no thread to write checkpoints: {e}")))?;
        Ok(Taker {
            tasks,
            reports,
            waiting,
            thread,
            every,
            begun: Instant::now(),
            is_under_way: false,
            spares: Spares::default(),
            taken: Taken::default(),
        })
    }

    /// Takes the next step that is due.
    pub fn look_after(&mut self, ordered: &mut Ordered, at: &Frontier) -> Result<(), Failure> {
        while let Ok(report) = self.reports.try_recv() {
            self.hear(report, ordered, at)?;
        }
        if !self.is_under_way && self.begun.elapsed() >= self.every {
            self.begun = Instant::now();
            self.is_under_way = true;
            self.send(Task::Prepare(ordered.engine().take_released()))?;
        }
        Ok(())
    }

    /// Waits for the checkpoint under way, if any, and ends the thread.
    pub fn finish(mut self, ordered: &mut Ordered) -> Result<Taken, Failure> {
        while self.is_under_way {
            match self.reports.recv() {
                // The rows are all out: a checkpoint that has not begun has nothing to save.
                Ok(Report::Prepared(_)) => break,
                Ok(report) => self.hear(report, ordered, &Frontier::default())?,
                Err(_) => return Err(Failure::bug("the checkpointing thread ended early")),
            }
        }
        drop(self.tasks);
        self.thread.join().map_err(|_| Failure::bug("the checkpointing thread failed"))?;
        Ok(self.taken)
    }

    fn hear(
        &mut self,
        report: Report,
        ordered: &mut Ordered,
        at: &Frontier,
    ) -> Result<(), Failure> {
        match report {
            Report::Prepared(cleaning) => self.capture(cleaning, ordered, at),
            Report::Written(blocks) => {
                self.spares.keep(blocks);
                Ok(())
            }
            Report::Published(done) => {
                self.published(&done, ordered.engine());
                Ok(())
            }
            Report::Failed(cause) => Err(given_up(&cause)),
        }
    }

    /// What is written while a checkpoint is captured is taken back at once: else all of it would
    /// wait to be heard until the last portion is captured.
    fn take_back_written(&mut self) -> Result<(), Failure> {
        while let Ok(report) = self.reports.try_recv() {
            match report {
                Report::Written(blocks) => self.spares.keep(blocks),
                Report::Failed(cause) => return Err(given_up(&cause)),
                Report::Prepared(_) | Report::Published(_) => {
                    return Err(Failure::bug("a checkpoint went on before it was captured"));
                }
            }
        }
        Ok(())
    }

    fn capture(
        &mut self,
        cleaning: Cleaning,
        ordered: &mut Ordered,
        at: &Frontier,
    ) -> Result<(), Failure> {
        let mut from = (!cleaning.victims.is_empty()).then(Moving::default);
        while let Some(at) = from {
            from = ordered.engine().move_out_of(&cleaning.victims, at, usize::MAX)?;
        }
        let pending = pending(ordered);
        let engine = ordered.engine();
        let head = engine.begin_checkpoint();
        let meta = meta(engine, at, head)?;
        let (is_durable, durable) = channel();
        // No log is ahead of this checkpoint: the files that are read are its log.
        let _ = is_durable.send(Ok(()));
        self.send(Task::Begin { meta, durable, retired: cleaning.victims })?;
        let mut blocks: Blocks = pending.into_iter().collect();
        let gone = cleaning.gone.into_iter().filter(|(table, key)| !engine.has_key(*table, key));
        blocks.extend(gone.map(|(table, key)| Block { table, key, bytes: None }));
        let ids = cleaning.ids.into_iter();
        blocks.extend(ids.filter_map(|block| engine.still_remembered(block)));
        loop {
            let more = engine.continue_checkpoint(CAPTURE_KEYS, &mut blocks);
            self.taken.records += blocks.len() as u64;
            self.taken.bytes += blocks.iter().map(block_bytes).sum::<u64>();
            let next = self.spares.take();
            self.send(Task::Portion(std::mem::replace(&mut blocks, next)))?;
            self.take_back_written()?;
            if !more {
                return self.send(Task::End);
            }
        }
    }

    fn published(&mut self, done: &Done, engine: &mut Engine) {
        for (table, key, location) in &done.locations {
            engine.locate(*table, key, *location);
        }
        self.taken.checkpoints += 1;
        self.is_under_way = false;
    }

    fn send(&self, task: Task) -> Result<(), Failure> {
        if let Task::Portion(blocks) = &task {
            self.waiting.fetch_add(blocks.bytes(), Ordering::Relaxed);
        }
        self.tasks.send(task).map_err(|_| Failure::bug("the checkpointing thread ended early"))
    }
}

fn given_up(cause: &str) -> Failure {
    Failure::environment(format!("a checkpoint was given up: {cause}"))
}

fn block_bytes(block: BlockRef<'_>) -> u64 {
    (block.key.len() + block.bytes.map_or(0, <[u8]>::len)) as u64
}

/// The events that wait for the watermark, by stream.
fn pending(ordered: &mut Ordered) -> Vec<Block> {
    let waiting = ordered.pending().iter().enumerate().filter(|(_, batch)| !batch.is_empty());
    let block = |(stream, batch): (usize, &millrace_event::Batch)| {
        let mut key = Key::default();
        key.push_int(stream as i64);
        let mut bytes = Vec::new();
        batch.encode(&mut bytes);
        Block { table: PENDING_TABLE, key, bytes: Some(bytes) }
    };
    waiting.map(block).collect()
}

fn meta(engine: &Engine, at: &Frontier, head: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let positions = at.positions.iter();
    let meta = Meta {
        plan: engine.plan().hash.to_string(),
        positions: positions
            .map(|(_, path, position)| (path.display().to_string(), position.to_string()))
            .collect(),
        rows: at.rows,
        keys: keys(engine),
        engine: String::from_utf8(head).map_err(Failure::bug)?,
    };
    serde_json::to_vec(&meta).map_err(Failure::bug)
}

/// Keys of all groups.
pub fn keys(engine: &Engine) -> u64 {
    (0..engine.plan().groups.len()).map(|g| engine.group_size_estimate(g).keys as u64).sum()
}

/// Reads the newest checkpoint back into an engine; returns how many keys it has, or `None` where
/// no checkpoint was taken.
pub fn restore(
    folder: &Path,
    project: &Project,
    settings: Settings,
) -> Result<Option<u64>, Failure> {
    let disk = FileDisk::open(folder, Access::Owner)?;
    let (checkpoints, _) = Checkpoints::open(Arc::new(disk), CheckpointsConfig::default())?;
    let Some(manifest) = checkpoints.current() else { return Ok(None) };
    let meta: Meta = serde_json::from_slice(&manifest.meta).map_err(Failure::bug)?;
    let mut records = checkpoints.records();
    let blocks = std::iter::from_fn(|| match records.next_record() {
        Ok(Some(record)) => {
            let (bytes, at) = match record.change {
                Change::Put(value) => (Some(value.to_vec()), Some(record.at)),
                Change::Delete => (None, None),
            };
            let key = Key::from_bytes(record.key);
            Some(Ok::<_, StoreError>((Block { table: record.table.0, key, bytes }, at)))
        }
        Ok(None) => None,
        Err(error) => Some(Err(error)),
    });
    let (_, restored) = Engine::restore_within(
        Arc::clone(&project.plan),
        settings,
        meta.engine.as_bytes(),
        blocks,
        Box::new(checkpoints.reader()),
        usize::MAX,
    )?;
    if restored.keys != meta.keys {
        let (found, wanted) = (restored.keys, meta.keys);
        return Err(Failure::bug(format!(
            "a restored checkpoint has {found} keys, and the engine had {wanted} when it was taken"
        )));
    }
    Ok(Some(restored.keys))
}
