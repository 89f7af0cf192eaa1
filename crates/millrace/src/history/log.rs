//! The event log of a server, as another source of history.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::ProgressBar;
use millrace_batch::{BatchError, Scattered};
use millrace_event::{Batch, EventTime, Span};
use millrace_store::{Access, Disk, FileDisk, StoreError};
use millrace_stream::EngineError;
use millrace_stream::live::{LiveError, Logged, PastError, Survey};

use super::{Intake, PROGRESS, Summary};
use crate::console::{self, grouped, note};
use crate::exit::Failure;
use crate::project::Project;
use crate::stop::Stop;

/// An event that arrived so long after its time is told of.
const LONG: Span = Span::days(1);

/// Takes every event of the log that has a say into the history, judged as when it came.
pub fn read_log(
    (project, dir): (&Project, PathBuf),
    mut intake: Intake,
    summary: &mut Summary,
    stop: &Stop,
) -> Result<Scattered, Failure> {
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(&dir, Access::Read)?);
    let plan = &project.plan;
    let needs: Vec<bool> =
        (0..plan.streams.len()).map(|stream| intake.history.needs(stream)).collect();
    let failed = |error| failure(&dir, error);
    let settings = project.config.engine();
    let mut survey =
        Survey::open(disk, Arc::clone(plan), settings, needs.clone()).map_err(failed)?;
    if let Some(records) = intake.log_end {
        survey.end_at(records);
    }
    let mut logged = judged(survey, stop, &dir)?;
    for stream in (0..needs.len()).filter(|stream| needs[*stream]) {
        summary.add_stream(stream, &plan.streams[stream].schema.stream);
        summary.count_logged(stream, logged.counts(stream));
    }
    summary.log_records = Some(logged.records());
    intake.history.reaches(logged.greatest());
    let bar = console::progress("reading", PROGRESS);
    let records = logged.records().max(1);
    let mut lag = Lag::default();
    loop {
        let mut admit = |stream: usize, events: &Batch, arrived: EventTime| {
            if intake.history.counts_arrivals() {
                lag.count(events, arrived);
            }
            intake.history.admit(stream, events, arrived);
        };
        let Some((read, bound)) = logged.next_stretch(&mut admit).map_err(failed)? else { break };
        check(stop)?;
        intake.history.release_until(bound).map_err(|error| waits(&dir, error))?;
        intake.ask_until(bound)?;
        bar.set_position(PROGRESS * read / records);
    }
    bar.finish_and_clear();
    lag.tell();
    intake.finish()
}

/// How many events arrived long after their time.
#[derive(Default)]
struct Lag {
    events: u64,
    long: u64,
}

impl Lag {
    fn count(&mut self, events: &Batch, arrived: EventTime) {
        let early = arrived.minus(LONG).0;
        self.events += events.len() as u64;
        self.long += events.times().iter().filter(|time| **time < early).count() as u64;
    }

    /// Where that is most of them, they were imported, or a clock is wrong.
    fn tell(&self) {
        if self.long * 2 > self.events {
            note!(
                "{} of {} events arrived more than a day after their time, as when history is \
                 imported: as known, they count only from then on",
                grouped(self.long),
                grouped(self.events)
            );
        }
    }
}

/// The log once it was looked through.
fn judged(mut survey: Survey, stop: &Stop, dir: &Path) -> Result<Logged, Failure> {
    let bar: ProgressBar = console::spinner("looking through the log");
    while survey.step().map_err(|error| failure(dir, error))? {
        check(stop)?;
        bar.set_position(survey.records());
    }
    bar.finish_and_clear();
    survey.finish().map_err(|error| failure(dir, error))
}

fn check(stop: &Stop) -> Result<(), Failure> {
    if stop.is_asked() {
        return Err(Failure::interrupted("stopped; no file was written"));
    }
    Ok(())
}

fn waits(dir: &Path, error: BatchError) -> Failure {
    match error {
        BatchError::Engine(EngineError::Pending { limit }) => Failure::user(format!(
            "{}: more than {limit} events of the log came before others with earlier times, and \
             would have to wait for these in memory; read files of events with --events",
            dir.display()
        )),
        other => other.into(),
    }
}

fn failure(dir: &Path, error: PastError) -> Failure {
    let dir = dir.display();
    match error {
        PastError::Removed { first } => Failure::user(format!(
            "{dir}: the event log begins at record {first}: the events before it are gone, and \
             features over them would be wrong; read files of events with --events, and to keep \
             more of the log, raise storage.log_retain in millrace.toml"
        )),
        PastError::Live(LiveError::Store(StoreError::NoSuchOffset { log, first, .. })) => {
            let first = first.0;
            Failure::user(format!(
                "{dir}: log {log} begins at record {first}: late events that were replayed are \
                 gone, and features without them would be wrong; read files of events with \
                 --events, and to keep more late events, raise storage.late_max in millrace.toml"
            ))
        }
        PastError::Live(error) => error.into(),
        PastError::NotThere { end, frontier } => Failure::user(format!(
            "{dir}: the event log had {frontier} records when it was looked through, and has {end} \
             now; a server that starts cuts off what was never acknowledged, so run this again"
        )),
        PastError::Behind { .. } => Failure::bug(error),
    }
}
