//! The engine thread: the only one that touches the engine.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::time::{Duration, Instant};

use millrace_event::{Batch, EventTime, Refusal, Rules, Span};
use millrace_store::{Disk, Log, StoreError};

use super::checkpointer::{Report, Spares, Task};
use super::clock::now;
use super::committer::{Commit, Progress, acknowledge};
use super::cycle::Phase;
use super::inbox::{Inbox, Next};
use super::letters::{self, letters_of, long_rows};
use super::record::{
    Judged, bytes_of, encode_delivery, encode_late, encode_letters, encode_replay, set_letters,
};
use super::recovery::{Counters, check_late, replay_late};
use super::spill::state_bytes;
use super::{
    Applied, Delivery, GroupStatus, LATE_EVENTS_TOLD, LateEvent, LiveError, LiveSettings,
    ReadReply, ReadRequest, Receipt, Replayed, Reply, Status, StreamStatus, ViewReply,
};
use crate::Position;
use crate::engine::{Engine, Fate, Sweep};
use crate::settings::Settings;

/// While this many commits wait for the disk, deliveries wait in the inbox; reads do not.
const COMMITS_MAX: usize = 1_024;
/// The same for the bytes of these commits, beside which there may be one more delivery.
const COMMIT_BYTES_MAX: usize = 64 << 20;
/// Keys looked at per step of housekeeping, per group and shard.
const SWEEP_KEYS: usize = 16;
/// The same while key states must be moved out of memory.
const SPILL_KEYS: usize = 512;
/// Housekeeping is done at most this often.
const HOUSEKEEP_EVERY: Duration = Duration::from_micros(500);
/// Deliveries wait while a checkpoint is on its way and the key states in memory are over their
/// limit by half of it and this much: states can only be spilled once they are in a checkpoint.
const MEMORY_SLACK_BYTES: usize = 64 << 20;
/// How long the thread sleeps when nothing happens.
const TICK: Duration = Duration::from_millis(10);
/// How long it sleeps when something has to wait for the disk.
const TICK_BUSY: Duration = Duration::from_millis(1);

/// When the sources of a stream had last handed over everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Confirmed {
    /// No source says so: what is handed over is applied before anything else is answered.
    Unsourced,
    /// There is such a source, and it has not come to its end since the start.
    Never,
    At(EventTime),
}

/// What the engine thread is asked to do.
pub(super) enum Message {
    Ingest {
        delivery: Box<Delivery>,
        applied: Applied,
        durable: Reply<Receipt>,
    },
    Read(Vec<ReadRequest>, Reply<ReadReply>),
    View {
        view: usize,
        events: Box<Batch>,
        now: EventTime,
        reply: Reply<ViewReply>,
    },
    Status(Reply<Status>),
    /// A source of this stream is going to confirm what it has handed over.
    Expect(usize),
    Confirm(usize),
    Checkpoint(Reply<()>),
    ReplayLate {
        now: EventTime,
        reply: Reply<Replayed>,
    },
    Close(Reply<()>),
}

/// Where a message waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lane {
    /// Needs no room in memory or on the disk, and may make some.
    Control,
    /// Answered from what is there; changes nothing.
    Reads,
    /// Changes the engine, once there is room for what it leaves.
    Events,
}

impl Message {
    /// Where it waits. What changes the engine keeps its order: a confirmation is about the
    /// deliveries before it, and a replay finds the late ones of those.
    pub(super) fn lane(&self) -> Lane {
        match self {
            Message::Read(..) | Message::View { .. } | Message::Status(_) => Lane::Reads,
            Message::Ingest { .. } | Message::Confirm(_) | Message::ReplayLate { .. } => {
                Lane::Events
            }
            Message::Expect(_) | Message::Checkpoint(_) | Message::Close(_) => Lane::Control,
        }
    }

    /// About how many bytes of memory its events take.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Message::Ingest { delivery, .. } => {
                let letters = delivery.dead.iter().map(|letter| letter.bytes.len());
                bytes_of(&delivery.batch) + letters.sum::<usize>()
            }
            Message::Read(..)
            | Message::View { .. }
            | Message::Status(_)
            | Message::Expect(_)
            | Message::Confirm(_)
            | Message::Checkpoint(_)
            | Message::ReplayLate { .. }
            | Message::Close(_) => 0,
        }
    }

    /// The engine is gone.
    pub(super) fn fail(self) {
        match self {
            Message::Ingest { durable, .. } => durable(Err(LiveError::Stopped)),
            Message::Read(_, reply) => reply(Err(LiveError::Stopped)),
            Message::View { reply, .. } => reply(Err(LiveError::Stopped)),
            Message::Status(reply) => reply(Err(LiveError::Stopped)),
            Message::Checkpoint(reply) | Message::Close(reply) => reply(Err(LiveError::Stopped)),
            Message::ReplayLate { reply, .. } => reply(Err(LiveError::Stopped)),
            Message::Expect(_) | Message::Confirm(_) => {}
        }
    }
}

pub(super) struct Owner {
    pub(super) engine: Engine,
    pub(super) counters: Counters,
    pub(super) settings: LiveSettings,
    /// By stream.
    pub(super) rules: Arc<[Arc<Rules>]>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) commits: Sender<Commit>,
    pub(super) progress: Arc<Progress>,
    pub(super) tasks: Sender<Task>,
    pub(super) reports: Receiver<Report>,
    pub(super) phase: Phase,
    /// Written portions of checkpoints, without their blocks.
    pub(super) spares: Spares,
    /// When the last checkpoint began; after a failed one, when the next may begin.
    pub(super) begun: Instant,
    pub(super) published: Instant,
    pub(super) epoch: u64,
    pub(super) checkpoint_bytes: u64,
    /// The frontier of the newest checkpoint, to know whether anything changed.
    pub(super) checkpointed: Option<u64>,
    /// Whether the last checkpoint failed.
    pub(super) failing: bool,
    /// Who waits for the checkpoint under way, and for the one after it.
    pub(super) waiting: Vec<Reply<()>>,
    pub(super) waiting_next: Vec<Reply<()>>,
    /// By stream, when its sources had last handed over everything.
    pub(super) confirmed: Vec<Confirmed>,
    pub(super) housekept: Instant,
    /// Bytes of the key states in memory, as last estimated.
    pub(super) state_bytes: usize,
}

impl Owner {
    pub(super) fn run(&mut self, inbox: &Inbox) {
        loop {
            let events = self.has_room_for_events();
            let wait = match self.phase {
                _ if !events => TICK_BUSY,
                Phase::Cleaning { .. } | Phase::Locating { .. } => Duration::ZERO,
                Phase::Capturing if self.captures_wait() => TICK_BUSY,
                Phase::Capturing => Duration::ZERO,
                Phase::Idle | Phase::Preparing | Phase::Publishing => TICK,
            };
            match inbox.next(wait, events) {
                Next::Message(Message::Close(reply)) => {
                    // Before the last checkpoint, which may take a while: nobody waits behind it.
                    inbox.close();
                    return self.close(reply);
                }
                Next::Message(message) => self.handle(message),
                Next::Abandoned => return,
                Next::Nothing => {}
            }
            self.look_after_checkpoint();
            self.housekeep();
        }
    }

    /// Whether what a delivery leaves to be written, and in memory, has room.
    fn has_room_for_events(&self) -> bool {
        if self.progress.failed.get().is_some() {
            // They leave nothing: each is refused.
            return true;
        }
        let commits = self.progress.commits.load(Ordering::Relaxed);
        let bytes = self.progress.commit_bytes.load(Ordering::Relaxed);
        let memory = self.settings.memory_max_bytes;
        let is_over = self.state_bytes > memory.saturating_add(MEMORY_SLACK_BYTES.max(memory / 2));
        let may_shrink = self.failing || !matches!(self.phase, Phase::Idle);
        commits < COMMITS_MAX
            && bytes < COMMIT_BYTES_MAX
            && !self.captures_wait()
            && !(is_over && may_shrink)
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Ingest { delivery, applied, durable } => {
                self.ingest(*delivery, applied, durable);
            }
            Message::Read(requests, reply) => reply(self.read(&requests)),
            Message::View { view, events, now, reply } => reply(self.view(view, &events, now)),
            Message::Status(reply) => reply(Ok(self.status())),
            Message::Expect(stream) => {
                if let Some(confirmed @ Confirmed::Unsourced) = self.confirmed.get_mut(stream) {
                    *confirmed = Confirmed::Never;
                }
            }
            Message::Confirm(stream) => {
                if let Some(confirmed) = self.confirmed.get_mut(stream) {
                    *confirmed = Confirmed::At(now());
                }
            }
            Message::Checkpoint(reply) => self.waiting_next.push(reply),
            Message::ReplayLate { now, reply } => self.replay_late(now, reply),
            Message::Close(reply) => reply(Err(LiveError::Stopped)),
        }
    }

    fn ingest(&mut self, delivery: Delivery, applied: Applied, durable: Reply<Receipt>) {
        if let Some(cause) = self.progress.failed.get() {
            return durable(Err(LiveError::Durability(cause.clone())));
        }
        match self.take(delivery) {
            Ok((Records { event, late, dead }, receipt)) => {
                applied();
                self.commit(Commit::Records { event, late, dead, reply: Some((durable, receipt)) });
            }
            Err(error) => durable(Err(error)),
        }
    }

    /// Applies a delivery; what it returns is to be made durable.
    fn take(&mut self, delivery: Delivery) -> Result<(Records, Receipt), LiveError> {
        let Delivery { stream, partition, mut batch, dead, received, position } = delivery;
        let mut dead = dead;
        let long = long_rows(&self.rules[stream], &batch);
        if !long.is_empty() {
            dead.extend(letters_of(&batch, &long, &partition, Refusal::LongKey));
            let rows = 0..batch.len() as u32;
            batch = batch
                .select(&rows.filter(|row| long.binary_search(row).is_err()).collect::<Vec<_>>());
        }
        let mut receipt = Receipt::default();
        let (mut event, mut late) = (None, None);
        if !batch.is_empty() || position.is_some() {
            // Before anything changes, so that what cannot be written is not applied.
            let Settings { future_max, idle_after, .. } = self.settings.engine;
            let judged = Judged { future_max, idle_after, letters: 0 };
            let position_bytes = position.as_deref();
            let record = encode_delivery(received, judged, &partition, position_bytes, &batch);
            let (given, limit) = (record.len(), Log::RECORD_BYTES_MAX);
            if given > limit {
                return Err(StoreError::RecordTooLong { given, limit }.into());
            }
            let id = self.engine.partition(stream, &partition);
            let applied = self.engine.apply(id, &batch, received).inspect_err(|error| {
                // Part of the batch may be applied: nothing of it may become durable any more.
                self.progress.fail(&error.to_string());
            })?;
            event = Some(record);
            let late_rows = applied.rows(Fate::Late);
            late = (!late_rows.is_empty()).then(|| encode_late(&batch.select(&late_rows)));
            let future = applied.rows(Fate::Future);
            dead.extend(letters_of(&batch, &future, &partition, Refusal::Future));
            receipt.applied = applied.count(Fate::Applied) as u64;
            receipt.duplicate = applied.count(Fate::Duplicate) as u64;
            receipt.late = late_rows.len() as u64;
            receipt.late_events = late_events(&batch, &late_rows, self.engine.late_before(id));
            receipt.future = future.len() as u64;
            if let Some(position) = position {
                let name = batch.schema.stream.to_string();
                self.counters.positions.insert((name, partition), position);
            }
        }
        receipt.dead = dead.len() as u64;
        dead.iter().for_each(|letter| self.counters.count_dead(letter));
        match &mut event {
            Some(record) => set_letters(record, self.counters.dead_next),
            None if dead.is_empty() => {}
            None => event = Some(encode_letters(self.counters.dead_next)),
        }
        self.counters.next += u64::from(event.is_some());
        self.counters.late_next += u64::from(late.is_some());
        receipt.frontier = self.counters.next;
        let dead = dead.into_iter().map(letters::encode).collect();
        Ok((Records { event, late, dead }, receipt))
    }

    /// Tells those who wait for a checkpoint that there will be none.
    pub(super) fn fail_waiting(&mut self) {
        let waiting = self.waiting.drain(..).chain(self.waiting_next.drain(..));
        waiting.for_each(|reply| reply(Err(LiveError::Stopped)));
    }

    pub(super) fn commit(&self, commit: Commit) {
        self.progress.count(&commit);
        if let Err(SendError(commit)) = self.commits.send(commit) {
            // The committer outlives this thread; this is for the day when it does not.
            acknowledge(commit, Some("the committer has stopped"));
        }
    }

    fn read(&mut self, requests: &[ReadRequest]) -> Result<ReadReply, LiveError> {
        let now = now();
        let plan = Arc::clone(self.engine.plan());
        let mut reply = ReadReply {
            answers: Vec::with_capacity(requests.len()),
            ages: Vec::with_capacity(requests.len()),
            frontier: self.counters.next,
        };
        for request in requests {
            let at = Position::Time(request.at);
            reply.answers.push(self.engine.read(request.group, &request.key, &at)?);
            reply.ages.push(self.age(plan.groups[request.group].stream, now));
        }
        Ok(reply)
    }

    fn view(
        &mut self,
        view: usize,
        events: &Batch,
        now: EventTime,
    ) -> Result<ViewReply, LiveError> {
        let plan = Arc::clone(self.engine.plan());
        let rows = (0..events.len() as u32)
            .map(|row| self.engine.view(view, &events.select(&[row])))
            .collect::<Result<_, _>>()?;
        let ages: Vec<Span> = plan.views[view]
            .reads
            .iter()
            .map(|read| self.age(plan.groups[read.group].stream, now))
            .collect();
        Ok(ViewReply {
            rows,
            age: ages.iter().copied().max().unwrap_or(Span(0)),
            group_ages: ages,
            frontier: self.counters.next,
        })
    }

    /// How long ago everything that a stream's sources had was applied. Before a source has said so
    /// for the first time, no more is known than that the stream is complete up to its watermark.
    fn age(&self, stream: usize, now: EventTime) -> Span {
        let known = match self.confirmed[stream] {
            Confirmed::Unsourced => return Span(0),
            Confirmed::Never => self.engine.watermark(stream).max(EventTime(0)),
            Confirmed::At(time) => time,
        };
        Span(now.since(known).0.max(0))
    }

    fn status(&self) -> Status {
        let plan = self.engine.plan();
        let now = now();
        let streams = plan.streams.iter().enumerate().map(|(index, stream)| {
            let name = stream.schema.stream.to_string();
            StreamStatus {
                counts: self.engine.counts(index),
                dead: self.counters.dead.get(&name).copied().unwrap_or(0),
                watermark: self.engine.watermark(index),
                age: self.age(index, now),
                partitions: self.engine.partitions(index),
                remembered: self.engine.remembered(index),
                name,
            }
        });
        let groups = plan.groups.iter().enumerate().map(|(index, group)| {
            let size = self.engine.group_size_estimate(index);
            GroupStatus {
                name: group.name.to_string(),
                keys: size.keys,
                state_bytes: size.state_bytes,
                spilled_keys: size.spilled,
            }
        });
        Status {
            streams: streams.collect(),
            groups: groups.collect(),
            frontier: self.counters.next,
            checkpoint_epoch: self.epoch,
            checkpoint_age: self.published.elapsed(),
            checkpoint_bytes: self.checkpoint_bytes,
            log_bytes: self.progress.log_bytes.load(Ordering::Relaxed),
            late_removed: self.progress.late_first.load(Ordering::Relaxed),
            letters_removed: self.progress.dead_first.load(Ordering::Relaxed),
            failure: self.progress.failed.get().cloned(),
        }
    }

    fn replay_late(&mut self, now: EventTime, reply: Reply<Replayed>) {
        let (replayed_to, to) = (self.counters.replayed_to, self.counters.late_next);
        let (done, wait) = channel();
        self.commit(Commit::Barrier(done));
        let durable = wait.recv().unwrap_or(Err("the log has stopped".to_owned()));
        // Nothing is removed any more before this is done, since the commits are.
        let from = replayed_to.max(self.progress.late_first.load(Ordering::Relaxed));
        let removed = from - replayed_to;
        let durable = durable.map_err(LiveError::Durability);
        let checked = durable.and_then(|()| check_late(&self.engine, &self.disk, (from, to)));
        // An event that does not fit its stream any more is no reason to stop.
        if let Err(error @ LiveError::Record(_)) = checked {
            return reply(Err(error));
        }
        let result = checked.and_then(|()| {
            // Some of it may be applied when it fails, and then nothing more may become durable.
            replay_late(&mut self.engine, &self.disk, from, to)
        });
        let result = result.inspect_err(|error| self.progress.fail(&error.to_string()));
        match result {
            Ok(events) => {
                self.counters.replayed_to = to;
                self.counters.next += 1;
                let receipt = Receipt { frontier: self.counters.next, ..Receipt::default() };
                let reply: Reply<Receipt> =
                    Box::new(move |r| reply(r.map(|_| Replayed { events, removed })));
                let event = Some(encode_replay(now, from, to));
                let reply = Some((reply, receipt));
                self.commit(Commit::Records { event, late: None, dead: Vec::new(), reply });
            }
            Err(error) => reply(Err(error)),
        }
    }

    fn housekeep(&mut self) {
        if self.housekept.elapsed() < HOUSEKEEP_EVERY
            || !matches!(self.phase, Phase::Idle | Phase::Preparing | Phase::Publishing)
        {
            return;
        }
        self.housekept = Instant::now();
        self.state_bytes = state_bytes(&self.engine);
        let spill = self.state_bytes > self.settings.memory_max_bytes;
        let keys = if spill { SPILL_KEYS } else { SWEEP_KEYS };
        self.engine.sweep(Sweep { keys, spill });
    }
}

/// The first of the late rows, each with what it would have had to be to be taken.
fn late_events(batch: &Batch, rows: &[u32], late_before: EventTime) -> Vec<LateEvent> {
    let (id, times) = (batch.schema.id, batch.times());
    let ty = &batch.schema.fields[id].ty;
    let told = rows.iter().map(|row| *row as usize).take(LATE_EVENTS_TOLD);
    told.map(|row| LateEvent {
        id: batch.columns[id].value(row, ty),
        at: EventTime(times[row]),
        late_before,
    })
    .collect()
}

/// What one delivery leaves for the logs.
struct Records {
    event: Option<Vec<u8>>,
    late: Option<Vec<u8>>,
    dead: Vec<Vec<u8>>,
}
