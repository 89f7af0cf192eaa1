//! One record of a checkpoint segment: a key's new value in a table, or its removal.
//!
//! ```text
//! crc 4 │ value length 4 (0xFFFFFFFF: deleted) │ key length 2 │ table 2 │ key │ value
//! ```
//!
//! The sum covers what follows it and starts from the segment's id: a record of another segment
//! does not verify, even at the right place.

use crate::name::SegmentId;
use crate::parse::{Fields, crc32_seeded};

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = u16::MAX as usize;
/// The longest value, in bytes: a record's length has 32 bits.
pub const VALUE_BYTES_MAX: usize = u32::MAX as usize - (1 << 20);

pub(super) const RECORD_HEADER_BYTES: usize = 12;
pub(super) const RECORD_BYTES_MAX: usize = RECORD_HEADER_BYTES + KEY_BYTES_MAX + VALUE_BYTES_MAX;
const _: () = assert!(RECORD_BYTES_MAX < u32::MAX as usize);
const DELETED: u32 = u32::MAX;

/// Which of the caller's tables (feature groups, say) a key belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Table(pub u16);

/// Where a record lies: enough to read it with one call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Location {
    pub segment: SegmentId,
    /// Where the record begins in the segment's file.
    pub offset: u64,
    /// Bytes of the whole record.
    pub len: u32,
}

/// What a record says about its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change<'a> {
    Put(&'a [u8]),
    Delete,
}

/// A record as it was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    pub at: Location,
    pub table: Table,
    pub key: &'a [u8],
    pub change: Change<'a>,
}

/// Appends a record to the buffer and returns its length. Key and value are within their limits.
pub(super) fn push(
    out: &mut Vec<u8>,
    segment: SegmentId,
    table: Table,
    key: &[u8],
    change: Change<'_>,
) -> u32 {
    let (value, value_bytes): (&[u8], u32) = match change {
        Change::Put(value) => {
            (value, u32::try_from(value.len()).expect("a value is within its limit"))
        }
        Change::Delete => (&[], DELETED),
    };
    let key_bytes = u16::try_from(key.len()).expect("a key is within its limit");
    let start = out.len();
    out.reserve(RECORD_HEADER_BYTES + key.len() + value.len());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&value_bytes.to_le_bytes());
    out.extend_from_slice(&key_bytes.to_le_bytes());
    out.extend_from_slice(&table.0.to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(value);
    let crc = crc32_seeded(segment.0, &out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    u32::try_from(out.len() - start).expect("key and value are within their limits")
}

/// How many bytes the record at the start of `bytes` has; `None` when its header is cut off.
pub(super) fn len(bytes: &[u8]) -> Option<Result<usize, &'static str>> {
    let mut fields = Fields(bytes.get(..RECORD_HEADER_BYTES)?);
    let (_crc, value_bytes, key_bytes) = (fields.u32()?, fields.u32()?, fields.u16()?);
    let value_bytes = if value_bytes == DELETED { 0 } else { value_bytes as usize };
    if value_bytes > VALUE_BYTES_MAX {
        return Some(Err("the length of a value is over the limit"));
    }
    Some(Ok(RECORD_HEADER_BYTES + usize::from(key_bytes) + value_bytes))
}

/// Reads and verifies the record that these bytes are.
pub(super) fn decode(bytes: &[u8], at: Location) -> Result<Record<'_>, &'static str> {
    const SHORT: &str = "a record is cut off";
    let mut fields = Fields(bytes);
    let crc = fields.u32().ok_or(SHORT)?;
    if crc32_seeded(at.segment.0, fields.0) != crc {
        return Err("the checksum of a record does not match");
    }
    let value_bytes = fields.u32().ok_or(SHORT)?;
    let key_bytes = fields.u16().ok_or(SHORT)?;
    let table = Table(fields.u16().ok_or(SHORT)?);
    let key = fields.bytes(usize::from(key_bytes)).ok_or(SHORT)?;
    let change = match (value_bytes, fields.0) {
        (DELETED, []) => Change::Delete,
        (count, value) if value.len() == count as usize => Change::Put(value),
        (_, _) => return Err("the lengths of a record do not add up"),
    };
    Ok(Record { at, table, key, change })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_record_has_a_length_and_a_longer_one_none() {
        let header = |value_bytes: u32| {
            let value = value_bytes.to_le_bytes();
            [&[0; 4][..], &value, &[0xFF; 2], &[0; 2]].concat()
        };
        let longest = VALUE_BYTES_MAX as u32;
        assert_eq!(len(&header(longest)), Some(Ok(RECORD_BYTES_MAX)));
        assert!(matches!(len(&header(longest + 1)), Some(Err(_))));
        assert_eq!(len(&header(DELETED)), Some(Ok(RECORD_HEADER_BYTES + KEY_BYTES_MAX)));
    }

    #[test]
    fn records_are_read_as_they_are_written() {
        let changes: [(&[u8], Change<'_>); 4] = [
            (b"key", Change::Put(b"value")),
            (b"", Change::Put(b"")),
            (b"key", Change::Delete),
            (&[7; KEY_BYTES_MAX], Change::Put(&[8; 1_000])),
        ];
        for (key, change) in changes {
            let mut bytes = Vec::new();
            let written = push(&mut bytes, SegmentId(3), Table(9), key, change);
            assert_eq!((written as usize, len(&bytes)), (bytes.len(), Some(Ok(bytes.len()))));
            let at = Location { segment: SegmentId(3), offset: 0, len: written };
            assert_eq!(decode(&bytes, at), Ok(Record { at, table: Table(9), key, change }));
            let elsewhere = Location { segment: SegmentId(4), ..at };
            assert!(decode(&bytes, elsewhere).is_err());
            assert!(decode(&bytes[..bytes.len() - 1], at).is_err());
        }
    }
}
