//! `POST /v1/views/{view}`: the vector for one event, which is the body.

use std::sync::Arc;

use millrace_connector::{JsonDecoder, Limits};
use millrace_event::{Batch, EventTime, Field, Schema, State, Type, Value};
use millrace_feature::plan::{Plan, View};
use millrace_serving::{ViewSources, serve_view};
use millrace_stream::live::{Live, now};

use crate::ask;
use crate::body::Body;
use crate::error::{ApiError, Named};
use crate::features::unknown;
use crate::service::Service;
use crate::write::{Object, write_remedy, write_values};

/// What is worked out once about a view, and not with each request.
#[derive(Debug)]
pub struct ViewDesk {
    sources: ViewSources,
    decoder: JsonDecoder,
}

impl ViewDesk {
    pub fn new(plan: &Plan, view: &View, limits: Limits) -> ViewDesk {
        let schema = request_schema(plan, view);
        ViewDesk {
            sources: ViewSources::of(plan, view),
            decoder: JsonDecoder::new(Arc::new(schema), limits),
        }
    }
}

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

pub async fn view(
    service: &Service,
    live: &Live,
    name: &str,
    body: Body<'_>,
) -> Result<Vec<u8>, ApiError> {
    let names = || service.plan.views.iter().map(|v| &*v.name);
    let index = service.plan.view(name).ok_or_else(|| unknown(Named::View, name, names()))?;
    let view = &service.plan.views[index];
    let desk = &service.views[index];
    let body = body.whole().await?;
    let received = now();
    let row = desk.decoder.row(&body, "http");
    let row = row.map_err(|letter| ApiError::BadEvent(letter.message))?;
    let schema = &service.plan.streams[view.stream].schema;
    let (event, at) = event_of(schema, row, received);
    let mut reply = ask::view(live, index, event, received).await?;
    let answers = reply
        .rows
        .pop()
        .ok_or_else(|| ApiError::Internal("the engine answered less than was asked".to_owned()))?;
    let (ages, frontier) = (&reply.group_ages, reply.frontier);
    let served = serve_view(&service.plan, view, &desk.sources, answers, ages, frontier)?;
    let mut out = Vec::with_capacity(128 + 64 * served.values.len());
    let mut object = Object::new(&mut out);
    object.text("view", &view.name);
    object.text("at", &at.to_string());
    object.text("definition", &served.definition.to_string());
    object.number("frontier", served.frontier);
    write_values(object.member("values"), &served);
    write_remedy(&mut object, &served);
    object.end();
    Ok(out)
}

/// The event as a batch of one. Without a time it happens now; without an id it comes after
/// everything of its moment.
fn event_of(schema: &Arc<Schema>, row: Vec<Value>, now: EventTime) -> (Batch, EventTime) {
    let mut batch = Batch::new(Arc::clone(schema));
    let mut at = now;
    for (index, (field, value)) in schema.fields.iter().zip(row).enumerate() {
        let value = match value {
            Value::Null if index == schema.time => Value::Timestamp(now),
            Value::Null if index == schema.id => last_id(&field.ty),
            Value::Null if !field.nullable => unseen(&field.ty),
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

/// Stands in a field that may not be null and that the view does not look at.
fn unseen(ty: &Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(false),
        Type::Int => Value::Int(0),
        Type::Float => Value::Float(0.0),
        Type::Decimal(scale) => Value::Decimal { mantissa: 0, scale: *scale },
        Type::String => Value::text(""),
        Type::Timestamp => Value::Timestamp(EventTime(0)),
        Type::Duration => Value::Duration(millrace_event::Span(0)),
        Type::Key(entity) => match entity.kind {
            millrace_event::KeyKind::Text => Value::text(""),
            millrace_event::KeyKind::Int => Value::Int(0),
        },
        Type::List(_) => Value::List(Vec::new()),
        Type::Map(_, _) => Value::Map(Vec::new()),
    }
}
