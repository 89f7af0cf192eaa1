//! Reading records in order, from an offset to the end.

use std::sync::Arc;

use super::open::{Torn, segments};
use super::scan::{Scan, Start, Step, read_header, read_last_header};
use crate::{Disk, LogName, Offset, StoreError};

/// Reads the records of a log in order, across its segments, with a bounded buffer.
///
/// It may stand beside a [`super::Log`] that goes on writing, also in another process: it sees the
/// segments that were there when it was made.
#[derive(Debug)]
pub struct LogReader {
    disk: Arc<dyn Disk>,
    log: LogName,
    segments: Vec<Offset>,
    /// The segment that is read, as an index; those before it are done.
    segment: usize,
    scan: Option<Scan>,
    from: Offset,
    /// Where to stop, when the end is known.
    until: Option<Offset>,
    /// Records below were durable once.
    durable: Offset,
    /// Behind the last record of the segments that are done.
    end: Offset,
    torn: Option<Torn>,
}

impl LogReader {
    /// Reads without a [`super::Log`]: up to the last whole record that is there now.
    ///
    /// # Errors
    /// [`StoreError::NoSuchOffset`] when `from` is below the first offset that is kept.
    pub fn open(disk: Arc<dyn Disk>, log: &LogName, from: Offset) -> Result<LogReader, StoreError> {
        let segments = segments(&*disk, log)?;
        LogReader::new(disk, log, segments, from, None)
    }

    pub(super) fn new(
        disk: Arc<dyn Disk>,
        log: &LogName,
        segments: Vec<Offset>,
        from: Offset,
        until: Option<Offset>,
    ) -> Result<LogReader, StoreError> {
        let first = segments.first().copied().unwrap_or_default();
        let next = until.or(segments.last().copied()).unwrap_or_default();
        if from < first || until.is_some_and(|until| from > until) {
            return Err(StoreError::NoSuchOffset {
                log: log.to_string(),
                given: from,
                first,
                next,
            });
        }
        let segment = segments.partition_point(|first| *first <= from).saturating_sub(1);
        let (log, durable, end) = (log.clone(), Offset(0), first);
        let scan = None;
        Ok(LogReader { disk, log, segments, segment, scan, from, until, durable, end, torn: None })
    }

    /// Records below are known to have been durable, for example from a checkpoint: a log that ends
    /// before is then an error, [`StoreError::LostRecords`], when its end is reached.
    pub fn known_durable(mut self, below: Offset) -> LogReader {
        self.durable = below;
        self
    }

    /// The next record, or `None` at the end.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when bytes that had been durable cannot be read. A tail that was
    /// being written when its writer ended is no error: see [`LogReader::torn`].
    pub fn next_record(&mut self) -> Result<Option<(Offset, &[u8])>, StoreError> {
        let found = self.find_record()?;
        let payload = self.scan.as_ref().map(Scan::payload);
        Ok(found.zip(payload))
    }

    /// Goes on behind a segment that could not be read to its end, as far as there is one: the
    /// offsets that are passed over, without their end where that is not known.
    ///
    /// For those who look at a log that is damaged already. An engine never does: it would count on
    /// events that it did not see.
    pub fn skip_segment(&mut self) -> (Offset, Option<Offset>) {
        let begun = self.segments.get(self.segment).copied().unwrap_or_default();
        let next = self.scan.take().map_or(begun, |scan| scan.next()).max(self.from);
        self.segment += 1;
        (next, self.segments.get(self.segment).copied().or(self.until))
    }

    /// Where an unfinished write was found at the end, once the end was reached.
    pub fn torn(&self) -> Option<&Torn> {
        self.torn.as_ref()
    }

    /// Steps to the next record that is asked for; the scan then stands behind it.
    fn find_record(&mut self) -> Result<Option<Offset>, StoreError> {
        let (from, until) = (self.from, self.until);
        loop {
            let Some(scan) = self.current_scan()? else { return self.end_log() };
            let next = scan.next();
            if until.is_some_and(|until| next >= until) {
                return Ok(None);
            }
            match scan.step()? {
                Step::Record(offset) if offset >= from => return Ok(Some(offset)),
                Step::Record(_) => {}
                Step::End => self.end_segment(next)?,
                Step::Bad(why) => self.end_at_bad_frame(why)?,
            }
        }
    }

    fn end_log(&self) -> Result<Option<Offset>, StoreError> {
        if self.end < self.durable {
            let (log, end) = (self.log.to_string(), self.end);
            return Err(StoreError::LostRecords { log, end, durable: self.durable });
        }
        Ok(None)
    }

    /// The scan of the segment that is read; `None` behind the last one.
    fn current_scan(&mut self) -> Result<Option<&mut Scan>, StoreError> {
        let Some(&first) = self.segments.get(self.segment) else { return Ok(None) };
        if self.scan.is_none() {
            let start = if self.is_last() && self.until.is_none() {
                read_last_header(&*self.disk, &self.log, first)?
            } else {
                Start::Sound(read_header(&*self.disk, &self.log, first)?)
            };
            match start {
                Start::Sound(header) => {
                    self.scan = Some(Scan::open(&*self.disk, &self.log, first, header)?);
                }
                Start::Unfinished { bytes } => {
                    self.end = first;
                    self.torn = Some(Torn::unfinished(&self.log, first, bytes));
                    self.segment = self.segments.len();
                }
            }
        }
        Ok(self.scan.as_mut())
    }

    fn is_last(&self) -> bool {
        self.segment + 1 == self.segments.len()
    }

    fn end_segment(&mut self, next: Offset) -> Result<(), StoreError> {
        let expected = if self.is_last() { self.until } else { None };
        let follows = self.segments.get(self.segment + 1).copied().or(expected);
        match follows {
            Some(to) if to != next => {
                Err(StoreError::MissingRecords { log: self.log.to_string(), from: next, to })
            }
            Some(_) | None => {
                self.scan = None;
                self.segment += 1;
                self.end = next;
                Ok(())
            }
        }
    }

    fn end_at_bad_frame(&mut self, why: &'static str) -> Result<(), StoreError> {
        let is_sealed = !self.is_last() || self.until.is_some();
        let Some(scan) = self.scan.as_mut() else { return Ok(()) };
        if is_sealed || scan.next() < self.durable || scan.bad_frame_was_durable()? {
            return Err(scan.corrupt(why));
        }
        self.end = scan.next();
        self.torn = Some(Torn::at(scan));
        self.scan = None;
        self.segment = self.segments.len();
        Ok(())
    }
}
