//! Busy keys are stored in parts, and late events put among their rows together: whatever comes,
//! is captured, cleaned, spilled and restored, their values are those of an engine that keeps
//! everything in memory and is given one event after the other. Many events are of one moment, and
//! reads stand between them, which only their ids can tell apart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use millrace_conformance::prng::Prng;
use millrace_event::{Batch, EventId, EventTime, Key, Span, State, Value};
use millrace_feature::plan::Plan;
use millrace_feature::{SourceFile, compile};
use millrace_store::{Location, SegmentId};
use millrace_stream::{
    Block, BlockRef, Blocks, ColdBlocks, Engine, ID_TABLES, Moving, Position, Settings, Sweep,
};

const DEFINITIONS: &str = "
entity card
stream pay {
  id : int id
  at : timestamp time, late 3m
  card : card
  shop : string
  cents : int
}
features a by card from pay {
  n = count() over 10m, 30m
  spent = sum(cents) over 10m
  most = max(cents) over 30m
  shops = distinct(shop) over 10m
  newest = last(shop) over 10m
}
features b by card from pay {
  n = count() over 10m
  newest = last(at) over 10m
}
";
/// The ids of events lie below; they come in no order.
const IDS: i64 = 1_000_003;
const SECOND: i64 = 1_000_000;
const CARDS: [&str; 3] = ["busy", "quiet", "quieter"];

/// Segments of records; what no key refers to any more cannot be read.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<Segments>>);

#[derive(Clone)]
struct Record {
    table: u16,
    key: Key,
    bytes: Option<Vec<u8>>,
}

type Segments = BTreeMap<u32, Vec<Option<Record>>>;

impl Disk {
    fn segments(&self) -> MutexGuard<'_, Segments> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }

    /// Appends a record to a segment.
    fn put(&self, segment: u32, block: Block) -> Location {
        let mut segments = self.segments();
        let records = segments.entry(segment).or_default();
        records.push(Some(Record { table: block.table, key: block.key, bytes: block.bytes }));
        Location { segment: SegmentId(segment), offset: records.len() as u64 - 1, len: 1 }
    }

    fn release(&self, location: Location) {
        let mut segments = self.segments();
        let Some(records) = segments.get_mut(&location.segment.0) else { return };
        let record = &mut records[location.offset as usize];
        assert!(record.take().is_some(), "{location:?} was released twice");
    }

    fn oldest(&self) -> Option<u32> {
        self.segments().keys().next().copied()
    }

    fn all(&self) -> Vec<(Block, Option<Location>)> {
        let segments = self.segments();
        let records = segments.iter().flat_map(|(segment, records)| {
            (0..).zip(records).map(move |(offset, record)| (*segment, offset, record))
        });
        records
            .filter_map(|(segment, offset, record)| {
                let Record { table, key, bytes } = record.clone()?;
                let segment = SegmentId(segment);
                let location = bytes.is_some().then_some(Location { segment, offset, len: 1 });
                Some((Block { table, key, bytes }, location))
            })
            .collect()
    }
}

impl ColdBlocks for Disk {
    fn load(&self, location: Location) -> Result<Vec<u8>, String> {
        let segments = self.segments();
        let records = segments.get(&location.segment.0).ok_or("the segment is gone")?;
        let record = records[location.offset as usize].as_ref().ok_or("the record is gone")?;
        record.bytes.clone().ok_or_else(|| "it is no value".to_owned())
    }
}

struct World {
    plan: Arc<Plan>,
    random: Prng,
    disk: Disk,
    engine: Engine,
    oracle: Engine,
    next_id: i64,
    now: i64,
    segment: u32,
    head: Vec<u8>,
}

impl World {
    fn new(seed: u64) -> World {
        let compiled = compile(&[SourceFile::new("a.mill", DEFINITIONS)]);
        let plan = Arc::new(compiled.plan.expect("it compiles"));
        let disk = Disk::default();
        let mut engine = Engine::new(Arc::clone(&plan), settings(2), [1; 16]);
        engine.set_cold_blocks(Box::new(disk.clone()));
        let oracle = Engine::new(Arc::clone(&plan), settings(1), [1; 16]);
        let now = 1_000_000_000_000;
        let random = Prng::new(seed);
        World { plan, random, disk, engine, oracle, next_id: 0, now, segment: 0, head: Vec::new() }
    }

    /// Some events, a few of them out of order, on keys of very different pace.
    fn deliver(&mut self) {
        let mut batch = Batch::new(Arc::clone(&self.plan.streams[0].schema));
        let late = *self.random.pick(&[1, 15, 170]);
        for _ in 0..self.random.between(1, 120) {
            self.now += *self.random.pick(&[0, 0, 1, 2]) * SECOND;
            let behind = if self.random.chance(1, 3) { self.random.between(0, late) } else { 0 };
            let card = CARDS[if self.random.chance(5, 6) { 0 } else { self.random.below(3) }];
            self.push(&mut batch, self.now - behind * SECOND, card);
        }
        if self.random.chance(1, 12) {
            // Quiet for so long that busy keys have few events left, or none.
            self.now += self.random.between(500, 2_000) * SECOND;
        }
        self.apply(&batch);
    }

    fn push(&mut self, batch: &mut Batch, time: i64, card: &str) {
        self.next_id += 1;
        let row = [
            Value::Int(self.next_id * 7_919 % IDS),
            Value::Timestamp(EventTime(time)),
            Value::text(card),
            Value::text(&format!("shop {}", self.random.below(30))),
            Value::Int(self.random.between(-5, 1_000)),
        ];
        for (column, value) in batch.columns.iter_mut().zip(&row) {
            column.push(value, State::Ok);
        }
    }

    /// Hands a batch to both engines.
    fn apply(&mut self, batch: &Batch) {
        let received = EventTime(self.now);
        let partition = self.engine.partition(0, "p");
        self.engine.apply(partition, batch, received).expect("it is applied");
        // One by one, so that no two events come together.
        let partition = self.oracle.partition(0, "p");
        for row in 0..batch.len() as u32 {
            let one = batch.select(&[row]);
            self.oracle.apply(partition, &one, received).expect("it is applied");
        }
    }

    fn compare(&mut self, what: &str) {
        for card in CARDS {
            let mut key = Key::default();
            key.push_text(card);
            let at = self.position();
            for group in 0..self.plan.groups.len() {
                let got = self.engine.read(group, &key, &at).expect("it is read");
                let expected = self.oracle.read(group, &key, &at).expect("it is read");
                assert_eq!(got, expected, "group {group}, card {card}, {at:?} after {what}");
            }
        }
    }

    /// A moment at which events may still come, or a place between events of it.
    fn position(&mut self) -> Position {
        let behind = *self.random.pick(&[0, 10, 200]);
        let time = EventTime(self.now - self.random.between(0, behind) * SECOND);
        let id = EventId::int(self.random.between(0, IDS));
        match self.random.below(3) {
            0 => Position::Time(time),
            1 => Position::Before(time, id),
            _ => Position::Including(time, id),
        }
    }

    /// A checkpoint, with events between its steps; the oldest segment may be cleaned with it.
    fn checkpoint(&mut self) {
        let victim = self.disk.oldest().filter(|_| self.random.chance(1, 2));
        for location in self.engine.take_released() {
            self.disk.release(location);
        }
        let mut at = victim.map(|_| Moving::default());
        while let Some(from) = at {
            let segments = victim.map(SegmentId);
            at = self
                .engine
                .move_out_of(segments.as_slice(), from, 1)
                .expect("the blocks are there");
        }
        let head = self.engine.begin_checkpoint();
        let mut blocks = Blocks::default();
        while self.engine.continue_checkpoint(1, &mut blocks) {
            if self.random.chance(1, 3) {
                self.deliver();
            }
        }
        if self.random.chance(1, 10) {
            // It failed.
            self.engine.mark_everything();
            return;
        }
        self.store(&blocks);
        if let Some(victim) = victim {
            // Removals and ids that lie there are no matter here.
            self.disk.segments().remove(&victim);
        }
        self.head = head;
    }

    /// Writes the blocks of a checkpoint as a segment.
    fn store(&mut self, blocks: &Blocks) {
        self.segment += 1;
        for block in blocks.iter().map(BlockRef::to_block) {
            let (table, key, is_put) = (block.table, block.key.clone(), block.bytes.is_some());
            let location = self.disk.put(self.segment, block);
            if is_put && table < ID_TABLES {
                self.engine.locate(table, &key, location);
            }
        }
    }

    /// As after a restart, right after a checkpoint.
    fn restore(&mut self) {
        self.checkpoint();
        self.settle();
        let blocks = self.disk.all().into_iter().map(Ok::<_, String>);
        let memory_max = self.random.below(100_000);
        let shards = 1 + self.random.below(3);
        let (engine, _) = Engine::restore_within(
            Arc::clone(&self.plan),
            settings(shards),
            &self.head,
            blocks,
            Box::new(self.disk.clone()),
            memory_max,
        )
        .expect("it is what was stored");
        self.engine = engine;
    }

    /// A checkpoint that holds everything that came: no event between its steps.
    fn settle(&mut self) {
        let head = self.engine.begin_checkpoint();
        let mut blocks = Blocks::default();
        while self.engine.continue_checkpoint(usize::MAX, &mut blocks) {}
        self.store(&blocks);
        self.head = head;
    }
}

fn settings(shards: usize) -> Settings {
    Settings { shards, history: Span::seconds(30), ..Settings::default() }
}

#[test]
fn values_do_not_depend_on_where_the_rows_are() {
    for seed in 0..12 {
        let mut world = World::new(seed);
        for step in 0..220 {
            world.deliver();
            let what = match world.random.below(6) {
                0 | 1 => {
                    world.checkpoint();
                    "a checkpoint"
                }
                2 => {
                    for _ in 0..3 {
                        world.engine.sweep(Sweep { keys: 3, spill: true });
                    }
                    "spilling"
                }
                3 if step % 3 == 0 => {
                    world.restore();
                    "a restore"
                }
                _ => "events",
            };
            world.compare(&format!("{what}, seed {seed}, step {step}"));
        }
        assert!(world.next_id > 3_000, "too few events to have many parts");
    }
}

/// More rows of one key than are taken together, in several threads or in one.
#[test]
fn values_do_not_depend_on_how_many_rows_come_together() {
    const ROWS: i64 = 10_000;
    let mut world = World::new(7);
    for _ in 0..2 {
        let mut batch = Batch::new(Arc::clone(&world.plan.streams[0].schema));
        let begin = world.now;
        for row in 0..ROWS {
            // Some hundred events of each moment's neighbourhood come in any order.
            let late = world.random.between(0, 100);
            world.now = begin + row / 40 * SECOND;
            let card = CARDS[usize::from(world.random.chance(1, 50))];
            world.push(&mut batch, world.now - late * SECOND, card);
        }
        world.apply(&batch);
        (0..60).for_each(|_| world.compare("a large batch"));
        world.restore();
        (0..60).for_each(|_| world.compare("a large batch and a restore"));
    }
}

#[test]
fn a_removal_is_said_again_after_a_checkpoint_that_failed() {
    let mut world = World::new(1);
    let deliver = |world: &mut World, card: &str, events: i64| {
        let mut batch = Batch::new(Arc::clone(&world.plan.streams[0].schema));
        for _ in 0..events {
            world.now += 1_000_000;
            world.next_id += 1;
            let row = [
                Value::Int(world.next_id),
                Value::Timestamp(EventTime(world.now)),
                Value::text(card),
                Value::text("shop"),
                Value::Int(1),
            ];
            for (column, value) in batch.columns.iter_mut().zip(&row) {
                column.push(value, State::Ok);
            }
        }
        let partition = world.engine.partition(0, "p");
        world.engine.apply(partition, &batch, EventTime(world.now)).unwrap();
    };
    deliver(&mut world, "busy", 500);
    world.settle();
    assert!(world.disk.segments()[&1].iter().flatten().any(|r| r.table & 0x4000 != 0), "no part");
    world.now += 7_200_000_000;
    deliver(&mut world, "quiet", 1);
    world.settle();
    world.engine.sweep(Sweep { keys: 100, spill: false });
    // It fails: what it would have said is gone.
    world.engine.begin_checkpoint();
    while world.engine.continue_checkpoint(usize::MAX, &mut Blocks::default()) {}
    world.engine.mark_everything();
    world.settle();
    // The segment with the parts goes first; without the removal, a state would miss them.
    world.disk.segments().remove(&1);
    let mut key = Key::default();
    key.push_text("busy");
    let removed = |record: &Record| record.key == key && record.bytes.is_none();
    assert!(world.disk.segments()[&3].iter().flatten().any(removed));
    let blocks = world.disk.all().into_iter().map(Ok::<_, String>);
    let cold = Box::new(world.disk.clone());
    let plan = Arc::clone(&world.plan);
    Engine::restore_within(plan, settings(1), &world.head, blocks, cold, usize::MAX).unwrap();
}
