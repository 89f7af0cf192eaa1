//! The event that a request asks about: what it may leave out, and what stands there then.

use std::sync::Arc;

use millrace_event::{Batch, EventTime, Field, Schema, State, Type, Value};
use millrace_feature::plan::{Plan, View};

/// The stream's schema, in which a request may leave out what the view does not look at: the
/// outcome of a payment is not known when its view is asked for.
pub fn request_schema(plan: &Plan, view: &View) -> Schema {
    let schema = &plan.streams[view.stream].schema;
    let mut is_needed = vec![view.including; schema.fields.len()];
    let mut need = |index: usize| {
        if let Some(needed) = is_needed.get_mut(index) {
            *needed = true;
        }
    };
    view.reads.iter().flat_map(|read| &read.keys).for_each(|key| need(*key));
    view.columns.iter().for_each(|column| column.expr.for_each_column(&mut need));
    let field = |(index, field): (usize, &Field)| {
        let is_made_up = index == schema.id || index == schema.time;
        let nullable = field.nullable || is_made_up || !is_needed[index];
        Field { nullable, ..field.clone() }
    };
    let fields: Vec<Field> = schema.fields.iter().enumerate().map(field).collect();
    // No field is the id or the time here, else it would have to be given.
    let none = fields.len();
    Schema { fields, id: none, time: none, ..(**schema).clone() }
}

/// The event as a batch of one, from what a request gave: a value for each field, null where it was
/// left out. Without a time it happens now; without an id it comes after
/// everything of its moment.
pub fn complete_event(schema: &Arc<Schema>, row: Vec<Value>, now: EventTime) -> (Batch, EventTime) {
    let mut batch = Batch::new(Arc::clone(schema));
    let mut at = now;
    for (index, (field, value)) in schema.fields.iter().zip(row).enumerate() {
        let value = match value {
            Value::Null if index == schema.time => Value::Timestamp(now),
            Value::Null if index == schema.id => last_id(&field.ty),
            // The view does not look at it.
            Value::Null if !field.nullable => field.ty.neutral(),
            value => value,
        };
        if let (true, Value::Timestamp(time)) = (index == schema.time, &value) {
            at = *time;
        }
        if let Some(column) = batch.columns.get_mut(index) {
            column.push(&value, State::Ok);
        }
    }
    (batch, at)
}

fn last_id(ty: &Type) -> Value {
    if *ty == Type::Int { Value::Int(i64::MAX) } else { Value::text("\u{10ffff}") }
}
