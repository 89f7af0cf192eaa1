//! `POST /v1/decisions/{decision}`: what becomes of one event, which is the body.
//!
//! One round trip: the engine gives the view's answers, and everything behind that happens on the
//! request's own thread. The answer goes out when the decision is in the log, and not before.

use std::sync::atomic::Ordering;

use millrace_connector::{TimeFormat, write_json};
use millrace_event::{Column, Schema, State, Type, Value};
use millrace_feature::plan::{Decision, Outcome};
use millrace_ledger::{Ledger, NotLogged, Record};
use millrace_serving::model::Score;
use millrace_serving::{Evaluation, Scored, Served, ServedValue, serve_view};
use millrace_stream::live::Live;
use tokio::sync::oneshot;

use crate::body::Body;
use crate::error::{ApiError, Named};
use crate::features::unknown;
use crate::remarks::write_others;
use crate::service::Service;
use crate::views::{self, Asked};
use crate::write::{Object, write_remedy, write_values};

/// Features that are told of each score: those that add most to it.
const REASONS_MAX: usize = 5;

pub async fn decide(
    service: &Service,
    live: &Live,
    name: &str,
    body: Body<'_>,
) -> Result<Vec<u8>, ApiError> {
    let plan = &service.plan;
    let names = || plan.decisions.iter().map(|d| &*d.name);
    let index = plan.decision(name).ok_or_else(|| unknown(Named::Decision, name, names()))?;
    let decision = &plan.decisions[index];
    let models = &service.settings.models;
    models.check(plan, decision)?;
    // What cannot be logged is not begun.
    let ledger = service.ledger()?;
    ledger.health()?;
    let asked = views::ask(service, live, decision.view, body).await?;
    let view = &plan.views[decision.view];
    let sources = &service.views[decision.view].sources;
    let answers = asked.answers.clone();
    let served = serve_view(plan, view, sources, answers, &asked.group_ages, asked.frontier)?;
    let evaluation = models.evaluate(plan, decision, &served.values, REASONS_MAX)?;
    let schema = &plan.streams[view.stream].schema;
    let record = record(service, ledger, schema, index, &asked, &served, &evaluation);
    logged(ledger, &record).await?;
    service.meters.decided(index, record.outcome);
    Ok(answer(service, decision, &asked, &served, &evaluation, &record))
}

fn record(
    service: &Service,
    ledger: &Ledger,
    schema: &Schema,
    decision: usize,
    asked: &Asked,
    served: &Served<'_>,
    evaluation: &Evaluation,
) -> Record {
    let cell = |ty: &Type, value: &Value, state: State| {
        let mut column = Column::new(ty.physical());
        column.push(value, state);
        column
    };
    let event = schema.fields.iter().zip(&asked.row);
    let scores = |scored: &[Scored]| -> Vec<Score> { scored.iter().map(|s| s.score).collect() };
    Record {
        run: ledger.run(),
        decision,
        id: service.ids.next(asked.received),
        decided_at: asked.received,
        frontier: served.frontier,
        outcome: evaluation.outcome,
        rule: evaluation.rule,
        ages: asked.group_ages.clone(),
        scores: scores(&evaluation.scores),
        shadows: scores(&evaluation.shadows),
        event: event.map(|(field, value)| cell(&field.ty, value, State::Ok)).collect(),
        vector: served.values.iter().map(|v| cell(v.ty, &v.value, v.state)).collect(),
    }
}

async fn logged(ledger: &Ledger, record: &Record) -> Result<(), ApiError> {
    let (sender, receiver) = oneshot::channel();
    // Who asked may have gone away: then nobody misses the answer.
    ledger.append(record, Box::new(move |result| drop(sender.send(result))))?;
    Ok(receiver.await.map_err(|_| ApiError::Stopping)??)
}

fn answer(
    service: &Service,
    decision: &Decision,
    asked: &Asked,
    served: &Served<'_>,
    evaluation: &Evaluation,
    record: &Record,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + 64 * served.values.len());
    let mut object = Object::new(&mut out);
    object.text("decision", &decision.name);
    object.text("id", &record.id.to_string());
    object.text("decided_at", &record.decided_at.to_string());
    object.text("at", &asked.at.to_string());
    object.text("outcome", evaluation.outcome.name());
    let rule = evaluation.rule.and_then(|rule| decision.rules.get(rule));
    object.text("reason", rule.map_or("else", |rule| &rule.reason));
    match evaluation.rule {
        Some(rule) => object.number("rule", rule as u64 + 1),
        None => object.member("rule").extend_from_slice(b"null"),
    }
    write_scores(
        object.member("scores"),
        service,
        (&decision.scores, &evaluation.scores),
        &served.values,
    );
    write_scores(
        object.member("shadow_scores"),
        service,
        (&decision.shadows, &evaluation.shadows),
        &served.values,
    );
    write_values(object.member("features"), served);
    write_remedy(&mut object, served);
    let view = &service.plan.views[decision.view];
    write_others(&mut object, &service.plan.streams[view.stream].schema, &asked.unknown);
    write_versions(object.member("versions"), service, decision);
    object.number("frontier", served.frontier);
    object.end();
    out
}

fn write_scores(
    out: &mut Vec<u8>,
    service: &Service,
    (models, scored): (&[usize], &[Scored]),
    values: &[ServedValue<'_>],
) {
    let mut object = Object::new(out);
    for (model, scored) in models.iter().zip(scored) {
        let name = service.plan.models.get(*model).map_or("", |model| &model.name);
        let mut one = Object::new(object.member(name));
        write_float(one.member("score"), scored.score.value);
        write_float(one.member("raw"), scored.score.raw);
        let list = one.member("reasons");
        list.push(b'[');
        let reasons = scored.reasons.iter().filter_map(|r| Some((r, values.get(r.column)?)));
        for (i, (reason, value)) in reasons.enumerate() {
            if i > 0 {
                list.push(b',');
            }
            let mut reason_object = Object::new(list);
            reason_object.text("feature", value.name);
            write_json(reason_object.member("value"), &value.value, value.ty, TimeFormat::Text);
            write_float(reason_object.member("contribution"), reason.contribution);
            reason_object.end();
        }
        list.push(b']');
        one.end();
    }
    object.end();
}

fn write_versions(out: &mut Vec<u8>, service: &Service, decision: &Decision) {
    let plan = &service.plan;
    let mut object = Object::new(out);
    object.text("definitions", &plan.hash.to_string());
    object.text("decision", &decision.hash.to_string());
    object.text("view", &plan.views[decision.view].hash.to_string());
    let mut models = Object::new(object.member("models"));
    for index in decision.scores.iter().chain(&decision.shadows) {
        if let Some(model) = service.settings.models.get(*index) {
            models.text(&plan.models[*index].name, &model.hash().to_string());
        }
    }
    models.end();
    object.end();
}

/// A number that JSON does not have is null.
fn write_float(out: &mut Vec<u8>, x: f64) {
    write_json(out, &Value::float(x), &Type::Float, TimeFormat::Text);
}

impl crate::meters::Meters {
    fn decided(&self, decision: usize, outcome: Outcome) {
        let at = Outcome::ALL.iter().position(|one| *one == outcome);
        let counter = self.decided.get(decision).zip(at).and_then(|(of, at)| of.get(at));
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl From<NotLogged> for ApiError {
    fn from(error: NotLogged) -> ApiError {
        match error {
            NotLogged::Busy => ApiError::Overloaded {
                what: "too many decisions wait to be logged",
                retry_after: crate::error::NOT_READY,
            },
            NotLogged::TooLarge { .. } => ApiError::DecisionTooLarge(error.to_string()),
            NotLogged::Failed(cause) => ApiError::NotLogged(cause),
            NotLogged::Closed => ApiError::Stopping,
        }
    }
}
