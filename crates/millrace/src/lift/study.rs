//! What is studied, and one pass over its events.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use millrace_batch::{
    AsOf, BatchError, Counting, History, Job, Labelling, States, Step, Subject, TrainingRows,
};
use millrace_event::EventTime;
use millrace_feature::plan::{Plan, ViewColumn};
use millrace_stream::Settings;

use super::encode::Encoding;
use super::source::{Intake, Source, check};
use crate::console;
use crate::exit::Failure;
use crate::history::PROGRESS;
use crate::history::scratch::ScratchFile;
use crate::stop::Stop;

/// A view and a label over events.
pub struct Study<'a> {
    pub name: String,
    pub plan: Arc<Plan>,
    /// Indexes into the plan.
    pub view: usize,
    pub label: usize,
    pub source: &'a dyn Source,
    pub settings: Settings,
    pub threads: usize,
    /// Bytes that the events of a pass may take in memory, and so many again the features.
    pub memory: usize,
    pub scratch: PathBuf,
    pub stop: &'a Stop,
}

/// Which columns of the view a pass computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    None,
    /// Those that read no group.
    Request,
    /// Those that a model can take.
    All,
}

pub struct Pass {
    pub what: String,
    pub columns: Columns,
    pub asof: AsOf,
    /// Rows get the label as it was known then.
    pub labelled_at: Option<EventTime>,
    /// Fields of the event that become columns too.
    pub fields: Vec<usize>,
    pub rows: Range<EventTime>,
}

impl Study<'_> {
    /// The view's columns that a pass computes.
    pub fn columns(&self, which: Columns) -> Vec<ViewColumn> {
        let view = &self.plan.views[self.view];
        let own = self.plan.streams[view.stream].schema.fields.len();
        let reads_group = |column: &ViewColumn| {
            let mut reads = false;
            column.expr.for_each_column(&mut |index| reads |= index >= own);
            reads
        };
        let fits = |column: &&ViewColumn| match which {
            Columns::None => false,
            Columns::Request => Encoding::of(&column.ty).is_some() && !reads_group(column),
            Columns::All => Encoding::of(&column.ty).is_some(),
        };
        view.columns.iter().filter(fits).cloned().collect()
    }

    /// Computes the rows of a pass and hands them out in order, always in the same. `watch` is told
    /// of the times of the events as they come.
    pub fn pass(
        &self,
        pass: &Pass,
        watch: &mut dyn FnMut(usize, &[i64]),
        emit: &mut dyn FnMut(TrainingRows) -> Result<(), String>,
    ) -> Result<(), Failure> {
        check(self.stop)?;
        let bar = console::progress(&format!("{}: {}, reading", self.name, pass.what), PROGRESS);
        let scratch = Arc::new(ScratchFile::in_folder(self.scratch.clone()));
        let mut history = History::new(self.job(pass), scratch);
        let mut intake = Intake { history: &mut history, bar: &bar, stop: self.stop, watch };
        self.source.feed(&mut intake)?;
        bar.set_message(format!("{}: {}, computing", self.name, pass.what));
        let going_on = |step: Step| {
            let (done, all) = step.partitions;
            bar.set_position(PROGRESS * done as u64 / all.max(1) as u64);
            !self.stop.is_asked()
        };
        let done = history.finish()?.run(self.threads, &going_on, emit);
        bar.finish_and_clear();
        check(self.stop)?;
        done.map_err(|error| match error {
            BatchError::Sink(message) => Failure::user(message),
            error => error.into(),
        })
    }

    fn job(&self, pass: &Pass) -> Job {
        let mut plan = (*self.plan).clone();
        let view = &mut plan.views[self.view];
        view.columns = self.columns(pass.columns);
        match pass.columns {
            // What no column needs is not read: expressions over the event's own fields stay true.
            Columns::None | Columns::Request => view.reads.clear(),
            Columns::All => {}
        }
        let labelling = |cutoff| Labelling { label: self.label, cutoff, is_given: true };
        Job {
            plan: Arc::new(plan),
            view: self.view,
            rows: pass.rows.clone(),
            asof: pass.asof,
            subject: Subject::Events,
            counting: Counting::AsHappened,
            labelling: pass.labelled_at.map(labelling),
            fields: pass.fields.clone(),
            states: States::LeftOut,
            memory: self.memory,
            settings: self.settings.clone(),
        }
    }
}
