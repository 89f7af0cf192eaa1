//! Dead letters that the engine itself writes, for events that were decoded but cannot be taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_event::{Batch, Column, Data, Refusal, Rules, Span};
use millrace_feature::plan::Plan;
use millrace_store::Log;
use millrace_store::checkpoint::KEY_BYTES_MAX;

use super::DeadEvent;
use crate::parts::PART_KEY_BYTES;

/// Bytes that are kept of a letter that would not fit into one record of its log.
const KEPT_BYTES: usize = 4 << 20;

/// Letters for these rows, written out field by field. Sources judge their records by
/// [`super::Live::rules`] where they still have the original bytes; this is for those that do not.
pub(super) fn letters_of(
    batch: &Batch,
    rows: &[u32],
    origin: &str,
    refusal: Refusal,
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
            reason: refusal.name().to_owned(),
            message: refusal.message().to_owned(),
            bytes: serde_json::to_vec(&fields).expect("texts by name are plain data"),
        }
    };
    rows.iter().map(letter).collect()
}

/// The record of the log, which has a limit: of longer bytes only the beginning is kept.
pub(super) fn encode(mut letter: DeadEvent) -> Vec<u8> {
    let record = serde_json::to_vec(&letter).expect("a letter is plain data");
    if record.len() <= Log::RECORD_BYTES_MAX {
        return record;
    }
    letter.bytes.truncate(KEPT_BYTES);
    letter.message.push_str(&format!("; only the first {KEPT_BYTES} bytes are kept"));
    serde_json::to_vec(&letter).expect("a letter is plain data")
}

/// What the events of each stream must keep to be taken, by stream: for who reads without
/// [`super::Live::rules`], and takes what a live engine would.
pub fn rules_of(plan: &Plan, future_max: Span) -> Vec<Arc<Rules>> {
    let of = |stream: usize| {
        let groups = plan.groups.iter().filter(|group| group.stream == stream);
        let keys = groups.map(|group| group.keys.clone()).collect();
        Arc::new(Rules { future_max, keys, key_bytes_max: KEY_BYTES_MAX - PART_KEY_BYTES })
    };
    (0..plan.streams.len()).map(of).collect()
}

/// The rows with a key that no checkpoint could hold.
pub(super) fn long_rows(rules: &Rules, batch: &Batch) -> Vec<u32> {
    let texts = |column: &Column| match &column.data {
        Data::Text(texts) => texts.bytes().len(),
        Data::Word(_) | Data::Float(_) | Data::Nested(_) => 0,
    };
    // A batch whose texts are short together needs no second look.
    if rules.surely_short(batch.columns.iter().map(texts).sum()) {
        return Vec::new();
    }
    let is_long = |row: &u32| {
        rules.has_long_key(|field| match &batch.columns[field].data {
            Data::Text(texts) => Some(texts.get(*row as usize).len()),
            Data::Word(_) | Data::Float(_) | Data::Nested(_) => None,
        })
    };
    (0..batch.len() as u32).filter(is_long).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_long_key_names_the_limit() {
        let limit = (KEY_BYTES_MAX - PART_KEY_BYTES).to_string();
        assert!(Refusal::LongKey.message().contains(&limit), "{limit}");
    }
}
