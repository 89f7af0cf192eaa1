//! Puts events through the offline engine.

use std::sync::{Arc, Mutex, PoisonError};

use millrace_batch::{AsOf, BatchError, History, Job, Scratch};
use millrace_event::{Column, EventTime, Value};
use millrace_feature::plan::Plan;
use millrace_stream::Settings;

use crate::driver::{Row, batch_of, runs};
use crate::spec::{Answer, Arrival};

/// How it is done; none of it may show in an answer.
#[derive(Clone, Copy, Debug)]
pub struct Offline {
    pub asof: AsOf,
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
    let definition = &plan.views[view];
    let fields = &plan.streams[definition.stream].schema.fields;
    let job = Job {
        plan: Arc::clone(plan),
        view,
        rows: EventTime::MIN..EventTime::MAX,
        asof: offline.asof,
        labelling: None,
        fields: (0..fields.len()).collect(),
        memory: if offline.spills { 0 } else { 1 << 30 },
        settings: settings.clone(),
    };
    let mut history = History::new(job, Arc::new(Paper::default()));
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
    let mut out = Vec::new();
    history.finish()?.run(offline.threads, &|_| true, &mut |rows| {
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
