use millrace_connector::{Error, JsonDecoder, Limits, Position, row_from_json, value_to_json};
use millrace_event::{EventTime, KeyKind, Span, Type, Value};

use crate::rows::{decimal, entity, lines, list, map, reasons, rows, schema, schema_with};

/// What the JSON value makes in a field of this type: the value, or the reason why none.
fn read(ty: Type, json: &str) -> Result<Value, &'static str> {
    let schema = schema_with("x?", ty);
    let object = format!(r#"{{"id":1,"at":0,"x":{json}}}"#);
    match row_from_json(&schema, object.as_bytes(), "test") {
        Ok(mut row) => Ok(row.remove(2)),
        Err(letter) => {
            assert_eq!(letter.bytes, object.as_bytes(), "the letter keeps the record");
            Err(letter.reason.name())
        }
    }
}

#[test]
fn each_type_takes_its_json_and_refuses_the_rest() {
    let noon = Value::Timestamp(EventTime(1_767_268_800_000_000));
    let nested = Value::Map(vec![
        (Value::Int(-1), Value::Null),
        (Value::Int(2), Value::List(vec![Value::Bool(true), Value::Null])),
    ]);
    let cases: Vec<(Type, &str, Result<Value, &str>)> = vec![
        (Type::Bool, "true", Ok(Value::Bool(true))),
        (Type::Bool, "1", Err("wrong-type")),
        (Type::Bool, "null", Ok(Value::Null)),
        (Type::Int, "9007199254740993", Ok(Value::Int(9_007_199_254_740_993))),
        (Type::Int, "\"-5\"", Ok(Value::Int(-5))),
        (Type::Int, "5.0", Ok(Value::Int(5))),
        (Type::Int, "5.5", Err("too-precise")),
        (Type::Int, "9223372036854775808", Err("out-of-range")),
        (Type::Int, "true", Err("wrong-type")),
        (Type::Int, "[1]", Err("wrong-type")),
        (Type::Int, "1e999999999", Err("out-of-range")),
        (Type::Float, "0.1", Ok(Value::Float(0.1))),
        (Type::Float, "-0", Ok(Value::Float(0.0))),
        (Type::Float, "1e999", Err("out-of-range")),
        (Type::Float, "\"NaN\"", Err("wrong-type")),
        (Type::Decimal(2), "12.34", Ok(decimal(1_234, 2))),
        (Type::Decimal(2), "\"12.3400\"", Ok(decimal(1_234, 2))),
        (Type::Decimal(2), "12.345", Err("too-precise")),
        (Type::Decimal(2), "1e30", Err("out-of-range")),
        (Type::Decimal(2), "\"1,5\"", Err("wrong-type")),
        (Type::String, r#""a\u00e9\ud83d\ude00""#, Ok(Value::text("aé😀"))),
        (Type::String, r#""\ud83d""#, Err("bad-json")),
        (Type::String, r#""\u0000""#, Ok(Value::text("\0"))),
        (Type::String, "\"\"", Ok(Value::text(""))),
        (Type::String, "5", Err("wrong-type")),
        (entity(KeyKind::Text), "\"A\"", Ok(Value::text("A"))),
        (entity(KeyKind::Int), "7", Ok(Value::Int(7))),
        (Type::Timestamp, "1767268800000", Ok(noon.clone())),
        (Type::Timestamp, "\"2026-01-01T12:00:00Z\"", Ok(noon.clone())),
        (Type::Timestamp, "\"yesterday\"", Err("wrong-type")),
        (Type::Timestamp, "9e15", Ok(Value::Timestamp(EventTime(9_000_000_000_000_000_000)))),
        (Type::Timestamp, "1e16", Err("out-of-range")),
        (Type::Duration, "\"90m\"", Ok(Value::Duration(Span::minutes(90)))),
        (Type::Duration, "1500", Ok(Value::Duration(Span::millis(1_500)))),
        (Type::Duration, "\"90 minutes\"", Err("wrong-type")),
        (
            list(Type::Int),
            "[1,null,3]",
            Ok(Value::List(vec![Value::Int(1), Value::Null, Value::Int(3)])),
        ),
        (list(Type::Int), "[1,\"x\"]", Err("wrong-type")),
        (list(Type::Int), "{}", Err("wrong-type")),
        (map(Type::Int, list(Type::Bool)), r#"{"2":[true,null],"-1":null}"#, Ok(nested)),
        (map(Type::Int, Type::Int), r#"{"1":1,"01":2}"#, Err("duplicate-field")),
        (map(Type::Int, Type::Int), r#"{"one":1}"#, Err("wrong-type")),
    ];
    for (ty, json, expected) in cases {
        assert_eq!(read(ty.clone(), json), expected, "{json} for {ty}");
    }
}

#[test]
fn an_object_may_hold_more_but_not_less_and_nothing_twice() {
    let schema = schema(&[("id", Type::Int), ("at", Type::Timestamp), ("memo?", Type::String)]);
    let body = concat!(
        r#"{"at":1,"id":1,"unknown":{"deep":[1,{"a":"]"}]},"memo":"x"}"#,
        "\n",
        r#"{"id":2,"at":2}"#,
        "\r\n\n   \n",
        r#"{"id":3}"#,
        "\n",
        r#"{"id":null,"at":4}"#,
        "\n",
        r#"{"id":5,"id":5,"at":5}"#,
        "\n",
        r#"{"id":6,"\u0069d":6,"at":6}"#,
        "\n",
        r#"[{"id":7,"at":7}]"#,
        "\n",
        r#"{"id":8,"at":8} {}"#,
        "\n",
        r#"{"id":9,"at":9}"#,
    );
    let decoded = lines(&schema, body.as_bytes());
    let ids: Vec<Value> = rows(&decoded.batch).into_iter().map(|mut row| row.remove(0)).collect();
    assert_eq!(ids, [1, 2, 9].map(Value::Int));
    let expected = [
        "missing-field",
        "missing-field",
        "duplicate-field",
        "duplicate-field",
        "not-an-object",
        "bad-json",
    ];
    assert_eq!(reasons(&decoded), expected);
    assert_eq!(decoded.records(), 9);
    let found: Vec<u64> = decoded
        .dead
        .iter()
        .map(|letter| match letter.position {
            Position::Line { line, byte } => {
                let start = usize::try_from(byte).unwrap();
                assert!(body.as_bytes()[start..].starts_with(&letter.bytes));
                line
            }
            Position::Row(_) => panic!("a line has no row"),
        })
        .collect();
    assert_eq!(found, [5, 6, 7, 8, 9, 10]);
}

#[test]
fn a_document_is_one_object_or_a_list_of_them() {
    let schema = schema_with("x?", Type::Int);
    let read = |body: &str| {
        let mut decoder = JsonDecoder::new(schema.clone(), Limits::default());
        let decoded = decoder.document(body.as_bytes(), "http").unwrap();
        (decoded.batch.len(), reasons(&decoded))
    };
    assert_eq!(read("{\n \"id\": 1,\n \"at\": 2\n}\n"), (1, vec![]));
    assert_eq!(read("[]"), (0, vec![]));
    assert_eq!(read(" "), (0, vec![]));
    let middle = r#"[{"id":1,"at":1}, {"id":2,"at":}, {"id":3,"at":3}]"#;
    assert_eq!(read(middle), (2, vec!["bad-json"]));
    assert_eq!(read(r#"[{"id":1,"at":1},"#), (1, vec!["bad-json"]));
    assert_eq!(read(r#"[{"id":1,"at":1},]"#), (1, vec!["bad-json"]));
    assert_eq!(read(r#"[{"id":1,"at":1} {"id":2,"at":2}]"#), (1, vec!["bad-json"]));
    assert_eq!(read(r#"[{"id":1,"at":1}] x"#), (1, vec!["bad-json"]));
    assert_eq!(read(r#"[{"id":1,"at":"2026-01-01},{"id":2,"at":2}]"#), (0, vec!["bad-json"]));
    assert_eq!(read("[1,\"a\",null]"), (0, vec!["not-an-object"; 3]));
}

#[test]
fn the_places_in_a_document_are_those_of_its_objects() {
    let schema = schema_with("x?", Type::Int);
    let body = "[\n  {\"id\":1,\"at\":1},\n  {\"id\":\"x\",\n   \"at\":1},\n  {}\n]";
    let mut decoder = JsonDecoder::new(schema, Limits::default());
    let decoded = decoder.document(body.as_bytes(), "http").unwrap();
    let places: Vec<String> = decoded.dead.iter().map(|l| l.position.to_string()).collect();
    assert_eq!(places, ["line 3 (byte 23)", "line 5 (byte 48)"]);
    assert_eq!(decoded.dead[0].bytes, b"{\"id\":\"x\",\n   \"at\":1}");
}

#[test]
fn a_body_beyond_its_limit_is_refused_as_a_whole() {
    let limits = Limits { body_bytes: 20, ..Limits::default() };
    let mut decoder = JsonDecoder::new(schema_with("x?", Type::Int), limits);
    let body = br#"{"id":1,"at":1 }    "#;
    assert_eq!(body.len(), 20);
    assert_eq!(decoder.lines(body, "http").unwrap().batch.len(), 1);
    let longer = [body.as_slice(), b" "].concat();
    let error = decoder.document(&longer, "http").unwrap_err().to_string();
    assert_eq!(error, "http: a body of 21 bytes, and the limit is 20; send it in parts");
}

#[test]
fn a_list_of_which_too_much_cannot_be_read_is_refused_as_a_whole() {
    let mut decoder = JsonDecoder::new(schema_with("x?", Type::Int), Limits::default());
    let list = |bad: usize| format!("[{}{{\"id\":1,\"at\":1}}]", "1,".repeat(bad));
    let decoded = decoder.document(list(1 << 16).as_bytes(), "http").unwrap();
    assert_eq!((decoded.batch.len(), decoded.dead.len()), (1, 1 << 16));
    let error = decoder.document(list((1 << 16) + 1).as_bytes(), "http").unwrap_err();
    assert!(matches!(error, Error::TooManyDead { limit: 65_536, .. }), "{error}");
}

#[test]
fn a_value_that_is_written_is_the_value_that_was_read() {
    for (ty, json) in [
        (Type::Decimal(2), "5.00"),
        (Type::Int, "9223372036854775807"),
        (Type::Duration, "\"90m\""),
        (Type::Timestamp, "\"2026-01-01T12:00:00.123456Z\""),
        (Type::Float, "0.1"),
        (list(Type::Decimal(3)), "[0.001,null]"),
        (map(Type::Timestamp, Type::Bool), "{\"2026-01-01T12:00:00Z\":true}"),
    ] {
        let value = read(ty.clone(), json).unwrap();
        assert_eq!(value_to_json(&value, &ty).get(), json);
    }
}
