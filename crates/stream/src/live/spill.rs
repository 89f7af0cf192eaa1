//! Keeping to the memory limit while the log is replayed.
//!
//! A key state can leave the memory once a checkpoint has it. A long replay changes more of them
//! than the memory holds, so it takes checkpoints of its own as it goes on.

use std::sync::mpsc::channel;

use super::checkpointer::{Checkpointer, Cleaning, Report, Task};
use super::cycle::carried;
use super::recovery::{Counters, Meta};
use crate::checkpoint::Moving;
use crate::engine::{Engine, EngineError, Sweep};

/// Key states captured per portion, and keys looked at per step, per group and shard.
const KEYS: usize = 512;

/// Bytes of the key states in memory, as last estimated.
pub(super) fn state_bytes(engine: &Engine) -> usize {
    let groups = 0..engine.plan().groups.len();
    groups.map(|group| engine.group_size_estimate(group).state_bytes).sum()
}

/// Writes a checkpoint with everything applied so far, and spills down to half of the limit. What
/// the counters count must be durable.
///
/// # Errors
/// Says why there is no checkpoint; then everything stays in memory, and counts as changed.
pub(super) fn spill(
    engine: &mut Engine,
    counters: &Counters,
    checkpointer: &mut Checkpointer,
    memory_max: usize,
) -> Result<(), String> {
    let prepared = checkpointer.work(Task::Prepare(engine.take_released()));
    let Some(Report::Prepared(cleaning)) = prepared else { return Err(cause(prepared)) };
    let mut at = Moving::default();
    if !cleaning.victims.is_empty() {
        let moved = |e: EngineError| e.to_string();
        while let Some(next) = engine.move_out_of(&cleaning.victims, at, KEYS).map_err(moved)? {
            at = next;
        }
    }
    match write(engine, counters, checkpointer, cleaning) {
        Some(Report::Published(done)) => {
            for (table, key, location) in done.locations {
                engine.locate(table, &key, location);
            }
        }
        failed => {
            engine.forget_checkpoint();
            return Err(cause(failed));
        }
    }
    // Each key is met twice at most: first as one that was used, then as one that was not since.
    let groups = 0..engine.plan().groups.len();
    let keys: usize = groups.map(|group| engine.group_size_estimate(group).keys).sum();
    for _ in 0..=2 * keys.div_ceil(KEYS) {
        if state_bytes(engine) <= memory_max / 2 {
            break;
        }
        engine.sweep(Sweep { keys: KEYS, spill: true });
    }
    Ok(())
}

fn write(
    engine: &mut Engine,
    counters: &Counters,
    checkpointer: &mut Checkpointer,
    cleaning: Cleaning,
) -> Option<Report> {
    let (done, durable) = channel();
    // The receiver is below.
    let _ = done.send(Ok(()));
    let head = engine.begin_checkpoint();
    let meta = Meta::of(counters, engine.plan(), head);
    let Cleaning { victims, gone, ids } = cleaning;
    let mut report = checkpointer.work(Task::Begin { meta, durable, retired: victims });
    let mut blocks = carried(engine, gone, ids);
    let mut is_more = true;
    while report.is_none() && is_more {
        is_more = engine.continue_checkpoint(KEYS, &mut blocks);
        report = match checkpointer.work(Task::Portion(std::mem::take(&mut blocks))) {
            Some(Report::Written(written)) => {
                blocks = written;
                None
            }
            report => report,
        };
    }
    report.or_else(|| checkpointer.work(Task::End))
}

fn cause(report: Option<Report>) -> String {
    match report {
        Some(Report::Failed(cause)) => cause,
        Some(Report::Prepared(_) | Report::Written(_) | Report::Published(_)) | None => {
            "the checkpointer gave another answer".to_owned()
        }
    }
}
