//! The records of the three logs.
//!
//! ```text
//!   event log     kind 1 byte: 3 delivery │ 4 letters │ 5 replay
//!                 of old: 1 delivery, unjudged │ 2 replay, without its time
//!     delivery    received i64, future limit i64, idle limit i64, letters u64: records of the
//!                 dead letters once it is taken; stream text, partition text,
//!                 position (0 │ 1 and text), batch
//!     letters     letters u64: a delivery that left nothing else
//!     unjudged    a delivery without limits and letters
//!     replay      at i64, from u64, to u64: when records of the late log were applied, and which
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
        /// `None` in records of old.
        at: Option<EventTime>,
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
/// Where the time at which a delivery was received ends in its record.
const RECEIVED_END: usize = 9;

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

pub(crate) fn encode_replay(at: EventTime, from: u64, to: u64) -> Vec<u8> {
    let mut out = vec![5];
    out.extend_from_slice(&at.0.to_le_bytes());
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
        [kind @ (2 | 5)] => {
            let at = match kind {
                2 => None,
                _ => Some(EventTime(i64::from_le_bytes(input.array()?))),
            };
            let from = u64::from_le_bytes(input.array()?);
            Ok(EventRecord::Replay { at, from, to: u64::from_le_bytes(input.array()?) })
        }
        [4] => Ok(EventRecord::Letters { letters: u64::from_le_bytes(input.array()?) }),
        _ => Err(RecordError::Damaged),
    }
}

/// When a delivery came and of which stream, at little cost; `None` of records of other kinds.
pub(crate) fn delivery_head(bytes: &[u8]) -> Result<Option<(EventTime, &str)>, RecordError> {
    let mut input = Reader(bytes);
    let limits = match input.array::<1>()? {
        [1] => 0,
        [3] => LETTERS_AT + size_of::<u64>() - RECEIVED_END,
        _ => return Ok(None),
    };
    let received = EventTime(i64::from_le_bytes(input.array()?));
    input.0 = input.0.get(limits..).ok_or(RecordError::Damaged)?;
    Ok(Some((received, input.text()?)))
}

/// About how many bytes of memory a batch takes.
pub(crate) fn bytes_of(batch: &Batch) -> usize {
    batch.columns.iter().map(Column::bytes).sum()
}

/// The most that [`Batch::encode`] writes for this row.
fn logged_bytes(batch: &Batch, row: usize) -> usize {
    let of = |column: &Column| match &column.data {
        Data::Word(_) | Data::Float(_) => size_of::<i64>(),
        Data::Text(texts) => size_of::<u32>() + texts.get(row).len(),
        Data::Nested(values) => values.get(row).map_or(0, nested_bytes),
    };
    // And a mark for each.
    batch.columns.iter().map(|column| 1 + of(column)).sum()
}

fn nested_bytes(value: &Value) -> usize {
    1 + match value {
        Value::Null => 0,
        Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Timestamp(_)
        | Value::Duration(_) => size_of::<i64>(),
        Value::Decimal { .. } => size_of::<i64>() + 1,
        Value::Text(text) => size_of::<u32>() + text.len(),
        Value::List(items) => size_of::<u32>() + items.iter().map(nested_bytes).sum::<usize>(),
        Value::Map(entries) => {
            let entry = |(key, value): &(Value, Value)| nested_bytes(key) + nested_bytes(value);
            size_of::<u32>() + entries.iter().map(entry).sum::<usize>()
        }
    }
}

/// Events that are handed over together: few, so that reads get in between.
pub const PIECE_ROWS: usize = 256;
/// Bytes in the log of events that are handed over together; a larger event goes alone.
pub const PIECE_BYTES: usize = 4 << 20;

/// Some of the events of a source, to be handed over together.
#[derive(Debug)]
pub struct Piece {
    pub batch: Batch,
    /// Whether no other follows: the source's position belongs to this one.
    pub is_last: bool,
}

/// Cuts events into pieces of at most [`PIECE_ROWS`] and [`PIECE_BYTES`]; of none there is one
/// piece without any.
pub fn pieces(batch: Batch) -> impl Iterator<Item = Piece> + Send {
    let ends = piece_ends(&batch);
    let mut whole = Some(batch);
    let mut from = 0;
    ends.into_iter().filter_map(move |end| {
        let rows = from..end;
        from = end;
        let is_last = whole.as_ref()?.len() == end as usize;
        let batch = match &whole {
            Some(batch) if rows.start > 0 || !is_last => batch.select(&rows.collect::<Vec<_>>()),
            Some(_) | None => whole.take()?,
        };
        Some(Piece { batch, is_last })
    })
}

fn piece_ends(batch: &Batch) -> Vec<u32> {
    let (mut ends, mut rows, mut bytes) = (Vec::new(), 0, 0);
    for row in 0..batch.len() {
        let more = logged_bytes(batch, row);
        if rows > 0 && (rows == PIECE_ROWS || bytes + more > PIECE_BYTES) {
            ends.push(row as u32);
            (rows, bytes) = (0, 0);
        }
        rows += 1;
        bytes += more;
    }
    ends.push(batch.len() as u32);
    ends
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

/// Of which stream late events are.
pub(crate) fn late_stream(bytes: &[u8]) -> Result<&str, RecordError> {
    Reader(bytes).text()
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
    use millrace_event::State;
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
        for record in [&record, &old] {
            assert_eq!(delivery_head(record), Ok(Some((EventTime(5), "s"))));
        }
        let replay = encode_replay(EventTime(9), 1, 2);
        assert_eq!(delivery_head(&replay), Ok(None));
        let old = [&[2], &replay[9..]].concat();
        for (record, time) in [(&replay, Some(EventTime(9))), (&old, None)] {
            match decode_event(&plan, record) {
                Ok(EventRecord::Replay { at, from: 1, to: 2 }) => assert_eq!(at, time),
                other => panic!("{other:?}"),
            }
        }
        let letters = decode_event(&plan, &encode_letters(6));
        assert!(matches!(letters, Ok(EventRecord::Letters { letters: 6 })));
    }

    #[test]
    fn pieces_hold_all_rows_in_order_within_their_bounds() {
        let text = "stream s {\n  id : int id\n  at : timestamp time\n  note : string?\n  \
                    tags : list<int>?\n}\n";
        let plan = compile(&[SourceFile::new("test.mill", text)]).plan.unwrap();
        let rows_of = |sizes: &[(usize, usize)]| {
            let mut batch = Batch::new(Arc::clone(&plan.streams[0].schema));
            for (id, (note, tags)) in sizes.iter().enumerate() {
                let note = match note {
                    0 => Value::Null,
                    _ => Value::text(&"x".repeat(*note)),
                };
                let row = [
                    Value::Int(id as i64),
                    Value::Timestamp(EventTime(0)),
                    note,
                    Value::List(vec![Value::Int(1); *tags]),
                ];
                for (column, value) in batch.columns.iter_mut().zip(&row) {
                    column.push(value, State::Ok);
                }
            }
            batch
        };
        let lengths = |sizes: &[(usize, usize)]| {
            let batch = rows_of(sizes);
            let (mut lengths, mut ids) = (Vec::new(), Vec::new());
            for piece in pieces(batch.clone()) {
                let (mut bytes, rows) = (Vec::new(), piece.batch.len());
                piece.batch.encode(&mut bytes);
                let most: usize = (0..rows).map(|row| logged_bytes(&piece.batch, row)).sum();
                assert!(bytes.len() <= most + 64, "{} and {most}", bytes.len());
                assert!(most <= PIECE_BYTES || rows == 1, "{most}");
                lengths.push(rows);
                ids.extend_from_slice(piece.batch.columns[0].as_words());
                assert_eq!(piece.is_last, ids.len() == sizes.len());
            }
            assert_eq!(ids, batch.columns[0].as_words());
            lengths
        };
        assert_eq!(lengths(&[]), [0]);
        assert_eq!(lengths(&[(9, 0); 256]), [256]);
        assert_eq!(lengths(&[(0, 2); 600]), [256, 256, 88]);
        assert_eq!(lengths(&[(1 << 20, 0); 7]), [3, 3, 1]);
        // Two bytes in a body are nine in the log.
        assert_eq!(lengths(&[(0, 250_000); 4]), [1, 1, 1, 1]);
        assert_eq!(lengths(&[(1, 0), (5 << 20, 0), (1, 0)]), [1, 1, 1]);
    }
}
