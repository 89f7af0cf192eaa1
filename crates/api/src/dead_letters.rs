//! `GET /v1/dead-letters`: the records that could not be read.

use std::collections::BTreeSet;

use millrace_store::StoreError;
use millrace_stream::live::DeadEvent;

use crate::error::ApiError;
use crate::letter_log::{Chosen, LetterLog};
use crate::query::Query;
use crate::service::Service;
use crate::write::{Object, write_number};

/// Letters in one answer, and how many there are if the request does not say.
const LETTERS_MAX: u64 = 1_000;
const LETTERS_DEFAULT: u64 = 100;
/// Bytes of records held by one request.
const BYTES_MAX: usize = 16 << 20;

/// Which letters.
#[derive(Clone, Debug, Default)]
pub struct Which {
    pub chosen: Chosen,
    /// These alone.
    pub numbers: Option<BTreeSet<u64>>,
    /// Of these the record is not needed.
    pub mended: BTreeSet<u64>,
}

/// Letters with their numbers, and where to go on when there are more.
#[derive(Debug, Default)]
pub struct Found {
    pub letters: Vec<(u64, DeadEvent)>,
    pub next: Option<u64>,
}

pub async fn list(service: &Service, query: &Query) -> Result<Vec<u8>, ApiError> {
    let limit = query.number("limit")?.unwrap_or(LETTERS_DEFAULT);
    if limit > LETTERS_MAX {
        let what = format!("`limit` is {limit}, and at most {LETTERS_MAX} letters are listed");
        return Err(ApiError::BadRequest(what.into()));
    }
    let chosen = Chosen {
        stream: query.get("stream").map(str::to_owned),
        reason: query.get("reason").map(str::to_owned),
        from: query.number("from")?.unwrap_or(0),
    };
    let which = Which { chosen, ..Which::default() };
    let found = find(service, which, usize::try_from(limit).unwrap_or(usize::MAX)).await?;
    let mut out = Vec::with_capacity(256 * found.letters.len() + 64);
    let mut object = Object::new(&mut out);
    let list = object.member("dead_letters");
    list.push(b'[');
    for (i, (number, letter)) in found.letters.iter().enumerate() {
        if i > 0 {
            list.push(b',');
        }
        write_letter(list, *number, letter, service.marks.contains(*number, letter));
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

pub fn write_next(object: &mut Object<'_>, next: Option<u64>) {
    let out = object.member("next");
    match next {
        Some(next) => write_number(out, next),
        None => out.extend_from_slice(b"null"),
    }
}

/// Looks through the log, on a thread that may wait for the disk.
pub async fn find(service: &Service, which: Which, limit: usize) -> Result<Found, ApiError> {
    let dir = service.settings.data_dir.clone();
    let look = move || -> Result<Found, StoreError> {
        let Which { chosen, numbers, mended } = which;
        let mut log = LetterLog::open(&dir, chosen)?;
        let (mut found, mut bytes_held) = (Found::default(), 0);
        while let Some((number, mut letter)) = log.next_letter()? {
            if let Some(numbers) = &numbers {
                if numbers.last().is_none_or(|last| *last < number) {
                    break;
                }
                if !numbers.contains(&number) {
                    continue;
                }
            }
            if found.letters.len() >= limit || bytes_held >= BYTES_MAX {
                found.next = Some(number);
                break;
            }
            if mended.contains(&number) {
                letter.bytes = Vec::new();
            }
            bytes_held += letter.bytes.len();
            found.letters.push((number, letter));
        }
        Ok(found)
    };
    let looked = tokio::task::spawn_blocking(look).await;
    Ok(looked.map_err(|_| ApiError::Internal("the letters could not be read".to_owned()))??)
}
