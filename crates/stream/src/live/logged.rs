//! The events of the log that count, for engines that want them in order.
//!
//! ```text
//!   event log ─▶ Survey: judged as when they came ─▶ which count, and how far back what follows reaches
//!       └──────▶ Logged: read again in stretches, each with a bound for all events behind it
//! ```
//!
//! An event's place in the order is certain once no earlier one can follow. The watermark does not
//! tell: a stream that has fallen silent would hold the others back for good, and one that begins
//! later would come too late. But a log that is read has an end, so it is looked through first.
//! Late events that were replayed are handed out before all others: there are few of them, and they
//! would hold back what came between their time and their replay.
//!
//! Nothing is written, and no lock is taken: it may stand beside the server that writes the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_event::{Batch, EventTime};
use millrace_feature::plan::Plan;
use millrace_store::{Disk, LogReader, Offset};

use super::past::{PastError, open_log};
use super::record::{EventRecord, decode_event, delivery_head};
use super::recovery::{late_events, secret};
use crate::engine::{Counts, Engine, Fate};
use crate::settings::Settings;

/// Events that lie together at least: so many that looking at what waits after each costs little.
const STRETCH_EVENTS: usize = 1 << 16;

/// Takes events of one stream that count, and when they arrived: those that were replayed, with
/// their replay. [`EventTime::MAX`] if the log does not tell.
pub type TakeEvents<'a> = dyn FnMut(usize, &Batch, EventTime) + 'a;

/// The log as it is looked through.
#[derive(Debug)]
pub struct Survey {
    log: Origin,
    reader: LogReader,
    /// How many records are looked at, at most.
    end: u64,
    /// Judges; its shards stay empty.
    engine: Engine,
    found: Found,
    /// Of the stretch at hand: its events, and the earliest of those that count.
    events: usize,
    earliest: EventTime,
}

/// Which log, and what is wanted of it.
#[derive(Debug)]
struct Origin {
    disk: Arc<dyn Disk>,
    plan: Arc<Plan>,
    /// By stream.
    needs: Vec<bool>,
}

#[derive(Debug)]
struct Found {
    /// How many records were looked at.
    records: u64,
    /// The rows that count, of records with others, too.
    applied: BTreeMap<u64, Vec<u32>>,
    /// Where each stretch ends, and the earliest of its events that count.
    stretches: Vec<(u64, EventTime)>,
    /// Stream and late events that were replayed, and when.
    replayed: Vec<(usize, Batch, EventTime)>,
    /// Of how many it is known when that was.
    dated: usize,
    /// When the last delivery was received.
    received: EventTime,
}

impl Survey {
    /// Before the first record. `needs` says of which streams events are wanted.
    ///
    /// # Errors
    /// [`PastError::Removed`] when the log does not go back to its first record.
    pub fn open(
        disk: Arc<dyn Disk>,
        plan: Arc<Plan>,
        settings: Settings,
        needs: Vec<bool>,
    ) -> Result<Survey, PastError> {
        let reader = open_log(&disk)?;
        let settings = Settings { shards: 1, threads: 1, ..settings };
        let mut engine = Engine::build(Arc::clone(&plan), settings, false, secret());
        // No group takes what is replayed.
        engine.begin_fill(&[]);
        Ok(Survey {
            log: Origin { disk, plan, needs },
            reader,
            end: u64::MAX,
            engine,
            found: Found::new(),
            events: 0,
            earliest: EventTime::MAX,
        })
    }

    /// Looks at so many records of the log and none behind them, as if it ended there.
    pub fn end_at(&mut self, records: u64) {
        self.end = records;
    }

    /// Looks through one stretch; whether there is more.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn step(&mut self) -> Result<bool, PastError> {
        while self.events < STRETCH_EVENTS {
            let is_over = self.found.records >= self.end;
            let next = if is_over { None } else { self.reader.next_record()? };
            let Some((offset, bytes)) = next else {
                self.end_stretch();
                return Ok(false);
            };
            self.found.records = offset.0 + 1;
            let Survey { log, engine, found, .. } = self;
            let Some(batch) = found.judge(log, engine, offset, bytes)? else { continue };
            self.events += batch.len();
            let counted = found.applied.get(&offset.0);
            let times = batch.times();
            let earliest = match counted {
                None => times.iter().min(),
                Some(rows) => rows.iter().map(|row| &times[*row as usize]).min(),
            };
            self.earliest = earliest.map_or(self.earliest, |t| self.earliest.min(EventTime(*t)));
        }
        self.end_stretch();
        Ok(true)
    }

    /// Records looked at so far.
    pub fn records(&self) -> u64 {
        self.found.records
    }

    fn end_stretch(&mut self) {
        self.found.stretches.push((self.found.records, self.earliest));
        self.events = 0;
        self.earliest = EventTime::MAX;
    }

    /// What was looked through, to be read now.
    ///
    /// # Errors
    /// As [`Survey::open`].
    pub fn finish(self) -> Result<Logged, PastError> {
        let Survey { log, engine, mut found, .. } = self;
        let mut bound = EventTime::MAX;
        for (_, earliest) in found.stretches.iter_mut().rev() {
            bound = bound.min(std::mem::replace(earliest, bound));
        }
        let counts = (0..log.plan.streams.len()).map(|stream| engine.counts(stream)).collect();
        Ok(Logged {
            reader: open_log(&log.disk)?,
            log,
            read: 0,
            counts,
            greatest: engine.greatest(),
            records: found.records,
            applied: found.applied,
            stretches: found.stretches.into_iter(),
            replayed: found.replayed,
        })
    }
}

impl Found {
    fn new() -> Found {
        Found {
            records: 0,
            applied: BTreeMap::new(),
            stretches: Vec::new(),
            replayed: Vec::new(),
            dated: 0,
            received: EventTime::MIN,
        }
    }

    /// Judges what is needed of a record, as it was; returns the events of a delivery.
    fn judge(
        &mut self,
        log: &Origin,
        engine: &mut Engine,
        offset: Offset,
        bytes: &[u8],
    ) -> Result<Option<Batch>, PastError> {
        if let Some(received) = log.skips(bytes)? {
            self.date(received);
            return Ok(None);
        }
        match log.decode(bytes)? {
            EventRecord::Delivery { received, judged, stream, partition, batch, position: _ } => {
                self.date(received);
                if let Some(judged) = judged {
                    engine.judge_by(judged.future_max, judged.idle_after);
                }
                let partition = engine.partition(stream, &partition);
                let applied = engine.judge(partition, &batch, received);
                if applied.count(Fate::Applied) < batch.len() {
                    self.applied.insert(offset.0, applied.rows(Fate::Applied));
                }
                Ok(Some(batch))
            }
            EventRecord::Letters { .. } => Ok(None),
            EventRecord::Replay { at, from, to } => {
                // It follows what was received before it, even if a clock was set back.
                let at = at.map(|at| at.max(self.received));
                if let Some(at) = at {
                    self.date(at);
                }
                let needs = |_: &Engine, name: &str| log.stream(name).is_some();
                late_events(engine, &log.disk, (from, to), needs, |engine, stream, late| {
                    engine.remember_replayed(stream, late);
                    self.replayed.push((stream, late.clone(), at.unwrap_or(EventTime::MAX)));
                    Ok(())
                })?;
                if at.is_some() {
                    self.dated = self.replayed.len();
                }
                Ok(None)
            }
        }
    }

    /// A record of this time comes. A replay of old, which does not say when it was, was before it,
    /// and is taken to have been just then: so what it brought is never known too early.
    fn date(&mut self, time: EventTime) {
        for (_, _, arrived) in self.replayed.iter_mut().skip(self.dated) {
            *arrived = time;
        }
        self.dated = self.replayed.len();
        self.received = time;
    }
}

impl Origin {
    /// The stream of this name, if its events are wanted. One that is not defined any more is not.
    fn stream(&self, name: &str) -> Option<usize> {
        self.plan.stream(name).filter(|stream| self.needs[*stream])
    }

    /// When a delivery was received whose stream is not wanted.
    fn skips(&self, bytes: &[u8]) -> Result<Option<EventTime>, PastError> {
        let head = delivery_head(bytes).map_err(super::LiveError::from)?;
        Ok(head.filter(|(_, name)| self.stream(name).is_none()).map(|(received, _)| received))
    }

    fn decode(&self, bytes: &[u8]) -> Result<EventRecord, PastError> {
        Ok(decode_event(&self.plan, bytes).map_err(super::LiveError::from)?)
    }
}

/// The events of the log that count.
#[derive(Debug)]
pub struct Logged {
    log: Origin,
    reader: LogReader,
    /// Records that were read.
    read: u64,
    counts: Vec<Counts>,
    greatest: EventTime,
    records: u64,
    applied: BTreeMap<u64, Vec<u32>>,
    /// Where each ends, and what no event behind it is earlier than.
    stretches: std::vec::IntoIter<(u64, EventTime)>,
    replayed: Vec<(usize, Batch, EventTime)>,
}

impl Logged {
    /// What became of the events of a stream.
    pub fn counts(&self, stream: usize) -> Counts {
        self.counts[stream]
    }

    /// How many records of the log there are.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The greatest event time of all.
    pub fn greatest(&self) -> EventTime {
        self.greatest
    }

    /// Hands out the events of the next stretch; returns how far the log was read, and what no event
    /// behind it is earlier than. Nothing at the end.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn next_stretch(
        &mut self,
        take: &mut TakeEvents<'_>,
    ) -> Result<Option<(u64, EventTime)>, PastError> {
        for (stream, late, arrived) in self.replayed.drain(..) {
            take(stream, &late, arrived);
        }
        let Some((end, bound)) = self.stretches.next() else { return Ok(None) };
        // What was written since is not looked at.
        while self.read < end
            && let Some((offset, bytes)) = self.reader.next_record()?
        {
            self.read = offset.0 + 1;
            if self.log.skips(bytes)?.is_none()
                && let EventRecord::Delivery { received, stream, batch, .. } =
                    self.log.decode(bytes)?
            {
                match self.applied.remove(&offset.0) {
                    None => take(stream, &batch, received),
                    Some(rows) => take(stream, &batch.select(&rows), received),
                }
            }
        }
        if self.read < end {
            return Err(PastError::NotThere { end: self.read, frontier: end });
        }
        Ok(Some((end, bound)))
    }
}

#[cfg(test)]
mod tests {
    use millrace_event::{Span, State, Value};
    use millrace_feature::{SourceFile, compile};
    use millrace_store::{Log, LogConfig, LogName, MemoryDisk};

    use super::super::record::{Judged, encode_delivery, encode_late, encode_replay};
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn plan() -> Arc<Plan> {
        let text = "stream s {\n  id : int id\n  at : timestamp time\n}\n\
                    features g by id from s { n = count() }\n";
        Arc::new(compile(&[SourceFile::new("test.mill", text)]).plan.unwrap())
    }

    fn event(plan: &Plan, id: i64, hour: i64) -> Batch {
        let mut batch = Batch::new(Arc::clone(&plan.streams[0].schema));
        let row = [Value::Int(id), Value::Timestamp(EventTime(hour * HOUR))];
        batch.columns.iter_mut().zip(&row).for_each(|(c, value)| c.push(value, State::Ok));
        batch
    }

    fn delivery(plan: &Plan, id: i64, hour: i64, received: i64) -> Vec<u8> {
        let judged = Judged { future_max: Span::days(1), idle_after: Span::days(1), letters: 0 };
        let received = EventTime(received * HOUR);
        encode_delivery(received, judged, "p", None, &event(plan, id, hour))
    }

    /// The ids of the events that count, with the hour of their arrival.
    fn arrivals(
        plan: &Arc<Plan>,
        records: &[Vec<u8>],
        late: &[Batch],
        end: u64,
    ) -> Vec<(i64, i64)> {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let open = |name: &LogName| {
            Log::open(Arc::clone(&disk), name, LogConfig::default(), Offset(0)).unwrap().0
        };
        let (mut events, mut lates) = (open(&LogName::EVENTS), open(&LogName::LATE));
        assert!(records.iter().all(|record| events.append(&[record]).is_ok()));
        assert!(late.iter().all(|batch| lates.append(&[&encode_late(batch)]).is_ok()));
        events.close().unwrap();
        lates.close().unwrap();
        let mut survey =
            Survey::open(disk, Arc::clone(plan), Settings::default(), vec![true]).unwrap();
        survey.end_at(end);
        while survey.step().unwrap() {}
        let mut logged = survey.finish().unwrap();
        let mut arrivals = Vec::new();
        let mut take = |_: usize, events: &Batch, arrived: EventTime| {
            let ids = events.columns[0].as_words().iter();
            let hour = if arrived == EventTime::MAX { i64::MAX } else { arrived.0 / HOUR };
            arrivals.extend(ids.map(|id| (*id, hour)));
        };
        while logged.next_stretch(&mut take).unwrap().is_some() {}
        arrivals
    }

    #[test]
    fn what_was_replayed_arrived_with_its_replay_and_of_old_with_what_came_next() {
        let plan = plan();
        let late = [event(&plan, 2, 1), event(&plan, 3, 2)];
        let new = |from, to| encode_replay(EventTime(20 * HOUR), from, to);
        let old = |from: u64, to| {
            let record = new(from, to);
            [&[2], &record[9..]].concat()
        };
        let first =
            [delivery(&plan, 1, 18, 18), delivery(&plan, 2, 1, 18), delivery(&plan, 3, 2, 18)];
        let of = |then: &[Vec<u8>]| arrivals(&plan, &[&first[..], then].concat(), &late, u64::MAX);
        assert_eq!(of(&[new(0, 2)]), [(2, 20), (3, 20), (1, 18)]);
        let last = delivery(&plan, 4, 22, 23);
        assert_eq!(of(&[new(0, 2), last.clone()]), [(2, 20), (3, 20), (1, 18), (4, 23)]);
        assert_eq!(of(&[old(0, 2), last.clone()]), [(2, 23), (3, 23), (1, 18), (4, 23)]);
        assert_eq!(of(&[old(0, 2)]), [(2, i64::MAX), (3, i64::MAX), (1, 18)]);
        assert_eq!(of(&[old(0, 1), new(1, 2)]), [(2, 20), (3, 20), (1, 18)]);
        // What is behind the end is not looked at.
        let all = [&first[..], &[last, new(0, 2)]].concat();
        assert_eq!(arrivals(&plan, &all, &late, 4), [(1, 18), (4, 23)]);
        assert_eq!(arrivals(&plan, &all, &late, 3), [(1, 18)]);
    }
}
