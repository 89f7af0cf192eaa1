//! `POST /v1/dead-letters/resubmit`: letters handed over again once they are mended or the
//! definitions are.
//!
//! A letter that can be read now is an event like any other: it is counted anew, and marked. One
//! that still cannot be read is told to the caller and stays as it is, so that trying again makes
//! no new letters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use millrace_connector::{JsonDecoder, UnknownFields};
use millrace_event::{Batch, Schema, State};
use millrace_stream::live::Live;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::admission::Admitted;
use crate::body::Body;
use crate::dead_letters::{Which, find, write_next};
use crate::error::ApiError;
use crate::events::write_tally;
use crate::handover::{Arrival, HandOver, Tally};
use crate::letter_log::Chosen;
use crate::service::Service;
use crate::write::{Object, write_text};

/// The partition of letters that are handed over again.
pub const PARTITION: &str = "dead-letters";
/// Letters handed over again by one request.
const RESUBMIT_MAX: usize = 10_000;
/// Letters handed over together, with the marks that say so.
const TOGETHER: usize = 256;
/// Letters that were not handed over, of which an answer tells.
const TOLD_MAX: usize = 100;

/// What to hand over again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resubmit {
    stream: Option<String>,
    reason: Option<String>,
    from: Option<u64>,
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

/// Letters by number, with what stands in the place of their records.
type Asked = BTreeMap<u64, Option<Box<RawValue>>>;

impl Resubmit {
    /// What to look for, and the letters that are asked for by their numbers.
    fn which(self) -> Result<(Which, Asked), ApiError> {
        let Resubmit { stream, reason, from, letters } = self;
        let refuse = |what: String| ApiError::BadRequest(what.into());
        let Some(letters) = letters else {
            let from = from.unwrap_or(0);
            let chosen = Chosen { stream, reason, from };
            return Ok((Which { chosen, ..Which::default() }, Asked::new()));
        };
        if stream.is_some() || reason.is_some() || from.is_some() {
            let what = "`letters` names them by number; leave out `stream`, `reason` and `from`";
            return Err(refuse(what.to_owned()));
        }
        let mut asked = Asked::new();
        for Mended { number, record } in letters {
            if asked.insert(number, record).is_some() {
                return Err(refuse(format!("letter {number} is given twice")));
            }
        }
        let numbers: BTreeSet<u64> = asked.keys().copied().collect();
        let is_mended = |(number, record): (&u64, &Option<_>)| record.as_ref().map(|_| *number);
        let which = Which {
            chosen: Chosen { from: numbers.first().copied().unwrap_or(0), ..Chosen::default() },
            mended: asked.iter().filter_map(is_mended).collect(),
            numbers: Some(numbers),
        };
        Ok((which, asked))
    }
}

/// What became of the letters.
#[derive(Debug, Default)]
struct Outcome {
    tally: Tally,
    resubmitted: u64,
    already: u64,
    still_dead: u64,
    /// Asked for by their numbers, and not in the log.
    unknown: u64,
    /// Asked for by their numbers, and left for another request.
    not_looked_at: u64,
    /// Some of the dead and unknown ones: number, reason, message.
    told: Vec<(u64, String, String)>,
}

impl Outcome {
    fn still_dead(&mut self, number: u64, reason: &str, message: String) {
        self.still_dead += 1;
        self.tell(number, reason, message);
    }

    fn unknown(&mut self, number: u64) {
        self.unknown += 1;
        let message = "no dead letter has this number (any more)".to_owned();
        self.tell(number, "unknown-letter", message);
    }

    fn tell(&mut self, number: u64, reason: &str, message: String) {
        if self.told.len() < TOLD_MAX {
            self.told.push((number, reason.to_owned(), message));
        }
    }
}

pub async fn resubmit(
    service: &Arc<Service>,
    live: &Live,
    admitted: Admitted,
    body: Body<'_>,
) -> Result<Vec<u8>, ApiError> {
    let body = body.whole().await?;
    let asked: Resubmit = serde_json::from_slice(&body).map_err(|error| {
        ApiError::BadRequest(format!("not a JSON object of letters to send: {error}").into())
    })?;
    // Held to the end: two requests must not hand the same letter over. Who comes second does not
    // wait, for a place among the senders of events would wait with it.
    let turn = service.marks.turn()?;
    let (service, live) = (Arc::clone(service), live.clone());
    // On its own: what was handed over is marked whether or not the client waits for it.
    let work = tokio::spawn(async move {
        let _held = (turn, admitted);
        hand_over(&service, &live, asked).await
    });
    work.await.map_err(|_| ApiError::Internal("the letters were not handed over".to_owned()))?
}

async fn hand_over(service: &Service, live: &Live, asked: Resubmit) -> Result<Vec<u8>, ApiError> {
    let (which, mut asked) = asked.which()?;
    let found = find(service, which, RESUBMIT_MAX).await?;
    let mut outcome = Outcome::default();
    let mut by_stream: BTreeMap<String, Vec<(u64, Vec<u8>)>> = BTreeMap::new();
    for (number, letter) in found.letters {
        let record = asked.remove(&number).flatten();
        if service.marks.contains(number, &letter) {
            outcome.already += 1;
            continue;
        }
        let bytes = record.map_or(letter.bytes, |r| r.get().as_bytes().to_vec());
        by_stream.entry(letter.stream.unwrap_or_default()).or_default().push((number, bytes));
    }
    for number in asked.into_keys() {
        if found.next.is_some_and(|next| next <= number) {
            outcome.not_looked_at += 1;
        } else {
            outcome.unknown(number);
        }
    }
    for (stream, letters) in by_stream {
        resubmit_stream(service, live, &stream, &letters, &mut outcome).await?;
    }
    Ok(answer(&outcome, found.next))
}

async fn resubmit_stream(
    service: &Service,
    live: &Live,
    name: &str,
    letters: &[(u64, Vec<u8>)],
    outcome: &mut Outcome,
) -> Result<(), ApiError> {
    let Some(stream) = service.plan.stream(name) else {
        let message = match name {
            "" => "the letter names no stream that it could be handed to".to_owned(),
            name => format!("no stream `{name}` is defined any more"),
        };
        for (number, _) in letters {
            outcome.still_dead(*number, "unknown-stream", message.clone());
        }
        return Ok(());
    };
    let schema = &service.plan.streams[stream].schema;
    for some in letters.chunks(TOGETHER) {
        let arrival = Arrival::now();
        let decoder = JsonDecoder::new(Arc::clone(schema), service.settings.records)
            .with_rules(Arc::clone(live.rules(stream)), arrival.received);
        let (batch, numbers) = readable(schema, &decoder, some, outcome);
        if batch.is_empty() {
            continue;
        }
        let mut marked = service.marks.of(name);
        numbers.into_iter().for_each(|number| marked.insert(number));
        let mut hand_over = HandOver::new(live, &service.queue, &service.meters, stream, PARTITION);
        let position = Some(marked.write());
        hand_over.push(batch, Vec::new(), position, arrival).await?;
        let tally = hand_over.durable().await?;
        service.marks.set(name, marked);
        let taken = tally.accepted + tally.duplicate + tally.late;
        outcome.resubmitted += taken;
        service.meters.resubmitted.fetch_add(taken, Ordering::Relaxed);
        outcome.tally.add(tally);
    }
    Ok(())
}

/// The events of those letters that the engine would take now, and their numbers.
fn readable(
    schema: &Arc<Schema>,
    decoder: &JsonDecoder,
    letters: &[(u64, Vec<u8>)],
    outcome: &mut Outcome,
) -> (Batch, Vec<u64>) {
    let mut batch = Batch::new(Arc::clone(schema));
    let mut numbers = Vec::with_capacity(letters.len());
    for (number, bytes) in letters {
        match decoder.row(bytes, PARTITION, &mut UnknownFields::default()) {
            Ok(row) => {
                for (column, value) in batch.columns.iter_mut().zip(&row) {
                    column.push(value, State::Ok);
                }
                numbers.push(*number);
            }
            Err(letter) => outcome.still_dead(*number, letter.reason.name(), letter.message),
        }
    }
    (batch, numbers)
}

fn answer(outcome: &Outcome, next: Option<u64>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut object = Object::new(&mut out);
    object.number("resubmitted", outcome.resubmitted);
    object.number("already", outcome.already);
    object.number("still_dead", outcome.still_dead);
    object.number("unknown", outcome.unknown);
    object.number("not_looked_at", outcome.not_looked_at);
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
