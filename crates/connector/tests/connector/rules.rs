use std::path::Path;
use std::sync::Arc;

use millrace_connector::{
    DeadLetter, Decoded, FileOptions, FileSource, JsonDecoder, Limits, Position, RowWriter,
    TailSource, UnknownFields, WriteOptions,
};
use millrace_event::{EventTime, KeyKind, Rules, Schema, Span, Type};

use crate::rows::{entity, schema_with};

/// Ids 1 and 5 are good; 2 and 6 lie too far ahead, the card of 3 and 7 is too long, and 4 cannot be
/// read at all, whatever else is wrong with it.
#[test]
fn what_is_against_the_rules_keeps_its_bytes_and_place_in_every_format() {
    let schema = schema_with("card", entity(KeyKind::Text));
    let rules = Rules { future_max: Span::seconds(1), keys: vec![vec![2]], key_bytes_max: 20 };
    let rules = Arc::new(rules);
    let received = EventTime(1_000_000);
    let (fits, long) = ("k".repeat(16), "k".repeat(17));
    let cells = [
        ("1", "2000", &fits),
        ("2", "2001", &fits),
        ("3", "0", &long),
        ("x", "2001", &long),
        ("5", "0", &fits),
        ("6", "9000", &long),
        ("7", "5", &long),
    ];
    let reasons_of = |dead: &[DeadLetter]| {
        dead.iter().map(|letter| letter.reason.name()).collect::<Vec<_>>().join(" ")
    };
    let expected = "future long-key wrong-type future long-key";
    let check = |decoded: Decoded, expected: &str, places: [usize; 2]| {
        let ids = decoded.batch.columns[0].as_words();
        assert_eq!((ids, reasons_of(&decoded.dead).as_str()), (&[1, 5][..], expected));
        assert!(decoded.good_at().eq(places), "{expected}");
        decoded.dead
    };

    let objects = cells.map(|(id, at, card)| {
        let id = if id == "x" { "\"x\"" } else { id };
        format!("{{\"id\":{id},\"at\":{at},\"card\":\"{card}\"}}")
    });
    let mut decoder = JsonDecoder::new(Arc::clone(&schema), Limits::default())
        .with_rules(Arc::clone(&rules), received);
    let lines = objects.join("\n");
    let list = format!("[{}]", objects.join(",\n"));
    for decoded in [decoder.lines(lines.as_bytes(), "t"), decoder.document(list.as_bytes(), "t")] {
        let dead = check(decoded.unwrap(), expected, [0, 4]);
        assert_eq!(dead[1].bytes, objects[2].as_bytes());
        assert!(matches!(dead[1].position, Position::Line { line: 3, .. }), "{:?}", dead[1]);
    }
    let mut unknown = UnknownFields::default();
    let row = decoder.row(objects[6].as_bytes(), "t", &mut unknown).unwrap_err();
    assert_eq!((row.reason.name(), row.bytes), ("long-key", objects[6].as_bytes().to_vec()));
    assert!(decoder.row(objects[4].as_bytes(), "t", &mut unknown).is_ok());

    let folder = tempfile::tempdir().unwrap();
    let options = FileOptions { rules: Some(Arc::clone(&rules)), ..FileOptions::default() };
    let read = |name: &str| {
        let path = folder.path().join(name);
        let mut source = FileSource::open(path, Arc::clone(&schema), &options).unwrap();
        source.receive_at(received);
        source.next_block(100).unwrap().unwrap()
    };
    // Plain rows and quoted ones are read in two ways.
    for quote in ["", "\""] {
        let row = |(id, at, card): (&str, &str, &String)| format!("{id},{at},{quote}{card}{quote}");
        let rows = cells.map(row);
        let text = format!("id,at,card\n{}\n", rows.join("\n"));
        std::fs::write(folder.path().join("a.csv"), text).unwrap();
        let dead = check(read("a.csv"), expected, [0, 4]);
        assert_eq!(dead[1].bytes, rows[2].as_bytes());
        assert!(matches!(dead[1].position, Position::Line { line: 4, .. }), "{:?}", dead[1]);
    }

    std::fs::write(folder.path().join("a.ndjson"), format!("{lines}\n")).unwrap();
    let mut tail =
        TailSource::open(folder.path().join("a.ndjson"), Arc::clone(&schema), &options).unwrap();
    tail.receive_at(received);
    check(tail.poll(100).unwrap().decoded, expected, [0, 4]);

    let good: Vec<&str> =
        objects.iter().map(String::as_str).filter(|o| !o.contains("\"x\"")).collect();
    write_parquet(&folder.path().join("a.parquet"), &schema, &good.join("\n"));
    let dead = check(read("a.parquet"), "future long-key future long-key", [0, 3]);
    assert_eq!(dead[1].position, Position::Row(2));
    let record: serde_json::Value = serde_json::from_slice(&dead[1].bytes).unwrap();
    assert_eq!((&record["id"], &record["card"]), (&3.into(), &long.into()));
}

fn write_parquet(path: &Path, schema: &Arc<Schema>, lines: &str) {
    let mut plain = JsonDecoder::new(Arc::clone(schema), Limits::default());
    let all = plain.lines(lines.as_bytes(), "t").unwrap().batch;
    let fields: Vec<(&str, Type)> =
        schema.fields.iter().map(|f| (&*f.name, f.ty.clone())).collect();
    let mut writer = RowWriter::create(path, &fields, WriteOptions::default()).unwrap();
    writer.write(&all.columns.iter().collect::<Vec<_>>(), 0..all.len()).unwrap();
    writer.finish().unwrap();
}
