//! What a checkpoint of an engine holds; `restore.rs` has how an engine comes back from one.
//!
//! A checkpoint is taken while events go on being applied: [`Engine::begin_checkpoint`] fixes the
//! moment, [`Engine::continue_checkpoint`] hands out the changed key states in small portions, and
//! a key state that is about to change again is captured first.

use std::sync::Arc;

use millrace_event::{EventTime, Key};
use millrace_store::{Location, SegmentId};
use serde::{Deserialize, Serialize};

use crate::blocks::{Block, BlockRef, Blocks};
use crate::clock::PartitionClock;
use crate::engine::{Counts, Engine, EngineError, StreamState};
use crate::id_chunk;
use crate::keys::{hash_key, shard_of};
use crate::parts::{PART_TABLES, split_part_key};
use crate::registry::Registry;
use crate::table::Table;

/// Tables from here on hold the remembered ids of streams, below it the key states of groups.
pub const ID_TABLES: u16 = 0x8000;

/// The small part of a checkpoint, as JSON: clocks, counts, and which table is which.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) version: u32,
    pub(crate) secret: [u8; 16],
    pub(crate) tables: Registry,
    pub(crate) streams: Vec<StreamHead>,
}

impl Head {
    /// The same head, as if these groups had never been defined.
    pub(crate) fn without_groups(bytes: &[u8], names: &[String]) -> Result<Vec<u8>, EngineError> {
        let parsed = serde_json::from_slice(bytes);
        let mut head: Head = parsed.map_err(|e| EngineError::Restore(e.to_string()))?;
        head.tables.forget_groups(names);
        Ok(serde_json::to_vec(&head).expect("a head is plain data"))
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StreamHead {
    pub(crate) stream: String,
    pub(crate) watermark: i64,
    pub(crate) now: i64,
    pub(crate) counts: [u64; 5],
    pub(crate) partitions: Vec<PartitionHead>,
    /// Reads before this were not exact. Data directories written before this was noted have none:
    /// how much history they kept is not known.
    #[serde(default)]
    pub(crate) exact_from: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PartitionHead {
    name: String,
    greatest: i64,
    floor: i64,
    received: i64,
}

/// 2: remembered ids are in chunks.
pub(crate) const VERSION: u32 = 2;
/// One record per remembered id; it is read all the same.
pub(crate) const VERSION_MIN: u32 = 1;

/// Packing a chunk of ids takes about as long as capturing this many key states.
const KEYS_PER_CHUNK: usize = 32;

/// How far [`Engine::move_out_of`] has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moving {
    group: usize,
    shard: usize,
    slot: usize,
}

/// A complete state as bytes: the head, and every key state and remembered id.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub head: Vec<u8>,
    pub blocks: Vec<Block>,
}

impl Engine {
    /// Fixes the moment of a checkpoint and returns its head. Only one can be under way.
    pub fn begin_checkpoint(&mut self) -> Vec<u8> {
        for group in 0..self.plan.groups.len() {
            let number = self.registry.table_of_group(group);
            for shard in &mut self.shards {
                shard.tables[group].begin_checkpoint(number);
            }
        }
        for (index, stream) in self.streams.iter_mut().enumerate() {
            self.captured_ids.push((index, stream.remembered.take_new()));
        }
        let chunks = self.chunks_left();
        self.registry.reserve_chunks(chunks);
        self.head()
    }

    /// Hands out up to about `keys` changed key states per group and shard; `false` when these
    /// were the last.
    pub fn continue_checkpoint(&mut self, keys: usize, out: &mut Blocks) -> bool {
        self.hand_out_ids((keys / KEYS_PER_CHUNK).max(1), out);
        let mut more = !self.captured_ids.is_empty();
        for group in 0..self.plan.groups.len() {
            let shape = Arc::clone(&self.shapes[group]);
            for shard in &mut self.shards {
                more |= shard.tables[group].continue_checkpoint(keys, &shape, out);
            }
        }
        more
    }

    /// Chunks of ids of the checkpoint that are still to be handed out.
    fn chunks_left(&self) -> u64 {
        let chunks = self.captured_ids.iter().map(|(_, ids)| ids.len().div_ceil(id_chunk::IDS_MAX));
        chunks.sum::<usize>() as u64
    }

    /// Hands out up to `chunks` chunks of the ids that belong to the checkpoint.
    fn hand_out_ids(&mut self, chunks: usize, out: &mut Blocks) {
        for _ in 0..chunks {
            self.put_back_empty_ids();
            let number = self.registry.reserved_chunk(self.chunks_left());
            let Some((stream, ids)) = self.captured_ids.last_mut() else { return };
            let from = ids.len().saturating_sub(id_chunk::IDS_MAX);
            let table = self.registry.table_of_stream(*stream);
            let key = id_chunk::key(number);
            out.put(table, key.as_bytes(), |out| out.extend(id_chunk::pack(&ids[from..])));
            ids.truncate(from);
        }
        self.put_back_empty_ids();
    }

    /// Gives the room of lists that are handed out back to where the ids come from.
    fn put_back_empty_ids(&mut self) {
        while let Some((stream, ids)) = self.captured_ids.pop_if(|(_, ids)| ids.is_empty()) {
            self.streams[stream].remembered.reuse(ids);
        }
    }

    /// The complete state: everything counts as changed.
    pub fn snapshot(&mut self) -> Snapshot {
        self.mark_everything();
        let head = self.begin_checkpoint();
        let mut blocks = Blocks::default();
        while self.continue_checkpoint(usize::MAX, &mut blocks) {}
        Snapshot { head, blocks: blocks.iter().map(BlockRef::to_block).collect() }
    }

    /// The next checkpoint will hold every key state and every remembered id.
    pub fn mark_everything(&mut self) {
        for shard in &mut self.shards {
            shard.tables.iter_mut().for_each(Table::mark_all);
        }
        for (index, stream) in self.streams.iter_mut().enumerate() {
            stream.remembered.take_new();
            self.captured_ids.push((index, stream.remembered.all()));
        }
    }

    /// The checkpoint under way is given up: what was captured for it is lost to the next one, unless
    /// everything counts as changed.
    pub(crate) fn forget_checkpoint(&mut self) {
        while self.continue_checkpoint(usize::MAX, &mut Blocks::default()) {}
        self.mark_everything();
    }

    fn head(&self) -> Vec<u8> {
        let head_of = |(index, s): (usize, &StreamState)| StreamHead {
            stream: self.plan.streams[index].schema.stream.to_string(),
            watermark: s.clock.watermark.0,
            now: s.clock.now.0,
            counts: s.counts.to_array(),
            partitions: s.clock.partitions.iter().map(PartitionHead::from).collect(),
            exact_from: Some(self.exact_from(index).0),
        };
        let streams = self.streams.iter().enumerate().map(head_of);
        let head = Head {
            version: VERSION,
            secret: self.secret,
            tables: self.registry.clone(),
            streams: streams.collect(),
        };
        serde_json::to_vec(&head).expect("a head is plain data")
    }

    /// Notes where a finished checkpoint put a block, so that it can be spilled and moved.
    pub fn locate(&mut self, table: u16, key: &Key, location: Location) {
        let Some(group) = self.registry.group_of(table & !PART_TABLES) else { return };
        if table & PART_TABLES == 0 {
            let (table, hash, _) = self.table_of(group, key);
            table.locate(hash, key, location);
        } else if let Some((number, key)) = split_part_key(key.as_bytes()) {
            let (table, hash, _) = self.table_of(group, &Key::from_bytes(key));
            table.locate_part(hash, key, number, location);
        }
    }

    /// Locations that were overwritten or whose key is gone, since the last call.
    pub fn take_released(&mut self) -> Vec<Location> {
        let mut released = std::mem::take(&mut self.unclaimed);
        let tables = self.shards.iter_mut().flat_map(|s| &mut s.tables);
        released.extend(tables.flat_map(Table::take_released));
        released
    }

    /// What of a record of remembered ids is still to be remembered; `None` when nothing is.
    pub fn still_remembered(&self, block: Block) -> Option<Block> {
        let Block { table, key, bytes } = block;
        let watermark = self.watermark(self.registry.stream_of(table)?);
        let bytes = id_chunk::without_old(&key, bytes?, watermark)?;
        Some(Block { table, key, bytes: Some(bytes) })
    }

    /// Makes the next checkpoint write again every key state that lies in one of these segments;
    /// looks at `count` keys of one table and returns how far that brought it, `None` at the end.
    ///
    /// # Errors
    /// When a spilled key state cannot be read back.
    pub fn move_out_of(
        &mut self,
        segments: &[SegmentId],
        from: Moving,
        count: usize,
    ) -> Result<Option<Moving>, EngineError> {
        let Moving { group, shard, slot } = from;
        let Some(shape) = self.shapes.get(group).cloned() else { return Ok(None) };
        let Some(of_shard) = self.shards.get_mut(shard) else {
            return Ok(Some(Moving { group: group + 1, ..Moving::default() }));
        };
        let marked = of_shard.tables[group]
            .mark_segments(segments, slot, count, &shape, &*self.cold)
            .map_err(EngineError::Cold)?;
        Ok(Some(match marked {
            Some(slot) => Moving { slot, ..from },
            None => Moving { shard: shard + 1, slot: 0, ..from },
        }))
    }

    /// Whether a key is there, in memory or spilled.
    pub fn has_key(&self, table: u16, key: &Key) -> bool {
        let Some(group) = self.registry.group_of(table) else { return false };
        let hash = hash_key(&self.hasher, key.as_bytes());
        let shard = &self.shards[shard_of(hash, self.shards.len())];
        shard.tables[group].find(hash, key.as_bytes()).is_some()
    }
}

impl Counts {
    fn to_array(self) -> [u64; 5] {
        [self.applied, self.duplicate, self.late, self.future, self.replayed]
    }

    pub(crate) fn from_array([applied, duplicate, late, future, replayed]: [u64; 5]) -> Counts {
        Counts { applied, duplicate, late, future, replayed }
    }
}

impl From<&PartitionClock> for PartitionHead {
    fn from(p: &PartitionClock) -> PartitionHead {
        PartitionHead {
            name: p.name.clone(),
            greatest: p.greatest.0,
            floor: p.floor.0,
            received: p.received.0,
        }
    }
}

impl From<&PartitionHead> for PartitionClock {
    fn from(p: &PartitionHead) -> PartitionClock {
        PartitionClock {
            name: p.name.clone(),
            greatest: EventTime(p.greatest),
            floor: EventTime(p.floor),
            received: EventTime(p.received),
            closed: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use millrace_event::{Batch, State, Value};
    use millrace_feature::plan::Plan;
    use millrace_feature::{SourceFile, compile};

    use super::*;
    use crate::engine::{Applied, Fate};
    use crate::remembered::IdHash;
    use crate::settings::Settings;

    fn plan(id: &str) -> Arc<Plan> {
        let text = format!(
            "entity card\nstream pay {{\n  id : {id} id\n  at : timestamp time, late 1m\n  \
             card : card\n}}\nfeatures a by card from pay {{\n  n = count() over 1h\n}}\n"
        );
        let compiled = compile(&[SourceFile::new("a.mill", text.as_str())]);
        compiled.plan.map(Arc::new).expect("it compiles")
    }

    /// One event per id, at these milliseconds.
    fn batch(plan: &Plan, events: impl Iterator<Item = (i64, i64)>) -> Batch {
        let schema = &plan.streams[0].schema;
        let mut batch = Batch::new(Arc::clone(schema));
        for (id, millis) in events {
            let is_int = batch.columns[schema.id].as_texts().is_none();
            let id = if is_int { Value::Int(id) } else { Value::text(&format!("id {id}")) };
            let row = [id, Value::Timestamp(EventTime(millis * 1_000)), Value::text("c")];
            for (column, value) in batch.columns.iter_mut().zip(&row) {
                column.push(value, State::Ok);
            }
        }
        batch
    }

    fn apply(engine: &mut Engine, events: impl Iterator<Item = (i64, i64)>) -> Applied {
        let batch = batch(&Arc::clone(&engine.plan), events);
        let partition = engine.partition(0, "p");
        engine.apply(partition, &batch, EventTime(1 << 40)).unwrap()
    }

    fn take(engine: &mut Engine) -> Snapshot {
        let head = engine.begin_checkpoint();
        let mut blocks = Blocks::default();
        while engine.continue_checkpoint(1, &mut blocks) {}
        Snapshot { head, blocks: blocks.iter().map(BlockRef::to_block).collect() }
    }

    fn restore(plan: &Arc<Plan>, head: &[u8], blocks: &[Block]) -> Result<Engine, EngineError> {
        let blocks = blocks.iter().cloned().map(Ok::<_, Infallible>);
        Engine::restore(Arc::clone(plan), Settings::default(), head, blocks)
            .map(|(engine, _)| engine)
    }

    fn chunks(blocks: &[Block]) -> Vec<&Block> {
        blocks.iter().filter(|b| b.table >= ID_TABLES).collect()
    }

    #[test]
    fn ids_of_several_checkpoints_are_known_again_until_they_expire() {
        for plan in [plan("int"), plan("string")] {
            let mut engine = Engine::new(Arc::clone(&plan), Settings::default(), [1; 16]);
            let many = id_chunk::IDS_MAX as i64 + 5;
            apply(&mut engine, (0..many).map(|n| (n, 1_000 + n)));
            let first = take(&mut engine);
            assert_eq!(chunks(&first.blocks).len(), 2);
            apply(&mut engine, (many..2 * many).map(|n| (n, 1_000 + n)));
            let second = take(&mut engine);
            let blocks = [first.blocks, second.blocks].concat();
            let mut keys: Vec<_> = chunks(&blocks).iter().map(|b| b.key.clone()).collect();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), 4, "each chunk has a number of its own");

            let mut restored = restore(&plan, &second.head, &blocks).unwrap();
            let again = apply(&mut restored, (0..2 * many).map(|n| (n, 1_000 + n)));
            assert_eq!(again.count(Fate::Duplicate) as i64, 2 * many);
            // Once the watermark is at event 10, the 10 before it have no meaning.
            apply(&mut restored, std::iter::once((-1, 61_010)));
            let third = take(&mut restored);
            let carried = blocks.into_iter().filter(|b| b.table >= ID_TABLES);
            let mut kept: Vec<_> = carried.filter_map(|b| restored.still_remembered(b)).collect();
            kept.extend(third.blocks);
            let restored = restore(&plan, &third.head, &kept).unwrap();
            assert_eq!(restored.remembered(0) as i64, 2 * many - 10 + 1);
        }
    }

    #[test]
    fn a_checkpoint_with_a_record_per_id_is_still_read() {
        let plan = plan("string");
        let mut engine = Engine::new(Arc::clone(&plan), Settings::default(), [1; 16]);
        apply(&mut engine, (0..9).map(|n| (n, 1_000 + n)));
        let Snapshot { head, blocks } = engine.snapshot();
        let mut head: serde_json::Value = serde_json::from_slice(&head).unwrap();
        head["version"] = 1.into();
        head["tables"].as_object_mut().unwrap().remove("chunks").unwrap();
        let one = |table: u16, (id, time): (IdHash, EventTime)| Block {
            table,
            key: Key::from_bytes(&id.0.to_le_bytes()),
            bytes: Some(time.0.to_le_bytes().to_vec()),
        };
        let mut old: Vec<Block> = Vec::new();
        for block in blocks {
            match &block.bytes {
                Some(bytes) if block.table >= ID_TABLES => {
                    let ids = id_chunk::unpack(&block.key, bytes).unwrap();
                    old.extend(ids.into_iter().map(|id| one(block.table, id)));
                }
                Some(_) | None => old.push(block),
            }
        }
        let mut restored = restore(&plan, &serde_json::to_vec(&head).unwrap(), &old).unwrap();
        assert_eq!(chunks(&old).len(), 9);
        let again = apply(&mut restored, (0..9).map(|n| (n, 1_000 + n)));
        assert_eq!(again.count(Fate::Duplicate), 9);
    }

    #[test]
    fn a_damaged_chunk_is_reported() {
        let plan = plan("int");
        let mut engine = Engine::new(Arc::clone(&plan), Settings::default(), [1; 16]);
        apply(&mut engine, (0..9).map(|n| (n, 1_000 + n)));
        let Snapshot { head, mut blocks } = engine.snapshot();
        let chunk = blocks.iter_mut().find(|b| b.table >= ID_TABLES).unwrap();
        chunk.bytes.as_mut().unwrap().pop();
        let error = restore(&plan, &head, &blocks).unwrap_err().to_string();
        assert!(error.contains("the ids of stream `pay` is damaged"), "{error}");
    }
}
