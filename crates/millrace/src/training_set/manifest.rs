//! What says of unfinished work what it is and where it lies, as one file.
//!
//! ```text
//!   magic    8 bytes, then version u32 (all integers little-endian)
//!   sum      crc32 u32 of all that follows
//!   head     bytes u64, then so many of JSON: see [`Head`]
//!   work     the rest: see millrace-batch's `unfinished.rs`
//! ```

use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::logged::LogMark;
use crate::history::KeptSummary;

const MAGIC: &[u8; 8] = b"millwork";
const VERSION: u32 = 1;
/// Bytes before what the checksum is of.
const PREFIX: usize = MAGIC.len() + 2 * size_of::<u32>();

/// What is known of the work without looking into it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub identity: Identity,
    pub summary: KeptSummary,
    /// Where the last block ends.
    pub scratch_bytes: u64,
    /// The records that could not be used, if any.
    pub letters: Option<Letters>,
    /// The record of the log that was read last, if it was read.
    pub log: Option<LogMark>,
}

/// A file of dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letters {
    pub bytes: u64,
    pub crc32: u32,
}

pub fn encode(head: &Head, work: &[u8]) -> Result<Vec<u8>, String> {
    let head = serde_json::to_vec(head).map_err(|e| e.to_string())?;
    let mut bytes = Vec::with_capacity(PREFIX + size_of::<u64>() + head.len() + work.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; size_of::<u32>()]);
    bytes.extend_from_slice(&(head.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(work);
    let sum = crc32fast::hash(&bytes[PREFIX..]);
    bytes[PREFIX - size_of::<u32>()..PREFIX].copy_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

/// Returns the head, and the work.
///
/// # Errors
/// What is wrong, as a part of a sentence.
pub fn decode(bytes: &[u8]) -> Result<(Head, &[u8]), String> {
    let early = || "it ends too early".to_owned();
    let (magic, rest) = bytes.split_first_chunk().ok_or_else(early)?;
    if magic != MAGIC {
        return Err("it is no manifest of a training set".to_owned());
    }
    let (version, rest) = rest.split_first_chunk().ok_or_else(early)?;
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(format!("it has version {version}, and this program reads {VERSION}"));
    }
    let (sum, rest) = rest.split_first_chunk().ok_or_else(early)?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*sum) {
        return Err("its checksum is wrong".to_owned());
    }
    let (length, rest) = rest.split_first_chunk().ok_or_else(early)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|e| e.to_string())?;
    let (head, work) = rest.split_at_checked(length).ok_or_else(early)?;
    Ok((serde_json::from_slice(head).map_err(|e| e.to_string())?, work))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        let identity = serde_json::from_str(r#"[["the view","checkout"]]"#).unwrap();
        let letters = Some(Letters { bytes: 3, crc32: 4 });
        let summary = KeptSummary::default();
        Head { identity, summary, scratch_bytes: 12, letters, log: None }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written_or_not_at_all() {
        let bytes = encode(&head(), b"work").unwrap();
        assert_eq!(decode(&bytes).unwrap(), (head(), &b"work"[..]));
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(decode(&other).is_err(), "changed at {at}");
        }
        assert!(decode(b"something else").unwrap_err().contains("no manifest"));
    }

    /// Whoever can make a checksum can write anything.
    #[test]
    fn a_manifest_with_a_right_checksum_is_not_believed_either() {
        let signed = |rest: &[u8]| {
            let sum = crc32fast::hash(rest).to_le_bytes();
            [MAGIC, &VERSION.to_le_bytes()[..], &sum, rest].concat()
        };
        for rest in [&[][..], &u64::MAX.to_le_bytes(), &[2, 0, 0, 0, 0, 0, 0, 0, b'{', b'}']] {
            assert!(decode(&signed(rest)).is_err(), "{rest:?}");
        }
        let newer = [MAGIC, &2u32.to_le_bytes()[..], &[0; 4]].concat();
        assert!(decode(&newer).unwrap_err().contains("version 2"));
    }
}
