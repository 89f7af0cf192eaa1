use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::Position;

/// How many of its first bytes tell a file from another.
pub(super) const HEAD_BYTES: usize = 1 << 10;

/// Which file a position was left in: its number in the file system, and a checksum of those of
/// its first 1,024 bytes that lie before the position.
///
/// A number alone is given again once its file is gone, and changes when a file is restored from a
/// copy; first bytes alone are none while nothing was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileMark {
    pub(super) number: u64,
    pub(super) head: u32,
}

/// Where a source goes on, next to where it was asked to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resumed {
    /// At the position, or at the start where none was given.
    AsAsked,
    /// At the position, in this file: the one that was left has another name now, or was copied.
    /// The file that was asked for follows.
    Moved(PathBuf),
    /// At the start of the file: the one that the position was left in is not there any more.
    Gone,
}

impl FileMark {
    /// Whether this file begins as the one that was left at the position, and reaches as far.
    pub(super) fn fits(self, file: &File, position: Position) -> io::Result<bool> {
        Ok(reaches(file, position)? && self.head == checksum(&head_before(file, position)?))
    }
}

/// Two words: the number, and the checksum in hexadecimal digits.
impl fmt::Display for FileMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:08x}", self.number, self.head)
    }
}

impl FromStr for FileMark {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<FileMark, Self::Err> {
        let (number, head) = text.split_once(' ').unwrap_or((text, ""));
        Ok(FileMark { number: number.parse()?, head: u32::from_str_radix(head, 16)? })
    }
}

pub(super) fn reaches(file: &File, position: Position) -> io::Result<bool> {
    match position {
        Position::Line { byte, .. } => Ok(byte <= file.metadata()?.len()),
        Position::Row(_) => Ok(true),
    }
}

/// The file's first bytes, as far as they count at this position. Leaves the file somewhere.
pub(super) fn head_before(mut file: &File, position: Position) -> io::Result<Vec<u8>> {
    let bytes = match position {
        Position::Line { byte, .. } => byte.min(HEAD_BYTES as u64),
        Position::Row(_) => HEAD_BYTES as u64,
    };
    let mut head = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(bytes).read_to_end(&mut head)?;
    Ok(head)
}

pub(super) fn checksum(head: &[u8]) -> u32 {
    crc32fast::hash(head)
}

/// Opens a file to follow it. Anything else, such as a pipe, could keep its reader waiting for ever.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no file; name one"))
    }
}

#[cfg(unix)]
pub(super) fn number_of(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

/// Where files have no number, only their first bytes tell them apart.
#[cfg(not(unix))]
pub(super) fn number_of(_: &Metadata) -> u64 {
    0
}
