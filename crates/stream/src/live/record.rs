//! The records of the three logs.
//!
//! ```text
//!   event log     kind 1 byte: 3 delivery │ 4 letters │ 2 replay │ 1 delivery of old, unjudged
//!     delivery    received i64, future limit i64, idle limit i64, letters u64: records of the
//!                 dead letters once it is taken; stream text, partition text,
//!                 position (0 │ 1 and text), batch
//!     letters     letters u64: a delivery that left nothing else
//!     unjudged    a delivery without limits and letters
//!     replay      from u64, to u64: records of the late log that were applied
//!   late log      stream text, batch
//!   dead letters  JSON: stream, origin, position, reason, message, and the bytes in base16 or text
//! ```
//!
//! Integers are little-endian; a text is u32 length and UTF-8. Streams go by name, so that a log
//! outlives a change of definitions.

use std::sync::Arc;

use millrace_event::{Batch, CodecError, Column, Data, EventTime, Span, Value};
use millrace_feature::plan::Plan;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A record that could not be decoded, with all it takes to find and mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadEvent {
    pub stream: Option<String>,
    /// The file, or `http`.
    pub origin: String,
    /// Where in the origin.
    pub position: String,
    /// A stable name, such as `bad-json`.
    pub reason: String,
    /// What is wrong, and what would be right.
    pub message: String,
    /// As they came, up to the record limit.
    #[serde(with = "bytes_as_text")]
    pub bytes: Vec<u8>,
}

/// Why a log record cannot be used.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum RecordError {
    #[error("it is cut off or of an unknown kind")]
    Damaged,
    #[error("its stream `{0}` is not defined any more; define it again or move the log away")]
    UnknownStream(String),
    #[error("its events do not fit stream `{stream}` ({why}); the stream's fields have changed")]
    Batch { stream: String, why: CodecError },
}

#[derive(Debug)]
pub(crate) enum EventRecord {
    Delivery {
        received: EventTime,
        /// `None` in records of old: today's limits judge it.
        judged: Option<Judged>,
        stream: usize,
        partition: String,
        position: Option<Vec<u8>>,
        batch: Batch,
    },
    Letters {
        letters: u64,
    },
    Replay {
        from: u64,
        to: u64,
    },
}

/// What a delivery was judged by, so that a later start judges it alike under other settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) future_max: Span,
    pub(crate) idle_after: Span,
    /// Records of the dead-letter log once the delivery is taken.
    pub(crate) letters: u64,
}

/// Where the count of letters lies in a delivery's record: behind its kind and three times.
const LETTERS_AT: usize = 25;

pub(crate) fn encode_delivery(
    received: EventTime,
    judged: Judged,
    partition: &str,
    position: Option<&[u8]>,
    batch: &Batch,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + batch.len() * 64);
    out.push(3);
    out.extend_from_slice(&received.0.to_le_bytes());
    out.extend_from_slice(&judged.future_max.0.to_le_bytes());
    out.extend_from_slice(&judged.idle_after.0.to_le_bytes());
    out.extend_from_slice(&judged.letters.to_le_bytes());
    put(&mut out, batch.schema.stream.as_bytes());
    put(&mut out, partition.as_bytes());
    match position {
        None => out.push(0),
        Some(position) => {
            out.push(1);
            put(&mut out, position);
        }
    }
    batch.encode(&mut out);
    out
}

/// Sets the count of letters of an encoded delivery: it is known only once the events are judged.
pub(crate) fn set_letters(record: &mut [u8], letters: u64) {
    if let Some(place) = record.get_mut(LETTERS_AT..LETTERS_AT + size_of::<u64>()) {
        place.copy_from_slice(&letters.to_le_bytes());
    }
}

pub(crate) fn encode_letters(letters: u64) -> Vec<u8> {
    let mut out = vec![4];
    out.extend_from_slice(&letters.to_le_bytes());
    out
}

pub(crate) fn encode_replay(from: u64, to: u64) -> Vec<u8> {
    let mut out = vec![2];
    out.extend_from_slice(&from.to_le_bytes());
    out.extend_from_slice(&to.to_le_bytes());
    out
}

pub(crate) fn decode_event(plan: &Plan, bytes: &[u8]) -> Result<EventRecord, RecordError> {
    let mut input = Reader(bytes);
    match input.array::<1>()? {
        [kind @ (1 | 3)] => {
            let received = EventTime(i64::from_le_bytes(input.array()?));
            let judged = match kind {
                1 => None,
                _ => Some(Judged {
                    future_max: Span(i64::from_le_bytes(input.array()?)),
                    idle_after: Span(i64::from_le_bytes(input.array()?)),
                    letters: u64::from_le_bytes(input.array()?),
                }),
            };
            let stream = find_stream(plan, input.text()?)?;
            let partition = input.text()?.to_owned();
            let position = match input.array::<1>()? {
                [0] => None,
                _ => Some(input.bytes()?.to_vec()),
            };
            let batch = decode_batch(plan, stream, input.0)?;
            Ok(EventRecord::Delivery { received, judged, stream, partition, position, batch })
        }
        [2] => {
            let from = u64::from_le_bytes(input.array()?);
            Ok(EventRecord::Replay { from, to: u64::from_le_bytes(input.array()?) })
        }
        [4] => Ok(EventRecord::Letters { letters: u64::from_le_bytes(input.array()?) }),
        _ => Err(RecordError::Damaged),
    }
}

/// About how many bytes of memory a batch takes.
pub(crate) fn bytes_of(batch: &Batch) -> usize {
    let of = |column: &Column| match &column.data {
        Data::Word(words) => words.len() * size_of::<i64>(),
        Data::Float(floats) => floats.len() * size_of::<f64>(),
        Data::Text(texts) => texts.bytes_len() + texts.len() * size_of::<u32>(),
        Data::Nested(values) => values.len() * size_of::<Value>(),
    };
    batch.columns.iter().map(of).sum()
}

pub(crate) fn encode_late(batch: &Batch) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, batch.schema.stream.as_bytes());
    batch.encode(&mut out);
    out
}

pub(crate) fn decode_late(plan: &Plan, bytes: &[u8]) -> Result<(usize, Batch), RecordError> {
    let mut input = Reader(bytes);
    let stream = find_stream(plan, input.text()?)?;
    Ok((stream, decode_batch(plan, stream, input.0)?))
}

fn find_stream(plan: &Plan, name: &str) -> Result<usize, RecordError> {
    plan.stream(name).ok_or_else(|| RecordError::UnknownStream(name.to_owned()))
}

fn decode_batch(plan: &Plan, stream: usize, bytes: &[u8]) -> Result<Batch, RecordError> {
    let schema = &plan.streams[stream].schema;
    Batch::decode(&Arc::clone(schema), bytes)
        .map_err(|why| RecordError::Batch { stream: schema.stream.to_string(), why })
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (first, rest) = self.0.split_first_chunk().ok_or(RecordError::Damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    fn bytes(&mut self) -> Result<&'a [u8], RecordError> {
        let n = u32::from_le_bytes(self.array()?) as usize;
        let (first, rest) = self.0.split_at_checked(n).ok_or(RecordError::Damaged)?;
        self.0 = rest;
        Ok(first)
    }

    fn text(&mut self) -> Result<&'a str, RecordError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| RecordError::Damaged)
    }
}

/// UTF-8 stays readable; other bytes are written as base16.
mod bytes_as_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Bytes {
        Text(String),
        Hex(String),
    }

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Bytes::Text(text.to_owned()),
            Err(_) => Bytes::Hex(bytes.iter().map(|b| format!("{b:02x}")).collect()),
        }
        .serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        match Bytes::deserialize(from)? {
            Bytes::Text(text) => Ok(text.into_bytes()),
            Bytes::Hex(hex) => (0..hex.len() / 2)
                .map(|i| hex.get(2 * i..2 * i + 2).and_then(|s| u8::from_str_radix(s, 16).ok()))
                .collect::<Option<Vec<u8>>>()
                .ok_or_else(|| serde::de::Error::custom("bytes that are not base16")),
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_feature::{SourceFile, compile};

    use super::*;

    fn plan() -> Plan {
        let text = "stream s {\n  id : string id\n  at : timestamp time\n}\n";
        compile(&[SourceFile::new("test.mill", text)]).plan.unwrap()
    }

    #[test]
    fn records_are_read_as_they_are_written_and_those_of_old_too() {
        let plan = plan();
        let batch = Batch::new(Arc::clone(&plan.streams[0].schema));
        let judged = Judged { future_max: Span(7), idle_after: Span(8), letters: 0 };
        let mut record = encode_delivery(EventTime(5), judged, "p", Some(b"9"), &batch);
        set_letters(&mut record, 3);
        let read = |bytes: &[u8]| match decode_event(&plan, bytes) {
            Ok(EventRecord::Delivery { received, judged, partition, position, .. }) => {
                assert_eq!((received, partition.as_str()), (EventTime(5), "p"));
                assert_eq!(position.as_deref(), Some(b"9".as_slice()));
                judged
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(read(&record), Some(Judged { letters: 3, ..judged }));
        let old = [&[1], &record[1..9], &record[LETTERS_AT + 8..]].concat();
        assert_eq!(read(&old), None);
        let letters = decode_event(&plan, &encode_letters(6));
        assert!(matches!(letters, Ok(EventRecord::Letters { letters: 6 })));
    }
}
