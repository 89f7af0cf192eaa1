//! `POST /v1/streams/{stream}/events`: events as lines of JSON or as a JSON list.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::HeaderMap;
use memchr::{memchr_iter, memrchr};
use millrace_connector::{DeadLetter, Decoded, Error, JsonDecoder, Position, UnknownFields};
use millrace_event::Schema;
use millrace_stream::live::{DeadEvent, Live};

use crate::body::Body;
use crate::error::ApiError;
use crate::handover::{Arrival, HandOver, Tally};
use crate::media::{check_encoding, media_type, refused};
use crate::query::Query;
use crate::remarks::{count_unknown, write_remarks};
use crate::resubmit;
use crate::service::Service;
use crate::write::Object;

/// The origin of events whose request names no partition, and of all their dead letters.
const HTTP: &str = "http";
/// The longest name of a partition, in bytes.
const PARTITION_BYTES_MAX: usize = 64;
/// Lines are decoded when this many bytes of them are there.
const CHUNK_BYTES: usize = 128 << 10;

/// How a body holds its events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Lines,
    Document,
}

/// The partition names that there are: the engine keeps each, also across a start.
#[derive(Debug, Default)]
pub struct Partitions {
    known: Mutex<BTreeSet<String>>,
}

/// Hands a request's events over; answers when they are durable.
pub async fn ingest(
    service: &Service,
    live: &Live,
    stream: usize,
    query: &Query,
    headers: &HeaderMap,
    body: Body<'_>,
) -> Result<Vec<u8>, ApiError> {
    let format = format_of(headers)?;
    check_encoding(headers)?;
    let partition = query.get("partition").unwrap_or(HTTP);
    service.partitions.admit(partition, service.settings.limits.partitions_max)?;
    let mut hand_over = HandOver::new(live, &service.queue, &service.meters, stream, partition);
    let unknown = match format {
        Format::Lines => lines(service, stream, &mut hand_over, body).await?,
        Format::Document => {
            let whole = body.whole().await?;
            let chunk = Chunk { bytes: &whole, line: 1, byte: 0, format };
            chunk.push(service, stream, &mut hand_over).await?
        }
    };
    let tally = hand_over.durable().await?;
    Ok(answer(&service.plan.streams[stream].schema, &tally, &unknown))
}

fn format_of(headers: &HeaderMap) -> Result<Format, ApiError> {
    match media_type(headers).as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Format::Lines),
        "application/json" => Ok(Format::Document),
        // The types that a web page may send without asking are refused with all others.
        _ => {
            let hint = "send `Content-Type: application/x-ndjson` for lines of JSON, or \
                        `application/json` for one object or a list";
            Err(refused(headers, hint))
        }
    }
}

impl Partitions {
    /// Takes in those that the engine knows from before.
    pub fn seed(&self, names: impl IntoIterator<Item = String>) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
    }

    /// Takes the name in, where it is known or there is room for another one.
    ///
    /// # Errors
    /// [`ApiError::BadPartition`], [`ApiError::TooManyPartitions`].
    fn admit(&self, name: &str, limit: usize) -> Result<(), ApiError> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let is_ours = name == resubmit::PARTITION;
        let is_long = name.len() > PARTITION_BYTES_MAX;
        if name.is_empty() || is_long || is_ours || !name.bytes().all(is_plain) {
            return Err(ApiError::BadPartition { limit: PARTITION_BYTES_MAX });
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(name) {
            return Ok(());
        }
        if known.len() >= limit {
            return Err(ApiError::TooManyPartitions { limit });
        }
        known.insert(name.to_owned());
        Ok(())
    }
}

/// Decodes lines while they arrive, so that a large body needs little memory.
async fn lines(
    service: &Service,
    stream: usize,
    hand_over: &mut HandOver<'_>,
    mut body: Body<'_>,
) -> Result<UnknownFields, ApiError> {
    let mut unknown = UnknownFields::default();
    let mut held: Vec<u8> = Vec::new();
    // Where the last whole line of them ends: each byte is looked at once, however long a line is.
    let mut whole = 0;
    let (mut line, mut byte) = (1, 0);
    loop {
        let next = body.next().await?;
        let is_last = next.is_none();
        if let Some(bytes) = next {
            if let Some(end) = memrchr(b'\n', &bytes) {
                whole = held.len() + end + 1;
            }
            held.extend_from_slice(&bytes);
        }
        let end = if is_last { held.len() } else { whole };
        if !is_last && (end == 0 || held.len() < CHUNK_BYTES) {
            continue;
        }
        let chunk = Chunk { bytes: &held[..end], line, byte, format: Format::Lines };
        unknown.merge(&chunk.push(service, stream, hand_over).await?);
        if is_last {
            return Ok(unknown);
        }
        line += memchr_iter(b'\n', &held[..end]).count() as u64;
        byte += end as u64;
        held.drain(..end);
        whole = 0;
    }
}

/// Whole records of a body, and where in it they begin.
#[derive(Debug)]
struct Chunk<'a> {
    bytes: &'a [u8],
    line: u64,
    byte: u64,
    format: Format,
}

impl Chunk<'_> {
    /// Gives back the fields that the stream does not declare.
    async fn push(
        &self,
        service: &Service,
        stream: usize,
        hand_over: &mut HandOver<'_>,
    ) -> Result<UnknownFields, ApiError> {
        let arrival = Arrival::now();
        let schema = service.plan.streams[stream].schema.clone();
        let rules = Arc::clone(hand_over.live.rules(stream));
        let mut decoder =
            JsonDecoder::new(schema, service.settings.records).with_rules(rules, arrival.received);
        let decoded = match self.format {
            Format::Lines => decoder.lines(self.bytes, HTTP),
            Format::Document => decoder.document(self.bytes, HTTP),
        };
        let Decoded { batch, dead, unknown, .. } = decoded.map_err(|error| match error {
            Error::TooManyDead { limit, .. } => ApiError::TooManyDead { limit },
            _ => ApiError::BodyTooLarge { limit: service.settings.records.body_bytes },
        })?;
        count_unknown(service, stream, &unknown);
        let name = &service.plan.streams[stream].schema.stream;
        let letters = dead.into_iter().map(|letter| self.letter(name, letter)).collect();
        hand_over.push(batch, letters, None, arrival).await?;
        Ok(unknown)
    }

    fn letter(&self, stream: &str, letter: DeadLetter) -> DeadEvent {
        let position = match letter.position {
            Position::Line { line, byte } => {
                Position::Line { line: self.line + line - 1, byte: self.byte + byte }
            }
            row @ Position::Row(_) => row,
        };
        DeadEvent {
            stream: Some(stream.to_owned()),
            origin: HTTP.to_owned(),
            position: position.to_string(),
            reason: letter.reason.to_string(),
            message: letter.message,
            bytes: letter.bytes,
        }
    }
}

fn answer(schema: &Schema, tally: &Tally, unknown: &UnknownFields) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut object = Object::new(&mut out);
    object.text("stream", &schema.stream);
    write_tally(&mut object, tally);
    write_remarks(&mut object, schema, tally, unknown);
    object.end();
    out
}

pub fn write_tally(object: &mut Object<'_>, tally: &Tally) {
    object.number("received", tally.received);
    object.number("accepted", tally.accepted);
    object.number("duplicate", tally.duplicate);
    object.number("late", tally.late);
    object.number("dead_lettered", tally.dead);
    let mut causes = Object::new(object.member("causes"));
    tally.causes.iter().for_each(|(cause, count)| causes.number(cause, *count));
    causes.end();
    let out = object.member("dead_letters");
    out.push(b'[');
    for (i, letter) in tally.letters.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let mut one = Object::new(out);
        one.text("position", &letter.position);
        one.text("reason", &letter.reason);
        one.text("message", &letter.message);
        one.end();
    }
    out.push(b']');
    object.number("frontier", tally.frontier);
}
