//! Reading records back: all of some segments in order, or one at a location.

use std::ops::Range;
use std::sync::Arc;

use crc32fast::Hasher;

use super::record::{self, RECORD_BYTES_MAX, RECORD_HEADER_BYTES};
use super::segment::{FOOTER_BYTES, Footer, HEADER_BYTES, Header};
use super::shared::Shared;
use super::{Change, Location, Record, Segment};
use crate::{Name, Readable, StoreError};

/// How much is read at once.
const READ_BYTES: usize = 1 << 20;

/// All records of some segments, in order, verified, with a bounded buffer.
#[derive(Debug)]
pub struct Records {
    shared: Arc<Shared>,
    /// Those still to be read, the next one last.
    segments: Vec<Segment>,
    body: Option<Body>,
}

impl Records {
    pub(super) fn new(shared: Arc<Shared>, mut segments: Vec<Segment>) -> Records {
        segments.reverse();
        Records { shared, segments, body: None }
    }

    /// The next record, or `None` behind the last of the last segment.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a record that does not verify, and at the end of a segment that
    /// as a whole is not what was written.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, StoreError> {
        let found = self.find_record()?;
        let (Some((at, range)), Some(body)) = (found, &self.body) else { return Ok(None) };
        let record = record::decode(&body.buffer[range], at);
        record.map(Some).map_err(|why| body.corrupt(at.offset, why))
    }

    fn find_record(&mut self) -> Result<Option<(Location, Range<usize>)>, StoreError> {
        loop {
            if let Some(body) = &mut self.body {
                if let Some(found) = body.next_range()? {
                    return Ok(Some(found));
                }
                body.verify_end()?;
            }
            let Some(segment) = self.segments.pop() else {
                self.body = None;
                return Ok(None);
            };
            self.body = Some(Body::open(&self.shared, segment)?);
        }
    }
}

/// Checks what a segment says of itself at both ends, without reading what is between.
pub(super) fn verify_frame(shared: &Shared, segment: Segment) -> Result<Header, StoreError> {
    Body::open(shared, segment).map(|body| body.header)
}

/// The bytes between a segment's header and footer.
#[derive(Debug)]
struct Body {
    segment: Segment,
    header: Header,
    footer: Footer,
    file: Arc<dyn Readable>,
    buffer: Vec<u8>,
    /// Where in the buffer the next record begins.
    at: usize,
    /// Where in the file the buffer begins.
    start: u64,
    records: u64,
    crc: Hasher,
}

impl Body {
    fn open(shared: &Shared, segment: Segment) -> Result<Body, StoreError> {
        let corrupt = |why| {
            let at = segment.bytes;
            StoreError::Corrupt { name: Name::segment(segment.id), at, why }
        };
        let file = shared.file(segment.id)?;
        if file.len()? != segment.bytes || segment.bytes < (HEADER_BYTES + FOOTER_BYTES) as u64 {
            return Err(corrupt("the file is not as long as the manifest says"));
        }
        let mut header = [0; HEADER_BYTES];
        let got = file.read_at(0, &mut header)?;
        let header_bytes = &header[..got];
        let header = Header::decode(header_bytes, segment.id)?;
        let mut footer = [0; FOOTER_BYTES];
        let got = file.read_at(segment.bytes - FOOTER_BYTES as u64, &mut footer)?;
        let footer = Footer::decode(&footer[..got], &segment)?;
        let mut crc = Hasher::new();
        crc.update(header_bytes);
        let (buffer, start) = (Vec::new(), HEADER_BYTES as u64);
        Ok(Body { segment, header, footer, file, buffer, at: 0, start, records: 0, crc })
    }

    fn corrupt(&self, at: u64, why: &'static str) -> StoreError {
        StoreError::Corrupt { name: Name::segment(self.segment.id), at, why }
    }

    fn position(&self) -> u64 {
        self.start + self.at as u64
    }

    /// Where the next record lies, in the file and in the buffer; `None` at the footer.
    fn next_range(&mut self) -> Result<Option<(Location, Range<usize>)>, StoreError> {
        let offset = self.position();
        if offset >= self.footer.body_bytes {
            return Ok(None);
        }
        let len = match record::len(&self.buffer[self.at..]) {
            Some(len) => len,
            None => {
                self.fill(RECORD_HEADER_BYTES)?;
                record::len(&self.buffer).unwrap_or(Err("a record is cut off"))
            }
        };
        let len = len.map_err(|why| self.corrupt(offset, why))?;
        if self.buffer.len() - self.at < len {
            self.fill(len)?;
        }
        let range = self.at..self.at + len;
        self.at = range.end;
        self.records += 1;
        let len = u32::try_from(len).map_err(|_| self.corrupt(offset, "a record is too long"))?;
        Ok(Some((Location { segment: self.segment.id, offset, len }, range)))
    }

    /// Makes at least `bytes` bytes from the position on available.
    fn fill(&mut self, bytes: usize) -> Result<(), StoreError> {
        self.start += self.at as u64;
        self.buffer.drain(..self.at);
        self.at = 0;
        let have = self.buffer.len();
        let left = usize::try_from(self.footer.body_bytes - self.start).unwrap_or(usize::MAX);
        if left < bytes {
            return Err(self.corrupt(self.start, "a record is cut off"));
        }
        self.buffer.resize(left.min(bytes.max(READ_BYTES)), 0);
        let got = self.file.read_at(self.start + have as u64, &mut self.buffer[have..])?;
        self.buffer.truncate(have + got);
        self.crc.update(&self.buffer[have..]);
        if self.buffer.len() < bytes {
            return Err(self.corrupt(self.start, "the file became shorter while it was read"));
        }
        Ok(())
    }

    fn verify_end(&self) -> Result<(), StoreError> {
        let end = self.footer.body_bytes;
        if self.records != self.footer.records {
            return Err(self.corrupt(end, "there are not as many records as were written"));
        }
        if self.crc.clone().finalize() != self.footer.body_crc {
            return Err(self.corrupt(end, "the checksum of the segment does not match"));
        }
        Ok(())
    }
}

/// Reads single records, for owners of parts of the state that keep cold keys on the disk only.
/// Clones share the open files.
#[derive(Clone, Debug)]
pub struct BlockReader {
    shared: Arc<Shared>,
}

impl BlockReader {
    pub(super) fn new(shared: Arc<Shared>) -> BlockReader {
        BlockReader { shared }
    }

    /// Reads and verifies the record at a location, with one read into `buffer`.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRecord`] when the file ends before the record; [`StoreError::Corrupt`]
    /// when it does not verify; a disk error when its segment was retired and removed.
    pub fn read<'a>(
        &self,
        at: Location,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Record<'a>, StoreError> {
        let Location { segment, offset, len } = at;
        let nothing = StoreError::NoSuchRecord { segment, offset, len };
        if len as usize > RECORD_BYTES_MAX {
            return Err(nothing);
        }
        let file = self.shared.file(segment)?;
        buffer.resize(len as usize, 0);
        if file.read_at(offset, buffer)? < buffer.len() {
            return Err(nothing);
        }
        record::decode(buffer, at).map_err(|why| {
            let name = Name::segment(segment);
            StoreError::Corrupt { name, at: offset, why }
        })
    }

    /// The value at a location of [`super::CheckpointWriter::put`].
    ///
    /// # Errors
    /// As for [`BlockReader::read`], and when the record there is a removal.
    pub fn value(&self, at: Location) -> Result<Vec<u8>, StoreError> {
        let mut buffer = Vec::new();
        let value_bytes = match self.read(at, &mut buffer)?.change {
            Change::Put(value) => value.len(),
            Change::Delete => {
                let Location { segment, offset, len } = at;
                return Err(StoreError::NoSuchRecord { segment, offset, len });
            }
        };
        buffer.drain(..buffer.len() - value_bytes);
        Ok(buffer)
    }
}
