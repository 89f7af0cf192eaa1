use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use millrace_api::{ServeError, Server, Settings};
use millrace_event::{EventTime, Span};
use millrace_stream::live::{Live, LiveSettings, now};
use serde_json::json;

use crate::world::{World, order, plan};

const RESUBMIT: &str = "/v1/dead-letters/resubmit";

/// A world with three letters: not JSON, an amount too precise, and no amount.
fn world() -> World {
    let world = World::new();
    let body = [
        order(1, 1, "a", "1"),
        "{bad\n".to_owned(),
        order(2, 2, "a", "1.001"),
        order(3, 3, "a", "null"),
    ];
    assert_eq!(world.lines(&body.concat()).json()["dead_lettered"], 3);
    world
}

#[test]
fn letters_are_listed_by_stream_and_reason_page_by_page() {
    let world = world();
    let list = |query: &str| world.get(&format!("/v1/dead-letters{query}")).json();
    let all = list("");
    assert_eq!((all["dead_letters"].as_array().unwrap().len(), &all["next"]), (3, &json!(null)));
    let first = list("?limit=2");
    assert_eq!((first["dead_letters"].as_array().unwrap().len(), &first["next"]), (2, &json!(2)));
    assert_eq!(list("?from=2")["dead_letters"].as_array().unwrap().len(), 1);
    assert_eq!(list("?reason=bad-json")["dead_letters"][0]["record"], "{bad");
    assert_eq!(list("?stream=visits")["dead_letters"], json!([]));
    assert_eq!(list("?from=99")["dead_letters"], json!([]));
    world.close();
}

#[test]
fn a_mended_letter_is_taken_once_even_across_a_start() {
    let world = world();
    let mended = order(2, 2, "a", "1.10");
    let body = format!("{{\"letters\":[{{\"number\":1,\"record\":{mended}}}]}}");
    let json = world.json(RESUBMIT, &body).json();
    assert_eq!((&json["resubmitted"], &json["events"]["accepted"]), (&json!(1), &json!(1)));
    let again = world.json(RESUBMIT, &body).json();
    assert_eq!((&again["resubmitted"], &again["already"]), (&json!(0), &json!(1)));
    let (_, folder) = world.close();
    let world = World::on(folder, |_, _| {});
    let again = world.json(RESUBMIT, &body).json();
    assert_eq!((&again["resubmitted"], &again["already"]), (&json!(0), &json!(1)));
    let letters = world.get("/v1/dead-letters").json();
    let marks: Vec<bool> = letters["dead_letters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["resubmitted"].as_bool().unwrap())
        .collect();
    assert_eq!(marks, [false, true, false]);
    let read = world.get("/v1/features/spending/a?at=2026-01-05T12:00:30Z");
    assert!(read.body.contains("\"spent_1h\":{\"value\":2.10,"), "{read:?}");
    world.close();
}

#[test]
fn letters_that_still_cannot_be_read_stay_and_make_no_new_ones() {
    let world = world();
    let json = world.json(RESUBMIT, "{\"stream\":\"orders\"}").json();
    assert_eq!((&json["resubmitted"], &json["still_dead"]), (&json!(0), &json!(3)));
    assert_eq!(json["letters"][0]["reason"], "bad-json");
    let letters = world.get("/v1/dead-letters").json();
    assert_eq!(letters["dead_letters"].as_array().unwrap().len(), 3);
    let metrics = world.get("/metrics").body;
    let count = |line: &str| -> u64 {
        let line = metrics.lines().find(|l| l.starts_with(line)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let of = |outcome: &str| {
        count(&format!("millrace_events_total{{stream=\"orders\",outcome=\"{outcome}\"}}"))
    };
    let all = count("millrace_events_in_total{stream=\"orders\"}");
    assert_eq!(all, 4);
    assert_eq!(all, count("millrace_http_events_total{stream=\"orders\"}"));
    assert_eq!(all, of("applied") + of("duplicate") + of("late") + of("dead_lettered"));
    assert_eq!(world.json(RESUBMIT, "[]").code(), "bad_request");
    world.close();
}

fn request(body: &str) -> String {
    format!(
        "POST {RESUBMIT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_letter_whose_sender_left_is_marked_all_the_same_and_nobody_waits_behind_it() {
    let world = world();
    let mended = order(2, 2, "a", "1.10");
    let body = format!("{{\"letters\":[{{\"number\":1,\"record\":{mended}}}]}}");
    let release = world.hold_engine();
    let mut leaving = world.connect();
    leaving.write_all(request(&body).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let second = world.json(RESUBMIT, &body);
    assert_eq!((second.status, second.code().as_str()), (429, "overloaded"));
    assert!(second.header("retry-after").is_some());
    assert_eq!(world.get("/v1/dead-letters").status, 200);
    drop(leaving);
    std::thread::sleep(Duration::from_millis(500));
    drop(release);
    let again = (0..100)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(20));
            world.json(RESUBMIT, &body)
        })
        .find(|answered| answered.status == 200);
    let json = again.unwrap().json();
    assert_eq!((&json["resubmitted"], &json["already"]), (&json!(0), &json!(1)));
    world.close();
}

#[test]
fn a_server_that_cannot_know_what_was_handed_over_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let settings = Settings::local(folder.path().to_owned());
    let server = runtime.block_on(Server::start(plan(), settings)).unwrap();
    let settings = LiveSettings { dir: folder.path().to_owned(), ..LiveSettings::default() };
    let (live, mut recovery) = Live::open(Arc::clone(&plan()), settings).unwrap();
    let source = ("orders".to_owned(), "dead-letters".to_owned());
    recovery.positions.insert(source.clone(), b"5-3".to_vec());
    let error = server.ready(live.clone(), &recovery).unwrap_err();
    assert!(matches!(&error, ServeError::Marks { stream, .. } if stream == "orders"), "{error}");
    recovery.positions.insert(source, b"3-5".to_vec());
    server.ready(live.clone(), &recovery).unwrap();
    live.close().unwrap();
}

#[test]
fn a_letter_with_a_key_that_is_still_too_long_stays_and_makes_no_new_one() {
    let world = World::new();
    let long = order(1, 1, &"a".repeat(70_000), "1");
    let taken = world.lines(&long).json();
    assert_eq!(taken["dead_lettered"], 1, "{taken}");
    let body = format!("{{\"letters\":[{{\"number\":0,\"record\":{long}}}]}}");
    let json = world.json(RESUBMIT, &body).json();
    assert_eq!((&json["resubmitted"], &json["still_dead"]), (&json!(0), &json!(1)), "{json}");
    assert_eq!(json["letters"][0]["reason"], "long-key");
    let letters = world.get("/v1/dead-letters").json();
    let letters = letters["dead_letters"].as_array().unwrap();
    assert_eq!((letters.len(), &letters[0]["resubmitted"]), (1, &json!(false)));
    let body = format!("{{\"letters\":[{{\"number\":0,\"record\":{}}}]}}", order(1, 1, "a", "1"));
    assert_eq!(world.json(RESUBMIT, &body).json()["resubmitted"], 1);
    world.close();
}

#[test]
fn a_letter_that_is_asked_for_is_in_exactly_one_count() {
    let world = world();
    let body = format!(
        "{{\"letters\":[{{\"number\":0}},{{\"number\":1,\"record\":{}}},{{\"number\":7}}]}}",
        order(2, 2, "a", "1.10")
    );
    let json = world.json(RESUBMIT, &body).json();
    let counts = |json: &serde_json::Value| {
        ["resubmitted", "already", "still_dead", "unknown", "not_looked_at"]
            .map(|name| json[name].as_u64().unwrap())
    };
    assert_eq!(counts(&json), [1, 0, 1, 1, 0], "{json}");
    assert_eq!(json["letters"][0]["number"], 7);
    assert_eq!(json["letters"][0]["reason"], "unknown-letter");
    assert_eq!(counts(&world.json(RESUBMIT, &body).json()), [0, 1, 1, 1, 0]);
    for wrong in [
        "{\"stream\":\"orders\",\"letters\":[{\"number\":0}]}",
        "{\"from\":0,\"letters\":[]}",
        "{\"letters\":[{\"number\":0},{\"number\":0}]}",
    ] {
        assert_eq!(world.json(RESUBMIT, wrong).code(), "bad_request", "{wrong}");
    }
    world.close();
}

#[test]
fn letters_beyond_what_one_request_looks_at_are_told_and_can_be_asked_for_again() {
    let world = World::new();
    let large = format!("{{\"x\":\"{}\"", "y".repeat(1 << 20));
    for _ in 0..20 {
        assert_eq!(world.lines(&large).json()["dead_lettered"], 1);
    }
    let all: Vec<String> = (0..20).map(|n| format!("{{\"number\":{n}}}")).collect();
    let ask = |letters: &[String]| {
        world.json(RESUBMIT, &format!("{{\"letters\":[{}]}}", letters.join(","))).json()
    };
    let first = ask(&all);
    let next = first["next"].as_u64().unwrap();
    assert_eq!(first["still_dead"].as_u64().unwrap(), next, "{next}");
    assert_eq!(first["not_looked_at"].as_u64().unwrap(), 20 - next);
    let rest = ask(&all[next as usize..]);
    assert_eq!(rest["still_dead"].as_u64().unwrap(), 20 - next);
    assert_eq!((&rest["not_looked_at"], &rest["next"]), (&json!(0), &json!(null)));
    world.close();
}

#[test]
fn a_parameter_that_a_route_does_not_know_is_refused_and_does_nothing() {
    let world = world();
    for path in [RESUBMIT, "/v1/late/replay", "/v1/checkpoint", "/v1/features"] {
        let refused = world.json(&format!("{path}?stream=visits"), "{}");
        assert_eq!((refused.status, refused.code().as_str()), (400, "bad_request"), "{path}");
    }
    for path in ["/metrics", "/healthz", "/readyz", "/v1/definitions", "/v1/openapi.json"] {
        assert_eq!(world.get(&format!("{path}?x=1")).code(), "bad_request", "{path}");
        assert_eq!(world.get(path).status, 200, "{path}");
    }
    let letters = world.get("/v1/dead-letters?stream=orders&limit=1").json();
    assert_eq!(letters["dead_letters"][0]["resubmitted"], false);
    world.close();
}

#[test]
fn what_can_be_read_and_is_not_taken_keeps_its_bytes_and_place_and_counts_by_its_reason() {
    let world = World::new();
    let ahead = format!("{}", EventTime(now().0 + Span::hours(2).0));
    let far = order(2, 2, "b", "1").replace("2026-01-05T12:00:02Z", &ahead);
    let long = order(3, 3, &"a".repeat(70_000), "1");
    let body = [order(1, 1, "a", "1"), far.clone(), long.clone()].concat();
    let list = format!("[{}]", [order(4, 4, "a", "1"), far.clone(), long.clone()].join(","));
    let taken = [world.lines(&body), world.json("/v1/streams/orders/events", &list)];
    for taken in taken.map(|answered| answered.json()) {
        assert_eq!(taken["causes"], json!({"future": 1, "long-key": 1}), "{taken}");
        assert_eq!((&taken["accepted"], &taken["dead_lettered"]), (&json!(1), &json!(2)));
        assert_eq!(taken["dead_letters"][1]["reason"], "long-key");
    }
    let letters = world.get("/v1/dead-letters").json();
    let letters = letters["dead_letters"].as_array().unwrap();
    for (letter, record) in letters.iter().zip([&far, &long, &far, &long]) {
        assert_eq!(letter["record"], record.trim_end(), "{}", letter["reason"]);
        assert_eq!(letter["origin"], "http");
    }
    let place = |letter: usize| letters[letter]["position"].as_str().unwrap();
    assert!(place(0).starts_with("line 2 (byte") && place(1).starts_with("line 3 (byte"));
    assert!(place(2).starts_with("line 2 (byte") && place(3).starts_with("line 3 (byte"));

    // As they are, none is taken; a limit that was raised lets one of two copies in.
    let json = world.json(RESUBMIT, "{}").json();
    assert_eq!((&json["resubmitted"], &json["still_dead"]), (&json!(0), &json!(4)), "{json}");
    let (_, folder) = world.close();
    let world = World::on(folder, |_, live| live.engine.future_max = Span::hours(3));
    let json = world.json(RESUBMIT, "{\"reason\":\"future\"}").json();
    assert_eq!((&json["resubmitted"], &json["still_dead"]), (&json!(2), &json!(0)), "{json}");
    assert_eq!((&json["events"]["accepted"], &json["events"]["duplicate"]), (&json!(1), &json!(1)));
    world.close();
}

#[test]
fn more_letters_than_a_list_has_are_refused_and_not_cut() {
    let world = World::new();
    assert_eq!(world.get("/v1/dead-letters?limit=1000").status, 200);
    let refused = world.get("/v1/dead-letters?limit=1001");
    assert_eq!((refused.status, refused.code().as_str()), (400, "bad_request"));
    assert!(refused.body.contains("1000"), "{refused:?}");
    world.close();
}
