//! How an engine comes back from a checkpoint.
//!
//! Records come oldest first, and the last word on each key is its state. A busy key is whole only
//! with the parts of its rows, which may have been written long before it; so it is put together
//! when all records have been seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_aggregate::KeyState;
use millrace_event::{EventTime, Key};
use millrace_feature::plan::Plan;
use millrace_store::Location;

use crate::blocks::Block;
use crate::checkpoint::{Head, ID_TABLES, VERSION, VERSION_MIN};
use crate::clock::PartitionClock;
use crate::engine::{Counts, Engine, EngineError};
use crate::id_chunk;
use crate::parts::{PART_TABLES, Parts, split_part_key};
use crate::registry::Registry;
use crate::settings::Settings;
use crate::table::{AllInMemory, ColdBlocks, Unread};

/// What a restore could not use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Groups whose definition has changed, or is new: they start empty.
    pub started_empty: Vec<String>,
    pub keys: u64,
}

/// What was read of a busy key.
#[derive(Debug, Default)]
struct Busy {
    state: Option<Read>,
    parts: BTreeMap<u64, Read>,
}

/// One record's value.
#[derive(Debug)]
enum Read {
    /// From bytes that lie nowhere else.
    Bytes(Vec<u8>),
    /// It can be read again there.
    At(Location),
}

impl Read {
    fn new(bytes: &[u8], location: Option<Location>) -> Read {
        location.map_or_else(|| Read::Bytes(bytes.to_vec()), Read::At)
    }

    fn location(&self) -> Option<Location> {
        match self {
            Read::Bytes(_) => None,
            Read::At(location) => Some(*location),
        }
    }

    fn load(&self, cold: &dyn ColdBlocks) -> Result<Vec<u8>, String> {
        match self {
            Read::Bytes(bytes) => Ok(bytes.clone()),
            Read::At(location) => cold.load(*location),
        }
    }
}

/// A restore under way.
struct Restore {
    engine: Engine,
    /// By group and key.
    busy: BTreeMap<(usize, Key), Busy>,
    memory_left: usize,
}

impl Engine {
    /// An engine as a checkpoint has it. `blocks` come oldest first; a later one of the same key
    /// replaces an earlier one. The number of shards may differ.
    ///
    /// # Errors
    /// When the head or a block is not what this program wrote.
    pub fn restore<E: std::fmt::Display>(
        plan: Arc<Plan>,
        settings: Settings,
        head: &[u8],
        blocks: impl IntoIterator<Item = Result<Block, E>>,
    ) -> Result<(Engine, Restored), EngineError> {
        let blocks = blocks.into_iter().map(|block| Ok::<_, E>((block?, None)));
        Engine::restore_within(plan, settings, head, blocks, Box::new(AllInMemory), usize::MAX)
    }

    /// As [`Engine::restore`]; once the key states in memory take `memory_max` bytes, the others
    /// stay where the checkpoint has them, to be read from `cold` when they are needed.
    ///
    /// # Errors
    /// As [`Engine::restore`].
    pub fn restore_within<E: std::fmt::Display>(
        plan: Arc<Plan>,
        settings: Settings,
        head: &[u8],
        blocks: impl IntoIterator<Item = Result<(Block, Option<Location>), E>>,
        cold: Box<dyn ColdBlocks + Send + Sync>,
        memory_max: usize,
    ) -> Result<(Engine, Restored), EngineError> {
        let head: Head =
            serde_json::from_slice(head).map_err(|e| EngineError::Restore(e.to_string()))?;
        if !(VERSION_MIN..=VERSION).contains(&head.version) {
            let found = head.version;
            return Err(EngineError::Restore(format!(
                "it is of version {found}, this program reads versions {VERSION_MIN} to {VERSION}"
            )));
        }
        let mut engine = Engine::build(plan, settings, true, head.secret);
        engine.restore_clocks(&head);
        engine.set_cold_blocks(cold);
        let (registry, started_empty) = Registry::continued(head.tables, &engine.plan)?;
        engine.registry = registry;
        let mut restore = Restore { engine, busy: BTreeMap::new(), memory_left: memory_max };
        for block in blocks {
            let (block, location) = block.map_err(|e| EngineError::Restore(e.to_string()))?;
            restore.take(&block, location)?;
        }
        let engine = restore.finish()?;
        let keys = (0..engine.plan.groups.len())
            .map(|group| engine.shards.iter().map(|s| s.tables[group].len() as u64).sum::<u64>())
            .sum();
        Ok((engine, Restored { started_empty, keys }))
    }

    fn restore_clocks(&mut self, head: &Head) {
        for from in &head.streams {
            let Some(index) = self.plan.stream(&from.stream) else { continue };
            let state = &mut self.streams[index];
            state.clock.watermark = EventTime(from.watermark);
            state.clock.now = EventTime(from.now);
            state.clock.partitions = from.partitions.iter().map(PartitionClock::from).collect();
            state.counts = Counts::from_array(from.counts);
            state.exact_floor = EventTime(from.exact_from.unwrap_or(from.watermark));
        }
    }

    fn restore_ids(&mut self, block: &Block) -> Result<(), EngineError> {
        let stream = self.registry.stream_of(block.table);
        let (Some(stream), Some(bytes)) = (stream, &block.bytes) else { return Ok(()) };
        let state = &mut self.streams[stream];
        let ids = id_chunk::unpack(&block.key, bytes).ok_or_else(|| {
            let name = &self.plan.streams[stream].schema.stream;
            EngineError::Restore(format!(
                "a record of the ids of stream `{name}` is damaged; \
                 without the newest manifest, the checkpoint before it is used"
            ))
        })?;
        let watermark = state.clock.watermark;
        for (id, time) in ids.into_iter().filter(|(_, time)| *time >= watermark) {
            state.remembered.restore(id, time, watermark);
        }
        Ok(())
    }
}

impl Restore {
    /// Takes in one block; the place of one that belongs to nobody any more is given up.
    fn take(&mut self, block: &Block, location: Option<Location>) -> Result<(), EngineError> {
        if block.table >= ID_TABLES {
            return self.engine.restore_ids(block);
        }
        let Some(group) = self.engine.registry.group_of(block.table & !PART_TABLES) else {
            self.engine.unclaimed.extend(location);
            return Ok(());
        };
        let restored = if block.table & PART_TABLES == 0 {
            self.take_state(group, block, location)
        } else {
            self.take_part(group, block, location)
        };
        restored.map_err(|e| EngineError::Restore(e.to_string()))
    }

    fn take_part(
        &mut self,
        group: usize,
        block: &Block,
        location: Option<Location>,
    ) -> Result<(), Unread> {
        let key = split_part_key(block.key.as_bytes());
        let (Some((number, key)), Some(bytes)) = (key, &block.bytes) else {
            return Err(Unread::Cold("a part of a busy key has no number or no rows".to_owned()));
        };
        let busy = self.busy.entry((group, Key::from_bytes(key))).or_default();
        let before = busy.parts.insert(number, Read::new(bytes, location));
        self.engine.unclaimed.extend(before.and_then(|read| read.location()));
        Ok(())
    }

    fn take_state(
        &mut self,
        group: usize,
        block: &Block,
        location: Option<Location>,
    ) -> Result<(), Unread> {
        let key = (group, block.key.clone());
        if let Some(before) = self.busy.get_mut(&key).and_then(|busy| busy.state.take()) {
            self.engine.unclaimed.extend(before.location());
        }
        let (table, hash, shape) = self.engine.table_of(group, &block.key);
        let Some(bytes) = &block.bytes else {
            table.restore_gone(hash, &block.key);
            return Ok(());
        };
        if KeyState::parts_of(&shape, bytes)?.is_empty() {
            let none = |_| Err(Unread::Cold("it has no parts".to_owned()));
            let state = KeyState::decode(&shape, bytes, none)?;
            let (bytes, before) = table.restore(hash, &block.key, state);
            if let Some(location) = location {
                table.locate(hash, &block.key, location);
            }
            self.memory_left = self.memory_left.saturating_add(before);
            self.account(group, &block.key, bytes, location.is_some());
        } else {
            self.busy.entry(key).or_default().state = Some(Read::new(bytes, location));
        }
        Ok(())
    }

    /// A key state takes these bytes; it is set aside when they are too many.
    fn account(&mut self, group: usize, key: &Key, bytes: usize, can_be_read_again: bool) {
        if can_be_read_again && bytes > self.memory_left {
            let (table, hash, _) = self.engine.table_of(group, key);
            table.set_aside(hash, key);
        } else {
            self.memory_left = self.memory_left.saturating_sub(bytes);
        }
    }

    /// Puts the busy keys together.
    fn finish(mut self) -> Result<Engine, EngineError> {
        for ((group, key), busy) in std::mem::take(&mut self.busy) {
            let assembled = self.assemble(group, &key, busy);
            assembled.map_err(|e| EngineError::Restore(e.to_string()))?;
        }
        Ok(self.engine)
    }

    fn assemble(&mut self, group: usize, key: &Key, mut busy: Busy) -> Result<(), Unread> {
        if let Some(read) = &busy.state {
            let cold = &*self.engine.cold;
            let shape = Arc::clone(&self.engine.shapes[group]);
            let bytes = read.load(cold).map_err(Unread::Cold)?;
            let part = |number| match busy.parts.get(&number) {
                Some(read) => read.load(cold).map_err(Unread::Cold),
                None => {
                    let name = &self.engine.plan.groups[group].name;
                    let what = format!("part {number} of a key of features `{name}` is missing");
                    Err(Unread::Cold(what))
                }
            };
            let state = KeyState::decode(&shape, &bytes, part)?;
            let numbers = KeyState::parts_of(&shape, &bytes)?;
            let location = read.location();
            let (table, hash, _) = self.engine.table_of(group, key);
            let (size, before) = table.restore(hash, key, state);
            if let Some(location) = location {
                table.locate(hash, key, location);
            }
            let place = |number| busy.parts.remove(&number).and_then(|read| read.location());
            table.restore_parts(hash, key, Parts::restored(numbers.start, numbers.map(place)));
            self.memory_left = self.memory_left.saturating_add(before);
            self.account(group, key, size, location.is_some());
        }
        // Parts that the key no longer has.
        let left = busy.parts.values().filter_map(Read::location);
        self.engine.unclaimed.extend(left);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use millrace_aggregate::Position;
    use millrace_event::{Batch, Span, State, Value};
    use millrace_feature::{SourceFile, compile};

    use super::*;

    const PROJECT: &str = "
        entity card : int
        stream pay {
          id   : int       id
          at   : timestamp time, late 1s
          card : card
        }
        features by_card by card from pay {
          n = count() over 1h
        }";
    const MINUTE: Span = Span::minutes(1);

    /// One payment of the card in each of these minutes.
    fn pay(engine: &mut Engine, minutes: std::ops::Range<i64>) {
        let mut batch = Batch::new(Arc::clone(&engine.plan.streams[0].schema));
        for minute in minutes {
            let at = EventTime(minute * MINUTE.0);
            let row = [Value::Int(minute), Value::Timestamp(at), Value::Int(7)];
            batch.columns.iter_mut().zip(&row).for_each(|(to, value)| to.push(value, State::Ok));
        }
        let last = batch.time(batch.len() - 1);
        let partition = engine.partition(0, "p");
        engine.apply(partition, &batch, last).unwrap();
    }

    fn count_at(engine: &mut Engine, minute: i64) -> (Value, State) {
        let position = Position::Time(EventTime(minute * MINUTE.0));
        let key = Key::of(&[Value::Int(7)]).unwrap();
        let answer = engine.read(0, &key, &position).unwrap().remove(0);
        (answer.value, answer.state)
    }

    #[test]
    fn history_that_was_not_kept_is_not_made_up_when_more_is_asked_for() {
        let compiled = compile(&[SourceFile::new("test.mill", PROJECT)]);
        let plan = compiled.plan.map(Arc::new).unwrap();
        let settings = |history| Settings { history, ..Settings::default() };
        let mut engine = Engine::build(Arc::clone(&plan), settings(Span(0)), true, [0; 16]);
        pay(&mut engine, 0..200);
        let snapshot = engine.snapshot();
        let blocks = || snapshot.blocks.iter().cloned().map(Ok::<_, String>);
        let more = settings(Span::hours(2));
        let (mut engine, _) = Engine::restore(plan, more, &snapshot.head, blocks()).unwrap();
        let limit = (Value::Null, State::Limit);
        assert_eq!(count_at(&mut engine, 150), limit);
        assert_eq!(count_at(&mut engine, 199), (Value::Int(60), State::Ok));
        // With what comes, the history grows to what is asked for.
        pay(&mut engine, 200..500);
        assert_eq!(count_at(&mut engine, 400), (Value::Int(60), State::Ok));
        assert_eq!(count_at(&mut engine, 300), limit);
    }
}
