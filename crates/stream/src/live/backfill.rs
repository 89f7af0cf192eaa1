//! Groups that began later than the log are computed from it, up to where the others are.
//!
//! ```text
//!   event log   0 ───────────────────────▶ frontier of the checkpoint ───▶ end
//!   new groups  filled from here, alone        all groups go on together
//! ```
//!
//! The events are judged again as they were, so exactly those count that counted then. What the
//! engine knows of its streams is set aside meanwhile; it is the same again afterwards.

use std::sync::Arc;

use millrace_store::{Disk, Log, Offset};

use super::LiveError;
use super::record::{EventRecord, RecordError, decode_event};
use super::recovery::replay_late;
use crate::engine::{Engine, Sweep};

/// Keys looked at after each record, per group and shard.
const SWEEP_KEYS: usize = 16;

/// Computes these groups, which are empty, from the records of the log before `frontier`; returns
/// how many there were.
pub(super) fn fill(
    engine: &mut Engine,
    disk: &Arc<dyn Disk>,
    log: &Log,
    frontier: u64,
    groups: &[String],
    memory_max: usize,
) -> Result<u64, LiveError> {
    let first = log.first().0;
    if first > 0 {
        return Err(LiveError::Backfill(format!(
            "the event log begins at record {first}: the events before it are gone, and features \
             over them would be wrong; to keep more of the log, raise storage.log_retain"
        )));
    }
    let plan = Arc::clone(engine.plan());
    let indexes = groups.iter().filter_map(|name| plan.group(name)).collect::<Vec<_>>();
    let known = engine.begin_fill(&indexes);
    let filled = apply(engine, disk, log, frontier, (&indexes, memory_max));
    engine.end_fill(known);
    filled
}

fn apply(
    engine: &mut Engine,
    disk: &Arc<dyn Disk>,
    log: &Log,
    frontier: u64,
    (groups, memory_max): (&[usize], usize),
) -> Result<u64, LiveError> {
    let plan = Arc::clone(engine.plan());
    let mut records = 0;
    let mut reader = log.reader(Offset(0))?;
    while let Some((offset, bytes)) = reader.next_record()?
        && offset.0 < frontier
    {
        records += 1;
        match decode_event(&plan, bytes) {
            Ok(EventRecord::Delivery { received, judged, stream, partition, batch, .. }) => {
                if let Some(judged) = judged {
                    engine.judge_by(judged.future_max, judged.idle_after);
                }
                let id = engine.partition(stream, &partition);
                engine.apply(id, &batch, received)?;
            }
            Ok(EventRecord::Replay { at: _, from, to }) => {
                replay_late(engine, disk, from, to)?;
            }
            Ok(EventRecord::Letters { .. }) => {}
            // No group is over a stream that is gone.
            Err(RecordError::UnknownStream(_)) => {}
            Err(error @ (RecordError::Damaged | RecordError::Batch { .. })) => {
                return Err(error.into());
            }
        }
        engine.sweep(Sweep { keys: SWEEP_KEYS, spill: false });
        let bytes = groups.iter().map(|group| engine.group_size_estimate(*group).state_bytes);
        if bytes.sum::<usize>() > memory_max {
            return Err(LiveError::Backfill(format!(
                "the new features take more than the {} MiB of engine.memory_max; raise it, if \
                 only for the backfill",
                memory_max >> 20
            )));
        }
    }
    Ok(records)
}
