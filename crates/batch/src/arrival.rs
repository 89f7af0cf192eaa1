//! As known: an event counts from the moment at which it arrived.
//!
//! ```text
//!   events of a partition ─▶ sorted by when they can be seen ─┬▶ key states ─▶ features
//!   reads, in order ──────────────────────────────────────────┘
//! ```
//!
//! An event can be seen from its own time or from its arrival, whichever is later. So events are
//! applied out of their own order, into rows that keep it, as a live engine applies them; rows that
//! one which is yet to be applied may touch are kept until then. A partition's events are in memory
//! together for that.

use millrace_aggregate::Horizon;
use millrace_event::{Column, EventTime};
use millrace_stream::{EngineError, GroupRows, KeyHasher, Reads, Shard, Step, aggregate_columns};

use crate::BatchError;
use crate::partition::{Emit, Events, Partition, ReadRows};
use crate::scatter::Way;

/// From when on each event can be seen: of these times, which arrived then.
pub(crate) fn seen(times: &[i64], arrivals: &[i64]) -> Vec<i64> {
    times.iter().zip(arrivals).map(|(time, arrived)| *time.max(arrived)).collect()
}

/// The events of a partition, in the order in which they can be seen.
struct Seen {
    /// From when on, the place in the order of all, and the row. At the moment of its arrival, an
    /// event precedes what happens then: its own time is earlier, and so is its place.
    order: Vec<(i64, i64, u32)>,
    /// Of these and all behind each, the earliest event time.
    earliest: Vec<i64>,
    /// How many were applied.
    next: usize,
}

impl Seen {
    fn of(events: &Events, seen: &[i64]) -> Seen {
        let rows = events.heads.iter().zip(seen).zip(0u32..);
        let mut order: Vec<_> = rows.map(|((place, seen), row)| (*seen, *place, row)).collect();
        order.sort_unstable();
        let mut earliest = vec![i64::MAX; order.len() + 1];
        for (at, (_, _, row)) in order.iter().enumerate().rev() {
            earliest[at] = earliest[at + 1].min(events.arguments.time(*row as usize));
        }
        Seen { order, earliest, next: 0 }
    }

    /// All that is read or applied from here on has this time or a later one.
    fn bound(&self, reads: &ReadRows) -> EventTime {
        let read = reads.times.first().copied().unwrap_or(i64::MAX);
        EventTime(read.min(self.earliest[self.next]))
    }

    /// Each read, behind the events that can be seen then.
    fn steps(&mut self, way: Way, reads: &ReadRows) -> Vec<Step> {
        let mut steps = Vec::with_capacity(reads.times.len());
        for (read, at) in reads.times.iter().zip(&reads.order).enumerate() {
            while let Some((seen, place, row)) = self.order.get(self.next) {
                let is_seen = match way {
                    Way::Behind => (seen, place) <= at,
                    Way::Before | Way::Own => (seen, place) < at,
                };
                if !is_seen {
                    break;
                }
                steps.push(Step::Apply(*row));
                self.next += 1;
            }
            steps.push(Step::Read(read as u32));
        }
        steps
    }
}

impl Partition<'_> {
    /// As the other ways to run a partition; its reads are in the order of their times.
    pub(crate) fn run_known(
        &mut self,
        mut shard: Shard,
        hasher: &KeyHasher,
        emit: &mut Emit<'_>,
    ) -> Result<(), BatchError> {
        let (events, seen) = self.all_events(hasher)?;
        let mut seen = Seen::of(&events, &seen);
        while let Some(columns) = self.reads.next(self.scratch)? {
            let reads = ReadRows::new(columns, hasher);
            let input = GroupRows {
                group: 0,
                shape: &self.input.shape,
                arguments: &events.arguments,
                keys: &events.keys,
                ids: &events.ids,
                horizon: Horizon::at(&self.input.shape, seen.bound(&reads)),
            };
            let steps = seen.steps(self.input.way, &reads);
            let mut out = aggregate_columns(self.group);
            let given = Reads { keys: &reads.keys, times: &reads.times };
            shard.take_steps(&input, &given, &steps, &mut out).map_err(EngineError::Cold)?;
            self.emit(&reads.numbers, out, emit)?;
        }
        Ok(())
    }

    /// All events of the partition, and from when on each can be seen.
    fn all_events(&mut self, hasher: &KeyHasher) -> Result<(Events, Vec<i64>), BatchError> {
        let mut all: Vec<Column> = Vec::new();
        while let Some(columns) = self.events.next(self.scratch)? {
            if all.is_empty() {
                all = columns;
            } else {
                all.iter_mut().zip(&columns).for_each(|(to, from)| to.append(from));
            }
        }
        if all.is_empty() {
            return Ok((Events::none(self.input, hasher), Vec::new()));
        }
        let seen = all.remove(SEEN_AT);
        Ok((Events::new(self.input, all, hasher), seen.as_words().to_vec()))
    }
}

/// Where the moment from which an event can be seen lies among its columns: behind its place.
pub(crate) const SEEN_AT: usize = 1;
