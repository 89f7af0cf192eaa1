//! `GET /v1/definitions`: what is computed, scored and decided.

use millrace_aggregate::Window;
use millrace_event::{Schema, Span};
use millrace_feature::plan::{Decision, Feature, Freshness, Group, Model, Plan, Stale, View};
use millrace_serving::Models;
use serde_json::{Value, json};

/// The document, worked out once: the plan of a server does not change.
pub fn document(plan: &Plan, models: &Models) -> Vec<u8> {
    let streams: Vec<Value> = plan
        .streams
        .iter()
        .map(|stream| {
            let Schema { stream: name, fields, id, time, lateness } = &*stream.schema;
            let fields: Vec<Value> = fields
                .iter()
                .map(|f| json!({ "name": &*f.name, "type": f.ty.to_string(), "nullable": f.nullable }))
                .collect();
            json!({
                "name": &**name,
                "hash": stream.hash.to_string(),
                "fields": fields,
                "id": name_of(&stream.schema, *id),
                "time": name_of(&stream.schema, *time),
                "lateness": lateness.to_string(),
            })
        })
        .collect();
    let groups: Vec<Value> = plan.groups.iter().map(|g| group(plan, g)).collect();
    let views: Vec<Value> = plan.views.iter().map(|v| view(plan, v)).collect();
    let decisions: Vec<Value> = plan.decisions.iter().map(|d| decision(plan, models, d)).collect();
    let model = |(index, m): (usize, &Model)| {
        json!({
            "name": &*m.name,
            "file": &*m.file,
            "view": &*plan.views[m.view].name,
            "hash": m.hash.to_string(),
            "file_hash": models.get(index).map(|model| format!("{:#}", model.hash())),
        })
    };
    let all_models: Vec<Value> = plan.models.iter().enumerate().map(model).collect();
    let all = json!({
        "hash": plan.hash.to_string(),
        "streams": streams,
        "groups": groups,
        "views": views,
        "models": all_models,
        "decisions": decisions,
    });
    all.to_string().into_bytes()
}

fn name_of(schema: &Schema, index: usize) -> &str {
    schema.fields.get(index).map_or("", |field| &field.name)
}

fn group(plan: &Plan, group: &Group) -> Value {
    let schema = &plan.streams[group.stream].schema;
    let key: Vec<&str> = group.keys.iter().map(|k| name_of(schema, *k)).collect();
    let features: Vec<Value> = group.features.iter().map(feature).collect();
    json!({
        "name": &*group.name,
        "stream": &*schema.stream,
        "key": key,
        "owner": group.owner.as_deref(),
        "freshness": group.freshness.map(freshness),
        "hash": group.hash.to_string(),
        "features": features,
    })
}

fn feature(feature: &Feature) -> Value {
    json!({
        "name": &*feature.name,
        "family": &*feature.family,
        "window": feature.window.map(window),
        "type": feature.ty.to_string(),
        "nullable": feature.nullable,
        "hash": feature.hash.to_string(),
    })
}

fn window(window: Window) -> Value {
    match window {
        Window::Sliding { width, every } => {
            json!({ "width": width.to_string(), "every": every.map(|s| s.to_string()) })
        }
        Window::Lifetime => json!("lifetime"),
    }
}

fn freshness(freshness: Freshness) -> Value {
    json!({
        "within": freshness.within.to_string(),
        "last_good_for": freshness.last_good_for.map(|s: Span| s.to_string()),
        "else": match freshness.otherwise {
            Stale::Default => "default",
            Stale::Refuse => "refuse",
        },
    })
}

fn view(plan: &Plan, view: &View) -> Value {
    let schema = &plan.streams[view.stream].schema;
    let reads: Vec<&str> = view.reads.iter().map(|r| &*plan.groups[r.group].name).collect();
    let columns: Vec<Value> = view
        .columns
        .iter()
        .map(|c| json!({ "name": &*c.name, "type": c.ty.to_string(), "nullable": c.nullable }))
        .collect();
    json!({
        "name": &*view.name,
        "stream": &*schema.stream,
        "including": view.including,
        "reads": reads,
        "columns": columns,
        "hash": view.hash.to_string(),
    })
}

fn decision(plan: &Plan, models: &Models, decision: &Decision) -> Value {
    let names = |of: &[usize]| of.iter().map(|m| &*plan.models[*m].name).collect::<Vec<_>>();
    let rules: Vec<Value> = decision
        .rules
        .iter()
        .map(|rule| json!({ "outcome": rule.outcome.name(), "reason": &*rule.reason }))
        .collect();
    json!({
        "name": &*decision.name,
        "view": &*plan.views[decision.view].name,
        "scores": names(&decision.scores),
        "shadows": names(&decision.shadows),
        "rules": rules,
        "else": decision.otherwise.name(),
        "hash": decision.hash.to_string(),
        "ready": models.check(plan, decision).is_ok(),
    })
}
