//! How the engine thread takes checkpoints: in small steps between messages.
//!
//! ```text
//!  Idle ─▶ Preparing ─▶ Cleaning ─▶ (the moment) ─▶ Capturing ─▶ Publishing ─▶ Locating ─▶ Idle
//!          what is old   moved out                  handed out   made durable   where it lies now
//! ```
//!
//! No step looks at more than a few hundred keys, so that a read waits for one step at most.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{TryRecvError, channel};
use std::time::{Duration, Instant};

use millrace_event::Key;
use millrace_store::Location;

use super::checkpointer::{Cleaning, Done, Report, Task, needed_from};
use super::committer::Commit;
use super::owner::Owner;
use super::recovery::Meta;
use super::{LiveError, Reply};
use crate::blocks::{Block, Blocks};
use crate::checkpoint::Moving;
use crate::engine::Engine;

/// Key states captured per step, per group and shard.
const CAPTURE_KEYS: usize = 16;
/// Keys looked at per step while old segments are cleaned; of these, spilled ones are read.
const CLEAN_KEYS: usize = 64;
/// Keys per step whose new place is noted.
const LOCATE_KEYS: usize = 256;
/// While more captured bytes wait to be written, nothing more is captured, and deliveries wait.
const CAPTURED_BYTES_MAX: usize = 64 << 20;
/// After a failure the next checkpoint waits this many times longer than usual.
const FAILED_WAIT: u32 = 4;

/// Where the checkpoint under way stands.
pub(super) enum Phase {
    Idle,
    /// The checkpointer looks for old segments to clean.
    Preparing,
    /// Key states that lie in old segments are marked, to be written again.
    Cleaning {
        cleaning: Cleaning,
        at: Moving,
    },
    /// Changed key states are being captured.
    Capturing,
    /// Written; being made durable.
    Publishing,
    /// Durable; where the key states lie now is being noted.
    Locating {
        locations: std::vec::IntoIter<(u16, Key, Location)>,
    },
}

/// What old segments say that is still true, to be said again by a checkpoint that has begun: only
/// then, so that a key that came back since is not removed.
pub(super) fn carried(engine: &Engine, gone: Vec<(u16, Key)>, ids: Vec<Block>) -> Blocks {
    let gone = gone.into_iter().filter(|(table, key)| !engine.has_key(*table, key));
    let gone = gone.map(|(table, key)| Block { table, key, bytes: None });
    gone.chain(ids.into_iter().filter_map(|block| engine.still_remembered(block))).collect()
}

impl Owner {
    /// Whether the checkpointer is too far behind to be given more.
    pub(super) fn captures_wait(&self) -> bool {
        self.progress.captured_bytes.load(Ordering::Relaxed) >= CAPTURED_BYTES_MAX
    }

    pub(super) fn look_after_checkpoint(&mut self) {
        loop {
            match self.reports.try_recv() {
                Ok(Report::Prepared(cleaning)) => {
                    self.phase = Phase::Cleaning { cleaning, at: Moving::default() };
                }
                Ok(Report::Written(blocks)) => self.spares.keep(blocks),
                Ok(Report::Published(done)) => self.published(done),
                Ok(Report::Failed(cause)) => self.checkpoint_failed(&cause),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    if !matches!(self.phase, Phase::Idle) {
                        self.checkpoint_failed("the checkpointer has stopped");
                    }
                    break;
                }
            }
        }
        match &mut self.phase {
            Phase::Idle => self.begin_when_due(),
            Phase::Cleaning { .. } => self.clean(),
            Phase::Capturing => {
                if !self.captures_wait() {
                    self.capture();
                }
            }
            Phase::Locating { locations } => {
                for (table, key, location) in locations.by_ref().take(LOCATE_KEYS) {
                    self.engine.locate(table, &key, location);
                }
                if locations.len() == 0 {
                    self.phase = Phase::Idle;
                }
            }
            Phase::Preparing | Phase::Publishing => {}
        }
    }

    fn begin_when_due(&mut self) {
        if let Some(cause) = self.progress.failed.get() {
            // What the engine holds is ahead of the log for good.
            for reply in self.waiting_next.drain(..) {
                reply(Err(LiveError::Durability(cause.clone())));
            }
            return;
        }
        let changed = self.checkpointed != Some(self.counters.next);
        let wait = self.settings.checkpoint_every * if self.failing { FAILED_WAIT } else { 1 };
        if (changed && self.begun.elapsed() >= wait) || !self.waiting_next.is_empty() {
            self.begun = Instant::now();
            self.waiting.append(&mut self.waiting_next);
            self.phase = Phase::Preparing;
            let released = self.engine.take_released();
            self.task(Task::Prepare(released));
        }
    }

    fn task(&self, task: Task) {
        if let Task::Portion(blocks) = &task {
            self.progress.captured_bytes.fetch_add(blocks.bytes(), Ordering::Relaxed);
        }
        // When the checkpointer is gone, so is the other end of the reports, and that is noticed.
        let _ = self.tasks.send(task);
    }

    fn clean(&mut self) {
        let Phase::Cleaning { cleaning, at } = &mut self.phase else { return };
        if !cleaning.victims.is_empty() {
            match self.engine.move_out_of(&cleaning.victims, *at, CLEAN_KEYS) {
                Ok(Some(next)) => {
                    *at = next;
                    return;
                }
                Ok(None) => {}
                Err(error) => return self.checkpoint_failed(&error.to_string()),
            }
        }
        let cleaning = std::mem::take(cleaning);
        self.begin_checkpoint(cleaning);
    }

    /// The moment of the checkpoint.
    fn begin_checkpoint(&mut self, cleaning: Cleaning) {
        let (done, durable) = channel();
        self.commit(Commit::Barrier(done));
        let head = self.engine.begin_checkpoint();
        let meta = Meta::of(&self.counters, self.engine.plan(), head);
        self.checkpointed = Some(self.counters.next);
        self.task(Task::Begin { meta, durable, retired: cleaning.victims });
        let blocks = carried(&self.engine, cleaning.gone, cleaning.ids);
        self.task(Task::Portion(blocks));
        self.phase = Phase::Capturing;
    }

    fn capture(&mut self) {
        let mut blocks = self.spares.take();
        let more = self.engine.continue_checkpoint(CAPTURE_KEYS, &mut blocks);
        self.task(Task::Portion(blocks));
        if !more {
            self.task(Task::End);
            self.phase = Phase::Publishing;
        }
    }

    fn published(&mut self, done: Done) {
        let needed = needed_from(&done.metas, self.counters.replayed_to);
        self.commit(Commit::Retain(needed));
        self.epoch = done.epoch;
        self.checkpoint_bytes = done.bytes;
        self.published = Instant::now();
        self.failing = false;
        self.phase = Phase::Locating { locations: done.locations.into_iter() };
        self.waiting.drain(..).for_each(|reply| reply(Ok(())));
    }

    fn checkpoint_failed(&mut self, cause: &str) {
        tracing::error!(cause, "a checkpoint was given up; the log keeps what it would have held");
        self.engine.forget_checkpoint();
        self.checkpointed = None;
        self.failing = true;
        self.phase = Phase::Idle;
        for reply in self.waiting.drain(..) {
            reply(Err(LiveError::Durability(format!("the checkpoint failed: {cause}"))));
        }
    }

    /// Takes a last checkpoint, unless the newest one has everything.
    pub(super) fn close(&mut self, reply: Reply<()>) {
        let (done, wait) = channel();
        self.waiting_next.push(Box::new(move |result| drop(done.send(result))));
        let result = loop {
            self.look_after_checkpoint();
            match wait.try_recv() {
                Ok(result) => break result,
                Err(TryRecvError::Disconnected) => break Err(LiveError::Stopped),
                Err(TryRecvError::Empty) => match self.phase {
                    Phase::Preparing | Phase::Publishing => {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Phase::Capturing if self.captures_wait() => {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Phase::Idle
                    | Phase::Cleaning { .. }
                    | Phase::Capturing
                    | Phase::Locating { .. } => {}
                },
            }
        };
        reply(result);
    }
}
