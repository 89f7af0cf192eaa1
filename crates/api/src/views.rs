//! `POST /v1/views/{view}`: the vector for one event, which is the body.

use std::sync::Arc;

use millrace_connector::{JsonDecoder, Limits, UnknownFields};
use millrace_event::{EventTime, Span, Value};
use millrace_feature::plan::{Plan, View};
use millrace_serving::{ViewSources, complete_event, request_schema, serve_view};
use millrace_stream::Answer;
use millrace_stream::live::{Live, ViewReply, now};

use crate::body::Body;
use crate::error::{ApiError, Named};
use crate::features::unknown;
use crate::remarks::{count_unknown, write_others};
use crate::service::Service;
use crate::write::{Object, write_remedy, write_values};

/// What is worked out once about a view, and not with each request.
#[derive(Debug)]
pub struct ViewDesk {
    pub sources: ViewSources,
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

/// One event, and what the engine says of a view for it.
#[derive(Debug)]
pub struct Asked {
    /// As the request gave it, null where a field was left out.
    pub row: Vec<Value>,
    /// By the receiving clock.
    pub received: EventTime,
    /// When the event happened.
    pub at: EventTime,
    pub answers: Vec<Answer>,
    /// Per group that the view reads.
    pub group_ages: Vec<Span>,
    pub frontier: u64,
    /// Fields of the request that the stream does not declare.
    pub unknown: UnknownFields,
}

/// Reads the event in the body, and asks the engine for it.
pub async fn ask(
    service: &Service,
    live: &Live,
    view: usize,
    body: Body<'_>,
) -> Result<Asked, ApiError> {
    let body = body.whole().await?;
    let received = now();
    let mut unknown = UnknownFields::default();
    let row = service.views[view].decoder.row(&body, "http", &mut unknown);
    let row = row.map_err(|letter| ApiError::BadEvent(letter.message))?;
    let stream = service.plan.views[view].stream;
    count_unknown(service, stream, &unknown);
    let schema = &service.plan.streams[stream].schema;
    let (event, at) = complete_event(schema, row.clone(), received);
    let ViewReply { mut rows, group_ages, frontier, age: _ } =
        crate::ask::view(live, view, event, received).await?;
    let missing = || ApiError::Internal("the engine answered less than was asked".to_owned());
    let answers = rows.pop().ok_or_else(missing)?;
    Ok(Asked { row, received, at, answers, group_ages, frontier, unknown })
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
    let Asked { at, answers, group_ages, frontier, unknown: others, row: _, received: _ } =
        ask(service, live, index, body).await?;
    let sources = &service.views[index].sources;
    let served = serve_view(&service.plan, view, sources, answers, &group_ages, frontier)?;
    let mut out = Vec::with_capacity(128 + 64 * served.values.len());
    let mut object = Object::new(&mut out);
    object.text("view", &view.name);
    object.text("at", &at.to_string());
    object.text("definition", &served.definition.to_string());
    object.number("frontier", served.frontier);
    write_values(object.member("values"), &served);
    write_remedy(&mut object, &served);
    write_others(&mut object, &service.plan.streams[view.stream].schema, &others);
    object.end();
    Ok(out)
}
