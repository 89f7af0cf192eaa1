//! The files that `millrace.toml` names, followed while they grow.
//!
//! Each file is an origin partition of its own. How far it was read goes into the log with the
//! events, so that a start goes on exactly where the last one ended, even after a kill.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use millrace_connector::{
    CsvOptions, DeadLetter, Decoded, FileMark, FileOptions, FileSource, Position, Resumed,
    TailSource,
};
use millrace_event::{Batch, EventTime, Schema};
use millrace_stream::live::{
    DeadEvent, Delivery, Live, LiveError, PIECE_ROWS, Piece, Receipt, Recovery, now, pieces,
};

use crate::console::note;
use crate::exit::Failure;
use crate::project::Project;
use crate::stop::Stop;

/// Records read together.
const ROWS: usize = PIECE_ROWS;
/// Deliveries of one file that may wait to be durable: a read may have to wait for as many.
const IN_FLIGHT: usize = 4;
/// How long to wait when there is nothing new.
const IDLE: Duration = Duration::from_millis(20);
/// How long to wait for a file that is not there.
const ABSENT: Duration = Duration::from_millis(100);

/// The threads that follow files; one for each stream that has some.
#[derive(Debug)]
pub struct Following {
    threads: Vec<JoinHandle<()>>,
}

impl Following {
    /// Waits for their end, after they were told to stop.
    pub fn join(self) {
        for thread in self.threads {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

pub fn start(
    project: &Project,
    live: &Live,
    recovery: &Recovery,
    stop: &Stop,
) -> Result<Following, Failure> {
    let mut threads = Vec::new();
    for (name, configured) in &project.config.streams {
        let Some(stream) = project.plan.stream(name) else { continue };
        if configured.files.is_empty() {
            continue;
        }
        let schema = Arc::clone(&project.plan.streams[stream].schema);
        let follow = |path: &PathBuf| {
            let partition = path.display().to_string();
            let place = (name.clone(), partition.clone());
            let stored = recovery.positions.get(&place);
            let left = stored.and_then(|bytes| {
                let left = Left::parse(bytes);
                if left.is_none() {
                    let stored = String::from_utf8_lossy(bytes);
                    note!(
                        "{partition}: the stored position {stored:?} cannot be read; \
                         the file is read from its start"
                    );
                }
                left
            });
            Followed {
                path: project.folder.join(path),
                left,
                partition,
                source: Source::Absent,
                waiting: Vec::new(),
                late: 0,
                late_noted: 0,
            }
        };
        let files: Vec<Followed> = configured.files.iter().map(follow).collect();
        for file in files.iter().filter(|file| !file.path.exists()) {
            let path = file.path.display();
            note!("waiting for {path}, which millrace.toml names for stream {name}");
        }
        live.expect_confirmation(stream);
        let options = FileOptions {
            limits: project.config.limits(),
            csv: CsvOptions { delimiter: configured.delimiter as u8, ..CsvOptions::default() },
            rules: Some(Arc::clone(live.rules(stream))),
            ..FileOptions::default()
        };
        let follower = Follower { stream, schema, live: live.clone(), options, files };
        let stop = stop.clone();
        let run = move || follower.run(&stop);
        let thread = std::thread::Builder::new().name(format!("follow {name}")).spawn(run);
        let failed = |e| Failure::environment(format!("a thread cannot be started: {e}"));
        threads.push(thread.map_err(failed)?);
    }
    Ok(Following { threads })
}

/// All files of one stream.
struct Follower {
    stream: usize,
    schema: Arc<Schema>,
    live: Live,
    options: FileOptions,
    files: Vec<Followed>,
}

struct Followed {
    path: PathBuf,
    partition: String,
    /// Where the last run left it.
    left: Option<Left>,
    source: Source,
    waiting: Vec<Receiver<Result<Receipt, LiveError>>>,
    /// Events that were late since the start, and how many of them were told of.
    late: u64,
    late_noted: u64,
}

enum Source {
    /// Not there yet.
    Absent,
    Growing(TailSource),
    /// Of a format that is only read whole.
    Whole(FileSource),
    /// Read to its end.
    Done,
    /// It cannot be read any further, which was noted: there may be more in it.
    GivenUp,
}

impl Source {
    /// How far it was read.
    fn left(&self) -> Option<Left> {
        let (position, mark) = match self {
            Source::Growing(source) => (source.position(), source.mark()),
            Source::Whole(source) => (source.position(), source.mark()),
            Source::Absent | Source::Done | Source::GivenUp => return None,
        };
        Some(Left { position, file: Some(mark) })
    }
}

/// What a look at a file found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    More,
    Nothing,
    /// Not there, or not to be read: nobody knows what is in it.
    Absent,
}

impl Follower {
    fn run(mut self, stop: &Stop) {
        while !stop.is_asked() {
            let mut found = Vec::with_capacity(self.files.len());
            for index in 0..self.files.len() {
                match self.step(index) {
                    Ok(one) => found.push(one),
                    Err(Stopped) => return,
                }
            }
            if found.contains(&Found::More) {
                continue;
            }
            if !found.contains(&Found::Absent) {
                self.live.confirm(self.stream);
            }
            stop.sleep(if found.contains(&Found::Nothing) { IDLE } else { ABSENT });
        }
        self.files.iter_mut().for_each(|file| drop(file.settle(0)));
    }

    fn step(&mut self, index: usize) -> Result<Found, Stopped> {
        let Some(file) = self.files.get_mut(index) else { return Ok(Found::Nothing) };
        let received = now();
        let read = match &mut file.source {
            Source::Done => return Ok(Found::Nothing),
            Source::GivenUp => return Ok(Found::Absent),
            Source::Absent => {
                if !file.path.exists() {
                    return Ok(Found::Absent);
                }
                let schema = Arc::clone(&self.schema);
                let options = FileOptions {
                    resume: file.left.map(|left| left.position),
                    left_in: file.left.and_then(|left| left.file),
                    ..self.options.clone()
                };
                file.source = match open(&file.path, schema, &options) {
                    Ok(source) => {
                        file.note_start(&source);
                        source
                    }
                    Err(error) => give_up(&error),
                };
                if let Some(left) = file.source.left() {
                    file.announce(&self.live, self.stream, &self.schema, left)?;
                }
                return Ok(Found::More);
            }
            Source::Growing(source) => {
                source.receive_at(received);
                source.poll(ROWS).map(|tailed| {
                    let at_end = tailed.caught_up;
                    (Some(tailed.decoded), source.mark(), at_end)
                })
            }
            Source::Whole(source) => {
                source.receive_at(received);
                source.next_block(ROWS).map(|block| (block, source.mark(), false))
            }
        };
        match read {
            Ok((Some(decoded), mark, at_end)) => {
                let found = if at_end { Found::Nothing } else { Found::More };
                if decoded.records() > 0 {
                    let stream = (self.stream, &*self.schema);
                    file.hand_over(&self.live, stream, decoded, received, mark)?;
                }
                if at_end {
                    file.note_late();
                }
                Ok(found)
            }
            Ok((None, ..)) => {
                file.settle(0)?;
                file.note_late();
                file.source = Source::Done;
                Ok(Found::Nothing)
            }
            Err(error) => {
                file.source = give_up(&error);
                Ok(Found::Absent)
            }
        }
    }
}

fn open(
    path: &std::path::Path,
    schema: Arc<Schema>,
    options: &FileOptions,
) -> Result<Source, millrace_connector::Error> {
    match TailSource::open(path, Arc::clone(&schema), options) {
        Ok(source) => Ok(Source::Growing(source)),
        Err(millrace_connector::Error::NotTailed { .. }) => {
            FileSource::open(path, schema, options).map(Source::Whole)
        }
        Err(error) => Err(error),
    }
}

fn give_up(error: &millrace_connector::Error) -> Source {
    note!("{error}; it is not read any further until the next start");
    Source::GivenUp
}

/// The engine takes nothing any more.
struct Stopped;

impl Followed {
    /// Tells where a file is read from, unless it is where the last run left it.
    fn note_start(&self, source: &Source) {
        let resumed = match source {
            Source::Growing(source) => source.resumed(),
            Source::Whole(source) => source.resumed(),
            Source::Absent | Source::Done | Source::GivenUp => return,
        };
        let (name, Some(Left { position, .. })) = (&self.partition, self.left) else { return };
        match resumed {
            Resumed::AsAsked => {}
            Resumed::Moved(now) => note!(
                "{name}: the file that was read to {position} is {} now; it is finished first",
                now.display()
            ),
            Resumed::Gone => note!(
                "{name}: the file that was read to {position} is not there any more; \
                 the one that has its name is read from its start"
            ),
        }
    }

    /// Tells the engine of the file before any event is read: all files of a stream are origins
    /// before the first of them moves the watermark, and no event of another is late for that.
    fn announce(
        &mut self,
        live: &Live,
        stream: usize,
        schema: &Arc<Schema>,
        left: Left,
    ) -> Result<(), Stopped> {
        self.deliver(
            live,
            Delivery {
                stream,
                partition: self.partition.clone(),
                batch: Batch::new(Arc::clone(schema)),
                dead: Vec::new(),
                received: now(),
                position: Some(left.to_bytes()),
            },
        )
    }

    fn deliver(&mut self, live: &Live, delivery: Delivery) -> Result<(), Stopped> {
        let (done, receipt) = channel();
        let reply = Box::new(move |result| drop(done.send(result)));
        live.ingest_waiting(delivery, reply).map_err(|_| Stopped)?;
        self.waiting.push(receipt);
        self.settle(IN_FLIGHT)
    }

    /// Says how many events of the file were late, each time that they have become twice as many.
    fn note_late(&mut self) {
        if self.late > 2 * self.late_noted {
            self.late_noted = self.late;
            note!(
                "{}: {} events were late so far: older than the stream's lateness allows; \
                 they are kept, and `millrace replay` applies them",
                self.partition,
                self.late
            );
        }
    }

    fn hand_over(
        &mut self,
        live: &Live,
        (stream, schema): (usize, &Schema),
        decoded: Decoded,
        received: EventTime,
        mark: FileMark,
    ) -> Result<(), Stopped> {
        let Decoded { batch, dead, position, .. } = decoded;
        let letter = |letter: &DeadLetter| self.letter(&schema.stream, letter);
        let mut dead: Vec<DeadEvent> = dead.iter().map(letter).collect();
        let left = Left { position, file: Some(mark) };
        for Piece { batch, is_last } in pieces(batch) {
            let delivery = Delivery {
                stream,
                partition: self.partition.clone(),
                batch,
                // With the position, for what was read from there on is read again.
                dead: if is_last { std::mem::take(&mut dead) } else { Vec::new() },
                received,
                position: is_last.then(|| left.to_bytes()),
            };
            self.deliver(live, delivery)?;
        }
        Ok(())
    }

    /// Waits until at most this many deliveries are not durable.
    fn settle(&mut self, most: usize) -> Result<(), Stopped> {
        while self.waiting.len() > most {
            match self.waiting.remove(0).recv() {
                Ok(Ok(receipt)) => self.late += receipt.late,
                // As it was asked to, or it has said why; the next start reads on from here.
                Ok(Err(LiveError::Stopped)) | Err(_) => return Err(Stopped),
                Ok(Err(error)) => {
                    note!("{}: {error}", self.partition);
                    return Err(Stopped);
                }
            }
        }
        Ok(())
    }

    fn letter(&self, stream: &str, letter: &DeadLetter) -> DeadEvent {
        DeadEvent {
            stream: Some(stream.to_owned()),
            origin: self.partition.clone(),
            position: letter.position.to_string(),
            reason: letter.reason.to_string(),
            message: letter.message.clone(),
            bytes: letter.bytes.clone(),
        }
    }
}

/// Where a file was left, and which file it was. Older positions do not say which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Left {
    position: Position,
    file: Option<FileMark>,
}

impl Left {
    /// `line 7 1234 file 99 0123abcd` or `row 9 file 99 0123abcd`: text, so that a person can read
    /// it in a checkpoint.
    fn to_bytes(self) -> Vec<u8> {
        let mut text = match self.position {
            Position::Line { line, byte } => format!("line {line} {byte}"),
            Position::Row(row) => format!("row {row}"),
        };
        if let Some(file) = self.file {
            text.push_str(&format!(" file {file}"));
        }
        text.into_bytes()
    }

    fn parse(bytes: &[u8]) -> Option<Left> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (text, file) = match text.split_once(" file ") {
            Some((text, file)) => (text, Some(file.parse().ok()?)),
            None => (text, None),
        };
        let mut parts = text.split(' ');
        let position = match (parts.next()?, parts.next()?.parse().ok()?, parts.next()) {
            ("line", line, Some(byte)) => Position::Line { line, byte: byte.parse().ok()? },
            ("row", row, None) => Position::Row(row),
            _ => return None,
        };
        parts.next().is_none().then_some(Left { position, file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_they_are_written() {
        for position in
            [Position::START, Position::Line { line: 9, byte: 1 << 40 }, Position::Row(7)]
        {
            for file in [None, Some("99 0123abcd".parse().unwrap())] {
                let left = Left { position, file };
                assert_eq!(Left::parse(&left.to_bytes()), Some(left));
            }
        }
        for wrong in [
            "",
            "line",
            "line 1",
            "row x",
            "row 1 2 3",
            "page 1",
            "line 1 2 3",
            "row 1 file",
            "row 1 file 2",
            "row 1 file x 0123abcd",
        ] {
            assert_eq!(Left::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
