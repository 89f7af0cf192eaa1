//! `millrace bench card-features`: rows per processor second, beside loops in memory.

use std::path::PathBuf;

use millrace_payments::card_features::Preset;
use serde_json::json;

use super::data::{DataSet, default_folder};
use super::peers::{self, Peer};
use super::phase::{self, EngineRun, LoopRun, Phase};
use super::verify::Verified;
use crate::console::{grouped, note, progress, say, size};
use crate::exit::Failure;

/// The most rounds of one command.
const ROUNDS_MAX: u32 = 100;

/// Computes sixteen window features for each payment of a data set, from files to a file
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace bench card-features --data c1m           1 M payments, no hot key: some seconds
  millrace bench card-features --data a5m --json    5 M payments on hot keys, 42 minutes of them
  millrace bench card-features --data b5m --peers   every window expires; DuckDB and chDB beside it

Every round runs the floor (a plain loop over rows in memory: hash maps, rings and deques), the same
loop tuned to this workload (keys that index arrays, two kinds of cards), and then Millrace: from
CSV files on the disk through decoding, removal of duplicates, lateness, watermark, engine and view
to a CSV file of rows, with a real checkpoint for every second of running time. Each runs in a
process of its own. The ratios are those of rows per processor second, and the medians over the
rounds are printed. All values of every round are compared with the floor's; one that differs ends the
command with code 70.")]
pub struct Args {
    /// a5m, a1m, a100k, b5m, b100k, c5m, c1m or c100k
    #[arg(long)]
    data: Preset,
    /// Take fewer or more rows than the name says; a shorter set is a prefix of a longer one
    #[arg(long, value_name = "N")]
    rows: Option<u32>,
    /// How often floor and engine are run, one after the other
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: u32,
    /// Threads for the engine; the floor has one
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
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

/// One turn of floor and engine.
struct Round {
    floor: LoopRun,
    tuned: LoopRun,
    engine: EngineRun,
    verified: Verified,
}

impl Round {
    fn to_json(&self) -> serde_json::Value {
        json!({
            "floor": self.floor,
            "tuned": self.tuned,
            "engine": self.engine,
            "ratio": self.ratio(),
            "ratio_to_tuned": self.ratio_to_tuned(),
        })
    }

    fn floor_rate(&self) -> f64 {
        self.floor.rate()
    }

    fn tuned_rate(&self) -> f64 {
        self.tuned.rate()
    }

    fn rate(&self) -> f64 {
        self.engine.rows as f64 / self.engine.cpu_seconds
    }

    fn ratio(&self) -> f64 {
        self.rate() / self.floor_rate()
    }

    fn ratio_to_tuned(&self) -> f64 {
        self.rate() / self.tuned_rate()
    }
}

pub fn card_features(args: &Args) -> Result<(), Failure> {
    if !(1..=ROUNDS_MAX).contains(&args.rounds) {
        let given = args.rounds;
        return Err(Failure::usage(format!("--rounds is {given}; use 1 to {ROUNDS_MAX}")));
    }
    let data = DataSet::new(args.data, args.rows);
    if data.workload.rows == 0 {
        return Err(Failure::usage("--rows is 0; use at least 1"));
    }
    let folder = args.dir.clone().unwrap_or_else(default_folder);
    let bar = progress("writing the data set", u64::from(args.rounds) * 4);
    let files = data.files(&folder)?;
    let child = phase::Args {
        phase: Phase::Engine,
        data: args.data,
        rows: data.workload.rows,
        dir: folder.clone(),
        threads: args.threads,
    };
    let mut rounds = Vec::new();
    for round in 1..=args.rounds {
        let step = |what: &str| bar.set_message(format!("round {round}: {what}"));
        step("floor");
        let floor = child.floor()?;
        bar.inc(1);
        step("tuned loop");
        let tuned = child.tuned()?;
        bar.inc(1);
        step("engine");
        let engine = child.engine()?;
        bar.inc(1);
        step("comparing");
        let verified = child.verify()?;
        bar.inc(1);
        if tuned.checksum != floor.checksum {
            return Err(Failure::bug("the plain and the tuned loop differ"));
        }
        rounds.push(Round { floor, tuned, engine, verified });
    }
    bar.finish_and_clear();
    let peers = if args.peers { peers::run(&args.python, &files, &folder) } else { Vec::new() };
    report(args, &data, &rounds, &peers)
}

/// The middle one; of an even count, the mean of the middle two.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { values[middle - 1].midpoint(values[middle]) }
}

fn report(args: &Args, data: &DataSet, rounds: &[Round], peers: &[Peer]) -> Result<(), Failure> {
    let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
    let (rate, floor, ratio) = (of(Round::rate), of(Round::floor_rate), of(Round::ratio));
    let (tuned, ratio_to_tuned) = (of(Round::tuned_rate), of(Round::ratio_to_tuned));
    let rss = of(|r| r.engine.peak_rss_bytes as f64) as u64;
    let per_key = of(|r| r.engine.state_bytes as f64 / r.engine.keys.max(1) as f64);
    let wall = of(|r| r.engine.rows as f64 / r.engine.wall_seconds);
    let checkpoints = of(|r| r.engine.taken.checkpoints as f64);
    let checkpoint_bytes = of(|r| r.engine.taken.bytes as f64) as u64;
    let values: u64 = rounds.iter().map(|r| r.verified.values).sum();
    let at_limit: u64 = rounds.iter().map(|r| r.verified.values_at_limit).sum();
    let restored = rounds.last().and_then(|r| r.verified.restored_keys);
    if args.json {
        let each: Vec<_> = rounds.iter().map(Round::to_json).collect();
        return say!(
            "{}",
            json!({
                "data": data.preset.name(),
                "rows": data.workload.rows,
                "threads": args.threads,
                "rows_per_cpu_second": rate,
                "floor_rows_per_cpu_second": floor,
                "ratio": ratio,
                "tuned_rows_per_cpu_second": tuned,
                "ratio_to_tuned": ratio_to_tuned,
                "rows_per_second": wall,
                "peak_rss_bytes": rss,
                "state_bytes_per_key": per_key,
                "checkpoints": checkpoints,
                "checkpoint_bytes": checkpoint_bytes,
                "restored_keys": restored,
                "values_compared": values,
                "values_different": 0,
                "values_at_limit": at_limit,
                "rounds": each,
                "peers": peers,
            })
        );
    }
    let row_count = grouped(u64::from(data.workload.rows));
    say!("{}: {row_count} payments, {} rounds, medians", data.preset, rounds.len())?;
    say!(
        "  floor        {:>12} rows per CPU-second, a plain loop in memory",
        grouped(floor as u64)
    )?;
    say!("  tuned loop   {:>12} rows per CPU-second, in memory", grouped(tuned as u64))?;
    say!("  millrace     {:>12} rows per CPU-second, files to file", grouped(rate as u64))?;
    say!("  ratio        {ratio:>12.3} to the floor, {ratio_to_tuned:.3} to the tuned loop")?;
    say!("  on the wall  {:>12} rows per second", grouped(wall as u64))?;
    say!("  memory       {:>12} at most", size(rss))?;
    say!("  key states   {per_key:>12.0} bytes per key")?;
    let restored = restored.map_or_else(
        || "none taken: too short".to_owned(),
        |keys| format!("the newest restored: {} keys", grouped(keys)),
    );
    say!("  checkpoints  {checkpoints:>12.0} of {} in all, {restored}", size(checkpoint_bytes))?;
    say_compared(values, at_limit)?;
    say_peers(peers)?;
    if args.threads > 1 {
        note!("the loops have one thread and the engine {}", args.threads);
    }
    Ok(())
}

fn say_compared(values: u64, at_limit: u64) -> Result<(), Failure> {
    say!("  compared     {:>12} values, none differs", grouped(values))?;
    if at_limit > 0 {
        let count = grouped(at_limit);
        say!("               {count:>12} of them null: more than 4,096 distinct merchants")?;
    }
    Ok(())
}

pub fn say_peers(peers: &[Peer]) -> Result<(), Failure> {
    for peer in peers {
        match (&peer.not_run, peer.rows_per_cpu_second()) {
            (None, Some(rate)) => {
                let rate = grouped(rate as u64);
                say!("  {:<12} {rate:>12} rows per CPU-second, its own rule for ties", peer.name)?;
            }
            (reason, _) => {
                let reason = reason.as_deref().unwrap_or("it printed no figures");
                say!("  {:<12} not run: {reason}", peer.name)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()).to_bits(), 2.0f64.to_bits());
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()).to_bits(), 2.5f64.to_bits());
    }
}
