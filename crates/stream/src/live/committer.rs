//! The committer: makes events durable, many at a time, and acknowledges them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::sync::{Arc, OnceLock};

use millrace_store::{Log, Offset, StoreError};

use super::{LiveError, LiveSettings, Receipt, Reply};

/// At most this many commits share one sync.
const GROUP_MAX: usize = 512;

/// The three logs, open to append.
#[derive(Debug)]
pub(super) struct Logs {
    pub(super) events: Log,
    pub(super) late: Log,
    pub(super) dead: Log,
}

pub(super) enum Commit {
    /// Records for the logs, and whom to tell when they are durable.
    Records {
        event: Option<Vec<u8>>,
        late: Option<Vec<u8>>,
        dead: Vec<Vec<u8>>,
        reply: Option<(Reply<Receipt>, Receipt)>,
    },
    /// Everything before is to be durable, late events included.
    Barrier(Sender<Result<(), String>>),
    /// Records below these offsets are no longer needed for recovery.
    Retain(Needed),
}

/// From where on recovery may need a log's records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needed {
    pub(super) events: Offset,
    pub(super) late: Offset,
    pub(super) dead: Offset,
}

/// What the engine thread sees of the two threads that write.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Bytes of all segments of the event log.
    pub(super) log_bytes: AtomicU64,
    /// The first records that the late log and the log of dead letters keep.
    pub(super) late_first: AtomicU64,
    pub(super) dead_first: AtomicU64,
    /// Commits that are not durable yet, and their bytes.
    pub(super) commits: AtomicUsize,
    pub(super) commit_bytes: AtomicUsize,
    /// Bytes of captured key states that are not written yet.
    pub(super) captured_bytes: AtomicUsize,
    /// Why nothing new is taken any more.
    pub(super) failed: OnceLock<String>,
}

impl Progress {
    /// From now on nothing is taken; the first cause stays.
    pub(super) fn fail(&self, cause: &str) {
        if self.failed.set(cause.to_owned()).is_ok() {
            tracing::error!(cause, "events can no longer be made durable");
        }
    }

    pub(super) fn count(&self, commit: &Commit) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.commit_bytes.fetch_add(commit.bytes(), Ordering::Relaxed);
    }

    fn look_at(&self, logs: &Logs) {
        self.log_bytes.store(logs.events.bytes(), Ordering::Relaxed);
        self.late_first.store(logs.late.first().0, Ordering::Relaxed);
        self.dead_first.store(logs.dead.first().0, Ordering::Relaxed);
    }

    fn settle(&self, commit: Commit) {
        self.commits.fetch_sub(1, Ordering::Relaxed);
        self.commit_bytes.fetch_sub(commit.bytes(), Ordering::Relaxed);
        acknowledge(commit, self.failed.get().map(String::as_str));
    }
}

impl Commit {
    fn bytes(&self) -> usize {
        match self {
            Commit::Records { event, late, dead, .. } => {
                let some = |record: &Option<Vec<u8>>| record.as_ref().map_or(0, Vec::len);
                some(event) + some(late) + dead.iter().map(Vec::len).sum::<usize>()
            }
            Commit::Barrier(_) | Commit::Retain(_) => 0,
        }
    }
}

pub(super) fn run(
    mut logs: Logs,
    commits: &Receiver<Commit>,
    progress: &Arc<Progress>,
    settings: &LiveSettings,
) {
    let mut group = Vec::new();
    let mut has_failed = false;
    progress.look_at(&logs);
    loop {
        let first = match commits.try_recv() {
            Ok(commit) => commit,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                if !has_failed && let Err(error) = mark(&mut logs) {
                    has_failed = true;
                    progress.fail(&error.to_string());
                }
                let Ok(commit) = commits.recv() else { break };
                commit
            }
        };
        group.push(first);
        group.extend(commits.try_iter().take(GROUP_MAX - 1));
        // After a failure of one log the others would go on behind a gap.
        if !has_failed && let Err(error) = write(&mut logs, &group, settings) {
            has_failed = true;
            progress.fail(&error.to_string());
        }
        progress.look_at(&logs);
        group.drain(..).for_each(|commit| progress.settle(commit));
    }
    let Logs { events, late, dead } = logs;
    for log in [events, late, dead] {
        if let Err(error) = log.close() {
            tracing::error!(%error, "closing a log");
        }
    }
}

/// Behind the last commit for now, no record would say that it was durable.
fn mark(logs: &mut Logs) -> Result<(), StoreError> {
    let Logs { events, late, dead } = logs;
    [events, late, dead].into_iter().try_for_each(Log::mark)
}

/// Answers commits after the committer has failed, until no more can come.
pub(super) fn refuse(commits: &Receiver<Commit>, progress: &Arc<Progress>) {
    commits.iter().for_each(|commit| progress.settle(commit));
}

fn write(logs: &mut Logs, group: &[Commit], settings: &LiveSettings) -> Result<(), StoreError> {
    write_letters(logs, group)?;
    let mut sync_late = false;
    for commit in group {
        match commit {
            Commit::Records { event, late, .. } => {
                if let Some(event) = event {
                    logs.events.append(&[event])?;
                }
                if let Some(late) = late {
                    logs.late.append(&[late])?;
                }
            }
            Commit::Barrier(_) => sync_late = true,
            Commit::Retain(needed) => {
                let from = logs.events.newest(settings.log_retain_bytes).min(needed.events);
                logs.events.remove_before(from)?;
                trim(&mut logs.late, "late", settings.late_max_bytes, needed.late)?;
                trim(&mut logs.dead, "dead-letters", settings.dead_letters_max_bytes, needed.dead)?;
            }
        }
    }
    logs.events.sync()?;
    if sync_late {
        // Late events are derived from the event log until a checkpoint refers to them.
        logs.late.sync()?;
    }
    Ok(())
}

/// Removes the oldest segments of a log that is over its limit.
fn trim(log: &mut Log, name: &str, bytes_max: u64, needed: Offset) -> Result<(), StoreError> {
    let before = log.first();
    if log.remove_before(log.within(bytes_max).min(needed))? > 0 {
        let (removed, first) = (log.first().0 - before.0, log.first().0);
        tracing::warn!(log = name, removed, first, bytes_max, "the oldest entries were removed");
    }
    Ok(())
}

/// An event record says how far its source was read, so the letters of that stretch are durable
/// before the record is so much as written. What an end in between leaves over is cut off at the
/// next start.
fn write_letters(logs: &mut Logs, group: &[Commit]) -> Result<(), StoreError> {
    let mut any = false;
    for commit in group {
        let Commit::Records { dead, .. } = commit else { continue };
        for letter in dead {
            logs.dead.append(&[letter])?;
            any = true;
        }
    }
    if any {
        logs.dead.sync()?;
    }
    Ok(())
}

pub(super) fn acknowledge(commit: Commit, failure: Option<&str>) {
    match commit {
        Commit::Records { reply: Some((reply, receipt)), .. } => reply(match failure {
            None => Ok(receipt),
            Some(cause) => Err(LiveError::Durability(cause.to_owned())),
        }),
        Commit::Records { reply: None, .. } | Commit::Retain(_) => {}
        Commit::Barrier(done) => {
            // A checkpoint that was given up does not wait any more.
            let _ = done.send(failure.map_or(Ok(()), |cause| Err(cause.to_owned())));
        }
    }
}
