//! A scratch file that outlives its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_batch::Scratch;

use crate::exit::Failure;

/// Bytes of the checksum behind each block.
const SUM_BYTES: usize = size_of::<u32>();

/// A run that was killed holds the lock until the system has taken its memory back.
const ENDING_MAX: Duration = Duration::from_secs(2);
const ENDING_STEP: Duration = Duration::from_millis(20);

/// Blocks, each with a checksum behind it. Whoever has it open holds its lock: it is the lock of
/// the folder.
#[derive(Debug)]
pub struct Blocks {
    path: PathBuf,
    file: File,
    /// Where the next block goes. What lies behind is not looked at.
    end: Mutex<u64>,
}

impl Blocks {
    /// Makes the file if there is none; what it holds is for [`Blocks::cut_to`] to say.
    pub fn open(path: PathBuf) -> Result<Blocks, Failure> {
        let failed = |error| Failure::io(&path)(error);
        let mut options = OpenOptions::new();
        // These are events: they are nobody else's business.
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let begun = Instant::now();
        loop {
            let file = options.open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if begun.elapsed() < ENDING_MAX => {
                    std::thread::sleep(ENDING_STEP);
                    continue;
                }
                Err(TryLockError::WouldBlock) => return Err(is_taken(&path)),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // A run that ends well removes the file; its lock then keeps nobody out.
            if is_same(&file, &path).map_err(failed)? {
                return Ok(Blocks { path, file, end: Mutex::new(0) });
            }
        }
    }

    /// Forgets what lies behind so many bytes, which must be there.
    pub fn cut_to(&self, bytes: u64) -> Result<(), String> {
        let cause = |e: io::Error| format!("{}: {e}", self.path.display());
        let there = self.file.metadata().map_err(cause)?.len();
        if there < bytes {
            let path = self.path.display();
            return Err(format!("{path} has {there} bytes, and {bytes} were written"));
        }
        self.file.set_len(bytes).map_err(cause)?;
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        Ok(())
    }

    /// Makes all blocks durable; returns how many bytes they are.
    pub fn sync(&self) -> Result<u64, String> {
        let end = *self.end.lock().unwrap_or_else(PoisonError::into_inner);
        self.file.sync_data().map_err(|e| format!("{}: {e}", self.path.display()))?;
        Ok(end)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Scratch for Blocks {
    fn append(&self, bytes: &[u8]) -> Result<u64, String> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let (offset, sum) = (*end, sum_of(*end, bytes).to_le_bytes());
        let behind = offset + bytes.len() as u64;
        let written = self.file.write_all_at(bytes, offset);
        written.and_then(|()| self.file.write_all_at(&sum, behind)).map_err(|e| {
            format!(
                "{}: {e}; when that is mended, the same command goes on from what was kept",
                self.path.display()
            )
        })?;
        *end = behind + SUM_BYTES as u64;
        Ok(offset)
    }

    fn read(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, String> {
        let end = *self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = (bytes as u64).checked_add(SUM_BYTES as u64);
        let behind = behind.and_then(|bytes| bytes.checked_add(offset));
        // Before there is room for it: nobody knows yet whether that many bytes make sense.
        if behind.is_none_or(|behind| behind > end) {
            return Err(self.damaged(offset));
        }
        let mut read = vec![0; bytes + SUM_BYTES];
        let cause = |e: io::Error| format!("{}: {e}", self.path.display());
        self.file.read_exact_at(&mut read, offset).map_err(cause)?;
        match read.split_last_chunk() {
            Some((block, sum)) if sum_of(offset, block).to_le_bytes() == *sum => {}
            Some(_) | None => return Err(self.damaged(offset)),
        }
        read.truncate(bytes);
        Ok(read)
    }
}

impl Blocks {
    fn damaged(&self, offset: u64) -> String {
        let path = self.path.display();
        let folder = self.path.parent().unwrap_or(&self.path).display();
        format!(
            "{path}: the block at byte {offset} is damaged; to begin again, remove the folder \
             {folder}"
        )
    }
}

/// Of a block at its place: in another one it is another.
fn sum_of(offset: u64, block: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&offset.to_le_bytes());
    hasher.update(&(block.len() as u64).to_le_bytes());
    hasher.update(block);
    hasher.finalize()
}

fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    let named = match std::fs::metadata(path) {
        Ok(named) => named,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let open = file.metadata()?;
    Ok((open.dev(), open.ino()) == (named.dev(), named.ino()))
}

fn is_taken(path: &Path) -> Failure {
    let folder = path.parent().unwrap_or(path).display();
    Failure::environment(format!(
        "{folder}: another run works in this folder; wait for its end, or name another one with \
         --resume"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_back_after_a_run_and_never_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks");
        let blocks = Blocks::open(path.clone()).unwrap();
        blocks.cut_to(0).unwrap();
        assert_eq!((blocks.append(b"abc"), blocks.append(b"abc")), (Ok(0), Ok(7)));
        assert_eq!(blocks.sync(), Ok(14));
        blocks.append(b"lost").unwrap();
        let taken = Blocks::open(path.clone()).unwrap_err();
        assert!(taken.message.contains("another run"), "{taken:?}");
        drop(blocks);

        let blocks = Blocks::open(path.clone()).unwrap();
        blocks.cut_to(14).unwrap();
        assert_eq!(blocks.read(0, 3).unwrap(), b"abc");
        assert_eq!(blocks.read(7, 3).unwrap(), b"abc");
        for (offset, bytes) in [(0, 2), (1, 3), (7, 4), (14, 3), (u64::MAX, 3), (0, usize::MAX)] {
            let error = blocks.read(offset, bytes).unwrap_err();
            assert!(error.contains("remove the folder"), "{error}");
        }
        // A block in the place of another one.
        let first = std::fs::read(&path).unwrap()[..7].to_vec();
        blocks.file.write_all_at(&first, 7).unwrap();
        assert!(blocks.read(7, 3).is_err());
        assert!(blocks.cut_to(15).unwrap_err().contains("14 bytes"));
    }
}
