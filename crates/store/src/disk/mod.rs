//! The seam to the world: the few calls on files that durable bytes need.
//!
//! [`file::FileDisk`] is the real one; [`memory::MemoryDisk`] keeps everything in memory and can
//! fail any call, lose power, and flip bits. The trait promises little, so that both can keep it:
//! appended bytes are durable after [`Appender::sync`], and a created, renamed or removed name is
//! durable after [`Disk::sync_folder`]. Until then a loss of power may undo each of them, in any
//! combination, and tear an append at any multiple of 512 bytes.

pub mod file;
pub mod memory;

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::{Folder, Name};

/// A data directory.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Makes the folder and its entry durable; does nothing when it exists.
    fn create_folder(&self, folder: &Folder) -> Result<(), DiskError>;

    /// The names of the files in the folder, ascending; empty when there is no such folder.
    fn list(&self, folder: &Folder) -> Result<Vec<String>, DiskError>;

    /// A new, empty file; an error when the name is taken.
    fn create(&self, name: &Name) -> Result<Box<dyn Appender>, DiskError>;

    /// An existing file, to write behind its end.
    fn append(&self, name: &Name) -> Result<Box<dyn Appender>, DiskError>;

    /// An existing file, to read.
    fn open(&self, name: &Name) -> Result<Arc<dyn Readable>, DiskError>;

    /// Puts the file in the place of another, or of none, in the same folder.
    fn rename(&self, from: &Name, to: &Name) -> Result<(), DiskError>;

    fn remove(&self, name: &Name) -> Result<(), DiskError>;

    /// Cuts the file to `len` bytes, durably.
    fn truncate(&self, name: &Name, len: u64) -> Result<(), DiskError>;

    /// Writes the bytes from a position to the end again, as they are, durably.
    ///
    /// After a sync that failed in another process the system may show bytes that never reached
    /// the disk, and take them for clean: a sync alone would not write them.
    fn rewrite(&self, name: &Name, from: u64) -> Result<(), DiskError>;

    /// Makes all names that were created, renamed or removed in the folder durable.
    fn sync_folder(&self, folder: &Folder) -> Result<(), DiskError>;

    /// Fills the bytes with unpredictable ones.
    fn random(&self, bytes: &mut [u8]) -> Result<(), DiskError>;
}

/// A file that grows at its end.
pub trait Appender: fmt::Debug + Send {
    /// All of the bytes or an error, after which any part of them may have been written.
    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError>;

    /// Makes everything appended so far durable. After an error nothing is known about it, and
    /// calling again tells nothing: read the file again.
    fn sync(&mut self) -> Result<(), DiskError>;
}

/// A file that is read at positions.
pub trait Readable: fmt::Debug + Send + Sync {
    /// Bytes in the file now.
    fn len(&self) -> Result<u64, DiskError>;

    fn is_empty(&self) -> Result<bool, DiskError> {
        Ok(self.len()? == 0)
    }

    /// Fills `into` from the position on; returns fewer bytes only at the end of the file.
    fn read_at(&self, position: u64, into: &mut [u8]) -> Result<usize, DiskError>;
}

/// What was tried when an I/O call failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    CreateFolder,
    List,
    Create,
    Open,
    Append,
    Sync,
    SyncFolder,
    Read,
    Length,
    Rename,
    Remove,
    Truncate,
    Rewrite,
    Lock,
    Random,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::CreateFolder => "create the folder",
            Operation::List => "list the folder",
            Operation::Create => "create",
            Operation::Open => "open",
            Operation::Append => "write to",
            Operation::Sync => "sync",
            Operation::SyncFolder => "sync the folder",
            Operation::Read => "read",
            Operation::Length => "find the length of",
            Operation::Rename => "rename",
            Operation::Remove => "remove",
            Operation::Truncate => "truncate",
            Operation::Rewrite => "rewrite the end of",
            Operation::Lock => "lock",
            Operation::Random => "get random bytes for",
        })
    }
}

/// A call to the disk that failed: what, where, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} {path}: {source}; {}", fix(*operation, source.kind()))]
pub struct DiskError {
    pub operation: Operation,
    pub path: String,
    pub source: io::Error,
}

impl DiskError {
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether the disk, or the user's share of it, is full.
    pub fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

fn fix(operation: Operation, kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space or keep less history, then open it again"
        }
        io::ErrorKind::PermissionDenied => "let the user that runs millrace read and write it",
        io::ErrorKind::NotFound => "check that the data directory is there and complete",
        io::ErrorKind::AlreadyExists => "move that file away, then try again",
        io::ErrorKind::InvalidInput if operation == Operation::Open => {
            "move it away and restore the file of this name from a copy"
        }
        io::ErrorKind::ReadOnlyFilesystem => "mount it writable or use another data directory",
        _ if matches!(operation, Operation::Sync | Operation::SyncFolder | Operation::Rewrite) => {
            "the disk may be failing; check it, then open it again"
        }
        _ => "check the disk, then open it again",
    }
}

/// Gives the file `name` this content, durably and at once: a reader, or a start after a loss of
/// power, finds the old content or the new, never a mixture.
pub fn replace(disk: &dyn Disk, name: &Name, content: &[u8]) -> Result<(), DiskError> {
    let temporary = name.temporary();
    match disk.remove(&temporary) {
        Ok(()) => {}
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error),
    }
    let mut file = disk.create(&temporary)?;
    file.append(content)?;
    file.sync()?;
    drop(file);
    disk.rename(&temporary, name)?;
    disk.sync_folder(name.folder())
}

/// The content of a small file, cut after `bytes_max`.
pub fn read_start(disk: &dyn Disk, name: &Name, bytes_max: usize) -> Result<Vec<u8>, DiskError> {
    let file = disk.open(name)?;
    let len = usize::try_from(file.len()?).unwrap_or(usize::MAX).min(bytes_max);
    let mut bytes = vec![0; len];
    let got = file.read_at(0, &mut bytes)?;
    bytes.truncate(got);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_place_the_call_and_the_fix() {
        let error = DiskError {
            operation: Operation::Append,
            path: "/data/events/00000000000000000000.log".into(),
            source: io::ErrorKind::StorageFull.into(),
        };
        assert_eq!(
            error.to_string(),
            "could not write to /data/events/00000000000000000000.log: no storage space; \
             free some space or keep less history, then open it again"
        );
        assert!(error.is_full() && !error.is_not_found());
    }
}
