//! `millrace compute`: a view over files, one row per event of its stream.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use millrace_connector::{FileOptions, FileSource, RowWriter, WriteOptions};
use millrace_event::{Column, Type};
use millrace_feature::plan::{Plan, View};
use millrace_stream::{Ordered, PartitionId, Rows, Settings};

use crate::console::{grouped, note, rate};
use crate::exit::Failure;
use crate::key::now;
use crate::project::Place;

/// Records decoded at once.
const BLOCK_ROWS: usize = 16_384;
/// Dead letters that are shown one by one; all are counted.
const SHOWN_MAX: u64 = 10;

/// Computes a view for every event in files, in (time, id) order
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace compute checkout --events payment_attempts=day1.ndjson -o checkout.parquet
  millrace compute checkout --events payment_attempts=a.csv,b.csv \\
                            --events payment_outcomes=outcomes.ndjson -o checkout.csv

Several files of a stream are read side by side, as partitions of one origin. Formats go by
ending: .csv (with a header line), .ndjson, .jsonl, .parquet.")]
pub struct Args {
    /// The view
    view: String,
    /// STREAM=FILE[,FILE…]; once per stream
    #[arg(long = "events", value_name = "STREAM=FILE", required = true)]
    events: Vec<String>,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    place: Place,
}

struct Input {
    source: FileSource,
    partition: PartitionId,
}

pub fn compute(args: &Args) -> Result<(), Failure> {
    let plan = args.place.open()?.plan;
    let Some(view) = plan.view(&args.view) else {
        let names: Vec<&str> = plan.views.iter().map(|v| &*v.name).collect();
        let names = names.join(", ");
        return Err(Failure::usage(format!(
            "there is no view `{}`; there are: {names}",
            args.view
        )));
    };
    let mut ordered = Ordered::new(plan.clone(), view, Settings::default(), false);
    let mut inputs = open(&args.events, &plan, &mut ordered)?;
    let columns = columns(&plan, &plan.views[view]);
    let named: Vec<(&str, Type)> = columns.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    let mut writer = RowWriter::create(&args.out, &named, WriteOptions::default())?;
    let schema = &plan.streams[plan.views[view].stream].schema;
    let (id, time) = (schema.id, schema.time);
    let mut written = 0u64;
    let mut emit = |rows: Rows<'_>| -> Result<(), String> {
        let mut out: Vec<&Column> = vec![&rows.events.columns[id], &rows.events.columns[time]];
        out.extend(rows.values);
        written += rows.events.len() as u64;
        writer.write(&out, 0..rows.events.len()).map_err(|e| e.to_string())
    };
    let begun = Instant::now();
    let mut dead = BTreeMap::<String, u64>::new();
    while let Some(next) = furthest_behind(&inputs, &ordered) {
        let Input { source, partition } = &mut inputs[next];
        let partition = *partition;
        match source.next_block(BLOCK_ROWS)? {
            Some(block) => {
                for letter in &block.dead {
                    if dead.values().sum::<u64>() < SHOWN_MAX {
                        note!("{letter}");
                    }
                    *dead.entry(letter.reason.to_string()).or_default() += 1;
                }
                ordered.push(partition, &block.batch, now(), &mut emit)?;
            }
            None => {
                inputs.remove(next);
                ordered.close(partition, &mut emit)?;
            }
        }
    }
    ordered.finish(&mut emit)?;
    writer.finish()?;
    let per_second = grouped(rate(written, begun.elapsed()));
    note!("{}: {} rows, {per_second} per second", args.out.display(), grouped(written));
    tell(&plan, &ordered, &dead);
    Ok(())
}

fn tell(plan: &Plan, ordered: &Ordered, dead: &BTreeMap<String, u64>) {
    for (index, stream) in plan.streams.iter().enumerate().filter(|(i, _)| ordered.needs(*i)) {
        let counts = ordered.counts(index);
        note!(
            "{}: {} applied, {} duplicate, {} late, {} too far in the future",
            stream.schema.stream,
            counts.applied,
            counts.duplicate,
            counts.late,
            counts.future
        );
    }
    for (reason, count) in dead {
        note!("not read: {count} {reason}");
    }
}

/// The sources are read so that none runs far ahead of the others in event time.
fn furthest_behind(inputs: &[Input], ordered: &Ordered) -> Option<usize> {
    (0..inputs.len()).min_by_key(|i| ordered.reached(inputs[*i].partition))
}

fn open(events: &[String], plan: &Plan, ordered: &mut Ordered) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    for given in events {
        let (name, files) = given
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--events {given}: write STREAM=FILE")))?;
        let stream = plan
            .stream(name)
            .ok_or_else(|| Failure::usage(format!("--events {given}: no stream `{name}`")))?;
        for file in files.split(',') {
            let schema = plan.streams[stream].schema.clone();
            let source = FileSource::open(file, schema, &FileOptions::default())?;
            inputs.push(Input { source, partition: ordered.partition(stream, file) });
        }
    }
    Ok(inputs)
}

/// The id, the time, and the view's own columns.
fn columns(plan: &Plan, view: &View) -> Vec<(String, Type)> {
    let schema = &plan.streams[view.stream].schema;
    let mut columns: Vec<(String, Type)> = [schema.id, schema.time]
        .iter()
        .map(|f| (schema.fields[*f].name.to_string(), schema.fields[*f].ty.clone()))
        .collect();
    for column in &view.columns {
        let taken = columns.iter().any(|(name, _)| **name == *column.name);
        let own = &column.name;
        let name = if taken { format!("{}_{own}", view.name) } else { own.to_string() };
        columns.push((name, column.ty.clone()));
    }
    columns
}
