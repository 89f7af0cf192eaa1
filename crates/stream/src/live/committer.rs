//! The committer: makes events durable, many at a time, and acknowledges them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};

use millrace_store::{Log, Offset, StoreError};

use super::{LiveError, Receipt, Reply};

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
    /// Event records below this offset are no longer needed for recovery.
    Retain { needed_from: Offset, keep_bytes: u64 },
}

/// What others may see of the committer.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Bytes of all segments of the event log.
    pub(super) log_bytes: AtomicU64,
    pub(super) failed: std::sync::OnceLock<String>,
}

pub(super) fn run(mut logs: Logs, commits: &Receiver<Commit>, progress: &Arc<Progress>) {
    let mut group = Vec::new();
    progress.log_bytes.store(logs.events.bytes(), Ordering::Relaxed);
    while let Ok(first) = commits.recv() {
        group.push(first);
        group.extend(commits.try_iter().take(GROUP_MAX - 1));
        let result = write(&mut logs, &group);
        if let Err(error) = &result
            && progress.failed.set(error.to_string()).is_ok()
        {
            tracing::error!(%error, "events can no longer be made durable");
        }
        let failure = progress.failed.get().cloned();
        progress.log_bytes.store(logs.events.bytes(), Ordering::Relaxed);
        for commit in group.drain(..) {
            acknowledge(commit, failure.as_deref());
        }
    }
    let Logs { events, late, dead } = logs;
    for log in [events, late, dead] {
        if let Err(error) = log.close() {
            tracing::error!(%error, "closing a log");
        }
    }
}

fn write(logs: &mut Logs, group: &[Commit]) -> Result<(), StoreError> {
    let mut sync_dead = false;
    let mut sync_late = false;
    for commit in group {
        match commit {
            Commit::Records { event, late, dead, .. } => {
                if let Some(event) = event {
                    logs.events.append(&[event])?;
                }
                if let Some(late) = late {
                    logs.late.append(&[late])?;
                }
                for letter in dead {
                    logs.dead.append(&[letter])?;
                    sync_dead = true;
                }
            }
            Commit::Barrier(_) => sync_late = true,
            Commit::Retain { needed_from, keep_bytes } => {
                let from = logs.events.newest(*keep_bytes).min(*needed_from);
                logs.events.remove_before(from)?;
            }
        }
    }
    logs.events.sync()?;
    if sync_dead {
        logs.dead.sync()?;
    }
    if sync_late {
        // Late events are derived from the event log until a checkpoint refers to them.
        logs.late.sync()?;
    }
    Ok(())
}

fn acknowledge(commit: Commit, failure: Option<&str>) {
    match commit {
        Commit::Records { reply: Some((reply, receipt)), .. } => reply(match failure {
            None => Ok(receipt),
            Some(cause) => Err(LiveError::Durability(cause.to_owned())),
        }),
        Commit::Records { reply: None, .. } | Commit::Retain { .. } => {}
        Commit::Barrier(done) => {
            // A checkpoint that was given up does not wait any more.
            let _ = done.send(failure.map_or(Ok(()), |cause| Err(cause.to_owned())));
        }
    }
}
