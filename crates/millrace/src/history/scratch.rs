//! The file for what does not fit into memory.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use millrace_batch::Scratch;

/// A file without a name, made when first written to: it is gone with the process, however that
/// ends.
#[derive(Debug)]
pub struct ScratchFile {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<Arc<File>>,
    end: u64,
}

impl ScratchFile {
    pub fn in_folder(folder: PathBuf) -> ScratchFile {
        ScratchFile { folder, state: Mutex::new(State::default()) }
    }

    fn create(&self) -> Result<File, String> {
        let folder = if self.folder.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            self.folder.clone()
        };
        let name = format!(".millrace-{}.scratch", std::process::id());
        let path = folder.join(name);
        let failed = |e: std::io::Error| format!("{}: {e}; see --scratch", path.display());
        let mut options = OpenOptions::new();
        // These are events: they are nobody else's business.
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&path).map_err(failed)?;
        std::fs::remove_file(&path).map_err(failed)?;
        Ok(file)
    }
}

impl Scratch for ScratchFile {
    fn append(&self, bytes: &[u8]) -> Result<u64, String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.file.is_none() {
            state.file = Some(Arc::new(self.create()?));
        }
        let State { file: Some(file), end } = &mut *state else {
            return Err("the file is gone".to_owned());
        };
        let offset = *end;
        file.write_all_at(bytes, offset)
            .map_err(|e| format!("{}: {e}; see --scratch", self.folder.display()))?;
        *end += bytes.len() as u64;
        Ok(offset)
    }

    fn read(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, String> {
        // Threads do not wait for each other to read.
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let file = state.file.clone().ok_or("nothing was written")?;
        drop(state);
        let mut read = vec![0; bytes];
        file.read_exact_at(&mut read, offset)
            .map_err(|e| format!("{}: {e}", self.folder.display()))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_read_back_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = ScratchFile::in_folder(folder.path().to_owned());
        assert!(scratch.read(0, 1).is_err());
        assert_eq!(scratch.append(b"abc"), Ok(0));
        assert_eq!(scratch.append(b"defg"), Ok(3));
        assert_eq!(scratch.read(2, 4).unwrap(), b"cdef");
        assert!(scratch.read(6, 2).is_err());
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        let nowhere = ScratchFile::in_folder(folder.path().join("no"));
        assert!(nowhere.append(b"a").unwrap_err().contains("--scratch"));
    }
}
