//! The engine thread: the only one that touches the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, channel, sync_channel,
};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millrace_event::{Batch, EventTime, Span};
use millrace_store::{Disk, Location};

use super::checkpointer::{self, Checkpointer, Cleaning, Done, Report, Task, needed_from};
use super::committer::{self, Commit, Progress};
use super::record::{encode_delivery, encode_late, encode_replay};
use super::recovery::{Counters, Meta, Recovered, replay_late};
use super::{
    DeadEvent, Delivery, GroupStatus, LiveError, LiveSettings, ReadReply, ReadRequest, Receipt,
    Recovery, Replayed, Reply, Status, StreamStatus, ViewReply,
};
use crate::Position;
use crate::engine::{Applied, Engine, Fate, Sweep};
use crate::table::Block;

/// Commits that may wait for the disk; beyond it the engine waits, and then its callers.
const COMMITS_MAX: usize = 1_024;
/// Key states captured per step of a checkpoint, per group and shard.
const CAPTURE_KEYS: usize = 48;
/// Keys looked at per step of housekeeping, per group and shard.
const SWEEP_KEYS: usize = 16;
/// How long the thread sleeps when nothing happens.
const TICK: Duration = Duration::from_millis(10);

/// What the engine thread is asked to do.
pub(super) enum Message {
    Ingest(Box<Delivery>, Reply<Receipt>),
    Read(Vec<ReadRequest>, Reply<ReadReply>),
    View { view: usize, events: Box<Batch>, now: EventTime, reply: Reply<ViewReply> },
    Status(Reply<Status>),
    Confirm(usize),
    Checkpoint(Reply<()>),
    ReplayLate(Reply<Replayed>),
    Close(Reply<()>),
}

impl Message {
    /// The engine is gone.
    pub(super) fn fail(self) {
        match self {
            Message::Ingest(_, reply) => reply(Err(LiveError::Stopped)),
            Message::Read(_, reply) => reply(Err(LiveError::Stopped)),
            Message::View { reply, .. } => reply(Err(LiveError::Stopped)),
            Message::Status(reply) => reply(Err(LiveError::Stopped)),
            Message::Checkpoint(reply) | Message::Close(reply) => reply(Err(LiveError::Stopped)),
            Message::ReplayLate(reply) => reply(Err(LiveError::Stopped)),
            Message::Confirm(_) => {}
        }
    }
}

/// Where the checkpoint under way stands.
enum Phase {
    Idle,
    /// The checkpointer looks for old segments to clean.
    Preparing,
    /// Changed key states are being captured.
    Capturing,
    /// Written; being made durable.
    Publishing,
}

struct Owner {
    engine: Engine,
    counters: Counters,
    settings: LiveSettings,
    disk: Arc<dyn Disk>,
    commits: SyncSender<Commit>,
    progress: Arc<Progress>,
    tasks: Sender<Task>,
    reports: Receiver<Report>,
    released: Sender<Vec<Location>>,
    phase: Phase,
    begun: Instant,
    published: Instant,
    epoch: u64,
    checkpoint_bytes: u64,
    /// The frontier of the newest checkpoint, to know whether anything changed.
    checkpointed: Option<u64>,
    /// Who waits for the checkpoint under way, and for the one after it.
    waiting: Vec<Reply<()>>,
    waiting_next: Vec<Reply<()>>,
    /// By stream, when its sources had last handed over everything.
    confirmed: Vec<Option<EventTime>>,
}

pub(super) fn start(
    recovered: Recovered,
    inbox: Receiver<Message>,
    settings: LiveSettings,
) -> Result<(Vec<JoinHandle<()>>, Recovery), LiveError> {
    let Recovered { engine, counters, logs, checkpoints, live, disk, recovery } = recovered;
    let (commits, commit_queue) = sync_channel(COMMITS_MAX);
    let (tasks, task_queue) = channel();
    let (report, reports) = channel();
    let (released, released_queue) = channel();
    let progress = Arc::new(Progress::default());
    let committing = Arc::clone(&progress);
    let bytes = checkpoints.current().map_or(0, |m| m.segments.iter().map(|s| s.bytes).sum());
    let streams = engine.plan().streams.len();
    let now = Instant::now();
    let mut owner = Owner {
        engine,
        settings,
        disk,
        commits,
        progress,
        tasks,
        reports,
        released,
        phase: Phase::Idle,
        begun: now,
        published: now,
        epoch: recovery.epoch,
        checkpoint_bytes: bytes,
        checkpointed: (recovery.epoch > 0 && recovery.replayed_records == 0)
            .then_some(counters.next),
        counters,
        waiting: Vec::new(),
        waiting_next: Vec::new(),
        confirmed: vec![None; streams],
    };
    let checkpointer = Checkpointer::new(checkpoints, live);
    let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
        std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(LiveError::Thread)
    };
    let threads = vec![
        spawn("engine", Box::new(move || owner.run(&inbox)))?,
        spawn("committer", Box::new(move || committer::run(logs, &commit_queue, &committing)))?,
        spawn(
            "checkpointer",
            Box::new(move || {
                checkpointer::run(checkpointer, &task_queue, &report, &released_queue)
            }),
        )?,
    ];
    Ok((threads, recovery))
}

/// The receiving clock.
fn now() -> EventTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EventTime(since.as_micros() as i64)
}

impl Owner {
    fn run(&mut self, inbox: &Receiver<Message>) {
        loop {
            let wait = match self.phase {
                Phase::Capturing => Duration::ZERO,
                Phase::Idle | Phase::Preparing | Phase::Publishing => TICK,
            };
            match next(inbox, wait) {
                Some(Ok(Message::Close(reply))) => return self.close(reply),
                Some(Ok(message)) => self.handle(message),
                Some(Err(())) => return,
                None => {}
            }
            self.look_after_checkpoint();
            self.housekeep();
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Ingest(delivery, reply) => self.ingest(*delivery, reply),
            Message::Read(requests, reply) => reply(self.read(&requests)),
            Message::View { view, events, now, reply } => reply(self.view(view, &events, now)),
            Message::Status(reply) => reply(Ok(self.status())),
            Message::Confirm(stream) => {
                if let Some(confirmed) = self.confirmed.get_mut(stream) {
                    *confirmed = Some(now());
                }
            }
            Message::Checkpoint(reply) => self.waiting_next.push(reply),
            Message::ReplayLate(reply) => self.replay_late(reply),
            Message::Close(reply) => reply(Err(LiveError::Stopped)),
        }
    }

    fn ingest(&mut self, delivery: Delivery, reply: Reply<Receipt>) {
        if let Some(cause) = self.progress.failed.get() {
            return reply(Err(LiveError::Durability(cause.clone())));
        }
        let Delivery { stream, partition, batch, dead, received, position } = delivery;
        let id = self.engine.partition(stream, &partition);
        let applied = match self.engine.apply(id, &batch, received) {
            Ok(applied) => applied,
            Err(error) => return reply(Err(error.into())),
        };
        let name = batch.schema.stream.to_string();
        if let Some(position) = &position {
            self.counters.positions.insert((name.clone(), partition.clone()), position.clone());
        }
        let mut letters = dead;
        letters.extend(future_letters(&batch, &applied, &partition));
        let late = applied.rows(Fate::Late);
        let future = applied.count(Fate::Future);
        let event = (future < batch.len() || position.is_some()).then(|| {
            let kept = if future == 0 { None } else { Some(batch.select(&not_future(&applied))) };
            let kept = kept.as_ref().unwrap_or(&batch);
            encode_delivery(received, &partition, position.as_deref(), kept)
        });
        self.counters.next += u64::from(event.is_some());
        self.counters.late_next += u64::from(!late.is_empty());
        self.counters.dead_next += letters.len() as u64;
        *self.counters.dead.entry(name).or_default() += letters.len() as u64;
        let receipt = Receipt {
            applied: applied.count(Fate::Applied) as u64,
            duplicate: applied.count(Fate::Duplicate) as u64,
            late: late.len() as u64,
            dead: letters.len() as u64,
            future: future as u64,
            frontier: self.counters.next,
        };
        let dead = letters.iter().map(|l| serde_json::to_vec(l).unwrap_or_default()).collect();
        let late = (!late.is_empty()).then(|| encode_late(&batch.select(&late)));
        self.commit(Commit::Records { event, late, dead, reply: Some((reply, receipt)) });
    }

    fn commit(&self, commit: Commit) {
        // The committer ends only after this thread; if it panicked, the replies are dropped and
        // the callers see that.
        let _ = self.commits.send(commit);
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

    /// How long ago everything that a stream's sources had was applied. Without a source that
    /// says so, everything handed over has been applied before this message: no time ago.
    fn age(&self, stream: usize, now: EventTime) -> Span {
        self.confirmed[stream].map_or(Span(0), |at| Span(now.since(at).0.max(0)))
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
            failure: self.progress.failed.get().cloned(),
        }
    }

    fn replay_late(&mut self, reply: Reply<Replayed>) {
        let (from, to) = (self.counters.replayed_to, self.counters.late_next);
        let (done, wait) = channel();
        self.commit(Commit::Barrier(done));
        let durable = wait.recv().unwrap_or(Err("the log has stopped".to_owned()));
        let result = durable
            .map_err(LiveError::Durability)
            .and_then(|()| replay_late(&mut self.engine, &self.disk, from, to));
        match result {
            Ok(events) => {
                self.counters.replayed_to = to;
                self.counters.next += 1;
                let receipt = Receipt { frontier: self.counters.next, ..Receipt::default() };
                let reply: Reply<Receipt> =
                    Box::new(move |r| reply(r.map(|_| Replayed { events })));
                let event = Some(encode_replay(from, to));
                let reply = Some((reply, receipt));
                self.commit(Commit::Records { event, late: None, dead: Vec::new(), reply });
            }
            Err(error) => reply(Err(error)),
        }
    }

    fn look_after_checkpoint(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            match report {
                Report::Prepared(cleaning) => self.begin_checkpoint(cleaning),
                Report::Published(done) => self.published(done),
                Report::Failed(cause) => self.checkpoint_failed(&cause),
            }
        }
        match self.phase {
            Phase::Idle => {
                let changed = self.checkpointed != Some(self.counters.next);
                let due = changed && self.begun.elapsed() >= self.settings.checkpoint_every;
                if due || !self.waiting_next.is_empty() {
                    self.begun = Instant::now();
                    self.waiting.append(&mut self.waiting_next);
                    self.phase = Phase::Preparing;
                    self.task(Task::Prepare);
                }
            }
            Phase::Capturing => {
                let mut blocks = Vec::new();
                let more = self.engine.continue_checkpoint(CAPTURE_KEYS, &mut blocks);
                self.task(Task::Portion(blocks));
                if !more {
                    self.task(Task::End);
                    self.phase = Phase::Publishing;
                }
            }
            Phase::Preparing | Phase::Publishing => {}
        }
    }

    fn task(&self, task: Task) {
        // As with commits: the checkpointer outlives this thread.
        let _ = self.tasks.send(task);
    }

    fn begin_checkpoint(&mut self, cleaning: Cleaning) {
        for victim in &cleaning.victims {
            if let Err(error) = self.engine.move_out_of(*victim) {
                return self.checkpoint_failed(&error.to_string());
            }
        }
        let (done, durable) = channel();
        self.commit(Commit::Barrier(done));
        let head = self.engine.begin_checkpoint();
        let meta = Meta::of(&self.counters, self.engine.plan(), head);
        self.checkpointed = Some(self.counters.next);
        self.task(Task::Begin { meta, durable, retired: cleaning.victims });
        // Said again only now, so that a key that came back since is not removed.
        let gone =
            cleaning.gone.into_iter().filter(|(table, key)| !self.engine.has_key(*table, key));
        let mut blocks: Vec<Block> =
            gone.map(|(table, key)| Block { table, key, bytes: None }).collect();
        blocks.extend(cleaning.ids.into_iter().filter(|b| self.engine.remembers(b)));
        self.task(Task::Portion(blocks));
        self.phase = Phase::Capturing;
    }

    fn published(&mut self, done: Done) {
        for (table, key, location) in &done.locations {
            self.engine.locate(*table, key, *location);
        }
        let released = self.engine.take_released();
        // The checkpointer may be gone when the engine is closing.
        let _ = self.released.send(released);
        let keep_bytes = self.settings.log_retain_bytes;
        let needed_from = needed_from(&done.metas);
        self.commit(Commit::Retain { needed_from, keep_bytes });
        self.epoch = done.epoch;
        self.checkpoint_bytes = done.bytes;
        self.published = Instant::now();
        self.phase = Phase::Idle;
        self.waiting.drain(..).for_each(|reply| reply(Ok(())));
    }

    fn checkpoint_failed(&mut self, cause: &str) {
        // What was captured is lost to the next checkpoint unless everything counts as changed.
        let mut lost = Vec::new();
        while self.engine.continue_checkpoint(usize::MAX, &mut lost) {}
        self.engine.mark_everything();
        self.checkpointed = None;
        self.phase = Phase::Idle;
        for reply in self.waiting.drain(..) {
            reply(Err(LiveError::Durability(format!("the checkpoint failed: {cause}"))));
        }
    }

    fn housekeep(&mut self) {
        if !matches!(self.phase, Phase::Idle | Phase::Publishing) {
            return;
        }
        let groups = self.engine.plan().groups.len();
        let bytes: usize =
            (0..groups).map(|g| self.engine.group_size_estimate(g).state_bytes).sum();
        let spill = bytes > self.settings.memory_max_bytes;
        // Spilling must keep up with what comes in.
        let keys = if spill { SWEEP_KEYS * 16 } else { SWEEP_KEYS };
        self.engine.sweep(Sweep { keys, spill });
    }

    /// Takes a last checkpoint, unless the newest one has everything.
    fn close(&mut self, reply: Reply<()>) {
        let (done, wait) = channel();
        self.waiting_next.push(Box::new(move |result| drop(done.send(result))));
        let result = loop {
            self.look_after_checkpoint();
            match wait.try_recv() {
                Ok(result) => break result,
                Err(TryRecvError::Disconnected) => break Err(LiveError::Stopped),
                Err(TryRecvError::Empty) => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        reply(result);
    }
}

/// The next message; `Some(Err)` when no handle is left.
fn next(inbox: &Receiver<Message>, wait: Duration) -> Option<Result<Message, ()>> {
    if wait.is_zero() {
        return match inbox.try_recv() {
            Ok(message) => Some(Ok(message)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(())),
        };
    }
    match inbox.recv_timeout(wait) {
        Ok(message) => Some(Ok(message)),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(Err(())),
    }
}

fn not_future(applied: &Applied) -> Vec<u32> {
    (0..applied.fates.len() as u32)
        .filter(|row| applied.fates[*row as usize] != Fate::Future)
        .collect()
}

/// Dead letters for events too far in the future. Sources that still have the original bytes
/// refuse such events before they come here; these are written out field by field.
fn future_letters(batch: &Batch, applied: &Applied, origin: &str) -> Vec<DeadEvent> {
    let letter = |row: u32| {
        let fields: BTreeMap<String, String> = batch
            .schema
            .fields
            .iter()
            .zip(&batch.columns)
            .map(|(f, c)| (f.name.to_string(), format!("{:?}", c.value(row as usize, &f.ty))))
            .collect();
        DeadEvent {
            stream: Some(batch.schema.stream.to_string()),
            origin: origin.to_owned(),
            position: format!("row {row}"),
            reason: "future".to_owned(),
            message: "the event time lies too far in the future; mend the sender's clock"
                .to_owned(),
            bytes: serde_json::to_vec(&fields).unwrap_or_default(),
        }
    };
    applied.rows(Fate::Future).into_iter().map(letter).collect()
}
