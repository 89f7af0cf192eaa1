//! `GET /v1/dead-letters`, and handing letters over again once they are mended or the definitions
//! are.
//!
//! A letter that can be read now is an event like any other: it is counted anew, and marked. One
//! that still cannot be read is told to the caller and stays as it is, so that trying again makes
//! no new letters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use millrace_connector::JsonDecoder;
use millrace_store::{Access, FileDisk, LogName, LogReader, Offset, StoreError};
use millrace_stream::live::{DeadEvent, Live};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::body::Body;
use crate::clock::now;
use crate::error::ApiError;
use crate::events::write_tally;
use crate::handover::{HandOver, Tally};
use crate::marks::Marks;
use crate::query::Query;
use crate::service::Service;
use crate::write::{Object, write_number, write_text};

/// The partition of letters that are handed over again.
pub const PARTITION: &str = "dead-letters";
/// Letters in one answer, and how many there are if the request does not say.
const LETTERS_MAX: u64 = 1_000;
const LETTERS_DEFAULT: u64 = 100;
/// Letters handed over again by one request.
const RESUBMIT_MAX: usize = 10_000;
/// Bytes of records held by one request.
const BYTES_MAX: usize = 16 << 20;
/// Letters handed over together, with the marks that say so.
const TOGETHER: usize = 256;
/// Letters that are still dead, of which an answer tells.
const STILL_DEAD_MAX: usize = 100;

/// The marks by stream; one request at a time changes them.
pub type AllMarks = tokio::sync::Mutex<BTreeMap<String, Marks>>;

/// Which letters.
#[derive(Clone, Debug, Default)]
struct Which {
    stream: Option<String>,
    reason: Option<String>,
    from: u64,
    /// These alone.
    numbers: Option<BTreeSet<u64>>,
}

impl Which {
    fn matches(&self, number: u64, letter: &DeadEvent) -> bool {
        self.numbers.as_ref().is_none_or(|numbers| numbers.contains(&number))
            && self.stream.as_ref().is_none_or(|s| letter.stream.as_ref() == Some(s))
            && self.reason.as_ref().is_none_or(|r| letter.reason == *r)
    }
}

/// Letters with their numbers, and where to go on when there are more.
#[derive(Debug, Default)]
struct Found {
    letters: Vec<(u64, DeadEvent)>,
    next: Option<u64>,
}

pub async fn list(service: &Service, query: &str) -> Result<Vec<u8>, ApiError> {
    let query = Query::of(query, &["stream", "reason", "from", "limit"])?;
    let limit = query.number("limit")?.unwrap_or(LETTERS_DEFAULT).min(LETTERS_MAX);
    let which = Which {
        stream: query.get("stream").map(str::to_owned),
        reason: query.get("reason").map(str::to_owned),
        from: query.number("from")?.unwrap_or(0),
        numbers: None,
    };
    let found = find(service, which, usize::try_from(limit).unwrap_or(usize::MAX)).await?;
    let marks = service.marks.lock().await;
    let mut out = Vec::with_capacity(256 * found.letters.len() + 64);
    let mut object = Object::new(&mut out);
    let list = object.member("dead_letters");
    list.push(b'[');
    for (i, (number, letter)) in found.letters.iter().enumerate() {
        if i > 0 {
            list.push(b',');
        }
        write_letter(list, *number, letter, is_marked(&marks, *number, letter));
    }
    list.push(b']');
    write_next(&mut object, found.next);
    object.end();
    Ok(out)
}

fn write_letter(out: &mut Vec<u8>, number: u64, letter: &DeadEvent, is_resubmitted: bool) {
    let DeadEvent { stream, origin, position, reason, message, bytes } = letter;
    let mut one = Object::new(out);
    one.number("number", number);
    match stream {
        Some(stream) => one.text("stream", stream),
        None => one.member("stream").extend_from_slice(b"null"),
    }
    one.text("origin", origin);
    one.text("position", position);
    one.text("reason", reason);
    one.text("message", message);
    one.text("record", &String::from_utf8_lossy(bytes));
    let resubmitted: &[u8] = if is_resubmitted { b"true" } else { b"false" };
    one.member("resubmitted").extend_from_slice(resubmitted);
    one.end();
}

fn write_next(object: &mut Object<'_>, next: Option<u64>) {
    let out = object.member("next");
    match next {
        Some(next) => write_number(out, next),
        None => out.extend_from_slice(b"null"),
    }
}

fn is_marked(marks: &BTreeMap<String, Marks>, number: u64, letter: &DeadEvent) -> bool {
    let stream = letter.stream.as_deref().unwrap_or_default();
    marks.get(stream).is_some_and(|marks| marks.contains(number))
}

/// Looks through the log, on a thread that may wait for the disk.
async fn find(service: &Service, which: Which, limit: usize) -> Result<Found, ApiError> {
    let dir = service.settings.data_dir.clone();
    let look = move || -> Result<Found, StoreError> {
        let disk = Arc::new(FileDisk::open(&dir, Access::Read)?);
        let log = LogName::DEAD_LETTERS;
        let mut reader = match LogReader::open(disk.clone(), &log, Offset(which.from)) {
            // What is older than the log keeps is gone; begin with what there is.
            Err(StoreError::NoSuchOffset { first, .. }) if which.from < first.0 => {
                LogReader::open(disk, &log, first)?
            }
            opened => opened?,
        };
        let (mut found, mut bytes_held) = (Found::default(), 0);
        while let Some((offset, bytes)) = reader.next_record()? {
            if which.numbers.as_ref().and_then(BTreeSet::last).is_some_and(|n| *n < offset.0) {
                break;
            }
            if found.letters.len() >= limit || bytes_held >= BYTES_MAX {
                found.next = Some(offset.0);
                break;
            }
            let Ok(letter) = serde_json::from_slice::<DeadEvent>(bytes) else { continue };
            if which.matches(offset.0, &letter) {
                bytes_held += letter.bytes.len();
                found.letters.push((offset.0, letter));
            }
        }
        Ok(found)
    };
    let looked = tokio::task::spawn_blocking(look).await;
    Ok(looked.map_err(|_| ApiError::Internal("the letters could not be read".to_owned()))??)
}

/// What to hand over again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resubmit {
    stream: Option<String>,
    reason: Option<String>,
    #[serde(default)]
    from: u64,
    /// These alone, each perhaps mended.
    letters: Option<Vec<Mended>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mended {
    number: u64,
    /// In the place of the record as it came.
    record: Option<Box<RawValue>>,
}

/// What became of the letters.
#[derive(Debug, Default)]
struct Outcome {
    tally: Tally,
    resubmitted: u64,
    already: u64,
    still_dead: u64,
    /// Some of them: number, reason, message.
    told: Vec<(u64, String, String)>,
}

impl Outcome {
    fn still_dead(&mut self, number: u64, reason: &str, message: String) {
        self.still_dead += 1;
        if self.told.len() < STILL_DEAD_MAX {
            self.told.push((number, reason.to_owned(), message));
        }
    }
}

pub async fn resubmit(service: &Service, live: &Live, body: Body) -> Result<Vec<u8>, ApiError> {
    let body = body.whole().await?;
    let asked: Resubmit = serde_json::from_slice(&body).map_err(|error| {
        ApiError::BadRequest(format!("not a JSON object of letters to send: {error}").into())
    })?;
    // Held to the end: two requests must not hand the same letter over.
    let mut marks = service.marks.lock().await;
    let Resubmit { stream, reason, from, letters } = asked;
    let which = Which { stream, reason, from, numbers: None };
    let mut mended = BTreeMap::new();
    let found = match letters {
        None => find(service, which, RESUBMIT_MAX).await?,
        Some(letters) => {
            mended.extend(letters.into_iter().map(|m| (m.number, m.record)));
            let numbers: BTreeSet<u64> = mended.keys().copied().collect();
            let from = numbers.first().copied().unwrap_or(0);
            let which = Which { from, numbers: Some(numbers), ..which };
            find(service, which, RESUBMIT_MAX).await?
        }
    };
    let mut outcome = Outcome::default();
    let mut by_stream: BTreeMap<String, Vec<(u64, Vec<u8>)>> = BTreeMap::new();
    for (number, letter) in found.letters {
        if is_marked(&marks, number, &letter) {
            outcome.already += 1;
            continue;
        }
        let record = mended.remove(&number).flatten();
        let bytes = record.map_or(letter.bytes, |r| r.get().as_bytes().to_vec());
        by_stream.entry(letter.stream.unwrap_or_default()).or_default().push((number, bytes));
    }
    for (stream, letters) in by_stream {
        let marks = marks.entry(stream.clone()).or_default();
        resubmit_stream(service, live, &stream, &letters, marks, &mut outcome).await?;
    }
    Ok(answer(&outcome, found.next))
}

async fn resubmit_stream(
    service: &Service,
    live: &Live,
    name: &str,
    letters: &[(u64, Vec<u8>)],
    marks: &mut Marks,
    outcome: &mut Outcome,
) -> Result<(), ApiError> {
    let Some(stream) = service.plan.stream(name) else {
        for (number, _) in letters {
            let message = format!("no stream `{name}` is defined any more");
            outcome.still_dead(*number, "unknown-stream", message);
        }
        return Ok(());
    };
    let schema = Arc::clone(&service.plan.streams[stream].schema);
    let decoder = JsonDecoder::new(Arc::clone(&schema), service.settings.records);
    for some in letters.chunks(TOGETHER) {
        let mut batch = millrace_event::Batch::new(Arc::clone(&schema));
        let mut marked = marks.clone();
        let latest = now().plus(service.settings.future_max);
        for (number, bytes) in some {
            let row = match decoder.row(bytes, PARTITION) {
                Ok(row) => row,
                Err(letter) => {
                    outcome.still_dead(*number, letter.reason.name(), letter.message);
                    continue;
                }
            };
            if matches!(row.get(schema.time), Some(millrace_event::Value::Timestamp(t)) if *t > latest)
            {
                let message = "the event time still lies too far in the future".to_owned();
                outcome.still_dead(*number, crate::handover::FUTURE, message);
                continue;
            }
            for (column, value) in batch.columns.iter_mut().zip(&row) {
                column.push(value, millrace_event::State::Ok);
            }
            marked.insert(*number);
        }
        if batch.is_empty() {
            continue;
        }
        let mut hand_over = HandOver::new(live, &service.queue, &service.meters, stream, PARTITION);
        let position = Some(marked.write());
        hand_over.push(&batch, Vec::new(), position, Instant::now()).await?;
        let tally = hand_over.durable().await?;
        *marks = marked;
        outcome.resubmitted += tally.received;
        service.meters.resubmitted.fetch_add(tally.received, std::sync::atomic::Ordering::Relaxed);
        outcome.tally.add(tally);
    }
    Ok(())
}

fn answer(outcome: &Outcome, next: Option<u64>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut object = Object::new(&mut out);
    object.number("resubmitted", outcome.resubmitted);
    object.number("already", outcome.already);
    object.number("still_dead", outcome.still_dead);
    let list = object.member("letters");
    list.push(b'[');
    for (i, (number, reason, message)) in outcome.told.iter().enumerate() {
        if i > 0 {
            list.push(b',');
        }
        let mut one = Object::new(list);
        one.number("number", *number);
        write_text(one.member("reason"), reason);
        write_text(one.member("message"), message);
        one.end();
    }
    list.push(b']');
    let mut tally = Object::new(object.member("events"));
    write_tally(&mut tally, &outcome.tally);
    tally.end();
    write_next(&mut object, next);
    object.end();
    out
}
