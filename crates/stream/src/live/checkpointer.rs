//! The checkpointer: writes changed key states into segments and publishes them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};

use millrace_event::Key;
use millrace_store::{
    Change, CheckpointWriter, Checkpoints, Epoch, LiveBytes, Location, Offset, Publication,
    SegmentId, StoreError, Table, Tombstones, Victim,
};

use super::committer::Needed;
use super::recovery::Meta;
use crate::blocks::{Block, Blocks};
use crate::checkpoint::ID_TABLES;

/// Written portions whose room is used again: fresh memory for each costs as much as the capture.
const SPARES_MAX: usize = 8;
/// Only if they have room for no more than this.
const SPARE_BYTES_MAX: usize = 4 << 20;

/// From the engine, for one checkpoint: prepare, begin, portions, end. The engine bounds the bytes
/// of the portions that wait.
#[derive(Debug)]
pub enum Task {
    /// With the locations that were released since the last one.
    Prepare(Vec<Location>),
    Begin {
        meta: Vec<u8>,
        durable: Receiver<Result<(), String>>,
        retired: Vec<SegmentId>,
    },
    Portion(Blocks),
    End,
}

/// To the engine.
#[derive(Debug)]
pub enum Report {
    Prepared(Cleaning),
    /// A portion is written; its room is for another one. Of one that had much room there is no
    /// report: that is given back here, where nobody waits for it.
    Written(Blocks),
    Published(Done),
    Failed(String),
}

/// Written portions, without their blocks: as many as are filled and written at one time.
#[derive(Debug, Default)]
pub struct Spares(Vec<Blocks>);

impl Spares {
    /// Keeps one that a report brought.
    pub fn keep(&mut self, blocks: Blocks) {
        if self.0.len() < SPARES_MAX {
            self.0.push(blocks);
        }
    }

    /// One to fill; a new one where none is kept.
    pub fn take(&mut self) -> Blocks {
        self.0.pop().unwrap_or_default()
    }
}

/// What the next checkpoint should move out of old segments.
#[derive(Debug, Default)]
pub struct Cleaning {
    pub victims: Vec<SegmentId>,
    /// Keys that an old segment says are gone: to be said again, where still true.
    pub gone: Vec<(u16, Key)>,
    /// Records of remembered ids in those segments.
    pub ids: Vec<Block>,
}

#[derive(Debug)]
pub struct Done {
    pub epoch: u64,
    pub bytes: u64,
    pub locations: Vec<(u16, Key, Location)>,
    /// Where the log must be kept from, for all checkpoints that are kept.
    pub metas: Vec<Vec<u8>>,
}

#[derive(Debug)]
pub struct Checkpointer {
    checkpoints: Checkpoints,
    live: LiveBytes,
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    epoch: Epoch,
    writer: CheckpointWriter,
    meta: Vec<u8>,
    durable: Receiver<Result<(), String>>,
    retired: Vec<SegmentId>,
    locations: Vec<(u16, Key, Location)>,
}

/// Works through tasks until their sender is gone; takes the bytes of each portion off `waiting`.
pub fn run(
    mut this: Checkpointer,
    tasks: &Receiver<Task>,
    reports: &Sender<Report>,
    waiting: &AtomicUsize,
) {
    while let Ok(task) = tasks.recv() {
        let bytes = if let Task::Portion(blocks) = &task { blocks.bytes() } else { 0 };
        let report = this.work(task);
        waiting.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(report) = report
            && reports.send(report).is_err()
        {
            return;
        }
    }
}

impl Checkpointer {
    pub fn new(checkpoints: Checkpoints, live: LiveBytes) -> Checkpointer {
        Checkpointer { checkpoints, live, under_way: None }
    }

    pub(super) fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    /// Does one task; a checkpoint that fails is given up.
    pub(super) fn work(&mut self, task: Task) -> Option<Report> {
        let error = match self.step(task) {
            Ok(report) => return report,
            Err(error) => error,
        };
        tracing::error!(%error, "a checkpoint was given up");
        if let Some(failed) = self.under_way.take() {
            drop(failed.writer);
            self.abandon(failed.epoch);
        }
        Some(Report::Failed(error))
    }

    fn step(&mut self, task: Task) -> Result<Option<Report>, String> {
        let failed = |e: StoreError| e.to_string();
        match task {
            Task::Prepare(released) => {
                released.into_iter().for_each(|location| self.live.remove(location));
                Ok(Some(Report::Prepared(self.prepare().map_err(failed)?)))
            }
            Task::Begin { meta, durable, retired } => {
                let epoch = self.checkpoints.next_epoch();
                let writer = self.checkpoints.begin(epoch).map_err(failed)?;
                let locations = Vec::new();
                let begun = UnderWay { epoch, writer, meta, durable, retired, locations };
                self.under_way = Some(begun);
                Ok(None)
            }
            Task::Portion(mut blocks) => {
                if let Some(under_way) = &mut self.under_way {
                    under_way.write(&blocks).map_err(failed)?;
                }
                blocks.clear();
                Ok((blocks.room() <= SPARE_BYTES_MAX).then_some(Report::Written(blocks)))
            }
            Task::End => {
                let Some(under_way) = self.under_way.take() else { return Ok(None) };
                let epoch = under_way.epoch;
                let published = self.publish(under_way);
                if published.is_err() {
                    self.abandon(epoch);
                }
                published.map(Some)
            }
        }
    }

    /// Removes what was written for a checkpoint that there will not be.
    fn abandon(&mut self, epoch: Epoch) {
        if let Err(error) = self.checkpoints.abandon(epoch) {
            tracing::warn!(%error, "files of a given-up checkpoint are left behind");
        }
    }

    fn prepare(&self) -> Result<Cleaning, StoreError> {
        let mut cleaning = Cleaning::default();
        for Victim { segment, tombstones } in self.checkpoints.victims(&self.live) {
            let mut records = self.checkpoints.records_of(segment)?;
            while let Some(record) = records.next_record()? {
                let key = Key::from_bytes(record.key);
                match record.change {
                    Change::Put(value) if record.table.0 >= ID_TABLES => {
                        let bytes = Some(value.to_vec());
                        cleaning.ids.push(Block { table: record.table.0, key, bytes });
                    }
                    Change::Put(_) => {}
                    Change::Delete => {
                        if tombstones == Tombstones::Carry {
                            cleaning.gone.push((record.table.0, key));
                        }
                    }
                }
            }
            cleaning.victims.push(segment);
        }
        Ok(cleaning)
    }

    fn publish(&mut self, under_way: UnderWay) -> Result<Report, String> {
        let UnderWay { epoch, writer, meta, durable, retired, locations } = under_way;
        let segments = writer.finish().map_err(|e| e.to_string())?;
        // A checkpoint must not be ahead of the log it is to be continued from.
        durable.recv().map_err(|_| "the log has stopped".to_owned())??;
        for (_, _, location) in &locations {
            self.live.add(*location);
        }
        let publication =
            Publication { epoch, segments, retired: &retired, live: &self.live, meta };
        let published = self.checkpoints.publish(publication).map_err(|e| e.to_string())?;
        if let Some(error) = published.cleanup {
            tracing::warn!(%error, "old checkpoint files could not be removed");
        }
        retired.iter().for_each(|s| self.live.forget(*s));
        let current = self.checkpoints.current();
        let bytes = current.map_or(0, |m| m.segments.iter().map(|s| s.bytes).sum());
        let metas = self.checkpoints.kept().iter().map(|m| m.meta.clone()).collect();
        Ok(Report::Published(Done { epoch: epoch.0, bytes, locations, metas }))
    }
}

impl UnderWay {
    fn write(&mut self, blocks: &Blocks) -> Result<(), StoreError> {
        for block in blocks.iter() {
            let table = Table(block.table);
            match block.bytes {
                Some(bytes) => {
                    let at = self.writer.put(table, block.key, bytes)?;
                    if block.table < ID_TABLES {
                        self.locations.push((block.table, Key::from_bytes(block.key), at));
                    }
                }
                None => self.writer.delete(table, block.key)?,
            }
        }
        Ok(())
    }
}

/// What a recovery from any of the checkpoints with these metas needs, when late records were
/// replayed up to `replayed_to` by now.
pub(super) fn needed_from(metas: &[Vec<u8>], replayed_to: u64) -> Needed {
    let metas: Vec<Option<Meta>> = metas.iter().map(|meta| Meta::parse(meta).ok()).collect();
    let least = |of: fn(&Meta) -> u64| {
        let each = metas.iter().map(|meta| meta.as_ref().map_or(0, of));
        Offset(each.min().unwrap_or(0))
    };
    let replayed = least(|meta| meta.replayed);
    Needed {
        events: least(|meta| meta.frontier),
        // A recovery finds late events again, unless it also has to replay older ones.
        late: if replayed.0 == replayed_to { Offset(u64::MAX) } else { replayed },
        dead: least(|meta| meta.dead_records),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use millrace_store::{CheckpointsConfig, MemoryDisk};

    use super::*;

    /// What is left of the room of a portion once it is written.
    fn room_left(room: usize) -> Option<usize> {
        let disk = Arc::new(MemoryDisk::default());
        let (checkpoints, _) = Checkpoints::open(disk, CheckpointsConfig::default()).unwrap();
        let mut this = Checkpointer::new(checkpoints, LiveBytes::default());
        match this.work(Task::Portion(Blocks::with_room(room))) {
            Some(Report::Written(blocks)) => Some(blocks.room()),
            Some(Report::Prepared(_) | Report::Published(_) | Report::Failed(_)) | None => None,
        }
    }

    #[test]
    fn a_portion_with_much_room_does_not_come_back() {
        assert_eq!(room_left(SPARE_BYTES_MAX), Some(SPARE_BYTES_MAX));
        assert_eq!(room_left(SPARE_BYTES_MAX + 1), None);
    }

    #[test]
    fn few_spares_are_kept() {
        let mut spares = Spares::default();
        (0..SPARES_MAX + 5).for_each(|_| spares.keep(Blocks::with_room(100)));
        assert_eq!(spares.0.len(), SPARES_MAX);
        assert_eq!((spares.take().room(), spares.0.len()), (100, SPARES_MAX - 1));
        assert_eq!(Spares::default().take().room(), 0);
    }
}
