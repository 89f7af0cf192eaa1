//! Which files are read, and in which order.

use std::path::{Path, PathBuf};

use millrace_batch::History;
use millrace_connector::{CsvOptions, FileOptions, Position};
use millrace_event::EventTime;
use millrace_stream::PartitionId;
use millrace_stream::live::{now, rules_of};

pub use super::inputs::Block;
use super::inputs::{self, Events, Origin};
use crate::console::note;
use crate::exit::Failure;
use crate::project::Project;

/// The most threads that one computation may use.
const THREADS_MAX: usize = 256;
/// How finely progress is shown.
pub const PROGRESS: u64 = 1_000;

/// Which events are read, and how.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Reading {
    /// A stream and its files, separated by commas; may be given several times. No file after the
    /// `=` means a stream without events; streams not named have the files of millrace.toml
    #[arg(long, value_name = "STREAM=FILE[,FILE…]")]
    pub events: Vec<Events>,
    /// Threads to work on; as many as this machine has, if not given
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// What separates the columns of CSV files, instead of what millrace.toml says
    #[arg(long)]
    pub delimiter: Option<char>,
    /// The CSV files have no header: their columns are the stream's fields, in their order
    #[arg(long)]
    pub no_header: bool,
}

impl Reading {
    pub fn threads(&self) -> Result<usize, Failure> {
        match self.threads {
            None => {
                Ok(std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX))
            }
            Some(n) if (1..=THREADS_MAX).contains(&n) => Ok(n),
            Some(n) => Err(Failure::usage(format!("--threads is {n}; use 1 to {THREADS_MAX}"))),
        }
    }

    /// Refuses to write where events are read, by whatever path.
    pub fn keep_apart(&self, project: &Project, outputs: &[&Path]) -> Result<(), Failure> {
        inputs::keep_apart(&self.events, project, outputs)
    }

    /// The files of each stream that is needed.
    pub fn files(&self, project: &Project, needs: &[bool]) -> Result<Vec<StreamFiles>, Failure> {
        let given = inputs::by_stream(&self.events, &project.plan)?;
        let needed = given.into_iter().enumerate().filter(|(stream, _)| needs[*stream]);
        let files = needed.map(|(stream, files)| {
            let (files, delimiter) = match files {
                Some(files) => (files, ','),
                None => inputs::configured(project, &project.plan.streams[stream].schema.stream)?,
            };
            Ok(StreamFiles { stream, files, delimiter })
        });
        files.collect()
    }

    /// How CSV files are laid out.
    pub fn csv(&self, configured: char) -> Result<CsvOptions, Failure> {
        let given = self.delimiter.unwrap_or(configured);
        let delimiter = u8::try_from(given).ok().filter(u8::is_ascii).ok_or_else(|| {
            Failure::usage(format!("--delimiter is `{given}`; use an ASCII sign"))
        })?;
        Ok(CsvOptions { has_header: !self.no_header, delimiter, ..CsvOptions::default() })
    }
}

/// What is read of one stream.
#[derive(Clone, Debug)]
pub struct StreamFiles {
    /// Index into the plan's streams.
    pub stream: usize,
    pub files: Vec<PathBuf>,
    /// What the configuration says separates columns.
    pub delimiter: char,
}

/// Which events are read: files, or what the server logged.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Origins {
    #[command(flatten)]
    pub reading: Reading,
    /// The events of the server's own log instead of files; it may run meanwhile
    #[arg(long, conflicts_with_all = ["events", "delimiter", "no_header"])]
    pub from_log: bool,
    /// The data directory whose log is read; the one that millrace.toml names, if not given
    #[arg(long, value_name = "DIR", requires = "from_log")]
    pub data: Option<PathBuf>,
}

/// The files that are read side by side.
#[derive(Debug)]
pub struct Sources {
    /// By stream, where any is read.
    streams: Vec<(usize, String)>,
    positions: Vec<(PartitionId, PathBuf, Position)>,
    origins: Vec<Origin>,
    files: usize,
    ended: usize,
}

impl Sources {
    /// Opens every file of the streams that are needed; `partition` gives each a partition.
    pub fn open(
        project: &Project,
        reading: &Reading,
        threads: usize,
        needs: &[bool],
        mut partition: impl FnMut(usize, &str) -> PartitionId,
    ) -> Result<Sources, Failure> {
        // A server would take no other events either.
        let rules = rules_of(&project.plan, project.config.engine().future_max);
        let mut sources = Sources {
            streams: Vec::new(),
            positions: Vec::new(),
            origins: Vec::new(),
            files: 0,
            ended: 0,
        };
        for (stream, needed) in project.plan.streams.iter().zip(needs) {
            let name = &*stream.schema.stream;
            if !needed && reading.events.iter().any(|given| given.stream == name) {
                note!("the view does not need stream {name}; its files are not read");
            }
        }
        for StreamFiles { stream, files, delimiter } in reading.files(project, needs)? {
            let schema = &project.plan.streams[stream].schema;
            let options = FileOptions {
                limits: project.config.limits(),
                csv: reading.csv(delimiter)?,
                rules: rules.get(stream).cloned(),
                ..FileOptions::default()
            };
            sources.streams.push((stream, schema.stream.to_string()));
            for path in &files {
                let partition = partition(stream, &path.to_string_lossy());
                let origin = Origin::open(path, partition, schema.clone(), &options, threads)?;
                sources.positions.push((partition, path.clone(), origin.start));
                sources.origins.push(origin);
            }
        }
        sources.files = sources.origins.len();
        Ok(sources)
    }

    /// Opens every file of the streams that have a say in a history, each a partition of it.
    pub fn of_history(
        project: &Project,
        reading: &Reading,
        threads: usize,
        history: &mut History,
    ) -> Result<Sources, Failure> {
        let streams = 0..project.plan.streams.len();
        let needs: Vec<bool> = streams.map(|stream| history.needs(stream)).collect();
        let partition = |stream: usize, name: &str| history.partition(stream, name);
        Sources::open(project, reading, threads, &needs, partition)
    }

    /// Hands the next block to the history, once `see` was shown it; whether there was one, or the
    /// end of a file.
    pub fn feed(
        &mut self,
        history: &mut History,
        see: &mut dyn FnMut(PartitionId, &Block) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        match self.next(|partition| history.reached(partition))? {
            None => return Ok(false),
            Some((partition, None)) => history.close(partition)?,
            Some((partition, Some(block))) => {
                see(partition, &block)?;
                // None is too far ahead: their source has judged them by the same limit, and not
                // later.
                history.push(partition, &block.decoded.batch, block.received.max(now()))?;
            }
        }
        Ok(true)
    }

    /// The streams that are read, by index and name.
    pub fn streams(&self) -> impl Iterator<Item = (usize, &str)> {
        self.streams.iter().map(|(index, name)| (*index, &**name))
    }

    /// By partition, its file and where its first record begins.
    pub fn positions(&self) -> Vec<(PartitionId, PathBuf, Position)> {
        self.positions.clone()
    }

    /// The next block of the file that is furthest behind in event time, so that as few events as
    /// possible wait for the others; no block at the end of a file, nothing at the end of all.
    pub fn next(
        &mut self,
        reached: impl Fn(PartitionId) -> EventTime,
    ) -> Result<Option<(PartitionId, Option<Block>)>, Failure> {
        let open = 0..self.origins.len();
        let furthest = open.min_by_key(|at| reached(self.origins[*at].partition));
        let Some(index) = furthest else { return Ok(None) };
        let origin = &mut self.origins[index];
        let partition = origin.partition;
        let block = origin.next_block()?;
        if block.is_none() {
            self.ended += 1;
            self.origins.swap_remove(index);
        }
        Ok(Some((partition, block)))
    }

    /// How much of all files was read, from 0 to 1.
    pub fn fraction(&self) -> f64 {
        let open: f64 = self.origins.iter().map(Origin::fraction).sum();
        (self.ended as f64 + open) / self.files.max(1) as f64
    }
}
