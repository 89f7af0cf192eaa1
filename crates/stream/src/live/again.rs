//! A record of the event log, applied again long after it was written.

use std::sync::Arc;

use millrace_store::Disk;

use super::LiveError;
use super::record::{EventRecord, decode_event, delivery_head};
use super::recovery::{SWEEP_KEYS, replay_late};
use crate::engine::{Engine, Sweep};

/// Applies what a record holds of streams that the engine has features over. Others may be gone by
/// now, or have other fields: nothing depends on their events.
pub(super) fn apply_again(
    engine: &mut Engine,
    disk: &Arc<dyn Disk>,
    bytes: &[u8],
) -> Result<(), LiveError> {
    let is_of_others = delivery_head(bytes)?.is_some_and(|(_, name)| !engine.has_features(name));
    if !is_of_others {
        let plan = Arc::clone(engine.plan());
        match decode_event(&plan, bytes)? {
            EventRecord::Delivery { received, judged, stream, partition, batch, position: _ } => {
                if let Some(judged) = judged {
                    engine.judge_by(judged.future_max, judged.idle_after);
                }
                let id = engine.partition(stream, &partition);
                engine.apply(id, &batch, received)?;
            }
            EventRecord::Letters { .. } => {}
            EventRecord::Replay { at: _, from, to } => {
                replay_late(engine, disk, from, to)?;
            }
        }
    }
    engine.sweep(Sweep { keys: SWEEP_KEYS, spill: false });
    Ok(())
}
