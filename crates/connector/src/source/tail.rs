use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_event::{EventTime, Schema};

use super::feed::{AtEnd, Feed};
use super::file::feed_from;
use crate::block::{Block, BlockPlan};
use crate::dead::Fault;
use crate::format::Format;
use crate::judge::Judge;
use crate::{Decoded, Error, FileOptions, JsonDecoder, Position, Reason};

/// What happened to a tailed file, other than growing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileChange {
    /// It became shorter than what was read of it; reading begins again at its start.
    Truncated,
    /// Another file has its name. The old one was read to its end; the new one is read from its
    /// start.
    Rotated,
}

/// What one poll found.
#[derive(Clone, Debug)]
pub struct Tailed {
    /// The new records; none where nothing was written.
    pub decoded: Decoded,
    /// Whether the file changed under us. `decoded` then belongs to the file as it was before, and
    /// the next poll reads the new one.
    pub change: Option<FileChange>,
    /// Whether there was nothing more to read: the time to wait a moment.
    pub caught_up: bool,
}

/// A growing NDJSON file, read as it is written. It never waits: the caller polls.
///
/// An unfinished last line stays for a later poll; the buffer is bounded as everywhere. A file that
/// is cut and grows beyond the place already read, all between two polls, looks like one that only
/// grew: rotate by renaming.
#[derive(Debug)]
pub struct TailSource {
    path: PathBuf,
    plan: BlockPlan,
    feed: Feed<File>,
    decoder: JsonDecoder,
}

impl TailSource {
    /// Opens a `.ndjson` or `.jsonl` file, which must exist, at its start or at
    /// [`FileOptions::resume`].
    ///
    /// # Errors
    /// For another ending, a file that cannot be opened, and a position beyond its end.
    pub fn open(
        path: impl AsRef<Path>,
        schema: Arc<Schema>,
        options: &FileOptions,
    ) -> Result<TailSource, Error> {
        let path = path.as_ref().to_owned();
        match Format::of(&path)? {
            Format::Ndjson => {}
            Format::Csv | Format::Parquet => return Err(Error::NotTailed { path }),
        }
        let file = File::open(&path).map_err(Error::io(&path))?;
        let feed = feed_from(&path, file, options.resume, Position::START)?;
        let limits = options.limits.bounded();
        let plan = BlockPlan {
            schema: Arc::clone(&schema),
            origin: Arc::from(path.to_string_lossy()),
            limits,
            judge: Judge::new(options.rules.clone()),
            rows_max: 0,
            bytes_max: limits.block_bytes,
        };
        Ok(TailSource { path, plan, feed, decoder: JsonDecoder::new(schema, limits) })
    }

    /// Where the next poll begins, for [`FileOptions::resume`].
    pub fn position(&self) -> Position {
        self.feed.position()
    }

    /// Tells the receiving clock by which the next polls judge.
    pub fn receive_at(&mut self, received: EventTime) {
        self.plan.judge.received = received;
    }

    /// Reads what was written since the last poll, at most `max_rows` records.
    ///
    /// # Errors
    /// When the file cannot be read. That it is missing, as between the two steps of a rotation,
    /// is none.
    pub fn poll(&mut self, max_rows: usize) -> Result<Tailed, Error> {
        self.plan.rows_max = max_rows.max(1);
        match self.look()? {
            Look::Same => {
                let block = self.read(AtEnd::Waits)?;
                let caught_up = block.has_room();
                Ok(Tailed { decoded: block.finish(), change: None, caught_up })
            }
            Look::Other(file) => {
                // The writer may still hold the old file: it is left only by a poll that found
                // nothing new in it.
                let block = self.read(AtEnd::Waits)?;
                if block.has_records() || !block.has_room() {
                    return Ok(Tailed { decoded: block.finish(), change: None, caught_up: false });
                }
                let block = self.read(AtEnd::Ends)?;
                self.change_to(file, block, FileChange::Rotated)
            }
            Look::Shorter(file) => {
                let block = self.cut_off();
                self.change_to(file, block, FileChange::Truncated)
            }
        }
    }

    fn change_to(&mut self, file: File, last: Block, change: FileChange) -> Result<Tailed, Error> {
        self.feed = feed_from(&self.path, file, None, Position::START)?;
        let decoded = Decoded { position: self.feed.position(), ..last.finish() };
        Ok(Tailed { decoded, change: Some(change), caught_up: false })
    }

    /// The unfinished line, whose rest will never come, as a dead letter.
    fn cut_off(&self) -> Block {
        let mut block = self.feed.empty_block(&self.plan);
        let (start, length) = self.feed.unfinished();
        if length > 0 {
            let message = "the file was cut short in the middle of this record; rotate files by \
                           renaming them, or replay the record from where it was made";
            block.bad_start(&Fault::of_record(Reason::CutOff, message.to_owned()), start, length);
        }
        block
    }

    fn read(&mut self, at_end: AtEnd) -> Result<Block, Error> {
        self.feed.block(&mut self.decoder, &self.plan, at_end).map_err(Error::io(&self.path))
    }

    /// The file at the path, next to the one that is open.
    fn look(&self) -> Result<Look, Error> {
        let look = || -> io::Result<Look> {
            let now = match File::open(&self.path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Look::Same),
                opened => opened?,
            };
            let ours = self.feed.input().metadata()?;
            let theirs = now.metadata()?;
            if !same_file(&ours, &theirs) {
                return Ok(Look::Other(now));
            }
            let shorter = theirs.len() < self.feed.read_to();
            Ok(if shorter { Look::Shorter(now) } else { Look::Same })
        };
        look().map_err(Error::io(&self.path))
    }
}

/// What stands at the path.
enum Look {
    /// The open file, grown or not; or nothing, for now.
    Same,
    /// The open file, and it is shorter than what was read.
    Shorter(File),
    /// Another file.
    Other(File),
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Where files have no number, only truncation is noticed.
#[cfg(not(unix))]
fn same_file(_: &Metadata, _: &Metadata) -> bool {
    true
}
