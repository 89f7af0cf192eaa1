//! Writes a data set of the benchmark workload, or runs the floor over it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::{Parser, Subcommand};
use millrace_payments::card_features::{
    DEFINITIONS, Preset, Rows, Workload, compute, in_time_order, write_csv,
};

/// The benchmark workload `card_features`: payments on skewed keys, sixteen columns for each.
#[derive(Parser, Debug)]
#[command(
    name = "card-features",
    version,
    after_help = "Examples:

  card-features write c1m --out data     writes data/c1m.csv/part-0.csv and part-1.csv
  card-features floor c1m                times a plain loop over the same rows in memory
  card-features definitions              prints the columns in the feature language"
)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Writes two CSV files, of even and of odd ids, in the order of arrival
    Write {
        /// a5m, a1m, a100k, b5m, b100k, c5m, c1m or c100k
        preset: Preset,
        /// The folder to write into; made if it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Write fewer or more rows; the shorter file is a prefix of the longer one
        #[arg(long)]
        rows: Option<u32>,
    },
    /// Computes the sixteen columns in a plain loop on one thread, and says how fast
    Floor {
        /// a5m, a1m, a100k, b5m, b100k, c5m, c1m or c100k
        preset: Preset,
        /// Take fewer or more rows
        #[arg(long)]
        rows: Option<u32>,
    },
    /// Prints the definitions
    Definitions,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().action {
        Action::Write { preset, out, rows } => {
            write_csv(&out, preset.name(), Rows::new(workload(preset, rows)))
                .with_context(|| format!("cannot write {preset} into {}", out.display()))
        }
        Action::Floor { preset, rows } => floor(workload(preset, rows)),
        Action::Definitions => Ok(io::stdout().write_all(DEFINITIONS.as_bytes())?),
    }
}

fn workload(preset: Preset, rows: Option<u32>) -> Workload {
    let workload = preset.workload();
    Workload { rows: rows.unwrap_or(workload.rows), ..workload }
}

fn floor(workload: Workload) -> anyhow::Result<()> {
    let rows = in_time_order(Rows::new(workload));
    let start = Instant::now();
    let totals = compute(&rows, |_, _| {});
    let seconds = start.elapsed().as_secs_f64();
    let rate = totals.rows as f64 / seconds;
    writeln!(
        io::stdout(),
        "{} rows in {seconds:.3} s, {rate:.0} rows/s, checksum {:016x}",
        totals.rows,
        totals.checksum
    )?;
    Ok(())
}
