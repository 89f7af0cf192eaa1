//! Events as lines of JSON and as columns.

use std::sync::Arc;

use millrace_event::{Batch, Entity, EventTime, Field, KeyKind, Schema, Span, Type, Value};
use millrace_payments::{
    Attempt, BatchWriter, BinId, CardId, Category, Cents, Country, DeviceId, IpId, JsonLines, Keys,
    MerchantId, Outcome, PaymentEvent, PaymentId, PaymentStream, Report, SchemaError,
};

use crate::events::history;

const KEYS: Keys = Keys {
    card: CardId(123),
    bin: BinId(17),
    device: DeviceId(4),
    ip: IpId(1_234_567),
    merchant: MerchantId(399),
};

fn samples() -> [PaymentEvent; 3] {
    let payment = PaymentId(42);
    let at = EventTime(1_767_225_600_500_000);
    [
        PaymentEvent::Attempt(Attempt {
            payment,
            at,
            keys: KEYS,
            category: Category::Giftcard,
            amount: Cents(1_203),
            list_price: Cents(7_000),
            card_country: Country::Britain,
            ip_country: Country::Singapore,
            first_of_card: true,
        }),
        PaymentEvent::Outcome(Outcome { payment, at, keys: KEYS, approved: false }),
        PaymentEvent::Report(Report { payment, at, keys: KEYS }),
    ]
}

#[test]
fn each_stream_has_its_own_fields() {
    let mut lines = JsonLines::default();
    lines.extend(samples());
    let common = r#"{"payment_id":"p_0000000042","at":"2026-01-01T00:00:00.500Z","card":"card_000123","bin":"bin_017","device":"device_000004","ip":"ip_1234567","merchant":"merchant_399""#;
    let text = |stream| std::str::from_utf8(lines.stream(stream)).unwrap();
    assert_eq!(
        text(PaymentStream::Attempts).strip_prefix(common),
        Some(
            ",\"category\":\"giftcard\",\"amount\":12.03,\"list_price\":70.00,\
             \"card_country\":\"GB\",\"ip_country\":\"SG\",\"first_of_card\":true}\n"
        )
    );
    assert_eq!(text(PaymentStream::Outcomes).strip_prefix(common), Some(",\"approved\":false}\n"));
    assert_eq!(text(PaymentStream::Reports).strip_prefix(common), Some("}\n"));
}

fn schema(stream: PaymentStream, own: &[(&str, Type)]) -> Schema {
    let key =
        |name: &str| Type::Key(Arc::new(Entity { name: Arc::from(name), kind: KeyKind::Text }));
    let mut types = vec![("payment_id", Type::String), ("at", Type::Timestamp)];
    types.extend(["card", "bin", "device", "ip", "merchant"].map(|name| (name, key(name))));
    types.extend(own.iter().cloned());
    let fields = types
        .into_iter()
        .map(|(name, ty)| Field { name: Arc::from(name), ty, nullable: false })
        .collect();
    let lateness = Span::minutes(10);
    Schema { stream: Arc::from(stream.name()), fields, id: 0, time: 1, lateness }
}

fn attempts() -> Schema {
    let own = [
        ("category", Type::String),
        ("amount", Type::Decimal(2)),
        ("list_price", Type::Decimal(2)),
        ("card_country", Type::String),
        ("ip_country", Type::String),
        ("first_of_card", Type::Bool),
    ];
    schema(PaymentStream::Attempts, &own)
}

fn schemas() -> [Schema; 3] {
    let outcomes = schema(PaymentStream::Outcomes, &[("approved", Type::Bool)]);
    [attempts(), outcomes, schema(PaymentStream::Reports, &[])]
}

/// A cell as JSON has it, amounts as floats.
fn json(value: Value) -> serde_json::Value {
    match value {
        Value::Bool(b) => b.into(),
        Value::Text(text) => (*text).into(),
        Value::Timestamp(at) => at.to_string().into(),
        Value::Decimal { mantissa, scale: 2 } => (mantissa as f64 / 100.0).into(),
        other => panic!("{other:?}"),
    }
}

fn check_rows(batch: &Batch, lines: &[u8]) {
    let lines: Vec<&str> = std::str::from_utf8(lines).unwrap().lines().collect();
    assert_eq!(batch.len(), lines.len());
    for (row, line) in lines.into_iter().enumerate() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object.as_object().unwrap().len(), batch.columns.len());
        for (field, column) in batch.schema.fields.iter().zip(&batch.columns) {
            assert_eq!(json(column.value(row, &field.ty)), object[&*field.name], "{line}");
        }
    }
}

#[test]
fn columns_and_lines_hold_the_same() {
    let history = history();
    let mut lines = JsonLines::default();
    lines.extend(history.events());
    for (stream, schema) in PaymentStream::ALL.into_iter().zip(schemas()) {
        let mut writer = BatchWriter::new(Arc::new(schema)).unwrap();
        assert!(writer.is_empty());
        let taken = history.events().filter(|event| writer.push(event)).count();
        assert_eq!(writer.len(), taken);
        let batch = writer.take();
        assert!(!batch.is_empty() && writer.is_empty());
        check_rows(&batch, lines.stream(stream));
    }
}

#[test]
fn a_schema_may_leave_fields_out_and_reorder_them() {
    let mut schema = attempts();
    schema.fields.truncate(9);
    schema.fields.swap(0, 8);
    schema.id = 8;
    let mut writer = BatchWriter::new(Arc::new(schema)).unwrap();
    let taken = samples().iter().filter(|event| writer.push(event)).count();
    assert_eq!(taken, 1);
    let batch = writer.take();
    assert_eq!(batch.columns[0].as_words(), [1_203]);
    assert_eq!(batch.columns[8].as_texts().unwrap().get(0), "p_0000000042");
}

#[test]
fn a_schema_that_does_not_fit_is_refused_by_name() {
    let refused = |change: fn(&mut Schema)| {
        let mut schema = attempts();
        change(&mut schema);
        BatchWriter::new(Arc::new(schema)).unwrap_err()
    };
    let error = refused(|schema| schema.stream = Arc::from("payments"));
    assert_eq!(error, SchemaError::Stream(Arc::from("payments")));
    let error = refused(|schema| schema.fields[2].name = Arc::from("approved"));
    assert_eq!(error.to_string(), "events of payment_attempts have no field named approved");
    let error = refused(|schema| schema.fields[8].ty = Type::Float);
    assert_eq!(
        error.to_string(),
        "payment_attempts.amount is float, but the events carry a decimal(2)"
    );
}
