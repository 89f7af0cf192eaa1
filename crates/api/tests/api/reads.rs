use std::time::Duration;

use millrace_connector::value_to_json;
use serde_json::{Value, json};

use crate::world::{World, order};

const AT: &str = "2026-01-05T12:00:30Z";

fn world() -> World {
    let world = World::new();
    let body = [
        order(1, 1, "a", "10.00"),
        order(2, 2, "a", "20.50").replace("true", "false"),
        order(3, 3, "b/c d", "0.07"),
    ];
    assert_eq!(world.lines(&body.concat()).json()["accepted"], 3);
    world
}

#[test]
fn a_read_answers_what_the_engine_does_with_state_and_age() {
    let world = world();
    for key in ["a", "b/c d", "nobody"] {
        let path = key.replace('/', "%2F").replace(' ', "%20");
        let answered = world.get(&format!("/v1/features/spending/{path}?at={AT}"));
        assert_eq!(answered.status, 200, "{answered:?}");
        let json = answered.json();
        assert_eq!((&json["group"], &json["key"]), (&json!("spending"), &json!([key])));
        let group = &world.plan.groups[world.plan.group("spending").unwrap()];
        assert_eq!(json["definition"], group.hash.to_string());
        let values = json["values"].as_object().unwrap();
        assert_eq!(values.len(), group.features.len());
        for (feature, answer) in group.features.iter().zip(world.engine("spending", key, AT)) {
            let value = &values[&*feature.name];
            let expected = value_to_json(&answer.value, &feature.ty);
            let expected: Value = serde_json::from_str(expected.get()).unwrap();
            assert_eq!(
                (&value["value"], &value["state"]),
                (&expected, &json!(answer.state.name()))
            );
            assert_eq!(value["age_ms"], 0);
        }
    }
    let exact = world.get(&format!("/v1/features/spending/a?at={AT}"));
    assert!(exact.body.contains("\"spent_1h\":{\"value\":30.50,"), "{exact:?}");
    assert!(exact.body.contains("\"last\":{\"value\":\"2026-01-05T12:00:02Z\""), "{exact:?}");
    world.close();
}

#[test]
fn windows_move_with_the_time_that_is_asked_for() {
    let world = world();
    let orders = |at: &str| {
        let json = world.get(&format!("/v1/features/spending/a?at={at}")).json();
        (json["values"]["orders_5m"]["value"].clone(), json["at"].clone())
    };
    assert_eq!(orders("2026-01-05T12:05:00Z"), (json!(2), json!("2026-01-05T12:05:00Z")));
    assert_eq!(orders("2026-01-05T12:05:01Z").0, json!(1));
    assert_eq!(orders("2026-01-05T12:05:02Z").0, json!(0));
    assert_eq!(orders("2026-01-05T14:05:01%2B02:00").0, json!(1));
    let refused = world.get("/v1/features/spending/a?at=noon");
    assert_eq!((refused.status, refused.code().as_str()), (400, "bad_time"));
    let refused = world.get("/v1/features/spending/a?att=1");
    assert_eq!(refused.code(), "bad_request");
    world.close();
}

#[test]
fn keys_of_several_parts_are_path_segments() {
    let world = world();
    let with_till = order(7, 7, "a", "1").replace("\"paid\"", "\"till\":-4,\"paid\"");
    world.lines(&with_till);
    let json = world.get(&format!("/v1/features/per_till/a/-4?at={AT}")).json();
    assert_eq!(json["values"]["orders_1h"]["value"], 1);
    for path in
        ["/v1/features/per_till/a", "/v1/features/per_till/a/x", "/v1/features/per_till/a/1/2"]
    {
        let refused = world.get(path);
        assert_eq!((refused.status, refused.code().as_str()), (400, "bad_key"), "{path}");
    }
    let refused = world.get("/v1/features/spendin/a");
    assert_eq!((refused.status, refused.code().as_str()), (404, "unknown_group"));
    assert!(refused.body.contains("did you mean `spending`?"));
    world.close();
}

#[test]
fn many_groups_and_keys_are_read_in_one_request() {
    let world = world();
    let body = format!(
        "{{\"at\":\"{AT}\",\"reads\":[{{\"group\":\"spending\",\"keys\":[\"a\",[\"b/c d\"]]}},\
         {{\"group\":\"per_till\",\"keys\":[[\"a\",1]]}}]}}"
    );
    let json = world.json("/v1/features", &body).json();
    let groups = json["groups"].as_array().unwrap();
    assert_eq!(groups[0]["keys"][0]["values"]["orders_5m"]["value"], 2);
    assert_eq!(groups[0]["keys"][1]["key"], json!(["b/c d"]));
    assert_eq!(groups[0]["keys"][1]["values"]["orders_5m"]["value"], 1);
    assert_eq!(groups[1]["keys"][0]["key"], json!(["a", 1]));
    assert_eq!(groups[1]["keys"][0]["values"]["orders_1h"]["state"], "empty");
    for (body, code) in [
        ("", "bad_request"),
        ("{\"reads\":[{\"group\":\"spending\",\"keys\":[1.5]}]}", "bad_request"),
        ("{\"reads\":[{\"group\":\"spending\",\"keys\":[1]}]}", "bad_key"),
        ("{\"reads\":[{\"group\":\"x\",\"keys\":[\"a\"]}]}", "unknown_group"),
        ("{\"reads\":[],\"at\":\"x\"}", "bad_time"),
    ] {
        assert_eq!(world.json("/v1/features", body).code(), code, "{body}");
    }
    let many = vec!["\"a\""; 1_001].join(",");
    let body = format!("{{\"reads\":[{{\"group\":\"spending\",\"keys\":[{many}]}}]}}");
    assert_eq!(world.json("/v1/features", &body).code(), "too_many_reads");
    world.close();
}

#[test]
fn a_view_is_computed_for_an_event_that_may_leave_out_what_it_does_not_look_at() {
    let world = world();
    let body = format!("{{\"customer\":\"a\",\"amount\":30.5,\"at\":\"{AT}\"}}");
    let answered = world.json("/v1/views/checkout", &body);
    assert_eq!(answered.status, 200, "{answered:?}");
    let json = answered.json();
    assert_eq!(json["at"], AT);
    assert_eq!(json["values"]["orders_5m"], json!({"value": 2, "state": "ok", "age_ms": 0}));
    assert_eq!(json["values"]["ratio"]["value"], 2.0);
    assert!(answered.body.contains("\"amount\":{\"value\":30.50,"), "{answered:?}");
    // Without a time it happens now, long after: the windows are empty.
    let now = world.json("/v1/views/checkout", "{\"customer\":\"a\",\"amount\":1}").json();
    assert_eq!(now["values"]["orders_5m"]["value"], 0);
    let refused = world.json("/v1/views/checkout", "{\"customer\":\"a\"}");
    assert_eq!((refused.status, refused.code().as_str()), (400, "bad_event"));
    assert!(refused.body.contains("`amount`"), "{refused:?}");
    let refused = world.json("/v1/views/chekout", "{}");
    assert_eq!((refused.status, refused.code().as_str()), (404, "unknown_view"));
    assert!(refused.body.contains("did you mean `checkout`?"));
    let refused = world.post("/v1/views/checkout", "text/plain", b"{}");
    assert_eq!(refused.code(), "unsupported_media_type");
    world.close();
}

#[test]
fn a_group_that_refuses_old_values_is_refused_by_itself() {
    let world = world();
    world.live.confirm(world.plan.stream("visits").unwrap());
    let fresh = world.get("/v1/features/visiting/a");
    assert_eq!(fresh.status, 200, "{fresh:?}");
    std::thread::sleep(Duration::from_millis(1_100));
    let refused = world.get("/v1/features/visiting/a");
    assert_eq!((refused.status, refused.code().as_str()), (503, "too_old"));
    assert!(refused.header("retry-after").is_some());
    let refused = world.json("/v1/views/welcome", "{\"customer\":\"a\"}");
    assert_eq!(refused.code(), "too_old");
    let body = "{\"reads\":[{\"group\":\"visiting\",\"keys\":[\"a\"]},\
                {\"group\":\"spending\",\"keys\":[\"a\"]}]}";
    let json = world.json("/v1/features", body).json();
    assert_eq!(json["groups"][0]["keys"][0]["error"]["code"], "too_old");
    assert!(json["groups"][1]["keys"][0]["values"].is_object());
    world.close();
}

#[test]
fn a_key_of_numbers_has_one_spelling() {
    let world = World::new();
    assert_eq!(world.get("/v1/features/per_till/a/7").status, 200);
    for other in ["07", "-0", "%2B7", "7.0"] {
        let answered = world.get(&format!("/v1/features/per_till/a/{other}"));
        assert_eq!((answered.status, answered.code().as_str()), (400, "bad_key"), "{other}");
    }
    world.close();
}

#[test]
fn a_value_that_is_not_known_any_more_comes_with_what_to_do() {
    let world = World::new();
    let later = order(2, 2, "a", "1").replace("2026-01-05", "2026-01-08");
    assert_eq!(world.lines(&(order(1, 1, "a", "1") + &later)).json()["accepted"], 2);
    let back = world.get("/v1/features/spending/a?at=2026-01-05T12:00:00Z").json();
    assert_eq!(back["values"]["spent_1h"]["state"], "limit", "{back}");
    assert!(back["hint"].as_str().unwrap().contains("[engine] history"), "{back}");
    let now = world.get("/v1/features/spending/a?at=2026-01-08T12:00:02Z").json();
    assert!(now["hint"].is_null(), "{now}");
    world.close();
}
