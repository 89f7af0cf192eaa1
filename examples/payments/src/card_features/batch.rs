use std::sync::Arc;

use millrace_event::{Batch, Data, Physical, Schema};

use super::Row;
use crate::batch::SchemaError;

/// The rows as columns for the stream `payment` of [`super::DEFINITIONS`], or for one that leaves
/// some of its fields out.
///
/// # Errors
/// When the schema has a field that rows do not have, or one that is not held in words.
pub fn rows_to_batch(schema: Arc<Schema>, rows: &[Row]) -> Result<Batch, SchemaError> {
    let mut batch = Batch::new(schema);
    for (field, column) in batch.schema.fields.iter().zip(&mut batch.columns) {
        let cell = cell(&field.name).ok_or_else(|| SchemaError::Field {
            stream: Arc::clone(&batch.schema.stream),
            field: Arc::clone(&field.name),
        })?;
        if field.ty.physical() != Physical::Word {
            return Err(SchemaError::Type {
                stream: Arc::clone(&batch.schema.stream),
                field: Arc::clone(&field.name),
                given: field.ty.to_string(),
                carried: "an integer, a timestamp, a decimal(2) or a bool",
            });
        }
        column.data = Data::Word(rows.iter().map(cell).collect());
    }
    Ok(batch)
}

/// What a field of this name holds.
fn cell(name: &str) -> Option<fn(&Row) -> i64> {
    match name {
        "event_id" => Some(|row| i64::from(row.id)),
        "event_time" => Some(|row| row.at_ms * 1_000),
        "card_id" => Some(|row| i64::from(row.card)),
        "merchant_id" => Some(|row| i64::from(row.merchant)),
        "country" => Some(|row| i64::from(row.country)),
        "amount" => Some(|row| i64::from(row.cents)),
        "approved" => Some(|row| i64::from(row.approved)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use millrace_event::{Field, Span, Type};

    use super::*;
    use crate::card_features::{Preset, Rows};

    fn schema(fields: &[(&str, Type)]) -> Arc<Schema> {
        let field = |(name, ty): &(&str, Type)| Field {
            name: Arc::from(*name),
            ty: ty.clone(),
            nullable: false,
        };
        Arc::new(Schema {
            stream: Arc::from("payment"),
            fields: fields.iter().map(field).collect(),
            id: 0,
            time: 1,
            lateness: Span::seconds(10),
        })
    }

    #[test]
    fn rows_become_words() {
        let rows: Vec<Row> = Rows::new(Preset::A100k.workload()).take(10).collect();
        let schema = schema(&[
            ("event_id", Type::Int),
            ("event_time", Type::Timestamp),
            ("amount", Type::Decimal(2)),
        ]);
        let batch = rows_to_batch(schema, &rows).unwrap();
        assert_eq!(batch.len(), 10);
        assert_eq!(batch.time(3).0, rows[3].at_ms * 1_000);
        assert_eq!(batch.columns[2].as_words()[9], i64::from(rows[9].cents));
    }

    #[test]
    fn unknown_fields_and_types_are_refused() {
        let refused = |field, ty| rows_to_batch(schema(&[(field, ty)]), &[]).unwrap_err();
        let error = refused("id", Type::Int);
        assert_eq!(error.to_string(), "events of payment have no field named id");
        assert!(matches!(refused("amount", Type::Float), SchemaError::Type { .. }));
    }
}
