//! One record in a hundred is poison: nothing is lost, nothing stops, and all of it can be mended.

use std::collections::BTreeMap;

use millrace_conformance::prng::Prng;
use millrace_event::{EventTime, Span};
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use crate::http::Connection;
use crate::load::{Counts, EVENTS, NDJSON, now};
use crate::model::{Event, Model};
use crate::project::Project;
use crate::server::{Server, command};
use crate::{Options, Outcome};

const EVENTS_MIN: u64 = 50_000;
const ROWS: usize = 200;
const HUGE_BYTES: usize = 5 << 20;
/// As many as there are records of five mebibytes: they are a burden for the test, too.
const HUGE_MAX: usize = 24;

/// The ways in which a record is spoilt.
const KINDS: [&str; 6] = ["syntax", "type", "huge", "depth", "utf-8", "future"];

/// The record of an event, spoilt; its id stays readable.
fn spoil(event: &Event, kind: &str) -> Vec<u8> {
    let mut record = event.json();
    let start = format!("{{\"id\":\"{}\",", event.id);
    let text = |rest: &str| format!("{start}{rest}\n").into_bytes();
    match kind {
        "syntax" => text("\"at\": yesterday, \"card\"}"),
        "type" => {
            record["shop"] = json!("seven");
            format!("{record}\n").into_bytes()
        }
        "huge" => text(&format!("\"card\":\"{}\"}}", "x".repeat(HUGE_BYTES))),
        "depth" => text(&format!("\"card\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000))),
        "utf-8" => [start.as_bytes(), b"\"card\":\"\xff\xfe\xc3\x28\"}\n"].concat(),
        _ => {
            record["at"] = json!(now().plus(Span::hours(72)).to_string());
            format!("{record}\n").into_bytes()
        }
    }
}

/// What was sent.
#[derive(Debug, Default)]
struct Sent {
    records: u64,
    counts: Counts,
    causes: BTreeMap<String, u64>,
    /// Events whose records were spoilt, by id, to be mended.
    spoilt: BTreeMap<String, Event>,
    by_kind: BTreeMap<&'static str, usize>,
}

pub fn run(options: &Options) -> Outcome {
    let project = Project::new();
    let server = Server::start(project.folder.path(), &project.data());
    let server = server.unwrap_or_else(|error| panic!("{error}"));
    let mut connection = server.connect();
    let mut random = Prng::new(options.seed);
    let mut model = Model::new(&project.plan);
    let mut sent = Sent::default();
    while sent.records < EVENTS_MIN {
        send(&mut connection, &mut random, &mut model, &mut sent);
    }
    let total = Counts::of_metrics(&mut connection);
    assert_eq!(total, sent.counts);
    assert_eq!(total.total(), sent.records);
    assert_eq!(total.dead, sent.spoilt.len() as u64);
    let before = model.compare(&mut server.connect(), now());

    let mended = mend(&project, &sent.spoilt);
    let (file, url) = (project.folder.path().join("mended"), format!("http://{}", server.address));
    let lines: String = mended.values().map(|(line, _)| line.as_str()).collect();
    std::fs::write(&file, lines).expect("there is room for a test");
    let file = file.to_str().expect("a path of ASCII");
    let said = command(&["dead-letters", "resubmit", "--url", &url, "--file", file]);
    let said = String::from_utf8_lossy(&said.unwrap_or_else(|e| panic!("{e}"))).into_owned();
    let total_after = Counts::of_metrics(&mut server.connect());
    let applied = total.applied + mended.len() as u64;
    assert_eq!((total_after.applied, total_after.duplicate), (applied, total.duplicate), "{said}");
    mended.values().for_each(|(_, event)| model.count(event));
    let after = model.compare(&mut server.connect(), now());
    assert!(server.stop(), "the server stops in order when asked to");
    Outcome::Passed(format!(
        "  in {} = applied {} + duplicate {} + late {} + dead letters {}\n  \
         spoilt {:?}, by the server's causes {:?}\n  \
         {before} values compared, and {after} after {} dead letters were exported, mended and sent",
        sent.records,
        total.applied,
        total.duplicate,
        total.late,
        total.dead,
        sent.by_kind,
        sent.causes,
        mended.len()
    ))
}

fn send(server: &mut Connection, random: &mut Prng, model: &mut Model, sent: &mut Sent) {
    let mut body = Vec::new();
    let mut expected = Counts::default();
    let mut fresh: Vec<Event> = Vec::new();
    for _ in 0..ROWS {
        sent.records += 1;
        let id = format!("p-{}", sent.records);
        let now = now();
        let at = EventTime(now.0 - random.between(0, 60_000_000));
        let event = Event::random(random, id, at);
        match random.below(200) {
            0 | 1 => {
                let mut kind = KINDS[random.below(KINDS.len())];
                if kind == "huge" && sent.by_kind.get(kind).is_some_and(|n| *n >= HUGE_MAX) {
                    kind = "type";
                }
                expected.dead += 1;
                body.extend(spoil(&event, kind));
                *sent.by_kind.entry(kind).or_default() += 1;
                sent.spoilt.insert(event.id.clone(), event);
            }
            2..6 if !fresh.is_empty() => {
                expected.duplicate += 1;
                body.extend(random.pick(&fresh).line().into_bytes());
            }
            6..8 if sent.counts.applied > 0 => {
                expected.late += 1;
                let at = EventTime(now.0 - random.between(2, 99) * 3_600_000_000);
                let id = format!("late-{}", sent.records);
                body.extend(Event::random(random, id, at).line().into_bytes());
            }
            _ => {
                expected.applied += 1;
                body.extend(event.line().into_bytes());
                fresh.push(event);
            }
        }
    }
    let (counts, answer) = post(server, &body);
    assert_eq!(counts, expected, "{answer}");
    for (cause, count) in answer["causes"].as_object().into_iter().flatten() {
        *sent.causes.entry(cause.clone()).or_default() += count.as_u64().unwrap_or(0);
    }
    sent.counts.add(counts);
    fresh.iter().for_each(|event| model.count(event));
}

fn post(server: &mut Connection, body: &[u8]) -> (Counts, Json) {
    let answer = server.post(EVENTS, NDJSON, body).expect("the server answers");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    (Counts::of(&answer), answer)
}

/// The dead letters as the program exports them, mended: each is the record of an event that was
/// spoilt, and is replaced by what that event should have been. By id: the line, and the event.
fn mend(project: &Project, spoilt: &BTreeMap<String, Event>) -> BTreeMap<String, (String, Event)> {
    let folder = project.folder.path().to_str().expect("a path of ASCII");
    let export = ["dead-letters", "export", "--numbered", "--stream", "pay", "--project", folder];
    let exported = command(&export).unwrap_or_else(|error| panic!("{error}"));
    let mut mended = BTreeMap::new();
    for line in exported.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        // Not as values: one of them is nested deeper than a reader of values goes.
        let letter: BTreeMap<String, Box<RawValue>> =
            serde_json::from_slice(line).expect("a letter is a line of JSON");
        // Either a record that is JSON, or text that is none.
        let record = letter["record"].get();
        let text: String = serde_json::from_str(record).unwrap_or_else(|_| record.to_owned());
        let id = text.split_once("\"id\":\"").and_then(|(_, rest)| rest.split_once('"'));
        let (id, _) = id.unwrap_or_else(|| panic!("no id in {text:.200}"));
        let event = spoilt.get(id).unwrap_or_else(|| panic!("{id} was not spoilt"));
        let number = letter["number"].get();
        let line = format!("{{\"number\":{number},\"record\":{}}}\n", event.json());
        let again = mended.insert(id.to_owned(), (line, event.clone()));
        assert!(again.is_none(), "{id} is there twice");
    }
    assert_eq!(mended.len(), spoilt.len(), "dead letters are missing");
    mended
}
