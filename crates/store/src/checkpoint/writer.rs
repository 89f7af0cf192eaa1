//! Writing the records of one checkpoint.

use std::sync::Arc;

use crc32fast::Hasher;

use super::record::{self, KEY_BYTES_MAX, VALUE_BYTES_MAX};
use super::segment::{FOOTER_BYTES, Footer, HEADER_BYTES, Header};
use super::shared::Shared;
use super::{Change, Location, Segment, Table};
use crate::parse::crc32;
use crate::{Appender, Epoch, Name, SegmentId, StoreError};

/// When a full buffer is written.
const WRITE_BYTES: usize = 256 << 10;

/// Puts changed keys into new segments.
///
/// It holds at most one file open and begins the next when one is full. Several may write for one
/// checkpoint at the same time, from different threads, as long as they write different keys.
/// Within one writer a later record overrides an earlier one.
///
/// A writer that is dropped before [`CheckpointWriter::finish`] leaves files that belong to no
/// checkpoint; they go with the next publication or with [`super::Checkpoints::abandon`].
#[derive(Debug)]
pub struct CheckpointWriter {
    shared: Arc<Shared>,
    epoch: Epoch,
    current: Option<Open>,
    finished: Vec<Segment>,
    /// Why this writer takes no more calls.
    failure: Option<String>,
}

/// The segment that is being written.
#[derive(Debug)]
struct Open {
    id: SegmentId,
    file: Box<dyn Appender>,
    buffer: Vec<u8>,
    written: u64,
    records: u64,
    crc: Hasher,
}

impl CheckpointWriter {
    pub(super) fn new(shared: Arc<Shared>, epoch: Epoch) -> CheckpointWriter {
        CheckpointWriter { shared, epoch, current: None, finished: Vec::new(), failure: None }
    }

    /// Records the key's new value and returns where it lies; it can be read from there after
    /// [`CheckpointWriter::finish`].
    ///
    /// # Errors
    /// When key or value are over their limits, and then nothing was written; or the disk failed,
    /// and the writer is closed.
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<Location, StoreError> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(StoreError::ValueTooLong { given: value.len(), limit: VALUE_BYTES_MAX });
        }
        self.record(table, key, Change::Put(value))
    }

    /// Records that the key is gone.
    ///
    /// # Errors
    /// As for [`CheckpointWriter::put`].
    pub fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.record(table, key, Change::Delete).map(|_| ())
    }

    /// Makes all records durable. The segments become part of the state when they are published;
    /// there are none when nothing was recorded.
    ///
    /// # Errors
    /// When the disk failed, now or before.
    pub fn finish(mut self) -> Result<Vec<Segment>, StoreError> {
        self.check_open()?;
        self.finish_current()?;
        Ok(self.finished)
    }

    fn record(
        &mut self,
        table: Table,
        key: &[u8],
        change: Change<'_>,
    ) -> Result<Location, StoreError> {
        self.check_open()?;
        if key.len() > KEY_BYTES_MAX {
            return Err(StoreError::KeyTooLong { given: key.len(), limit: KEY_BYTES_MAX });
        }
        let pushed = self.push(table, key, change);
        if let Err(error) = &pushed {
            self.failure = Some(error.to_string());
        }
        pushed
    }

    fn push(
        &mut self,
        table: Table,
        key: &[u8],
        change: Change<'_>,
    ) -> Result<Location, StoreError> {
        if self.current.as_ref().is_some_and(|open| open.len() >= self.shared.config.segment_bytes)
        {
            self.finish_current()?;
        }
        let open = match &mut self.current {
            Some(open) => open,
            None => self.current.insert(Open::create(&self.shared, self.epoch)?),
        };
        let offset = open.len();
        let len = record::push(&mut open.buffer, open.id, table, key, change);
        open.records += 1;
        let location = Location { segment: open.id, offset, len };
        if open.buffer.len() >= WRITE_BYTES {
            open.write()?;
        }
        Ok(location)
    }

    fn check_open(&self) -> Result<(), StoreError> {
        match &self.failure {
            None => Ok(()),
            Some(cause) => {
                let what = format!("the writer of checkpoint {}", self.epoch);
                Err(StoreError::Poisoned { what, cause: cause.clone() })
            }
        }
    }

    fn finish_current(&mut self) -> Result<(), StoreError> {
        if let Some(open) = self.current.take() {
            self.finished.push(open.finish()?);
        }
        Ok(())
    }
}

impl Open {
    fn create(shared: &Shared, epoch: Epoch) -> Result<Open, StoreError> {
        let (id, after) = shared.next_segment(epoch)?;
        let file = shared.disk.create(&Name::segment(id))?;
        let mut buffer = Vec::with_capacity(WRITE_BYTES + (WRITE_BYTES >> 2));
        buffer.extend_from_slice(&Header { id, epoch, after }.encode());
        debug_assert_eq!(buffer.len(), HEADER_BYTES);
        Ok(Open { id, file, buffer, written: 0, records: 0, crc: Hasher::new() })
    }

    fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.crc.update(&self.buffer);
        self.file.append(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Segment, StoreError> {
        self.write()?;
        let footer = Footer {
            records: self.records,
            body_bytes: self.written,
            body_crc: self.crc.clone().finalize(),
        };
        let footer = footer.encode();
        self.file.append(&footer)?;
        self.file.sync()?;
        let footer_crc = crc32(&footer[..FOOTER_BYTES - 4]);
        let bytes = self.written + FOOTER_BYTES as u64;
        let records = self.records;
        Ok(Segment { id: self.id, bytes, records, live_bytes: bytes, footer_crc })
    }
}
