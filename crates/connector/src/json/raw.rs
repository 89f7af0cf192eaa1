//! One JSON value, as its raw and valid text, read for the type that its place asks for.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use millrace_event::{Type, Value};
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::object::bad_json;
use crate::cell::number::{decimal, float};
use crate::cell::time::{duration, time};
use crate::cell::{Problem, cell_to_value, text_to_cell, text_to_value};
use crate::columns::Cell;
use crate::dead::{Fault, FaultBox};
use crate::fields::Kind;
use crate::{Limits, Reason};

/// The cell that `raw`, the text of one JSON value, makes in a column of this type.
pub(super) fn raw_to_cell<'a>(
    kind: Kind,
    ty: &Type,
    raw: &'a str,
    limits: &Limits,
) -> Result<Cell<'a>, Problem> {
    let bytes = raw.as_bytes();
    match bytes.first() {
        Some(b'n') => Ok(Cell::Null),
        Some(b'"') => string_to_cell(kind, ty, raw, limits),
        Some(b't' | b'f') => match kind {
            Kind::Bool => Ok(Cell::Word(i64::from(raw == "true"))),
            _ => Err(Problem::wrong_type(bytes, ty)),
        },
        Some(b'{' | b'[') => match kind {
            Kind::Nested if bytes.len() > limits.field_bytes => {
                Err(Problem::too_large(bytes.len(), limits))
            }
            Kind::Nested => nested_to_value(ty, raw, limits).map(Cell::Nested),
            _ => Err(Problem::wrong_type(bytes, ty)),
        },
        Some(_) | None => number_to_cell(kind, ty, bytes, limits),
    }
}

fn number_to_cell<'a>(
    kind: Kind,
    ty: &Type,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Cell<'a>, Problem> {
    if bytes.len() > limits.field_bytes {
        return Err(Problem::too_large(bytes.len(), limits));
    }
    let word = match kind {
        Kind::Int => decimal(bytes, 0),
        Kind::Decimal(scale) => decimal(bytes, scale),
        Kind::Time => time(bytes),
        Kind::Duration => duration(bytes),
        Kind::Float => {
            return float(bytes)
                .map(Cell::Float)
                .map_err(|fault| Problem::of_number(fault, bytes, ty));
        }
        Kind::Bool | Kind::Text | Kind::Nested => return Err(Problem::wrong_type(bytes, ty)),
    };
    word.map(Cell::Word).map_err(|fault| Problem::of_number(fault, bytes, ty))
}

fn string_to_cell<'a>(
    kind: Kind,
    ty: &Type,
    raw: &'a str,
    limits: &Limits,
) -> Result<Cell<'a>, Problem> {
    match unescaped(raw)? {
        Cow::Borrowed(text) if kind == Kind::Text && text.len() <= limits.field_bytes => {
            Ok(Cell::Text(Cow::Borrowed(text)))
        }
        Cow::Borrowed(text) => text_to_cell(ty, text.as_bytes(), limits),
        Cow::Owned(text) => text_to_cell(ty, text.as_bytes(), limits).map(Cell::into_owned),
    }
}

/// The text of a JSON string. Escapes are rare, so most strings are a part of the input.
fn unescaped(raw: &str) -> Result<Cow<'_, str>, Problem> {
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(raw).map(Cow::Owned).map_err(|_| {
        Problem::new(
            Reason::BadJson,
            "its text has half of a surrogate pair; write the character itself".to_owned(),
        )
    })
}

/// A list or a map from its JSON text, under the depth limit. A map is an object, each name being
/// the text of a key.
pub(crate) fn nested_to_value(ty: &Type, json: &str, limits: &Limits) -> Result<Value, Problem> {
    if depth_beyond(json, limits.depth.saturating_sub(1)) {
        return Err(Problem::new(Reason::TooDeep, too_deep(limits).message));
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let mut parts = Parts { ty, limits, problem: None };
    let value = match (ty, json.trim_ascii_start().as_bytes().first()) {
        (Type::List(_), Some(b'[')) => reader.deserialize_seq(&mut parts),
        (Type::Map(_, _), Some(b'{')) => reader.deserialize_map(&mut parts),
        _ => return Err(Problem::wrong_type(json.as_bytes(), ty)),
    };
    let value = value.and_then(|value| reader.end().map(|()| value));
    match (value, parts.problem) {
        (_, Some(problem)) => Err(problem),
        (Ok(value), None) => Ok(value),
        (Err(e), None) => Err(Problem::new(Reason::BadJson, bad_json(&e).message)),
    }
}

fn raw_to_value(ty: &Type, raw: &str, limits: &Limits) -> Result<Value, Problem> {
    raw_to_cell(Kind::of(ty), ty, raw, limits).map(|cell| cell_to_value(cell, ty))
}

/// Collects a list's or map's parts; its type fits the JSON's shape.
struct Parts<'w> {
    ty: &'w Type,
    limits: &'w Limits,
    problem: Option<Problem>,
}

impl<'de> Visitor<'de> for &mut Parts<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let Type::List(of) = self.ty else { return Ok(Value::Null) };
        let mut values = Vec::new();
        while let Some(raw) = seq.next_element::<&'de RawValue>()? {
            match raw_to_value(of, raw.get(), self.limits) {
                Ok(value) => values.push(value),
                Err(problem) => self.problem = Some(problem),
            }
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Type::Map(key_type, value_type) = self.ty else { return Ok(Value::Null) };
        let mut entries = Vec::new();
        while let Some((name, raw)) = map.next_entry::<String, &'de RawValue>()? {
            let entry = text_to_value(key_type, name.as_bytes(), self.limits).and_then(|key| {
                raw_to_value(value_type, raw.get(), self.limits).map(|value| (key, value))
            });
            match entry {
                Ok(entry) => entries.push(entry),
                Err(problem) => self.problem = Some(problem),
            }
        }
        if !sort_by_key(&mut entries) {
            self.problem = Some(duplicate_key());
        }
        Ok(Value::Map(entries))
    }
}

/// Puts a map's entries in the order of their keys; says whether the keys differ.
pub(crate) fn sort_by_key(entries: &mut [(Value, Value)]) -> bool {
    let order = |a: &Value, b: &Value| a.compare(b).unwrap_or(Ordering::Equal);
    entries.sort_by(|a, b| order(&a.0, &b.0));
    entries.windows(2).all(|pair| order(&pair[0].0, &pair[1].0) == Ordering::Less)
}

pub(crate) fn duplicate_key() -> Problem {
    Problem::new(Reason::DuplicateField, "two entries of the map have one key".to_owned())
}

pub(super) fn too_deep(limits: &Limits) -> FaultBox {
    let depth = limits.depth;
    Fault::of_record(
        Reason::TooDeep,
        format!("more than {depth} levels of JSON; send a flatter record, or raise the depth"),
    )
}

/// Whether the JSON text has more than `max` levels of objects and lists. A loop, not a recursion:
/// the text may be hostile.
pub(super) fn depth_beyond(json: &str, max: usize) -> bool {
    let mut depth = 0usize;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > max {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    false
}

/// Moves past the end of the string whose opening quote was just read.
pub(super) fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}
