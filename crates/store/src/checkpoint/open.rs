//! Recovery: which checkpoint can be trusted.

use std::sync::Arc;

use super::reader::{Records, verify_frame};
use super::segment::{HEADER_BYTES, Header};
use super::shared::Shared;
use super::{CheckpointsConfig, Manifest};
use crate::disk::read_start;
use crate::name::{Kind, kind_of};
use crate::{Disk, Epoch, Folder, LogName, Name, Offset, SegmentId, StoreError};

/// A checkpoint that cannot be used, and why.
#[derive(Debug)]
pub struct Rejected {
    pub epoch: Epoch,
    pub reason: StoreError,
}

/// What opening the checkpoints found.
#[derive(Debug)]
pub struct Recovery {
    /// The newest checkpoint that verifies; `None` when none was ever published.
    pub manifest: Option<Manifest>,
    /// Those that do not verify, newest first. One newer than [`Recovery::manifest`] means that
    /// the state falls back: to be told to the user.
    pub rejected: Vec<Rejected>,
}

impl Recovery {
    /// Whether a newer checkpoint than the one used was found and could not be trusted.
    pub fn fell_back(&self) -> bool {
        let used = self.manifest.as_ref().map(|manifest| manifest.epoch);
        self.rejected.iter().any(|rejected| Some(rejected.epoch) > used)
    }
}

/// What the folder holds.
pub(super) struct Found {
    pub recovery: Recovery,
    /// The checkpoints that verify, oldest first.
    pub kept: Vec<Manifest>,
    pub shared: Arc<Shared>,
    /// The greatest epoch that has a manifest, sound or not.
    pub newest: Epoch,
}

pub(super) fn find(disk: Arc<dyn Disk>, config: CheckpointsConfig) -> Result<Found, StoreError> {
    disk.create_folder(&Folder::CHECKPOINTS)?;
    // A process that died may have left a published name that is not durable yet.
    disk.sync_folder(&Folder::CHECKPOINTS)?;
    let (segments, manifests) = list(&*disk)?;
    let newest = manifests.last().copied().unwrap_or_default();
    let last = segments.last().copied();
    let shared = Arc::new(Shared::new(disk, config, last, newest));
    if manifests.is_empty() {
        refuse_orphans(&shared, &segments)?;
    }
    let mut kept = Vec::new();
    let mut rejected = Vec::new();
    for &epoch in manifests.iter().rev() {
        // The one to be used is read whole; older ones share most of its segments.
        match verify(&shared, epoch, kept.is_empty()) {
            Ok(manifest) => kept.push(manifest),
            Err(reason) if reason.is_corruption() => rejected.push(Rejected { epoch, reason }),
            Err(error) => return Err(error),
        }
    }
    if kept.is_empty() && !rejected.is_empty() {
        let mut reasons: Vec<String> = rejected.iter().map(|one| one.reason.to_string()).collect();
        // All of them name an old segment, and it is the same one.
        reasons.dedup();
        let (count, reasons) = (rejected.len(), reasons.join("; "));
        let log_first = log_first(&*shared.disk)?;
        return Err(StoreError::NoCheckpoint { count, reasons, log_first });
    }
    let recovery = Recovery { manifest: kept.first().cloned(), rejected };
    kept.reverse();
    Ok(Found { recovery, kept, shared, newest })
}

/// The newest checkpoint that says what it is, for those who read beside a server: nothing is
/// changed, and its segments are not looked at.
///
/// # Errors
/// When the disk fails.
pub fn newest_manifest(disk: &dyn Disk) -> Result<Option<Manifest>, StoreError> {
    let (_, manifests) = list(disk)?;
    for epoch in manifests.into_iter().rev() {
        match manifest(disk, epoch) {
            Ok(manifest) => return Ok(Some(manifest)),
            Err(error) if error.is_corruption() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn manifest(disk: &dyn Disk, epoch: Epoch) -> Result<Manifest, StoreError> {
    let bytes = read_start(disk, &Name::manifest(epoch), Manifest::BYTES_MAX + 1)?;
    Manifest::decode(&bytes, epoch)
}

/// The segments and the manifests in the folder, ascending.
pub(super) fn list(disk: &dyn Disk) -> Result<(Vec<SegmentId>, Vec<Epoch>), StoreError> {
    let (mut segments, mut manifests) = (Vec::new(), Vec::new());
    for file in disk.list(&Folder::CHECKPOINTS)? {
        match kind_of(&file) {
            Kind::Segment(id) => segments.push(id),
            Kind::Manifest(epoch) => manifests.push(epoch),
            Kind::LogSegment(_) | Kind::Temporary | Kind::Foreign => {}
        }
    }
    segments.sort_unstable();
    manifests.sort_unstable();
    Ok((segments, manifests))
}

/// Without a manifest, segments may only be there from first checkpoints that never completed.
fn refuse_orphans(shared: &Shared, segments: &[SegmentId]) -> Result<(), StoreError> {
    for &segment in segments {
        let start = read_start(&*shared.disk, &Name::segment(segment), HEADER_BYTES)?;
        // A header that does not verify belongs to a file that was never finished.
        if let Ok(Header { after, .. }) = Header::decode(&start, segment)
            && after > Epoch(0)
        {
            let log_first = log_first(&*shared.disk)?;
            return Err(StoreError::ManifestsGone { segment, after, log_first });
        }
    }
    Ok(())
}

/// The first record that the event log keeps.
fn log_first(disk: &dyn Disk) -> Result<Option<Offset>, StoreError> {
    Ok(crate::log::segments(disk, &LogName::EVENTS)?.first().copied())
}

fn verify(shared: &Arc<Shared>, epoch: Epoch, whole: bool) -> Result<Manifest, StoreError> {
    let manifest = manifest(&*shared.disk, epoch)?;
    if whole {
        let mut records = Records::new(Arc::clone(shared), manifest.segments.clone());
        while records.next_record()?.is_some() {}
    } else {
        for segment in &manifest.segments {
            verify_frame(shared, *segment)?;
        }
    }
    Ok(manifest)
}
