//! What a nightly batch leads to: the burst's payments, decided on with the features of the last
//! midnight.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use millrace_batch::{AsOf, TrainingRows};
use millrace_event::{EventTime, Span};
use millrace_payments::{History, PaymentEvent, PaymentStream};
use millrace_serving::Models;

use super::feed::missing;
use super::study::study;
use crate::backtest::decide::{Candidate, Verdict};
use crate::exit::Failure;
use crate::lift::made::Payments;
use crate::lift::study::{Columns, Pass};
use crate::project::Project;
use crate::stop::Stop;

/// The decision that is asked with such features.
const DECISION: &str = "authorise_daily";

/// The decisions on a burst that is known beforehand, by the ids of its payments.
pub fn daily(
    project: &Project,
    models: &Models,
    history: &History,
    burst: &[PaymentEvent],
    stop: &Stop,
) -> Result<BTreeMap<String, Verdict>, Failure> {
    let plan = &project.plan;
    let attempts = burst.iter().filter(|event| event.stream() == PaymentStream::Attempts);
    let ids: Vec<String> = attempts.clone().map(|event| event.payment().to_string()).collect();
    let Some(rows) = extent(attempts) else { return Ok(BTreeMap::new()) };
    let decision = plan.decision(DECISION).ok_or_else(|| missing(DECISION))?;
    let candidate = Candidate::new(Arc::clone(plan), decision, models)?;
    let source = Payments { plan: Arc::clone(plan), history, extra: burst, end: rows.end };
    let study = study("burst", (plan, candidate.decision().view), &source, stop)?;
    let pass = Pass {
        what: "as of the last midnight".to_owned(),
        columns: Columns::All,
        asof: AsOf::Every(Span::days(1)),
        labelled_at: None,
        fields: Vec::new(),
        rows,
    };
    let mut verdicts = BTreeMap::new();
    let mut take = |rows: TrainingRows| {
        let [keys, _, vector @ ..] = rows.columns.as_slice() else { return Ok(()) };
        let Some(keys) = keys.as_texts() else { return Ok(()) };
        for (row, verdict) in candidate.decide(vector, keys.len()).into_iter().enumerate() {
            let id = keys.get(row);
            if ids.iter().any(|one| one == id) {
                verdicts.insert(id.to_owned(), verdict);
            }
        }
        Ok(())
    };
    study.pass(&pass, &mut |_, _| {}, &mut take)?;
    Ok(verdicts)
}

/// From the first of these events to a second behind the last.
fn extent<'a>(events: impl Iterator<Item = &'a PaymentEvent> + Clone) -> Option<Range<EventTime>> {
    let times = events.map(PaymentEvent::at);
    Some(times.clone().min()?..times.max()?.plus(Span::seconds(1)))
}
