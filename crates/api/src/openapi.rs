//! `GET /v1/openapi.json`: what this server takes and answers, by the names of its definitions.

use millrace_event::{Field, KeyKind, Type};
use millrace_feature::plan::{Decision, Group, Plan, View};
use millrace_serving::request_schema;
use serde_json::{Map, Value, json};

/// The OpenAPI 3.1 document of a plan; equal for equal definitions.
pub fn document(plan: &Plan) -> Vec<u8> {
    let mut paths = Map::new();
    let mut schemas = shared_schemas();
    for stream in &plan.streams {
        let name = &stream.schema.stream;
        let event = format!("event_{name}");
        schemas.insert(event.clone(), event_schema(&stream.schema.fields));
        paths.insert(format!("/v1/streams/{name}/events"), post_events(&event));
    }
    for group in &plan.groups {
        let (path, operation) = get_group(plan, group);
        paths.insert(path, operation);
        let features = group.features.iter().map(|f| (&*f.name, &f.ty));
        schemas.insert(format!("features_{}", group.name), values_schema(features));
    }
    for view in &plan.views {
        paths.insert(format!("/v1/views/{}", view.name), post_view(view));
        let request = request_schema(plan, view);
        schemas.insert(format!("request_{}", view.name), event_schema(&request.fields));
        let columns = view.columns.iter().map(|c| (&*c.name, &c.ty));
        schemas.insert(format!("view_{}", view.name), values_schema(columns));
    }
    for decision in &plan.decisions {
        paths.insert(format!("/v1/decisions/{}", decision.name), post_decision(plan, decision));
    }
    fixed_paths(&mut paths);
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Millrace",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("Definitions {}", plan.hash),
        },
        "security": [{}, { "key": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas,
        },
    });
    serde_json::to_vec_pretty(&document).expect("a JSON value can be written to memory")
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn content(schema: Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

/// The answers of every operation: what it says when all is well, and the error.
fn answers(schema: Value) -> Value {
    json!({
        "200": { "description": "done", "content": content(schema) },
        "default": { "description": "refused", "content": content(reference("error")) },
    })
}

fn post_events(event: &str) -> Value {
    let one = reference(event);
    json!({ "post": {
        "summary": "Hands events over; answers when they are durable",
        "parameters": [{
            "name": "partition", "in": "query", "required": false,
            "schema": { "type": "string", "maxLength": 64 },
        }],
        "requestBody": { "required": true, "content": {
            "application/x-ndjson": { "schema": { "type": "string" } },
            "application/json": {
                "schema": { "oneOf": [one, { "type": "array", "items": one }] },
            },
        } },
        "responses": answers(reference("receipt")),
    } })
}

fn get_group(plan: &Plan, group: &Group) -> (String, Value) {
    let fields = &plan.streams[group.stream].schema.fields;
    let mut path = format!("/v1/features/{}", group.name);
    let mut parameters = Vec::new();
    for (key, kind) in group.keys.iter().zip(&group.key_kinds) {
        let name = &*fields[*key].name;
        path.push_str(&format!("/{{{name}}}"));
        let ty = match kind {
            KeyKind::Int => "integer",
            KeyKind::Text => "string",
        };
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "schema": { "type": ty },
        }));
    }
    parameters.push(json!({
        "name": "at", "in": "query", "required": false,
        "schema": { "type": "string", "format": "date-time" },
    }));
    let values = reference(&format!("features_{}", group.name));
    let operation = json!({ "get": {
        "summary": format!("The features of {} for one key", group.name),
        "parameters": parameters,
        "responses": answers(answer_schema("group", values)),
    } });
    (path, operation)
}

fn post_view(view: &View) -> Value {
    let values = reference(&format!("view_{}", view.name));
    let request = reference(&format!("request_{}", view.name));
    json!({ "post": {
        "summary": format!("The vector of {} for one event", view.name),
        "requestBody": { "required": true, "content": content(request) },
        "responses": answers(answer_schema("view", values)),
    } })
}

fn post_decision(plan: &Plan, decision: &Decision) -> Value {
    let view = &plan.views[decision.view].name;
    let request = reference(&format!("request_{view}"));
    let scores = |models: &[usize]| {
        let one = |m: &usize| (plan.models[*m].name.to_string(), reference("score"));
        json!({ "type": "object", "properties": models.iter().map(one).collect::<Map<_, _>>() })
    };
    let text = json!({ "type": "string" });
    let schema = json!({
        "type": "object",
        "required": ["decision", "id", "decided_at", "at", "outcome", "reason", "rule", "scores",
            "shadow_scores", "features", "versions", "frontier"],
        "properties": {
            "decision": text,
            "id": { "type": "string", "format": "uuid" },
            "decided_at": { "type": "string", "format": "date-time" },
            "at": { "type": "string", "format": "date-time" },
            "outcome": { "type": "string", "enum": ["allow", "review", "block"] },
            "reason": text,
            "rule": { "type": ["integer", "null"], "minimum": 1 },
            "scores": scores(&decision.scores),
            "shadow_scores": scores(&decision.shadows),
            "features": reference(&format!("view_{view}")),
            "versions": { "type": "object" },
            "frontier": { "type": "integer" },
            "hint": text,
            "unknown_fields": unknown_fields(),
        },
    });
    json!({ "post": {
        "summary": format!("Decides {} for one event, and logs it", decision.name),
        "requestBody": { "required": true, "content": content(request) },
        "responses": answers(schema),
    } })
}

fn answer_schema(what: &str, values: Value) -> Value {
    json!({
        "type": "object",
        "required": [what, "at", "definition", "frontier", "values"],
        "properties": {
            what: { "type": "string" },
            "key": { "type": "array" },
            "at": { "type": "string", "format": "date-time" },
            "definition": { "type": "string" },
            "frontier": { "type": "integer" },
            "values": values,
            "hint": { "type": "string" },
            "unknown_fields": unknown_fields(),
        },
    })
}

/// Fields of events that their stream does not declare.
fn unknown_fields() -> Value {
    json!({ "type": "object", "additionalProperties": {
        "type": "object",
        "properties": { "count": { "type": "integer", "minimum": 0 }, "nearest": { "type": "string" } },
    } })
}

fn event_schema(fields: &[Field]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|f| (f.name.to_string(), schema_of(&f.ty, f.nullable))).collect();
    let required: Vec<&str> = fields.iter().filter(|f| !f.nullable).map(|f| &*f.name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn values_schema<'a>(values: impl Iterator<Item = (&'a str, &'a Type)>) -> Value {
    // A limit or an overflow makes any value null.
    let one = |ty: &Type| {
        json!({
            "type": "object",
            "required": ["value", "state", "age_ms"],
            "properties": {
                "value": schema_of(ty, NULLABLE),
                "state": reference("state"),
                "age_ms": { "type": "number" },
            },
        })
    };
    let properties: Map<String, Value> =
        values.map(|(name, ty)| (name.to_owned(), one(ty))).collect();
    json!({ "type": "object", "properties": properties })
}

const NULLABLE: bool = true;

fn schema_of(ty: &Type, nullable: bool) -> Value {
    let (name, format) = match ty {
        Type::Bool => ("boolean", None),
        Type::Int => ("integer", Some("int64")),
        Type::Float => ("number", Some("double")),
        Type::Decimal(_) => ("number", None),
        Type::String => ("string", None),
        Type::Timestamp => ("string", Some("date-time")),
        Type::Duration => ("string", None),
        Type::Key(entity) => match entity.kind {
            KeyKind::Int => ("integer", Some("int64")),
            KeyKind::Text => ("string", None),
        },
        Type::List(_) => ("array", None),
        Type::Map(_, _) => ("object", None),
    };
    let mut schema = Map::new();
    let kind = if nullable { json!([name, "null"]) } else { json!(name) };
    schema.insert("type".to_owned(), kind);
    if let Some(format) = format {
        schema.insert("format".to_owned(), json!(format));
    }
    schema.insert("description".to_owned(), json!(ty.to_string()));
    match ty {
        Type::List(of) => {
            schema.insert("items".to_owned(), schema_of(of, !NULLABLE));
        }
        Type::Map(_, of) => {
            schema.insert("additionalProperties".to_owned(), schema_of(of, !NULLABLE));
        }
        Type::Bool
        | Type::Int
        | Type::Float
        | Type::Decimal(_)
        | Type::String
        | Type::Timestamp
        | Type::Duration
        | Type::Key(_) => {}
    }
    Value::Object(schema)
}

/// What a model says, and what made it say so.
fn score_schema() -> Value {
    json!({
        "type": "object",
        "required": ["score", "raw", "reasons"],
        "properties": {
            "score": { "type": ["number", "null"] },
            "raw": { "type": ["number", "null"] },
            "reasons": { "type": "array", "items": {
                "type": "object",
                "required": ["feature", "value", "contribution"],
                "properties": {
                    "feature": { "type": "string" },
                    "value": {},
                    "contribution": { "type": ["number", "null"] },
                },
            } },
        },
    })
}

fn shared_schemas() -> Map<String, Value> {
    let count = json!({ "type": "integer", "minimum": 0 });
    let shared = json!({
        "state": {
            "type": "string",
            "enum": ["ok", "empty", "default", "stale", "limit", "overflow"],
        },
        "error": {
            "type": "object",
            "required": ["error"],
            "properties": { "error": {
                "type": "object",
                "required": ["code", "message", "hint"],
                "properties": {
                    "code": { "type": "string" },
                    "message": { "type": "string" },
                    "hint": { "type": "string" },
                },
            } },
        },
        "score": score_schema(),
        "receipt": {
            "type": "object",
            "properties": {
                "stream": { "type": "string" },
                "received": count,
                "accepted": count,
                "duplicate": count,
                "late": count,
                "dead_lettered": count,
                "causes": { "type": "object", "additionalProperties": count },
                "dead_letters": { "type": "array" },
                "frontier": count,
                "late_events": { "type": "array", "items": {
                    "type": "object",
                    "properties": {
                        "id": { "type": ["string", "integer"] },
                        "at": { "type": "string", "format": "date-time" },
                        "late_by": { "type": "string" },
                        "late_before": { "type": "string", "format": "date-time" },
                    },
                } },
                "late_hint": { "type": "string" },
                "unknown_fields": unknown_fields(),
            },
        },
    });
    match shared {
        Value::Object(shared) => shared,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

/// The paths in which no definition is named.
fn fixed_paths(paths: &mut Map<String, Value>) {
    let operation = |summary: &str| {
        let any = json!({ "type": "object" });
        json!({ "summary": summary, "responses": answers(any) })
    };
    let with_body = |summary: &str| {
        let mut operation = operation(summary);
        operation["requestBody"] =
            json!({ "required": true, "content": content(json!({ "type": "object" })) });
        operation
    };
    for (path, method, operation) in [
        ("/v1/features", "post", with_body("The features of many groups and keys")),
        ("/v1/definitions", "get", operation("What is computed, scored and decided, with hashes")),
        ("/v1/openapi.json", "get", operation("This document")),
        ("/v1/dead-letters", "get", operation("The records that could not be read")),
        ("/v1/dead-letters/resubmit", "post", with_body("Hands dead letters over again")),
        ("/v1/late/replay", "post", operation("Applies the late events that wait")),
        ("/v1/checkpoint", "post", operation("Takes a checkpoint now")),
        ("/healthz", "get", operation("Whether the process lives")),
        ("/readyz", "get", operation("Whether requests are answered")),
    ] {
        paths.insert(path.to_owned(), json!({ method: operation }));
    }
    paths.insert(
        "/metrics".to_owned(),
        json!({ "get": {
            "summary": "Counts and times for Prometheus",
            "responses": { "200": {
                "description": "done",
                "content": { "text/plain": { "schema": { "type": "string" } } },
            } },
        } }),
    );
}
