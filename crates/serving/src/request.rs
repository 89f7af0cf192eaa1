//! The event that a request asks about: what it may leave out, and what stands there then.

use std::sync::Arc;

use millrace_event::{Batch, Column, EventTime, Field, Schema, State, Type, Value};
use millrace_feature::plan::{Plan, View};

/// The stream's schema, in which a request may leave out what the view does not look at: the
/// outcome of a payment is not known when its view is asked for.
pub fn request_schema(plan: &Plan, view: &View) -> Schema {
    let schema = &plan.streams[view.stream].schema;
    let fields = request_fields(plan, view, vec![view.including; schema.fields.len()]);
    // No field is the id or the time here, else it would have to be given.
    let none = fields.len();
    Schema { fields, id: none, time: none, ..(**schema).clone() }
}

/// As [`request_schema`], of many requests together: each says its time, and `also` are fields that
/// are looked at, too.
pub fn rows_schema(plan: &Plan, view: &View, also: &[usize]) -> Schema {
    let schema = &plan.streams[view.stream].schema;
    let mut is_needed = vec![view.including; schema.fields.len()];
    is_needed.iter_mut().enumerate().for_each(|(at, needed)| *needed |= also.contains(&at));
    let mut fields = request_fields(plan, view, is_needed);
    if let Some(id) = fields.get_mut(schema.id).filter(|_| also.contains(&schema.id)) {
        id.nullable = false;
    }
    let none = fields.len();
    Schema { fields, id: none, ..(**schema).clone() }
}

fn request_fields(plan: &Plan, view: &View, mut is_needed: Vec<bool>) -> Vec<Field> {
    let schema = &plan.streams[view.stream].schema;
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
    schema.fields.iter().enumerate().map(field).collect()
}

/// The event as a batch of one, from what a request gave: a value for each field, null where it was
/// left out. Without a time it happens now; without an id it comes after
/// everything of its moment.
pub fn complete_event(schema: &Arc<Schema>, row: Vec<Value>, now: EventTime) -> (Batch, EventTime) {
    let mut batch = Batch::new(Arc::clone(schema));
    let mut at = now;
    for (index, value) in row.into_iter().enumerate() {
        let value = match value {
            Value::Null if index == schema.time => Value::Timestamp(now),
            Value::Null => left_out(schema, index),
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

/// The events of many requests, as [`complete_event`] makes each: from a column for each field,
/// null where it was left out. Every row has a time.
pub fn complete_rows(schema: &Arc<Schema>, columns: Vec<Column>) -> Batch {
    let complete = |(index, column): (usize, Column)| {
        let ty = &schema.fields[index].ty;
        let other = left_out(schema, index);
        if other.is_null() || !(0..column.len()).any(|row| column.is_null(row)) {
            return column;
        }
        let mut completed = Column::new(ty.physical());
        for row in 0..column.len() {
            let value = if column.is_null(row) { other.clone() } else { column.value(row, ty) };
            completed.push(&value, State::Ok);
        }
        completed
    };
    let columns = columns.into_iter().enumerate().map(complete).collect();
    Batch { schema: Arc::clone(schema), columns }
}

/// What stands for a field that was left out.
fn left_out(schema: &Schema, index: usize) -> Value {
    match schema.fields.get(index) {
        Some(field) if index == schema.id => last_id(&field.ty),
        // The view does not look at it.
        Some(field) if !field.nullable => field.ty.neutral(),
        Some(_) | None => Value::Null,
    }
}

fn last_id(ty: &Type) -> Value {
    if *ty == Type::Int { Value::Int(i64::MAX) } else { Value::text("\u{10ffff}") }
}
