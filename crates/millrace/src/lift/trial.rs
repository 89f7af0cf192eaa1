//! From a study to its trials: windows, rows, features, models.

use std::ops::Range;
use std::sync::Arc;

use millrace_batch::AsOf;
use millrace_event::{EventTime, Span};
use millrace_lift::experiment::{self, Options, Trial};

use super::freshness::Freshness;
use super::selection::{Wanted, select};
use super::study::{Columns, Pass, Study};
use super::tables;
use crate::console;
use crate::exit::Failure;

/// How models are trained, and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    pub freshness: Vec<Freshness>,
    pub options: Options,
    pub seeds: Vec<u64>,
}

/// One world: its rows, their features as of each freshness, and a model for each of them.
pub fn trials(study: &Study<'_>, wanted: &Wanted<'_>, plan: &Plan) -> Result<Vec<Trial>, Failure> {
    let selection = select(study, wanted)?;
    let world = tables::world(study, wanted.windows, &plan.freshness, selection)?;
    let models = plan.seeds.len() * plan.freshness.len();
    let bar = console::progress(&format!("{}: training", study.name), models as u64);
    let watch = |done: usize, _| {
        bar.set_position(done as u64);
        !study.stop.is_asked()
    };
    let trials = experiment::run(&world, &plan.seeds, &plan.options, &watch);
    bar.finish_and_clear();
    Ok(trials?)
}

/// What there is: the time of the first event of the view's stream and behind the last, and the
/// time behind the last of all that are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    pub data: Range<EventTime>,
    pub known: EventTime,
    pub events: u64,
}

pub fn extent(study: &Study<'_>) -> Result<Extent, Failure> {
    let stream = study.plan.views[study.view].stream;
    let pass = Pass {
        what: "times".to_owned(),
        columns: Columns::None,
        asof: AsOf::Event,
        labelled_at: Some(EventTime::MAX),
        fields: Vec::new(),
        rows: EventTime::MAX..EventTime::MAX,
    };
    let (mut first, mut last, mut known, mut events) = (i64::MAX, i64::MIN, i64::MIN, 0);
    study.pass(
        &pass,
        &mut |of, times| {
            events += times.len() as u64;
            let most = times.iter().copied().max().unwrap_or(i64::MIN);
            known = known.max(most);
            if of == stream {
                first = first.min(times.iter().copied().min().unwrap_or(i64::MAX));
                last = last.max(most);
            }
        },
        &mut |_| Ok(()),
    )?;
    if first > last {
        let name = Arc::clone(&study.plan.streams[stream].schema.stream);
        return Err(Failure::user(format!("there is no event of stream `{name}`")));
    }
    let behind = |time: i64| EventTime(time).plus(Span(1));
    Ok(Extent { data: EventTime(first)..behind(last), known: behind(known), events })
}
