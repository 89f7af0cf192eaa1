//! The engine: events in, key states on, values out; a deterministic step function.
//!
//! ```text
//!   batch ─▶ judge each event ─▶ filters and arguments per group ─▶ scatter by key ─▶ key states
//!            (future, duplicate,  (column-wise)                      (shards)
//!             late, applied)
//! ```
//!
//! The clock is passed in with each batch and nothing else is read from the world, so the same
//! batches in the same order give the same engine.

use std::sync::Arc;

use hashbrown::DefaultHashBuilder;
use millrace_aggregate::{Arguments, Horizon, Position, Shape};
use millrace_event::{
    Batch, Column, EventId, EventTime, Key, Physical, Schema, Span, State, Value,
};
use millrace_feature::plan::{Group, Plan, Stream};
use millrace_store::Location;
use thiserror::Error;

use crate::clock::{PartitionId, StreamClock};
use crate::features::{features_of, view_columns};
use crate::keys::{Keys, hash_key, shard_of};
use crate::registry::Registry;
use crate::remembered::{IdHash, Remembered, Seen};
use crate::settings::{PARALLEL_ROWS_MIN, Settings};
use crate::shard::{GroupRows, Shard};
use crate::table::{AllInMemory, ColdBlocks, Table};

/// What became of one event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Applied,
    /// An event of this id was seen already.
    Duplicate,
    /// Older than its stream's lateness allows: not applied, to be kept for a replay.
    Late,
    /// Too far in the future of the receiving clock: to be dead-lettered.
    Future,
}

/// The fates of a batch's events, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub fates: Vec<Fate>,
}

impl Applied {
    pub fn count(&self, fate: Fate) -> usize {
        self.fates.iter().filter(|f| **f == fate).count()
    }

    /// The rows with this fate.
    pub fn rows(&self, fate: Fate) -> Vec<u32> {
        (0..self.fates.len() as u32).filter(|r| self.fates[*r as usize] == fate).collect()
    }
}

/// One value with its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub value: Value,
    pub state: State,
}

/// Why the engine cannot go on.
#[derive(Debug, Error)]
pub enum EngineError {
    #[error("a key state could not be read back: {0}")]
    Cold(String),
    #[error("the checkpoint does not fit this engine: {0}")]
    Restore(String),
    #[error(
        "more than {limit} events wait for the watermark; a partition has stopped or the lateness is too long"
    )]
    Pending { limit: usize },
    #[error("{0}")]
    Sink(String),
}

/// Totals of one stream since its first event: `seen = applied + duplicate + late + future`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub applied: u64,
    pub duplicate: u64,
    pub late: u64,
    pub future: u64,
    /// Late events applied after all, by a replay.
    pub replayed: u64,
}

#[derive(Debug)]
pub(crate) struct StreamState {
    pub(crate) clock: StreamClock,
    pub(crate) remembered: Remembered,
    pub(crate) counts: Counts,
    /// The groups over this stream.
    pub(crate) groups: Vec<usize>,
    /// What reads before this need may have been removed, when less history was kept than now.
    pub(crate) exact_floor: EventTime,
}

/// The embedded engine of one project.
pub struct Engine {
    pub(crate) plan: Arc<Plan>,
    pub(crate) settings: Settings,
    pub(crate) shapes: Vec<Arc<Shape>>,
    pub(crate) streams: Vec<StreamState>,
    pub(crate) shards: Vec<Shard>,
    pub(crate) hasher: DefaultHashBuilder,
    pub(crate) cold: Box<dyn ColdBlocks + Send + Sync>,
    pub(crate) secret: [u8; 16],
    /// The numbers of checkpoint tables.
    pub(crate) registry: Registry,
    /// Where a restored checkpoint holds what no definition claims.
    pub(crate) unclaimed: Vec<Location>,
    /// Remembered ids that belong to the checkpoint under way, by stream.
    pub(crate) captured_ids: Vec<(usize, Vec<(IdHash, EventTime)>)>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("plan", &self.plan.hash).finish_non_exhaustive()
    }
}

impl Engine {
    /// An empty engine. `secret` keys the hashes under which string ids are remembered; it should
    /// be random where events come from strangers, and it stays with the engine's checkpoints.
    pub fn new(plan: Arc<Plan>, settings: Settings, secret: [u8; 16]) -> Engine {
        Engine::build(plan, settings, true, secret)
    }

    /// From now on events are judged by these limits: a replay uses those of the first time.
    pub(crate) fn judge_by(&mut self, future_max: Span, idle_after: Span) {
        self.settings.future_max = future_max;
        self.settings.idle_after = idle_after;
        self.streams.iter_mut().for_each(|stream| stream.clock.idle_after = idle_after);
    }

    /// From now on reads are exact this far behind the watermark, beyond what windows need anyway;
    /// but not where they were not before.
    pub(crate) fn keep_history(&mut self, history: Span) {
        for stream in 0..self.streams.len() {
            self.streams[stream].exact_floor = self.exact_from(stream);
        }
        self.settings.history = history;
    }

    pub(crate) fn build(
        plan: Arc<Plan>,
        settings: Settings,
        tracked: bool,
        secret: [u8; 16],
    ) -> Engine {
        let shapes: Vec<_> =
            plan.groups.iter().map(|g| Arc::new(Shape::new(Arc::clone(&g.layout)))).collect();
        let streams = stream_states(&plan, &settings, secret, tracked);
        let hasher = DefaultHashBuilder::default();
        let (registry, _) = Registry::continued(Registry::default(), &plan)
            .expect("a plan has far fewer groups than there are table numbers");
        let shards =
            (0..settings.shards.max(1)).map(|_| Shard::new(plan.groups.len(), &hasher, tracked));
        Engine {
            streams,
            shards: shards.collect(),
            shapes,
            hasher,
            settings,
            plan,
            cold: Box::new(AllInMemory),
            secret,
            captured_ids: Vec::new(),
            registry,
            unclaimed: Vec::new(),
        }
    }

    /// Sets aside what is known of the streams, so that these groups, and no others, can be computed
    /// from the first event on.
    pub(crate) fn begin_fill(&mut self, groups: &[usize]) -> Vec<StreamState> {
        let mut fresh = stream_states(&self.plan, &self.settings, self.secret, false);
        fresh.iter_mut().for_each(|stream| stream.groups.retain(|group| groups.contains(group)));
        std::mem::replace(&mut self.streams, fresh)
    }

    /// Goes on with all groups, from what [`Engine::begin_fill`] gave.
    pub(crate) fn end_fill(&mut self, known: Vec<StreamState>) {
        self.streams = known;
    }

    /// Key states that are not in memory are read from here from now on.
    pub fn set_cold_blocks(&mut self, cold: Box<dyn ColdBlocks + Send + Sync>) {
        self.cold = cold;
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Whether features are computed over a stream of this name.
    pub(crate) fn has_features(&self, stream: &str) -> bool {
        let stream = self.plan.stream(stream);
        stream.is_some_and(|stream| !self.streams[stream].groups.is_empty())
    }

    /// Registers an origin partition of a stream, or finds it again by name. It holds the
    /// watermark back until it delivers or counts as idle.
    pub fn partition(&mut self, stream: usize, name: &str) -> PartitionId {
        PartitionId { stream, index: self.streams[stream].clock.register(name) }
    }

    /// Events of the partition below this are late.
    pub fn late_before(&self, partition: PartitionId) -> EventTime {
        self.streams[partition.stream].clock.late_before(partition.index)
    }

    /// How many origin partitions a stream has.
    pub fn partitions(&self, stream: usize) -> usize {
        self.streams[stream].clock.partitions.len()
    }

    /// What the origin partitions of a stream are called.
    pub fn partition_names(&self, stream: usize) -> impl Iterator<Item = &str> {
        self.streams[stream].clock.partitions.iter().map(|partition| &*partition.name)
    }

    /// A partition that will deliver nothing more no longer holds the watermark back.
    pub fn close(&mut self, partition: PartitionId) {
        self.streams[partition.stream].clock.close(partition.index);
    }

    pub fn watermark(&self, stream: usize) -> EventTime {
        self.streams[stream].clock.watermark
    }

    /// The greatest event time of all streams: of what comes later, nothing is known.
    pub(crate) fn greatest(&self) -> EventTime {
        let clocks = self.streams.iter().flat_map(|stream| &stream.clock.partitions);
        clocks.map(|partition| partition.greatest).max().unwrap_or(EventTime::MIN)
    }

    pub fn counts(&self, stream: usize) -> Counts {
        self.streams[stream].counts
    }

    /// Takes in a batch that a partition delivered at `received` by the receiving clock.
    ///
    /// # Errors
    /// Only when a spilled key state cannot be read back.
    pub fn apply(
        &mut self,
        partition: PartitionId,
        batch: &Batch,
        received: EventTime,
    ) -> Result<Applied, EngineError> {
        let horizon = self.exact_from(partition.stream);
        let applied = self.judge(partition, batch, received);
        let rows = applied.rows(Fate::Applied);
        self.add(partition.stream, batch, &rows, horizon)?;
        Ok(applied)
    }

    /// Applies events that were late, whatever their time. The caller reads them from a late log
    /// and sees to it that each is replayed once.
    ///
    /// # Errors
    /// As [`Engine::apply`].
    pub fn replay(&mut self, stream: usize, late: &Batch) -> Result<(), EngineError> {
        self.remember_replayed(stream, late);
        let rows: Vec<u32> = (0..late.len() as u32).collect();
        self.add(stream, late, &rows, self.exact_from(stream))
    }

    /// Late events count from now on.
    pub(crate) fn remember_replayed(&mut self, stream: usize, late: &Batch) {
        let state = &mut self.streams[stream];
        state.counts.replayed += u64::from(late.len() as u32);
        for row in 0..late.len() {
            // It was late in its own partition; another one may still deliver it.
            let watermark = state.clock.watermark;
            if late.time(row) >= watermark {
                let id = state.remembered.hash(late, row);
                state.remembered.insert(id, late.time(row), watermark);
            }
        }
    }

    /// The id of an event as it is remembered, and whether it is.
    pub(crate) fn known(&self, stream: usize, batch: &Batch, row: usize) -> (IdHash, bool) {
        let StreamState { clock, remembered, .. } = &self.streams[stream];
        let id = remembered.hash(batch, row);
        (id, remembered.contains(id, clock.watermark))
    }

    pub(crate) fn judge(
        &mut self,
        partition: PartitionId,
        batch: &Batch,
        received: EventTime,
    ) -> Applied {
        let future = received.plus(self.settings.future_max);
        let StreamState { clock, remembered, counts, .. } = &mut self.streams[partition.stream];
        clock.receive(partition.index, received);
        let mut fates = Vec::with_capacity(batch.len());
        for (row, time) in batch.times().iter().enumerate() {
            let time = EventTime(*time);
            if time > future {
                counts.future += 1;
                fates.push(Fate::Future);
                continue;
            }
            let id = remembered.hash(batch, row);
            let late = clock.is_late(partition.index, time);
            let fate = match remembered.see(id, time, clock.watermark, late) {
                Seen::Before => Fate::Duplicate,
                Seen::Late => Fate::Late,
                Seen::New => Fate::Applied,
            };
            match fate {
                Fate::Duplicate => counts.duplicate += 1,
                Fate::Late => counts.late += 1,
                Fate::Applied => counts.applied += 1,
                Fate::Future => {}
            }
            clock.observe(partition.index, time);
            fates.push(fate);
        }
        Applied { fates }
    }

    /// Adds these rows to the key states of every group over the stream.
    fn add(
        &mut self,
        stream: usize,
        batch: &Batch,
        rows: &[u32],
        exact_from: EventTime,
    ) -> Result<(), EngineError> {
        let ids: Vec<EventId> = (0..batch.len()).map(|row| batch.id(row)).collect();
        for group in self.streams[stream].groups.clone() {
            let shape = Arc::clone(&self.shapes[group]);
            let arguments = Arguments::evaluate(&shape, batch);
            let keys = Keys::of(batch, &self.plan.groups[group].keys, &self.hasher);
            let input = GroupRows {
                group,
                shape: &shape,
                arguments: &arguments,
                keys: &keys,
                ids: &ids,
                horizon: Horizon::at(&shape, exact_from),
            };
            let mut of_shard = vec![Vec::new(); self.shards.len()];
            for row in rows {
                let at = *row as usize;
                if keys.present[at] && arguments.is_relevant(&shape, at) {
                    of_shard[shard_of(keys.hashes[at], self.shards.len())].push(*row);
                }
            }
            self.scatter(&input, &of_shard)?;
        }
        Ok(())
    }

    fn scatter(&mut self, input: &GroupRows<'_>, of_shard: &[Vec<u32>]) -> Result<(), EngineError> {
        let cold: &(dyn ColdBlocks + Send + Sync) = &*self.cold;
        let rows: usize = of_shard.iter().map(Vec::len).sum();
        if self.settings.threads <= 1 || rows < PARALLEL_ROWS_MIN {
            for (shard, rows) in self.shards.iter_mut().zip(of_shard) {
                shard.apply(input, rows, cold).map_err(EngineError::Cold)?;
            }
            return Ok(());
        }
        let results: Vec<Result<(), String>> = std::thread::scope(|scope| {
            let tasks: Vec<_> = self
                .shards
                .iter_mut()
                .zip(of_shard)
                .map(|(shard, rows)| scope.spawn(move || shard.apply(input, rows, cold)))
                .collect();
            let join = |t: std::thread::ScopedJoinHandle<'_, Result<(), String>>| {
                t.join().unwrap_or_else(|_| Err("a shard's thread failed".to_owned()))
            };
            tasks.into_iter().map(join).collect()
        });
        results.into_iter().collect::<Result<(), String>>().map_err(EngineError::Cold)
    }

    /// Where a group's key is, with its hash and the group's shape.
    pub(crate) fn table_of(&mut self, group: usize, key: &Key) -> (&mut Table, u64, Arc<Shape>) {
        let hash = hash_key(&self.hasher, key.as_bytes());
        let shard = shard_of(hash, self.shards.len());
        (&mut self.shards[shard].tables[group], hash, Arc::clone(&self.shapes[group]))
    }

    /// Reads of this stream's groups at this time or later are exact.
    pub(crate) fn exact_from(&self, stream: usize) -> EventTime {
        let StreamState { clock, exact_floor, .. } = &self.streams[stream];
        clock.watermark.minus(self.settings.history).max(*exact_floor)
    }

    /// The features of a group for a key, derived ones included, in the group's order.
    ///
    /// # Errors
    /// Only when a spilled key state cannot be read back.
    pub fn read(
        &mut self,
        group: usize,
        key: &Key,
        position: &Position,
    ) -> Result<Vec<Answer>, EngineError> {
        let columns = self.read_columns(group, key, position)?;
        let features = &self.plan.groups[group].features;
        Ok(features.iter().zip(&columns).map(|(f, c)| answer(c, &f.ty)).collect())
    }

    fn read_columns(
        &mut self,
        group: usize,
        key: &Key,
        position: &Position,
    ) -> Result<Vec<Column>, EngineError> {
        let stream = self.plan.groups[group].stream;
        let shape = Arc::clone(&self.shapes[group]);
        let horizon = Horizon::at(&shape, self.exact_from(stream));
        let settled = self.streams[stream].clock.watermark;
        let mut aggregates = aggregate_columns(&self.plan.groups[group]);
        let hash = hash_key(&self.hasher, key.as_bytes());
        let shard = &mut self.shards[shard_of(hash, self.settings.shards.max(1))];
        shard
            .read(
                group,
                &shape,
                hash,
                key.as_bytes(),
                position,
                (horizon, settled),
                &mut aggregates,
                &*self.cold,
            )
            .map_err(EngineError::Cold)?;
        Ok(features_of(&self.plan.groups[group], aggregates, 1))
    }

    /// The vector of a view for one event of its stream, which need not have been applied.
    /// A group whose key is null there answers as for a key that was never seen.
    ///
    /// # Errors
    /// Only when a spilled key state cannot be read back.
    pub fn view(&mut self, view: usize, event: &Batch) -> Result<Vec<Answer>, EngineError> {
        let plan = Arc::clone(&self.plan);
        let view = &plan.views[view];
        let (time, id) = (event.time(0), event.id(0));
        let mut columns = Vec::new();
        for read in &view.reads {
            let mut at = Position::Before(time, id.clone());
            // The event itself counts where it can: in groups over its own stream.
            if view.including && plan.groups[read.group].stream == view.stream {
                at = Position::Including(time, id.clone());
            }
            let values: Vec<Value> = read
                .keys
                .iter()
                .map(|f| event.columns[*f].value(0, &event.schema.fields[*f].ty))
                .collect();
            match Key::of(&values) {
                Some(key) => columns.extend(self.read_columns(read.group, &key, &at)?),
                None => columns.extend(self.unknown_key(read.group, &at)),
            }
        }
        let out = view_columns(view, &event.columns, columns, 1);
        Ok(view.columns.iter().zip(&out).map(|(v, c)| answer(c, &v.ty)).collect())
    }

    fn unknown_key(&self, group: usize, at: &Position) -> Vec<Column> {
        let plan = &self.plan.groups[group];
        let mut aggregates = aggregate_columns(plan);
        let shape = &self.shapes[group];
        let horizon = Horizon::at(shape, EventTime::MIN);
        millrace_aggregate::KeyState::default().read(
            shape,
            at,
            horizon,
            EventTime::MIN,
            &mut millrace_aggregate::Scratch::default(),
            &mut aggregates,
        );
        features_of(plan, aggregates, 1)
    }

    /// Keys, bytes of key states in memory, and bytes of the tables around them, of one group.
    pub fn group_size(&self, group: usize) -> GroupSize {
        let mut size = GroupSize::default();
        for shard in &self.shards {
            let (states, around) = shard.tables[group].bytes();
            size.keys += shard.tables[group].len();
            size.state_bytes += states;
            size.table_bytes += around;
            size.spilled += shard.tables[group].spilled();
        }
        size
    }

    /// As [`Engine::group_size`] but at no cost: bytes as of the last round of [`Engine::sweep`].
    pub fn group_size_estimate(&self, group: usize) -> GroupSize {
        let tables = || self.shards.iter().map(|s| &s.tables[group]);
        GroupSize {
            keys: tables().map(crate::table::Table::len).sum(),
            state_bytes: tables().map(crate::table::Table::measured).sum(),
            table_bytes: 0,
            spilled: tables().map(crate::table::Table::spilled).sum(),
        }
    }

    /// Ids remembered for a stream.
    pub fn remembered(&self, stream: usize) -> usize {
        self.streams[stream].remembered.len()
    }

    /// Looks at some keys of every group (see [`Sweep`]); returns the bytes released to disk.
    pub fn sweep(&mut self, sweep: Sweep) -> usize {
        let mut released = 0;
        for group in 0..self.plan.groups.len() {
            let shape = Arc::clone(&self.shapes[group]);
            let horizon = Horizon::at(&shape, self.exact_from(self.plan.groups[group].stream));
            for shard in &mut self.shards {
                released += shard.tables[group].sweep(sweep.keys, &shape, horizon, sweep.spill);
            }
        }
        released
    }
}

/// Housekeeping in small steps, between batches.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// Keys to look at, per group and shard.
    pub keys: usize,
    /// Whether to move clean key states that were not used lately to disk.
    pub spill: bool,
}

/// How much memory a group takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupSize {
    pub keys: usize,
    pub state_bytes: usize,
    pub table_bytes: usize,
    /// Keys whose state is on disk only.
    pub spilled: usize,
}

/// One empty column per aggregate of the group.
pub fn aggregate_columns(group: &Group) -> Vec<Column> {
    group.layout.aggregates.iter().map(|a| Column::new(a.ty.physical())).collect()
}

/// Streams of which nothing has come yet.
fn stream_states(
    plan: &Plan,
    settings: &Settings,
    secret: [u8; 16],
    tracked: bool,
) -> Vec<StreamState> {
    let state = |(index, stream): (usize, &Stream)| StreamState {
        clock: StreamClock::new(stream.schema.lateness, settings.idle_after),
        remembered: Remembered::new(has_text_ids(&stream.schema), secret, tracked),
        counts: Counts::default(),
        groups: (0..plan.groups.len()).filter(|g| plan.groups[*g].stream == index).collect(),
        exact_floor: EventTime::MIN,
    };
    plan.streams.iter().enumerate().map(state).collect()
}

fn has_text_ids(schema: &Schema) -> bool {
    schema.fields[schema.id].ty.physical() == Physical::Text
}

fn answer(column: &Column, ty: &millrace_event::Type) -> Answer {
    Answer { value: column.value(0, ty), state: column.mark(0).state() }
}
