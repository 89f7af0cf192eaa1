//! The engine beside the plain loop: rows per CPU-second of each on the workload `card_features`,
//! in memory, taking turns in one process.
//!
//! ```text
//! cargo run --release -p millrace-stream --example floor -- c1m 3
//! ```
//!
//! Both start from the same rows and compute the same sixteen columns; the checksums must agree.
//! The engine also judges each event (duplicates, lateness, watermark) and orders them, which the
//! loop is spared. CPU time is that of the whole process, as the system counts it.

#![expect(clippy::disallowed_methods, reason = "a measurement reads its own CPU time")]

use std::error::Error;
use std::sync::Arc;

use millrace_aggregate::Layout;
use millrace_event::{Batch, Column, Data, EventTime};
use millrace_feature::plan::Plan;
use millrace_feature::{SourceFile, compile};
use millrace_payments::card_features::{
    Columns, DEFINITIONS, Preset, Row, Rows, Totals, compute, in_time_order, rows_to_batch,
};
use millrace_stream::{Fate, Ordered, Settings};

/// Rows of a batch, as a source delivers them.
const BATCH_ROWS: usize = 8_192;
/// As in [`Columns::checksum`].
const WEIGHT: u64 = 0x9e37_79b9_7f4a_7c15;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let preset: Preset = arguments.next().unwrap_or_else(|| "c1m".to_owned()).parse()?;
    let rounds: usize = arguments.next().map_or(Ok(3), |n| n.parse())?;
    let workload = preset.workload();
    let arrivals: Vec<Row> = Rows::new(workload).collect();
    let ordered = in_time_order(arrivals.iter().copied());
    let plan = plan()?;
    let batches = arrivals
        .chunks(BATCH_ROWS)
        .map(|rows| rows_to_batch(Arc::clone(&plan.streams[0].schema), rows))
        .collect::<Result<Vec<Batch>, _>>()?;
    let rows = f64::from(workload.rows);
    let beyond = beyond_limit(&ordered);
    let mut ratios = Vec::new();
    let mut report = String::new();
    for round in 0..rounds.max(1) {
        let (mut floor, floor_s) = timed(|| Ok(compute(&ordered, |_, _| {})))?;
        floor.checksum = floor.checksum.wrapping_sub(beyond);
        let ((engine, sizes), engine_s) = timed(|| run(&plan, &batches))?;
        if engine != floor {
            return Err(format!("the results differ: {engine:?} and {floor:?}").into());
        }
        ratios.push(floor_s / engine_s);
        report.push_str(&format!(
            "{preset} round {round}: floor {:.0}, engine {:.0} rows per CPU-second, ratio {:.3}\n",
            rows / floor_s,
            rows / engine_s,
            floor_s / engine_s
        ));
        if round == 0 {
            report.push_str(&sizes);
        }
    }
    ratios.sort_by(f64::total_cmp);
    report.push_str(&format!("{preset} median ratio {:.3}\n", ratios[ratios.len() / 2]));
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes())?;
    Ok(())
}

/// What the checksum holds of distinct members beyond the engine's limit, which it answers with
/// null.
fn beyond_limit(rows: &[Row]) -> u64 {
    const COLUMN: u64 = 12;
    debug_assert_eq!(Columns::NAMES[COLUMN as usize], "merchants_24h");
    let mut beyond = 0u64;
    compute(rows, |_, columns| {
        if columns.merchants as usize > Layout::DISTINCT_MAX {
            beyond = beyond.wrapping_add(u64::from(columns.merchants));
        }
    });
    beyond.wrapping_mul(WEIGHT.wrapping_mul(2 * COLUMN + 1))
}

fn plan() -> Result<Arc<Plan>, Box<dyn Error>> {
    let sources = [SourceFile::new("card_features.mill", DEFINITIONS)];
    let compiled = compile(&sources);
    Ok(Arc::new(compiled.plan.ok_or("the workload's definitions do not compile")?))
}

/// The engine over all batches: what it computed, and how large its states are at the end.
fn run(plan: &Arc<Plan>, batches: &[Batch]) -> Result<(Totals, String), Box<dyn Error>> {
    let view = plan.view("card_features").ok_or("no view")?;
    let mut ordered = Ordered::new(Arc::clone(plan), view, Settings::default(), false);
    let partition = ordered.partition(0, "memory");
    let mut floor = Totals { rows: 0, checksum: 0 };
    let mut take = |rows: millrace_stream::Rows<'_>| {
        floor.rows += rows.events.len() as u64;
        floor.checksum = floor.checksum.wrapping_add(checksum(rows.values));
        Ok(())
    };
    for batch in batches {
        let last = EventTime(batch.times().iter().copied().max().unwrap_or(0));
        let applied = ordered.push(partition, batch, last, &mut take)?;
        if applied.count(Fate::Applied) != batch.len() {
            return Err("an event was not applied".into());
        }
    }
    ordered.finish(&mut take)?;
    let sizes = (0..plan.groups.len()).map(|group| {
        let size = ordered.engine().group_size(group);
        let bytes = size.state_bytes + size.table_bytes;
        let per_key = bytes / size.keys.max(1);
        format!("  {}: {} keys, {per_key} bytes per key\n", plan.groups[group].name, size.keys)
    });
    let sizes = sizes.collect();
    Ok((floor, sizes))
}

/// As [`Columns::checksum`], column by column.
fn checksum(values: &[Column]) -> u64 {
    let mut sum = 0u64;
    let mut weight = WEIGHT;
    debug_assert_eq!(values.len(), Columns::COUNT);
    for column in values {
        let words = match &column.data {
            Data::Word(words) => words.iter().fold(0u64, |a, w| a.wrapping_add(*w as u64)),
            Data::Float(floats) => floats.iter().fold(0u64, |a, x| a.wrapping_add(x.to_bits())),
            Data::Text(_) | Data::Nested(_) => 0,
        };
        sum = sum.wrapping_add(words.wrapping_mul(weight));
        weight = weight.wrapping_add(WEIGHT.wrapping_mul(2));
    }
    sum
}

/// What `work` gives, and the CPU seconds it took.
fn timed<T>(work: impl FnOnce() -> Result<T, Box<dyn Error>>) -> Result<(T, f64), Box<dyn Error>> {
    let before = cpu_seconds()?;
    let result = work()?;
    Ok((result, cpu_seconds()? - before))
}

/// User and system time of this process so far; the system counts hundredths of a second.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name in parentheses may hold spaces; user time is the 12th field after it.
    let after = stat.rsplit_once(')').ok_or("/proc/self/stat")?.1;
    let mut ticks = after.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    let mut next = || ticks.next().ok_or("/proc/self/stat");
    Ok((next()?? + next()??) / TICKS_PER_SECOND)
}
