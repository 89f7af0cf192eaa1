//! An append-only log of records in numbered segment files.
//!
//! ```text
//! append ─▶ buffer ──write──▶ file ──sync──▶ durable (acknowledge now)
//!                     roll at a size: sync the old file, then create the next
//! ```
//!
//! Only the last segment can end in the middle of a record, because a segment is synced before
//! the next one is created. Opening cuts such a torn tail off and reports it; a bad record that
//! had been durable is an error instead, and never skipped. Records are read again in order, from
//! any offset that is kept.
//!
//! Group commit belongs to the caller: append for many, sync once, acknowledge all.

mod frame;
mod open;
mod reader;
mod scan;

use std::ops::Range;
use std::sync::Arc;

pub(crate) use open::segments;
pub use open::{Opened, Torn};
pub use reader::LogReader;

use crate::disk::replace;
use crate::{Appender, Disk, LogName, Name, Offset, StoreError};
use frame::{HEADER_BYTES, Header};
use scan::{Scan, Step, read_header};

/// When a full buffer is written although nobody asked for a sync.
const WRITE_BYTES: usize = 256 << 10;

/// How a log is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// A segment that has grown to this size is closed and the next one begun. Retention removes
    /// whole segments, so this is also its grain; opening reads at most about this much.
    pub segment_bytes: u64,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig { segment_bytes: 64 << 20 }
    }
}

/// A log, open to append. One value owns the folder at a time.
#[derive(Debug)]
pub struct Log {
    disk: Arc<dyn Disk>,
    name: LogName,
    config: LogConfig,
    /// The first offsets of the segments, ascending; the last one is written.
    segments: Vec<Offset>,
    /// Bytes of each segment before the last.
    closed_bytes: Vec<u64>,
    file: Box<dyn Appender>,
    salt: u32,
    /// Bytes in the last segment, those in the buffer included.
    segment_bytes: u64,
    buffer: Vec<u8>,
    next: Offset,
    durable: Offset,
    /// Up to where the last segment says that its records are durable.
    marked: Offset,
    /// Why this log takes no more calls.
    failure: Option<String>,
}

impl Log {
    /// The longest record, in bytes.
    pub const RECORD_BYTES_MAX: usize = 32 << 20;

    /// Opens the log, or creates it where there is none. Everything it holds afterwards is durable.
    ///
    /// `known_durable` is an offset below which records are known to have been durable, for
    /// example from a checkpoint; 0 when nothing is known.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a durable record cannot be read, [`StoreError::LostRecords`]
    /// when the log ends before `known_durable`.
    pub fn open(
        disk: Arc<dyn Disk>,
        name: &LogName,
        config: LogConfig,
        known_durable: Offset,
    ) -> Result<(Log, Opened), StoreError> {
        open::open(disk, name, config, known_durable)
    }

    /// A log without records, from offset 0.
    fn start(disk: Arc<dyn Disk>, name: LogName, config: LogConfig) -> Result<Log, StoreError> {
        let (file, salt) = create_segment(&*disk, &name, Offset(0))?;
        Ok(Log {
            disk,
            name,
            config,
            segments: vec![Offset(0)],
            closed_bytes: Vec::new(),
            file,
            salt,
            segment_bytes: HEADER_BYTES as u64,
            buffer: Vec::new(),
            next: Offset(0),
            durable: Offset(0),
            marked: Offset(0),
            failure: None,
        })
    }

    /// Goes on behind a scan that reached the end of the last segment.
    fn resume(
        disk: Arc<dyn Disk>,
        name: LogName,
        config: LogConfig,
        segments: Vec<Offset>,
        scan: &Scan,
    ) -> Result<Log, StoreError> {
        // The tail may have been read from the system's cache and the name may be new: a process
        // that died can have left both without a sync, or after a sync that failed.
        disk.rewrite(scan.name(), scan.unmarked())?;
        let file = disk.append(scan.name())?;
        disk.sync_folder(&name.folder())?;
        let marked = segments.last().copied().unwrap_or_default();
        let closed = segments.iter().take(segments.len().saturating_sub(1));
        let bytes_of = |first: &Offset| disk.open(&Name::log_segment(&name, *first))?.len();
        let closed_bytes = closed.map(bytes_of).collect::<Result<_, _>>()?;
        Ok(Log {
            disk,
            name,
            config,
            segments,
            closed_bytes,
            file,
            salt: scan.salt(),
            segment_bytes: scan.position(),
            buffer: Vec::new(),
            next: scan.next(),
            durable: scan.next(),
            marked,
            failure: None,
        })
    }

    /// The first record that is kept; equal to [`Log::next`] when there is none.
    pub fn first(&self) -> Offset {
        self.segments.first().copied().unwrap_or(self.next)
    }

    /// The first offsets of the segments, ascending: where retention can cut.
    pub fn segments(&self) -> &[Offset] {
        &self.segments
    }

    /// Bytes of all segments that are kept.
    pub fn bytes(&self) -> u64 {
        self.closed_bytes.iter().sum::<u64>() + self.segment_bytes
    }

    /// From where on to keep the log so that at least the newest `bytes` stay, where there are so
    /// many: the first offset of a segment.
    pub fn newest(&self, bytes: u64) -> Offset {
        let mut kept = self.segment_bytes;
        let mut at = self.closed_bytes.len();
        while at > 0 && kept < bytes {
            at -= 1;
            kept += self.closed_bytes[at];
        }
        self.segments.get(at).copied().unwrap_or_default()
    }

    /// From where on to keep the log so that no more than the newest `bytes` stay, beside the last
    /// segment: the first offset of a segment.
    pub fn within(&self, bytes: u64) -> Offset {
        let mut kept = self.segment_bytes;
        let fits = |closed: &&u64| {
            kept += **closed;
            kept <= bytes
        };
        let count = self.closed_bytes.iter().rev().take_while(fits).count();
        self.segments.get(self.closed_bytes.len() - count).copied().unwrap_or_default()
    }

    /// The offset that the next record gets.
    pub fn next(&self) -> Offset {
        self.next
    }

    /// Every record below this offset survives a loss of power.
    pub fn durable(&self) -> Offset {
        self.durable
    }

    /// Takes the records into the log's buffer and says which offsets they got. They are durable,
    /// and readable, after the next [`Log::sync`].
    ///
    /// # Errors
    /// [`StoreError::RecordTooLong`], and then none of them was taken; or the write failed, and
    /// the log is closed.
    pub fn append(&mut self, records: &[&[u8]]) -> Result<Range<Offset>, StoreError> {
        self.check_open()?;
        let limit = Log::RECORD_BYTES_MAX;
        if let Some(long) = records.iter().find(|record| record.len() > limit) {
            return Err(StoreError::RecordTooLong { given: long.len(), limit });
        }
        let first = self.next;
        let taken = records.iter().try_for_each(|record| self.append_record(record));
        self.remember(taken)?;
        Ok(first..self.next)
    }

    /// Makes all records durable and returns the offset behind the last.
    ///
    /// # Errors
    /// When the disk failed: the log is closed, and what was not durable before may or may not be.
    pub fn sync(&mut self) -> Result<Offset, StoreError> {
        self.check_open()?;
        let synced = if self.durable < self.next { self.write_and_sync() } else { Ok(()) };
        self.remember(synced)?;
        Ok(self.durable)
    }

    /// Hands all records to the operating system: from then on a kill of this process loses none
    /// of them, and readers without a [`Log`] see them. A loss of power may, before [`Log::sync`].
    ///
    /// # Errors
    /// When the write failed: the log is closed.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.check_open()?;
        let written = self.write();
        self.remember(written)
    }

    /// Says in the file which records are durable, so that later damage to the last ones cannot be
    /// taken for an unfinished write. The next record would say so; this is for when none comes. It
    /// is written, and needs no sync.
    ///
    /// # Errors
    /// When the write failed: the log is closed.
    pub fn mark(&mut self) -> Result<(), StoreError> {
        self.check_open()?;
        if self.marked >= self.durable {
            return Ok(());
        }
        self.push_marker();
        let written = self.write();
        self.remember(written)
    }

    /// Takes note that records below this offset were synced by another handle of the file.
    pub fn note_durable(&mut self, below: Offset) {
        self.durable = self.durable.max(below.min(self.next));
    }

    /// Closes the last segment and begins the next, unless the last one has no record yet.
    ///
    /// # Errors
    /// As [`Log::sync`].
    pub fn begin_segment(&mut self) -> Result<(), StoreError> {
        self.check_open()?;
        let is_empty = self.segments.last() >= Some(&self.next);
        let begun = if is_empty { Ok(()) } else { self.roll() };
        self.remember(begun)
    }

    /// Reads the durable records from an offset on.
    ///
    /// # Errors
    /// [`StoreError::NoSuchOffset`] when `from` is not between [`Log::first`] and
    /// [`Log::durable`].
    pub fn reader(&self, from: Offset) -> Result<LogReader, StoreError> {
        self.check_open()?;
        let segments = self.segments.clone();
        LogReader::new(Arc::clone(&self.disk), &self.name, segments, from, Some(self.durable))
    }

    /// Removes the segments that hold only records below the offset, and returns how many. The
    /// last segment always stays.
    ///
    /// # Errors
    /// When the disk failed; the log is closed.
    pub fn remove_before(&mut self, offset: Offset) -> Result<usize, StoreError> {
        self.check_open()?;
        let done = self.segments.iter().skip(1).take_while(|first| **first <= offset).count();
        // Oldest first and each one durably, so that what is left has no gap.
        let removed = (0..done).try_for_each(|_| {
            self.remove_segment(self.first())?;
            self.segments.remove(0);
            self.closed_bytes.remove(0);
            Ok(())
        });
        self.remember(removed)?;
        Ok(done)
    }

    /// Removes the records from the offset on, durably; the next record gets this offset. Of a log
    /// that begins only behind it, all are removed.
    ///
    /// # Errors
    /// [`StoreError::NoSuchOffset`] when the offset is beyond [`Log::next`]. When the disk failed
    /// the log is closed.
    pub fn truncate_to(&mut self, offset: Offset) -> Result<(), StoreError> {
        self.check_open()?;
        let (first, next) = (self.first(), self.next);
        if offset > next {
            let log = self.name.to_string();
            return Err(StoreError::NoSuchOffset { log, given: offset, first, next });
        }
        let cut = if offset < first { self.start_again(offset) } else { self.cut(offset) };
        self.remember(cut)
    }

    /// Makes all records durable and says so in the file, so that later damage to the very last
    /// records cannot be taken for an unfinished write.
    ///
    /// # Errors
    /// When the disk failed.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.sync()?;
        if self.marked < self.durable {
            self.push_marker();
            self.write_and_sync()?;
        }
        Ok(())
    }

    fn check_open(&self) -> Result<(), StoreError> {
        match &self.failure {
            None => Ok(()),
            Some(cause) => {
                let what = format!("log {}", self.name);
                Err(StoreError::Poisoned { what, cause: cause.clone() })
            }
        }
    }

    /// After a failure nothing is known about the files until they are read again.
    fn remember<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            self.failure = Some(error.to_string());
        }
        result
    }

    fn append_record(&mut self, record: &[u8]) -> Result<(), StoreError> {
        if self.segment_bytes >= self.config.segment_bytes
            && self.segments.last() < Some(&self.next)
        {
            self.roll()?;
        }
        if self.marked < self.durable {
            self.push_marker();
        }
        let before = self.buffer.len();
        frame::push_record(&mut self.buffer, self.salt, self.next, record);
        self.next = Offset(self.next.0 + 1);
        self.segment_bytes += (self.buffer.len() - before) as u64;
        if self.buffer.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn push_marker(&mut self) {
        let before = self.buffer.len();
        frame::push_marker(&mut self.buffer, self.salt, self.durable);
        self.segment_bytes += (self.buffer.len() - before) as u64;
        self.marked = self.durable;
    }

    fn write(&mut self) -> Result<(), StoreError> {
        if !self.buffer.is_empty() {
            self.file.append(&self.buffer)?;
            self.buffer.clear();
            self.buffer.shrink_to(4 * WRITE_BYTES);
        }
        Ok(())
    }

    fn write_and_sync(&mut self) -> Result<(), StoreError> {
        self.write()?;
        self.file.sync()?;
        self.durable = self.next;
        Ok(())
    }

    fn roll(&mut self) -> Result<(), StoreError> {
        self.write_and_sync()?;
        (self.file, self.salt) = create_segment(&*self.disk, &self.name, self.next)?;
        self.segments.push(self.next);
        self.closed_bytes.push(self.segment_bytes);
        self.segment_bytes = HEADER_BYTES as u64;
        self.marked = self.next;
        Ok(())
    }

    fn remove_segment(&self, first: Offset) -> Result<(), StoreError> {
        self.disk.remove(&Name::log_segment(&self.name, first))?;
        Ok(self.disk.sync_folder(&self.name.folder())?)
    }

    /// The new segment is there, at once, before the first old one goes: there is always one, and
    /// what an end in between leaves behind it is removed when this is done again.
    fn start_again(&mut self, offset: Offset) -> Result<(), StoreError> {
        let header = Header::new(&*self.disk, offset)?.encode(&self.name);
        replace(&*self.disk, &Name::log_segment(&self.name, offset), &header)?;
        self.segments.insert(0, offset);
        self.cut(offset)
    }

    fn cut(&mut self, offset: Offset) -> Result<(), StoreError> {
        self.write()?;
        // Newest first and each one durably, so that what is left has no gap.
        while let [.., _, last] = self.segments[..] {
            if last < offset {
                break;
            }
            self.remove_segment(last)?;
            self.segments.pop();
        }
        let last = self.segments.last().copied().unwrap_or_default();
        let header = read_header(&*self.disk, &self.name, last)?;
        let mut scan = Scan::open(&*self.disk, &self.name, last, header)?;
        while scan.next() < offset {
            match scan.step()? {
                Step::Record(_) => {}
                Step::End => return Err(scan.corrupt("the segment ends before its last record")),
                Step::Bad(why) => return Err(scan.corrupt(why)),
            }
        }
        self.disk.truncate(scan.name(), scan.position())?;
        let (disk, name) = (Arc::clone(&self.disk), self.name.clone());
        *self = Log::resume(disk, name, self.config, std::mem::take(&mut self.segments), &scan)?;
        Ok(())
    }
}

/// Creates a segment whose header and name are durable, so that a bad header behind which there
/// are records is always damage.
fn create_segment(
    disk: &dyn Disk,
    log: &LogName,
    first: Offset,
) -> Result<(Box<dyn Appender>, u32), StoreError> {
    let header = Header::new(disk, first)?;
    let mut file = disk.create(&Name::log_segment(log, first))?;
    file.append(&header.encode(log))?;
    file.sync()?;
    disk.sync_folder(&log.folder())?;
    Ok((file, header.salt))
}
