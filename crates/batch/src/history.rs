//! The first half of a training set: events, put where they are needed.

use std::sync::Arc;

use millrace_event::{Batch, Column, EventTime, Physical};
use millrace_feature::plan::View;
use millrace_stream::{
    Applied, Counts, Engine, EngineError, PartitionId, Released, Sequencer, Settings,
};

use crate::job::{BatchError, Counting, Job, Subject};
use crate::label::Told;
use crate::scatter::{GroupInput, Numbers};
use crate::scattered::Scattered;
use crate::spool::{Scratch, Spool};
use crate::unfinished::{self, Reader};

/// Rows of the frame that lie together, and are put together at once.
pub(crate) const ROWS: usize = 16_384;
/// The share of the memory that events may take.
const EVENTS_SHARE: usize = 4;

/// Takes the events of history.
#[derive(Debug)]
pub struct History {
    sequencer: Sequencer,
    scatter: Scatter,
    /// Nothing is known beyond this time, nor beyond what was judged here.
    greatest: EventTime,
}

/// Where events go, by what needs them.
#[derive(Debug)]
pub(crate) struct Scatter {
    pub job: Job,
    pub groups: Vec<GroupInput>,
    /// What tells of positive events, and of those that can be labelled.
    pub told: Vec<Told>,
    /// Where rows lie among the batches: with the view's stream, or behind all streams.
    pub rows_at: usize,
    /// The rows' events: their fields that are needed, in the order of the rows; then, of rows that
    /// are asked for, their numbers.
    pub frame: Spool,
    pub frame_fields: Vec<usize>,
    /// Streams that only a label needs: their events need no order.
    unordered: Vec<bool>,
    places: i64,
    pub rows: i64,
    pub scratch: Arc<dyn Scratch>,
}

impl History {
    pub fn new(job: Job, scratch: Arc<dyn Scratch>) -> History {
        let plan = &job.plan;
        let view = &plan.views[job.view];
        // Its own shards stay empty.
        let settings = Settings { shards: 1, threads: 1, ..job.settings.clone() };
        let mut sequencer = Sequencer::new(Arc::clone(plan), job.view, settings, false);
        if job.counting == Counting::AsKnown {
            sequencer.note_arrivals();
        }
        let mut rows_at = view.stream;
        if job.subject == Subject::Asked {
            sequencer.take_rows();
            rows_at = sequencer.asked_at();
        }
        let mut unordered = vec![false; plan.streams.len()];
        for source in job.label_sources() {
            unordered[source.stream] = !sequencer.needs(source.stream);
        }
        let frame_fields = frame_fields(&job, view);
        let kinds = job.field_kinds();
        let frame_kinds = frame_fields.iter().map(|field| kinds[*field]);
        let number = (job.subject == Subject::Asked).then_some(Physical::Word);
        let frame_kinds = frame_kinds.chain(number).collect();
        let told = job.labelling.as_ref().map(|labelling| {
            let label = &plan.labels[labelling.label];
            job.label_sources().map(|source| Told::new(plan, label, source)).collect()
        });
        let mut scatter = Scatter {
            rows_at,
            groups: view.reads.iter().map(|read| GroupInput::new(&job, read)).collect(),
            told: told.unwrap_or_default(),
            frame: Spool::new(frame_kinds, 1, ROWS),
            frame_fields,
            unordered,
            places: 0,
            rows: 0,
            scratch,
            job,
        };
        (0..).zip(scatter.spools()).for_each(|(number, spool)| spool.set_number(number));
        History { sequencer, scatter, greatest: EventTime::MIN }
    }

    /// Whether events of this stream have a say.
    pub fn needs(&self, stream: usize) -> bool {
        self.sequencer.needs(stream) || self.scatter.unordered[stream]
    }

    pub fn partition(&mut self, stream: usize, name: &str) -> PartitionId {
        self.sequencer.partition(stream, name)
    }

    /// See [`Sequencer::reached`].
    pub fn reached(&self, partition: PartitionId) -> EventTime {
        self.sequencer.reached(partition)
    }

    pub fn counts(&self, stream: usize) -> Counts {
        self.sequencer.counts(stream)
    }

    /// Takes in a batch that a partition delivered, and that arrived when it was received.
    ///
    /// # Errors
    /// When too many events wait, or the scratch file fails.
    pub fn push(
        &mut self,
        partition: PartitionId,
        batch: &Batch,
        received: EventTime,
    ) -> Result<Applied, BatchError> {
        self.note(received);
        let History { sequencer, scatter, .. } = self;
        let stream = partition.stream();
        let applied = if scatter.unordered[stream] {
            let (applied, events) = sequencer.judge(partition, batch, received);
            scatter.tell(stream, &events, received);
            applied
        } else {
            sequencer.push(partition, batch, received, &mut taking(scatter))?
        };
        scatter.make_room()?;
        Ok(applied)
    }

    /// Takes in events that were judged elsewhere, and count. They wait for
    /// [`History::release_until`]. Of those that arrived at [`EventTime::MAX`] it is not known when.
    pub fn admit(&mut self, stream: usize, events: &Batch, arrived: EventTime) {
        self.note(arrived);
        let History { sequencer, scatter, .. } = self;
        if scatter.unordered[stream] {
            scatter.tell(stream, events, arrived);
        } else {
            sequencer.admit(stream, events, arrived);
        }
    }

    /// See [`Sequencer::certain`].
    pub fn certain(&mut self) -> EventTime {
        self.sequencer.certain()
    }

    /// Takes in rows that are asked for, if they are the job's subject: events of the view's stream
    /// that are in the order of time and follow those before, each with a number to know it by.
    ///
    /// # Errors
    /// As [`History::push`].
    pub fn ask(&mut self, rows: &Batch, numbers: &[i64]) -> Result<(), BatchError> {
        let History { sequencer, scatter, .. } = self;
        sequencer.ask(rows, numbers, &mut taking(scatter))?;
        scatter.make_room()
    }

    /// No more rows will be asked for.
    ///
    /// # Errors
    /// As [`History::push`].
    pub fn asked_all(&mut self) -> Result<(), BatchError> {
        let History { sequencer, scatter, .. } = self;
        sequencer.asked_all(&mut taking(scatter))?;
        scatter.make_room()
    }

    /// All events that are yet to be admitted have this time or a later one.
    ///
    /// # Errors
    /// As [`History::push`].
    pub fn release_until(&mut self, bound: EventTime) -> Result<(), BatchError> {
        let History { sequencer, scatter, .. } = self;
        sequencer.release_until(bound, &mut taking(scatter))?;
        scatter.make_room()
    }

    /// Of admitted events, this is the greatest time that came, whether it counts or not.
    pub fn reaches(&mut self, greatest: EventTime) {
        self.greatest = self.greatest.max(greatest);
    }

    /// Whether events count from their arrival on.
    pub fn counts_arrivals(&self) -> bool {
        self.scatter.job.counting == Counting::AsKnown
    }

    /// What is known ends with what arrived last, where arrivals count.
    fn note(&mut self, arrived: EventTime) {
        if self.counts_arrivals() && arrived < EventTime::MAX {
            self.reaches(arrived);
        }
    }

    /// A partition has delivered everything.
    ///
    /// # Errors
    /// As [`History::push`].
    pub fn close(&mut self, partition: PartitionId) -> Result<(), BatchError> {
        let History { sequencer, scatter, .. } = self;
        sequencer.close(partition, &mut taking(scatter))?;
        scatter.make_room()
    }

    /// Nothing more will come.
    ///
    /// # Errors
    /// As [`History::push`].
    pub fn finish(mut self) -> Result<Scattered, BatchError> {
        let scatter = &mut self.scatter;
        self.sequencer.finish(&mut taking(scatter))?;
        scatter.make_room()?;
        if let Some(labelling) = &mut scatter.job.labelling
            && !labelling.is_given
        {
            let greatest = self.sequencer.greatest().max(self.greatest);
            labelling.cutoff = labelling.cutoff.min(greatest);
        }
        Ok(Scattered::new(self.scatter))
    }

    /// Takes up the work of an earlier run of the same job, which has taken all events: these
    /// bytes were kept, and the scratch file is as it was then.
    ///
    /// # Errors
    /// [`BatchError::Damaged`] when the bytes are not such work.
    pub fn resume(mut self, work: &[u8]) -> Result<Scattered, BatchError> {
        let mut input = Reader::new(work);
        unfinished::read_scattered(&mut self.scatter, &mut input)?;
        let finished = unfinished::read_finished(&self.scatter, input)?;
        Ok(Scattered::resumed(self.scatter, finished))
    }
}

/// What puts the events that are released where they are needed.
fn taking(
    scatter: &mut Scatter,
) -> impl FnMut(&mut Engine, Released<'_>) -> Result<(), EngineError> {
    |_, released| {
        scatter.take(&released);
        Ok(())
    }
}

impl Scatter {
    /// Takes what events tell that need no order.
    fn tell(&mut self, stream: usize, events: &Batch, arrived: EventTime) {
        let arrivals = match self.job.counting {
            Counting::AsHappened => None,
            Counting::AsKnown => Some(vec![arrived.0; events.len()]),
        };
        for told in &mut self.told {
            told.take_events(stream, events, arrivals.as_deref());
        }
    }

    fn take(&mut self, released: &Released<'_>) {
        let job = &self.job;
        let events = &released.batches[self.rows_at];
        let mut number = self.rows;
        let rows = events.times().iter().map(|time| {
            let is_row = job.rows.contains(&EventTime(*time));
            number += i64::from(is_row);
            if is_row { number - 1 } else { -1 }
        });
        let numbers = Numbers { first_place: self.places, rows: rows.collect() };
        for group in &mut self.groups {
            group.take(job, released, self.rows_at, &numbers);
        }
        for told in &mut self.told {
            for (stream, events) in released.batches.iter().enumerate() {
                told.take_events(stream, events, arrivals_of(job, released, stream));
            }
            told.take_rows(events, &numbers.rows);
        }
        let kept = (0..events.len() as u32).filter(|row| numbers.rows[*row as usize] >= 0);
        let kept: Vec<u32> = kept.collect();
        let fields = self.frame_fields.iter().map(|field| &events.columns[*field]);
        let asked = match (job.subject, &released.notes) {
            (Subject::Asked, Some(notes)) => Some(Column::words(notes[self.rows_at].clone())),
            (Subject::Asked, None) | (Subject::Events, _) => None,
        };
        let fields: Vec<&Column> = fields.chain(&asked).collect();
        self.frame.append(0, fields.into_iter(), &kept);
        self.rows = number;
        self.places += released.places.len() as i64;
    }

    pub fn spools(&mut self) -> impl Iterator<Item = &mut Spool> {
        let groups = self.groups.iter_mut().flat_map(|g| [&mut g.events, &mut g.reads]);
        let told = self.told.iter_mut().flat_map(|t| [&mut t.events, &mut t.rows]);
        groups.chain(told).chain([&mut self.frame])
    }

    fn make_room(&mut self) -> Result<(), BatchError> {
        let limit = self.job.memory / EVENTS_SHARE;
        if self.spools().map(|spool| spool.held()).sum::<usize>() > limit {
            let scratch = Arc::clone(&self.scratch);
            self.spools().try_for_each(|spool| spool.spill(&*scratch))?;
        }
        Ok(())
    }
}

/// When the events of a stream arrived, where that counts.
pub(crate) fn arrivals_of<'a>(
    job: &Job,
    released: &'a Released<'_>,
    stream: usize,
) -> Option<&'a [i64]> {
    match job.counting {
        Counting::AsHappened => None,
        Counting::AsKnown => released.notes.as_ref().map(|notes| &notes[stream][..]),
    }
}

/// The fields of the view's stream that its rows need.
fn frame_fields(job: &Job, view: &View) -> Vec<usize> {
    let schema = &job.plan.streams[view.stream].schema;
    let mut is_needed = vec![false; schema.fields.len()];
    let mut need = |index: usize| {
        if let Some(needed) = is_needed.get_mut(index) {
            *needed = true;
        }
    };
    [schema.id, schema.time].into_iter().chain(job.fields.iter().copied()).for_each(&mut need);
    view.columns.iter().for_each(|column| column.expr.for_each_column(&mut need));
    (0..schema.fields.len()).filter(|field| is_needed[*field]).collect()
}
