//! `millrace bench training-set`: the offline engine from Parquet to Parquet.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use millrace_payments::card_features::Preset;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::card_features::{median, say_peers};
use super::data::{DataSet, default_folder};
use super::peers;
use crate::config::Size;
use crate::console::{grouped, progress, say, size};
use crate::exit::Failure;

/// The most rounds of one command.
const ROUNDS_MAX: u32 = 100;

/// Makes a training set of sixteen window features for each payment, from Parquet to Parquet
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace bench training-set --data c5m
  millrace bench training-set --data c5m --peers      DuckDB and chDB beside it
  millrace bench training-set --data c5m --rows 20000000 --memory 512MiB

Every round runs the command `millrace training-set` in a process of its own. With --memory it is
run a second time with all the memory it can use, and the bytes of the two files are compared.")]
pub struct Args {
    /// a5m, a1m, a100k, b5m, b100k, c5m, c1m or c100k
    #[arg(long)]
    data: Preset,
    /// Take fewer or more rows than the name says
    #[arg(long, value_name = "N")]
    rows: Option<u32>,
    /// How often it is run
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: u32,
    /// Threads to work on
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// What its events and features may take; all it can use, if not given
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
    /// Where files are kept from run to run; a folder in the system's temporary one, if not given
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Also run DuckDB and chDB over the same files, where Python can import them
    #[arg(long)]
    peers: bool,
    /// The Python that imports them
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// What one run says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Run {
    rows: u64,
    seconds: f64,
    cpu_seconds: f64,
    peak_rss_bytes: u64,
}

impl Run {
    fn rate(&self) -> f64 {
        self.rows as f64 / self.cpu_seconds
    }
}

pub fn training_set(args: &Args) -> Result<(), Failure> {
    if !(1..=ROUNDS_MAX).contains(&args.rounds) {
        let given = args.rounds;
        return Err(Failure::usage(format!("--rounds is {given}; use 1 to {ROUNDS_MAX}")));
    }
    let data = DataSet::new(args.data, args.rows);
    let folder = args.dir.clone().unwrap_or_else(default_folder);
    let bar = progress("writing the data set", u64::from(args.rounds) + 1);
    let files = data.parquet_files(&folder)?;
    let output = folder.join(format!("{}-out.parquet", data.name()));
    let mut runs = Vec::new();
    for round in 1..=args.rounds {
        bar.set_message(format!("round {round}"));
        runs.push(run(args, &folder, &files, args.memory, &output)?);
        bar.inc(1);
    }
    let mut same = None;
    if args.memory.is_some() {
        bar.set_message("with more memory");
        let other = folder.join(format!("{}-all.parquet", data.name()));
        run(args, &folder, &files, None, &other)?;
        same = Some(are_same(&output, &other)?);
        std::fs::remove_file(&other).map_err(Failure::io(&other))?;
    }
    bar.finish_and_clear();
    let peers = if args.peers { peers::run(&args.python, &files, &folder) } else { Vec::new() };
    report(args, &data, &runs, same, &peers)?;
    if same == Some(false) {
        return Err(Failure::bug("the files made with less and with more memory differ"));
    }
    Ok(())
}

/// Memory that is enough for any of the data sets.
const MEMORY: &str = "1TiB";

fn run(
    args: &Args,
    folder: &Path,
    files: &[PathBuf],
    memory: Option<Size>,
    output: &Path,
) -> Result<Run, Failure> {
    let program = std::env::current_exe().map_err(Failure::environment)?;
    let names: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
    let memory = memory.map_or_else(|| MEMORY.to_owned(), |Size(bytes)| format!("{bytes}B"));
    let ended = Command::new(&program)
        .args(["training-set", "card_features", "--json", "--memory", &memory])
        .args(["--threads", &args.threads.to_string()])
        .args(["--events", &format!("payment={}", names.join(","))])
        .arg("--project")
        .arg(folder.join("project"))
        .arg("-o")
        .arg(output)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(Failure::io(&program))?;
    if !ended.status.success() {
        // It has said why.
        return Err(Failure::environment(format!("training-set ended: {}", ended.status)));
    }
    serde_json::from_slice(&ended.stdout).map_err(Failure::bug)
}

/// Whether two files have the same bytes.
fn are_same(one: &Path, other: &Path) -> Result<bool, Failure> {
    let open = |path: &Path| File::open(path).map_err(Failure::io(path));
    let (mut a, mut b) = (open(one)?, open(other)?);
    let (mut some, mut more) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let read = a.read(&mut some).map_err(Failure::io(one))?;
        if read == 0 {
            return Ok(b.read(&mut more).map_err(Failure::io(other))? == 0);
        }
        if b.read_exact(&mut more[..read]).is_err() || some[..read] != more[..read] {
            return Ok(false);
        }
    }
}

fn report(
    args: &Args,
    data: &DataSet,
    runs: &[Run],
    same: Option<bool>,
    peers: &[peers::Peer],
) -> Result<(), Failure> {
    let rate = median(runs.iter().map(Run::rate));
    let wall = median(runs.iter().map(|r| r.rows as f64 / r.seconds));
    let rss = median(runs.iter().map(|r| r.peak_rss_bytes as f64)) as u64;
    if args.json {
        return say!(
            "{}",
            json!({
                "data": data.preset.name(),
                "rows": data.workload.rows,
                "threads": args.threads,
                "rows_per_cpu_second": rate,
                "rows_per_second": wall,
                "peak_rss_bytes": rss,
                "memory_bytes": args.memory.map(|Size(bytes)| bytes),
                "same_bytes": same,
                "rounds": runs,
                "peers": peers,
            })
        );
    }
    let rows = grouped(u64::from(data.workload.rows));
    say!("{}: {rows} payments, Parquet to Parquet, {} rounds, medians", data.preset, runs.len())?;
    say!("  millrace     {:>12} rows per CPU-second", grouped(rate as u64))?;
    say!("  on the wall  {:>12} rows per second", grouped(wall as u64))?;
    let given = args.memory.map_or_else(String::new, |m| format!(" with --memory {}", size(m.0)));
    say!("  memory       {:>12} at most{given}", size(rss))?;
    match same {
        Some(true) => say!("  compared     the same bytes as with all the memory it can use")?,
        Some(false) => say!("  compared     OTHER bytes than with all the memory it can use")?,
        None => {}
    }
    say_peers(peers)
}
