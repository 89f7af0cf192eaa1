//! Time per row of the formats that are on the way of every event: run with
//! `cargo bench -p millrace-connector`. The item rate that is shown is rows per second.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use millrace_connector::{CsvDecoder, CsvOptions, JsonDecoder, Limits, RowWriter, WriteOptions};
use millrace_event::{Column, Field, Schema, Span, Type};

const ROWS: usize = 100_000;

fn main() {
    divan::main();
}

fn payment_schema() -> Arc<Schema> {
    let field = |name: &str, ty| Field { name: Arc::from(name), ty, nullable: false };
    Arc::new(Schema {
        stream: Arc::from("payment"),
        fields: vec![
            field("event_id", Type::Int),
            field("event_time", Type::Timestamp),
            field("card_id", Type::Int),
            field("merchant_id", Type::Int),
            field("country", Type::Int),
            field("amount", Type::Decimal(2)),
            field("approved", Type::Bool),
        ],
        id: 0,
        time: 1,
        lateness: Span::minutes(10),
    })
}

/// The same payments on every run; a multiplication by an odd number scatters them.
fn payment(row: usize) -> [u64; 7] {
    let x = (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [
        row as u64,
        1_767_225_600_000 + row as u64 * 37,
        x >> 44,
        (x >> 20) & 0x3fff,
        (x >> 10) % 200,
        (x >> 5) % 50_000,
        x & 1,
    ]
}

fn csv_text() -> String {
    let mut text = "event_id,event_time,card_id,merchant_id,country,amount,approved\n".to_owned();
    for [id, time, card, merchant, country, cents, approved] in (0..ROWS).map(payment) {
        let (units, cents, approved) = (cents / 100, cents % 100, approved == 1);
        text += &format!("{id},{time},{card},{merchant},{country},{units}.{cents:02},{approved}\n");
    }
    text
}

fn json_text() -> String {
    let mut text = String::new();
    for [id, time, card, merchant, country, cents, approved] in (0..ROWS).map(payment) {
        let (units, cents, approved) = (cents / 100, cents % 100, approved == 1);
        text += &format!(
            "{{\"event_id\":{id},\"event_time\":{time},\"card_id\":{card},\"merchant_id\":\
             {merchant},\"country\":{country},\"amount\":{units}.{cents:02},\"approved\":\
             {approved}}}\n"
        );
    }
    text
}

#[divan::bench]
fn csv_decode_7_fields(bencher: Bencher<'_, '_>) {
    let (schema, text) = (payment_schema(), csv_text());
    bencher.counter(ItemsCount::new(ROWS)).bench(|| {
        let decoded = CsvDecoder::body(
            &schema,
            text.as_bytes(),
            &CsvOptions::default(),
            Limits::default(),
            "bench",
        );
        assert_eq!(decoded.map(|d| d.batch.len()).unwrap_or(0), ROWS);
    });
}

#[divan::bench]
fn ndjson_decode_7_fields(bencher: Bencher<'_, '_>) {
    let text = json_text();
    let mut decoder = JsonDecoder::new(payment_schema(), Limits::default());
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let decoded = decoder.lines(text.as_bytes(), "bench");
        assert_eq!(decoded.map(|d| d.batch.len()).unwrap_or(0), ROWS);
    });
}

#[divan::bench(args = ["rows.csv", "rows.ndjson", "rows.parquet"])]
fn encode_16_columns(bencher: Bencher<'_, '_>, name: &str) {
    let words = |part: usize| Column::words((0..ROWS).map(|r| payment(r)[part] as i64).collect());
    let floats = |by: f64| Column::floats((0..ROWS).map(|r| payment(r)[2] as f64 / by).collect());
    let columns: Vec<(Column, Type)> = vec![
        (words(0), Type::Int),
        (words(2), Type::Int),
        (words(3), Type::Int),
        (words(4), Type::Int),
        (words(4), Type::Int),
        (words(4), Type::Int),
        (words(3), Type::Int),
        (words(6), Type::Int),
        (words(5), Type::Decimal(2)),
        (words(5), Type::Decimal(2)),
        (words(5), Type::Decimal(2)),
        (words(2), Type::Decimal(2)),
        (words(6), Type::Bool),
        (floats(288.0), Type::Float),
        (floats(7.0), Type::Float),
        (floats(1000.0), Type::Float),
    ];
    let names: Vec<String> = (0..columns.len()).map(|i| format!("column_{i}")).collect();
    let declared: Vec<(&str, Type)> =
        names.iter().zip(&columns).map(|(n, (_, ty))| (n.as_str(), ty.clone())).collect();
    let given: Vec<&Column> = columns.iter().map(|(column, _)| column).collect();
    let folder = tempfile::tempdir().expect("a folder for the output");
    let path = folder.path().join(name);
    // To make the file durable takes the disk's time, which is not ours; so it is left out.
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(|| {
            RowWriter::create(&path, &declared, WriteOptions::default()).expect("a new file")
        })
        .bench_local_values(|mut writer| {
            writer.write(&given, 0..ROWS).expect("the rows fit");
            writer
        });
}
