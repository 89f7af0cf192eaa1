use millrace_connector::{CsvDecoder, CsvOptions, Decoded, Error, Limits};
use millrace_event::{EventTime, Type, Value};

use crate::rows::{decimal, list, reasons, rows, schema, schema_with};

fn read(ty: Type, options: &CsvOptions, text: &str) -> Result<Decoded, Error> {
    let schema = schema_with("x?", ty);
    CsvDecoder::body(&schema, text.as_bytes(), options, Limits::default(), "http")
}

/// What the cell, as written in the file, makes in a field of this type.
fn cell(ty: Type, text: &str) -> Result<Value, &'static str> {
    let decoded = read(ty, &CsvOptions::default(), &format!("id,at,x\n1,2,{text}\n")).unwrap();
    assert_eq!(decoded.records(), 1, "{text}");
    match decoded.dead.first() {
        None => Ok(rows(&decoded.batch).remove(0).remove(2)),
        Some(letter) => {
            assert_eq!(letter.bytes, format!("1,2,{text}").as_bytes());
            Err(letter.reason.name())
        }
    }
}

#[test]
fn each_type_takes_its_text_and_refuses_the_rest() {
    let list_of_ints = Value::List(vec![Value::Int(1), Value::Int(2)]);
    let cases: Vec<(Type, &str, Result<Value, &str>)> = vec![
        (Type::Int, "007", Ok(Value::Int(7))),
        (Type::Int, "-9223372036854775808", Ok(Value::Int(i64::MIN))),
        (Type::Int, "9223372036854775808", Err("out-of-range")),
        (Type::Int, " 5 ", Ok(Value::Int(5))),
        (Type::Int, "\"5\"", Ok(Value::Int(5))),
        (Type::Int, "", Ok(Value::Null)),
        (Type::Int, "\"\"", Ok(Value::Null)),
        (Type::Int, "5x", Err("wrong-type")),
        (Type::Int, "+5", Err("wrong-type")),
        (Type::Decimal(2), "12.3", Ok(decimal(1_230, 2))),
        (Type::Decimal(2), "-0.01", Ok(decimal(-1, 2))),
        (Type::Decimal(2), "12.340", Ok(decimal(1_234, 2))),
        (Type::Decimal(2), "12.345", Err("too-precise")),
        (Type::Decimal(2), "1.2e3", Ok(decimal(120_000, 2))),
        (Type::Float, "1e-7", Ok(Value::Float(1e-7))),
        (Type::Float, "inf", Err("wrong-type")),
        (Type::Bool, "true", Ok(Value::Bool(true))),
        (Type::Bool, "False", Ok(Value::Bool(false))),
        (Type::Bool, "1", Ok(Value::Bool(true))),
        (Type::Bool, "truee", Err("wrong-type")),
        (Type::Timestamp, "1000", Ok(Value::Timestamp(EventTime(1_000_000)))),
        (Type::Timestamp, "-1", Ok(Value::Timestamp(EventTime(-1_000)))),
        (Type::Timestamp, "1970-01-01 00:00:01Z", Ok(Value::Timestamp(EventTime(1_000_000)))),
        (Type::Timestamp, "99999999999999999", Err("out-of-range")),
        (Type::String, " a ", Ok(Value::text(" a "))),
        (Type::String, "", Ok(Value::Null)),
        (Type::String, "\"\"", Ok(Value::text(""))),
        (Type::String, "\"a,\"\"b\"\"\n\"", Ok(Value::text("a,\"b\"\n"))),
        (Type::String, "a\"b", Err("bad-csv")),
        (Type::String, "\"a\"b", Err("bad-csv")),
        (Type::String, "a,b", Err("column-count")),
        (list(Type::Int), "\"[1,2]\"", Ok(list_of_ints)),
        (list(Type::Int), "[1]]", Err("bad-json")),
    ];
    for (ty, text, expected) in cases {
        assert_eq!(cell(ty.clone(), text), expected, "{text:?} for {ty}");
    }
}

#[test]
fn columns_are_found_by_name_in_any_order() {
    let text = "\u{feff}extra,x,at,id\r\na,5,2,1\r\n\r\nb,,4,3";
    let decoded = read(Type::Int, &CsvOptions::default(), text).unwrap();
    let time = |ms: i64| Value::Timestamp(EventTime(ms * 1_000));
    assert_eq!(
        rows(&decoded.batch),
        [vec![Value::Int(1), time(2), Value::Int(5)], vec![Value::Int(3), time(4), Value::Null],]
    );
    assert_eq!(decoded.position.to_string(), format!("line 5 (byte {})", text.len()));
}

#[test]
fn without_a_header_the_columns_are_given_or_the_schema_s() {
    let bare = CsvOptions { has_header: false, ..CsvOptions::default() };
    assert_eq!(read(Type::Int, &bare, "1,2,3\n4,5,6\n").unwrap().batch.len(), 2);
    let names = ["x", "at", "id"].map(str::to_owned).to_vec();
    let given = CsvOptions { columns: Some(names.clone()), ..bare };
    let decoded = read(Type::Int, &given, "1,2,3\n").unwrap();
    assert_eq!(rows(&decoded.batch)[0][0], Value::Int(3));
    // Names that are given take the place of the header's.
    let instead = CsvOptions { columns: Some(names), ..CsvOptions::default() };
    let decoded = read(Type::Int, &instead, "id,at,x\n1,2,3\n").unwrap();
    assert_eq!(rows(&decoded.batch)[0][0], Value::Int(3));
    let bar = CsvOptions { delimiter: b'|', ..CsvOptions::default() };
    assert_eq!(read(Type::Int, &bar, "id|at|x\n1|2|3\n").unwrap().batch.len(), 1);
}

#[test]
fn a_header_that_does_not_fit_is_an_error() {
    let error =
        |options: &CsvOptions, text| read(Type::Int, options, text).unwrap_err().to_string();
    let plain = CsvOptions::default();
    assert_eq!(
        error(&plain, "id,time\n"),
        "http: no column `at`, which may not be null; the file has: id, time"
    );
    assert_eq!(error(&plain, "id,at,id\n"), "http: two columns are named `id`");
    assert!(error(&plain, "id,\"at\n").contains("header cannot be read"));
    let bytes = b"id,at,\xff\n";
    let schema = schema_with("x?", Type::Int);
    let refused = CsvDecoder::body(&schema, bytes, &plain, Limits::default(), "http");
    assert!(matches!(refused, Err(Error::HeaderUtf8 { .. })));
    for delimiter in [b'"', b'\n', b'1', b'a', b'.', b'-', 0xff] {
        let options = CsvOptions { delimiter, ..CsvOptions::default() };
        assert!(matches!(read(Type::Int, &options, ""), Err(Error::Delimiter { .. })));
    }
    assert_eq!(read(Type::Int, &plain, "").unwrap().records(), 0);
}

#[test]
fn a_row_with_wrong_quotes_costs_its_first_line_alone() {
    let text = "id,at,x\n1,1,a\n2,2,\"open\n3,3,c\n4,4,\"d\"\n5,5,e\n";
    let decoded = read(Type::String, &CsvOptions::default(), text).unwrap();
    let ids: Vec<Value> = rows(&decoded.batch).into_iter().map(|mut row| row.remove(0)).collect();
    assert_eq!(ids, [1, 3, 4, 5].map(Value::Int));
    assert_eq!(reasons(&decoded), ["bad-csv"]);
    assert_eq!(decoded.dead[0].bytes, b"2,2,\"open");
    assert_eq!(decoded.dead[0].position.to_string(), "line 3 (byte 14)");
}

#[test]
fn a_row_over_several_lines_keeps_the_count_of_lines() {
    let text = "id,at,x\n1,1,\"a\nb\nc\"\nbad\n2,2,d";
    let decoded = read(Type::String, &CsvOptions::default(), text).unwrap();
    assert_eq!(rows(&decoded.batch)[0][2], Value::text("a\nb\nc"));
    assert_eq!(decoded.dead[0].position.to_string(), "line 5 (byte 20)");
    assert_eq!(decoded.dead[0].reason.name(), "column-count");
    assert_eq!(decoded.batch.len(), 2);
}

/// Fast and careful reading must agree: the same rows, once plain and once with every cell quoted.
#[test]
fn quoting_every_cell_changes_nothing() {
    let schema = schema(&[
        ("id", Type::Int),
        ("at", Type::Timestamp),
        ("amount", Type::Decimal(2)),
        ("rate", Type::Float),
        ("ok", Type::Bool),
        ("memo", Type::String),
    ]);
    let mut plain = String::new();
    let mut quoted = String::new();
    for i in 0..500i64 {
        let cells = [
            (i * 7_919 - 1_000_000).to_string(),
            (1_767_225_600_000 + i * 86_399_999).to_string(),
            format!("{}.{:02}", i * 31, i % 100),
            format!("{}", i as f64 / 3.0),
            (i % 3 == 0).to_string(),
            format!("memo {i}"),
        ];
        plain += &(cells.join(",") + "\n");
        quoted += &(cells.map(|cell| format!("\"{cell}\"")).join(",") + "\r\n");
    }
    let options = CsvOptions { has_header: false, ..CsvOptions::default() };
    let read = |text: &str| {
        let limits = Limits::default();
        CsvDecoder::body(&schema, text.as_bytes(), &options, limits, "test").unwrap()
    };
    let (plain, quoted) = (read(&plain), read(&quoted));
    assert_eq!(plain.batch.len(), 500);
    assert_eq!(rows(&plain.batch), rows(&quoted.batch));
}
