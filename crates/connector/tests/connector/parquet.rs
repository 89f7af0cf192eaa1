//! Parquet files that others wrote: the columns that are taken, and what becomes of the rest.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array,
    DictionaryArray, Float32Array, Float64Array, Int8Array, Int32Array, Int64Array,
    LargeStringArray, ListArray, RecordBatch, StringArray, StringViewArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow_buffer::i256;
use millrace_connector::{Decoded, Error, FileOptions, FileSource, Reason};
use millrace_event::{EventTime, KeyKind, Schema, Span, Type, Value};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use crate::rows::{decimal, entity, list, rows, schema, schema_with};

/// A file of these columns.
fn file(columns: Vec<(&str, ArrayRef)>) -> (TempDir, PathBuf) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let mut writer =
        ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    (folder, path)
}

fn read(schema: Arc<Schema>, columns: Vec<(&str, ArrayRef)>) -> Result<Decoded, Error> {
    let (_folder, path) = file(columns);
    let mut source = FileSource::open(&path, schema, &FileOptions::default())?;
    let decoded = source.next_block(1_000)?.unwrap();
    assert!(source.next_block(1_000)?.is_none());
    Ok(decoded)
}

/// `id` and `at` of as many rows.
fn with_keys(array: ArrayRef) -> Vec<(&'static str, ArrayRef)> {
    let words: Vec<i64> = (0..array.len() as i64).collect();
    let (id, at) = (Int64Array::from(words.clone()), Int64Array::from(words));
    vec![("id", Arc::new(id)), ("at", Arc::new(at)), ("x", array)]
}

/// What each row of the column makes in a field of this type.
fn cells(ty: Type, array: ArrayRef) -> Vec<Result<Value, &'static str>> {
    let count = array.len();
    let decoded = read(schema_with("x?", ty), with_keys(array)).unwrap();
    let mut cells = vec![Err("lost"); count];
    for row in rows(&decoded.batch) {
        let Value::Int(id) = row[0] else { panic!("an id is an int") };
        cells[id as usize] = Ok(row[2].clone());
    }
    for letter in &decoded.dead {
        let millrace_connector::Position::Row(row) = letter.position else {
            panic!("a row of a table")
        };
        cells[row as usize] = Err(letter.reason.name());
    }
    cells
}

#[test]
fn numbers_of_every_width_are_taken_where_they_are_the_same_number() {
    let ints: Vec<(ArrayRef, Vec<Result<Value, &str>>)> = vec![
        (
            Arc::new(Int8Array::from(vec![Some(-5), None])),
            vec![Ok(Value::Int(-5)), Ok(Value::Null)],
        ),
        (Arc::new(Int32Array::from(vec![7])), vec![Ok(Value::Int(7))]),
        (
            Arc::new(UInt64Array::from(vec![1, u64::MAX])),
            vec![Ok(Value::Int(1)), Err("out-of-range")],
        ),
        (
            Arc::new(Float64Array::from(vec![3.0, 3.5, f64::NAN])),
            vec![Ok(Value::Int(3)), Err("too-precise"), Err("out-of-range")],
        ),
        (Arc::new(StringArray::from(vec!["12", "x"])), vec![Ok(Value::Int(12)), Err("wrong-type")]),
        (
            Arc::new(Decimal128Array::from(vec![300, 301]).with_precision_and_scale(9, 2).unwrap()),
            vec![Ok(Value::Int(3)), Err("too-precise")],
        ),
    ];
    for (array, expected) in ints {
        assert_eq!(cells(Type::Int, array), expected);
    }
}

#[test]
fn decimals_are_taken_from_decimals_ints_and_floats_that_stand_for_one() {
    let of_decimals =
        Decimal128Array::from(vec![123_400, 123_450, 1]).with_precision_and_scale(20, 4).unwrap();
    assert_eq!(
        cells(Type::Decimal(2), Arc::new(of_decimals)),
        [Ok(decimal(1_234, 2)), Err("too-precise"), Err("too-precise"),]
    );
    let wide = Decimal256Array::from(vec![i256::from_i128(5), i256::MAX])
        .with_precision_and_scale(76, 0)
        .unwrap();
    let taken = cells(Type::Decimal(2), Arc::new(wide));
    assert_eq!(taken, [Ok(decimal(500, 2)), Err("out-of-range")]);
    let floats = Float64Array::from(vec![Some(12.34), Some(12.345), None]);
    assert_eq!(
        cells(Type::Decimal(2), Arc::new(floats)),
        [Ok(decimal(1_234, 2)), Err("too-precise"), Ok(Value::Null),]
    );
    let single = Float32Array::from(vec![0.5, 0.1]);
    let taken = cells(Type::Decimal(1), Arc::new(single));
    assert_eq!(taken, [Ok(decimal(5, 1)), Err("too-precise")]);
    assert_eq!(cells(Type::Decimal(2), Arc::new(Int64Array::from(vec![5]))), [Ok(decimal(500, 2))]);
}

#[test]
fn times_are_taken_from_every_unit() {
    let time = |micros| Ok(Value::Timestamp(EventTime(micros)));
    let cases: Vec<(ArrayRef, i64)> = vec![
        (Arc::new(TimestampSecondArray::from(vec![5])), 5_000_000),
        (Arc::new(TimestampMillisecondArray::from(vec![5]).with_timezone("+02:00")), 5_000),
        (Arc::new(TimestampNanosecondArray::from(vec![-1])), -1),
        (Arc::new(Int64Array::from(vec![5])), 5_000),
        (Arc::new(Int32Array::from(vec![5])), 5_000),
        (Arc::new(Date32Array::from(vec![1])), 86_400_000_000),
        (Arc::new(StringArray::from(vec!["1970-01-01T00:00:01Z"])), 1_000_000),
    ];
    for (array, micros) in cases {
        assert_eq!(cells(Type::Timestamp, array), [time(micros)]);
    }
    let beyond = TimestampSecondArray::from(vec![i64::MAX]);
    assert_eq!(cells(Type::Timestamp, Arc::new(beyond)), [Err("out-of-range")]);
    let spans = cells(Type::Duration, Arc::new(Int64Array::from(vec![1_500])));
    assert_eq!(spans, [Ok(Value::Duration(Span::millis(1_500)))]);
}

#[test]
fn text_is_taken_from_every_kind_of_text() {
    let text = Ok(Value::text("é"));
    let dictionary: DictionaryArray<Int32Type> =
        vec![Some("é"), None, Some("é")].into_iter().collect();
    let expected = [text.clone(), Ok(Value::Null), text.clone()];
    assert_eq!(cells(Type::String, Arc::new(dictionary)), expected);
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec!["é"])),
        Arc::new(LargeStringArray::from(vec!["é"])),
        Arc::new(StringViewArray::from(vec!["é"])),
        Arc::new(BinaryArray::from(vec!["é".as_bytes()])),
    ];
    for array in arrays {
        assert_eq!(cells(entity(KeyKind::Text), array), std::slice::from_ref(&text));
    }
    let bytes: Vec<&[u8]> = vec![b"good", b"\xff", b"good"];
    assert_eq!(
        cells(Type::String, Arc::new(BinaryArray::from(bytes))),
        [Ok(Value::text("good")), Err("bad-utf8"), Ok(Value::text("good")),]
    );
    let long = "x".repeat(millrace_connector::Limits::FIELD_BYTES + 1);
    let taken = cells(Type::String, Arc::new(StringArray::from(vec![&long[1..], &long])));
    assert_eq!(taken[1], Err("field-too-large"));
    assert!(taken[0].is_ok());
}

#[test]
fn a_bad_part_of_a_list_is_a_fault_of_its_row() {
    let parts = vec![Some(vec![Some(1), None]), None, Some(vec![]), Some(vec![Some(-1)])];
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(parts);
    let taken = cells(list(Type::Int), Arc::new(lists.clone()));
    assert_eq!(
        taken,
        [
            Ok(Value::List(vec![Value::Int(1), Value::Null])),
            Ok(Value::Null),
            Ok(Value::List(vec![])),
            Ok(Value::List(vec![Value::Int(-1)])),
        ]
    );
    let texts = StringArray::from(vec!["[1,2]", "[1,\"x\"]"]);
    let taken = cells(list(Type::Int), Arc::new(texts));
    assert_eq!(taken[0], Ok(Value::List(vec![Value::Int(1), Value::Int(2)])));
    assert_eq!(taken[1], Err("wrong-type"));
}

#[test]
fn letters_of_a_table_hold_the_row_as_json() {
    let schema = schema(&[
        ("id", Type::Int),
        ("at", Type::Timestamp),
        ("amount", Type::Decimal(2)),
        ("memo?", Type::String),
        ("absent?", Type::Int),
    ]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("memo", Arc::new(StringArray::from(vec![Some("a\"b"), None, Some("c")]))),
        ("unused", Arc::new(BooleanArray::from(vec![true, true, true]))),
        ("amount", Arc::new(Float64Array::from(vec![Some(0.001), Some(1.5), None]))),
        ("at", Arc::new(TimestampNanosecondArray::from(vec![0, 1_000, 2_000]))),
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
    ];
    let decoded = read(schema, columns).unwrap();
    assert_eq!(
        rows(&decoded.batch),
        [vec![
            Value::Int(2),
            Value::Timestamp(EventTime(1)),
            decimal(150, 2),
            Value::Null,
            Value::Null,
        ]]
    );
    let [precise, missing] = &decoded.dead[..] else { panic!("two letters") };
    assert_eq!(
        String::from_utf8_lossy(&precise.bytes),
        r#"{"id":1,"at":"1970-01-01T00:00:00Z","amount":0.001,"memo":"a\"b"}"#
    );
    assert!(precise.message.starts_with("field `amount`: `0.001` has more than 2 digits"));
    assert_eq!(
        (missing.reason, missing.position.to_string()),
        (Reason::MissingField, "row 2".into())
    );
    assert_eq!(
        String::from_utf8_lossy(&missing.bytes),
        r#"{"id":3,"at":"1970-01-01T00:00:00.000002Z","amount":null,"memo":"c"}"#
    );
}

#[test]
fn columns_that_never_fit_are_refused_at_once() {
    let refused = |ty: Type, array: ArrayRef| {
        read(schema_with("x?", ty), with_keys(array)).unwrap_err().to_string()
    };
    let bools: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
    for ty in [Type::Int, Type::Timestamp, Type::String, list(Type::Bool)] {
        let message = refused(ty.clone(), Arc::clone(&bools));
        assert!(message.contains(&format!("`x` is Boolean and the field is {ty}")), "{message}");
    }
    refused(Type::String, Arc::new(Int64Array::from(vec![1])));
    refused(Type::Timestamp, Arc::new(Float64Array::from(vec![1.0])));
    refused(Type::Int, Arc::new(TimestampSecondArray::from(vec![1])));
    let missing = read(schema_with("y", Type::Int), with_keys(bools)).unwrap_err();
    assert!(matches!(missing, Error::MissingColumn { ref column, .. } if column == "y"));
}

/// A damaged file is an error or other values; it never takes the process down.
#[test]
fn a_damaged_file_does_not_panic() {
    let words = Int64Array::from((0..500).collect::<Vec<i64>>());
    let texts = StringArray::from((0..500).map(|i| format!("text {i}")).collect::<Vec<_>>());
    let words: ArrayRef = Arc::new(words);
    let (_folder, path) =
        file(vec![("id", Arc::clone(&words)), ("at", words), ("x", Arc::new(texts))]);
    let whole = fs::read(&path).unwrap();
    let mut failed = 0;
    for at in (0..whole.len()).step_by(13) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, &bytes).unwrap();
        let schema = schema_with("x?", Type::String);
        let outcome =
            FileSource::open(&path, schema, &FileOptions::default()).and_then(|mut source| {
                while source.next_block(1_000)?.is_some() {}
                Ok(())
            });
        failed += usize::from(outcome.is_err());
    }
    assert!(failed > 0, "damage is noticed");
    for length in (0..whole.len()).step_by(97) {
        fs::write(&path, &whole[..length]).unwrap();
        let schema = schema_with("x?", Type::String);
        assert!(FileSource::open(&path, schema, &FileOptions::default()).is_err());
    }
}
