use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_event::{EventTime, Rules, Schema};

use super::feed::{AtEnd, Feed};
use super::mark::{FileMark, Resumed, checksum, head_before, number_of};
use crate::block::{BlockPlan, Decoder};
use crate::csv::CsvDecoder;
use crate::format::Format;
use crate::judge::Judge;
use crate::parquet::ParquetSource;
use crate::{CsvOptions, Decoded, Error, JsonDecoder, Limits, Position};

/// How a file is read.
#[derive(Clone, Debug, Default)]
pub struct FileOptions {
    pub limits: Limits,
    /// For `.csv` files.
    pub csv: CsvOptions,
    /// Where to begin: a position that this file was left at. `None` is the first record.
    pub resume: Option<Position>,
    /// Which file that position was left in. If it is another than is there now, the position means
    /// nothing.
    pub left_in: Option<FileMark>,
    /// A record that is against them becomes a dead letter, too.
    pub rules: Option<Arc<Rules>>,
}

/// How much of a file has been read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    Bytes { done: u64, total: u64 },
    Rows { done: u64, total: u64 },
}

impl Progress {
    /// From 0 to 1; an empty file is done.
    pub fn fraction(self) -> f64 {
        match self {
            Progress::Bytes { total: 0, .. } | Progress::Rows { total: 0, .. } => 1.0,
            Progress::Bytes { done, total } | Progress::Rows { done, total } => {
                done as f64 / total as f64
            }
        }
    }
}

/// A file that is there as a whole, read once from front to back in bounded memory.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    plan: BlockPlan,
    reader: Reader,
    total: u64,
    /// Of the whole file; while lines are read, their feed knows the first bytes better.
    mark: FileMark,
    resumed: Resumed,
}

#[derive(Debug)]
enum Reader {
    Json(Feed<File>, JsonDecoder),
    Csv(Feed<File>, Box<CsvDecoder>),
    Parquet(Box<ParquetSource>),
}

impl FileSource {
    /// Opens a file of events; its ending says the format: `.csv`, `.ndjson`, `.jsonl` or
    /// `.parquet`.
    ///
    /// # Errors
    /// For another ending, a file that cannot be opened, a CSV header or Parquet columns that do
    /// not fit the schema, and a position to resume at that is not one of this format.
    pub fn open(
        path: impl AsRef<Path>,
        schema: Arc<Schema>,
        options: &FileOptions,
    ) -> Result<FileSource, Error> {
        let path = path.as_ref().to_owned();
        let format = Format::of(&path)?;
        let limits = options.limits.bounded();
        let file = File::open(&path).map_err(Error::io(&path))?;
        let (mut options, mut resumed) = (options.clone(), Resumed::AsAsked);
        if let (Some(position), Some(mark)) = (options.resume, options.left_in)
            && !mark.fits(&file, position).map_err(Error::io(&path))?
        {
            (options.resume, resumed) = (None, Resumed::Gone);
        }
        let metadata = file.metadata().map_err(Error::io(&path))?;
        let mut total = metadata.len();
        let head = head_before(&file, Position::Row(0)).map_err(Error::io(&path))?;
        let mark = FileMark { number: number_of(&metadata), head: checksum(&head) };
        let plan = BlockPlan {
            schema: Arc::clone(&schema),
            origin: Arc::from(path.to_string_lossy()),
            limits,
            judge: Judge::new(options.rules.clone()),
            rows_max: 0,
            bytes_max: limits.block_bytes,
        };
        let reader = match format {
            Format::Ndjson => {
                let feed = feed_from(&path, file, options.resume, Position::START)?;
                Reader::Json(feed, JsonDecoder::new(schema, limits))
            }
            Format::Csv => {
                let (feed, decoder) = open_csv(&path, file, schema, &options, &plan.origin)?;
                Reader::Csv(feed, Box::new(decoder))
            }
            Format::Parquet => {
                let source = ParquetSource::open(&path, file, schema, limits, &options)?;
                total = source.rows_total();
                Reader::Parquet(Box::new(source))
            }
        };
        Ok(FileSource { path, plan, reader, total, mark, resumed })
    }

    /// Tells the receiving clock by which the next blocks are judged.
    pub fn receive_at(&mut self, received: EventTime) {
        match &mut self.reader {
            Reader::Json(..) | Reader::Csv(..) => self.plan.judge.received = received,
            Reader::Parquet(source) => source.receive_at(received),
        }
    }

    /// The next block of at most `max_rows` records, good and bad; `None` at the end of the file.
    /// A block also ends at [`Limits::block_bytes`].
    ///
    /// # Errors
    /// When the file cannot be read; a Parquet file, also when a page of it is damaged.
    pub fn next_block(&mut self, max_rows: usize) -> Result<Option<Decoded>, Error> {
        self.plan.rows_max = max_rows.max(1);
        match &mut self.reader {
            Reader::Json(feed, decoder) => next_lines(&self.path, feed, decoder, &self.plan),
            Reader::Csv(feed, decoder) => next_lines(&self.path, feed, &mut **decoder, &self.plan),
            Reader::Parquet(source) => source.next_block(max_rows.max(1)),
        }
    }

    /// Where the next block begins, for [`FileOptions::resume`].
    pub fn position(&self) -> Position {
        match &self.reader {
            Reader::Json(feed, _) | Reader::Csv(feed, _) => feed.position(),
            Reader::Parquet(source) => source.position(),
        }
    }

    /// Which file that is, for [`FileOptions::left_in`].
    pub fn mark(&self) -> FileMark {
        match &self.reader {
            Reader::Json(feed, _) | Reader::Csv(feed, _) => {
                FileMark { head: feed.head_checksum(), ..self.mark }
            }
            Reader::Parquet(_) => self.mark,
        }
    }

    /// Where reading began, next to [`FileOptions::resume`].
    pub fn resumed(&self) -> &Resumed {
        &self.resumed
    }

    pub fn progress(&self) -> Progress {
        match self.position() {
            Position::Line { byte, .. } => {
                Progress::Bytes { done: byte, total: self.total.max(byte) }
            }
            Position::Row(row) => Progress::Rows { done: row, total: self.total.max(row) },
        }
    }
}

fn next_lines(
    path: &Path,
    feed: &mut Feed<File>,
    decoder: &mut impl Decoder,
    plan: &BlockPlan,
) -> Result<Option<Decoded>, Error> {
    let block = feed.block(decoder, plan, AtEnd::Ends).map_err(Error::io(path))?;
    // A block without records that still has room met the end of the file.
    let ended = !block.has_records() && block.has_room();
    Ok((!ended).then(|| block.finish()))
}

/// The file's bytes from where reading shall begin.
pub(super) fn feed_from(
    path: &Path,
    mut file: File,
    resume: Option<Position>,
    first: Position,
) -> Result<Feed<File>, Error> {
    let position = resume.unwrap_or(first).max(first);
    let Position::Line { line, byte } = position else {
        let cause = "a row of a Parquet file is no place in lines";
        return Err(Error::Resume { path: path.to_owned(), position, cause });
    };
    let total = file.metadata().map_err(Error::io(path))?.len();
    if byte > total {
        let cause = "the file is shorter than that";
        return Err(Error::Resume { path: path.to_owned(), position, cause });
    }
    let head = head_before(&file, position).map_err(Error::io(path))?;
    file.seek(SeekFrom::Start(byte)).map_err(Error::io(path))?;
    Ok(Feed::new(file, head, line, byte))
}

fn open_csv(
    path: &Path,
    mut file: File,
    schema: Arc<Schema>,
    options: &FileOptions,
    origin: &str,
) -> Result<(Feed<File>, CsvDecoder), Error> {
    let limits = options.limits.bounded();
    file.seek(SeekFrom::Start(0)).map_err(Error::io(path))?;
    let start = header_bytes(&mut file, limits.record_bytes).map_err(Error::io(path))?;
    let (decoder, byte, lines) =
        CsvDecoder::after_header(schema, &start, &options.csv, limits, origin)?;
    let first = Position::Line { line: 1 + lines, byte: byte as u64 };
    Ok((feed_from(path, file, options.resume, first)?, decoder))
}

/// The start of the file, surely with all of its first non-empty line, unless that is beyond the
/// limit.
fn header_bytes(file: &mut File, limit: usize) -> std::io::Result<Vec<u8>> {
    const STEP: u64 = 64 << 10;
    let mut start = Vec::new();
    loop {
        let got = file.by_ref().take(STEP).read_to_end(&mut start)?;
        let lines_end = start.iter().rposition(|b| *b == b'\n');
        let named = lines_end.is_some_and(|end| !start[..end].trim_ascii().is_empty());
        if got == 0 || named || start.len() > limit {
            return Ok(start);
        }
    }
}
