//! The bytes of a log segment: one header, then frames.
//!
//! ```text
//! header  magic 8 │ version 4 │ log 4 │ first offset 8 │ salt 4 │ crc 4
//! record  crc 4 │ length 4 │ offset 8 │ payload
//! marker  crc 4 │ 0xFFFFFFFF │ offset 8
//! ```
//!
//! A marker says that every record below its offset was durable when the marker was written. It
//! is what tells a torn tail from damage: after a bad frame at offset `k`, a marker above `k`
//! proves that the bad bytes had been synced. Frame sums start from the segment's random salt, so
//! that a payload which looks like a marker is none.

use crate::name::Offset;
use crate::parse::{Fields, crc32, crc32_seeded};
use crate::{Disk, DiskError, LogName, Name, StoreError};

pub(super) const MAGIC: [u8; 8] = *b"MRACELOG";
pub(super) const VERSION: u32 = 1;
pub(super) const HEADER_BYTES: usize = 32;
pub(super) const FRAME_BYTES: usize = 16;
const MARKER_LENGTH: u32 = u32::MAX;

/// What a segment says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub first: Offset,
    pub salt: u32,
}

impl Header {
    /// Of a new segment.
    pub fn new(disk: &dyn Disk, first: Offset) -> Result<Header, DiskError> {
        let mut salt = [0; 4];
        disk.random(&mut salt)?;
        Ok(Header { first, salt: u32::from_le_bytes(salt) })
    }

    pub fn encode(self, log: &LogName) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&crc32(log.as_str().as_bytes()).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.salt.to_le_bytes());
        let crc = crc32(&bytes[..28]);
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// # Errors
    /// When the bytes are not the header of this segment of this log.
    pub fn decode(bytes: &[u8], log: &LogName, name: &Name) -> Result<Header, StoreError> {
        let corrupt = |at, why| StoreError::Corrupt { name: name.clone(), at, why };
        let short = || corrupt(bytes.len() as u64, "the header is cut off");
        let mut fields = Fields(bytes);
        let magic: [u8; 8] = fields.take().ok_or_else(short)?;
        let version = fields.u32().ok_or_else(short)?;
        let of_log = fields.u32().ok_or_else(short)?;
        let first = Offset(fields.u64().ok_or_else(short)?);
        let salt = fields.u32().ok_or_else(short)?;
        let crc = fields.u32().ok_or_else(short)?;
        if crc32(&bytes[..HEADER_BYTES - 4]) != crc {
            return Err(corrupt(0, "the checksum of the header does not match"));
        }
        if magic != MAGIC {
            return Err(corrupt(0, "this is not a log segment"));
        }
        if version != VERSION {
            let known = VERSION;
            return Err(StoreError::NewerVersion { name: name.clone(), found: version, known });
        }
        if of_log != crc32(log.as_str().as_bytes()) {
            return Err(corrupt(12, "this is a segment of another log"));
        }
        if Name::log_segment(log, first) != *name {
            return Err(corrupt(16, "the first offset is not that of the file name"));
        }
        Ok(Header { first, salt })
    }
}

/// One step of reading, as positions, so that the caller keeps its buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Frame {
    Record {
        payload_bytes: usize,
    },
    Marker,
    /// This many bytes are needed to say more.
    Need(usize),
    Bad(&'static str),
}

pub(super) fn push_record(out: &mut Vec<u8>, salt: u32, offset: Offset, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("a record is below its limit");
    push_frame(out, salt, length, offset, payload);
}

pub(super) fn push_marker(out: &mut Vec<u8>, salt: u32, durable: Offset) {
    push_frame(out, salt, MARKER_LENGTH, durable, &[]);
}

fn push_frame(out: &mut Vec<u8>, salt: u32, length: u32, offset: Offset, payload: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&offset.0.to_le_bytes());
    out.extend_from_slice(payload);
    let crc = crc32_seeded(salt, &out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Reads the frame at the start of the bytes, when the next record is to be `expected`.
pub(super) fn decode(bytes: &[u8], salt: u32, expected: Offset, bytes_max: usize) -> Frame {
    let mut fields = Fields(bytes);
    let (Some(crc), Some(length), Some(offset)) = (fields.u32(), fields.u32(), fields.u64()) else {
        return Frame::Need(FRAME_BYTES);
    };
    let is_marker = length == MARKER_LENGTH;
    let payload_bytes = if is_marker { 0 } else { length as usize };
    if payload_bytes > bytes_max {
        return Frame::Bad("the length is over the limit");
    }
    let Some(frame) = bytes.get(..FRAME_BYTES + payload_bytes) else {
        return Frame::Need(FRAME_BYTES + payload_bytes);
    };
    if crc32_seeded(salt, &frame[4..]) != crc {
        return Frame::Bad("the checksum of the record does not match");
    }
    match is_marker {
        true if offset > expected.0 => Frame::Bad("records before a marker are missing"),
        true => Frame::Marker,
        false if offset != expected.0 => Frame::Bad("the offset is not the next one"),
        false => Frame::Record { payload_bytes },
    }
}

/// The greatest offset of a marker that begins in the bytes, wherever; its frame may be preceded by
/// anything.
pub(super) fn greatest_marker(bytes: &[u8], salt: u32) -> Option<Offset> {
    let is_marker = |frame: &&[u8]| {
        frame[4..8] == MARKER_LENGTH.to_le_bytes()
            && crc32_seeded(salt, &frame[4..]).to_le_bytes() == frame[..4]
    };
    let offset = |frame: &[u8]| {
        let mut fields = Fields(&frame[8..]);
        fields.u64().map(Offset)
    };
    bytes.windows(FRAME_BYTES).filter(is_marker).filter_map(offset).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 100;

    #[test]
    fn frames_are_read_as_they_are_written() {
        let mut bytes = Vec::new();
        push_record(&mut bytes, 9, Offset(5), b"payload");
        assert_eq!(decode(&bytes, 9, Offset(5), LIMIT), Frame::Record { payload_bytes: 7 });
        assert_eq!(decode(&bytes[..10], 9, Offset(5), LIMIT), Frame::Need(16));
        assert_eq!(decode(&bytes[..20], 9, Offset(5), LIMIT), Frame::Need(23));
        assert!(matches!(decode(&bytes, 8, Offset(5), LIMIT), Frame::Bad(_)));
        assert!(matches!(decode(&bytes, 9, Offset(4), LIMIT), Frame::Bad(_)));
        assert!(matches!(decode(&bytes, 9, Offset(5), 6), Frame::Bad(_)));
    }

    #[test]
    fn a_marker_is_found_anywhere_but_not_in_a_forged_payload() {
        let mut forged = Vec::new();
        push_marker(&mut forged, 1, Offset(99));
        let mut bytes = vec![0xFF; 37];
        push_record(&mut bytes, 2, Offset(3), &forged);
        assert_eq!(greatest_marker(&bytes, 2), None);
        push_marker(&mut bytes, 2, Offset(4));
        push_marker(&mut bytes, 2, Offset(3));
        assert_eq!(greatest_marker(&bytes, 2), Some(Offset(4)));
    }

    #[test]
    fn a_header_belongs_to_one_segment_of_one_log() {
        let header = Header { first: Offset(8), salt: 77 };
        let bytes = header.encode(&LogName::EVENTS);
        let read = |bytes: &[u8], log: &LogName, first| {
            Header::decode(bytes, log, &Name::log_segment(log, Offset(first)))
        };
        assert_eq!(read(&bytes, &LogName::EVENTS, 8).unwrap(), header);
        assert!(read(&bytes, &LogName::LATE, 8).is_err());
        assert!(read(&bytes, &LogName::EVENTS, 9).is_err());
        assert!(read(&bytes[..31], &LogName::EVENTS, 8).is_err());
    }
}
