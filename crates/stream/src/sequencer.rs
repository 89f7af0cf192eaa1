//! Events of several streams in one order, as soon as it is certain.
//!
//! ```text
//!   batches ─▶ judge ─▶ pending ─▶ (watermark) ─▶ sorted by (time, id) ─▶ released
//! ```
//!
//! An event is released when no earlier one can arrive any more, from whatever stream. So whoever takes what
//! is released sees all events of all streams in order, each once.

use std::sync::Arc;

use millrace_event::{Batch, EventId, EventTime};
use millrace_feature::plan::Plan;

use crate::clock::PartitionId;
use crate::engine::{Applied, Counts, Engine, EngineError, Fate};
use crate::settings::Settings;

/// Events released in one go, at most.
const RELEASE_MAX: usize = 1 << 16;
/// Fewer wait for more, since whoever takes them spreads them over many places.
const RELEASE_MIN: usize = 1 << 14;

/// Brings the events that one view needs into order. The engine inside judges them; what becomes of
/// those that are released is the caller's.
#[derive(Debug)]
pub struct Sequencer {
    pub(crate) engine: Engine,
    /// The view's stream: of events of one time and id, another stream's comes after its own.
    first: usize,
    /// By stream; empty for streams that the view does not need. Rows that were handed out stay
    /// until there are as many of them as of others.
    pending: Vec<Batch>,
    /// The rows that wait: those of the last push stand at the end, the others are in order.
    waiting: Vec<Place>,
    needed: Vec<bool>,
    /// The groups that the view reads.
    reads: Vec<usize>,
    including: bool,
    /// What is noted of each of the pending rows, where anything is.
    notes: Option<Notes>,
    /// All that is yet to come has this time or a later one.
    bound: EventTime,
    /// The same of rows that are asked for.
    asked: EventTime,
}

/// By stream, a number for each of its rows: when it arrived. Behind the streams, of the rows that
/// are asked for, the number that it was given.
pub type Notes = Vec<Vec<i64>>;

/// Where an event lies among the batches of all streams: (time, id) decides, the rest follows.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    time: i64,
    stream: u32,
    row: u32,
}

impl Place {
    pub fn is_of(&self, stream: usize) -> bool {
        self.stream as usize == stream
    }
}

/// Events that follow all that were released before, in order.
#[derive(Debug)]
pub struct Released<'a> {
    /// The order across the streams; the n-th place of a stream is the n-th event of its batch.
    pub places: &'a [Place],
    /// By stream, in order; behind them the rows that are asked for, if any may be.
    pub batches: Vec<Batch>,
    /// What was noted of each of them, where anything was.
    pub notes: Option<Notes>,
    /// All that is yet to come has this time or a later one.
    pub bound: EventTime,
}

impl Released<'_> {
    /// The time of the first event.
    pub fn first_time(&self) -> EventTime {
        self.places.first().map_or(EventTime::MAX, |place| EventTime(place.time))
    }
}

/// What takes the events that are released.
pub type Take<'a> = dyn FnMut(&mut Engine, Released<'_>) -> Result<(), EngineError> + 'a;

impl Sequencer {
    pub fn new(plan: Arc<Plan>, view: usize, settings: Settings, tracked: bool) -> Sequencer {
        let mut needed = vec![false; plan.streams.len()];
        let first = plan.views[view].stream;
        needed[first] = true;
        for read in &plan.views[view].reads {
            needed[plan.groups[read.group].stream] = true;
        }
        let pending = plan.streams.iter().map(|s| Batch::new(Arc::clone(&s.schema))).collect();
        // Reading happens in order, so nothing behind the watermark is asked for again.
        let settings = Settings {
            idle_after: millrace_event::Span(i64::MAX),
            history: millrace_event::Span(0),
            ..settings
        };
        let reads = plan.views[view].reads.iter().map(|read| read.group).collect();
        let including = plan.views[view].including;
        let engine = Engine::build(plan, settings, tracked, [0; 16]);
        let (waiting, notes) = (Vec::new(), None);
        let (bound, asked) = (EventTime::MIN, EventTime::MAX);
        Sequencer { engine, first, pending, waiting, needed, reads, including, notes, bound, asked }
    }

    /// Notes when each event arrives, and hands that out with it.
    pub fn note_arrivals(&mut self) {
        self.notes = Some(vec![Vec::new(); self.pending.len()]);
    }

    /// Puts rows among the events that [`Sequencer::ask`] brings: each where an event of the view's
    /// stream would be asked for that has its time and id.
    pub fn take_rows(&mut self) {
        let plan = Arc::clone(self.engine.plan());
        let is_read = |group: usize| plan.groups[group].stream == self.first;
        self.needed[self.first] = self.reads.iter().any(|group| is_read(*group));
        self.pending.push(Batch::new(Arc::clone(&plan.streams[self.first].schema)));
        self.asked = EventTime::MIN;
        self.note_arrivals();
    }

    /// Whether the view depends on this stream.
    pub fn needs(&self, stream: usize) -> bool {
        self.needed[stream]
    }

    pub fn partition(&mut self, stream: usize, name: &str) -> PartitionId {
        self.engine.partition(stream, name)
    }

    /// The greatest event time that a partition has delivered: sources are read so that none runs
    /// far ahead.
    pub fn reached(&self, partition: PartitionId) -> EventTime {
        self.engine.streams[partition.stream].clock.partitions[partition.index].greatest
    }

    /// The greatest event time of all streams: of what comes later, nothing is known.
    pub fn greatest(&self) -> EventTime {
        self.engine.greatest()
    }

    pub fn counts(&self, stream: usize) -> Counts {
        self.engine.counts(stream)
    }

    /// By stream, the events that wait for the watermark.
    pub fn pending(&mut self) -> &[Batch] {
        (0..self.pending.len()).for_each(|stream| self.drop_released(stream));
        &self.pending
    }

    /// Takes in a batch and releases every event whose place has become certain.
    ///
    /// # Errors
    /// When too many events wait, or `take` fails.
    pub fn push(
        &mut self,
        partition: PartitionId,
        batch: &Batch,
        received: EventTime,
        take: &mut Take<'_>,
    ) -> Result<Applied, EngineError> {
        let applied = self.engine.judge(partition, batch, received);
        if applied.count(Fate::Applied) == batch.len() {
            self.admit(partition.stream, batch, received);
        } else {
            let events = batch.select(&applied.rows(Fate::Applied));
            self.admit(partition.stream, &events, received);
        }
        if self.waiting.len() > self.engine.settings.pending_max.min(RELEASE_MIN) {
            self.release(take)?;
        }
        self.check_pending()?;
        Ok(applied)
    }

    /// Takes in events that were judged elsewhere, and count. They wait for
    /// [`Sequencer::release_until`].
    pub fn admit(&mut self, stream: usize, events: &Batch, arrived: EventTime) {
        if let Some(notes) = &mut self.notes {
            notes[stream].extend(std::iter::repeat_n(arrived.0, events.len()));
        }
        self.wait(stream, events);
    }

    /// What no event is earlier than that partitions are yet to deliver: rows that are asked for
    /// before it are handed out at once.
    pub fn certain(&mut self) -> EventTime {
        self.bound = self.delivered();
        self.bound
    }

    /// Takes in rows that are asked for, which are in the order of time and follow those before, each
    /// with a number that is handed out with it. See [`Sequencer::take_rows`].
    ///
    /// # Errors
    /// As [`Sequencer::push`].
    pub fn ask(
        &mut self,
        rows: &Batch,
        numbers: &[i64],
        take: &mut Take<'_>,
    ) -> Result<(), EngineError> {
        let asked = self.asked_at();
        if let Some(notes) = &mut self.notes {
            notes[asked].extend_from_slice(numbers);
        }
        self.wait(asked, rows);
        self.asked = rows.times().last().map_or(self.asked, |time| EventTime(*time));
        self.release_before(self.bound, take)?;
        self.check_pending()
    }

    /// No more rows will be asked for.
    ///
    /// # Errors
    /// When `take` fails.
    pub fn asked_all(&mut self, take: &mut Take<'_>) -> Result<(), EngineError> {
        self.asked = EventTime::MAX;
        self.release_before(self.bound, take)
    }

    /// Where rows that are asked for lie among the batches.
    pub fn asked_at(&self) -> usize {
        self.needed.len()
    }

    fn wait(&mut self, stream: usize, events: &Batch) {
        let pending = &mut self.pending[stream];
        let before = pending.len();
        pending.append(events);
        let new = pending.times()[before..].iter().zip(before as u32..);
        let stream = stream as u32;
        self.waiting.extend(new.map(|(time, row)| Place { time: *time, stream, row }));
    }

    /// All that is yet to come has this time or a later one: releases what is before it.
    ///
    /// # Errors
    /// As [`Sequencer::push`].
    pub fn release_until(
        &mut self,
        bound: EventTime,
        take: &mut Take<'_>,
    ) -> Result<(), EngineError> {
        self.release_before(bound, take)?;
        self.check_pending()
    }

    fn check_pending(&self) -> Result<(), EngineError> {
        let limit = self.engine.settings.pending_max;
        if self.waiting.len() > limit { Err(EngineError::Pending { limit }) } else { Ok(()) }
    }

    /// Judges a batch as [`Sequencer::push`] does, for a stream whose order is of no use: returns the
    /// events that count at once, and lets nothing wait for them.
    pub fn judge(
        &mut self,
        partition: PartitionId,
        batch: &Batch,
        received: EventTime,
    ) -> (Applied, Batch) {
        let applied = self.engine.judge(partition, batch, received);
        let events = batch.select(&applied.rows(Fate::Applied));
        (applied, events)
    }

    /// A partition has delivered everything.
    ///
    /// # Errors
    /// As [`Sequencer::push`].
    pub fn close(
        &mut self,
        partition: PartitionId,
        take: &mut Take<'_>,
    ) -> Result<(), EngineError> {
        self.engine.close(partition);
        self.release(take)
    }

    /// Nothing more will come: releases all events that are left.
    ///
    /// # Errors
    /// As [`Sequencer::push`].
    pub fn finish(&mut self, take: &mut Take<'_>) -> Result<(), EngineError> {
        self.asked = EventTime::MAX;
        self.release_before(EventTime::MAX, take)
    }

    fn release(&mut self, take: &mut Take<'_>) -> Result<(), EngineError> {
        self.release_before(self.delivered(), take)
    }

    /// All that partitions are yet to deliver has this time or a later one.
    fn delivered(&self) -> EventTime {
        let needed = (0..self.needed.len()).filter(|s| self.needed[*s]);
        let open = |s: &usize| self.engine.streams[*s].clock.is_open();
        // A stream whose files have all ended holds nothing back.
        needed.filter(open).map(|s| self.engine.watermark(s)).min().unwrap_or(EventTime::MAX)
    }

    /// Releases the pending events before `bound`, and before what may be asked for.
    fn release_before(&mut self, bound: EventTime, take: &mut Take<'_>) -> Result<(), EngineError> {
        self.bound = bound;
        let bound = bound.min(self.asked);
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|p| p.time);
        let certain = waiting.partition_point(|p| p.time < bound.0);
        self.sort_ties(&mut waiting[..certain]);
        for places in waiting[..certain].chunks(RELEASE_MAX) {
            let batches = self.select(places);
            let notes = self.notes_at(places);
            take(&mut self.engine, Released { places, batches, notes, bound })?;
        }
        waiting.drain(..certain);
        self.waiting = waiting;
        for stream in 0..self.pending.len() {
            let left = self.waiting.iter().filter(|p| p.is_of(stream)).count();
            if self.pending[stream].len() >= 2 * left {
                self.drop_released(stream);
            }
        }
        Ok(())
    }

    /// Among equal times the ids decide.
    fn sort_ties(&self, places: &mut [Place]) {
        let (first, asked) = (self.first, self.asked_at());
        let id = |p: &Place| -> EventId { self.pending[p.stream as usize].id(p.row as usize) };
        for ties in places.chunk_by_mut(|a, b| a.time == b.time) {
            if ties.len() > 1 {
                // Another stream's event of the same id does not precede the view's: it is read
                // first. A row that is asked for stands for the view's event.
                let rank = |p: &Place| match p.stream as usize {
                    stream if stream == asked => u8::from(self.including),
                    stream if stream == first => u8::from(!self.including),
                    _ => 2,
                };
                ties.sort_by_cached_key(|p| (id(p), rank(p)));
            }
        }
    }

    /// Frees the rows of a stream that were handed out.
    fn drop_released(&mut self, stream: usize) {
        let places = self.waiting.iter_mut().filter(|p| p.is_of(stream));
        let mut rows = Vec::new();
        for (place, row) in places.zip(0..) {
            rows.push(std::mem::replace(&mut place.row, row));
        }
        self.pending[stream] = self.pending[stream].select(&rows);
        if let Some(notes) = &mut self.notes {
            let of_stream = &mut notes[stream];
            *of_stream = rows.iter().map(|row| of_stream[*row as usize]).collect();
        }
    }

    fn notes_at(&self, places: &[Place]) -> Option<Notes> {
        let notes = self.notes.as_ref()?;
        let mut selected: Notes = vec![Vec::new(); notes.len()];
        for Place { stream, row, .. } in places {
            let stream = *stream as usize;
            selected[stream].push(notes[stream][*row as usize]);
        }
        Some(selected)
    }

    /// The events at these places, by stream.
    fn select(&self, places: &[Place]) -> Vec<Batch> {
        let of_stream = |stream| {
            let rows = places.iter().filter(move |p: &&Place| p.is_of(stream));
            rows.map(|p| p.row).collect::<Vec<_>>()
        };
        let pending = self.pending.iter().enumerate();
        pending.map(|(stream, batch)| batch.select(&of_stream(stream))).collect()
    }
}
