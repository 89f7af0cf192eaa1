use crate::world::{NOON, World, order};

const ORDERS: &str = "/v1/streams/orders/events";

#[test]
fn every_record_is_in_exactly_one_count_and_bad_ones_keep_bytes_place_and_reason() {
    let world = World::new();
    let far = "{\"id\":\"f\",\"at\":\"2999-01-01T00:00:00Z\",\"customer\":\"a\",\"amount\":1,\
               \"paid\":true}";
    let late = order(9, 0, "a", "1").replace("12:00:00Z", "11:00:00Z");
    let body = format!(
        "{}{}{{bad\n\n{far}\n{}{late}{{\"id\":\"x\"}}",
        order(1, 1, "a", "10.00"),
        order(1, 1, "a", "10.00"),
        order(2, 2, "b", "5")
    );
    let answered = world.lines(&body);
    assert_eq!(answered.status, 200, "{answered:?}");
    let json = answered.json();
    let count = |name: &str| json[name].as_u64().unwrap();
    assert_eq!(count("received"), 7);
    let [accepted, duplicate, late, dead] =
        ["accepted", "duplicate", "late", "dead_lettered"].map(count);
    assert_eq!([accepted, duplicate, late, dead], [2, 1, 1, 3]);
    assert_eq!(json["causes"]["bad-json"], 1);
    assert_eq!(json["causes"]["future"], 1);
    assert_eq!(json["causes"]["missing-field"], 1);
    assert!(json["frontier"].as_u64().unwrap() > 0);

    let letters = world.get("/v1/dead-letters").json();
    let letters = letters["dead_letters"].as_array().unwrap();
    let of = |reason: &str| letters.iter().find(|l| l["reason"] == reason).unwrap();
    assert!(of("bad-json")["position"].as_str().unwrap().starts_with("line 3"));
    assert_eq!(of("bad-json")["record"], "{bad");
    assert!(of("future")["position"].as_str().unwrap().starts_with("line 5"));
    assert_eq!(of("future")["record"], far);
    assert_eq!(of("missing-field")["record"], "{\"id\":\"x\"}");
    assert!(letters.iter().all(|l| l["origin"] == "http" && l["resubmitted"] == false));
    world.close();
}

#[test]
fn a_list_and_a_single_object_are_taken_too() {
    let world = World::new();
    let (one, two) = (order(1, 1, "a", "1"), order(2, 2, "a", "2"));
    let list = format!("[{one},{two}, 5]");
    let json = world.json(ORDERS, &list).json();
    assert_eq!((&json["accepted"], &json["dead_lettered"]), (&2.into(), &1.into()));
    let json = world.json(ORDERS, &order(3, 3, "a", "3")).json();
    assert_eq!(json["accepted"], 1);
    let spent = world.get(&format!("/v1/features/spending/a?at={}", "2026-01-05T12:00:30Z"));
    assert!(spent.body.contains("\"spent_1h\":{\"value\":6.00,\"state\":\"ok\""), "{spent:?}");
    world.close();
}

#[test]
fn a_list_of_which_too_much_cannot_be_read_is_not_taken_at_all() {
    let world = World::new();
    let list = format!("[{},{}]", order(1, 1, "a", "1"), vec!["1"; (1 << 16) + 1].join(","));
    let refused = world.json(ORDERS, &list);
    assert_eq!((refused.status, refused.code().as_str()), (400, "too_many_dead"));
    let json = world.json(ORDERS, &format!("[{}]", order(1, 1, "a", "1"))).json();
    assert_eq!((&json["accepted"], &json["duplicate"]), (&1.into(), &0.into()));
    world.close();
}

#[test]
fn a_large_body_is_taken_piece_by_piece_with_lines_counted_through() {
    let world = World::new();
    let count = 5_000;
    let mut body: String = (0..count).map(|id| order(id, id % 60, "a", "1")).collect();
    body.push_str("{broken\n");
    assert!(body.len() > 300 << 10);
    let json = world.lines(&body).json();
    assert_eq!(json["accepted"].as_u64().unwrap() + json["late"].as_u64().unwrap(), 5_000);
    let place = json["dead_letters"][0]["position"].as_str().unwrap().to_owned();
    assert_eq!(place, format!("line {} (byte {})", count + 1, body.len() - "{broken\n".len()));
    let read = world.get("/v1/features/spending/a?at=2026-01-05T12:01:00Z").json();
    assert_eq!(read["values"]["orders_1h"]["value"], 5_000);
    world.close();
}

#[test]
fn partitions_are_judged_each_by_itself_and_are_bounded() {
    let world = World::with(|settings, _| settings.limits.partitions_max = 3);
    let at = |minute: u32, id: u32| {
        order(id, 0, "a", "1").replace("12:00:00Z", &format!("12:{minute:02}:00Z"))
    };
    let post = |partition: &str, body: &str| {
        let path = format!("{ORDERS}?partition={partition}");
        world.post(&path, "application/x-ndjson", body.as_bytes())
    };
    assert_eq!(post("north", &at(40, 1)).json()["accepted"], 1);
    assert_eq!(post("south", &at(35, 2)).json()["accepted"], 1);
    assert_eq!(post("north", &at(50, 3)).json()["accepted"], 1);
    assert_eq!(post("south", &at(36, 4)).json()["accepted"], 1);
    assert_eq!(post("north", &at(36, 5)).json()["late"], 1);
    assert_eq!(world.lines(&at(41, 6)).status, 200);
    let refused = post("west", &at(41, 5));
    assert_eq!((refused.status, refused.code().as_str()), (400, "too_many_partitions"));
    for name in ["", "dead-letters", "a%20b", "%C3%A9", &"x".repeat(65)] {
        assert_eq!(post(name, &at(41, 6)).code(), "bad_partition", "{name}");
    }
    // A start does not make room for others.
    let (_, folder) = world.close();
    let world = World::on(folder, |settings, _| settings.limits.partitions_max = 3);
    let post = |partition: &str, body: &str| {
        let path = format!("{ORDERS}?partition={partition}");
        world.post(&path, "application/x-ndjson", body.as_bytes())
    };
    assert_eq!(post("west", &at(41, 5)).code(), "too_many_partitions");
    assert_eq!(post("north", &at(51, 7)).json()["accepted"], 1);
    world.close();
}

#[test]
fn what_is_acknowledged_is_there_after_a_start() {
    let world = World::new();
    world.lines(&order(1, 1, "a", "12.50"));
    let (_, folder) = world.close();
    let world = World::on(folder, |_, _| {});
    assert_eq!(world.lines(&order(1, 1, "a", "12.50")).json()["duplicate"], 1);
    let read = world.get("/v1/features/spending/a?at=2026-01-05T12:00:02Z");
    assert!(read.body.contains("\"value\":12.50"), "{read:?}");
    world.close();
}

#[test]
fn requests_that_make_no_sense_are_refused_with_their_code() {
    let world = World::new();
    let body = order(1, 1, "a", "1");
    let post = |path: &str, ty: &str| world.post(path, ty, body.as_bytes());
    let refused = post("/v1/streams/order/events", "application/json");
    assert_eq!((refused.status, refused.code().as_str()), (404, "unknown_stream"));
    assert!(refused.body.contains("did you mean `orders`?"), "{refused:?}");
    for ty in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let refused = post(ORDERS, ty);
        assert_eq!((refused.status, refused.code().as_str()), (415, "unsupported_media_type"));
    }
    let refused = world.get(ORDERS);
    assert_eq!((refused.status, refused.code().as_str()), (405, "method_not_allowed"));
    let refused = world.get("/v1/nothing/here");
    assert_eq!((refused.status, refused.code().as_str()), (404, "unknown_route"));
    let refused = post(&format!("{ORDERS}?partion=a"), "application/json");
    assert_eq!((refused.status, refused.code().as_str()), (400, "bad_request"));
    assert_eq!(world.engine("spending", "a", NOON).len(), 6);
    world.close();
}

#[test]
fn whatever_a_body_may_hold_fits_into_the_log() {
    let world = World::with(|settings, _| settings.limits.events_body_max = 64 << 20);
    let note = "x".repeat(1 << 20);
    let large = |id: u32| {
        order(id, id, "a", "1").replace("true}\n", &format!("true,\"note\":\"{note}\"}}"))
    };
    let list: Vec<String> = (0..40).map(large).collect();
    let taken = world.json(ORDERS, &format!("[{}]", list.join(",")));
    assert_eq!(taken.status, 200, "{taken:?}");
    assert_eq!(taken.json()["accepted"], 40);
    let (_, folder) = world.close();
    let world = World::on(folder, |_, _| {});
    let read = world.get("/v1/features/spending/a?at=2026-01-05T12:00:50Z").json();
    assert_eq!(read["values"]["orders_1h"]["value"], 40);
    world.close();
}

#[test]
fn an_empty_body_is_told_the_frontier_as_any_other() {
    let world = World::new();
    world.lines(&order(1, 1, "a", "1"));
    let frontier = world.lines(&order(2, 2, "a", "1")).json()["frontier"].clone();
    for body in ["", "\n\n"] {
        let json = world.lines(body).json();
        assert_eq!((&json["received"], &json["frontier"]), (&0.into(), &frontier), "{json}");
    }
    let json = world.json(ORDERS, "[]").json();
    assert_eq!((&json["received"], &json["frontier"]), (&0.into(), &frontier), "{json}");
    world.close();
}

#[test]
fn an_answer_says_by_how_much_events_were_late_and_what_becomes_of_them() {
    let world = World::new();
    let late = order(9, 0, "a", "1").replace("12:00:00Z", "11:30:00Z");
    let answered = world.lines(&(order(1, 0, "a", "1") + &late));
    let json = answered.json();
    assert_eq!(json["late"], 1);
    let told = serde_json::json!([{
        "id": "o9", "at": "2026-01-05T11:30:00Z",
        "late_by": "20m", "late_before": "2026-01-05T11:50:00Z",
    }]);
    assert_eq!(json["late_events"], told);
    let hint = json["late_hint"].as_str().unwrap();
    assert!(hint.contains("up to 10m behind") && hint.contains("millrace replay"), "{hint}");
    assert!(answered.body.ends_with("}\n"), "{answered:?}");
    // Each of many is counted, and the first are told.
    let many: String = (10..40).map(|id| late.replace("o9", &format!("o{id}"))).collect();
    let json = world.lines(&many).json();
    assert_eq!((&json["late"], json["late_events"].as_array().unwrap().len()), (&30.into(), 10));
    let json = world.lines(&order(2, 1, "a", "1")).json();
    assert!(json["late_events"] == serde_json::json!([]) && json["late_hint"].is_null());
    world.close();
}

#[test]
fn a_misspelt_field_is_named_with_the_nearest_one_and_counted() {
    let world = World::new();
    let misspelt = |id| order(id, 1, "a", "1").replace("}", ",\"note_\":\"x\",\"zebra\":{}}");
    let json = world.lines(&(misspelt(1) + &misspelt(2) + &order(3, 1, "a", "1"))).json();
    assert_eq!(json["accepted"], 3);
    let expected =
        serde_json::json!({ "note_": { "count": 2, "nearest": "note" }, "zebra": { "count": 2 } });
    assert_eq!(json["unknown_fields"], expected);
    let list = format!("[{}]", misspelt(4));
    assert_eq!(world.json(ORDERS, &list).json()["unknown_fields"]["zebra"]["count"], 1);
    let metrics = world.get("/metrics").body;
    let line = "millrace_unknown_fields_total{stream=\"orders\"} 6";
    assert!(metrics.lines().any(|l| l == line), "{metrics}");
    world.close();
}

#[test]
fn a_time_that_looks_like_seconds_is_a_dead_letter_that_says_so() {
    let world = World::new();
    let seconds = order(1, 1, "a", "1").replace("\"2026-01-05T12:00:01Z\"", "1767614401");
    let json = world.lines(&seconds).json();
    assert_eq!(json["causes"], serde_json::json!({ "time-in-seconds": 1 }));
    let message = json["dead_letters"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("looks like seconds; times are milliseconds or RFC 3339"),
        "{message}"
    );
    let millis = seconds.replace("1767614401", "1767614401000");
    assert_eq!(world.lines(&millis).json()["accepted"], 1);
    world.close();
}

#[test]
fn a_compressed_body_is_refused_before_it_is_read_as_what_it_is_not() {
    let world = World::new();
    for (path, content_type) in
        [(ORDERS, "application/x-ndjson"), ("/v1/views/checkout", "application/json")]
    {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\n\
             content-encoding: gzip\r\ncontent-length: 4\r\n\r\n"
        );
        let answered = world.exchange(&head, b"\x1f\x8b\x08\x00");
        assert_eq!((answered.status, answered.code().as_str()), (415, "unsupported_media_type"));
        assert!(answered.body.contains("gzip"), "{answered:?}");
    }
    world.close();
}
