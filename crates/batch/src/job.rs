//! What is to be computed, and what can go wrong.

use std::ops::Range;
use std::sync::Arc;

use millrace_event::{EventTime, Physical};
use millrace_feature::plan::{LabelSource, Plan};
use millrace_stream::{EngineError, Settings};
use thiserror::Error;

use crate::AsOf;

/// One training set.
#[derive(Clone, Debug)]
pub struct Job {
    pub plan: Arc<Plan>,
    /// Index into the plan's views.
    pub view: usize,
    pub subject: Subject,
    /// Of which times there are rows. Earlier ones still count in features.
    pub rows: Range<EventTime>,
    pub asof: AsOf,
    pub counting: Counting,
    pub labelling: Option<Labelling>,
    /// Fields of the view's stream that become columns too, by their index in its schema.
    pub fields: Vec<usize>,
    pub states: States,
    /// Bytes that events and features may take in memory; beyond, they go to the scratch file.
    pub memory: usize,
    /// How events are judged and how many may wait; the rest of it has no say here.
    pub settings: Settings,
}

/// What gets a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Each event of the view's stream.
    Events,
    /// What is asked for, by [`crate::History::ask`], as a server would be.
    Asked,
}

/// From when on an event counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// From its own time.
    AsHappened,
    /// From its own time or its arrival, whichever is later: what serving could have known.
    AsKnown,
}

/// Whether rows tell why their values are what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum States {
    Kept,
    /// Nulls are nulls, and nothing else is told of them. It takes a tenth less memory.
    LeftOut,
}

/// Which label the rows get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labelling {
    /// Index into the plan's labels; it is of the view's stream.
    pub label: usize,
    /// What was known at this time.
    pub cutoff: EventTime,
    /// Whether that is so even if no event came as late: else, nothing is known beyond the last.
    pub is_given: bool,
}

/// Why a training set cannot be had.
#[derive(Debug, Error)]
pub enum BatchError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the scratch file cannot be written: {0}")]
    ScratchWrite(String),
    #[error("the scratch file cannot be read back: {0}")]
    ScratchRead(String),
    #[error("unfinished work cannot be kept: {0}")]
    Keep(String),
    #[error("unfinished work is damaged: {0}")]
    Damaged(&'static str),
    #[error("{0}")]
    Sink(String),
    #[error("stopped")]
    Stopped,
    #[error("a thread failed")]
    Thread,
}

impl Job {
    /// What tells of the label: of positive events, then of those that can be labelled.
    pub(crate) fn label_sources(&self) -> impl Iterator<Item = &LabelSource> {
        let label = self.labelling.as_ref().map(|l| &self.plan.labels[l.label]);
        label.into_iter().flat_map(|label| [&label.positive].into_iter().chain(&label.among))
    }

    /// The kinds of the view's stream's fields.
    pub(crate) fn field_kinds(&self) -> Vec<Physical> {
        let stream = &self.plan.streams[self.plan.views[self.view].stream];
        stream.schema.fields.iter().map(|field| field.ty.physical()).collect()
    }
}
