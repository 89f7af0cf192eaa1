//! The frame of a checkpoint segment: a header that says which one it is, and a footer that makes
//! a cut or exchanged file visible without reading it.
//!
//! ```text
//! header  magic 8 │ version 4 │ id 4 │ epoch 8 │ after 8 │ zero 4 │ crc 4
//! records …
//! footer  magic 8 │ records 8 │ bytes before the footer 8 │ crc of them 4 │ crc of the footer 4
//! ```
//!
//! `after` is the newest checkpoint that was published when the segment was begun, 0 for none. It
//! tells a first checkpoint that was interrupted from a folder whose manifests were removed.

use crate::name::{Epoch, SegmentId};
use crate::parse::{Fields, crc32};
use crate::{Name, StoreError};

const HEADER_MAGIC: [u8; 8] = *b"MRACESEG";
const FOOTER_MAGIC: [u8; 8] = *b"MRACEEND";
const VERSION: u32 = 1;
pub(super) const HEADER_BYTES: usize = 40;
pub(super) const FOOTER_BYTES: usize = 32;

/// A finished segment, as the manifest lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    pub id: SegmentId,
    /// Of the whole file.
    pub bytes: u64,
    pub records: u64,
    /// About how many bytes of it belong to records that nothing has overridden.
    pub live_bytes: u64,
    /// The checksum at the end of the file, which covers all of it.
    pub footer_crc: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub id: SegmentId,
    pub epoch: Epoch,
    pub after: Epoch,
}

impl Header {
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&HEADER_MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.id.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.epoch.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.after.0.to_le_bytes());
        let crc = crc32(&bytes[..36]);
        bytes[36..40].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header of the segment `id`; `bytes` may go on behind it.
    pub fn decode(bytes: &[u8], id: SegmentId) -> Result<Header, StoreError> {
        let name = Name::segment(id);
        let corrupt = |at, why| StoreError::Corrupt { name: Name::segment(id), at, why };
        let short = || corrupt(bytes.len() as u64, "the header is cut off");
        let mut fields = Fields(bytes.get(..HEADER_BYTES).ok_or_else(short)?);
        let magic: [u8; 8] = fields.take().ok_or_else(short)?;
        let version = fields.u32().ok_or_else(short)?;
        let found = SegmentId(fields.u32().ok_or_else(short)?);
        let epoch = Epoch(fields.u64().ok_or_else(short)?);
        let after = Epoch(fields.u64().ok_or_else(short)?);
        let _zero = fields.u32().ok_or_else(short)?;
        let crc = fields.u32().ok_or_else(short)?;
        if crc32(&bytes[..HEADER_BYTES - 4]) != crc {
            return Err(corrupt(0, "the checksum of the header does not match"));
        }
        if magic != HEADER_MAGIC {
            return Err(corrupt(0, "this is not a checkpoint segment"));
        }
        if version != VERSION {
            return Err(StoreError::NewerVersion { name, found: version, known: VERSION });
        }
        if found != id {
            return Err(corrupt(12, "this is another segment under this name"));
        }
        Ok(Header { id, epoch, after })
    }
}

/// What the end of a segment's file says about the rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Footer {
    pub records: u64,
    /// Header and records.
    pub body_bytes: u64,
    pub body_crc: u32,
}

impl Footer {
    pub fn encode(self) -> [u8; FOOTER_BYTES] {
        let mut bytes = [0; FOOTER_BYTES];
        bytes[0..8].copy_from_slice(&FOOTER_MAGIC);
        bytes[8..16].copy_from_slice(&self.records.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = crc32(&bytes[..28]);
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the footer and compares it with what the manifest says.
    pub fn decode(bytes: &[u8], segment: &Segment) -> Result<Footer, StoreError> {
        let at = segment.bytes.saturating_sub(FOOTER_BYTES as u64);
        let corrupt = |why| StoreError::Corrupt { name: Name::segment(segment.id), at, why };
        let short = || corrupt("the footer is cut off");
        let mut fields = Fields(bytes);
        let magic: [u8; 8] = fields.take().ok_or_else(short)?;
        let records = fields.u64().ok_or_else(short)?;
        let body_bytes = fields.u64().ok_or_else(short)?;
        let body_crc = fields.u32().ok_or_else(short)?;
        let crc = fields.u32().ok_or_else(short)?;
        if crc32(&bytes[..FOOTER_BYTES - 4]) != crc || magic != FOOTER_MAGIC {
            return Err(corrupt("the footer does not verify"));
        }
        if crc != segment.footer_crc || records != segment.records || body_bytes != at {
            return Err(corrupt("the footer is not the one that the manifest names"));
        }
        Ok(Footer { records, body_bytes, body_crc })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_belongs_to_one_segment() {
        let header = Header { id: SegmentId(4), epoch: Epoch(9), after: Epoch(8) };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes, SegmentId(4)).unwrap(), header);
        assert!(Header::decode(&bytes, SegmentId(5)).is_err());
        assert!(Header::decode(&bytes[..39], SegmentId(4)).is_err());
    }

    #[test]
    fn a_footer_is_the_one_the_manifest_names() {
        let footer = Footer { records: 2, body_bytes: 100, body_crc: 5 };
        let bytes = footer.encode();
        let footer_crc = crc32(&bytes[..28]);
        let segment =
            Segment { id: SegmentId(1), bytes: 132, records: 2, live_bytes: 0, footer_crc };
        assert_eq!(Footer::decode(&bytes, &segment).unwrap(), footer);
        assert!(Footer::decode(&bytes, &Segment { records: 3, ..segment }).is_err());
        assert!(Footer::decode(&bytes, &Segment { bytes: 131, ..segment }).is_err());
        assert!(Footer::decode(&bytes, &Segment { footer_crc: 0, ..segment }).is_err());
    }
}
