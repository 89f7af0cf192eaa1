//! Finding out, at the start, what a log holds: which segments there are and where the last ends.

use std::sync::Arc;

use super::frame::FRAME_BYTES;
use super::scan::{Scan, Start, Step, read_header, read_last_header};
use super::{Log, LogConfig};
use crate::name::{Kind, kind_of};
use crate::{Disk, LogName, Name, Offset, StoreError};

/// What opening a log found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The first record that is kept, or the next one when there is none.
    pub first: Offset,
    /// The offset that the next record gets.
    pub next: Offset,
    /// What an earlier process had begun to write and was cut off.
    pub torn: Option<Torn>,
}

/// The end of a log that was being written when its process or the power ended. None of its
/// records was ever reported as durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Torn {
    pub segment: Name,
    /// Where the last whole record ends.
    pub at: u64,
    /// How many bytes follow.
    pub bytes: u64,
}

impl Torn {
    pub(super) fn at(scan: &Scan) -> Torn {
        let at = scan.position();
        Torn { segment: scan.name().clone(), at, bytes: scan.len().saturating_sub(at) }
    }

    pub(super) fn unfinished(log: &LogName, first: Offset, bytes: u64) -> Torn {
        Torn { segment: Name::log_segment(log, first), at: 0, bytes }
    }

    /// Whether it may have been more than a marker, which is not synced: a loss of power tears
    /// one off that nobody misses.
    pub fn is_worth_telling(&self) -> bool {
        self.bytes > FRAME_BYTES as u64
    }
}

/// The first offsets of a log's segments, ascending.
pub(crate) fn segments(disk: &dyn Disk, log: &LogName) -> Result<Vec<Offset>, StoreError> {
    let files = disk.list(&log.folder())?;
    let mut segments: Vec<Offset> = files
        .iter()
        .filter_map(|file| match kind_of(file) {
            Kind::LogSegment(first) => Some(first),
            Kind::Segment(_) | Kind::Manifest(_) | Kind::Temporary | Kind::Foreign => None,
        })
        .collect();
    segments.sort_unstable();
    Ok(segments)
}

/// See [`Log::open`].
pub(super) fn open(
    disk: Arc<dyn Disk>,
    name: &LogName,
    config: LogConfig,
    known_durable: Offset,
) -> Result<(Log, Opened), StoreError> {
    disk.create_folder(&name.folder())?;
    let mut segments = segments(&*disk, name)?;
    let mut torn = remove_unfinished(&*disk, name, &mut segments)?;
    let is_sealed = torn.is_some();
    let lost = |end| StoreError::LostRecords { log: name.to_string(), end, durable: known_durable };
    let Some(&last) = segments.last() else {
        if known_durable > Offset(0) {
            return Err(lost(Offset(0)));
        }
        let log = Log::start(disk, name.clone(), config)?;
        return Ok((log, Opened { first: Offset(0), next: Offset(0), torn }));
    };
    let header = read_header(&*disk, name, last)?;
    let mut scan = Scan::open(&*disk, name, last, header)?;
    let end = loop {
        match scan.step()? {
            Step::Record(_) => {}
            Step::End => break None,
            Step::Bad(why) => break Some(why),
        }
    };
    if let Some(why) = end {
        if is_sealed || scan.bad_frame_was_durable()? || scan.next() < known_durable {
            return Err(scan.corrupt(why));
        }
        torn = Some(Torn::at(&scan));
    }
    if scan.next() < known_durable {
        return Err(lost(scan.next()));
    }
    if end.is_some() {
        disk.truncate(scan.name(), scan.position())?;
    }
    let first = segments.first().copied().unwrap_or(last);
    let opened = Opened { first, next: scan.next(), torn };
    let log = Log::resume(disk, name.clone(), config, segments, &scan)?;
    Ok((log, opened))
}

/// Removes a last segment whose creation was interrupted. The one before it is complete then,
/// because it is synced before the next is created.
fn remove_unfinished(
    disk: &dyn Disk,
    name: &LogName,
    segments: &mut Vec<Offset>,
) -> Result<Option<Torn>, StoreError> {
    let Some(&last) = segments.last() else { return Ok(None) };
    match read_last_header(disk, name, last)? {
        Start::Sound(_) => Ok(None),
        Start::Unfinished { bytes } => {
            disk.remove(&Name::log_segment(name, last))?;
            disk.sync_folder(&name.folder())?;
            segments.pop();
            Ok(Some(Torn::unfinished(name, last, bytes)))
        }
    }
}
