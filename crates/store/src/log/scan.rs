//! Walking through the frames of one segment with a bounded buffer.

use std::ops::Range;
use std::sync::Arc;

use super::frame::{self, FRAME_BYTES, Frame, HEADER_BYTES, Header};
use super::{Log, Offset};
use crate::disk::read_start;
use crate::{Disk, LogName, Name, Readable, StoreError};

/// How much is read at once.
const READ_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Scan {
    name: Name,
    file: Arc<dyn Readable>,
    header: Header,
    /// The file's length when the scan began; later bytes are not looked at.
    len: u64,
    buffer: Vec<u8>,
    /// Where in the buffer the next frame begins.
    at: usize,
    /// Where in the file the buffer begins.
    start: u64,
    next: Offset,
    /// Where in the file the last marker begins: everything before it was durable.
    marker: u64,
    /// Where in the buffer the last record's payload is.
    payload: Range<usize>,
}

/// What comes next in a segment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Its bytes are [`Scan::payload`] until the next step.
    Record(Offset),
    /// The segment ends after a whole frame.
    End,
    /// The frame at the scan's position cannot be read.
    Bad(&'static str),
}

/// The beginning of the last segment, whose creation a crash may have interrupted.
pub(super) enum Start {
    Sound(Header),
    /// The file was created, and not more than this was written.
    Unfinished {
        bytes: u64,
    },
}

/// Reads the header of a segment that is not the last.
pub(super) fn read_header(
    disk: &dyn Disk,
    log: &LogName,
    first: Offset,
) -> Result<Header, StoreError> {
    let name = Name::log_segment(log, first);
    Header::decode(&read_start(disk, &name, HEADER_BYTES)?, log, &name)
}

/// Reads the header of the last segment.
pub(super) fn read_last_header(
    disk: &dyn Disk,
    log: &LogName,
    first: Offset,
) -> Result<Start, StoreError> {
    let name = Name::log_segment(log, first);
    let bytes = read_start(disk, &name, HEADER_BYTES + 1)?;
    match Header::decode(&bytes, log, &name) {
        Ok(header) => Ok(Start::Sound(header)),
        // The header is synced before the first record is written: behind a bad header without
        // records there never was one.
        Err(error) if error.is_corruption() && bytes.len() <= HEADER_BYTES => {
            Ok(Start::Unfinished { bytes: bytes.len() as u64 })
        }
        Err(error) => Err(error),
    }
}

impl Scan {
    pub fn open(
        disk: &dyn Disk,
        log: &LogName,
        first: Offset,
        header: Header,
    ) -> Result<Scan, StoreError> {
        let name = Name::log_segment(log, first);
        let file = disk.open(&name)?;
        let len = file.len()?;
        let start = HEADER_BYTES as u64;
        let buffer = Vec::new();
        // Without a marker not even the header is known to be durable.
        let (marker, payload) = (0, 0..0);
        Ok(Scan { name, file, header, len, buffer, at: 0, start, next: first, marker, payload })
    }

    /// The offset of the next record.
    pub fn next(&self) -> Offset {
        self.next
    }

    /// Where the next frame begins in the file.
    pub fn position(&self) -> u64 {
        self.start + self.at as u64
    }

    /// Where the bytes begin that no marker has called durable.
    pub fn unmarked(&self) -> u64 {
        self.marker
    }

    pub fn name(&self) -> &Name {
        &self.name
    }

    pub fn salt(&self) -> u32 {
        self.header.salt
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// The payload of the record that the last step found.
    pub fn payload(&self) -> &[u8] {
        &self.buffer[self.payload.clone()]
    }

    /// # Errors
    /// When the file cannot be read; a bad frame is a step, not an error.
    pub fn step(&mut self) -> Result<Step, StoreError> {
        loop {
            if self.position() >= self.len {
                return Ok(Step::End);
            }
            let rest = &self.buffer[self.at..];
            match frame::decode(rest, self.header.salt, self.next, Log::RECORD_BYTES_MAX) {
                Frame::Marker => {
                    self.marker = self.position();
                    self.at += FRAME_BYTES;
                }
                Frame::Record { payload_bytes } => {
                    let offset = self.next;
                    let start = self.at + FRAME_BYTES;
                    self.at = start + payload_bytes;
                    self.next = Offset(offset.0 + 1);
                    self.payload = start..self.at;
                    return Ok(Step::Record(offset));
                }
                Frame::Need(bytes) if self.position() + bytes as u64 > self.len => {
                    return Ok(Step::Bad("the record is cut off"));
                }
                Frame::Need(bytes) => self.fill(bytes)?,
                Frame::Bad(why) => return Ok(Step::Bad(why)),
            }
        }
    }

    /// Makes at least `bytes` bytes from the position on available.
    fn fill(&mut self, bytes: usize) -> Result<(), StoreError> {
        self.start += self.at as u64;
        self.buffer.drain(..self.at);
        self.at = 0;
        let have = self.buffer.len();
        let left = usize::try_from(self.len - self.start).unwrap_or(usize::MAX);
        self.buffer.resize(left.min(bytes.max(READ_BYTES)), 0);
        let got = self.file.read_at(self.start + have as u64, &mut self.buffer[have..])?;
        self.buffer.truncate(have + got);
        if self.buffer.len() < bytes {
            let why = "the file became shorter while it was read";
            return Err(StoreError::Corrupt { name: self.name.clone(), at: self.start, why });
        }
        Ok(())
    }

    /// Whether the bad frame at the position was durable once: whether a marker behind it says so.
    pub fn bad_frame_was_durable(&mut self) -> Result<bool, StoreError> {
        let mut position = self.position();
        let mut window = vec![0; READ_BYTES];
        while position < self.len {
            let got = self.file.read_at(position, &mut window)?;
            let greatest = frame::greatest_marker(&window[..got], self.header.salt);
            if greatest.is_some_and(|durable| durable > self.next) {
                return Ok(true);
            }
            // The last bytes are read again, because a marker may begin in them.
            match got.checked_sub(FRAME_BYTES - 1) {
                Some(step) if step > 0 => position += step as u64,
                _ => break,
            }
        }
        Ok(false)
    }

    pub fn corrupt(&self, why: &'static str) -> StoreError {
        StoreError::Corrupt { name: self.name.clone(), at: self.position(), why }
    }
}
