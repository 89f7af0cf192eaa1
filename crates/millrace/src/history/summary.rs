//! What a computation tells when it is done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use millrace_connector::Decoded;
use millrace_event::Refusal;
use millrace_stream::Counts;
use serde_json::json;

use crate::bench::usage::{peak_memory, processor_time};
use crate::console::{counted, duration, grouped, rate, say};
use crate::exit::Failure;

/// More than one in so many late events are worth a hint.
const LATE_MANY: u64 = 10;

/// What was done, stream by stream.
#[derive(Debug, Default)]
pub struct Summary {
    /// By the streams' indexes.
    pub streams: BTreeMap<usize, StreamSummary>,
    /// A file of rows that were asked for: how many there are, and how many cannot be read.
    pub asked: Option<(PathBuf, (u64, u64))>,
    /// Of a log that was read, how many records.
    pub log_records: Option<u64>,
    pub rows: u64,
    pub took: Duration,
    /// Whether an earlier run has read the events.
    pub is_resumed: bool,
}

#[derive(Debug, PartialEq)]
pub struct StreamSummary {
    pub(super) name: String,
    pub counts: Counts,
    /// Dead letters by reason, those of the future included.
    pub(super) dead: BTreeMap<String, u64>,
}

impl StreamSummary {
    /// Every record is in exactly one of these.
    fn records(&self) -> u64 {
        let Counts { applied, duplicate, late, future: _, replayed: _ } = self.counts;
        applied + duplicate + late + self.dead_total()
    }

    fn dead_total(&self) -> u64 {
        self.dead.values().sum()
    }
}

impl Summary {
    pub fn add_stream(&mut self, index: usize, name: &str) {
        let (name, counts, dead) = (name.to_owned(), Counts::default(), BTreeMap::new());
        self.streams.insert(index, StreamSummary { name, counts, dead });
    }

    /// Counts the records of a block that could not be used.
    pub fn count_dead(&mut self, stream: usize, decoded: &Decoded) {
        decoded.dead.iter().for_each(|letter| self.dead(stream, letter.reason.name()));
    }

    pub fn dead(&mut self, stream: usize, reason: &str) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            *stream.dead.entry(reason.to_owned()).or_default() += 1;
        }
    }

    /// What became of the events of a stream when they were logged: the server keeps letters of
    /// those that were too far ahead.
    pub fn count_logged(&mut self, stream: usize, counts: Counts) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.counts = counts;
            if counts.future > 0 {
                stream.dead.insert(Refusal::Future.name().to_owned(), counts.future);
            }
        }
    }

    pub fn print(&self, view: &str, output: &Path, letters: Option<&Path>) -> Result<(), Failure> {
        let events: u64 = self.streams.values().map(StreamSummary::records).sum();
        let took = duration(self.took);
        // A rate of events that this run has not read would mean nothing.
        let took = if self.is_resumed {
            format!("which an earlier run has read, in {took}")
        } else {
            format!("in {took} ({} events/s)", grouped(rate(events, self.took)))
        };
        say!(
            "{}: {} rows of view {view} from {} events {took}",
            output.display(),
            grouped(self.rows),
            grouped(events),
        )?;
        self.print_streams()?;
        if let Some((path, (rows, dead))) = &self.asked {
            let [records, rows, dead] = [rows + dead, *rows, *dead].map(grouped);
            let path = path.display();
            say!("  {path}: {records} in = {rows} asked for + {dead} dead-lettered")?;
        }
        match letters {
            Some(path) => say!("  dead letters: {}", path.display()),
            None => Ok(()),
        }
    }

    /// What became of the records of each stream.
    pub fn print_streams(&self) -> Result<(), Failure> {
        for stream in self.streams.values() {
            let Counts { applied, duplicate, late, .. } = stream.counts;
            let [records, applied, duplicate, late, dead] =
                [stream.records(), applied, duplicate, late, stream.dead_total()].map(grouped);
            say!(
                "  {}: {records} in = {applied} applied + {duplicate} duplicate + {late} late \
                 + {dead} dead-lettered",
                stream.name,
            )?;
            if stream.counts.late * LATE_MANY > stream.records() {
                say!(
                    "    many are late: a file is out of order by more than the stream's `late`; \
                     sort it by time, or give the stream a longer `late`"
                )?;
            }
            if stream.counts.replayed > 0 {
                let replayed = grouped(stream.counts.replayed);
                say!("    {replayed} of the late ones were replayed, and count")?;
            }
            for (reason, count) in &stream.dead {
                say!("    {reason}: {}", counted(*count as usize, "dead letter"))?;
            }
        }
        Ok(())
    }

    pub fn print_json(
        &self,
        view: &str,
        output: &Path,
        letters: Option<&Path>,
    ) -> Result<(), Failure> {
        let all = json!({
            "view": view,
            "output": output.display().to_string(),
            "rows": self.rows,
            "seconds": self.took.as_secs_f64(),
            "cpu_seconds": processor_time().as_secs_f64(),
            "peak_rss_bytes": peak_memory()?,
            "streams": self.streams_json(),
            "asked": self.asked.as_ref().map(|(path, (rows, dead))| {
                json!({ "file": path.display().to_string(), "rows": rows, "dead": dead })
            }),
            "resumed": self.is_resumed,
            "dead_letters": letters.map(|p| p.display().to_string()),
        });
        say!("{all}")
    }

    /// The same by the streams' names.
    pub fn streams_json(&self) -> BTreeMap<&str, serde_json::Value> {
        self.streams
            .values()
            .map(|s| {
                let Counts { applied, duplicate, late, replayed, .. } = s.counts;
                let counts = json!({
                    "records": s.records(),
                    "applied": applied,
                    "duplicate": duplicate,
                    "late": late,
                    "replayed": replayed,
                    "dead": s.dead_total(),
                    "dead_by_reason": s.dead,
                });
                (s.name.as_str(), counts)
            })
            .collect()
    }
}
