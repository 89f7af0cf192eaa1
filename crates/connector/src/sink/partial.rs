use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Error;

/// A file that is being written, under a name of its own beside the one it will have: a file of that
/// name is always whole. Dropped before [`PartialFile::finish`], it is removed.
#[derive(Debug)]
pub struct PartialFile {
    file: File,
    partial: PathBuf,
    path: PathBuf,
    finished: bool,
}

impl PartialFile {
    /// Begins a file that is to have this name. One that is there already is replaced on finish.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(path: &Path) -> Result<PartialFile, Error> {
        /// Other writers of the same file, or what a crash left, may hold a name.
        const NAMES: u32 = 1_000;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let process = std::process::id();
        for attempt in 0..NAMES {
            let partial = path.with_file_name(format!(".{name}.{process}-{attempt}.partial"));
            match OpenOptions::new().write(true).create_new(true).open(&partial) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(Error::Io { path: partial, source }),
                Ok(file) => {
                    let path = path.to_owned();
                    return Ok(PartialFile { file, partial, path, finished: false });
                }
            }
        }
        let cause = format!("{NAMES} unfinished files of this name stand beside it; remove them");
        Err(Error::Write { path: path.to_owned(), cause })
    }

    /// The name that it will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens what was written so far, from its beginning.
    ///
    /// # Errors
    /// When somebody has removed it.
    pub fn read(&self) -> Result<File, Error> {
        File::open(&self.partial).map_err(Error::io(&self.partial))
    }

    /// Makes the bytes durable and gives them their name.
    ///
    /// # Errors
    /// When the disk is full, or the name cannot be had.
    pub fn finish(mut self) -> Result<(), Error> {
        self.file.sync_all().map_err(Error::io(&self.partial))?;
        fs::rename(&self.partial, &self.path).map_err(Error::io(&self.path))?;
        self.finished = true;
        sync_folder(&self.path).map_err(Error::io(&self.path))
    }
}

impl Write for PartialFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.finished {
            // Nobody is left to tell, and a name that says `.partial` misleads nobody.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// The new name is durable only when its folder is.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file, and the rename is durable by itself.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
