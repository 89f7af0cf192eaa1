//! The engine as a service of one process: threads and durable files around the step function.
//!
//! ```text
//!  callers ─▶ inbox ─▶ engine thread ─▶ commit queue ─▶ committer thread ─▶ logs ─▶ acknowledge
//!                        │   ▲  └ changed key states ─▶ checkpointer thread ─▶ segments, manifest
//!                        └───┴───── what was published, what to clean ◀───────┘
//! ```
//!
//! One thread owns the engine, so reads and events never wait for a lock, and what it does is a
//! function of the messages it got. An event can be read once it is applied; its sender hears of
//! it once it is also on the disk. After a kill the newest checkpoint is loaded and the event log
//! replayed from the checkpoint's frontier through the same steps.

mod again;
mod backfill;
pub mod checkpointer;
mod clock;
mod committer;
mod cycle;
mod inbox;
mod letters;
mod logged;
mod owner;
mod past;
mod record;
mod recovery;
mod spill;
mod threads;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use millrace_event::{Batch, EventTime, Key, Rules, Span, Value};
use millrace_feature::plan::Plan;
use millrace_store::{Access, Disk, FileDisk, StoreError};
use thiserror::Error;

use crate::engine::{Answer, Counts, EngineError};
use crate::settings::Settings;
pub use clock::now;
use committer::Progress;
use inbox::{Inbox, Refused};
pub use letters::rules_of;
pub use logged::{Logged, Survey, TakeEvents};
use owner::Message;
pub use past::{Past, PastError};
pub use record::{DeadEvent, PIECE_BYTES, PIECE_ROWS, Piece, RecordError, pieces};
use threads::Started;

/// How a live engine is run.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    pub engine: Settings,
    /// The data directory.
    pub dir: PathBuf,
    /// A checkpoint begins this long after the one before it began, if anything changed.
    pub checkpoint_every: Duration,
    /// Key states beyond this many bytes are spilled to disk, the ones not used lately first.
    pub memory_max_bytes: usize,
    /// Deliveries that may wait for the engine, and as many reads; beyond it, or beyond 256 MiB of
    /// waiting events, callers are told to come back.
    pub inbox_max: usize,
    /// Event log kept beyond what recovery needs.
    pub log_retain_bytes: u64,
    /// Bytes of late events, and of dead letters, that are kept: beyond it the oldest are removed.
    pub late_max_bytes: u64,
    pub dead_letters_max_bytes: u64,
    /// Whether groups that began later than the event log are computed from it at the start.
    pub backfill: bool,
}

impl Default for LiveSettings {
    fn default() -> LiveSettings {
        LiveSettings {
            engine: Settings::default(),
            dir: PathBuf::from("data"),
            checkpoint_every: Duration::from_secs(1),
            memory_max_bytes: 4 << 30,
            inbox_max: 1_024,
            log_retain_bytes: 10 << 30,
            late_max_bytes: 1 << 30,
            dead_letters_max_bytes: 1 << 30,
            backfill: false,
        }
    }
}

/// Why a live engine could not do what it was asked.
#[derive(Debug, Error)]
pub enum LiveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the event log holds a record that cannot be read: {0}")]
    Record(#[from] RecordError),
    /// Writing failed before; what was acknowledged is safe, nothing new is taken.
    #[error("events cannot be made durable: {0}; free the disk or mend it, and start again")]
    Durability(String),
    #[error("nothing was backfilled: {0}")]
    Backfill(String),
    #[error("the engine has stopped")]
    Stopped,
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
}

/// When a caller is told to come back.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Too many messages wait for the engine.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("the engine is busy; try again in {} ms", retry_after.as_millis())]
pub struct Busy {
    pub retry_after: Duration,
}

/// Called once with the answer, on a thread of the engine: it must not block.
pub type Reply<T> = Box<dyn FnOnce(Result<T, LiveError>) + Send>;

/// Called when a delivery can be read, on a thread of the engine: it must not block. It is dropped
/// uncalled when nothing of the delivery is taken.
pub type Applied = Box<dyn FnOnce() + Send>;

/// A delivery that was not taken, because too much waits; see [`Live::ingest_again`].
#[derive(Error)]
#[error("{busy}")]
pub struct NotTaken {
    pub busy: Busy,
    message: Message,
}

impl std::fmt::Debug for NotTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NotTaken").field("busy", &self.busy).finish_non_exhaustive()
    }
}

/// Events that a source hands over.
#[derive(Debug)]
pub struct Delivery {
    pub stream: usize,
    /// The origin partition's name.
    pub partition: String,
    pub batch: Batch,
    /// Records of the same delivery that could not be decoded.
    pub dead: Vec<DeadEvent>,
    /// The receiving clock.
    pub received: EventTime,
    /// The source's own position behind this delivery; given back after a recovery.
    pub position: Option<Vec<u8>>,
}

/// What became of a delivery: every event is in exactly one of the first four.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receipt {
    pub applied: u64,
    pub duplicate: u64,
    pub late: u64,
    /// Not decoded, or too far in the future.
    pub dead: u64,
    /// Of `dead`, those too far in the future.
    pub future: u64,
    /// Records of the event log that are applied.
    pub frontier: u64,
    /// The first ten of the late events.
    pub late_events: Vec<LateEvent>,
}

/// An event that came too late.
#[derive(Clone, Debug, PartialEq)]
pub struct LateEvent {
    pub id: Value,
    pub at: EventTime,
    /// Behind its delivery, events of its partition below this are late.
    pub late_before: EventTime,
}

/// Late events that a receipt tells one by one.
pub const LATE_EVENTS_TOLD: usize = 10;

#[derive(Clone, Debug)]
pub struct ReadRequest {
    pub group: usize,
    pub key: Key,
    pub at: EventTime,
}

#[derive(Clone, Debug)]
pub struct ReadReply {
    /// Per request, one answer per feature of the group.
    pub answers: Vec<Vec<Answer>>,
    /// Per request, the age of the group's stream.
    pub ages: Vec<Span>,
    pub frontier: u64,
}

#[derive(Clone, Debug)]
pub struct ViewReply {
    /// Per event, one answer per column of the view.
    pub rows: Vec<Vec<Answer>>,
    /// The greatest of `group_ages`.
    pub age: Span,
    /// Per group that the view reads, the age of its stream.
    pub group_ages: Vec<Span>,
    pub frontier: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    pub events: u64,
    /// Entries of the late log, each with the late events of one delivery, that had been removed
    /// before they could be replayed.
    pub removed: u64,
}

#[derive(Clone, Debug)]
pub struct Status {
    pub streams: Vec<StreamStatus>,
    pub groups: Vec<GroupStatus>,
    pub frontier: u64,
    /// 0 before the first checkpoint.
    pub checkpoint_epoch: u64,
    pub checkpoint_age: Duration,
    /// Bytes of all segments of the newest checkpoint.
    pub checkpoint_bytes: u64,
    /// Bytes of all segments of the event log.
    pub log_bytes: u64,
    /// Entries of the late log that were removed because of its limit.
    pub late_removed: u64,
    /// Dead letters that were removed because of the limit of their log.
    pub letters_removed: u64,
    /// Why nothing is made durable any more, if so.
    pub failure: Option<String>,
}

#[derive(Clone, Debug)]
pub struct StreamStatus {
    pub name: String,
    pub counts: Counts,
    /// Dead letters, those of the future included.
    pub dead: u64,
    pub watermark: EventTime,
    pub age: Span,
    pub partitions: usize,
    pub remembered: usize,
}

#[derive(Clone, Debug)]
pub struct GroupStatus {
    pub name: String,
    pub keys: usize,
    pub state_bytes: usize,
    pub spilled_keys: usize,
}

/// What a start found.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// The checkpoint it started from; 0 without one.
    pub epoch: u64,
    /// Records of the event log applied on top.
    pub replayed_records: u64,
    /// Records of the event log applied in all: what is appended next gets this offset.
    pub frontier: u64,
    /// Groups whose definition is new or changed, so that they know nothing of what came before.
    pub started_empty: Vec<String>,
    pub keys: u64,
    pub took: Duration,
    /// What the operator should know: a torn tail, a fall-back, groups that start empty.
    pub notes: Vec<String>,
    /// Groups that were computed from the log, and the records that this took.
    pub backfilled: Vec<String>,
    pub backfilled_records: u64,
    /// The last position of each source, by stream name and partition.
    pub positions: BTreeMap<(String, String), Vec<u8>>,
    /// The names of the origin partitions of all streams.
    pub partitions: BTreeSet<String>,
}

/// A handle to the engine thread; cheap to clone.
#[derive(Clone, Debug)]
pub struct Live {
    plan: Arc<Plan>,
    handle: Arc<Handle>,
    threads: Arc<std::sync::Mutex<Vec<JoinHandle<()>>>>,
    progress: Arc<Progress>,
    rules: Arc<[Arc<Rules>]>,
}

/// When the last one goes away, the threads end.
#[derive(Debug)]
struct Handle(Arc<Inbox>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Live {
    /// Opens the data directory, recovers what it holds and starts the threads.
    ///
    /// # Errors
    /// When the directory is in use or damaged, or a definition does not fit its contents.
    pub fn open(plan: Arc<Plan>, settings: LiveSettings) -> Result<(Live, Recovery), LiveError> {
        let disk = FileDisk::open(Path::new(&settings.dir), Access::Owner)?;
        Live::open_on(Arc::new(disk), plan, settings)
    }

    /// As [`Live::open`], on any disk.
    ///
    /// # Errors
    /// As [`Live::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        plan: Arc<Plan>,
        settings: LiveSettings,
    ) -> Result<(Live, Recovery), LiveError> {
        let inbox = Arc::new(Inbox::new(settings.inbox_max));
        let recovered = recovery::recover(disk, Arc::clone(&plan), &settings)?;
        let handle = Arc::new(Handle(Arc::clone(&inbox)));
        let rules: Arc<[_]> = letters::rules_of(&plan, settings.engine.future_max).into();
        let started = threads::start(recovered, inbox, settings, Arc::clone(&rules))?;
        let Started { threads, progress, recovery } = started;
        let threads = Arc::new(std::sync::Mutex::new(threads));
        Ok((Live { plan, handle, threads, progress, rules }, recovery))
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// What the events of this stream must keep to be taken. A source judges by them while it has
    /// the bytes of a record, at the receiving clock that it gives with the delivery.
    pub fn rules(&self, stream: usize) -> &Arc<Rules> {
        &self.rules[stream]
    }

    /// Hands events over: `applied` is called when they can be read, `durable` when they are on the
    /// disk, too, or were refused.
    ///
    /// # Errors
    /// [`NotTaken`] has what was given, and nothing of it was taken.
    pub fn ingest(
        &self,
        delivery: Delivery,
        applied: Applied,
        durable: Reply<Receipt>,
    ) -> Result<(), NotTaken> {
        self.offer(Message::Ingest { delivery: Box::new(delivery), applied, durable })
    }

    /// Hands over what was not taken before.
    ///
    /// # Errors
    /// As [`Live::ingest`].
    pub fn ingest_again(&self, not_taken: NotTaken) -> Result<(), NotTaken> {
        self.offer(not_taken.message)
    }

    /// As [`Live::ingest`], but waits while the engine is busy: for sources that can wait.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub fn ingest_waiting(
        &self,
        delivery: Delivery,
        durable: Reply<Receipt>,
    ) -> Result<(), LiveError> {
        let (delivery, applied) = (Box::new(delivery), Box::new(|| {}));
        let message = Message::Ingest { delivery, applied, durable };
        self.handle.0.put(message).map_err(|_| LiveError::Stopped)
    }

    /// While few deliveries wait, a read sees what was handed over before it; of a backlog it sees
    /// what is applied.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn read(&self, requests: Vec<ReadRequest>, reply: Reply<ReadReply>) -> Result<(), Busy> {
        self.send(Message::Read(requests, reply))
    }

    /// Evaluates a view for events of its stream, which need not have been handed over; `now` is
    /// the receiving clock, for ages.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn view(
        &self,
        view: usize,
        events: Batch,
        now: EventTime,
        reply: Reply<ViewReply>,
    ) -> Result<(), Busy> {
        self.send(Message::View { view, events: Box::new(events), now, reply })
    }

    /// # Errors
    /// [`Busy`].
    pub fn status(&self, reply: Reply<Status>) -> Result<(), Busy> {
        self.send(Message::Status(reply))
    }

    /// A source says that it will call [`Live::confirm`]: until then what is read is as old as the
    /// stream's watermark.
    pub fn expect_confirmation(&self, stream: usize) {
        // Of an engine that has just started nobody has asked more than there is room for.
        let _ = self.handle.0.offer(Message::Expect(stream));
    }

    /// A source says that it has handed over all there is at this moment.
    pub fn confirm(&self, stream: usize) {
        // When the engine is busy, the next confirmation will do.
        let _ = self.handle.0.offer(Message::Confirm(stream));
    }

    /// Whether events are taken, as it is known without asking the engine thread.
    ///
    /// # Errors
    /// [`LiveError::Durability`] and [`LiveError::Stopped`], when they are not.
    pub fn health(&self) -> Result<(), LiveError> {
        if let Some(cause) = self.progress.failed.get() {
            return Err(LiveError::Durability(cause.clone()));
        }
        if self.handle.0.is_closed() { Err(LiveError::Stopped) } else { Ok(()) }
    }

    /// Replies when a checkpoint that holds everything applied so far is durable.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn checkpoint(&self, reply: Reply<()>) -> Result<(), Busy> {
        self.send(Message::Checkpoint(reply))
    }

    /// Applies the late log, from where the last replay ended; it is logged that this was `now`.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn replay_late(&self, now: EventTime, reply: Reply<Replayed>) -> Result<(), Busy> {
        self.send(Message::ReplayLate { now, reply })
    }

    /// Makes everything that was applied durable, takes a last checkpoint and ends the threads.
    /// Deliveries that still wait and everybody who comes later get [`LiveError::Stopped`], whatever
    /// they wait for: their senders hand them over again after the next start.
    ///
    /// # Errors
    /// When the last checkpoint failed; everything acknowledged is in the log all the same.
    pub fn close(&self) -> Result<(), LiveError> {
        let (done, wait) = sync_channel(1);
        let reply: Reply<()> = Box::new(move |result| drop(done.send(result)));
        if self.handle.0.put(Message::Close(reply)).is_err() {
            return Ok(());
        }
        let result = wait.recv().unwrap_or(Err(LiveError::Stopped));
        let threads = self.threads.lock().map(|mut t| std::mem::take(&mut *t)).unwrap_or_default();
        for thread in threads {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
        result
    }

    fn send(&self, message: Message) -> Result<(), Busy> {
        self.offer(message).map_err(|not_taken| not_taken.busy)
    }

    fn offer(&self, message: Message) -> Result<(), NotTaken> {
        match self.handle.0.offer(message) {
            Ok(()) => Ok(()),
            Err(Refused::Full(message)) => {
                Err(NotTaken { busy: Busy { retry_after: RETRY_AFTER }, message })
            }
            Err(Refused::Closed(message)) => {
                message.fail();
                Ok(())
            }
        }
    }
}
