//! `GET /v1/features/{group}/{key}` and `POST /v1/features`: values of feature groups.

use std::borrow::Cow;

use millrace_event::{EventTime, Key};
use millrace_serving::{KeyPart, parse_key, serve_group};
use millrace_stream::live::{Live, ReadRequest, now};
use serde::Deserialize;

use crate::ask;
use crate::body::Body;
use crate::error::{ApiError, Named};
use crate::query::Query;
use crate::route::shown;
use crate::service::Service;
use crate::write::{Object, write_remedy, write_values};

/// One key of one group, as a path names it.
pub async fn one(
    service: &Service,
    live: &Live,
    group: &str,
    parts: &[String],
    query: &Query,
) -> Result<Vec<u8>, ApiError> {
    let at = query.get("at").map_or_else(|| Ok(now()), parse_at)?;
    let index = service.group(group)?;
    let key_parts: Vec<KeyPart<'_>> = parts.iter().map(|p| KeyPart::text(p.as_str())).collect();
    let key = parse_key(&service.plan, index, &key_parts)?;
    let mut reply = ask::read(live, vec![ReadRequest { group: index, key, at }]).await?;
    let missing = || ApiError::Internal("the engine answered less than was asked".to_owned());
    let answers = reply.answers.pop().ok_or_else(missing)?;
    let age = reply.ages.pop().ok_or_else(missing)?;
    let group = &service.plan.groups[index];
    let served = serve_group(group, answers, age, reply.frontier)?;
    let mut out = Vec::with_capacity(128 + 64 * served.values.len());
    let mut object = Object::new(&mut out);
    object.text("group", &group.name);
    write_key(object.member("key"), &key_parts);
    object.text("at", &at.to_string());
    object.text("definition", &served.definition.to_string());
    object.number("frontier", served.frontier);
    write_values(object.member("values"), &served);
    write_remedy(&mut object, &served);
    object.end();
    Ok(out)
}

pub fn parse_at(text: &str) -> Result<EventTime, ApiError> {
    text.parse().map_err(|_| ApiError::BadTime { given: shown(text) })
}

/// Many keys of many groups, all at one time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    at: Option<String>,
    reads: Vec<GroupKeys>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupKeys {
    group: String,
    keys: Vec<GivenKey>,
}

/// A key of one part as it is, one of several as a list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum GivenKey {
    One(Part),
    Several(Vec<Part>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Part {
    Int(i64),
    Text(String),
}

impl Part {
    fn as_key_part(&self) -> KeyPart<'_> {
        match self {
            Part::Int(n) => KeyPart::Int(*n),
            Part::Text(text) => KeyPart::Text(Cow::Borrowed(text)),
        }
    }
}

impl GivenKey {
    fn parts(&self) -> Vec<KeyPart<'_>> {
        match self {
            GivenKey::One(part) => vec![part.as_key_part()],
            GivenKey::Several(parts) => parts.iter().map(Part::as_key_part).collect(),
        }
    }
}

pub async fn many(service: &Service, live: &Live, body: Body<'_>) -> Result<Vec<u8>, ApiError> {
    let body = body.whole().await?;
    let asked: Many = serde_json::from_slice(&body).map_err(|error| {
        let what = format!("not {{\"reads\":[{{\"group\":…,\"keys\":[…]}}]}}: {error}");
        ApiError::BadRequest(what.into())
    })?;
    let (given, limit) =
        (asked.reads.iter().map(|r| r.keys.len()).sum(), service.settings.limits.reads_max);
    if given > limit {
        return Err(ApiError::TooManyReads { given, limit });
    }
    let at = asked.at.as_deref().map_or_else(|| Ok(now()), parse_at)?;
    let mut requests = Vec::with_capacity(given);
    for read in &asked.reads {
        let group = service.group(&read.group)?;
        for key in &read.keys {
            let key: Key = parse_key(&service.plan, group, &key.parts())?;
            requests.push(ReadRequest { group, key, at });
        }
    }
    let groups: Vec<usize> = requests.iter().map(|r| r.group).collect();
    let reply = ask::read(live, requests).await?;
    let mut out = Vec::with_capacity(256 * given.max(1));
    let mut object = Object::new(&mut out);
    object.text("at", &at.to_string());
    object.number("frontier", reply.frontier);
    let keys = asked.reads.iter().flat_map(|read| &read.keys);
    let mut answers = groups.iter().zip(keys).zip(reply.answers.into_iter().zip(&reply.ages));
    let list = object.member("groups");
    list.push(b'[');
    for (i, read) in asked.reads.iter().enumerate() {
        if i > 0 {
            list.push(b',');
        }
        let group = &service.plan.groups[service.group(&read.group)?];
        let mut one = Object::new(list);
        one.text("group", &group.name);
        one.text("definition", &group.hash.to_string());
        let keys = one.member("keys");
        keys.push(b'[');
        for (i, ((_, key), (answer, age))) in answers.by_ref().take(read.keys.len()).enumerate() {
            if i > 0 {
                keys.push(b',');
            }
            let mut entry = Object::new(keys);
            write_key(entry.member("key"), &key.parts());
            // One group that is too old does not take the others' values away.
            match serve_group(group, answer, *age, reply.frontier) {
                Ok(served) => {
                    write_values(entry.member("values"), &served);
                    write_remedy(&mut entry, &served);
                }
                Err(too_old) => {
                    crate::answer::write_error(entry.member("error"), &too_old.into());
                }
            }
            entry.end();
        }
        keys.push(b']');
        one.end();
    }
    list.push(b']');
    object.end();
    Ok(out)
}

fn write_key(out: &mut Vec<u8>, parts: &[KeyPart<'_>]) {
    out.push(b'[');
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        match part {
            KeyPart::Text(text) => crate::write::write_text(out, text),
            KeyPart::Int(n) => out.extend_from_slice(itoa::Buffer::new().format(*n).as_bytes()),
        }
    }
    out.push(b']');
}

impl Service {
    pub fn group(&self, name: &str) -> Result<usize, ApiError> {
        let names = || self.plan.groups.iter().map(|g| &*g.name);
        self.plan.group(name).ok_or_else(|| unknown(Named::Group, name, names()))
    }
}

/// The error for a name that nothing has, with the nearest that something has.
pub fn unknown<'a>(
    what: Named,
    given: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> ApiError {
    let hint = crate::nearest::did_you_mean(given, known);
    ApiError::Unknown { what, given: shown(given), hint }
}
