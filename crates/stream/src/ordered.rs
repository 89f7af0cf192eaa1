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
use millrace_feature::plan::Plan;

use crate::clock::PartitionId;
use crate::engine::{Applied, Counts, Engine, EngineError, Fate, aggregate_columns};
use crate::features::{features_of, view_columns};
use crate::keys::{Keys, shard_of};
use crate::settings::Settings;
use crate::shard::{GroupRows, Including, Step};

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
    /// By stream; empty for streams that the view does not need.
    pending: Vec<Batch>,
    needed: Vec<bool>,
}

/// Where an event lies among the released batches: (time, id) decides, the rest follows.
struct Place {
    time: i64,
    stream: usize,
    row: u32,
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
        Ordered { engine: Engine::build(plan, settings, tracked, [0; 16]), view, pending, needed }
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

    pub fn pending(&self) -> &[Batch] {
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
        if applied.count(Fate::Applied) == batch.len() {
            pending.append(batch);
        } else {
            pending.append(&batch.select(&applied.rows(Fate::Applied)));
        }
        let limit = self.engine.settings.pending_max;
        self.release(emit)?;
        if self.pending.iter().map(Batch::len).sum::<usize>() > limit {
            return Err(EngineError::Pending { limit });
        }
        let state = &mut self.engine.streams[partition.stream];
        state.remembered.forget_before(state.clock.watermark);
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
        let mut places: Vec<Place> = Vec::new();
        for (stream, pending) in self.pending.iter().enumerate() {
            let times = pending.times().iter().enumerate();
            let certain = times.filter(|(_, time)| **time < bound.0);
            places.extend(certain.map(|(row, time)| Place {
                time: *time,
                stream,
                row: row as u32,
            }));
        }
        if places.is_empty() {
            return Ok(());
        }
        self.sort(&mut places);
        for places in places.chunks(RELEASE_MAX) {
            self.run(places, bound, emit)?;
        }
        for pending in &mut self.pending {
            let rest: Vec<u32> = (0..pending.len() as u32)
                .filter(|row| pending.times()[*row as usize] >= bound.0)
                .collect();
            *pending = pending.select(&rest);
        }
        Ok(())
    }

    /// By (time, id). Ids are looked at only where times are equal.
    fn sort(&self, places: &mut [Place]) {
        let view = self.engine.plan.views[self.view].stream;
        let id = |p: &Place| -> EventId { self.pending[p.stream].id(p.row as usize) };
        places.sort_by_key(|p| p.time);
        for ties in places.chunk_by_mut(|a, b| a.time == b.time) {
            if ties.len() > 1 {
                // Another stream's event of the same id does not precede the view's: it is read
                // first.
                ties.sort_by_cached_key(|p| (id(p), p.stream != view));
            }
        }
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
                let rows = places.iter().filter(|p| p.stream == stream);
                self.pending[stream].select(&rows.map(|p| p.row).collect::<Vec<_>>())
            })
            .collect();
        let events = &sorted[view.stream];
        let mut columns: Vec<Column> = Vec::new();
        for read in &view.reads {
            let group = &plan.groups[read.group];
            let own = group.stream == view.stream;
            let steps = if own { None } else { Some(merge(places, view.stream, group.stream)) };
            let including = if own && view.including { Including::Yes } else { Including::No };
            let read_keys = Keys::of(events, &read.keys, &self.engine.hasher);
            let aggregates =
                self.run_group(read.group, &sorted, &read_keys, steps, including, bound)?;
            columns.extend(features_of(group, aggregates, events.len()));
        }
        let inputs: Vec<&Column> = events.columns.iter().chain(&columns).collect();
        let values = view_columns(view, &inputs, events.len());
        emit(Rows { events, values: &values }).map_err(EngineError::Sink)
    }

    /// The aggregates of one group for each event of the view's stream, in order.
    fn run_group(
        &mut self,
        group: usize,
        sorted: &[Batch],
        read_keys: &Keys,
        steps: Option<Vec<Step>>,
        including: Including,
        bound: EventTime,
    ) -> Result<Vec<Column>, EngineError> {
        let plan = Arc::clone(&self.engine.plan);
        let shape = Arc::clone(&self.engine.shapes[group]);
        let batch = &sorted[plan.groups[group].stream];
        let arguments = Arguments::evaluate(&shape, batch);
        let own_keys = Keys::of(batch, &plan.groups[group].keys, &self.engine.hasher);
        let ids: Vec<EventId> = if shape.needs_ids() {
            (0..batch.len()).map(|r| batch.id(r)).collect()
        } else {
            Vec::new()
        };
        let watermark = EventTime(bound.0.min(self.engine.watermark(plan.groups[group].stream).0));
        let input = GroupRows {
            group,
            shape: &shape,
            arguments: &arguments,
            keys: &own_keys,
            ids: &ids,
            horizon: Horizon::at(&shape, watermark.min(first_time(sorted))),
        };
        let rows = read_keys.hashes.len();
        let steps = match steps {
            Some(steps) => steps,
            None if including == Including::Yes => {
                (0..rows as u32).flat_map(|r| [Step::Apply(r), Step::Read(r)]).collect()
            }
            None if own_keys.same_as(read_keys) => {
                return self.run_own(&input, rows, &plan);
            }
            None => (0..rows as u32).flat_map(|r| [Step::Read(r), Step::Apply(r)]).collect(),
        };
        let mut out = aggregate_columns(&plan.groups[group]);
        // One shard after the other would need the steps split; the general way is sequential.
        for step in &steps {
            let (keys, row) = match step {
                Step::Read(row) => (read_keys, *row as usize),
                Step::Apply(row) => (&own_keys, *row as usize),
            };
            let shard = shard_of(keys.hashes[row], self.engine.shards.len());
            let time = match step {
                Step::Read(row) => sorted[plan.views[self.view].stream].time(*row as usize),
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
        if place.stream == view {
            steps.push(Step::Read(reads));
            reads += 1;
        } else if place.stream == group {
            steps.push(Step::Apply(applies));
            applies += 1;
        }
    }
    steps
}
