//! The user's own events, labels and definitions.

use std::path::PathBuf;
use std::sync::Arc;

use millrace_event::{EventTime, Span, Type};
use millrace_feature::plan::Plan;
use millrace_lift::report::{Notes, Report};

use super::Args;
use super::freshness::baseline;
use super::selection::{Wanted, is_amount, is_key};
use super::source::Files;
use super::study::Study;
use super::trial::{self, Extent};
use super::truth::Truth;
use super::windows::Windows;
use crate::compute::find_view;
use crate::config::did_you_mean;
use crate::console::grouped;
use crate::exit::Failure;
use crate::history::{find_label, keep_files_apart};
use crate::project::Project;
use crate::stop::Stop;

pub fn report(args: &Args, plan: &trial::Plan, stop: &Stop) -> Result<Report, Failure> {
    let project = args.place.open()?;
    let view = find_view(&project, args.view.as_deref().unwrap_or_default())?;
    let label = find_label(&project.plan, args.label.as_deref().unwrap_or_default(), view)?;
    let threads = args.reading.threads()?;
    if let Some(output) = args.output.as_deref() {
        args.reading.keep_apart(&project, &[output])?;
        keep_files_apart(args.truth.iter().chain(&args.kinds).cloned(), &[output])?;
    }
    let source = Files { project: &project, reading: &args.reading, threads };
    let study = Study {
        name: project.name(),
        plan: Arc::clone(&project.plan),
        view,
        label,
        source: &source,
        settings: project.config.engine(),
        threads,
        memory: args.memory()?,
        scratch: args.scratch_folder(&project.folder),
        stop,
    };
    let [card, amount] = fields(args, &project.plan, view)?;
    let read = |option: &'static str, path: &Option<PathBuf>| {
        path.as_deref().map(|path| Truth::read(option, path)).transpose()
    };
    let (truth, kinds) = (read("--truth", &args.truth)?, read("--kinds", &args.kinds)?);
    let extent = trial::extent(&study)?;
    let (windows, known) = windows(args, &study, &extent, truth.is_some())?;
    let wanted = Wanted {
        windows: &windows,
        known,
        truth: truth.as_ref(),
        kinds: kinds.as_ref().or(truth.as_ref()),
        card,
        amount,
        keep_every: args.training.keep_every,
    };
    let trials = trial::trials(&study, &wanted, plan)?;
    let notes = Notes {
        title: format!("What fresher features are worth to `{}`", study.name),
        source: source_note(&project, &study, &extent, &windows),
        truth: match truth {
            Some(_) => "the file of --truth".to_owned(),
            None => format!("what was known by {}", seconds(known)),
        },
        slow_kind: None,
        baseline: baseline(&plan.freshness).map(|b| b.name.clone()).unwrap_or_default(),
        control: None,
        more: args.sampling_note().into_iter().collect(),
    };
    Ok(Report::new(trials, plan.options.clone(), notes)?)
}

/// Without the truth, only such events are tested on whose labels are known by now.
fn windows(
    args: &Args,
    study: &Study<'_>,
    extent: &Extent,
    has_truth: bool,
) -> Result<(Windows, EventTime), Failure> {
    let matures = study.plan.labels[study.label].matures;
    let known_already = extent.known.since(extent.data.end);
    let known_after = match has_truth {
        true => Span(0),
        false => Span(matures.0.saturating_sub(known_already.0).max(0)),
    };
    let windows = Windows::new(&extent.data, matures, known_after, &args.windows)?;
    Ok((windows, if has_truth { EventTime::MAX } else { extent.known }))
}

fn source_note(project: &Project, study: &Study<'_>, extent: &Extent, windows: &Windows) -> String {
    let plan = &project.plan;
    let Windows { train, test } = windows;
    let [first, last, cut, end] = [train.start, train.end, test.start, test.end].map(seconds);
    format!(
        "Computed from {} events: view `{}`, label `{}`. Learnt from {first} to {last}, as labels \
         were known at {cut}; tested from {cut} to {end}.",
        grouped(extent.events),
        plan.views[study.view].name,
        plan.labels[study.label].name,
    )
}

/// Without the fraction: the end is a moment behind the last event.
pub fn seconds(time: EventTime) -> EventTime {
    time.floor_to(Span::seconds(1))
}

/// The fields of `--card` and `--amount`.
fn fields(args: &Args, plan: &Plan, view: usize) -> Result<[Option<usize>; 2], Failure> {
    let schema = &plan.streams[plan.views[view].stream].schema;
    let field = |option: &str, given: &Option<String>, fits: fn(&Type) -> bool, what: &str| {
        let Some(name) = given else { return Ok(None) };
        let place = schema.field(name).ok_or_else(|| {
            let names = schema.fields.iter().map(|field| &*field.name).collect::<Vec<_>>();
            let hint = did_you_mean(name, names);
            Failure::usage(format!("{option}: `{}` has no field `{name}`; {hint}", schema.stream))
        })?;
        let ty = &schema.fields[place].ty;
        if !fits(ty) {
            return Err(Failure::usage(format!("{option}: `{name}` is {ty}; name {what}")));
        }
        Ok(Some(place))
    };
    Ok([
        field("--card", &args.card, is_key, "an entity, a string or an int")?,
        field("--amount", &args.amount, is_amount, "a decimal, an int or a float")?,
    ])
}
