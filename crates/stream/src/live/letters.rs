//! Dead letters that the engine itself writes, for events that were decoded but cannot be taken.

use std::collections::BTreeMap;

use millrace_event::{Batch, Data};
use millrace_feature::plan::Plan;
use millrace_store::Log;
use millrace_store::checkpoint::KEY_BYTES_MAX;

use super::DeadEvent;

/// Why an event cannot be taken: a stable name, and what to do.
#[derive(Clone, Copy, Debug)]
pub struct Cause {
    pub reason: &'static str,
    pub message: &'static str,
}

/// The event time is too far ahead of the receiving clock.
pub const FUTURE: Cause = Cause {
    reason: "future",
    message: "the event time lies too far in the future; mend the sender's clock",
};

/// An entity key is longer than a checkpoint can hold.
pub const LONG_KEY: Cause = Cause {
    reason: "long-key",
    message: "an entity key is longer than 65535 bytes; send a shorter one",
};

/// Bytes that are kept of a letter that would not fit into one record of its log.
const KEPT_BYTES: usize = 4 << 20;

/// Letters for these rows. Sources that still have the original bytes refuse such events before
/// they come here; these are written out field by field.
pub(super) fn letters_of(
    batch: &Batch,
    rows: &[u32],
    origin: &str,
    cause: Cause,
) -> Vec<DeadEvent> {
    let letter = |row: &u32| {
        let fields: BTreeMap<String, String> = batch
            .schema
            .fields
            .iter()
            .zip(&batch.columns)
            .map(|(f, c)| (f.name.to_string(), format!("{:?}", c.value(*row as usize, &f.ty))))
            .collect();
        DeadEvent {
            stream: Some(batch.schema.stream.to_string()),
            origin: origin.to_owned(),
            position: format!("row {row}"),
            reason: cause.reason.to_owned(),
            message: cause.message.to_owned(),
            bytes: serde_json::to_vec(&fields).unwrap_or_default(),
        }
    };
    rows.iter().map(letter).collect()
}

/// The record of the log, which has a limit: of longer bytes only the beginning is kept.
pub(super) fn encode(mut letter: DeadEvent) -> Vec<u8> {
    let record = serde_json::to_vec(&letter).unwrap_or_default();
    if record.len() <= Log::RECORD_BYTES_MAX {
        return record;
    }
    letter.bytes.truncate(KEPT_BYTES);
    letter.message.push_str("; only the first 4194304 bytes are kept");
    serde_json::to_vec(&letter).unwrap_or_default()
}

/// The rows with a key that no checkpoint could hold.
pub fn rows_with_long_keys(plan: &Plan, stream: usize, batch: &Batch) -> Vec<u32> {
    let mut long = Vec::new();
    for group in plan.groups.iter().filter(|group| group.stream == stream) {
        // A batch whose texts are short together needs no second look.
        let columns = || group.keys.iter().map(|field| &batch.columns[*field].data);
        let bytes_of = |data: &Data| match data {
            Data::Text(texts) => texts.bytes_len(),
            Data::Word(_) | Data::Float(_) | Data::Nested(_) => 0,
        };
        if columns().map(bytes_of).sum::<usize>() + group.keys.len() * 8 <= KEY_BYTES_MAX {
            continue;
        }
        let key_bytes = |row: usize| {
            let of = |data: &Data| match data {
                Data::Text(texts) => size_of::<u32>() + texts.get(row).len(),
                Data::Word(_) | Data::Float(_) | Data::Nested(_) => size_of::<i64>(),
            };
            columns().map(of).sum::<usize>()
        };
        long.extend(
            (0..batch.len()).filter(|row| key_bytes(*row) > KEY_BYTES_MAX).map(|r| r as u32),
        );
    }
    long.sort_unstable();
    long.dedup();
    long
}
