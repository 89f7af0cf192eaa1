//! The real disk: `std::fs`, readable by its owner only, and one owner at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Appender, Disk, DiskError, Operation, Readable};
use crate::name::{Kind, kind_of};
use crate::{Folder, Name, StoreError};

/// How much of a file is rewritten at once.
const REWRITE_BYTES: usize = 1 << 20;

/// What a process means to do in the data directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Everything; one process at a time.
    Owner,
    /// Change the keys while another process may own the rest; one process at a time.
    Keys,
    /// Look, without a lock, at files that never change once they are there.
    Read,
}

/// A data directory on a file system. Its lock is held until this is dropped.
#[derive(Debug)]
pub struct FileDisk {
    root: PathBuf,
    access: Access,
    _lock: Option<File>,
}

impl FileDisk {
    /// Opens the directory; unless only to read, creates it where it is missing (mode 0700) and
    /// takes the lock.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process, or another value in this one, holds the lock.
    pub fn open(root: &Path, access: Access) -> Result<FileDisk, StoreError> {
        let lock = match access {
            Access::Owner => Some(Name::LOCK),
            Access::Keys => Some(Name::KEYS_LOCK),
            Access::Read => None,
        };
        if lock.is_some() && !root.is_dir() {
            create_root(root).map_err(|e| failed(Operation::CreateFolder, root, e))?;
        }
        let lock = lock.map(|name| take_lock(&root.join(name.file()), root)).transpose()?;
        Ok(FileDisk { root: root.to_owned(), access, _lock: lock })
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.root.join(name.folder().as_str()).join(name.file())
    }

    fn folder(&self, folder: &Folder) -> PathBuf {
        if folder.as_str().is_empty() { self.root.clone() } else { self.root.join(folder.as_str()) }
    }

    fn writable(&self, operation: Operation, path: &Path) -> Result<(), DiskError> {
        match self.access {
            Access::Owner | Access::Keys => Ok(()),
            Access::Read => {
                let why = "the data directory was opened to read";
                Err(failed(operation, path, io::Error::new(io::ErrorKind::PermissionDenied, why)))
            }
        }
    }
}

fn failed(operation: Operation, path: &Path, source: io::Error) -> DiskError {
    DiskError { operation, path: path.display().to_string(), source }
}

/// Opens a file that is there. A pipe in its place would keep the caller waiting for ever.
fn open_regular(options: &OpenOptions, path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() { options.open(path) } else { Err(no_file()) }
}

fn no_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "this is not a regular file")
}

fn create_root(root: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(root)?;
    match root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Locks the file and writes into it who holds it.
fn take_lock(path: &Path, root: &Path) -> Result<File, StoreError> {
    let io = |e| failed(Operation::Lock, path, e);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = (&file).take(64).read_to_string(&mut holder);
            let holder = match holder.trim() {
                "" => "another process".to_owned(),
                known => known.to_owned(),
            };
            return Err(StoreError::Locked { path: root.display().to_string(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(io(error).into()),
    }
    file.set_len(0).map_err(io)?;
    writeln!(file, "process {}", std::process::id()).map_err(io)?;
    Ok(file)
}

impl Disk for FileDisk {
    fn create_folder(&self, folder: &Folder) -> Result<(), DiskError> {
        let path = self.folder(folder);
        if path.is_dir() {
            return Ok(());
        }
        self.writable(Operation::CreateFolder, &path)?;
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|e| failed(Operation::CreateFolder, &path, e))?;
        self.sync_folder(&Folder::ROOT)
    }

    fn list(&self, folder: &Folder) -> Result<Vec<String>, DiskError> {
        let path = self.folder(folder);
        let io = |e| failed(Operation::List, &path, e);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if entry.file_type().map_err(io)?.is_file() {
                names.push(name);
                continue;
            }
            match kind_of(&name) {
                Kind::LogSegment(_) | Kind::Segment(_) | Kind::Manifest(_) => {
                    return Err(failed(Operation::Open, &entry.path(), no_file()));
                }
                Kind::Temporary | Kind::Foreign => {}
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create(&self, name: &Name) -> Result<Box<dyn Appender>, DiskError> {
        let path = self.path(name);
        self.writable(Operation::Create, &path)?;
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|e| failed(Operation::Create, &path, e))?;
        Ok(Box::new(OpenFile { file, path }))
    }

    fn append(&self, name: &Name) -> Result<Box<dyn Appender>, DiskError> {
        let path = self.path(name);
        self.writable(Operation::Open, &path)?;
        let file = open_regular(OpenOptions::new().append(true), &path);
        let file = file.map_err(|e| failed(Operation::Open, &path, e))?;
        Ok(Box::new(OpenFile { file, path }))
    }

    fn open(&self, name: &Name) -> Result<Arc<dyn Readable>, DiskError> {
        let path = self.path(name);
        let file = open_regular(OpenOptions::new().read(true), &path);
        let file = file.map_err(|e| failed(Operation::Open, &path, e))?;
        Ok(Arc::new(OpenFile { file, path }))
    }

    fn rename(&self, from: &Name, to: &Name) -> Result<(), DiskError> {
        let (from, to) = (self.path(from), self.path(to));
        self.writable(Operation::Rename, &from)?;
        fs::rename(&from, &to).map_err(|e| failed(Operation::Rename, &from, e))
    }

    fn remove(&self, name: &Name) -> Result<(), DiskError> {
        let path = self.path(name);
        self.writable(Operation::Remove, &path)?;
        fs::remove_file(&path).map_err(|e| failed(Operation::Remove, &path, e))
    }

    fn truncate(&self, name: &Name, len: u64) -> Result<(), DiskError> {
        let path = self.path(name);
        self.writable(Operation::Truncate, &path)?;
        let cut = || {
            let file = open_regular(OpenOptions::new().write(true), &path)?;
            file.set_len(len)?;
            file.sync_data()
        };
        cut().map_err(|e| failed(Operation::Truncate, &path, e))
    }

    fn rewrite(&self, name: &Name, from: u64) -> Result<(), DiskError> {
        let path = self.path(name);
        self.writable(Operation::Rewrite, &path)?;
        let write_again = || {
            let file = open_regular(OpenOptions::new().read(true).write(true), &path)?;
            let mut buffer = vec![0; REWRITE_BYTES];
            let mut position = from;
            loop {
                match file.read_at(&mut buffer, position)? {
                    0 => return file.sync_data(),
                    count => {
                        file.write_all_at(&buffer[..count], position)?;
                        position += count as u64;
                    }
                }
            }
        };
        write_again().map_err(|e| failed(Operation::Rewrite, &path, e))
    }

    fn sync_folder(&self, folder: &Folder) -> Result<(), DiskError> {
        let path = self.folder(folder);
        File::open(&path)
            .and_then(|file| file.sync_all())
            .map_err(|e| failed(Operation::SyncFolder, &path, e))
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), DiskError> {
        getrandom::fill(bytes)
            .map_err(|e| failed(Operation::Random, &self.root, io::Error::other(e.to_string())))
    }
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    path: PathBuf,
}

impl Appender for OpenFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.write_all(bytes).map_err(|e| failed(Operation::Append, &self.path, e))
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(|e| failed(Operation::Sync, &self.path, e))
    }
}

impl Readable for OpenFile {
    fn len(&self) -> Result<u64, DiskError> {
        let metadata = self.file.metadata();
        Ok(metadata.map_err(|e| failed(Operation::Length, &self.path, e))?.len())
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        let mut done = 0;
        while done < into.len() {
            match self.file.read_at(&mut into[done..], position + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(Operation::Read, &self.path, error)),
            }
        }
        Ok(done)
    }
}
