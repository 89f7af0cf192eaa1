//! The log that a training set was read from: it may have grown since, but must be the same.

use std::path::Path;
use std::sync::Arc;

use millrace_store::{Access, FileDisk, LogName, LogReader, Offset};
use serde::{Deserialize, Serialize};

use crate::exit::Failure;

/// The last record that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogMark {
    /// How many records there were.
    pub records: u64,
    /// Of the bytes of the last.
    pub crc32: u32,
}

impl LogMark {
    /// Of so many records of the log of this data. Nothing if it does not have them, or no longer.
    pub fn of(dir: &Path, records: u64) -> Result<Option<LogMark>, Failure> {
        let Some(last) = records.checked_sub(1) else {
            return Ok(Some(LogMark { records, crc32: 0 }));
        };
        let disk = Arc::new(FileDisk::open(dir, Access::Read)?);
        let mut reader = match LogReader::open(disk, &LogName::EVENTS, Offset(last)) {
            Ok(reader) => reader,
            Err(millrace_store::StoreError::NoSuchOffset { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let found = reader.next_record()?.filter(|(offset, _)| *offset == Offset(last));
        Ok(found.map(|(_, bytes)| LogMark { records, crc32: crc32fast::hash(bytes) }))
    }

    /// Whether the log of this data still is the one that was read.
    pub fn check(self, dir: &Path) -> Result<(), String> {
        let now = LogMark::of(dir, self.records).map_err(|failure| failure.message)?;
        if now == Some(self) {
            return Ok(());
        }
        let (dir, records) = (dir.display(), self.records);
        Err(format!("the log of {dir} no longer has record {records} as it was read"))
    }
}
