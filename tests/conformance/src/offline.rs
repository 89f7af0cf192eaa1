//! Puts events through the offline engine.

use std::sync::{Arc, Mutex, PoisonError};

use millrace_batch::{AsOf, BatchError, Counting, History, Job, Scratch, States, Subject};
use millrace_event::{Column, EventTime, Value};
use millrace_feature::plan::Plan;
use millrace_stream::Settings;

use crate::driver::{Row, batch_of, runs};
use crate::spec::{Answer, Arrival};

/// How it is done; none of it may show in an answer.
#[derive(Clone, Copy, Debug)]
pub struct Offline {
    pub asof: AsOf,
    pub counting: Counting,
    pub subject: Subject,
    pub threads: usize,
    /// The most events of one batch.
    pub batch: usize,
    /// Whether nothing stays in memory from batch to batch.
    pub spills: bool,
}

/// A scratch file in memory.
#[derive(Debug, Default)]
pub struct Paper(Mutex<Vec<u8>>);

impl Scratch for Paper {
    fn append(&self, bytes: &[u8]) -> Result<u64, String> {
        let mut paper = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = paper.len() as u64;
        paper.extend_from_slice(bytes);
        Ok(at)
    }

    fn read(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, String> {
        let paper = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(offset).map_err(|e| e.to_string())?;
        let read = paper.get(from..from + bytes).ok_or("behind the end")?;
        Ok(read.to_vec())
    }
}

/// A view's vectors for all events of its stream, in the order in which they come out.
pub fn rows(
    plan: &Arc<Plan>,
    view: usize,
    settings: &Settings,
    arrivals: &[&Arrival],
    offline: Offline,
) -> Result<Vec<Row>, BatchError> {
    let mut history = history(plan, view, settings, offline);
    let needed: Vec<&Arrival> =
        arrivals.iter().copied().filter(|a| history.needs(a.stream)).collect();
    for arrival in &needed {
        history.partition(arrival.stream, &arrival.partition);
    }
    for some in needed.chunks(offline.batch) {
        for together in runs(some) {
            let first = together[0];
            let partition = history.partition(first.stream, &first.partition);
            let batch = batch_of(plan, first.stream, together.iter().map(|a| &a.row[..]));
            history.push(partition, &batch, first.received)?;
        }
    }
    finish(plan, view, history, offline.threads)
}

/// As [`rows`], of events that all count, in this order: those before each of these places are
/// released as soon as may be.
pub fn rows_of_judged(
    plan: &Arc<Plan>,
    view: usize,
    settings: &Settings,
    (events, releases): (&[&Arrival], &[usize]),
    offline: Offline,
) -> Result<Vec<Row>, BatchError> {
    let mut history = history(plan, view, settings, offline);
    for (place, event) in events.iter().enumerate() {
        if !history.needs(event.stream) {
            continue;
        }
        let batch = batch_of(plan, event.stream, [&event.row[..]].into_iter());
        history.admit(event.stream, &batch, event.received);
        if releases.contains(&place) {
            let time = |event: &&Arrival| event.row[plan.streams[event.stream].schema.time].clone();
            let times = events[place + 1..].iter().map(|event| match time(event) {
                Value::Timestamp(time) => time,
                other => unreachable!("an event without a time: {other:?}"),
            });
            history.release_until(times.min().unwrap_or(EventTime::MAX))?;
        }
    }
    finish(plan, view, history, offline.threads)
}

/// As [`rows_of_judged`], of rows that are asked for: events of the view's stream, in the order of
/// time, of which so many are handed over at a time.
pub fn rows_asked(
    plan: &Arc<Plan>,
    view: usize,
    settings: &Settings,
    (events, asked, together): (&[&Arrival], &[Vec<Value>], usize),
    offline: Offline,
) -> Result<Vec<Row>, BatchError> {
    let mut history = history(plan, view, settings, offline);
    for event in events.iter().filter(|event| history.needs(event.stream)).collect::<Vec<_>>() {
        let batch = batch_of(plan, event.stream, [&event.row[..]].into_iter());
        history.admit(event.stream, &batch, event.received);
    }
    history.release_until(EventTime::MAX)?;
    let stream = plan.views[view].stream;
    for some in asked.chunks(together) {
        let rows = batch_of(plan, stream, some.iter().map(|row| &row[..]));
        history.ask(&rows, &vec![0; some.len()])?;
    }
    history.asked_all()?;
    finish(plan, view, history, offline.threads)
}

fn history(plan: &Arc<Plan>, view: usize, settings: &Settings, offline: Offline) -> History {
    let fields = &plan.streams[plan.views[view].stream].schema.fields;
    let job = Job {
        plan: Arc::clone(plan),
        view,
        rows: EventTime::MIN..EventTime::MAX,
        asof: offline.asof,
        subject: offline.subject,
        counting: offline.counting,
        labelling: None,
        fields: (0..fields.len()).collect(),
        states: States::Kept,
        memory: if offline.spills { 0 } else { 1 << 30 },
        settings: settings.clone(),
    };
    History::new(job, Arc::new(Paper::default()))
}

fn finish(
    plan: &Plan,
    view: usize,
    history: History,
    threads: usize,
) -> Result<Vec<Row>, BatchError> {
    let definition = &plan.views[view];
    let fields = &plan.streams[definition.stream].schema.fields;
    let mut out = Vec::new();
    history.finish()?.run(threads, &|_| true, &mut |rows| {
        // Behind the id and the time.
        let (values, own) = rows.columns[2..].split_at(definition.columns.len());
        for row in 0..rows.columns[0].len() {
            let event: Vec<Value> =
                fields.iter().zip(own).map(|(f, c)| c.value(row, &f.ty)).collect();
            let cell =
                |c: &Column, ty| Answer { value: c.value(row, ty), state: c.mark(row).state() };
            let columns = definition.columns.iter().zip(values);
            out.push((event, columns.map(|(v, c)| cell(c, &v.ty)).collect()));
        }
        Ok(())
    })?;
    Ok(out)
}
