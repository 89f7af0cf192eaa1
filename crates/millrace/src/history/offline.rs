//! What commands of the offline engine share: files into a history, and which label.

use millrace_batch::Scattered;
use millrace_feature::plan::Plan;
use millrace_stream::live::now;

use super::log::read_log;
use super::{Intake, Letters, Origins, PROGRESS, Reading, Sources, Summary};
use crate::config::did_you_mean;
use crate::console;
use crate::exit::Failure;
use crate::project::{DataPlace, Place, Project};
use crate::stop::Stop;

/// Takes every event that has a say into the history, from files or from the log of this data.
pub fn read(
    (project, place, origins): (&Project, &Place, &Origins),
    intake: Intake,
    letters: Option<&mut Letters>,
    summary: &mut Summary,
    stop: &Stop,
) -> Result<Scattered, Failure> {
    if origins.from_log {
        let dir = DataPlace::of(place, origins.data.as_deref()).existing()?;
        return read_log((project, dir), intake, summary, stop);
    }
    let reading = (project, &origins.reading, origins.reading.threads()?);
    read_files(reading, intake, letters, summary, stop)
}

/// Reads every file that has a say into the history.
fn read_files(
    (project, reading, threads): (&Project, &Reading, usize),
    mut intake: Intake,
    mut letters: Option<&mut Letters>,
    summary: &mut Summary,
    stop: &Stop,
) -> Result<Scattered, Failure> {
    let streams = 0..project.plan.streams.len();
    let history = &mut intake.history;
    let needs: Vec<bool> = streams.map(|stream| history.needs(stream)).collect();
    let partition = |stream: usize, name: &str| history.partition(stream, name);
    let mut sources = Sources::open(project, reading, threads, &needs, partition)?;
    sources.streams().for_each(|(index, name)| summary.add_stream(index, name));
    let bar = console::progress("reading", PROGRESS);
    while let Some((partition, block)) = sources.next(|p| intake.history.reached(p))? {
        if stop.is_asked() {
            return Err(Failure::interrupted("stopped; no file was written"));
        }
        let Some(block) = block else {
            intake.history.close(partition)?;
            continue;
        };
        match &mut letters {
            Some(letters) => letters.take(&block.decoded, partition.stream(), summary)?,
            None => summary.count_dead(partition.stream(), &block.decoded),
        }
        // None is too far ahead: their source has judged them by the same limit, and not later.
        intake.history.push(partition, &block.decoded.batch, block.received.max(now()))?;
        intake.ask_until(intake.history.reached(partition))?;
        bar.set_position((sources.fraction() * PROGRESS as f64) as u64);
    }
    for (index, stream) in &mut summary.streams {
        stream.counts = intake.history.counts(*index);
    }
    bar.finish_and_clear();
    intake.finish()
}

/// The label of this name, if it is of the view's stream.
pub fn find_label(plan: &Plan, name: &str, view: usize) -> Result<usize, Failure> {
    let label = plan.label(name).ok_or_else(|| {
        let names = plan.labels.iter().map(|label| &*label.name).collect::<Vec<_>>();
        let hint = did_you_mean(name, names);
        Failure::usage(format!("no label is named `{name}`; {hint}"))
    })?;
    let (own, view) = (plan.labels[label].stream, &plan.views[view]);
    if own != view.stream {
        let [own, wanted] = [own, view.stream].map(|s| &plan.streams[s].schema.stream);
        return Err(Failure::usage(format!(
            "label `{name}` is of stream `{own}`, and view `{}` of stream `{wanted}`; name a label \
             of that stream",
            view.name
        )));
    }
    Ok(label)
}
