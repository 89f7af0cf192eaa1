//! Decisions over HTTP: what an answer says, what is refused, and that nothing goes unlogged.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_event::Span;
use millrace_ledger::{Entries, Entry, Ledger, LedgerSettings, Run};
use millrace_serving::Models;
use millrace_serving::model::Model;
use millrace_store::{Access, Disk, Fault, FileDisk, MemoryDisk};
use millrace_stream::live::{Live, LiveSettings, now};
use serde_json::{Value, json};

use crate::world::{NOON, World, order, plan};

const MODEL: &str = include_str!("risk.txt");

fn models() -> Models {
    let model = Arc::new(Model::read(MODEL.as_bytes()).unwrap());
    Models::new(&plan(), vec![Some(Arc::clone(&model)), Some(model)]).unwrap()
}

/// A server that logs decisions on this disk.
fn world(disk: &Arc<dyn Disk>) -> (World, Ledger) {
    let models = models();
    let given = models.clone();
    let (on, folder) = (Arc::clone(disk), tempfile::tempdir().unwrap());
    let settings = LedgerSettings {
        sync_every: Duration::from_millis(20),
        ..LedgerSettings::new(folder.path().join("data"))
    };
    let mut ledger = None;
    let world = World::logging(
        folder,
        |settings, _: &mut LiveSettings| settings.models = given,
        |plan, live_settings| {
            let (live, recovery) = Live::open(plan.clone(), live_settings)?;
            let run = Run::new(&plan, &models, now(), Span(0), &recovery);
            let opened = Ledger::open(on, settings, &run).unwrap();
            ledger = Some(opened.clone());
            Ok((live, recovery, opened))
        },
    );
    (world, ledger.unwrap())
}

fn logged(disk: &Arc<dyn Disk>) -> Vec<Entry> {
    let mut entries = Entries::open(Arc::clone(disk)).unwrap();
    std::iter::from_fn(|| entries.next_entry().unwrap()).collect()
}

fn memory() -> Arc<dyn Disk> {
    Arc::new(MemoryDisk::new())
}

#[test]
fn a_decision_says_what_was_decided_and_why() {
    let disk = memory();
    let (world, ledger) = world(&disk);
    world.lines(&(order(1, 1, "a", "10") + &order(2, 2, "a", "20")));
    let asked = json!({"at": "2026-01-05T12:00:03Z", "customer": "a", "amount": 90}).to_string();
    let answered = world.json("/v1/decisions/accept", &asked);
    assert_eq!(answered.status, 200, "{answered:?}");
    let decided = answered.json();
    let risk = &decided["scores"]["risk"];
    assert_eq!((&decided["outcome"], &decided["rule"]), (&json!("block"), &json!(1)));
    assert_eq!(
        (&decided["reason"], &decided["decision"]),
        (&json!("risk >= 0.9"), &json!("accept"))
    );
    assert_eq!(risk["raw"], 3.0, "{decided}");
    let reason = json!({"feature": "ratio", "value": 6.0, "contribution": 4.5});
    assert_eq!(risk["reasons"][0], reason, "{decided}");
    assert_eq!(decided["shadow_scores"]["risk_next"]["raw"], 3.0);
    let orders = json!({"value": 2, "state": "ok", "age_ms": 0});
    assert_eq!(decided["features"]["orders_5m"], orders, "{decided}");
    let hash = Model::read(MODEL.as_bytes()).unwrap().hash().to_string();
    assert_eq!(decided["versions"]["models"], json!({"risk": hash, "risk_next": hash}));
    assert_eq!(decided["versions"]["definitions"], world.plan.hash.to_string());
    assert_eq!((&decided["frontier"], &decided["at"]), (&json!(1), &json!("2026-01-05T12:00:03Z")));
    assert_eq!(decided["unknown_fields"], Value::Null);
    let quiet = json!({"at": NOON, "customer": "b", "amount": 5, "custommer": "a"}).to_string();
    let misspelt = json!({"custommer": {"count": 1, "nearest": "customer"}});
    assert_eq!(world.json("/v1/views/checkout", &quiet).json()["unknown_fields"], misspelt);
    let quiet = world.json("/v1/decisions/accept", &quiet).json();
    assert_eq!(quiet["unknown_fields"], misspelt);
    assert_eq!((&quiet["outcome"], &quiet["rule"]), (&json!("allow"), &Value::Null));
    assert_eq!(quiet["reason"], "else");
    assert!(quiet["id"].as_str() > decided["id"].as_str());

    let entries = logged(&disk);
    assert_eq!(entries.len(), 2);
    let record = &entries[0].record;
    assert_eq!(record.id.to_string(), decided["id"].as_str().unwrap());
    assert_eq!((record.scores[0].raw, record.rule, record.frontier), (3.0, Some(0), 1));
    let fields = entries[0].form().fields.iter().zip(&record.event);
    let given: Vec<&str> =
        fields.filter(|(_, cell)| !cell.is_null(0)).map(|(f, _)| f.name.as_str()).collect();
    assert_eq!(given, ["at", "customer", "amount"], "what was left out is logged as such");

    let metrics = world.get("/metrics").body;
    for line in [
        "millrace_decisions_total{decision=\"accept\",outcome=\"block\"} 1",
        "millrace_decisions_total{decision=\"accept\",outcome=\"allow\"} 1",
        "millrace_decision_seconds_count 2",
        "millrace_decisions_logged 1",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} in {metrics}");
    }
    ledger.close();
    world.close();
}

#[test]
fn what_cannot_be_decided_is_refused_as_elsewhere() {
    let disk = memory();
    let (world, ledger) = world(&disk);
    let decide = |name: &str, body: &str| world.json(&format!("/v1/decisions/{name}"), body);
    let unknown = decide("acept", "{}");
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "unknown_decision"));
    assert!(unknown.body.contains("did you mean `accept`?"), "{unknown:?}");
    let bad = decide("accept", "{\"customer\":\"a\",\"amount\":\"many\"}");
    assert_eq!((bad.status, bad.code().as_str()), (400, "bad_event"));
    assert!(bad.body.contains("amount"), "{bad:?}");
    assert_eq!(decide("accept", "{\"amount\":1}").code(), "bad_event");
    assert_eq!(world.get("/v1/decisions/accept").code(), "method_not_allowed");
    // Its view reads a group that refuses an answer of an unknown age.
    world.live.expect_confirmation(1);
    let old = decide("greet", "{\"customer\":\"a\"}");
    assert_eq!((old.status, old.code().as_str()), (503, "too_old"));
    assert!(logged(&disk).is_empty(), "a refusal is no decision");
    world.live.confirm(1);
    let begun = Instant::now();
    while decide("greet", "{\"customer\":\"a\"}").status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(10));
        world.live.confirm(1);
    }
    ledger.close();
    assert_eq!(decide("greet", "{\"customer\":\"a\"}").code(), "stopping");
    world.close();
}

#[test]
fn a_server_without_models_or_a_log_decides_nothing() {
    let world = World::new();
    let none = world.json("/v1/decisions/accept", "{\"customer\":\"a\",\"amount\":1}");
    assert_eq!((none.status, none.code().as_str()), (503, "no_model"));
    let unlogged = world.json("/v1/decisions/greet", "{\"customer\":\"a\"}");
    assert_eq!((unlogged.status, unlogged.code().as_str()), (503, "decision_not_logged"));
    assert_eq!(world.get("/readyz").status, 200);
    world.close();
}

#[test]
fn when_the_disk_fails_nothing_is_decided() {
    let memory = MemoryDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(memory.clone());
    let (world, ledger) = world(&disk);
    let decide = || world.json("/v1/decisions/accept", "{\"customer\":\"a\",\"amount\":1}");
    assert_eq!(decide().status, 200);
    let (first, kind) = (memory.calls(), ErrorKind::StorageFull);
    memory.set_fault(Some(Fault { first, calls: u64::MAX, kind, half_done: false }));
    let refused = decide();
    assert_eq!((refused.status, refused.code().as_str()), (503, "decision_not_logged"));
    assert!(refused.header("retry-after").is_some());
    let ready = world.get("/readyz");
    assert_eq!((ready.status, ready.code().as_str()), (503, "decision_not_logged"));
    assert!(world.get("/metrics").body.contains("\nmillrace_decisions_logged 0\n"));
    memory.set_fault(None);
    assert_eq!(decide().code(), "decision_not_logged", "it stays so until the next start");
    assert_eq!(logged(&disk).len(), 1);
    // The views go on.
    let view = world.json("/v1/views/checkout", "{\"customer\":\"a\",\"amount\":1}");
    assert_eq!(view.status, 200);
    ledger.close();
    world.close();
}

#[test]
fn definitions_and_the_description_name_decisions() {
    let folder = tempfile::tempdir().unwrap();
    let given = models();
    let world = World::on(folder, |settings, _| settings.models = given);
    let json = world.get("/v1/definitions").json();
    let accept = &json["decisions"][0];
    assert_eq!((&accept["name"], &accept["view"]), (&json!("accept"), &json!("checkout")));
    assert_eq!(accept["scores"], json!(["risk"]));
    assert_eq!((&accept["shadows"], &accept["ready"]), (&json!(["risk_next"]), &json!(true)));
    assert_eq!(json["models"][0]["file"], "risk.txt");
    assert_eq!(json["models"][0]["file_hash"].as_str().unwrap().len(), 64);
    let description = world.get("/v1/openapi.json").json();
    let post = &description["paths"]["/v1/decisions/accept"]["post"];
    let body = &post["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(body, "#/components/schemas/request_checkout");
    world.close();
}

#[test]
fn decisions_of_a_folder_are_read_beside_their_server() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(folder.path(), Access::Owner).unwrap());
    let (world, ledger) = world(&disk);
    for n in 0..20 {
        let body = json!({"customer": format!("c{n}"), "amount": n}).to_string();
        assert_eq!(world.json("/v1/decisions/accept", &body).status, 200);
        let reads: Arc<dyn Disk> = Arc::new(FileDisk::open(folder.path(), Access::Read).unwrap());
        assert_eq!(logged(&reads).len(), n + 1);
    }
    ledger.close();
    world.close();
}
