//! Files that are whole or not there.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use millrace_connector::PartialFile;

use crate::exit::Failure;

/// A file of that name has all of the bytes, or what it had before.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut file = PartialFile::create(path)?;
    file.write_all(bytes).map_err(Failure::io(path))?;
    Ok(file.finish()?)
}

/// Gives a file its name.
pub fn finish(file: BufWriter<PartialFile>) -> Result<(), Failure> {
    let path = file.get_ref().path().to_owned();
    let file = file.into_inner().map_err(|e| Failure::io(&path)(e.into_error()))?;
    Ok(file.finish()?)
}

/// Removes a file, if there is one.
pub fn remove(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Failure::io(path)(e)),
        Ok(()) | Err(_) => Ok(()),
    }
}
