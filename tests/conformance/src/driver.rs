//! The embedded engine, driven as the specification is: rows in, fates and answers out.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use millrace_event::{Batch, Column, Key, Span, State, Value};
use millrace_feature::plan::Plan;
use millrace_store::{Location, SegmentId};
use millrace_stream::{
    Block, BlockRef, Blocks, ColdBlocks, Engine, EngineError, Ordered, Settings, Sweep,
};

use crate::spec::{Answer, Arrival, Fate, Position, Rules};

/// Keys the hashes under which string ids are remembered; any will do.
const SECRET: [u8; 16] = *b"conformance test";

/// An engine and what is needed to make another one of it.
#[derive(Debug)]
pub struct Driver {
    plan: Arc<Plan>,
    settings: Settings,
    engine: Engine,
    /// What checkpoints have written so far: a table's key state by key.
    stored: BTreeMap<(u16, Vec<u8>), Vec<u8>>,
    /// Key states that were moved out of memory, by offset.
    cold: Arc<Mutex<Vec<Vec<u8>>>>,
}

#[derive(Debug)]
struct Cold(Arc<Mutex<Vec<Vec<u8>>>>);

impl ColdBlocks for Cold {
    fn load(&self, location: Location) -> Result<Vec<u8>, String> {
        let cold = self.0.lock().map_err(|e| e.to_string())?;
        let found = usize::try_from(location.offset).ok().and_then(|at| cold.get(at)).cloned();
        found.ok_or_else(|| format!("nothing was written at {location:?}"))
    }
}

pub fn settings(rules: Rules, history: Span, shards: usize) -> Settings {
    Settings {
        shards,
        threads: shards,
        history,
        idle_after: rules.idle_after,
        future_max: rules.future_max,
        ..Settings::default()
    }
}

impl Driver {
    pub fn new(plan: Arc<Plan>, settings: Settings) -> Driver {
        let mut engine = Engine::new(Arc::clone(&plan), settings.clone(), SECRET);
        let cold = Arc::default();
        engine.set_cold_blocks(Box::new(Cold(Arc::clone(&cold))));
        Driver { plan, settings, engine, stored: BTreeMap::new(), cold }
    }

    /// Makes an origin known.
    pub fn know(&mut self, stream: usize, name: &str) {
        self.engine.partition(stream, name);
    }

    /// Applies arrivals in order; neighbours from one origin at one time go in as one batch.
    pub fn arrive(&mut self, arrivals: &[&Arrival]) -> Result<Vec<Fate>, EngineError> {
        let mut fates = Vec::with_capacity(arrivals.len());
        for together in runs(arrivals) {
            let first = together[0];
            let partition = self.engine.partition(first.stream, &first.partition);
            let batch = batch_of(&self.plan, first.stream, together.iter().map(|a| &a.row[..]));
            let applied = self.engine.apply(partition, &batch, first.received)?;
            fates.extend(applied.fates.iter().map(|f| fate(*f)));
        }
        Ok(fates)
    }

    /// Applies a late event after all.
    pub fn replay(&mut self, late: &Arrival) -> Result<(), EngineError> {
        let batch = batch_of(&self.plan, late.stream, std::iter::once(&late.row[..]));
        self.engine.replay(late.stream, &batch)
    }

    pub fn read(
        &mut self,
        group: usize,
        key: &[Value],
        at: &Position,
    ) -> Result<Vec<Answer>, EngineError> {
        let key = Key::of(key).unwrap_or_default();
        let answers = self.engine.read(group, &key, &position(at))?;
        Ok(answers.into_iter().map(answer).collect())
    }

    pub fn view(&mut self, view: usize, row: &[Value]) -> Result<Vec<Answer>, EngineError> {
        let stream = self.plan.views[view].stream;
        let event = batch_of(&self.plan, stream, std::iter::once(row));
        Ok(self.engine.view(view, &event)?.into_iter().map(answer).collect())
    }

    /// Writes a checkpoint, then forgets what no read can show any more, for every key.
    pub fn sweep(&mut self) {
        self.engine.begin_checkpoint();
        let mut blocks = Blocks::default();
        while self.engine.continue_checkpoint(usize::MAX, &mut blocks) {}
        self.store(&blocks);
        self.engine.sweep(Sweep { keys: usize::MAX, spill: false });
    }

    /// Writes a checkpoint and moves every key state out of memory.
    pub fn spill(&mut self) {
        self.engine.begin_checkpoint();
        let mut blocks = Blocks::default();
        while self.engine.continue_checkpoint(usize::MAX, &mut blocks) {}
        for block in blocks.iter().map(BlockRef::to_block) {
            let Some(bytes) = block.bytes else { continue };
            let mut cold = self.cold.lock().expect("nothing panics while it holds the lock");
            let (offset, len) = (cold.len() as u64, bytes.len() as u32);
            cold.push(bytes);
            let location = Location { segment: SegmentId(1), offset, len };
            self.engine.locate(block.table, &block.key, location);
        }
        // The first round only notes that nothing was used since.
        self.engine.sweep(Sweep { keys: usize::MAX, spill: true });
        self.engine.sweep(Sweep { keys: usize::MAX, spill: true });
    }

    /// The same engine, saved whole and read back onto so many shards.
    pub fn restored(mut self, shards: usize) -> Result<Driver, EngineError> {
        let snapshot = self.engine.snapshot();
        let blocks = snapshot.blocks.into_iter().map(Ok::<_, Infallible>);
        let settings = Settings { shards, ..self.settings };
        let (engine, _) =
            Engine::restore(Arc::clone(&self.plan), settings.clone(), &snapshot.head, blocks)?;
        Ok(Driver { settings, engine, stored: BTreeMap::new(), ..self })
    }

    /// Applies arrivals while a checkpoint is being written, and again to the engine that is read
    /// back from all checkpoints so far: that one is as it was when the checkpoint began.
    pub fn checkpointed(
        mut self,
        arrivals: &[&Arrival],
        shards: usize,
    ) -> Result<(Driver, Vec<Fate>), EngineError> {
        let head = self.engine.begin_checkpoint();
        let mut blocks = Blocks::default();
        self.engine.continue_checkpoint(1, &mut blocks);
        self.arrive(arrivals)?;
        while self.engine.continue_checkpoint(1, &mut blocks) {}
        self.store(&blocks);
        let stored = self.stored.iter().map(|((table, key), bytes)| {
            let block =
                Block { table: *table, key: Key::from_bytes(key), bytes: Some(bytes.clone()) };
            Ok::<_, Infallible>(block)
        });
        let settings = Settings { shards, ..self.settings };
        let (engine, _) = Engine::restore(Arc::clone(&self.plan), settings.clone(), &head, stored)?;
        let mut driver = Driver { settings, engine, ..self };
        let fates = driver.arrive(arrivals)?;
        Ok((driver, fates))
    }

    fn store(&mut self, blocks: &Blocks) {
        for block in blocks.iter().map(BlockRef::to_block) {
            let at = (block.table, block.key.as_bytes().to_vec());
            match block.bytes {
                Some(bytes) => self.stored.insert(at, bytes),
                None => self.stored.remove(&at),
            };
        }
    }
}

/// An event, and a view's columns for it.
pub type Row = (Vec<Value>, Vec<Answer>);

/// A view's vectors for all events of its stream, in the order in which they come out.
pub fn in_order(
    plan: &Arc<Plan>,
    view: usize,
    settings: Settings,
    arrivals: &[&Arrival],
    batch: usize,
) -> Result<Vec<Row>, EngineError> {
    let mut ordered = Ordered::new(Arc::clone(plan), view, settings, false);
    let mut out = Vec::new();
    let columns = &plan.views[view].columns;
    let mut emit = |rows: millrace_stream::Rows<'_>| {
        for row in 0..rows.events.len() {
            let fields = rows.events.schema.fields.iter().zip(&rows.events.columns);
            let event = fields.map(|(f, c)| c.value(row, &f.ty)).collect();
            let cell =
                |c: &Column, ty| Answer { value: c.value(row, ty), state: c.mark(row).state() };
            out.push((
                event,
                columns.iter().zip(rows.values).map(|(v, c)| cell(c, &v.ty)).collect(),
            ));
        }
        Ok(())
    };
    let needed: Vec<&Arrival> =
        arrivals.iter().copied().filter(|a| ordered.needs(a.stream)).collect();
    // Files are opened before they are read: none runs ahead of one that has not begun.
    for arrival in &needed {
        ordered.partition(arrival.stream, &arrival.partition);
    }
    for some in needed.chunks(batch) {
        for together in runs(some) {
            let first = together[0];
            let partition = ordered.partition(first.stream, &first.partition);
            let batch = batch_of(plan, first.stream, together.iter().map(|a| &a.row[..]));
            ordered.push(partition, &batch, first.received, &mut emit)?;
        }
    }
    ordered.finish(&mut emit)?;
    Ok(out)
}

/// Neighbours of one stream, origin and receiving time.
pub fn runs<'a, 'b>(arrivals: &'a [&'b Arrival]) -> impl Iterator<Item = &'a [&'b Arrival]> {
    arrivals.chunk_by(|a, b| {
        a.stream == b.stream && a.partition == b.partition && a.received == b.received
    })
}

pub fn batch_of<'a>(plan: &Plan, stream: usize, rows: impl Iterator<Item = &'a [Value]>) -> Batch {
    let mut batch = Batch::new(Arc::clone(&plan.streams[stream].schema));
    for row in rows {
        for (column, value) in batch.columns.iter_mut().zip(row) {
            column.push(value, State::Ok);
        }
    }
    batch
}

fn position(at: &Position) -> millrace_stream::Position {
    match at.clone() {
        Position::Time(t) => millrace_stream::Position::Time(t),
        Position::Before(t, id) => millrace_stream::Position::Before(t, id),
        Position::Including(t, id) => millrace_stream::Position::Including(t, id),
    }
}

fn answer(answer: millrace_stream::Answer) -> Answer {
    Answer { value: answer.value, state: answer.state }
}

fn fate(fate: millrace_stream::Fate) -> Fate {
    match fate {
        millrace_stream::Fate::Applied => Fate::Applied,
        millrace_stream::Fate::Duplicate => Fate::Duplicate,
        millrace_stream::Fate::Late => Fate::Late,
        millrace_stream::Fate::Future => Fate::Future,
    }
}
