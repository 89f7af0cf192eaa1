use std::sync::Arc;

use millrace_api::{Server, Settings};
use millrace_feature::{SourceFile, compile};
use serde_json::Value;

use crate::world::{World, order, plan};

const EXAMPLE: &str = include_str!("../../../../docs/reference/openapi.json");
const PROJECT: &str = include_str!("../../../millrace/template/payments.mill");
const REFERENCE: &str = include_str!("../../../../docs/reference/http.md");

#[test]
fn definitions_say_what_is_computed() {
    let world = World::new();
    let json = world.get("/v1/definitions").json();
    assert_eq!(json["hash"], world.plan.hash.to_string());
    let names = |what: &str| -> Vec<String> {
        let all = json[what].as_array().unwrap();
        all.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("streams"), ["orders", "visits"]);
    assert_eq!(names("groups"), ["spending", "per_till", "visiting"]);
    assert_eq!(names("views"), ["checkout", "welcome"]);
    let group = &json["groups"][0];
    assert_eq!(group["key"], serde_json::json!(["customer"]));
    assert_eq!(group["features"][0]["window"]["width"], "5m");
    assert_eq!(group["features"][2]["type"], "decimal(2)");
    assert_eq!(json["groups"][2]["freshness"]["else"], "refuse");
    world.close();
}

#[test]
fn the_api_description_names_every_definition_and_every_reference_in_it_leads_somewhere() {
    let world = World::new();
    let json = world.get("/v1/openapi.json").json();
    assert_eq!(json["openapi"], "3.1.0");
    for path in [
        "/v1/streams/orders/events",
        "/v1/features/per_till/{customer}/{till}",
        "/v1/views/checkout",
        "/metrics",
    ] {
        assert!(json["paths"][path].is_object(), "{path}");
    }
    let required = json["components"]["schemas"]["request_checkout"]["required"].clone();
    assert_eq!(required, serde_json::json!(["customer", "amount"]));
    let mut references = Vec::new();
    collect(&json, &mut references);
    assert!(references.len() > 10);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(json.pointer(pointer).is_some(), "{reference}");
    }
    world.close();
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if name == "$ref" => references.push(text.to_owned()),
                    _ => collect(value, references),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|v| collect(v, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// With `MILLRACE_WRITE_EXAMPLES` set, the example is written anew.
#[test]
fn the_committed_example_is_what_the_server_says_of_the_first_project() {
    let sources = [SourceFile::new("payments.mill", PROJECT)];
    let plan = Arc::new(compile(&sources).plan.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let said = runtime.block_on(async {
        let settings = Settings::local(folder.path().join("data"));
        let server = Server::start(plan, settings).await.unwrap();
        let url = format!("http://{}", server.address());
        let timeout = std::time::Duration::from_secs(60);
        let client = millrace_api::Client::new(&url, None, timeout).unwrap();
        client.get("/v1/openapi.json").await.unwrap().body
    });
    let said = String::from_utf8(said).unwrap() + "\n";
    if std::env::var_os("MILLRACE_WRITE_EXAMPLES").is_some() {
        let path = "../../docs/reference/openapi.json";
        std::fs::write(path, &said).unwrap();
    }
    assert!(
        said == EXAMPLE || std::env::var_os("MILLRACE_WRITE_EXAMPLES").is_some(),
        "docs/reference/openapi.json is not what the server says; write it anew with \
         MILLRACE_WRITE_EXAMPLES=1 cargo test -p millrace-api"
    );
}

#[test]
fn metrics_count_what_happened() {
    let world = World::new();
    world.lines(&(order(1, 1, "a", "1") + "{bad\n"));
    world.get("/v1/features/spending/a");
    world.get("/v1/features/spendin/a");
    world.json("/v1/checkpoint", "{}");
    let answered = world.get("/metrics");
    assert_eq!(answered.header("content-type"), Some("text/plain; version=0.0.4"));
    for line in [
        "millrace_events_total{stream=\"orders\",outcome=\"applied\"} 1",
        "millrace_events_total{stream=\"orders\",outcome=\"dead_lettered\"} 1",
        "millrace_events_in_total{stream=\"orders\"} 2",
        "millrace_http_events_total{stream=\"orders\"} 2",
        "millrace_http_requests_total{route=\"/v1/features/{group}/{key}\",code=\"200\"} 1",
        "millrace_http_requests_total{route=\"/v1/features/{group}/{key}\",code=\"404\"} 1",
        "millrace_freshness_seconds_count 1",
        "millrace_read_seconds_count 1",
        "millrace_group_keys{group=\"spending\"} 1",
        "millrace_durable 1",
        "millrace_inbox_depth{kind=\"ingest\"} 0",
    ] {
        assert!(answered.body.lines().any(|l| l == line), "{line} in {}", answered.body);
    }
    for name in [
        "millrace_checkpoint_age_seconds",
        "millrace_checkpoint_bytes",
        "millrace_group_state_bytes",
    ] {
        assert!(answered.body.contains(&format!("\n{name}")), "{name}");
    }
    world.close();
}

#[test]
fn checkpoints_and_replays_can_be_asked_for() {
    let world = World::new();
    world.lines(&order(1, 1, "a", "1"));
    let late = order(2, 0, "a", "1").replace("12:00:00Z", "11:30:00Z");
    assert_eq!(world.lines(&late).json()["late"], 1);
    let json = world.json("/v1/checkpoint", "{}").json();
    assert!(json["epoch"].as_u64().unwrap() > 0 && json["bytes"].as_u64().unwrap() > 0);
    assert_eq!(world.json("/v1/late/replay", "{}").json()["replayed"], 1);
    assert_eq!(world.json("/v1/late/replay", "{}").json()["replayed"], 0);
    world.close();
}

#[test]
fn a_server_without_an_engine_says_that_it_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let settings = Settings::local(folder.path().join("data"));
        let server = Server::start(plan(), settings).await.unwrap();
        let url = format!("http://{}", server.address());
        let timeout = std::time::Duration::from_secs(60);
        let client = millrace_api::Client::new(&url, None, timeout).unwrap();
        for path in ["/readyz", "/v1/features/spending/a", "/v1/dead-letters"] {
            let reply = client.get(path).await.unwrap();
            let body = String::from_utf8(reply.body).unwrap();
            assert!(reply.status == 503 && body.contains("\"recovering\""), "{path}: {body}");
        }
        assert_eq!(client.get("/healthz").await.unwrap().status, 200);
        assert_eq!(client.get("/metrics").await.unwrap().status, 200);
    });
}

/// Every code that an answer can carry is explained.
#[test]
fn the_reference_has_every_code() {
    let source = include_str!("../../src/error.rs");
    let codes: Vec<&str> = source
        .split('"')
        .filter(|s| {
            s.contains('_')
                || ["unauthorized", "overloaded", "recovering", "stopping", "internal"].contains(s)
        })
        .filter(|s| s.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect();
    assert!(codes.len() >= 24, "{codes:?}");
    for code in codes {
        assert!(REFERENCE.contains(&format!("| `{code}` |")), "{code}");
    }
}
