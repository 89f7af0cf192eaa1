use std::fs;
use std::path::Path;

use millrace_connector::{Error, RowWriter, TimeFormat, WriteOptions};
use millrace_event::{Column, Mark, Physical, State, Type};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Three columns of two rows; every cell of the second row is null.
fn columns() -> Vec<(&'static str, Type, Column)> {
    let mut at = Column::new(Physical::Word);
    at.push_word(1_500_000, Mark::OK);
    at.push_null(Mark::null(State::Limit));
    let mut text = Column::new(Physical::Text);
    text.push_text("a \"b\", c", Mark::value(State::Default));
    text.push_null(Mark::NULL);
    let mut amount = Column::new(Physical::Word);
    amount.push_word(-5, Mark::OK);
    amount.push_null(Mark::null(State::Overflow));
    vec![
        ("at", Type::Timestamp, at),
        ("some text", Type::String, text),
        ("amount", Type::Decimal(2), amount),
    ]
}

fn write(path: &Path, options: WriteOptions) -> Result<(), Error> {
    let columns = columns();
    let declared: Vec<(&str, Type)> = columns.iter().map(|(n, ty, _)| (*n, ty.clone())).collect();
    let mut writer = RowWriter::create(path, &declared, options)?;
    writer.write(&columns.iter().map(|(_, _, c)| c).collect::<Vec<_>>(), 0..2)?;
    writer.finish()
}

#[test]
fn lines_are_written_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, options| {
        let path = folder.path().join(name);
        write(&path, options).unwrap();
        fs::read_to_string(path).unwrap()
    };
    let text = WriteOptions::default();
    let millis = WriteOptions { times: TimeFormat::Millis, delimiter: b'\t' };
    assert_eq!(
        written("a.csv", text),
        "at,some text,amount\n1970-01-01T00:00:01.500Z,\"a \"\"b\"\", c\",-0.05\n,,\n"
    );
    assert_eq!(
        written("b.csv", millis),
        "at\tsome text\tamount\n1500\t\"a \"\"b\"\", c\"\t-0.05\n\t\t\n"
    );
    assert_eq!(
        written("a.ndjson", text),
        "{\"at\":\"1970-01-01T00:00:01.500Z\",\"some text\":\"a \\\"b\\\", c\",\"amount\":-0.05}\n\
         {\"at\":null,\"some text\":null,\"amount\":null}\n"
    );
    assert_eq!(
        written("b.jsonl", millis),
        "{\"at\":1500,\"some text\":\"a \\\"b\\\", c\",\"amount\":-0.05}\n\
         {\"at\":null,\"some text\":null,\"amount\":null}\n"
    );
}

#[test]
fn a_file_has_its_name_only_when_it_is_whole() {
    for name in ["rows.csv", "rows.ndjson", "rows.parquet"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, "before").unwrap();
        let mut writer =
            RowWriter::create(&path, &[("n", Type::Int)], WriteOptions::default()).unwrap();
        writer.write(&[&Column::words(vec![1, 2, 3])], 1..3).unwrap();
        assert_eq!(names(folder.path()).len(), 2, "{name}");
        assert_eq!(fs::read(&path).unwrap(), b"before");
        drop(writer);
        assert_eq!(names(folder.path()), [name], "a dropped writer leaves nothing");
        let other = RowWriter::create(&path, &[("n", Type::Int)], WriteOptions::default()).unwrap();
        let writer = RowWriter::create(&path, &[("n", Type::Int)], WriteOptions::default());
        writer.unwrap().finish().unwrap();
        assert_ne!(fs::read(&path).unwrap(), b"before", "two writers do not share a name");
        other.finish().unwrap();
        assert_eq!(names(folder.path()), [name]);
    }
}

#[test]
fn rows_that_are_not_as_declared_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let mut writer =
        RowWriter::create(&path, &[("n", Type::Int)], WriteOptions::default()).unwrap();
    let (words, floats) = (Column::words(vec![1, 2]), Column::floats(vec![1.0]));
    let refused = [
        (writer.write(&[], 0..1), "0 columns given and 1 declared"),
        (writer.write(&[&floats], 0..1), "the column `n` does not hold cells of int"),
        (writer.write(&[&words], 0..3), "the column `n` has 2 rows and 3 are asked for"),
    ];
    for (result, cause) in refused {
        let message = result.unwrap_err().to_string();
        assert!(message.ends_with(cause), "{message}");
    }
    let missing = folder.path().join("missing").join("rows.csv");
    assert!(matches!(
        RowWriter::create(&missing, &[], WriteOptions::default()),
        Err(Error::Io { .. })
    ));
    let unknown = RowWriter::create("rows.xlsx", &[], WriteOptions::default()).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "rows.xlsx: the ending says no known format; use one of .csv, .ndjson, .jsonl, .parquet"
    );
    assert!(matches!(
        RowWriter::create(&path, &[], WriteOptions { delimiter: b'5', ..WriteOptions::default() }),
        Err(Error::Delimiter { delimiter: b'5' })
    ));
}

#[test]
fn a_single_column_writes_a_line_for_a_null() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let mut column = Column::new(Physical::Word);
    column.push_null(Mark::NULL);
    column.push_word(7, Mark::OK);
    let mut writer =
        RowWriter::create(&path, &[("n", Type::Int)], WriteOptions::default()).unwrap();
    writer.write(&[&column], 0..2).unwrap();
    writer.finish().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "n\n\"\"\n7\n");
}

#[test]
fn a_column_of_durations_has_one_unit_in_csv() {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str| {
        let path = folder.path().join(name);
        let options = WriteOptions::default();
        let mut writer = RowWriter::create(&path, &[("age", Type::Duration)], options).unwrap();
        writer.write(&[&Column::words(vec![5_400_000_000, 1_500_000, 250])], 0..3).unwrap();
        writer.finish().unwrap();
        fs::read_to_string(path).unwrap()
    };
    assert_eq!(written("ages.csv"), "age\n5400000\n1500\n0.250\n");
    let lines = "{\"age\":\"90m\"}\n{\"age\":\"1500ms\"}\n{\"age\":\"250us\"}\n";
    assert_eq!(written("ages.ndjson"), lines);
}
