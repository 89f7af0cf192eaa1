//! What a checkpoint folder's owner, its writers and its readers share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::CheckpointsConfig;
use crate::{Disk, Epoch, Name, Readable, SegmentId, StoreError};

/// The most segment files that stay open to be read.
const OPEN_FILES_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Shared {
    pub disk: Arc<dyn Disk>,
    pub config: CheckpointsConfig,
    numbers: Mutex<Numbers>,
    files: Mutex<BTreeMap<SegmentId, Arc<dyn Readable>>>,
}

#[derive(Debug)]
struct Numbers {
    /// The id of the next segment; `None` when all are used up.
    next: Option<u32>,
    /// The newest published checkpoint.
    published: Epoch,
    /// The segments begun since the start that no publication has settled.
    begun: BTreeMap<SegmentId, Epoch>,
}

impl Shared {
    /// `last`: the greatest segment id that was ever seen.
    pub fn new(
        disk: Arc<dyn Disk>,
        config: CheckpointsConfig,
        last: Option<SegmentId>,
        published: Epoch,
    ) -> Shared {
        let next = last.map_or(Some(1), |last| last.0.checked_add(1));
        let numbers = Mutex::new(Numbers { next, published, begun: BTreeMap::new() });
        Shared { disk, config, numbers, files: Mutex::default() }
    }

    /// The id of a new segment, and the newest checkpoint that it comes after.
    pub fn next_segment(&self, epoch: Epoch) -> Result<(SegmentId, Epoch), StoreError> {
        let mut numbers = lock(&self.numbers);
        let id = numbers.next.ok_or(StoreError::SegmentsExhausted)?;
        numbers.next = id.checked_add(1);
        numbers.begun.insert(SegmentId(id), epoch);
        Ok((SegmentId(id), numbers.published))
    }

    /// The segments that were begun for this checkpoint and not settled.
    pub fn begun_for(&self, epoch: Epoch) -> Vec<SegmentId> {
        let numbers = lock(&self.numbers);
        numbers.begun.iter().filter(|(_, of)| **of == epoch).map(|(id, _)| *id).collect()
    }

    pub fn forget_begun(&self, segment: SegmentId) {
        lock(&self.numbers).begun.remove(&segment);
    }

    /// Whether the segment may still become part of a later checkpoint.
    pub fn is_begun(&self, segment: SegmentId) -> bool {
        lock(&self.numbers).begun.contains_key(&segment)
    }

    /// The checkpoint was published: segments begun for it, or before it, are part of it or waste.
    pub fn settle(&self, epoch: Epoch) {
        let mut numbers = lock(&self.numbers);
        numbers.published = epoch;
        numbers.begun.retain(|_, of| *of > epoch);
    }

    /// The segment's file, opened once.
    pub fn file(&self, segment: SegmentId) -> Result<Arc<dyn Readable>, StoreError> {
        if let Some(file) = lock(&self.files).get(&segment) {
            return Ok(Arc::clone(file));
        }
        let file = self.disk.open(&Name::segment(segment))?;
        let mut files = lock(&self.files);
        if files.len() >= OPEN_FILES_MAX {
            // The oldest segment is the next to be retired.
            files.pop_first();
        }
        files.insert(segment, Arc::clone(&file));
        Ok(file)
    }

    /// Closes the file of a segment that is removed.
    pub fn close_file(&self, segment: SegmentId) {
        lock(&self.files).remove(&segment);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
