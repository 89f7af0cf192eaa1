//! The manifest: which segments make a checkpoint, in which order, and the caller's meta.
//!
//! ```text
//! magic 8 │ version 4 │ segment count 4 │ epoch 8 │ meta length 4 │ crc of these 4
//! per segment: id 4 │ footer crc 4 │ bytes 8 │ records 8 │ live bytes 8
//! meta │ crc of everything before 4
//! ```

use crate::name::{Epoch, SegmentId};
use crate::parse::{Fields, crc32};
use crate::{Name, StoreError};

use super::Segment;

const MAGIC: [u8; 8] = *b"MRACEMAN";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 32;
const ENTRY_BYTES: usize = 32;
const CRC_BYTES: usize = 4;

/// A checkpoint as it was published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    pub epoch: Epoch,
    /// Oldest first: what a later one says of a key overrides an earlier one.
    pub segments: Vec<Segment>,
    /// The caller's own bytes: frontier, counters, hashes.
    pub meta: Vec<u8>,
}

impl Manifest {
    /// The longest meta, in bytes.
    pub const META_BYTES_MAX: usize = 64 << 20;
    /// The most segments of one checkpoint.
    pub const SEGMENTS_MAX: usize = 65_536;
    /// The longest manifest, in bytes.
    pub(super) const BYTES_MAX: usize =
        HEADER_BYTES + Manifest::SEGMENTS_MAX * ENTRY_BYTES + Manifest::META_BYTES_MAX + CRC_BYTES;

    pub(super) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let (meta, segments) = (self.meta.len(), self.segments.len());
        if meta > Manifest::META_BYTES_MAX {
            return Err(StoreError::MetaTooLong { given: meta, limit: Manifest::META_BYTES_MAX });
        }
        if segments > Manifest::SEGMENTS_MAX {
            let limit = Manifest::SEGMENTS_MAX;
            return Err(StoreError::TooManySegments { given: segments, limit });
        }
        let mut out = Vec::with_capacity(HEADER_BYTES + segments * ENTRY_BYTES + meta + CRC_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&small(segments).to_le_bytes());
        out.extend_from_slice(&self.epoch.0.to_le_bytes());
        out.extend_from_slice(&small(meta).to_le_bytes());
        let crc = crc32(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        for segment in &self.segments {
            out.extend_from_slice(&segment.id.0.to_le_bytes());
            out.extend_from_slice(&segment.footer_crc.to_le_bytes());
            out.extend_from_slice(&segment.bytes.to_le_bytes());
            out.extend_from_slice(&segment.records.to_le_bytes());
            out.extend_from_slice(&segment.live_bytes.to_le_bytes());
        }
        out.extend_from_slice(&self.meta);
        let crc = crc32(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        Ok(out)
    }

    /// Reads the manifest of checkpoint `epoch`.
    pub(super) fn decode(bytes: &[u8], epoch: Epoch) -> Result<Manifest, StoreError> {
        let name = Name::manifest(epoch);
        let corrupt = |at: usize, why| {
            let name = Name::manifest(epoch);
            StoreError::Corrupt { name, at: at as u64, why }
        };
        let short = || corrupt(bytes.len(), "the manifest is cut off");
        let mut fields = Fields(bytes);
        let magic: [u8; 8] = fields.take().ok_or_else(short)?;
        let version = fields.u32().ok_or_else(short)?;
        let count = fields.u32().ok_or_else(short)? as usize;
        let found = Epoch(fields.u64().ok_or_else(short)?);
        let meta_bytes = fields.u32().ok_or_else(short)? as usize;
        let crc = fields.u32().ok_or_else(short)?;
        if crc32(&bytes[..HEADER_BYTES - 4]) != crc {
            return Err(corrupt(0, "the checksum of the header does not match"));
        }
        if magic != MAGIC {
            return Err(corrupt(0, "this is not a manifest"));
        }
        if version != VERSION {
            return Err(StoreError::NewerVersion { name, found: version, known: VERSION });
        }
        if count > Manifest::SEGMENTS_MAX || meta_bytes > Manifest::META_BYTES_MAX {
            return Err(corrupt(0, "a count is over its limit"));
        }
        if bytes.len() != HEADER_BYTES + count * ENTRY_BYTES + meta_bytes + CRC_BYTES {
            return Err(corrupt(bytes.len(), "the length is not what the header says"));
        }
        let body = &bytes[..bytes.len() - CRC_BYTES];
        if crc32(body).to_le_bytes() != bytes[bytes.len() - CRC_BYTES..] {
            return Err(corrupt(HEADER_BYTES, "the checksum of the manifest does not match"));
        }
        if found != epoch {
            return Err(corrupt(16, "this is another manifest under this name"));
        }
        let segments = (0..count).map(|_| entry(&mut fields).ok_or_else(short));
        let segments = segments.collect::<Result<Vec<Segment>, StoreError>>()?;
        if !segments.is_sorted_by(|a, b| a.id < b.id) {
            return Err(corrupt(HEADER_BYTES, "the segments are not in order"));
        }
        let meta = fields.bytes(meta_bytes).ok_or_else(short)?.to_vec();
        Ok(Manifest { epoch, segments, meta })
    }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("a count that was compared with its limit fits")
}

fn entry(fields: &mut Fields<'_>) -> Option<Segment> {
    let id = SegmentId(fields.u32()?);
    let footer_crc = fields.u32()?;
    let (bytes, records, live_bytes) = (fields.u64()?, fields.u64()?, fields.u64()?);
    Some(Segment { id, bytes, records, live_bytes, footer_crc })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(meta: Vec<u8>) -> Manifest {
        let segment = |id| Segment {
            id: SegmentId(id),
            bytes: 100,
            records: 1,
            live_bytes: 7,
            footer_crc: 0xABCD,
        };
        Manifest { epoch: Epoch(3), segments: vec![segment(1), segment(5)], meta }
    }

    #[test]
    fn manifests_are_read_as_they_are_written() {
        let manifest = manifest(b"frontier".to_vec());
        let bytes = manifest.encode().unwrap();
        assert_eq!(Manifest::decode(&bytes, Epoch(3)).unwrap(), manifest);
        assert!(Manifest::decode(&bytes, Epoch(4)).is_err());
        for len in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..len], Epoch(3)).is_err());
        }
    }

    #[test]
    fn the_meta_has_a_limit() {
        assert!(manifest(vec![0; Manifest::META_BYTES_MAX]).encode().is_ok());
        let error = manifest(vec![0; Manifest::META_BYTES_MAX + 1]).encode().unwrap_err();
        assert!(matches!(error, StoreError::MetaTooLong { .. }));
    }

    #[test]
    fn a_checkpoint_has_a_limit_of_segments() {
        let mut manifest = manifest(Vec::new());
        let one = manifest.segments[0];
        let segment = |id| Segment { id: SegmentId(id), ..one };
        manifest.segments = (0..65_536).map(segment).collect();
        assert!(manifest.encode().is_ok());
        manifest.segments.push(segment(65_536));
        let error = manifest.encode().unwrap_err();
        assert!(matches!(error, StoreError::TooManySegments { .. }));
    }
}
