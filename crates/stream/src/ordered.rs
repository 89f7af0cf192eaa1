//! The engine over files: events wait for the watermark, and are then read and applied in order.
//!
//! ```text
//!   batches ─▶ judge ─▶ pending ─▶ (watermark) ─▶ sorted by (time, id) ─▶ per group: read, apply
//!                                                                          └▶ view ─▶ rows out
//! ```
//!
//! A view's row for an event needs all that precede the event in (time, id), from every stream it
//! reads. So rows come out in that order, once no earlier event can arrive. Each key state sees
//! its events in order, which is the fast way, and the values are those of a live engine.

use std::sync::Arc;

use millrace_aggregate::{Arguments, Horizon, Position};
use millrace_event::{Batch, Column, EventId, EventTime};
use millrace_feature::plan::{Plan, Read};

use crate::clock::PartitionId;
use crate::engine::{Applied, Counts, Engine, EngineError, Fate, aggregate_columns};
use crate::features::{features_of, view_columns};
use crate::keys::{Keys, shard_of};
use crate::settings::Settings;
use crate::shard::{GroupRows, Step};

/// Events released in one go, at most.
const RELEASE_MAX: usize = 1 << 16;

/// Rows of a view, with the events they were computed for, in (time, id) order.
#[derive(Debug)]
pub struct Rows<'a> {
    /// The events of the view's stream.
    pub events: &'a Batch,
    /// The view's columns.
    pub values: &'a [Column],
}

/// An engine that computes one view over all events of its streams.
#[derive(Debug)]
pub struct Ordered {
    engine: Engine,
    view: usize,
    /// By stream; empty for streams that the view does not need. Rows that were handed out stay
    /// until there are as many of them as of others.
    pending: Vec<Batch>,
    /// The rows that wait: those of the last push stand at the end, the others are in order.
    waiting: Vec<Place>,
    needed: Vec<bool>,
}

/// Where an event lies among the pending batches: (time, id) decides, the rest follows.
#[derive(Clone, Copy, Debug)]
struct Place {
    time: i64,
    stream: u32,
    row: u32,
}

impl Place {
    fn is_of(&self, stream: usize) -> bool {
        self.stream as usize == stream
    }
}

impl Ordered {
    pub fn new(plan: Arc<Plan>, view: usize, settings: Settings, tracked: bool) -> Ordered {
        let mut needed = vec![false; plan.streams.len()];
        needed[plan.views[view].stream] = true;
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
        let engine = Engine::build(plan, settings, tracked, [0; 16]);
        Ordered { engine, view, pending, waiting: Vec::new(), needed }
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

    pub fn counts(&self, stream: usize) -> Counts {
        self.engine.counts(stream)
    }

    pub fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// By stream, the events that wait for the watermark.
    pub fn pending(&mut self) -> &[Batch] {
        (0..self.pending.len()).for_each(|stream| self.drop_released(stream));
        &self.pending
    }

    /// Takes in a batch and hands out every row that has become certain.
    ///
    /// # Errors
    /// When too many events wait, or `emit` fails.
    pub fn push(
        &mut self,
        partition: PartitionId,
        batch: &Batch,
        received: EventTime,
        emit: &mut dyn FnMut(Rows<'_>) -> Result<(), String>,
    ) -> Result<Applied, EngineError> {
        let applied = self.engine.judge(partition, batch, received);
        let pending = &mut self.pending[partition.stream];
        let before = pending.len();
        if applied.count(Fate::Applied) == batch.len() {
            pending.append(batch);
        } else {
            pending.append(&batch.select(&applied.rows(Fate::Applied)));
        }
        let stream = partition.stream as u32;
        let new = pending.times()[before..].iter().zip(before as u32..);
        self.waiting.extend(new.map(|(time, row)| Place { time: *time, stream, row }));
        let limit = self.engine.settings.pending_max;
        self.release(emit)?;
        if self.waiting.len() > limit {
            return Err(EngineError::Pending { limit });
        }
        Ok(applied)
    }

    /// A partition has delivered everything.
    ///
    /// # Errors
    /// As [`Ordered::push`].
    pub fn close(
        &mut self,
        partition: PartitionId,
        emit: &mut dyn FnMut(Rows<'_>) -> Result<(), String>,
    ) -> Result<(), EngineError> {
        self.engine.close(partition);
        self.release(emit)
    }

    /// Nothing more will come: hands out all rows that are left.
    ///
    /// # Errors
    /// As [`Ordered::push`].
    pub fn finish(
        &mut self,
        emit: &mut dyn FnMut(Rows<'_>) -> Result<(), String>,
    ) -> Result<(), EngineError> {
        self.release_before(EventTime::MAX, emit)
    }

    fn release(
        &mut self,
        emit: &mut dyn FnMut(Rows<'_>) -> Result<(), String>,
    ) -> Result<(), EngineError> {
        let needed = (0..self.needed.len()).filter(|s| self.needed[*s]);
        let open = |s: &usize| self.engine.streams[*s].clock.is_open();
        // A stream whose files have all ended holds nothing back.
        let bound =
            needed.filter(open).map(|s| self.engine.watermark(s)).min().unwrap_or(EventTime::MAX);
        self.release_before(bound, emit)
    }

    /// Reads and applies the pending events before `bound`.
    fn release_before(
        &mut self,
        bound: EventTime,
        emit: &mut dyn FnMut(Rows<'_>) -> Result<(), String>,
    ) -> Result<(), EngineError> {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|p| p.time);
        let certain = waiting.partition_point(|p| p.time < bound.0);
        self.sort_ties(&mut waiting[..certain]);
        for places in waiting[..certain].chunks(RELEASE_MAX) {
            self.run(places, bound, emit)?;
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
        let view = self.engine.plan.views[self.view].stream;
        let id = |p: &Place| -> EventId { self.pending[p.stream as usize].id(p.row as usize) };
        for ties in places.chunk_by_mut(|a, b| a.time == b.time) {
            if ties.len() > 1 {
                // Another stream's event of the same id does not precede the view's: it is read
                // first.
                ties.sort_by_cached_key(|p| (id(p), !p.is_of(view)));
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
    }

    fn run(
        &mut self,
        places: &[Place],
        bound: EventTime,
        emit: &mut dyn FnMut(Rows<'_>) -> Result<(), String>,
    ) -> Result<(), EngineError> {
        let plan = Arc::clone(&self.engine.plan);
        let view = &plan.views[self.view];
        let sorted: Vec<Batch> = (0..self.pending.len())
            .map(|stream| {
                let rows = places.iter().filter(|p| p.is_of(stream));
                self.pending[stream].select(&rows.map(|p| p.row).collect::<Vec<_>>())
            })
            .collect();
        let events = &sorted[view.stream];
        let mut features: Vec<Column> = Vec::new();
        for read in &view.reads {
            let group = &plan.groups[read.group];
            let aggregates = self.run_group(read, places, &sorted, bound)?;
            features.extend(features_of(group, aggregates, events.len()));
        }
        let values = view_columns(view, &events.columns, features, events.len());
        emit(Rows { events, values: &values }).map_err(EngineError::Sink)
    }

    /// The aggregates of one group for each event of the view's stream, in order.
    fn run_group(
        &mut self,
        read: &Read,
        places: &[Place],
        sorted: &[Batch],
        bound: EventTime,
    ) -> Result<Vec<Column>, EngineError> {
        let plan = Arc::clone(&self.engine.plan);
        let group = read.group;
        let view = &plan.views[self.view];
        let shape = Arc::clone(&self.engine.shapes[group]);
        let stream = plan.groups[group].stream;
        let (events, batch) = (&sorted[view.stream], &sorted[stream]);
        let arguments = Arguments::evaluate(&shape, batch);
        let own_keys = Keys::of(batch, &plan.groups[group].keys, &self.engine.hasher);
        let ids: Vec<EventId> = if shape.needs_ids() {
            (0..batch.len()).map(|r| batch.id(r)).collect()
        } else {
            Vec::new()
        };
        let watermark = EventTime(bound.0.min(self.engine.watermark(stream).0));
        let input = GroupRows {
            group,
            shape: &shape,
            arguments: &arguments,
            keys: &own_keys,
            ids: &ids,
            horizon: Horizon::at(&shape, watermark.min(first_time(sorted))),
        };
        let own = stream == view.stream;
        if own && !view.including && read.keys == plan.groups[group].keys {
            return self.run_own(&input, events.len(), &plan);
        }
        let rows = 0..events.len() as u32;
        let steps: Vec<Step> = if !own {
            merge(places, view.stream, stream)
        } else if view.including {
            rows.flat_map(|r| [Step::Apply(r), Step::Read(r)]).collect()
        } else {
            rows.flat_map(|r| [Step::Read(r), Step::Apply(r)]).collect()
        };
        let read_keys = Keys::of(events, &read.keys, &self.engine.hasher);
        let mut out = aggregate_columns(&plan.groups[group]);
        // One shard after the other would need the steps split; the general way is sequential.
        for step in &steps {
            let (keys, row) = match step {
                Step::Read(row) => (&read_keys, *row as usize),
                Step::Apply(row) => (&own_keys, *row as usize),
            };
            let shard = shard_of(keys.hashes[row], self.engine.shards.len());
            let time = match step {
                Step::Read(row) => events.time(*row as usize),
                Step::Apply(row) => batch.time(*row as usize),
            };
            self.engine.shards[shard]
                .step(&input, keys, *step, Position::Time(time), &mut out)
                .map_err(EngineError::Cold)?;
        }
        Ok(out)
    }

    /// The common case: the group is over the view's own stream and read by its own key.
    fn run_own(
        &mut self,
        input: &GroupRows<'_>,
        rows: usize,
        plan: &Plan,
    ) -> Result<Vec<Column>, EngineError> {
        let shards = self.engine.shards.len();
        let columns = || aggregate_columns(&plan.groups[input.group]);
        let mut of_shard = vec![Vec::new(); shards];
        for row in 0..rows {
            of_shard[shard_of(input.keys.hashes[row], shards)].push(row as u32);
        }
        let mut work: Vec<_> = self
            .engine
            .shards
            .iter_mut()
            .zip(&of_shard)
            .map(|(shard, rows)| (shard, rows, columns()))
            .collect();
        if self.engine.settings.threads <= 1 || shards == 1 {
            for (shard, rows, out) in &mut work {
                shard.read_and_apply(input, rows, out).map_err(EngineError::Cold)?;
            }
        } else {
            std::thread::scope(|scope| {
                let tasks: Vec<_> = work
                    .iter_mut()
                    .map(|(shard, rows, out)| {
                        scope.spawn(move || shard.read_and_apply(input, rows, out))
                    })
                    .collect();
                tasks.into_iter().try_for_each(|task| {
                    task.join().unwrap_or_else(|_| Err("a shard's thread failed".to_owned()))
                })
            })
            .map_err(EngineError::Cold)?;
        }
        let mut parts = work.into_iter().map(|(_, _, out)| out);
        let mut out = parts.next().unwrap_or_default();
        if shards == 1 {
            return Ok(out);
        }
        for part in parts {
            out.iter_mut().zip(&part).for_each(|(to, from)| to.append(from));
        }
        // Row r of the batch lies where its shard put it.
        let mut at = vec![0u32; rows];
        for (place, row) in of_shard.iter().flatten().enumerate() {
            at[*row as usize] = place as u32;
        }
        Ok(out.iter().map(|column| column.select(&at)).collect())
    }
}

fn first_time(sorted: &[Batch]) -> EventTime {
    let first = |b: &Batch| if b.is_empty() { EventTime::MAX } else { b.time(0) };
    sorted.iter().map(first).min().unwrap_or(EventTime::MAX)
}

/// The steps of a group over another stream than the view's: its events are applied, the view's
/// events read, each in its place.
fn merge(places: &[Place], view: usize, group: usize) -> Vec<Step> {
    let (mut reads, mut applies) = (0, 0);
    let mut steps = Vec::new();
    for place in places {
        if place.is_of(view) {
            steps.push(Step::Read(reads));
            reads += 1;
        } else if place.is_of(group) {
            steps.push(Step::Apply(applies));
            applies += 1;
        }
    }
    steps
}
