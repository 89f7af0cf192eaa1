//! What commands of the offline engine share: files into a history, and which label.

use millrace_batch::Scattered;
use millrace_feature::plan::Plan;
use millrace_stream::PartitionId;

use super::log::read_log;
use super::{Block, Intake, Letters, Origins, PROGRESS, Reading, Sources, Summary};
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
    let mut sources = Sources::of_history(project, reading, threads, &mut intake.history)?;
    sources.streams().for_each(|(index, name)| summary.add_stream(index, name));
    let bar = console::progress("reading", PROGRESS);
    let mut see = |partition: PartitionId, block: &Block| match &mut letters {
        Some(letters) => letters.take(&block.decoded, partition.stream(), summary),
        None => {
            summary.count_dead(partition.stream(), &block.decoded);
            Ok(())
        }
    };
    while sources.feed(&mut intake.history, &mut see)? {
        if stop.is_asked() {
            return Err(Failure::interrupted("stopped; no file was written"));
        }
        let certain = intake.history.certain();
        intake.ask_until(certain)?;
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

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use millrace_batch::{AsOf, Counting, History, Job, Labelling, States, Subject};
    use millrace_connector::CsvOptions;
    use millrace_event::{EventTime, Span};
    use millrace_stream::Settings;

    use super::*;
    use crate::config::Size;
    use crate::history::scratch::ScratchFile;
    use crate::history::{AskedRows, Events};

    const PROJECT: &str = "
entity card
stream pay { pay : int id at : timestamp time card : card }
stream report { id : int id at : timestamp time pay : int }
features velocity by card from pay { n = count() }
view checkout on pay { use velocity }
label fraud on pay {
  positive from report by pay
  matures 2h
}
";

    /// Twelve files of payments that each go on to the end, one of reports whose only one is far
    /// ahead, and many more rows than may wait.
    #[test]
    fn rows_wait_only_for_events_that_have_not_come() {
        const ROWS: i64 = 140_000;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let start: EventTime = "2026-03-01T00:00:00Z".parse().unwrap();
        let at = |second: i64| start.plus(Span::seconds(second));
        std::fs::write(path("a.mill"), PROJECT).unwrap();
        let mut files = Vec::new();
        for file in 0..12 {
            let mut text = "pay,at,card\n".to_owned();
            for n in 0..50 {
                writeln!(text, "{},{},c1", n * 12 + file, at(n * ROWS / 50 + file)).unwrap();
            }
            files.push(path(&format!("{file}.csv")));
            std::fs::write(&files[file as usize], text).unwrap();
        }
        std::fs::write(path("r.csv"), format!("id,at,pay\n1,{},5\n", at(ROWS * 3))).unwrap();
        let rows: String = (0..ROWS).map(|n| format!("{n},{},c1\n", at(n))).collect();
        std::fs::write(path("rows.csv"), format!("pay,at,card\n{rows}")).unwrap();

        let place = Place { project: folder.path().to_owned() };
        let project = place.open().unwrap();
        let job = Job {
            plan: Arc::clone(&project.plan),
            view: 0,
            rows: EventTime::MIN..EventTime::MAX,
            asof: AsOf::Event,
            subject: Subject::Asked,
            counting: Counting::AsHappened,
            labelling: Some(Labelling { label: 0, cutoff: EventTime::MAX, is_given: true }),
            fields: Vec::new(),
            states: States::LeftOut,
            memory: 1 << 30,
            settings: Settings { pending_max: 70_000, ..project.config.engine() },
        };
        let mut letters = Letters::at(path("out.dead.ndjson"));
        let how = (Size(1 << 30), CsvOptions::default());
        let asked = AskedRows::open(&path("rows.csv"), &project, &job, how, &mut letters).unwrap();
        let scratch = Arc::new(ScratchFile::in_folder(folder.path().to_owned()));
        let intake = Intake::new(History::new(job, scratch), Some(asked));
        let events = vec![
            Events { stream: "report".to_owned(), files: vec![path("r.csv")] },
            Events { stream: "pay".to_owned(), files },
        ];
        let origins =
            Origins { reading: Reading { events, ..Reading::default() }, ..Origins::default() };
        let (stop, mut summary) = (Stop::new(), Summary::default());
        let from = (&project, &place, &origins);
        let scattered = read(from, intake, Some(&mut letters), &mut summary, &stop).unwrap();
        assert_eq!(scattered.rows(), ROWS as u64);
    }
}
