//! What an answer to events says beside its counts: which came too late and by how much, and which
//! fields no stream declares.

use std::sync::atomic::Ordering;

use millrace_connector::{TimeFormat, UnknownFields, write_json};
use millrace_event::Schema;
use millrace_stream::live::LateEvent;

use crate::handover::Tally;
use crate::nearest::nearest;
use crate::service::Service;
use crate::write::{Object, write_text};

/// Unknown fields that an answer names.
const NAMES_TOLD: usize = 8;

/// Counts the unknown fields of a stream for `/metrics`.
pub fn count_unknown(service: &Service, stream: usize, unknown: &UnknownFields) {
    if let Some(counter) = service.meters.unknown_fields.get(stream) {
        counter.fetch_add(unknown.total(), Ordering::Relaxed);
    }
}

pub fn write_remarks(
    object: &mut Object<'_>,
    schema: &Schema,
    tally: &Tally,
    unknown: &UnknownFields,
) {
    write_late(object, schema, tally);
    write_unknown(object, schema, unknown);
}

fn write_late(object: &mut Object<'_>, schema: &Schema, tally: &Tally) {
    let out = object.member("late_events");
    out.push(b'[');
    for (i, LateEvent { id, at, late_before }) in tally.late_events.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let mut one = Object::new(out);
        let ty = &schema.fields[schema.id].ty;
        write_json(one.member("id"), id, ty, TimeFormat::Text);
        one.text("at", &at.to_string());
        one.text("late_by", &late_before.since(*at).to_string());
        one.text("late_before", &late_before.to_string());
        one.end();
    }
    out.push(b']');
    if tally.late > 0 {
        let (stream, lateness) = (&schema.stream, schema.lateness);
        let hint = format!(
            "`{stream}` takes events up to {lateness} behind the newest one of their source, as its \
             `late` says, and of a source that is new none behind what all the others have passed; \
             late ones are kept, and `millrace replay` or POST /v1/late/replay applies \
             them"
        );
        object.text("late_hint", &hint);
    }
}

/// The unknown fields of an event that was asked about, if it has any: a misspelt one would be taken
/// for one that was left out.
pub fn write_others(object: &mut Object<'_>, schema: &Schema, unknown: &UnknownFields) {
    if unknown.total() > 0 {
        write_unknown(object, schema, unknown);
    }
}

fn write_unknown(object: &mut Object<'_>, schema: &Schema, unknown: &UnknownFields) {
    let mut fields = Object::new(object.member("unknown_fields"));
    for (name, count) in unknown.names().take(NAMES_TOLD) {
        let mut one = Object::new(fields.member(name));
        one.number("count", count);
        let declared = schema.fields.iter().map(|field| &*field.name);
        if let Some(meant) = nearest(name, declared) {
            write_text(one.member("nearest"), meant);
        }
        one.end();
    }
    fields.end();
}

#[cfg(test)]
mod tests {
    use millrace_event::{EventTime, Field, Span, Type, Value};

    use super::*;

    fn schema() -> Schema {
        let field = |name: &str, ty| Field { name: name.into(), ty, nullable: false };
        Schema {
            stream: "orders".into(),
            fields: vec![field("id", Type::Int), field("at", Type::Timestamp)],
            id: 0,
            time: 1,
            lateness: Span::minutes(10),
        }
    }

    #[test]
    fn late_events_are_told_with_how_late_they_were() {
        let at: EventTime = "2026-01-05T11:00:00Z".parse().unwrap();
        let late_before = at.plus(Span::seconds(90));
        let late_events = vec![LateEvent { id: Value::Int(7), at, late_before }];
        let tally = Tally { late: 1, late_events, ..Tally::default() };
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        write_remarks(&mut object, &schema(), &tally, &UnknownFields::default());
        object.end();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let late = serde_json::json!({
            "id": 7, "at": "2026-01-05T11:00:00Z", "late_by": "90s",
            "late_before": "2026-01-05T11:01:30Z",
        });
        assert_eq!(json["late_events"], serde_json::json!([late]));
        let hint = json["late_hint"].as_str().unwrap();
        assert!(hint.contains("up to 10m") && hint.contains("millrace replay"), "{hint}");
        assert_eq!(json["unknown_fields"], serde_json::json!({}));
    }
}
