use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::raw::{depth_beyond, raw_to_cell, too_deep};
use crate::columns::Cell;
use crate::dead::{Fault, FaultBox};
use crate::fields::Fields;
use crate::{Limits, Reason, UnknownFields};

/// Reads one JSON object into one cell per field. All cells are null before; after a fault they
/// hold anything.
pub(super) fn read<'a>(
    fields: &Fields,
    limits: &Limits,
    record: &'a [u8],
    cells: &mut [Cell<'a>],
    unknown: &mut UnknownFields,
) -> Result<(), FaultBox> {
    if record.len() > limits.record_bytes {
        return Err(Fault::record_too_large(record.len() as u64, limits));
    }
    let text = std::str::from_utf8(record).map_err(|_| Fault::bad_utf8())?;
    if !text.trim_ascii_start().starts_with('{') {
        return Err(not_an_object(text, limits));
    }
    let seen = Seen::new(fields.len());
    let mut walk = Walk { fields, limits, cells, seen, unknown, fault: None };
    let mut json = serde_json::Deserializer::from_str(text);
    let walked = json.deserialize_map(&mut walk).and_then(|()| json.end());
    let Walk { seen, fault, .. } = walk;
    // A record whose JSON is broken is said to be broken, whatever stood before the break.
    if let Err(e) = walked {
        return Err(bad_json(&e));
    }
    if let Some(fault) = fault {
        return Err(fault);
    }
    for (field, (required, cell)) in fields.required.iter().zip(&*cells).enumerate() {
        if *required && *cell == Cell::Null {
            let how = if seen.has(field) { "is null" } else { "is absent" };
            return Err(Fault::missing(fields.name(field), how));
        }
    }
    Ok(())
}

fn not_an_object(text: &str, limits: &Limits) -> FaultBox {
    if depth_beyond(text, limits.depth) {
        return too_deep(limits);
    }
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Fault::of_record(
            Reason::NotAnObject,
            "the record is not a JSON object; send {\"field\": value, …}".to_owned(),
        ),
        Err(e) => bad_json(&e),
    }
}

pub(super) fn bad_json(e: &serde_json::Error) -> FaultBox {
    let text = e.to_string();
    let cause = text.split(" at line ").next().unwrap_or_default();
    let fix = if cause.starts_with("expected value") {
        "send one whole object, with null for NaN and Infinity"
    } else if cause.starts_with("trailing characters") {
        "send one whole object; several, one on a line, are application/x-ndjson"
    } else {
        "send one whole object"
    };
    let message = format!("not valid JSON: {cause} (column {}); {fix}", e.column());
    Fault::of_record(Reason::BadJson, message)
}

/// Which fields have been met; schemas are small, so words of bits do.
struct Seen(Vec<u64>);

impl Seen {
    fn new(fields: usize) -> Seen {
        Seen(vec![0; fields.div_ceil(64)])
    }

    /// Notes the field; says whether it was there before.
    fn insert(&mut self, field: usize) -> bool {
        let bit = 1 << (field % 64);
        let before = self.0[field / 64] & bit != 0;
        self.0[field / 64] |= bit;
        before
    }

    fn has(&self, field: usize) -> bool {
        self.0[field / 64] & (1 << (field % 64)) != 0
    }
}

/// One walk over the members of an object. It goes on after a fault, to learn whether the rest is
/// JSON at all.
struct Walk<'w, 'a> {
    fields: &'w Fields,
    limits: &'w Limits,
    cells: &'w mut [Cell<'a>],
    seen: Seen,
    unknown: &'w mut UnknownFields,
    fault: Option<FaultBox>,
}

impl<'a> Visitor<'a> for &mut Walk<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let mut guess = 0;
        while let Some(field) =
            map.next_key_seed(Name { fields: self.fields, guess, unknown: self.unknown })?
        {
            let raw = map.next_value::<&'a RawValue>()?.get();
            if self.fault.is_some() {
                continue;
            }
            self.fault = self.member(field, raw).err();
            guess = field.map_or(guess, |at| at + 1);
        }
        Ok(())
    }
}

impl<'a> Walk<'_, 'a> {
    fn member(&mut self, field: Option<usize>, raw: &'a str) -> Result<(), FaultBox> {
        let nested = matches!(raw.as_bytes().first(), Some(b'{' | b'['));
        if nested && depth_beyond(raw, self.limits.depth.saturating_sub(1)) {
            return Err(too_deep(self.limits));
        }
        let Some(field) = field else { return Ok(()) };
        let name = self.fields.name(field);
        if self.seen.insert(field) {
            return Err(Fault::duplicate(name));
        }
        let ty = &self.fields.schema.fields[field].ty;
        let cell = raw_to_cell(self.fields.kinds[field], ty, raw, self.limits);
        self.cells[field] = cell.map_err(|problem| problem.of(name))?;
        Ok(())
    }
}

/// Reads a member's name as the field it means, if any.
struct Name<'w> {
    fields: &'w Fields,
    guess: usize,
    unknown: &'w mut UnknownFields,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let field = self.fields.find(name, self.guess);
        if field.is_none() {
            self.unknown.note(name);
        }
        Ok(field)
    }
}
