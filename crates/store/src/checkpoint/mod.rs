//! Checkpoints: immutable segments of key-state records, and manifests that publish them.
//!
//! ```text
//! begin ─▶ put, delete ─▶ finish ─┐ sync            ┌─▶ older manifests and segments removed
//! begin ─▶ put, delete ─▶ finish ─┴─▶ publish: manifest.tmp ─ sync ─ rename ─ sync folder
//! ```
//!
//! A checkpoint records what changed since the one before; the state is what all its segments say,
//! oldest first. Nothing is ever overwritten: a checkpoint exists from the moment in which its
//! manifest has its name, and until then the one before it is the newest. The last
//! [`MANIFESTS_KEPT`] stay with all their segments, so that damage to the newest costs a replay
//! and not the state.
//!
//! Records stay where they were written, so a [`Location`] can stand in memory for a cold value.
//! Cleaning (see `live.rs`) keeps the files below about twice the live bytes.

mod live;
mod manifest;
mod open;
mod reader;
mod record;
mod segment;
mod shared;
mod writer;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use live::{LiveBytes, SMALL_SEGMENTS_MAX, Tombstones, Victim};
pub use manifest::Manifest;
pub use open::{Recovery, Rejected, newest_manifest};
pub use reader::{BlockReader, Records};
pub use record::{Change, KEY_BYTES_MAX, Location, Record, Table, VALUE_BYTES_MAX};
pub use segment::Segment;
pub use writer::CheckpointWriter;

use crate::disk::replace;
use crate::name::{Kind, kind_of};
use crate::{Disk, Epoch, Folder, Name, SegmentId, StoreError};
use shared::Shared;

/// How many published checkpoints are kept.
pub const MANIFESTS_KEPT: usize = 3;

/// How checkpoints are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckpointsConfig {
    /// A segment that has grown to this size is finished and the next one begun. Cleaning
    /// retires whole segments, so this is also its grain.
    pub segment_bytes: u64,
    /// About how many bytes of records one checkpoint rewrites to clean, at most. A segment's
    /// worth is always allowed, so that cleaning makes progress.
    pub rewrite_bytes_max: u64,
}

impl Default for CheckpointsConfig {
    fn default() -> CheckpointsConfig {
        CheckpointsConfig { segment_bytes: 64 << 20, rewrite_bytes_max: 128 << 20 }
    }
}

/// The checkpoints of one data directory. One value owns the folder at a time.
#[derive(Debug)]
pub struct Checkpoints {
    shared: Arc<Shared>,
    /// The published checkpoints that are kept, oldest first.
    kept: Vec<Manifest>,
    /// The greatest epoch in the folder, whether its manifest is sound or not.
    newest: Epoch,
    /// Why no more checkpoints are taken.
    failure: Option<String>,
}

/// A checkpoint to be published.
#[derive(Debug)]
pub struct Publication<'a> {
    /// Greater than every one before; [`Checkpoints::next_epoch`] gives one.
    pub epoch: Epoch,
    /// What the writers of this epoch finished.
    pub segments: Vec<Segment>,
    /// Segments of the newest checkpoint that this one leaves out, because their live records
    /// are in `segments`.
    pub retired: &'a [SegmentId],
    /// Of the state as of this checkpoint.
    pub live: &'a LiveBytes,
    /// The caller's own bytes, at most [`Manifest::META_BYTES_MAX`].
    pub meta: Vec<u8>,
}

/// What became of a publication.
#[derive(Debug)]
pub struct Published {
    /// How many files were removed that no kept checkpoint needs.
    pub removed: usize,
    /// Why some could not be removed. The checkpoint is durable nevertheless, and the next one
    /// tries again.
    pub cleanup: Option<StoreError>,
}

impl Checkpoints {
    /// Opens the checkpoints, or creates the folder where there is none, and finds the newest one
    /// that verifies: its manifest and every byte of its segments.
    ///
    /// # Errors
    /// [`StoreError::NoCheckpoint`] or [`StoreError::ManifestsGone`] when there were checkpoints
    /// and none can be trusted: the state is never silently empty.
    pub fn open(
        disk: Arc<dyn Disk>,
        config: CheckpointsConfig,
    ) -> Result<(Checkpoints, Recovery), StoreError> {
        let found = open::find(disk, config)?;
        let (shared, kept, newest) = (found.shared, found.kept, found.newest);
        Ok((Checkpoints { shared, kept, newest, failure: None }, found.recovery))
    }

    /// The newest checkpoint.
    pub fn current(&self) -> Option<&Manifest> {
        self.kept.last()
    }

    /// All checkpoints that a restart may use, oldest first. Logs must keep what the oldest of
    /// them needs to be brought up to date.
    pub fn kept(&self) -> &[Manifest] {
        &self.kept
    }

    /// An epoch that follows every other.
    pub fn next_epoch(&self) -> Epoch {
        Epoch(self.newest.0 + 1)
    }

    /// All records of the newest checkpoint, oldest segment first: apply them in order, and the
    /// last word on each key is its state.
    pub fn records(&self) -> Records {
        let segments = self.current().map(|manifest| manifest.segments.clone());
        Records::new(Arc::clone(&self.shared), segments.unwrap_or_default())
    }

    /// All records of one segment of the newest checkpoint, to rewrite those that are live.
    ///
    /// # Errors
    /// [`StoreError::WrongSegment`] when the newest checkpoint does not have it.
    pub fn records_of(&self, segment: SegmentId) -> Result<Records, StoreError> {
        let segments = self.current().map_or(&[][..], |manifest| &manifest.segments);
        let why = "the newest checkpoint does not have it";
        let found = segments.iter().find(|one| one.id == segment);
        let found = found.ok_or(StoreError::WrongSegment { segment, why })?;
        Ok(Records::new(Arc::clone(&self.shared), vec![*found]))
    }

    /// Reads single records.
    pub fn reader(&self) -> BlockReader {
        BlockReader::new(Arc::clone(&self.shared))
    }

    /// The segments to retire with the next checkpoint, oldest first. For each of them, before
    /// that checkpoint is published: read [`Checkpoints::records_of`], put again what is still
    /// current at its location, and mind [`Victim::tombstones`].
    pub fn victims(&self, live: &LiveBytes) -> Vec<Victim> {
        let segments = self.current().map_or(&[][..], |manifest| &manifest.segments);
        let segments: Vec<Segment> =
            segments.iter().map(|one| Segment { live_bytes: live.of(one.id), ..*one }).collect();
        let CheckpointsConfig { segment_bytes, rewrite_bytes_max } = self.shared.config;
        live::victims(&segments, live::Budget { segment_bytes, rewrite_bytes: rewrite_bytes_max })
    }

    /// Begins to write a checkpoint; may be called several times for one epoch, see
    /// [`CheckpointWriter`].
    ///
    /// # Errors
    /// [`StoreError::StaleEpoch`] when the epoch does not follow every other.
    pub fn begin(&self, epoch: Epoch) -> Result<CheckpointWriter, StoreError> {
        self.check(epoch)?;
        Ok(CheckpointWriter::new(Arc::clone(&self.shared), epoch))
    }

    /// Gives up a checkpoint, for example after its writer met a full disk: removes what was
    /// written for it.
    ///
    /// # Errors
    /// When a file could not be removed; it goes with the next publication or after a restart.
    pub fn abandon(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.check(epoch)?;
        for segment in self.shared.begun_for(epoch) {
            self.shared.close_file(segment);
            match self.shared.disk.remove(&Name::segment(segment)) {
                Ok(()) => {}
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
            self.shared.forget_begun(segment);
        }
        Ok(())
    }

    /// Makes the checkpoint the newest one, durably and at once, and removes what no kept
    /// checkpoint needs.
    ///
    /// # Errors
    /// When the publication is not possible, and nothing changed; or the disk failed, and then it
    /// is unknown which checkpoint is the newest until the folder is opened again.
    pub fn publish(&mut self, publication: Publication<'_>) -> Result<Published, StoreError> {
        self.check(publication.epoch)?;
        let manifest = self.manifest(publication)?;
        let bytes = manifest.encode()?;
        let disk = &*self.shared.disk;
        // The names of the segments are durable before a manifest can refer to them.
        let published = disk
            .sync_folder(&Folder::CHECKPOINTS)
            .and_then(|()| replace(disk, &Name::manifest(manifest.epoch), &bytes));
        if let Err(error) = published {
            self.failure = Some(error.to_string());
            return Err(error.into());
        }
        self.newest = manifest.epoch;
        self.shared.settle(manifest.epoch);
        self.kept.push(manifest);
        let too_many = self.kept.len().saturating_sub(MANIFESTS_KEPT);
        self.kept.drain(..too_many);
        let mut removed = 0;
        let cleanup = self.remove_unneeded(&mut removed).err();
        Ok(Published { removed, cleanup })
    }

    fn check(&self, epoch: Epoch) -> Result<(), StoreError> {
        if let Some(cause) = &self.failure {
            let what = "the checkpoint folder".to_owned();
            return Err(StoreError::Poisoned { what, cause: cause.clone() });
        }
        if epoch <= self.newest {
            return Err(StoreError::StaleEpoch { given: epoch, newest: self.newest });
        }
        Ok(())
    }

    /// The segments of the newest checkpoint without the retired ones, then the new ones.
    fn manifest(&self, publication: Publication<'_>) -> Result<Manifest, StoreError> {
        let Publication { epoch, segments: added, retired, live, meta } = publication;
        let mut segments = self.current().map_or(Vec::new(), |newest| newest.segments.clone());
        for &segment in retired {
            let why = "it is retired, but the newest checkpoint does not have it";
            let at = segments.iter().position(|one| one.id == segment);
            segments.remove(at.ok_or(StoreError::WrongSegment { segment, why })?);
        }
        for one in &added {
            if !self.shared.is_begun(one.id) {
                let why = "it was not written since the last checkpoint";
                return Err(StoreError::WrongSegment { segment: one.id, why });
            }
        }
        segments.extend(added);
        segments.sort_by_key(|one| one.id);
        let twice = segments.windows(2).find(|pair| pair[0].id == pair[1].id);
        if let Some([segment, _]) = twice {
            let why = "it is there twice";
            return Err(StoreError::WrongSegment { segment: segment.id, why });
        }
        for segment in &mut segments {
            segment.live_bytes = live.of(segment.id);
        }
        Ok(Manifest { epoch, segments, meta })
    }

    /// Removes manifests that are not kept, segments that no kept one needs, and what an
    /// interrupted publication left.
    fn remove_unneeded(&self, removed: &mut usize) -> Result<(), StoreError> {
        let disk = &*self.shared.disk;
        let epochs: BTreeSet<Epoch> = self.kept.iter().map(|one| one.epoch).collect();
        let needed: BTreeSet<SegmentId> =
            self.kept.iter().flat_map(|one| &one.segments).map(|one| one.id).collect();
        let (mut manifests, mut segments) = (Vec::new(), Vec::new());
        for file in disk.list(&Folder::CHECKPOINTS)? {
            match kind_of(&file) {
                Kind::Manifest(epoch) if !epochs.contains(&epoch) => {
                    manifests.push(Name::manifest(epoch));
                }
                Kind::Temporary => manifests.push(Name::in_folder(&Folder::CHECKPOINTS, file)),
                Kind::Segment(id) if !needed.contains(&id) && !self.shared.is_begun(id) => {
                    self.shared.close_file(id);
                    segments.push(Name::segment(id));
                }
                Kind::Manifest(_) | Kind::Segment(_) | Kind::LogSegment(_) | Kind::Foreign => {}
            }
        }
        let mut remove = |names: &[Name]| {
            names.iter().try_for_each(|name| disk.remove(name).inspect(|()| *removed += 1))
        };
        remove(&manifests)?;
        if !manifests.is_empty() && !segments.is_empty() {
            // No manifest may come back, after a loss of power, without its segments.
            disk.sync_folder(&Folder::CHECKPOINTS)?;
        }
        Ok(remove(&segments)?)
    }
}
