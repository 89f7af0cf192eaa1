//! Starting the three threads, and seeing to it that the end of one is noticed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Instant;

use millrace_event::Rules;

use super::checkpointer::{self, Spares};
use super::committer::{self, Progress};
use super::cycle::Phase;
use super::inbox::Inbox;
use super::owner::{Confirmed, Owner};
use super::recovery::Recovered;
use super::{LiveError, LiveSettings, Recovery};

/// What runs now.
pub(super) struct Started {
    pub(super) threads: Vec<JoinHandle<()>>,
    pub(super) progress: Arc<Progress>,
    pub(super) recovery: Recovery,
}

pub(super) fn start(
    recovered: Recovered,
    inbox: Arc<Inbox>,
    settings: LiveSettings,
    rules: Arc<[Arc<Rules>]>,
) -> Result<Started, LiveError> {
    let Recovered { engine, counters, logs, checkpointer, disk, mut recovery } = recovered;
    let (commits, commit_queue) = channel();
    let (tasks, task_queue) = channel();
    let (report, reports) = channel();
    let progress = Arc::new(Progress::default());
    let newest = checkpointer.checkpoints().current();
    let bytes = newest.map_or(0, |m| m.segments.iter().map(|s| s.bytes).sum());
    let epoch = newest.map_or(0, |m| m.epoch.0);
    let streams = engine.plan().streams.len();
    let names = (0..streams).flat_map(|stream| engine.partition_names(stream));
    recovery.partitions = names.map(str::to_owned).collect();
    let limits = settings.clone();
    let now = Instant::now();
    let is_checkpointed = recovery.epoch > 0 && recovery.replayed_records == 0;
    let mut owner = Owner {
        checkpointed: is_checkpointed.then_some(counters.next),
        engine,
        counters,
        settings,
        rules,
        disk,
        commits,
        progress: Arc::clone(&progress),
        tasks,
        reports,
        phase: Phase::Idle,
        spares: Spares::default(),
        begun: now,
        published: now,
        epoch,
        checkpoint_bytes: bytes,
        failing: false,
        waiting: Vec::new(),
        waiting_next: Vec::new(),
        confirmed: vec![Confirmed::Unsourced; streams],
        housekept: now,
        state_bytes: 0,
    };
    let (failing, committing, writing) =
        (Arc::clone(&progress), Arc::clone(&progress), Arc::clone(&progress));
    let threads = vec![
        spawn("engine", move || {
            guard("engine", &failing, || owner.run(&inbox));
            // Also after a panic: whoever waits hears of it, and nobody waits from now on.
            inbox.close();
            owner.fail_waiting();
        })?,
        spawn("committer", move || {
            let run = || committer::run(logs, &commit_queue, &committing, &limits);
            guard("committer", &committing, run);
            committer::refuse(&commit_queue, &committing);
        })?,
        spawn("checkpointer", move || {
            let run = || {
                let waiting = &writing.captured_bytes;
                checkpointer::run(checkpointer, &task_queue, &report, waiting);
            };
            guard("checkpointer", &writing, run);
        })?,
    ];
    Ok(Started { threads, progress, recovery })
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, LiveError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(LiveError::Thread)
}

/// Runs a thread's work; a panic is a bug, after which nothing new is taken. What was acknowledged
/// is in the log, and a restart recovers it.
fn guard(thread: &str, progress: &Progress, run: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
        let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        progress.fail(&format!("the {thread} thread panicked, which is a bug: {text}"));
    }
}
