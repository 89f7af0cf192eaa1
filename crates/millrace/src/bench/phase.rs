//! One phase of a benchmark, in a process of its own so that its memory and time are its own.
//!
//! The command that measures starts this program again for each phase and reads the JSON that it
//! prints.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use millrace_payments::card_features::{Preset, Row, Totals, compute, compute_tuned};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::checkpoints::{Taken, Taker, keys};
use super::data::DataSet;
use super::usage::{peak_memory, processor_time};
use super::verify::{Verified, verify};
use crate::compute::{self, Job, Tracking};
use crate::console::say;
use crate::exit::Failure;
use crate::history::{Events, Reading};
use crate::project::{Place, Project};
use crate::stop::Stop;

/// How often a checkpoint begins, in running time.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// The view that is computed.
const VIEW: &str = "card_features";

/// One phase of a benchmark
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[arg(value_enum)]
    pub phase: Phase,
    #[arg(long)]
    pub data: Preset,
    #[arg(long)]
    pub rows: u32,
    #[arg(long)]
    pub dir: PathBuf,
    #[arg(long)]
    pub threads: usize,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Floor,
    Tuned,
    Engine,
    Verify,
}

/// What one of the loops took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoopRun {
    pub rows: u64,
    pub checksum: u64,
    pub cpu_seconds: f64,
}

impl LoopRun {
    /// Rows per processor second.
    pub fn rate(&self) -> f64 {
        self.rows as f64 / self.cpu_seconds
    }
}

/// What the engine took, from the files on the disk to the file of rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EngineRun {
    pub rows: u64,
    /// Of the whole process, its start included.
    pub cpu_seconds: f64,
    pub wall_seconds: f64,
    pub peak_rss_bytes: u64,
    pub keys: u64,
    /// Key states with the tables around them.
    pub state_bytes: u64,
    pub taken: Taken,
}

pub fn phase(args: &Args) -> Result<(), Failure> {
    match args.phase {
        Phase::Floor => print(&floor(&args.data_set())),
        Phase::Tuned => print(&tuned(&args.data_set())),
        Phase::Engine => print(&engine(args)?),
        Phase::Verify => print(&verify(args)?),
    }
}

impl Args {
    pub fn data_set(&self) -> DataSet {
        DataSet::new(self.data, Some(self.rows))
    }

    /// The file of rows that the engine writes.
    pub fn output(&self) -> PathBuf {
        self.dir.join(format!("{}-out.csv", self.data_set().name()))
    }

    pub fn checkpoints(&self) -> PathBuf {
        self.dir.join(format!("{}-checkpoints", self.data_set().name()))
    }

    pub fn project(&self) -> Result<Project, Failure> {
        Place { project: self.dir.join("project") }.open()
    }

    pub fn floor(&self) -> Result<LoopRun, Failure> {
        self.child(Phase::Floor)
    }

    pub fn tuned(&self) -> Result<LoopRun, Failure> {
        self.child(Phase::Tuned)
    }

    pub fn engine(&self) -> Result<EngineRun, Failure> {
        self.child(Phase::Engine)
    }

    pub fn verify(&self) -> Result<Verified, Failure> {
        self.child(Phase::Verify)
    }

    /// Runs this phase in a child process and reads what it prints.
    fn child<T: DeserializeOwned>(&self, phase: Phase) -> Result<T, Failure> {
        let program = std::env::current_exe().map_err(Failure::environment)?;
        let name = match phase {
            Phase::Floor => "floor",
            Phase::Tuned => "tuned",
            Phase::Engine => "engine",
            Phase::Verify => "verify",
        };
        let output = Command::new(&program)
            .args(["bench", "phase", name, "--data", self.data.name()])
            .args(["--rows", &self.rows.to_string(), "--threads", &self.threads.to_string()])
            .arg("--dir")
            .arg(&self.dir)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(Failure::io(&program))?;
        if !output.status.success() {
            // It has said why.
            return Err(Failure::environment(format!("phase {name} ended: {}", output.status)));
        }
        serde_json::from_slice(&output.stdout).map_err(Failure::bug)
    }
}

fn print(result: &impl Serialize) -> Result<(), Failure> {
    say!("{}", serde_json::to_string(result).map_err(Failure::bug)?)
}

/// The plain loop.
fn floor(data: &DataSet) -> LoopRun {
    measured(data, |rows| compute(rows, |_, _| {}))
}

/// The loop that is tuned to the workload.
fn tuned(data: &DataSet) -> LoopRun {
    let (cards, merchants) = (data.workload.cards, data.workload.merchants);
    measured(data, |rows| compute_tuned(rows, cards, merchants, |_, _| {}))
}

/// Only the loop is measured: the rows are made and sorted before.
fn measured(data: &DataSet, run: impl Fn(&[Row]) -> Totals) -> LoopRun {
    let rows = data.rows();
    let before = processor_time();
    let totals = run(&rows);
    let cpu = processor_time() - before;
    LoopRun { rows: totals.rows, checksum: totals.checksum, cpu_seconds: cpu.as_secs_f64() }
}

fn engine(args: &Args) -> Result<EngineRun, Failure> {
    let begun = Instant::now();
    let files = args.data_set().files(&args.dir)?;
    let project = args.project()?;
    let output = args.output();
    let stop = Stop::on_signals()?;
    let checkpoints = args.checkpoints();
    empty_folder(&checkpoints)?;
    let mut taker = Taker::start(&checkpoints, CHECKPOINT_EVERY)?;
    let job = Job {
        view: compute::find_view(&project, VIEW)?,
        project: &project,
        reading: &Reading {
            events: vec![Events { stream: "payment".to_owned(), files }],
            ..Reading::default()
        },
        output: &output,
        threads: args.threads,
        tracking: Tracking::On,
    };
    let done = compute::run(&job, &stop, &mut |ordered, at| taker.look_after(ordered, at))?;
    let mut ordered = done.ordered;
    let taken = taker.finish(&mut ordered)?;
    let cpu_seconds = processor_time().as_secs_f64();
    let peak_rss_bytes = peak_memory()?;
    let wall_seconds = begun.elapsed().as_secs_f64();
    let engine = ordered.engine();
    let sizes = (0..project.plan.groups.len()).map(|group| engine.group_size(group));
    Ok(EngineRun {
        rows: done.summary.rows,
        cpu_seconds,
        wall_seconds,
        peak_rss_bytes,
        keys: keys(engine),
        state_bytes: sizes.map(|s| (s.state_bytes + s.table_bytes) as u64).sum(),
        taken,
    })
}

fn empty_folder(folder: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Failure::io(folder)(e)),
        Ok(()) | Err(_) => {}
    }
    std::fs::create_dir_all(folder).map_err(Failure::io(folder))
}
