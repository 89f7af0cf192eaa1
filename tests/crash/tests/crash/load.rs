//! A client that posts batches on one connection and remembers what it was told.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millrace_conformance::prng::Prng;
use millrace_event::EventTime;
use serde_json::Value as Json;

use crate::http::{Answer, Connection};
use crate::model::Event;

pub const EVENTS: &str = "/v1/streams/pay/events";
pub const NDJSON: &str = "application/x-ndjson";
const SECOND: i64 = 1_000_000;
/// Rows of one batch: few enough that the server takes it as one.
const ROWS_MAX: usize = 120;
/// Between two batches of a client: the specification compares each event with all before it.
const PAUSE: Duration = Duration::from_millis(150);
/// Acknowledged events that may be sent again.
const RECENT_MAX: usize = 2_000;

pub fn now() -> EventTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    EventTime(i64::try_from(since.as_micros()).expect("it is before the year 290000"))
}

/// What became of events, as answers and metrics count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub applied: u64,
    pub duplicate: u64,
    pub late: u64,
    pub dead: u64,
}

impl Counts {
    pub fn of(answer: &Json) -> Counts {
        let count = |name: &str| {
            let found = &answer[name];
            // Dead letters may be told as a total or by cause.
            let by_cause = || found.as_object().map(|o| o.values().filter_map(Json::as_u64).sum());
            found.as_u64().or_else(by_cause).unwrap_or_else(|| panic!("no {name} in {answer}"))
        };
        Counts {
            applied: answer.get("accepted").map_or(0, |n| n.as_u64().unwrap_or(0)),
            duplicate: count("duplicate"),
            late: count("late"),
            dead: count("dead_lettered"),
        }
    }

    pub fn add(&mut self, other: Counts) {
        self.applied += other.applied;
        self.duplicate += other.duplicate;
        self.late += other.late;
        self.dead += other.dead;
    }

    pub fn total(self) -> u64 {
        self.applied + self.duplicate + self.late + self.dead
    }

    /// From the page of metrics.
    pub fn of_metrics(server: &mut Connection) -> Counts {
        let page = server.get("/metrics").expect("the server answers").text();
        let count = |outcome: &str| {
            let of = |line: &&str| {
                line.starts_with("millrace_events_total{")
                    && line.contains("stream=\"pay\"")
                    && line.contains(&format!("\"{outcome}\""))
            };
            let line = page.lines().find(of).unwrap_or_else(|| panic!("no {outcome} in {page}"));
            let number = line.rsplit(' ').next().and_then(|n| n.parse().ok());
            number.unwrap_or_else(|| panic!("{line}"))
        };
        Counts {
            applied: count("applied"),
            duplicate: count("duplicate"),
            late: count("late"),
            dead: count("dead_lettered"),
        }
    }
}

/// Events that are posted together.
#[derive(Clone, Debug)]
pub struct Batch {
    pub body: Vec<u8>,
    /// Those that were never sent before.
    pub fresh: Vec<Event>,
    /// What an answer must say when the batch comes for the first time.
    pub first: Counts,
}

impl Batch {
    /// What an answer must say when the batch was there already.
    pub fn again(&self) -> Counts {
        let Counts { applied, duplicate, late, dead } = self.first;
        Counts { applied: 0, duplicate: applied + duplicate, late, dead }
    }
}

/// What became of a batch.
#[derive(Debug)]
pub enum Posted {
    Taken,
    Refused(Answer),
    /// The connection broke.
    Broken,
}

#[derive(Debug)]
pub struct Client {
    name: usize,
    random: Prng,
    sent: usize,
    recent: Vec<Event>,
    /// Events that were acknowledged since this list was last taken.
    pub acknowledged: Vec<Event>,
    pub counts: Counts,
    /// The batch that got no answer.
    pub unanswered: Option<Batch>,
    pub refused: usize,
}

impl Client {
    pub fn new(name: usize, seed: u64) -> Client {
        Client {
            name,
            random: Prng::new(seed ^ (name as u64) << 32),
            sent: 0,
            recent: Vec::new(),
            acknowledged: Vec::new(),
            counts: Counts::default(),
            unanswered: None,
            refused: 0,
        }
    }

    /// Posts batches until the connection breaks.
    pub fn run(&mut self, address: SocketAddr) {
        let Ok(mut server) = Connection::open(address) else { return };
        loop {
            match self.post(&mut server) {
                Posted::Taken => std::thread::sleep(PAUSE),
                Posted::Refused(answer) => {
                    // Overload: nothing was taken of a batch that is one piece for the server.
                    assert!(answer.text().contains("overloaded"), "{}", answer.text());
                    self.unanswered = None;
                    self.refused += 1;
                    std::thread::sleep(PAUSE);
                }
                Posted::Broken => return,
            }
        }
    }

    /// Posts one batch; unless it is taken, it is [`Client::unanswered`].
    pub fn post(&mut self, server: &mut Connection) -> Posted {
        let batch = self.batch();
        match server.post(EVENTS, NDJSON, &batch.body) {
            Ok(answer) if answer.status == 200 => {
                let counts = Counts::of(&answer.json());
                assert_eq!(counts, batch.first, "{}", answer.text());
                self.settle(&batch, counts);
                Posted::Taken
            }
            Ok(answer) if answer.status == 503 || answer.status == 429 => {
                self.unanswered = Some(batch);
                Posted::Refused(answer)
            }
            Ok(answer) => panic!("{}: {}", answer.status, answer.text()),
            Err(_) => {
                self.unanswered = Some(batch);
                Posted::Broken
            }
        }
    }

    fn settle(&mut self, batch: &Batch, counts: Counts) {
        self.counts.add(counts);
        self.acknowledged.extend(batch.fresh.iter().cloned());
        self.recent.extend(batch.fresh.iter().cloned());
        let too_many = self.recent.len().saturating_sub(RECENT_MAX);
        self.recent.drain(..too_many);
    }

    /// Posts the batch without an answer again; returns whether it had been taken as a whole.
    pub fn resend(&mut self, server: &mut Connection) -> Option<bool> {
        let batch = self.unanswered.take()?;
        let answer = server.post(EVENTS, NDJSON, &batch.body).expect("the server answers");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let counts = Counts::of(&answer.json());
        let was_taken = counts == batch.again() && batch.first.applied > 0;
        assert!(was_taken || counts == batch.first, "torn: {counts:?} of {:?}", batch.first);
        if was_taken {
            let Counts { applied, duplicate, late, dead: _ } = batch.first;
            // How many of its dead letters had been kept is not known.
            self.counts.add(Counts { applied, duplicate, late, dead: 0 });
        }
        self.settle(&batch, counts);
        Some(was_taken)
    }

    /// New events, some of them out of order; copies of acknowledged ones and of its own; late
    /// ones; and lines that are no events.
    fn batch(&mut self) -> Batch {
        let mut batch = Batch { body: Vec::new(), fresh: Vec::new(), first: Counts::default() };
        let now = now();
        for _ in 0..1 + self.random.below(ROWS_MAX) {
            let random = &mut self.random;
            let line = match random.below(100) {
                0..4 if !self.recent.is_empty() => {
                    batch.first.duplicate += 1;
                    random.pick(&self.recent).line()
                }
                4..6 if !batch.fresh.is_empty() => {
                    batch.first.duplicate += 1;
                    random.pick(&batch.fresh).line()
                }
                6..8 => {
                    batch.first.late += 1;
                    let hours = random.between(2, 40);
                    let at = EventTime(now.0 - hours * 3_600 * SECOND);
                    self.sent += 1;
                    Event::random(random, format!("late-{}-{}", self.name, self.sent), at).line()
                }
                8 => {
                    batch.first.dead += 1;
                    "{\"id\": nonsense\n".to_owned()
                }
                _ => {
                    batch.first.applied += 1;
                    let back = random.between(0, SECOND) * i64::from(random.below(60) as u8);
                    self.sent += 1;
                    let id = format!("{}-{}", self.name, self.sent);
                    let event = Event::random(random, id, EventTime(now.0 - back));
                    let line = event.line();
                    batch.fresh.push(event);
                    line
                }
            };
            batch.body.extend_from_slice(line.as_bytes());
        }
        batch
    }
}
