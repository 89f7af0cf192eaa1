//! The engine over files: events in order are read and applied, one group after the other.
//!
//! ```text
//!   batches ─▶ in order (Sequencer) ─▶ per group: read, apply ─▶ view ─▶ rows out
//! ```
//!
//! A view's row for an event needs all that precede the event in (time, id), from every stream it
//! reads. So rows come out in that order, once no earlier event can arrive. Each key state sees
//! its events in order, which is the fast way, and the values are those of a live engine.

use std::sync::Arc;

use millrace_aggregate::{Arguments, Horizon};
use millrace_event::{Batch, Column, EventId, EventTime};
use millrace_feature::plan::{Plan, Read};

use crate::clock::PartitionId;
use crate::engine::{Applied, Counts, Engine, EngineError, aggregate_columns};
use crate::features::{features_of, view_columns};
use crate::keys::{Keys, shard_of};
use crate::sequencer::{Place, Released, Sequencer};
use crate::settings::Settings;
use crate::shard::{GroupRows, Reads, Step};

/// Rows of a view, with the events they were computed for, in (time, id) order.
#[derive(Debug)]
pub struct Rows<'a> {
    /// The events of the view's stream.
    pub events: &'a Batch,
    /// The view's columns.
    pub values: &'a [Column],
}

/// What takes the rows.
pub type Emit<'a> = dyn FnMut(Rows<'_>) -> Result<(), String> + 'a;

/// An engine that computes one view over all events of its streams.
#[derive(Debug)]
pub struct Ordered {
    sequencer: Sequencer,
    view: usize,
}

impl Ordered {
    pub fn new(plan: Arc<Plan>, view: usize, settings: Settings, tracked: bool) -> Ordered {
        Ordered { sequencer: Sequencer::new(plan, view, settings, tracked), view }
    }

    /// Whether the view depends on this stream.
    pub fn needs(&self, stream: usize) -> bool {
        self.sequencer.needs(stream)
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

    pub fn engine(&mut self) -> &mut Engine {
        &mut self.sequencer.engine
    }

    /// By stream, the events that wait for the watermark.
    pub fn pending(&mut self) -> &[Batch] {
        self.sequencer.pending()
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
        emit: &mut Emit<'_>,
    ) -> Result<Applied, EngineError> {
        self.sequencer.push(partition, batch, received, &mut computing(self.view, emit))
    }

    /// A partition has delivered everything.
    ///
    /// # Errors
    /// As [`Ordered::push`].
    pub fn close(
        &mut self,
        partition: PartitionId,
        emit: &mut Emit<'_>,
    ) -> Result<(), EngineError> {
        self.sequencer.close(partition, &mut computing(self.view, emit))
    }

    /// Nothing more will come: hands out all rows that are left.
    ///
    /// # Errors
    /// As [`Ordered::push`].
    pub fn finish(&mut self, emit: &mut Emit<'_>) -> Result<(), EngineError> {
        self.sequencer.finish(&mut computing(self.view, emit))
    }
}

/// What computes the view over the events that are released.
fn computing(
    view: usize,
    emit: &mut Emit<'_>,
) -> impl FnMut(&mut Engine, Released<'_>) -> Result<(), EngineError> {
    move |engine, released| Run { engine, view }.run(&released, emit)
}

/// The view over events that have just been released.
struct Run<'a> {
    engine: &'a mut Engine,
    view: usize,
}

impl Run<'_> {
    fn run(&mut self, released: &Released<'_>, emit: &mut Emit<'_>) -> Result<(), EngineError> {
        let plan = Arc::clone(&self.engine.plan);
        let view = &plan.views[self.view];
        let events = &released.batches[view.stream];
        let mut features: Vec<Column> = Vec::new();
        for read in &view.reads {
            let group = &plan.groups[read.group];
            let aggregates = self.run_group(read, released)?;
            features.extend(features_of(group, aggregates, events.len()));
        }
        let values = view_columns(view, &events.columns, features, events.len());
        emit(Rows { events, values: &values }).map_err(EngineError::Sink)
    }

    /// The aggregates of one group for each event of the view's stream, in order.
    fn run_group(
        &mut self,
        read: &Read,
        released: &Released<'_>,
    ) -> Result<Vec<Column>, EngineError> {
        let plan = Arc::clone(&self.engine.plan);
        let group = read.group;
        let view = &plan.views[self.view];
        let shape = Arc::clone(&self.engine.shapes[group]);
        let stream = plan.groups[group].stream;
        let (events, batch) = (&released.batches[view.stream], &released.batches[stream]);
        let arguments = Arguments::evaluate(&shape, batch);
        let own_keys = Keys::of(batch, &plan.groups[group].keys, &self.engine.hasher);
        let ids: Vec<EventId> = if shape.needs_ids() {
            (0..batch.len()).map(|r| batch.id(r)).collect()
        } else {
            Vec::new()
        };
        let watermark = EventTime(released.bound.0.min(self.engine.watermark(stream).0));
        let input = GroupRows {
            group,
            shape: &shape,
            arguments: &arguments,
            keys: &own_keys,
            ids: &ids,
            horizon: Horizon::at(&shape, watermark.min(released.first_time())),
        };
        let own = stream == view.stream;
        if own && !view.including && read.keys == plan.groups[group].keys {
            return self.run_own(&input, events.len(), &plan);
        }
        let rows = 0..events.len() as u32;
        let mut steps: Vec<Step> = if !own {
            merge(released.places, view.stream, stream)
        } else if view.including {
            rows.flat_map(|r| [Step::Apply(r), Step::Read(r)]).collect()
        } else {
            rows.flat_map(|r| [Step::Read(r), Step::Apply(r)]).collect()
        };
        steps.retain(|step| match step {
            Step::Read(_) => true,
            Step::Apply(row) => {
                let row = *row as usize;
                own_keys.present[row] && arguments.is_relevant(&shape, row)
            }
        });
        let keys = Keys::of(events, &read.keys, &self.engine.hasher);
        self.take_steps(&input, &Reads { keys: &keys, times: events.times() }, &steps)
    }

    /// The values of each read of these steps, in order; each shard takes its own.
    fn take_steps(
        &mut self,
        input: &GroupRows<'_>,
        reads: &Reads<'_>,
        steps: &[Step],
    ) -> Result<Vec<Column>, EngineError> {
        let shards = self.engine.shards.len();
        let plan = Arc::clone(&self.engine.plan);
        let mut out = aggregate_columns(&plan.groups[input.group]);
        let mut of_shard = vec![Vec::new(); shards];
        for step in steps {
            let (keys, row) = match step {
                Step::Read(row) => (reads.keys, *row),
                Step::Apply(row) => (input.keys, *row),
            };
            of_shard[shard_of(keys.hashes[row as usize], shards)].push(*step);
        }
        for (shard, steps) in self.engine.shards.iter_mut().zip(&of_shard) {
            shard.take_steps(input, reads, steps, &mut out).map_err(EngineError::Cold)?;
        }
        if shards == 1 {
            return Ok(out);
        }
        // Each read's values lie where its shard put them.
        let mut at = vec![0u32; reads.times.len()];
        let of_reads = of_shard.iter().flatten().filter_map(|step| match step {
            Step::Read(row) => Some(*row as usize),
            Step::Apply(_) => None,
        });
        of_reads.zip(0..).for_each(|(row, place)| at[row] = place);
        Ok(out.iter().map(|column| column.select(&at)).collect())
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
