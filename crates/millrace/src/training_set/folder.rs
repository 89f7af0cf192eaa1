//! A folder with the unfinished work of a training set, from which another run goes on.
//!
//! ```text
//!   DIR/training-set.scratch      events and features in blocks, each with a checksum
//!   DIR/training-set.manifest     whose they are, and where they lie; replaced whole
//!   DIR/training-set.dead.ndjson  the records that could not be used
//! ```
//!
//! Blocks are durable before the manifest that names them is. What is behind the last block that a
//! manifest knows of is cut off by the next run.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_batch::Keeper;

use super::blocks::Blocks;
use super::manifest::{self, Head, Letters};
use crate::exit::Failure;
use crate::history::Letters as DeadLetters;
use crate::whole_file;

/// The largest manifest: it is read into memory. Twenty bytes make a block of some thousand rows.
const MANIFEST_BYTES_MAX: u64 = 1 << 30;
/// What may be lost: so many partitions, or those that were done in so long.
const PARTITIONS_UNKEPT_MAX: usize = 16;
const UNKEPT_MAX: Duration = Duration::from_secs(5);

/// The folder, which no other run uses meanwhile.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    pub blocks: Arc<Blocks>,
}

impl Folder {
    /// Makes the folder if there is none.
    pub fn open(dir: &Path) -> Result<Folder, Failure> {
        if dir.exists() && !dir.is_dir() {
            let dir = dir.display();
            return Err(Failure::usage(format!("--resume: {dir} is a file; name a folder")));
        }
        // These are events: they are nobody else's business.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(Failure::io(dir))?;
        let blocks = Arc::new(Blocks::open(dir.join("training-set.scratch"))?);
        Ok(Folder { dir: dir.to_owned(), blocks })
    }

    fn manifest(&self) -> PathBuf {
        self.dir.join("training-set.manifest")
    }

    fn next_manifest(&self) -> PathBuf {
        self.dir.join("training-set.manifest.new")
    }

    pub fn letters(&self) -> PathBuf {
        self.dir.join("training-set.dead.ndjson")
    }

    /// The bytes of the manifest, if there is unfinished work.
    pub fn find(&self) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.manifest();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io(&path)(error)),
        };
        let mut bytes = Vec::new();
        let read = file.take(MANIFEST_BYTES_MAX + 1).read_to_end(&mut bytes);
        read.map_err(Failure::io(&path))?;
        if bytes.len() as u64 > MANIFEST_BYTES_MAX {
            return Err(self.damaged("the manifest is larger than any that is written"));
        }
        Ok(Some(bytes))
    }

    /// Puts the files into the state that this head tells of.
    pub fn restore(&self, head: &Head) -> Result<(), Failure> {
        if self.letters_there()? != head.letters {
            return Err(self.damaged("the file of dead letters is not as it was"));
        }
        self.blocks.cut_to(head.scratch_bytes).map_err(|what| self.damaged(&what))
    }

    /// Forgets what a run left that kept nothing.
    pub fn clear(&self) -> Result<(), Failure> {
        whole_file::remove(&self.letters())?;
        self.blocks.cut_to(0).map_err(Failure::environment)
    }

    /// How many bytes of dead letters there are, if any, and their checksum; they are durable then.
    pub fn letters_there(&self) -> Result<Option<Letters>, Failure> {
        let path = self.letters();
        let failed = Failure::io(&path);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        file.sync_all().map_err(&failed)?;
        let (mut hasher, mut bytes) = (crc32fast::Hasher::new(), 0);
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer).map_err(&failed)? {
                0 => return Ok(Some(Letters { bytes, crc32: hasher.finalize() })),
                read => {
                    hasher.update(&buffer[..read]);
                    bytes += read as u64;
                }
            }
        }
    }

    /// The output is there: nothing here is needed any more. Dead letters go to their own place.
    pub fn finish(&self, letters: &Path) -> Result<(), Failure> {
        DeadLetters::copy(&self.letters(), letters)?;
        // Without it there is no work, and the others are cleared by the next run. With it, they
        // must be there, whatever a power cut leaves.
        whole_file::remove(&self.manifest())?;
        self.sync().map_err(Failure::io(&self.dir))?;
        for path in [&self.next_manifest(), &self.letters(), self.blocks.path()] {
            whole_file::remove(path)?;
        }
        Ok(())
    }

    /// Makes durable which files there are.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    /// What is wrong with the work, and what to do.
    pub fn damaged(&self, what: &str) -> Failure {
        let dir = self.dir.display();
        Failure::environment(format!(
            "{dir}: the unfinished work here cannot be used: {what}; to begin again, remove the \
             folder {dir}"
        ))
    }

    /// The work is of a job that differs in this.
    pub fn other_job(&self, difference: &str) -> Failure {
        let dir = self.dir.display();
        Failure::user(format!(
            "{dir}: the unfinished work here is of another training set; {difference}. Name \
             another folder with --resume, or remove {dir} to begin again"
        ))
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Renews the manifest.
#[derive(Debug)]
pub struct FolderKeeper {
    folder: Arc<Folder>,
    head: Head,
    kept: Mutex<Instant>,
}

impl FolderKeeper {
    /// The head's end of the blocks is set as they grow.
    pub fn new(folder: Arc<Folder>, head: Head) -> FolderKeeper {
        FolderKeeper { folder, head, kept: Mutex::new(Instant::now()) }
    }

    /// Writes it beside, makes it durable, and gives it the name.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let next = self.folder.next_manifest();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&next)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&next, self.folder.manifest())?;
        self.folder.sync()
    }
}

impl Keeper for FolderKeeper {
    fn is_due(&self, partitions: usize) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        partitions >= PARTITIONS_UNKEPT_MAX || kept.elapsed() >= UNKEPT_MAX
    }

    fn keep(&self, work: &[u8]) -> Result<(), String> {
        let head = Head { scratch_bytes: self.folder.blocks.sync()?, ..self.head.clone() };
        let bytes = manifest::encode(&head, work)?;
        if bytes.len() as u64 > MANIFEST_BYTES_MAX {
            return Err("there are too many blocks; give more --memory".to_owned());
        }
        self.write(&bytes).map_err(|e| {
            format!(
                "{}: {e}; when that is mended, the same command goes on from what was kept",
                self.folder.manifest().display()
            )
        })?;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use millrace_batch::Scratch as _;

    use super::*;
    use crate::history::KeptSummary;

    fn head() -> Head {
        let identity = serde_json::from_str("[]").unwrap();
        let summary = KeptSummary::default();
        Head { identity, summary, scratch_bytes: 0, letters: None, log: None }
    }

    fn found(folder: &Folder) -> Option<(Head, Vec<u8>)> {
        let bytes = folder.find().unwrap()?;
        let (head, work) = manifest::decode(&bytes).unwrap();
        Some((head, work.to_vec()))
    }

    #[test]
    fn what_was_kept_stays_when_no_more_can_be_kept() {
        let there = tempfile::tempdir().unwrap();
        let dir = there.path().join("a/b");
        let folder = Arc::new(Folder::open(&dir).unwrap());
        assert!(found(&folder).is_none());
        folder.clear().unwrap();
        let keeper = FolderKeeper::new(Arc::clone(&folder), head());
        folder.blocks.append(b"abc").unwrap();
        keeper.keep(b"first").unwrap();
        folder.blocks.append(b"def").unwrap();
        // As on a full disk: the next manifest cannot be written.
        std::fs::create_dir(folder.next_manifest()).unwrap();
        let error = keeper.keep(b"second").unwrap_err();
        assert!(error.contains("training-set.manifest"), "{error}");
        std::fs::remove_dir(folder.next_manifest()).unwrap();
        drop(keeper);
        drop(folder);

        let folder = Folder::open(&dir).unwrap();
        let (kept, work) = found(&folder).unwrap();
        assert_eq!((kept.scratch_bytes, &work[..]), (7, &b"first"[..]));
        folder.restore(&kept).unwrap();
        assert_eq!(folder.blocks.read(0, 3).unwrap(), b"abc");
        // What came behind was cut off.
        assert!(folder.blocks.read(7, 3).is_err());
        let letters = Some(Letters { bytes: 1, crc32: 2 });
        let error = folder.restore(&Head { letters, ..kept.clone() }).unwrap_err();
        assert!(error.message.contains("dead letters"), "{error:?}");
        let error = folder.restore(&Head { scratch_bytes: 8, ..kept }).unwrap_err();
        assert!(error.message.contains("remove the folder"), "{error:?}");
        folder.finish(&there.path().join("letters")).unwrap();
        assert_eq!(dir.read_dir().unwrap().count(), 0);
    }

    #[test]
    fn it_is_time_to_keep_after_some_partitions() {
        let there = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::open(there.path()).unwrap());
        let keeper = FolderKeeper::new(folder, head());
        assert!(keeper.is_due(PARTITIONS_UNKEPT_MAX));
        keeper.keep(b"").unwrap();
        let few = keeper.is_due(PARTITIONS_UNKEPT_MAX - 1);
        // Or sooner, on a machine that takes seconds for this.
        let is_slow = keeper.kept.lock().unwrap().elapsed() >= UNKEPT_MAX;
        assert!(!few || is_slow);
    }
}
