//! What a sink writes, a source reads back: all types, all formats.

use millrace_connector::{FileOptions, FileSource, RowWriter, TimeFormat, WriteOptions};
use millrace_event::{Batch, EventTime, KeyKind, Span, State, Type, Value};
use proptest::prelude::*;

use crate::rows::{every_type, rows};

fn value_of(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Int => word().prop_map(Value::Int).boxed(),
        Type::Float => any::<f64>()
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(|x| Value::Float(x + 0.0))
            .boxed(),
        Type::Decimal(scale) => {
            let scale = *scale;
            word().prop_map(move |mantissa| Value::Decimal { mantissa, scale }).boxed()
        }
        Type::Timestamp => word().prop_map(|t| Value::Timestamp(EventTime(t))).boxed(),
        Type::Duration => word().prop_map(|d| Value::Duration(Span(d))).boxed(),
        Type::Key(entity) => match entity.kind {
            KeyKind::Int => word().prop_map(Value::Int).boxed(),
            KeyKind::Text => text().prop_map(|s| Value::text(&s)).boxed(),
        },
        Type::String => text().prop_map(|s| Value::text(&s)).boxed(),
        Type::List(of) => prop::collection::vec(maybe(of), 0..4).prop_map(Value::List).boxed(),
        Type::Map(key, value) => prop::collection::vec((value_of(key), maybe(value)), 0..4)
            .prop_map(|mut entries| {
                entries.sort_by(|a, b| a.0.compare(&b.0).unwrap());
                entries.dedup_by(|a, b| a.0 == b.0);
                Value::Map(entries)
            })
            .boxed(),
    }
}

/// Words of every length.
fn word() -> impl Strategy<Value = i64> {
    (any::<i64>(), 0u32..64).prop_map(|(n, shift)| n >> shift)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z\",;\\\\\n\r\t ]{0,8}", Just(String::new())]
}

fn maybe(ty: &Type) -> BoxedStrategy<Value> {
    prop_oneof![1 => Just(Value::Null), 4 => value_of(ty)].boxed()
}

fn row() -> impl Strategy<Value = Vec<Value>> {
    let schema = every_type();
    let cells: Vec<BoxedStrategy<Value>> = schema
        .fields
        .iter()
        .map(|field| if field.nullable { maybe(&field.ty) } else { value_of(&field.ty) })
        .collect();
    cells
}

fn batch_of(rows: &[Vec<Value>]) -> Batch {
    let mut batch = Batch::new(every_type());
    for row in rows {
        for (column, value) in batch.columns.iter_mut().zip(row) {
            column.push(value, State::Ok);
        }
    }
    batch
}

fn round_trip(name: &str, batch: &Batch, options: WriteOptions) -> Vec<Vec<Value>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let fields = &batch.schema.fields;
    let columns: Vec<(&str, Type)> = fields.iter().map(|f| (&*f.name, f.ty.clone())).collect();
    let mut writer = RowWriter::create(&path, &columns, options).unwrap();
    let cells: Vec<_> = batch.columns.iter().collect();
    let half = batch.len() / 2;
    writer.write(&cells, 0..half).unwrap();
    writer.write(&cells, half..batch.len()).unwrap();
    writer.finish().unwrap();

    let mut read_options = FileOptions::default();
    read_options.csv.delimiter = options.delimiter;
    let mut source = FileSource::open(&path, every_type(), &read_options).unwrap();
    let mut read = Vec::new();
    while let Some(decoded) = source.next_block(3).unwrap() {
        assert!(decoded.dead.is_empty(), "{:?}", decoded.dead);
        assert!(decoded.records() <= 3);
        read.extend(rows(&decoded.batch));
    }
    read
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_format_gives_back_every_value(rows in prop::collection::vec(row(), 0..12)) {
        let batch = batch_of(&rows);
        for name in ["rows.csv", "rows.ndjson", "rows.parquet"] {
            for times in [TimeFormat::Text, TimeFormat::Millis] {
                let options = WriteOptions { times, delimiter: b';' };
                prop_assert_eq!(&round_trip(name, &batch, options), &rows, "{}", name);
            }
        }
    }
}

#[test]
fn the_ends_of_every_range_survive() {
    let words = [i64::MIN, -1, 0, 1, i64::MAX];
    let floats = [f64::MIN, -f64::MIN_POSITIVE, 5e-324, 0.1, f64::MAX];
    let rows: Vec<Vec<Value>> = words
        .iter()
        .zip(floats)
        .map(|(word, x)| {
            let mut row = vec![Value::Null; 16];
            row[0] = Value::Int(*word);
            row[1] = Value::Timestamp(EventTime(*word));
            row[4] = Value::Float(x);
            row[5] = Value::Decimal { mantissa: *word, scale: 2 };
            row[6] = Value::Decimal { mantissa: *word, scale: 18 };
            row[9] = Value::Duration(Span(*word));
            row
        })
        .collect();
    let batch = batch_of(&rows);
    for name in ["rows.csv", "rows.ndjson", "rows.parquet"] {
        assert_eq!(round_trip(name, &batch, WriteOptions::default()), rows, "{name}");
    }
}

/// Most decimals have at most 18 digits, and a file is begun for these.
#[test]
fn a_wide_decimal_that_comes_late_changes_nothing_before_it() {
    let row = |mantissa: i64, n: i64| {
        let mut row = vec![Value::Null; 16];
        row[0] = Value::Int(n);
        row[1] = Value::Timestamp(EventTime(n));
        row[5] = Value::Decimal { mantissa, scale: 2 };
        row
    };
    let narrow = 999_999_999_999_999_999;
    for wide in [narrow + 1, -narrow - 1, i64::MIN] {
        let mut rows: Vec<_> = (0..20_000).map(|n| row(narrow - n, n)).collect();
        rows.push(row(wide, -1));
        rows.extend((0..9_000).map(|n| row(n - narrow, n)));
        let batch = batch_of(&rows);
        assert_eq!(round_trip("rows.parquet", &batch, WriteOptions::default()), rows);
    }
}
