//! The files of history, each a partition of its stream, decoded block by block.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use millrace_connector::{Decoded, Error, FileOptions, FileSource, Position};
use millrace_event::{EventTime, Schema};
use millrace_feature::plan::Plan;
use millrace_stream::PartitionId;
use millrace_stream::live::now;

use crate::config::did_you_mean;
use crate::exit::Failure;
use crate::project::Project;

/// Records of one block. Large ones, because the engine looks at all that waits after each.
const BLOCK_ROWS: usize = 1 << 16;
/// Decoded blocks that may wait per file.
const BLOCKS_AHEAD: usize = 1;

/// `STREAM=FILE[,FILE…]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    pub stream: String,
    pub files: Vec<PathBuf>,
}

impl FromStr for Events {
    type Err = String;

    fn from_str(text: &str) -> Result<Events, String> {
        let (stream, files) = text
            .split_once('=')
            .filter(|(stream, _)| !stream.is_empty())
            .ok_or("write the stream's name, `=` and its files, such as payments=a.ndjson")?;
        let files = files.split(',').filter(|f| !f.is_empty()).map(PathBuf::from).collect();
        Ok(Events { stream: stream.to_owned(), files })
    }
}

/// The files given for each stream of the plan; `None` where nothing is.
pub fn by_stream(events: &[Events], plan: &Plan) -> Result<Vec<Option<Vec<PathBuf>>>, Failure> {
    let mut files: Vec<Option<Vec<PathBuf>>> = vec![None; plan.streams.len()];
    for given in events {
        let names: Vec<&str> = plan.streams.iter().map(|s| &*s.schema.stream).collect();
        let stream = plan.stream(&given.stream).ok_or_else(|| {
            let hint = did_you_mean(&given.stream, names);
            Failure::usage(format!("no stream is named `{}`; {hint}", given.stream))
        })?;
        files[stream].get_or_insert_default().extend(given.files.iter().cloned());
    }
    Ok(files)
}

/// Refuses to write where events are read, by whatever path.
pub fn keep_apart(events: &[Events], project: &Project, outputs: &[&Path]) -> Result<(), Failure> {
    let given = events.iter().flat_map(|e| e.files.iter().cloned());
    let streams = project.config.streams.values();
    let configured = streams.flat_map(|s| s.files.iter().map(|file| project.folder.join(file)));
    keep_files_apart(given.chain(configured), outputs)
}

/// The same for these files.
pub fn keep_files_apart(
    inputs: impl Iterator<Item = PathBuf>,
    outputs: &[&Path],
) -> Result<(), Failure> {
    // A path that does not resolve is no file that could be overwritten.
    let inputs: Vec<PathBuf> = inputs.filter_map(|path| path.canonicalize().ok()).collect();
    for output in outputs {
        if output.canonicalize().is_ok_and(|path| inputs.contains(&path)) {
            return Err(Failure::usage(format!(
                "{} is a file that this command reads; name another with --output",
                output.display()
            )));
        }
    }
    Ok(())
}

/// The files that the configuration names for a stream, and what separates their columns.
pub fn configured(project: &Project, name: &str) -> Result<(Vec<PathBuf>, char), Failure> {
    let stream = project.config.streams.get(name).filter(|s| !s.files.is_empty());
    let stream = stream.ok_or_else(|| {
        Failure::usage(format!(
            "the view needs stream {name}; give its files with --events {name}=FILE, or with \
             --events {name}= if there are none"
        ))
    })?;
    let files = stream.files.iter().map(|file| project.folder.join(file)).collect();
    Ok((files, stream.delimiter))
}

/// One file, as a partition of its stream.
#[derive(Debug)]
pub struct Origin {
    pub partition: PartitionId,
    /// Where its first record begins.
    pub start: Position,
    blocks: Blocks,
    fraction: f64,
}

/// Records that were read together.
#[derive(Debug)]
pub struct Block {
    pub decoded: Decoded,
    /// When they were read, by the clock that the rules judged them at.
    pub received: EventTime,
    /// How much of the file was read then, from 0 to 1.
    fraction: f64,
}

#[derive(Debug)]
enum Blocks {
    /// Decoded where they are asked for.
    Here(Box<FileSource>),
    /// Decoded ahead on a thread of their own, which ends with the file or with this receiver.
    /// It says when the file has ended: one that went away without a word has failed.
    Ahead(Receiver<Result<Option<Block>, Error>>),
}

impl Origin {
    pub fn open(
        path: &Path,
        partition: PartitionId,
        schema: Arc<Schema>,
        options: &FileOptions,
        threads: usize,
    ) -> Result<Origin, Failure> {
        let source = Box::new(FileSource::open(path, schema, options)?);
        let start = source.position();
        let blocks = if threads > 1 { read_ahead(path, source)? } else { Blocks::Here(source) };
        Ok(Origin { partition, start, blocks, fraction: 0.0 })
    }

    /// The next block; `None` at the end of the file.
    pub fn next_block(&mut self) -> Result<Option<Block>, Failure> {
        let next = match &mut self.blocks {
            Blocks::Here(source) => next_of(source),
            Blocks::Ahead(blocks) => match blocks.recv() {
                Ok(next) => next,
                Err(_) => return Err(Failure::bug("the thread that decodes a file failed")),
            },
        };
        let next = next?;
        if let Some(block) = &next {
            self.fraction = block.fraction;
        }
        Ok(next)
    }

    /// How much of the file was read, from 0 to 1.
    pub fn fraction(&self) -> f64 {
        self.fraction
    }
}

fn next_of(source: &mut FileSource) -> Result<Option<Block>, Error> {
    let received = now();
    source.receive_at(received);
    let decoded = source.next_block(BLOCK_ROWS)?;
    let fraction = source.progress().fraction();
    Ok(decoded.map(|decoded| Block { decoded, received, fraction }))
}

fn read_ahead(path: &Path, mut source: Box<FileSource>) -> Result<Blocks, Failure> {
    let (blocks, ahead) = sync_channel(BLOCKS_AHEAD);
    let read = move || {
        loop {
            let next = next_of(&mut source);
            let is_last = !matches!(next, Ok(Some(_)));
            if blocks.send(next).is_err() || is_last {
                return;
            }
        }
    };
    let started = std::thread::Builder::new().name("decode".to_owned()).spawn(read);
    started.map_err(|e| {
        Failure::environment(format!("{}: no thread to read it: {e}", path.display()))
    })?;
    Ok(Blocks::Ahead(ahead))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_and_its_files_are_told_apart() {
        let events: Events = "s=a.csv,b=c.csv".parse().unwrap();
        assert_eq!(events.stream, "s");
        assert_eq!(events.files, [PathBuf::from("a.csv"), PathBuf::from("b=c.csv")]);
        assert_eq!("s=".parse::<Events>().unwrap().files, [] as [PathBuf; 0]);
        assert!("s".parse::<Events>().is_err() && "=a".parse::<Events>().is_err());
    }
}
