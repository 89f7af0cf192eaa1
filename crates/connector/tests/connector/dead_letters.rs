//! The messages of dead letters: each names the field, the cause and a fix.

use std::collections::BTreeSet;

use millrace_connector::{Limits, Reason, row_from_json};
use millrace_event::Type;

use crate::rows::{lines, list, schema, schema_with};

#[test]
fn messages_name_the_field_the_cause_and_a_fix() {
    let schema = schema(&[
        ("id", Type::Int),
        ("at", Type::Timestamp),
        ("amount?", Type::Decimal(2)),
        ("memo?", Type::String),
        ("ok?", Type::Bool),
        ("wait?", Type::Duration),
        ("list?", list(Type::Int)),
    ]);
    let message = |members: &str| {
        let object = format!(r#"{{"id":1,"at":1{members}}}"#);
        row_from_json(&schema, object.as_bytes(), "http").unwrap_err().message
    };
    let cases = [
        (
            r#","amount":12.345"#,
            "field `amount`: `12.345` has more than 2 digits after the point; send at most 2, \
             or declare more",
        ),
        (
            r#","amount":1e30"#,
            "field `amount`: `1e30` is beyond what a decimal(2) can hold; send a smaller number",
        ),
        (
            r#","memo":5"#,
            "field `memo`: `5` is not a string; put it in quotes, or change the field's type",
        ),
        (r#","ok":"yes""#, "field `ok`: `yes` is not a bool; send true or false"),
        (
            r#","wait":0.0001"#,
            "field `wait`: `0.0001` is finer than a microsecond; send fewer digits",
        ),
        (r#","list":[1,"x"]"#, "field `list`: `x` is not an int; send a whole number"),
        (r#","id":1"#, "field `id` is given twice; send it once"),
        (",", "not valid JSON: trailing comma (column 16); send one whole object"),
    ];
    for (members, expected) in cases {
        assert_eq!(message(members), expected);
    }
    let absent = row_from_json(&schema, b"{\"id\":1}", "http").unwrap_err();
    assert_eq!(absent.message, "field `at` is absent; send a value, or declare it with `?`");
    assert_eq!(
        absent.to_string(),
        "http, line 1 (byte 0): missing-field: field `at` is absent; send a value, or declare it \
         with `?`"
    );
}

#[test]
fn a_message_shows_the_start_of_a_value_and_nothing_that_moves_the_cursor() {
    let schema = schema_with("x?", Type::Bool);
    let object = format!(r#"{{"id":1,"at":1,"x":"\u001b[31m{}"}}"#, "y".repeat(100_000));
    let letter = row_from_json(&schema, object.as_bytes(), "http").unwrap_err();
    assert!(letter.message.len() < 150, "{}", letter.message);
    assert!(letter.message.starts_with("field `x`: `\\u{1b}[31myyy"), "{}", letter.message);
    assert!(letter.message.contains("…`"), "{}", letter.message);
}

#[test]
fn reasons_have_names_of_their_own() {
    let names: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), Reason::ALL.len());
}

#[test]
fn a_record_at_the_limit_is_read_and_kept_whole_and_one_beyond_is_cut() {
    let schema = schema_with("x?", Type::Int);
    let record = |length: usize| {
        let start = r#"{"id":1,"at":1,"pad":""#;
        format!("{start}{}\"}}", "p".repeat(length - start.len() - 2))
    };
    let body = record(Limits::RECORD_BYTES) + "\n" + &record(Limits::RECORD_BYTES + 1) + "\n{}";
    let decoded = lines(&schema, body.as_bytes());
    assert_eq!(decoded.batch.len(), 1);
    let [beyond, short] = &decoded.dead[..] else { panic!("two letters") };
    assert_eq!(beyond.reason, Reason::RecordTooLarge);
    assert_eq!(beyond.bytes.len(), Limits::KEPT_BYTES);
    assert_eq!(beyond.bytes_total, Limits::RECORD_BYTES as u64 + 1);
    assert_eq!((short.bytes.as_slice(), short.bytes_total), (b"{}".as_slice(), 2));
}

#[test]
fn a_field_at_the_limit_is_read_and_one_beyond_is_dead() {
    let schema = schema_with("x?", Type::String);
    let read = |length: usize| {
        let object = format!(r#"{{"id":1,"at":1,"x":"{}"}}"#, "x".repeat(length));
        row_from_json(&schema, object.as_bytes(), "http").map_err(|letter| letter.reason)
    };
    assert!(read(Limits::FIELD_BYTES).is_ok());
    assert_eq!(read(Limits::FIELD_BYTES + 1), Err(Reason::FieldTooLarge));
}

#[test]
fn json_at_the_depth_limit_is_read_and_deeper_is_dead_even_where_it_is_not_used() {
    let schema = schema_with("x?", Type::Int);
    let read = |depth: usize| {
        // The record itself is the first level.
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        let object = format!(r#"{{"id":1,"at":1,"unknown":{open}{close}}}"#);
        row_from_json(&schema, object.as_bytes(), "http").map_err(|letter| letter.reason)
    };
    assert!(read(Limits::DEPTH).is_ok());
    assert_eq!(read(Limits::DEPTH + 1), Err(Reason::TooDeep));
    assert_eq!(read(10_000), Err(Reason::TooDeep));
}
