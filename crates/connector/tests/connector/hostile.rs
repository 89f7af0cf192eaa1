//! Bytes that nobody meant well with: nothing panics, every record is counted once, and a bad
//! record leaves its neighbours alone.

use millrace_connector::{CsvDecoder, CsvOptions, Decoded, JsonDecoder, Limits};
use millrace_event::{Batch, Type, Value};
use proptest::prelude::*;

use crate::rows::{every_type, lines, reasons, rows, schema_with};

fn csv(body: &[u8]) -> Decoded {
    let options = CsvOptions { has_header: false, ..CsvOptions::default() };
    CsvDecoder::body(&every_type(), body, &options, Limits::default(), "http").unwrap()
}

fn ids(batch: &Batch) -> Vec<Value> {
    rows(batch).into_iter().map(|mut row| row.remove(0)).collect()
}

#[test]
fn bad_lines_of_every_kind_leave_their_neighbours_alone() {
    let deep = "[".repeat(10_000);
    let huge = format!("{{\"id\":{}}}", "9".repeat(100_000));
    let bad: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        b"{\"id\":1,\"at\":1,\"x\":\"\xff\xfe\"}".to_vec(),
        b"{\"id\":1,\"at\":1,\"x\":\"\\ud800\"}".to_vec(),
        b"{\"id\":1,\"at\":1,\"x\":\"a\0b\"}".to_vec(),
        b"\0\0\0".to_vec(),
        b"null".to_vec(),
        b"{\"id\":1,\"at\":1,\"x\":'a'}".to_vec(),
        b"{\"id\":01,\"at\":1}".to_vec(),
        b"{\"id\":1,\"at\":NaN}".to_vec(),
        deep.clone().into_bytes(),
        format!("{{\"id\":1,\"at\":1,\"x\":{deep}}}").into_bytes(),
        format!("{{\"id\":1,\"at\":1,\"unknown\":{}", "{\"a\":".repeat(10_000)).into_bytes(),
        huge.into_bytes(),
        b"\xef\xbb\xbf{\"id\":1,\"at\":1}".to_vec(),
    ];
    let schema = schema_with("x?", Type::String);
    let mut body = Vec::new();
    for (i, record) in bad.iter().enumerate() {
        body.extend_from_slice(format!("{{\"id\":{i},\"at\":1,\"x\":\"good\"}}\n").as_bytes());
        body.extend_from_slice(record);
        body.push(b'\n');
    }
    let decoded = lines(&schema, &body);
    let expected: Vec<Value> = (0..bad.len()).map(|i| Value::Int(i as i64)).collect();
    assert_eq!(ids(&decoded.batch), expected);
    let letters: Vec<&[u8]> = decoded.dead.iter().map(|letter| &letter.bytes[..]).collect();
    assert_eq!(letters, bad.iter().map(Vec::as_slice).collect::<Vec<_>>());
    assert_eq!(
        reasons(&decoded),
        [
            "bad-json",
            "bad-utf8",
            "bad-json",
            "bad-json",
            "bad-json",
            "not-an-object",
            "bad-json",
            "bad-json",
            "bad-json",
            "too-deep",
            "bad-json",
            "bad-json",
            "out-of-range",
            "bad-json",
        ]
    );
}

#[test]
fn rows_that_end_at_the_chunk_s_end_are_whole_only_with_their_line_s_end() {
    let schema = schema_with("x?", Type::Int);
    for (body, count) in [("", 0), ("\n\n\r\n", 0), ("{\"id\":1,\"at\":1}", 1)] {
        assert_eq!(lines(&schema, body.as_bytes()).records(), count, "{body:?}");
    }
    let options = CsvOptions::default();
    for (body, count) in [("id,at", 0), ("id,at\n1,2", 1), ("id,at\r\n1,2\r\n\r\n", 1)] {
        let limits = Limits::default();
        let decoded = CsvDecoder::body(&schema, body.as_bytes(), &options, limits, "http").unwrap();
        assert_eq!((decoded.batch.len(), decoded.dead.len()), (count, 0), "{body:?}");
    }
}

/// Each row opens a quote that the next one closes: were a bad row to be read again and again, this
/// would take hours.
#[test]
fn quotes_that_are_never_right_cost_linear_time() {
    for line in ["a\",\"\n", "\"\n", "a,\"\n", "\",b,\"\n", "\"\"\"\n"] {
        let body = line.repeat(200_000);
        let decoded = csv(body.as_bytes());
        assert!(decoded.records() > 0 && decoded.batch.is_empty(), "{line:?}");
    }
}

/// Bytes that look enough like JSON or CSV to get somewhere.
fn nearly_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"{\"id\":1,\"at\":2}".to_vec()),
        Just(b"\"id\":".to_vec()),
        Just(b"\"times\":{\"1\":[2]}".to_vec()),
        Just(b"1,2,true,3,0.5,1.25".to_vec()),
        Just(b"2026-01-01T00:00:00Z".to_vec()),
        Just(b"5m".to_vec()),
        Just(b"\\u".to_vec()),
        Just(b"d800".to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        Just(b"1e999999999999999999999".to_vec()),
        prop::sample::select(b"{}[]\",:\n\r\\-.0159eEtfn \0\xff\xc3\xa9".to_vec())
            .prop_map(|byte| vec![byte]),
        any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A line counts unless it is blank.
fn records_of(bytes: &[u8]) -> usize {
    let start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    bytes[start..].split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()).count()
}

proptest! {
    #[test]
    fn every_line_of_any_bytes_is_a_row_or_a_letter(bytes in nearly_text()) {
        let decoded = lines(&every_type(), &bytes);
        prop_assert_eq!(decoded.records(), records_of(&bytes));
    }

    #[test]
    fn a_document_of_any_bytes_is_read_to_its_end(bytes in nearly_text()) {
        let mut decoder = JsonDecoder::new(every_type(), Limits::default());
        let list = [b"[".as_slice(), &bytes, b"]"].concat();
        for body in [&bytes, &list] {
            decoder.document(body, "http").unwrap();
        }
    }

    /// A good row before and a good row after any line stay good. (A quote may take following lines
    /// into its row, so the line between holds none.)
    #[test]
    fn any_line_of_csv_leaves_its_neighbours_alone(line in nearly_text()) {
        let good = "7,8,,,,,,,,,,,,,,";
        let line: Vec<u8> = line.into_iter().filter(|b| !matches!(b, b'\n' | b'"')).collect();
        let body = [good.as_bytes(), b"\n", &line, b"\n", good.as_bytes(), b"\n"].concat();
        let decoded = csv(&body);
        let blank = line.is_empty() || line == b"\r";
        prop_assert_eq!(decoded.records(), if blank { 2 } else { 3 });
        prop_assert!(decoded.batch.len() >= 2);
    }

    /// Whatever the quotes, each byte is in one record: the letters and the bytes that follow them
    /// are found where they say.
    #[test]
    fn the_letters_of_any_csv_are_found_where_they_say(bytes in nearly_text()) {
        let decoded = csv(&bytes);
        for letter in &decoded.dead {
            let millrace_connector::Position::Line { line, byte } = letter.position else {
                panic!("a line has no row");
            };
            let (before, from) = bytes.split_at(usize::try_from(byte).unwrap());
            prop_assert!(from.starts_with(&letter.bytes));
            let lines = before.iter().filter(|b| **b == b'\n').count() as u64;
            prop_assert_eq!(line, lines + 1);
        }
    }
}
