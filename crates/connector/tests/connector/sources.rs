use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use millrace_connector::{
    Decoded, Error, FileOptions, FileSource, Limits, Position, Progress, Reason, RowWriter,
    WriteOptions,
};
use millrace_event::{Column, Schema, Type, Value};
use tempfile::TempDir;

use crate::rows::{reasons, rows, schema_with};

fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read_all(source: &mut FileSource, max_rows: usize) -> Vec<Decoded> {
    let mut blocks = Vec::new();
    while let Some(decoded) = source.next_block(max_rows).unwrap() {
        blocks.push(decoded);
    }
    blocks
}

fn schema() -> Arc<Schema> {
    schema_with("x?", Type::Decimal(2))
}

/// A thousand records, each seventh of them bad, in each format of lines.
fn thousand() -> Vec<(&'static str, String)> {
    let mut csv = "id,at,x\n".to_owned();
    let mut json = String::new();
    for i in 0..1_000 {
        let x = if i % 7 == 0 { "0.001" } else { "0.01" };
        csv += &format!("{i},{i},{x}\n");
        json += &format!("{{\"id\":{i},\"at\":{i},\"x\":{x}}}\r\n\n");
    }
    vec![("a.csv", csv), ("a.ndjson", json.clone()), ("a.JSONL", json)]
}

#[test]
fn blocks_are_bounded_and_cover_the_file_once() {
    for (name, text) in thousand() {
        let (_folder, path) = file(name, text.as_bytes());
        let mut source = FileSource::open(&path, schema(), &FileOptions::default()).unwrap();
        let blocks = read_all(&mut source, 64);
        assert!(blocks.iter().all(|block| block.records() <= 64));
        let ids: Vec<Value> = blocks
            .iter()
            .flat_map(|block| rows(&block.batch))
            .map(|mut row| row.remove(0))
            .collect();
        let expected: Vec<Value> = (0..1_000).filter(|i| i % 7 != 0).map(Value::Int).collect();
        assert_eq!(ids, expected, "{name}");
        let dead: Vec<_> = blocks.iter().flat_map(|block| &block.dead).collect();
        assert_eq!(dead.len(), 143);
        assert!(dead.iter().all(|letter| letter.reason == Reason::TooPrecise));
        let total = text.len() as u64;
        assert_eq!(source.progress(), Progress::Bytes { done: total, total });
        assert!(source.next_block(64).unwrap().is_none());
    }
}

#[test]
fn a_file_is_resumed_at_any_position_it_was_left_at() {
    for (name, text) in thousand() {
        let (_folder, path) = file(name, text.as_bytes());
        let mut whole = FileSource::open(&path, schema(), &FileOptions::default()).unwrap();
        let blocks = read_all(&mut whole, 100);
        for (i, block) in blocks.iter().enumerate() {
            let options = FileOptions { resume: Some(block.position), ..FileOptions::default() };
            let mut source = FileSource::open(&path, schema(), &options).unwrap();
            assert_eq!(source.position(), block.position);
            let rest = read_all(&mut source, 100);
            let records: usize = rest.iter().map(Decoded::records).sum();
            assert_eq!(records, 1_000 - 100 * (i + 1), "{name}");
            let places = |blocks: &[Decoded]| -> Vec<Position> {
                blocks.iter().flat_map(|b| &b.dead).map(|letter| letter.position).collect()
            };
            assert_eq!(places(&rest), places(&blocks[i + 1..]));
        }
    }
}

#[test]
fn a_block_ends_at_its_bytes() {
    let (_folder, path) = file("a.csv", thousand()[0].1.as_bytes());
    let limits = Limits { block_bytes: 100, ..Limits::default() };
    let options = FileOptions { limits, ..FileOptions::default() };
    let mut source = FileSource::open(&path, schema(), &options).unwrap();
    let first = source.next_block(usize::MAX).unwrap().unwrap();
    let Position::Line { byte, .. } = first.position else { panic!("a line has no row") };
    // One record beyond is all that a block may take.
    assert!((100 + 8..100 + 8 + 12).contains(&byte), "{byte}");
}

#[test]
fn a_record_that_never_ends_is_given_up_in_bounded_memory() {
    let good = "{\"id\":1,\"at\":1}\n";
    let endless = format!("{{\"id\":2,\"at\":2,\"x\":\"{}\"}}\n", "x".repeat(5 << 20));
    let text = format!("{good}{endless}{good}{}", "y".repeat(6 << 20));
    let (_folder, path) = file("a.ndjson", text.as_bytes());
    let mut source = FileSource::open(&path, schema(), &FileOptions::default()).unwrap();
    let blocks = read_all(&mut source, 1_000);
    let dead: Vec<_> = blocks.iter().flat_map(|block| &block.dead).collect();
    assert_eq!(blocks.iter().map(|block| block.batch.len()).sum::<usize>(), 2);
    let lengths: Vec<u64> = dead.iter().map(|letter| letter.bytes_total).collect();
    assert_eq!(lengths, [endless.len() as u64 - 1, 6 << 20]);
    for letter in &dead {
        assert_eq!(letter.reason, Reason::RecordTooLarge);
        assert_eq!(letter.bytes.len(), Limits::KEPT_BYTES);
    }
    assert_eq!(dead[1].position, Position::Line { line: 4, byte: (text.len() - (6 << 20)) as u64 });
}

#[test]
fn an_open_quote_at_the_record_s_limit_costs_one_line() {
    let mut text = "id,at,x\n1,1,\"\n".to_owned();
    let rows = 600_000;
    (0..rows).for_each(|i| text += &format!("{i},1,0.01\n"));
    assert!(text.len() > Limits::RECORD_BYTES);
    let (_folder, path) = file("a.csv", text.as_bytes());
    let mut source = FileSource::open(&path, schema(), &FileOptions::default()).unwrap();
    let blocks = read_all(&mut source, 100_000);
    assert_eq!(blocks.iter().map(|block| block.batch.len()).sum::<usize>(), rows);
    assert_eq!(blocks.iter().flat_map(reasons).collect::<Vec<_>>(), ["bad-csv"]);
}

#[test]
fn a_record_across_two_reads_is_one_record() {
    // Longer than what is read from the file at once.
    let memo = "m".repeat(300 << 10);
    let mut text = "id,at,x\n".to_owned();
    (0..5).for_each(|i| text += &format!("{i},1,\"{memo}\n{memo}\"\n"));
    let (_folder, path) = file("a.csv", text.as_bytes());
    let schema = schema_with("x", Type::String);
    let mut source = FileSource::open(&path, schema, &FileOptions::default()).unwrap();
    let blocks = read_all(&mut source, 2);
    assert_eq!(blocks.iter().map(Decoded::records).collect::<Vec<_>>(), [2, 2, 1]);
    assert!(blocks.iter().all(|block| block.dead.is_empty()));
}

#[test]
fn what_cannot_be_opened_says_why() {
    let (folder, path) = file("a.csv", b"id,at,x\n1,2,3\n");
    let open = |path: &PathBuf, resume| {
        let options = FileOptions { resume, ..FileOptions::default() };
        FileSource::open(path, schema(), &options)
    };
    assert!(matches!(open(&folder.path().join("b.csv"), None), Err(Error::Io { .. })));
    let unknown = open(&folder.path().join("b.txt"), None).unwrap_err().to_string();
    assert!(unknown.ends_with("use one of .csv, .ndjson, .jsonl, .parquet"), "{unknown}");
    let beyond = open(&path, Some(Position::Line { line: 9, byte: 99 })).unwrap_err().to_string();
    assert!(beyond.ends_with("line 9 (byte 99): the file is shorter than that"), "{beyond}");
    assert!(matches!(open(&path, Some(Position::Row(1))), Err(Error::Resume { .. })));
    let (_other, broken) = file("a.parquet", b"PAR1 or not");
    assert!(matches!(open(&broken, None), Err(Error::Parquet { .. })));
}

#[test]
fn parquet_is_read_in_blocks_and_resumed_at_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let declared = [("id", Type::Int), ("at", Type::Timestamp)];
    let mut writer = RowWriter::create(&path, &declared, WriteOptions::default()).unwrap();
    let words = Column::words((0..10_000).collect());
    writer.write(&[&words, &words], 0..10_000).unwrap();
    writer.finish().unwrap();
    let mut source = FileSource::open(&path, schema(), &FileOptions::default()).unwrap();
    let blocks = read_all(&mut source, 3_000);
    assert!(blocks.iter().all(|block| block.records() <= 3_000));
    let ids: Vec<i64> =
        blocks.iter().flat_map(|block| block.batch.columns[0].as_words().to_vec()).collect();
    assert_eq!(ids, (0..10_000).collect::<Vec<_>>());
    assert_eq!(source.progress(), Progress::Rows { done: 10_000, total: 10_000 });
    for row in [0, 1, 2_048, 9_999, 10_000] {
        let resume = Some(Position::Row(row));
        let options = FileOptions { resume, ..FileOptions::default() };
        let mut source = FileSource::open(&path, schema(), &options).unwrap();
        let rest = read_all(&mut source, 700);
        let first = rest.first().map(|block| block.batch.columns[0].as_words()[0]);
        assert_eq!(first, i64::try_from(row).ok().filter(|row| *row < 10_000));
        assert_eq!(rest.iter().map(Decoded::records).sum::<usize>(), 10_000 - row as usize);
    }
    let options = FileOptions { resume: Some(Position::Row(10_001)), ..FileOptions::default() };
    assert!(matches!(FileSource::open(&path, schema(), &options), Err(Error::Resume { .. })));
}
