use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_event::{EventTime, Schema};

use super::feed::{AtEnd, Feed};
use super::file::feed_from;
use super::mark::{FileMark, Resumed, checksum, head_before, number_of, open_regular, reaches};
use super::rotated::{find_left, successor};
use crate::block::{Block, BlockPlan};
use crate::dead::Fault;
use crate::format::Format;
use crate::judge::Judge;
use crate::{Decoded, Error, FileOptions, JsonDecoder, Position, Reason};

/// What happened to a tailed file, other than growing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileChange {
    /// It was cut, or written anew. Reading goes on in the copy that was made of it before, or, if
    /// there is none, at its start.
    Truncated,
    /// Another file has its name. The old one was read to its end; the one that followed it is read
    /// from its start.
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
/// An unfinished last line stays for a later poll; the buffer is bounded as everywhere.
#[derive(Debug)]
pub struct TailSource {
    path: PathBuf,
    plan: BlockPlan,
    feed: Feed<File>,
    /// Of the file that is read.
    number: u64,
    decoder: JsonDecoder,
    resumed: Resumed,
}

impl TailSource {
    /// Opens a `.ndjson` or `.jsonl` file, which must exist, at its start or at
    /// [`FileOptions::resume`]: in the file that was left there, whatever its name is now.
    ///
    /// # Errors
    /// For another ending, and a file that cannot be opened.
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
        let position = options.resume.unwrap_or(Position::START);
        let left = match options.left_in {
            Some(mark) => find_left(&path, position, mark).map_err(Error::io(&path))?,
            None => None,
        };
        let (file, position, resumed) = match left {
            Some((file, at)) if at == path => (file, position, Resumed::AsAsked),
            Some((file, at)) => (file, position, Resumed::Moved(at)),
            None => {
                let file = open_regular(&path).map_err(Error::io(&path))?;
                let fits = options.left_in.is_none()
                    && reaches(&file, position).map_err(Error::io(&path))?;
                if fits || position == Position::START {
                    (file, position, Resumed::AsAsked)
                } else {
                    (file, Position::START, Resumed::Gone)
                }
            }
        };
        let limits = options.limits.bounded();
        let plan = BlockPlan {
            schema: Arc::clone(&schema),
            origin: Arc::from(path.to_string_lossy()),
            limits,
            judge: Judge::new(options.rules.clone()),
            rows_max: 0,
            bytes_max: limits.block_bytes,
        };
        let number = number_of(&file.metadata().map_err(Error::io(&path))?);
        let feed = feed_from(&path, file, Some(position), Position::START)?;
        let decoder = JsonDecoder::new(schema, limits);
        Ok(TailSource { path, plan, feed, number, decoder, resumed })
    }

    /// Where reading began, next to [`FileOptions::resume`].
    pub fn resumed(&self) -> &Resumed {
        &self.resumed
    }

    /// Where the next poll begins, for [`FileOptions::resume`].
    pub fn position(&self) -> Position {
        self.feed.position()
    }

    /// Which file that is, for [`FileOptions::left_in`].
    pub fn mark(&self) -> FileMark {
        FileMark { number: self.number, head: self.feed.head_checksum() }
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
        let look = match self.look() {
            // Also while files are being renamed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Look::Same,
            look => look.map_err(Error::io(&self.path))?,
        };
        match look {
            Look::Same => {
                let block = self.read(AtEnd::Waits)?;
                let caught_up = block.has_room();
                Ok(Tailed { decoded: block.finish(), change: None, caught_up })
            }
            // The writer may still hold the old file: it is left only once a newer one has been
            // begun, and then nothing new was found in the old one.
            Look::Other(next) => {
                let block = self.read(AtEnd::Waits)?;
                if block.has_records() || !block.has_room() {
                    return Ok(Tailed { decoded: block.finish(), change: None, caught_up: false });
                }
                let Some(next) = next else {
                    return Ok(Tailed { decoded: block.finish(), change: None, caught_up: true });
                };
                let block = self.read(AtEnd::Ends)?;
                self.change_to(next, Position::START, block, FileChange::Rotated)
            }
            Look::Cut(anew, copy) => {
                let (file, position, block) = match copy {
                    Some(copy) => (copy, self.position(), self.feed.empty_block(&self.plan)),
                    None => (anew, Position::START, self.cut_off()),
                };
                self.change_to(file, position, block, FileChange::Truncated)
            }
        }
    }

    fn change_to(
        &mut self,
        file: File,
        position: Position,
        last: Block,
        change: FileChange,
    ) -> Result<Tailed, Error> {
        self.number = number_of(&file.metadata().map_err(Error::io(&self.path))?);
        self.feed = feed_from(&self.path, file, Some(position), Position::START)?;
        let decoded = Decoded { position, ..last.finish() };
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
    fn look(&self) -> io::Result<Look> {
        let now = open_regular(&self.path)?;
        let (ours, theirs) = (self.feed.input().metadata()?, now.metadata()?);
        if !is_same_file(&ours, &theirs) {
            return Ok(Look::Other(successor(&self.path, &ours, now)?));
        }
        let head = self.feed.head();
        let read_to = Position::Line { line: 0, byte: head.len() as u64 };
        if theirs.len() >= self.feed.read_to() && head_before(&now, read_to)? == head {
            return Ok(Look::Same);
        }
        let mark = FileMark { number: self.number, head: checksum(head) };
        let read_to = Position::Line { line: 0, byte: self.feed.read_to() };
        let copy = find_left(&self.path, read_to, mark)?;
        Ok(Look::Cut(now, copy.map(|(copy, _)| copy)))
    }
}

/// What stands at the path.
enum Look {
    /// The open file, grown or not; or nothing, for now.
    Same,
    /// The open file, but what was read of it is not in it any more; and a copy that has it.
    Cut(File, Option<File>),
    /// Another file; and the one that followed the open one, once anything is written there.
    Other(Option<File>),
}

#[cfg(unix)]
fn is_same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Where files have no number, only truncation is noticed.
#[cfg(not(unix))]
fn is_same_file(_: &Metadata, _: &Metadata) -> bool {
    true
}
