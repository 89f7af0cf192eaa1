//! The two threads beside the writer: one makes what was written durable, the other keeps Parquet
//! files of closed segments. Neither is ever waited for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use millrace_store::{Disk, LogName, Name, Offset, StoreError};

use crate::error::LedgerError;
use crate::export::Exporter;
use crate::writer::{LedgerSettings, Progress};

/// How often the exporter looks whether a segment was closed.
const EXPORT_EVERY: Duration = Duration::from_secs(1);
/// After a failure it looks that much less often.
const FAILED_WAIT: u32 = 30;

pub(crate) fn start(
    disk: &Arc<dyn Disk>,
    settings: &LedgerSettings,
    progress: &Arc<Progress>,
) -> Result<Vec<JoinHandle<()>>, LedgerError> {
    let mut exporter = Exporter::open(Arc::clone(disk), settings)?;
    progress.exported.store(exporter.exported(), Ordering::Relaxed);
    let (syncs, exports) = (Arc::clone(progress), Arc::clone(progress));
    let (disk, every) = (Arc::clone(disk), settings.sync_every);
    let bytes_max = settings.bytes_max;
    Ok(vec![
        spawn("decision-sync", progress, move || {
            while is_open(&syncs, every) {
                if let Err(error) = sync(&disk, &syncs) {
                    // What it was about may be lost already: nothing may be promised any more.
                    syncs.fail(&error.to_string());
                    return;
                }
            }
        })?,
        spawn("decision-export", progress, move || {
            let mut wait = EXPORT_EVERY;
            while is_open(&exports, wait) {
                wait = EXPORT_EVERY;
                let exported = exporter.export(exports.segment.load(Ordering::Relaxed));
                if let Err(error) = &exported {
                    warn_of(error, &exports, bytes_max);
                    wait = EXPORT_EVERY * FAILED_WAIT;
                }
                exports.set_export_failure(exported.err().map(|error| error.to_string()));
                exports.exported.store(exporter.exported(), Ordering::Relaxed);
            }
        })?,
    ])
}

/// What is in no file yet is never removed, so that the log grows beyond its limit meanwhile.
fn warn_of(error: &LedgerError, progress: &Progress, bytes_max: u64) {
    let bytes = progress.bytes.load(Ordering::Relaxed);
    if bytes > bytes_max {
        tracing::error!(
            %error,
            bytes,
            bytes_max,
            "decisions could not be written as Parquet, and their log is longer than \
             storage.decisions_max, for none is removed before it is in a file; mend the cause: it is \
             tried again in half a minute"
        );
    } else {
        tracing::error!(
            %error,
            "decisions could not be written as Parquet; mend the cause, or their log grows beyond \
             storage.decisions_max: it is tried again in half a minute"
        );
    }
}

/// Sleeps; whether there is more to do.
fn is_open(progress: &Progress, wait: Duration) -> bool {
    if progress.closed.get().is_none() {
        std::thread::park_timeout(wait);
    }
    progress.closed.get().is_none()
}

/// By a handle of its own, so that the writer goes on. A segment that is not the last any more was
/// synced when the next one was begun.
fn sync(disk: &Arc<dyn Disk>, progress: &Progress) -> Result<(), StoreError> {
    // In this order: what is written lies in this segment, or in one that was closed since.
    let written = progress.written.load(Ordering::Acquire);
    let segment = Offset(progress.segment.load(Ordering::Relaxed));
    if progress.synced.load(Ordering::Relaxed) >= written {
        return Ok(());
    }
    disk.append(&Name::log_segment(&LogName::DECISIONS, segment))?.sync()?;
    progress.synced.store(written, Ordering::Release);
    Ok(())
}

/// A panic is a bug, after which nothing is logged any more.
pub(crate) fn spawn(
    name: &str,
    progress: &Arc<Progress>,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, LedgerError> {
    let (progress, thread) = (Arc::clone(progress), name.to_owned());
    let guarded = move || {
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            progress.fail(&format!("the thread {thread} panicked, which is a bug"));
        }
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(guarded).map_err(LedgerError::Thread)
}
