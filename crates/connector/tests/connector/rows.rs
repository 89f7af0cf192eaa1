//! Schemas and rows that the tests share.

use std::sync::Arc;

use millrace_connector::{Decoded, JsonDecoder, Limits};
use millrace_event::{Batch, Entity, Field, KeyKind, Schema, Span, Type, Value};

/// A schema whose first field is the id and whose second is the time; names that end in `?` are
/// nullable.
pub fn schema(fields: &[(&str, Type)]) -> Arc<Schema> {
    let fields = fields
        .iter()
        .map(|(name, ty)| Field {
            name: Arc::from(name.trim_end_matches('?')),
            ty: ty.clone(),
            nullable: name.ends_with('?'),
        })
        .collect();
    Arc::new(Schema { stream: Arc::from("payment"), fields, id: 0, time: 1, lateness: Span(0) })
}

/// `id`, `at`, and one field of this type, nullable where its name ends in `?`.
pub fn schema_with(name: &str, ty: Type) -> Arc<Schema> {
    schema(&[("id", Type::Int), ("at", Type::Timestamp), (name, ty)])
}

pub fn entity(kind: KeyKind) -> Type {
    Type::Key(Arc::new(Entity { name: Arc::from("card"), kind }))
}

pub fn list(of: Type) -> Type {
    Type::List(Box::new(of))
}

pub fn map(key: Type, value: Type) -> Type {
    Type::Map(Box::new(key), Box::new(value))
}

/// Every type there is, nested ones included, all nullable but the id and the time.
pub fn every_type() -> Arc<Schema> {
    schema(&[
        ("id", Type::Int),
        ("at", Type::Timestamp),
        ("bool?", Type::Bool),
        ("int?", Type::Int),
        ("float?", Type::Float),
        ("cents?", Type::Decimal(2)),
        ("fine?", Type::Decimal(18)),
        ("text?", Type::String),
        ("time?", Type::Timestamp),
        ("span?", Type::Duration),
        ("card?", entity(KeyKind::Text)),
        ("number?", entity(KeyKind::Int)),
        ("texts?", list(Type::String)),
        ("lists?", list(list(Type::Decimal(2)))),
        ("counts?", map(Type::String, Type::Int)),
        ("times?", map(Type::Int, list(Type::Timestamp))),
    ])
}

/// The rows of a batch, cell by cell.
pub fn rows(batch: &Batch) -> Vec<Vec<Value>> {
    (0..batch.len())
        .map(|row| {
            let cells = batch.columns.iter().zip(&batch.schema.fields);
            cells.map(|(column, field)| column.value(row, &field.ty)).collect()
        })
        .collect()
}

/// The names of the reasons of the dead letters.
pub fn reasons(decoded: &Decoded) -> Vec<&'static str> {
    decoded.dead.iter().map(|letter| letter.reason.name()).collect()
}

pub fn lines(schema: &Arc<Schema>, body: &[u8]) -> Decoded {
    JsonDecoder::new(Arc::clone(schema), Limits::default()).lines(body, "http").unwrap()
}

pub fn decimal(mantissa: i64, scale: u8) -> Value {
    Value::Decimal { mantissa, scale }
}
