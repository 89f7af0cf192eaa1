//! The writer: takes records, hands them to the operating system many at a time, and only then lets
//! them be answered.
//!
//! ```text
//!  requests ─▶ queue ─▶ writer thread: append, write ─▶ answer
//!                          │  every second a sync, off this thread (see `housekeeper`)
//!                          └▶ closed segments ─▶ Parquet
//! ```
//!
//! A kill of the process loses no decision that was answered. A loss of power may take those of the
//! last second: waiting for the disk would make each decision as slow as the disk is.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millrace_store::{Disk, Log, LogConfig, LogName, Offset, StoreError, Torn};
use thiserror::Error;

use crate::error::LedgerError;
use crate::housekeeper;
use crate::record::Record;
use crate::run::Run;

/// Records that may wait to be written; beyond it callers are told to come back.
const QUEUE_MAX: usize = 4_096;
/// At most this many share one write.
const GROUP_MAX: usize = 256;
/// How often the writer looks after its segments when nothing comes.
const TICK: Duration = Duration::from_millis(250);

/// How decisions are kept.
#[derive(Clone, Debug)]
pub struct LedgerSettings {
    /// The data directory.
    pub dir: PathBuf,
    /// Bytes of the log that are kept, and as many of Parquet files; beyond it the oldest go.
    pub bytes_max: u64,
    /// A segment is closed when it is this large, or this long after the one before it.
    pub segment_bytes: u64,
    pub segment_time: Duration,
    /// How often what was written is made to survive a loss of power.
    pub sync_every: Duration,
}

impl LedgerSettings {
    pub fn new(dir: PathBuf) -> LedgerSettings {
        LedgerSettings {
            dir,
            bytes_max: 10 << 30,
            segment_bytes: 32 << 20,
            segment_time: Duration::from_secs(3_600),
            sync_every: Duration::from_secs(1),
        }
    }
}

/// Why a decision is not in the log, and must not be answered.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum NotLogged {
    #[error("too many decisions wait to be logged")]
    Busy,
    #[error(
        "this decision has {bytes} bytes with all it was made of, and a record of the log has at \
         most {max}; give the view fewer or shorter lists and strings"
    )]
    TooLarge { bytes: usize, max: usize },
    #[error("decisions cannot be logged: {0}")]
    Failed(String),
    #[error("the decision log is closed")]
    Closed,
}

/// Called once, on the writer's thread, when the record is written or is not: it must not block.
pub type Written = Box<dyn FnOnce(Result<(), NotLogged>) + Send>;

enum Message {
    Record { record: Vec<u8>, answer: Answer },
    Close,
}

/// Sees to it that whoever waits is told once: a record that is dropped unwritten, because the
/// writer ended before it or panicked, was not logged.
struct Answer(Option<Written>);

impl Answer {
    fn tell(mut self, result: Result<(), NotLogged>) {
        if let Some(written) = self.0.take() {
            written(result);
        }
    }

    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(written) = self.0.take() {
            written(Err(NotLogged::Closed));
        }
    }
}

/// A handle to the writer; cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    sender: SyncSender<Message>,
    progress: Arc<Progress>,
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
    run: u64,
}

/// What the threads see of each other.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Behind the last record that the operating system has, and the first of the last segment.
    pub written: AtomicU64,
    pub segment: AtomicU64,
    /// Behind the last record that survives a loss of power.
    pub synced: AtomicU64,
    /// Behind the last record that is in a Parquet file.
    pub exported: AtomicU64,
    pub bytes: AtomicU64,
    /// Why decisions cannot be written as Parquet at the moment.
    pub export_failure: Mutex<Option<String>>,
    /// Why nothing is logged any more.
    pub failed: OnceLock<String>,
    /// The writer has ended.
    pub closed: OnceLock<()>,
}

impl Progress {
    pub fn fail(&self, cause: &str) {
        if self.failed.set(cause.to_owned()).is_ok() {
            tracing::error!(cause, "decisions can no longer be logged");
        }
    }

    pub fn set_export_failure(&self, failure: Option<String>) {
        if let Ok(mut last) = self.export_failure.lock() {
            *last = failure;
        }
    }
}

impl Ledger {
    /// Opens the log, notes the start of a server, and begins to take decisions.
    ///
    /// # Errors
    /// When the log is damaged, or cannot be written.
    pub fn open(
        disk: Arc<dyn Disk>,
        settings: LedgerSettings,
        run: &Run,
    ) -> Result<Ledger, LedgerError> {
        let number = note_start(Arc::clone(&disk), run)?;
        let config = LogConfig { segment_bytes: settings.segment_bytes };
        let (log, opened) = Log::open(Arc::clone(&disk), &LogName::DECISIONS, config, Offset(0))?;
        if let Some(torn) = opened.torn.filter(Torn::is_worth_telling) {
            let bytes = torn.bytes;
            tracing::warn!(bytes, "an unfinished write of the decision log was cut off");
        }
        let progress = Arc::new(Progress::default());
        look_at(&log, &progress);
        let (sender, queue) = sync_channel(QUEUE_MAX);
        let mut threads = housekeeper::start(&disk, &settings, &progress)?;
        let writer =
            Writer { log, progress: Arc::clone(&progress), settings, begun: Instant::now() };
        threads.push(housekeeper::spawn("decisions", &progress, move || writer.run(&queue))?);
        let threads = Arc::new(Mutex::new(threads));
        Ok(Ledger { sender, progress, threads, run: number })
    }

    /// The number of this start, for its records.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Logs a decision. It may be answered when `written` is told so.
    ///
    /// # Errors
    /// [`NotLogged`]; `written` is then dropped uncalled.
    pub fn append(&self, record: &Record, written: Written) -> Result<(), NotLogged> {
        self.health()?;
        let record = record.encode();
        let (bytes, max) = (record.len(), Log::RECORD_BYTES_MAX);
        // It would be refused as well when it is written, and others of its group with it.
        if bytes > max {
            return Err(NotLogged::TooLarge { bytes, max });
        }
        let message = Message::Record { record, answer: Answer(Some(written)) };
        let (message, why) = match self.sender.try_send(message) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(message)) => (message, NotLogged::Busy),
            Err(TrySendError::Disconnected(message)) => (message, NotLogged::Closed),
        };
        if let Message::Record { answer, .. } = message {
            answer.forget();
        }
        Err(why)
    }

    /// Whether decisions are logged.
    ///
    /// # Errors
    /// [`NotLogged::Failed`] when they are not.
    pub fn health(&self) -> Result<(), NotLogged> {
        match self.progress.failed.get() {
            Some(cause) => Err(NotLogged::Failed(cause.clone())),
            None => Ok(()),
        }
    }

    /// Bytes of the log. More than it may have while [`Ledger::export_failure`] lasts: what is in no
    /// file yet is not removed.
    pub fn bytes(&self) -> u64 {
        self.progress.bytes.load(Ordering::Relaxed)
    }

    /// Why closed segments cannot be written as Parquet at the moment; it is tried again.
    pub fn export_failure(&self) -> Option<String> {
        self.progress.export_failure.lock().map_or(None, |failure| failure.clone())
    }
}

impl Ledger {
    /// Writes what waits, makes all of it durable, and ends the threads. Whoever comes later is told
    /// [`NotLogged::Closed`].
    pub fn close(&self) {
        // A writer that has ended already needs no word.
        let _ = self.sender.send(Message::Close);
        let threads = self.threads.lock().map(|mut t| std::mem::take(&mut *t)).unwrap_or_default();
        for thread in threads.into_iter().rev() {
            thread.thread().unpark();
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// Notes a start, and gives its number: also where nothing is decided, since what an engine began
/// with is part of what later ones hold.
///
/// # Errors
/// When the log of starts is damaged, or cannot be written.
pub fn note_start(disk: Arc<dyn Disk>, run: &Run) -> Result<u64, LedgerError> {
    let (mut runs, _) = Log::open(disk, &LogName::DECISION_RUNS, LogConfig::default(), Offset(0))?;
    let number = runs.append(&[&run.encode()])?.start.0;
    runs.close()?;
    Ok(number)
}

/// Says that the writer has ended, however it ends: the other threads wait for that.
struct Closing(Arc<Progress>);

impl Drop for Closing {
    fn drop(&mut self) {
        // A second time cannot be.
        let _ = self.0.closed.set(());
    }
}

/// The only one that appends.
struct Writer {
    log: Log,
    progress: Arc<Progress>,
    settings: LedgerSettings,
    /// When the last segment was begun.
    begun: Instant,
}

impl Writer {
    /// What is still in the queue at the end is told so when the queue is dropped.
    fn run(mut self, queue: &Receiver<Message>) {
        let _closing = Closing(Arc::clone(&self.progress));
        let mut is_open = true;
        while is_open {
            let mut group = Vec::new();
            match queue.recv_timeout(TICK) {
                Ok(first) => {
                    let more = queue.try_iter().take(GROUP_MAX - 1);
                    for message in std::iter::once(first).chain(more) {
                        match message {
                            Message::Record { record, answer } => group.push((record, answer)),
                            Message::Close => is_open = false,
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => is_open = false,
            }
            self.write(group);
            self.look_after_segments();
        }
        if let Err(error) = self.log.close() {
            tracing::error!(%error, "closing the decision log");
        }
    }

    fn write(&mut self, group: Vec<(Vec<u8>, Answer)>) {
        self.log.note_durable(Offset(self.progress.synced.load(Ordering::Acquire)));
        if group.is_empty() {
            return self.mark();
        }
        let logged = match self.progress.failed.get() {
            Some(_) => Ok(()),
            None => self.append(&group),
        };
        if let Err(error) = logged {
            self.progress.fail(&error.to_string());
        }
        look_at(&self.log, &self.progress);
        let failure = self.progress.failed.get();
        for (_, answer) in group {
            answer.tell(failure.map_or(Ok(()), |cause| Err(NotLogged::Failed(cause.clone()))));
        }
    }

    /// Behind the last decision for now, no record would say that it was durable.
    fn mark(&mut self) {
        if self.progress.failed.get().is_none()
            && let Err(error) = self.log.mark()
        {
            self.progress.fail(&error.to_string());
        }
    }

    fn append(&mut self, group: &[(Vec<u8>, Answer)]) -> Result<(), StoreError> {
        for (record, _) in group {
            self.log.append(&[record])?;
        }
        self.log.flush()
    }

    fn look_after_segments(&mut self) {
        if self.progress.failed.get().is_some() {
            return;
        }
        let segment = self.log.segments().last().copied();
        let kept = self.keep_segments();
        if let Err(error) = kept {
            self.progress.fail(&error.to_string());
        }
        if self.log.segments().last().copied() != segment {
            self.begun = Instant::now();
        }
        look_at(&self.log, &self.progress);
    }

    fn keep_segments(&mut self) -> Result<(), StoreError> {
        if self.begun.elapsed() >= self.settings.segment_time {
            self.log.begin_segment()?;
            self.begun = Instant::now();
        }
        let exported = Offset(self.progress.exported.load(Ordering::Relaxed));
        let before = self.log.first();
        let keep = self.log.within(self.settings.bytes_max).min(exported);
        if keep > before && self.log.remove_before(keep)? > 0 {
            let removed = self.log.first().0 - before.0;
            tracing::info!(removed, "the oldest decisions were removed from their log");
        }
        Ok(())
    }
}

fn look_at(log: &Log, progress: &Progress) {
    let segment = log.segments().last().copied().unwrap_or_default();
    progress.segment.store(segment.0, Ordering::Relaxed);
    progress.written.store(log.next().0, Ordering::Release);
    progress.bytes.store(log.bytes(), Ordering::Relaxed);
}
