//! From a data directory to an engine: the newest checkpoint, then the log from its frontier.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use millrace_event::{Batch, Key};
use millrace_feature::plan::Plan;
use millrace_store::{
    BlockReader, Change, Checkpoints, CheckpointsConfig, Disk, LiveBytes, Log, LogConfig, LogName,
    LogReader, Offset, Records, StoreError, Torn, newest_manifest,
};
use serde::{Deserialize, Serialize};

use super::backfill::fill;
use super::checkpointer::Checkpointer;
use super::committer::Logs;
use super::record::{EventRecord, decode_event, decode_late, encode_late, late_stream};
use super::spill::{spill, state_bytes};
use super::{LiveError, LiveSettings, Recovery};
use crate::blocks::Block;
use crate::checkpoint::Head;
use crate::engine::{Engine, Fate, Sweep};
use crate::restore::Restored;

/// The part of a checkpoint that is not key states.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Meta {
    version: u32,
    /// The hash of the definitions, for people.
    pub(super) plan: String,
    /// Records of the event log that are in the key states.
    pub(super) frontier: u64,
    /// Records of the late log that belong to them.
    pub(super) late: u64,
    /// Records of the late log that were replayed.
    pub(super) replayed: u64,
    /// Dead letters by stream, and how many records of their log these are.
    pub(super) dead: BTreeMap<String, u64>,
    pub(super) dead_records: u64,
    /// Whether every letter belongs to a record of the event log: only old ones do not.
    #[serde(default)]
    letters_in_events: bool,
    pub(super) positions: Vec<(String, String, Vec<u8>)>,
    /// Groups that began later than the log, and at which record.
    #[serde(default)]
    began: BTreeMap<String, u64>,
    pub(super) engine: String,
}

const VERSION: u32 = 1;

/// Keys looked at after each record that is applied, per group and shard.
pub(super) const SWEEP_KEYS: usize = 16;

/// A log with a limit has about so many segments when it is full.
const SEGMENTS_MIN: u64 = 8;

impl Meta {
    pub(super) fn of(counters: &Counters, plan: &Plan, engine_head: Vec<u8>) -> Vec<u8> {
        let position = |((stream, partition), bytes): (&(String, String), &Vec<u8>)| {
            (stream.clone(), partition.clone(), bytes.clone())
        };
        let meta = Meta {
            version: VERSION,
            plan: plan.hash.to_string(),
            frontier: counters.next,
            late: counters.late_next,
            replayed: counters.replayed_to,
            dead: counters.dead.clone(),
            dead_records: counters.dead_next,
            letters_in_events: true,
            positions: counters.positions.iter().map(position).collect(),
            began: counters.began.clone(),
            engine: String::from_utf8(engine_head).expect("a head is JSON"),
        };
        serde_json::to_vec(&meta).expect("a meta is plain data")
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Meta, String> {
        let meta: Meta = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if meta.version == VERSION {
            Ok(meta)
        } else {
            Err(format!("meta of version {}, this program reads {VERSION}", meta.version))
        }
    }
}

/// What the engine thread counts beside the engine.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    /// The offset of the next event record.
    pub(super) next: u64,
    pub(super) late_next: u64,
    pub(super) replayed_to: u64,
    pub(super) dead_next: u64,
    pub(super) dead: BTreeMap<String, u64>,
    pub(super) positions: BTreeMap<(String, String), Vec<u8>>,
    /// Groups that began later than the log, and at which record.
    pub(super) began: BTreeMap<String, u64>,
}

impl Counters {
    /// One more dead letter.
    pub(super) fn count_dead(&mut self, letter: &super::DeadEvent) {
        self.dead_next += 1;
        *self.dead.entry(letter.stream.clone().unwrap_or_default()).or_default() += 1;
    }
}

/// Everything the threads begin with.
pub(super) struct Recovered {
    pub(super) engine: Engine,
    pub(super) counters: Counters,
    pub(super) logs: Logs,
    pub(super) checkpointer: Checkpointer,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) recovery: Recovery,
}

pub(super) fn recover(
    disk: Arc<dyn Disk>,
    plan: Arc<Plan>,
    settings: &LiveSettings,
) -> Result<Recovered, LiveError> {
    let started = Instant::now();
    let mut recovery = Recovery::default();
    let (checkpoints, found) = Checkpoints::open(Arc::clone(&disk), CheckpointsConfig::default())?;
    for rejected in &found.rejected {
        recovery.notes.push(format!(
            "checkpoint {} cannot be used and the one before it is: {}",
            rejected.epoch.0, rejected.reason
        ));
    }
    let mut counters = Counters::default();
    let mut live = LiveBytes::default();
    let mut letters = Some(0);
    let mut engine = match checkpoints.current() {
        None => Engine::new(Arc::clone(&plan), settings.engine.clone(), secret()),
        Some(manifest) => {
            recovery.epoch = manifest.epoch.0;
            let meta = Meta::parse(&manifest.meta).map_err(crate::EngineError::Restore)?;
            letters = meta.letters_in_events.then_some(meta.dead_records);
            let (engine, restored) =
                restore(meta, &checkpoints, &plan, settings, &mut counters, &mut live)?;
            recovery.keys = restored.keys;
            if !settings.backfill {
                recovery.started_empty.clone_from(&restored.started_empty);
                recovery.notes.extend(restored.started_empty.iter().map(|group| {
                    format!(
                        "features `{group}` are new or changed, or the program that wrote the \
                         checkpoint kept them in another way: they start empty; to compute them \
                         from the events that the log still holds, stop and run `millrace backfill`"
                    )
                }));
            }
            engine
        }
    };
    engine.take_released().into_iter().for_each(|l| live.remove(l));
    engine.set_cold_blocks(Box::new(checkpoints.reader()) as Box<BlockReader>);
    let logs = open_logs(&disk, &mut counters, settings, &mut recovery)?;
    if settings.backfill {
        backfill(&mut engine, &disk, &logs, &mut counters, settings, &mut recovery)?;
    }
    let checkpointer = Checkpointer::new(checkpoints, live);
    let mut replay =
        Replay { engine, counters, logs, checkpointer, letters, recovery, spills: true };
    replay.log(&disk, settings.memory_max_bytes)?;
    let Replay { mut engine, mut counters, mut logs, checkpointer, letters, mut recovery, .. } =
        replay;
    engine.judge_by(settings.engine.future_max, settings.engine.idle_after);
    count_letters(&mut counters, &mut logs.dead, letters, &mut recovery)?;
    recovery.positions.clone_from(&counters.positions);
    recovery.frontier = counters.next;
    recovery.took = started.elapsed();
    Ok(Recovered { engine, counters, logs, checkpointer, disk, recovery })
}

/// How many records of the event log the newest checkpoint counts; 0 without one that can be read.
pub(super) fn counted_by_checkpoint(disk: &dyn Disk) -> Result<u64, LiveError> {
    let manifest = newest_manifest(disk)?;
    let meta = manifest.and_then(|manifest| Meta::parse(&manifest.meta).ok());
    Ok(meta.map_or(0, |meta| meta.frontier))
}

/// The engine of a checkpoint, and what was counted beside it.
fn restore(
    meta: Meta,
    checkpoints: &Checkpoints,
    plan: &Arc<Plan>,
    settings: &LiveSettings,
    counters: &mut Counters,
    live: &mut LiveBytes,
) -> Result<(Engine, Restored), LiveError> {
    counters.next = meta.frontier;
    counters.late_next = meta.late;
    counters.replayed_to = meta.replayed;
    counters.dead = meta.dead;
    counters.dead_next = meta.dead_records;
    let positions = meta.positions.into_iter();
    counters.positions = positions.map(|(s, p, bytes)| ((s, p), bytes)).collect();
    counters.began = meta.began;
    counters.began.retain(|group, _| plan.group(group).is_some());
    let mut head = meta.engine.into_bytes();
    if settings.backfill {
        let late: Vec<String> = counters.began.keys().cloned().collect();
        head = Head::without_groups(&head, &late)?;
    }
    let (engine, restored) = Engine::restore_within(
        Arc::clone(plan),
        settings.engine.clone(),
        &head,
        Blocks { records: checkpoints.records(), live },
        Box::new(checkpoints.reader()),
        settings.memory_max_bytes,
    )?;
    let began = restored.started_empty.iter().map(|group| (group.clone(), meta.frontier));
    counters.began.extend(began.filter(|(_, record)| *record > 0));
    Ok((engine, restored))
}

/// Computes the groups that began later than the log from it.
fn backfill(
    engine: &mut Engine,
    disk: &Arc<dyn Disk>,
    logs: &Logs,
    counters: &mut Counters,
    settings: &LiveSettings,
    recovery: &mut Recovery,
) -> Result<(), LiveError> {
    let groups: Vec<String> = counters.began.keys().cloned().collect();
    if groups.is_empty() {
        return Ok(());
    }
    let (frontier, memory_max) = (counters.next, settings.memory_max_bytes);
    recovery.backfilled_records = fill(engine, disk, &logs.events, frontier, &groups, memory_max)?;
    counters.began.clear();
    recovery.backfilled = groups;
    Ok(())
}

/// 128 random bits from the standard library's own source of hash keys.
pub(super) fn secret() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let word = || RandomState::new().hash_one(0u8).to_le_bytes();
    let (a, b) = (word(), word());
    std::array::from_fn(|i| if i < 8 { a[i] } else { b[i - 8] })
}

/// The records of a checkpoint, counted as they go by.
struct Blocks<'a> {
    records: Records,
    live: &'a mut LiveBytes,
}

impl Iterator for Blocks<'_> {
    type Item = Result<(Block, Option<millrace_store::Location>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = match self.records.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => return None,
            Err(error) => return Some(Err(error)),
        };
        let (bytes, at) = match record.change {
            Change::Put(value) => (Some(value.to_vec()), Some(record.at)),
            Change::Delete => (None, None),
        };
        if record.table.0 < crate::ID_TABLES
            && let Some(at) = at
        {
            self.live.add(at);
        }
        Some(Ok((Block { table: record.table.0, key: Key::from_bytes(record.key), bytes }, at)))
    }
}

fn open_logs(
    disk: &Arc<dyn Disk>,
    counters: &mut Counters,
    settings: &LiveSettings,
    recovery: &mut Recovery,
) -> Result<Logs, LiveError> {
    let mut torn_notes = |log: &LogName, torn: Option<Torn>| {
        if let Some(torn) = torn.filter(Torn::is_worth_telling) {
            recovery.notes.push(format!(
                "log {}: {} bytes of an unfinished write were cut off (never acknowledged)",
                log.as_str(),
                torn.bytes
            ));
        }
    };
    let mut open = |name: LogName, known: u64, config: LogConfig| -> Result<Log, StoreError> {
        let (log, opened) = Log::open(Arc::clone(disk), &name, config, Offset(known))?;
        torn_notes(&name, opened.torn);
        Ok(log)
    };
    let events = open(LogName::EVENTS, counters.next, LogConfig::default())?;
    let mut late = open(LogName::LATE, counters.late_next, within(settings.late_max_bytes))?;
    let config = within(settings.dead_letters_max_bytes);
    let dead = open(LogName::DEAD_LETTERS, counters.dead_next, config)?;
    // Late events behind the checkpoint are found again by the replay.
    late.truncate_to(Offset(counters.late_next))?;
    Ok(Logs { events, late, dead })
}

/// For a log of at most this many bytes, from which whole segments are removed.
fn within(bytes_max: u64) -> LogConfig {
    let segment_bytes = LogConfig::default().segment_bytes.min(bytes_max / SEGMENTS_MIN);
    LogConfig { segment_bytes }
}

/// Counts the letters behind the checkpoint. Those beyond `known` belong to deliveries whose event
/// record was not written any more: their sources hand them over again, so they are cut off.
fn count_letters(
    counters: &mut Counters,
    dead: &mut Log,
    known: Option<u64>,
    recovery: &mut Recovery,
) -> Result<(), LiveError> {
    if let Some(known) = known.map(Offset)
        && (dead.first()..dead.next()).contains(&known)
    {
        recovery.notes.push(format!(
            "log {}: {} letters of deliveries that were never acknowledged were cut off",
            LogName::DEAD_LETTERS.as_str(),
            dead.next().0 - known.0
        ));
        dead.truncate_to(known)?;
    }
    count_letters_to(dead.next(), counters, dead)
}

/// Without a checkpoint, those that were removed from the log are not counted.
fn count_letters_to(end: Offset, counters: &mut Counters, dead: &Log) -> Result<(), LiveError> {
    let mut reader = dead.reader(Offset(counters.dead_next).max(dead.first()))?;
    while let Some((offset, bytes)) = reader.next_record()?
        && offset < end
    {
        if let Ok(letter) = serde_json::from_slice::<super::DeadEvent>(bytes) {
            *counters.dead.entry(letter.stream.unwrap_or_default()).or_default() += 1;
        }
    }
    counters.dead_next = end.0.max(counters.dead_next);
    Ok(())
}

/// The log being applied.
struct Replay {
    engine: Engine,
    counters: Counters,
    logs: Logs,
    checkpointer: Checkpointer,
    /// Dead letters of the records applied, where that is known.
    letters: Option<u64>,
    recovery: Recovery,
    /// Whether key states can be spilled: not on a disk that takes no checkpoint.
    spills: bool,
}

impl Replay {
    fn log(&mut self, disk: &Arc<dyn Disk>, memory_max: usize) -> Result<(), LiveError> {
        let mut reader = self.logs.events.reader(Offset(self.counters.next))?;
        while let Some((offset, bytes)) = reader.next_record()? {
            self.record(bytes, disk)?;
            self.counters.next = offset.0 + 1;
            self.recovery.replayed_records += 1;
            self.engine.sweep(Sweep { keys: SWEEP_KEYS, spill: false });
            if self.spills && state_bytes(&self.engine) > memory_max {
                self.spill(memory_max)?;
            }
        }
        self.logs.late.sync()?;
        Ok(())
    }

    fn record(&mut self, bytes: &[u8], disk: &Arc<dyn Disk>) -> Result<(), LiveError> {
        let plan = Arc::clone(self.engine.plan());
        match decode_event(&plan, bytes)? {
            EventRecord::Delivery { received, judged, stream, partition, position, batch } => {
                if let Some(judged) = judged {
                    self.engine.judge_by(judged.future_max, judged.idle_after);
                }
                self.letters = judged.map(|judged| judged.letters);
                let id = self.engine.partition(stream, &partition);
                let applied = self.engine.apply(id, &batch, received)?;
                let late = applied.rows(Fate::Late);
                if !late.is_empty() {
                    self.logs.late.append(&[&encode_late(&batch.select(&late))])?;
                    self.counters.late_next += 1;
                }
                if let Some(position) = position {
                    let name = plan.streams[stream].schema.stream.to_string();
                    self.counters.positions.insert((name, partition), position);
                }
            }
            EventRecord::Letters { letters } => self.letters = Some(letters),
            EventRecord::Replay { at: _, from, to } => {
                self.logs.late.sync()?;
                replay_late(&mut self.engine, disk, from, to)?;
                self.counters.replayed_to = to;
            }
        }
        Ok(())
    }

    /// Takes a checkpoint, so that what was applied need not stay in memory.
    fn spill(&mut self, memory_max: usize) -> Result<(), LiveError> {
        // A checkpoint says which letters it counts.
        let Some(letters) = self.letters else { return Ok(()) };
        let known = Offset(letters).min(self.logs.dead.next());
        count_letters_to(known, &mut self.counters, &self.logs.dead)?;
        self.logs.late.sync()?;
        let (engine, counters) = (&mut self.engine, &self.counters);
        if let Err(cause) = spill(engine, counters, &mut self.checkpointer, memory_max) {
            self.spills = false;
            self.recovery.notes.push(format!(
                "the log is applied with all key states in memory, beyond engine.memory_max, \
                 since they could not be put into a checkpoint: {cause}"
            ));
        }
        Ok(())
    }
}

/// Applies records `from .. to` of the late log, each event once; returns how many there were.
///
/// An event that was sent again is in the log twice, and one that was late in its own partition may
/// have come in time through another. Streams without features, which may be gone or have other
/// fields by now, are passed over.
pub(super) fn replay_late(
    engine: &mut Engine,
    disk: &Arc<dyn Disk>,
    from: u64,
    to: u64,
) -> Result<u64, LiveError> {
    let mut events = 0;
    let wants = |engine: &Engine, name: &str| engine.has_features(name);
    late_events(engine, disk, (from, to), wants, |engine, stream, batch| {
        events += batch.len() as u64;
        Ok(engine.replay(stream, batch)?)
    })?;
    Ok(events)
}

/// Whether every record that [`replay_late`] would apply still fits its stream: once some of them are
/// applied, there is no way back.
pub(super) fn check_late(
    engine: &Engine,
    disk: &Arc<dyn Disk>,
    (from, to): (u64, u64),
) -> Result<(), LiveError> {
    each_late(disk, (from, to), |bytes| {
        if engine.has_features(late_stream(bytes)?) {
            decode_late(engine.plan(), bytes)?;
        }
        Ok(())
    })
}

/// Hands out what [`replay_late`] applies, of the streams that are wanted; it must be remembered
/// before more is asked for.
pub(super) fn late_events(
    engine: &mut Engine,
    disk: &Arc<dyn Disk>,
    (from, to): (u64, u64),
    wants: impl Fn(&Engine, &str) -> bool,
    mut take: impl FnMut(&mut Engine, usize, &Batch) -> Result<(), LiveError>,
) -> Result<(), LiveError> {
    let plan = Arc::clone(engine.plan());
    let mut replayed = HashSet::new();
    each_late(disk, (from, to), |bytes| {
        if !wants(engine, late_stream(bytes)?) {
            return Ok(());
        }
        let (stream, batch) = decode_late(&plan, bytes)?;
        let mut is_new = |row: &u32| {
            let (id, known) = engine.known(stream, &batch, *row as usize);
            !known && replayed.insert((stream, id))
        };
        let rows: Vec<u32> = (0..batch.len() as u32).filter(&mut is_new).collect();
        take(engine, stream, &batch.select(&rows))
    })
}

/// Records `from .. to` of the late log.
fn each_late(
    disk: &Arc<dyn Disk>,
    (from, to): (u64, u64),
    mut each: impl FnMut(&[u8]) -> Result<(), LiveError>,
) -> Result<(), LiveError> {
    if from == to {
        return Ok(());
    }
    let mut reader = LogReader::open(Arc::clone(disk), &LogName::LATE, Offset(from))?;
    while let Some((offset, bytes)) = reader.next_record()?
        && offset.0 < to
    {
        each(bytes)?;
    }
    Ok(())
}
