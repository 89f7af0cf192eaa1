//! A live engine that is used, dies and comes back, with the specification following along.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use millrace_conformance::spec::{Fate, Spec};
use millrace_feature::plan::Plan;
use millrace_store::{Disk, MemoryDisk};
use millrace_stream::live::{Live, LiveError, LiveSettings, Receipt, Replayed};

use super::world::{
    PROJECT, Rows, START, Source, compare, fates_of, hear, ingest, open, plan_of, reply, rules,
    settings, status,
};

/// Deliveries that are on their way at the same time.
const IN_FLIGHT_MAX: usize = 5;

#[derive(Clone)]
pub enum Step {
    Rows(Rows),
    Replay,
}

enum Waiting {
    Rows(Receiver<Result<Receipt, LiveError>>),
    Replay(Receiver<Result<Replayed, LiveError>>),
}

pub struct Story {
    pub plan: Arc<Plan>,
    pub settings: LiveSettings,
    pub source: Source,
    pub spec: Spec,
    /// How many of the specification's arrivals were there at the last replay.
    replayed: usize,
    /// Records that the event log must have.
    records: u64,
    /// Dead letters of all records.
    dead: u64,
    /// The last position per partition, acknowledged.
    last: std::collections::BTreeMap<(String, String), Vec<u8>>,
    /// Steps that are in the log, one record each.
    history: Vec<Step>,
    /// Steps without an answer, in order.
    open_steps: VecDeque<Step>,
    pub values: usize,
    pub lost_answers: usize,
}

impl Story {
    pub fn new(seed: u64) -> Story {
        let plan = plan_of(PROJECT);
        Story {
            settings: settings(1 + (seed % 3) as usize),
            source: Source::new(seed),
            spec: Spec::new(Arc::clone(&plan), rules()),
            plan,
            replayed: 0,
            records: 0,
            dead: 0,
            last: std::collections::BTreeMap::default(),
            history: Vec::new(),
            open_steps: VecDeque::new(),
            values: 0,
            lost_answers: 0,
        }
    }

    pub fn open(&self, disk: impl Disk + 'static) -> Result<Live, LiveError> {
        let (live, recovery) = open(disk, &self.plan, &self.settings)?;
        for (source, position) in &self.last {
            let found = recovery.positions.get(source);
            assert!(found >= Some(position), "position of {source:?}: {found:?}, {position:?}");
        }
        Ok(live)
    }

    /// Sends deliveries and now and then asks for a replay, several at a time, until one fails.
    pub fn send(&mut self, live: &Live, steps: usize) {
        let mut waiting = VecDeque::new();
        for _ in 0..steps {
            let step = match self.source.random.below(25) {
                0 => Step::Replay,
                _ => Step::Rows(self.source.rows(8)),
            };
            waiting.push_back(self.start(live, &step));
            self.open_steps.push_back(step);
            if waiting.len() >= IN_FLIGHT_MAX && !self.finish(waiting.pop_front()) {
                break;
            }
        }
        while self.finish(waiting.pop_front()) {}
        self.lost_answers += self.open_steps.len();
    }

    fn start(&mut self, live: &Live, step: &Step) -> Waiting {
        match step {
            Step::Rows(rows) => {
                let (reply, answer) = reply();
                // When the engine is gone, the dropped reply says so.
                let _ = live.ingest_waiting(rows.delivery(&self.plan), reply);
                Waiting::Rows(answer)
            }
            Step::Replay => {
                let (reply, answer) = reply();
                live.replay_late(START, reply).expect("few messages wait");
                Waiting::Replay(answer)
            }
        }
    }

    /// Takes an answer in; `false` when it is an error or there is none.
    fn finish(&mut self, waiting: Option<Waiting>) -> bool {
        match waiting {
            Some(Waiting::Rows(answer)) => match hear(&answer) {
                Ok(receipt) => {
                    let Some(Step::Rows(rows)) = self.open_steps.pop_front() else {
                        panic!("an answer to something else")
                    };
                    self.acknowledged(&rows, &receipt);
                    true
                }
                Err(_) => false,
            },
            Some(Waiting::Replay(answer)) => match hear(&answer) {
                Ok(replayed) => {
                    self.open_steps.pop_front();
                    let events = self.replay();
                    assert_eq!(replayed.events, events);
                    true
                }
                Err(_) => false,
            },
            None => false,
        }
    }

    fn acknowledged(&mut self, rows: &Rows, receipt: &Receipt) {
        let first = self.spec.arrivals().len();
        let expected = self.arrive(rows);
        assert_eq!(fates_of(receipt), expected, "{}", self.explained(first));
        assert_eq!(receipt.dead, rows.dead as u64 + receipt.future);
        let stream = self.plan.streams[rows.stream].schema.stream.to_string();
        self.last.insert((stream, rows.partition.to_owned()), rows.number.to_be_bytes().to_vec());
    }

    /// The arrivals from `first` on, and earlier ones of the same ids.
    fn explained(&self, first: usize) -> String {
        let mut text = String::new();
        let all = self.spec.arrivals();
        let id = |at: usize| self.spec.position(all[at].0.stream, &all[at].0.row);
        for at in first..all.len() {
            for other in (0..=at).filter(|other| id(*other) == id(at)) {
                let (arrival, fate) = &all[other];
                text.push_str(&format!("\n{other}: {fate:?} {arrival:?}"));
            }
        }
        let watermarks = (0..self.plan.streams.len()).map(|s| self.spec.watermark(s));
        format!("{text}\nwatermarks {:?}", watermarks.collect::<Vec<_>>())
    }

    fn arrive(&mut self, rows: &Rows) -> [u64; 4] {
        self.records += 1;
        self.history.push(Step::Rows(rows.clone()));
        let fates = rows.arrive(&mut self.spec);
        let [.., future] = fates;
        self.dead += rows.dead as u64 + future;
        fates
    }

    fn replay(&mut self) -> u64 {
        self.records += 1;
        self.history.push(Step::Replay);
        replay(&mut self.spec, &mut self.replayed)
    }

    /// The records that were acknowledged.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Compares with the specification over the first so many records only.
    pub fn compare_first(&mut self, live: &Live, records: u64) {
        let mut spec = Spec::new(Arc::clone(&self.plan), rules());
        let mut replayed = 0;
        for step in self.history.iter().take(usize::try_from(records).unwrap()) {
            match step {
                Step::Rows(rows) => drop(rows.arrive(&mut spec)),
                Step::Replay => drop(replay(&mut spec, &mut replayed)),
            }
        }
        self.values += compare(live, &spec, self.source.now());
    }

    /// After a recovery: what was on its way is wholly in, in order, or wholly out. Sends that
    /// again, and compares every value before and after.
    pub fn check(&mut self, live: &Live) {
        let found = status(live).frontier;
        assert!(found >= self.records, "{found} records, {} were acknowledged", self.records);
        let unanswered: Vec<Step> = self.open_steps.drain(..).collect();
        for step in &unanswered {
            if self.records == found {
                break;
            }
            match step {
                Step::Rows(rows) => drop(self.arrive(rows)),
                Step::Replay => drop(self.replay()),
            }
        }
        assert_eq!(found, self.records, "records that nobody sent");
        self.compare(live);
        for step in unanswered {
            if let Step::Rows(rows) = step {
                let receipt = ingest(live, &rows).expect("nothing fails now");
                self.acknowledged(&rows, &receipt);
            }
        }
        self.compare(live);
    }

    pub fn compare(&mut self, live: &Live) {
        self.values += compare(live, &self.spec, self.source.now());
        let status = status(live);
        let dead: u64 = status.streams.iter().map(|s| s.dead).sum();
        assert_eq!(dead, self.dead, "a position that came back has its letters, each once");
        for (stream, found) in status.streams.iter().enumerate() {
            let of = |fate| {
                let own = self.spec.arrivals().iter().filter(|(a, _)| a.stream == stream);
                own.filter(|(_, f)| *f == fate).count() as u64
            };
            let counts = found.counts;
            assert_eq!(counts.duplicate, of(Fate::Duplicate));
            assert_eq!(counts.future, of(Fate::Future));
            assert_eq!(counts.late + counts.applied, of(Fate::Late) + of(Fate::Applied));
            assert_eq!(counts.applied + counts.replayed, of(Fate::Applied));
        }
    }

    /// What another process finds after this one was killed, or the power was lost.
    pub fn end(&mut self, disk: &MemoryDisk) -> MemoryDisk {
        match self.source.random.chance(1, 3) {
            true => disk.kill(),
            false => disk.power_loss(self.source.random.word()),
        }
    }
}

/// Tells the specification of a replay of all late events from the arrival `from` on, each once:
/// not the copy of a late one, nor of one that counts already.
fn replay(spec: &mut Spec, from: &mut usize) -> u64 {
    let all = spec.arrivals();
    let position = |at: usize| spec.position(all[at].0.stream, &all[at].0.row);
    let id = |at: usize| (all[at].0.stream, position(at).1);
    let counts = |at: usize| {
        all[at].1 == Fate::Applied && position(at).0 >= spec.watermark(all[at].0.stream)
    };
    let mut late: Vec<usize> = Vec::new();
    for at in (*from..all.len()).filter(|at| all[*at].1 == Fate::Late) {
        let is_known = (0..all.len()).any(|other| counts(other) && id(other) == id(at))
            || late.iter().any(|other| id(*other) == id(at));
        if !is_known {
            late.push(at);
        }
    }
    *from = all.len();
    late.iter().for_each(|at| spec.replay(*at));
    late.len() as u64
}
