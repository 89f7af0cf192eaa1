use serde_json::json;

use crate::world::{World, order};

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
