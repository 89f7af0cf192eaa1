//! A project, its events, and the specification beside the live engine.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use millrace_conformance::compare::same;
use millrace_conformance::prng::Prng;
use millrace_conformance::spec::{Answer, Arrival, Fate, Position, Rules, Spec};
use millrace_event::{Batch, EventTime, Key, Span, State, Value};
use millrace_feature::plan::Plan;
use millrace_feature::{SourceFile, compile};
use millrace_store::Disk;
use millrace_stream::Settings;
use millrace_stream::live::{
    DeadEvent, Delivery, Live, LiveError, LiveSettings, ReadRequest, Receipt, Recovery, Reply,
    Status,
};

pub const PROJECT: &str = r#"
entity card, device
entity shop : int

stream pay {
  id     : string id
  at     : timestamp time, late 1m
  card   : card
  device : device?
  cents  : int
  rate   : float
}

stream visit {
  number : int id
  at     : timestamp time, late 10s
  shop   : shop
  card   : card
}

features by_card by card from pay {
  n     = count() over 2m, 1h
  spend = sum(cents) over 2m
  most  = max(cents) over 5m
  mean  = mean(rate) over 5m
  kinds = distinct(device) over 10m
  last  = last(cents)
}

features by_device by device from pay {
  n     = count() where cents > 50 over 1m
  least = min(cents) over 3m
}

features by_pair by card, device from pay {
  first = first(at)
}

features by_shop by shop from visit {
  cards = distinct(card) over 1m
  n     = count()
}
"#;

pub const IDLE_AFTER: Span = Span::seconds(30);
pub const START: EventTime = EventTime(1_700_000_000_000_000);
const SECOND: i64 = 1_000_000;

pub fn plan_of(text: &str) -> Arc<Plan> {
    let compiled = compile(&[SourceFile::new("test.mill", text)]);
    let said = format!("{:?}", compiled.diagnostics);
    Arc::new(compiled.plan.expect(&said))
}

pub fn settings(shards: usize) -> LiveSettings {
    let engine = Settings { shards, idle_after: IDLE_AFTER, ..Settings::default() };
    LiveSettings { engine, checkpoint_every: Duration::from_millis(3), ..LiveSettings::default() }
}

pub fn rules() -> Rules {
    Rules { idle_after: IDLE_AFTER, future_max: Settings::default().future_max }
}

/// Rows that one source hands over together.
#[derive(Clone, Debug)]
pub struct Rows {
    pub stream: usize,
    pub partition: &'static str,
    pub rows: Vec<Vec<Value>>,
    pub dead: usize,
    pub received: EventTime,
    pub number: u64,
}

impl Rows {
    pub fn delivery(&self, plan: &Plan) -> Delivery {
        let mut batch = Batch::new(Arc::clone(&plan.streams[self.stream].schema));
        for row in &self.rows {
            for (column, value) in batch.columns.iter_mut().zip(row) {
                column.push(value, State::Ok);
            }
        }
        let stream = Some(plan.streams[self.stream].schema.stream.to_string());
        let letter = |n: usize| DeadEvent {
            stream: stream.clone(),
            origin: self.partition.to_owned(),
            position: format!("{}.{n}", self.number),
            reason: "bad-json".to_owned(),
            message: "it is no JSON".to_owned(),
            bytes: b"\xff{".to_vec(),
        };
        Delivery {
            stream: self.stream,
            partition: self.partition.to_owned(),
            batch,
            dead: (0..self.dead).map(letter).collect(),
            received: self.received,
            position: Some(self.number.to_be_bytes().to_vec()),
        }
    }

    /// Tells the specification, and says what a receipt should say.
    pub fn arrive(&self, spec: &mut Spec) -> [u64; 4] {
        let mut fates = [0; 4];
        for row in &self.rows {
            let arrival = Arrival {
                stream: self.stream,
                partition: Arc::from(self.partition),
                row: row.clone(),
                received: self.received,
            };
            let fate = spec.arrive(arrival);
            fates[Fate::ALL.iter().position(|f| *f == fate).unwrap()] += 1;
        }
        fates
    }
}

pub fn fates_of(receipt: &Receipt) -> [u64; 4] {
    [receipt.applied, receipt.duplicate, receipt.late, receipt.future]
}

/// Makes rows: in and out of order, again, late, and from the future.
#[derive(Debug)]
pub struct Source {
    pub random: Prng,
    clock: i64,
    number: u64,
    sent: Vec<(usize, Vec<Value>)>,
}

impl Source {
    pub fn new(seed: u64) -> Source {
        Source { random: Prng::new(seed), clock: START.0, number: 0, sent: Vec::new() }
    }

    pub fn now(&self) -> EventTime {
        EventTime(self.clock)
    }

    pub fn rows(&mut self, count_max: usize) -> Rows {
        self.number += 1;
        self.clock += self.random.between(0, 3 * SECOND);
        let stream = self.random.below(4) / 3;
        let partition = *self.random.pick(&["a", "b"]);
        let count = 1 + self.random.below(count_max);
        let rows = (0..count).map(|_| self.row(stream)).collect();
        let dead = usize::from(self.random.chance(1, 10)) * (1 + self.random.below(2));
        let received = EventTime(self.clock);
        Rows { stream, partition, rows, dead, received, number: self.number }
    }

    fn row(&mut self, stream: usize) -> Vec<Value> {
        let random = &mut self.random;
        if random.chance(1, 12) && !self.sent.is_empty() {
            let (of, row) = random.pick(&self.sent).clone();
            if of == stream {
                return row;
            }
        }
        let back = match random.below(20) {
            0 => random.between(0, 400 * SECOND),
            1 => -random.between(3_000 * SECOND, 5_000 * SECOND),
            2..8 => random.between(0, 20 * SECOND),
            _ => random.between(0, SECOND),
        };
        let at = Value::Timestamp(EventTime(self.clock - back));
        let id = i64::try_from(random.word() >> 20).unwrap();
        let text = |prefix: &str, n: usize| Value::Text(format!("{prefix}{n}").into());
        let card = text("card-", random.below(9));
        let row = if stream == 0 {
            let device = random.below(6);
            let device = if device == 5 { Value::Null } else { text("device-", device) };
            let rate = random.between(-9, 9) as f64 / 8.0;
            let cents = Value::Int(random.between(-100, 200));
            vec![
                Value::Text(format!("id-{id}").into()),
                at,
                card,
                device,
                cents,
                Value::Float(rate),
            ]
        } else {
            vec![Value::Int(id), at, Value::Int(random.between(0, 4)), card]
        };
        self.sent.push((stream, row.clone()));
        row
    }
}

pub fn open(
    disk: impl Disk + 'static,
    plan: &Arc<Plan>,
    settings: &LiveSettings,
) -> Result<(Live, Recovery), LiveError> {
    Live::open_on(Arc::new(disk), Arc::clone(plan), settings.clone())
}

/// A reply that comes through a channel: the other end sees an answer or that none will come.
pub fn reply<T: Send + 'static>() -> (Reply<T>, Receiver<Result<T, LiveError>>) {
    let (send, receive) = channel();
    (Box::new(move |result| drop(send.send(result))), receive)
}

pub fn hear<T>(answer: &Receiver<Result<T, LiveError>>) -> Result<T, LiveError> {
    let patience = Duration::from_secs(60);
    answer.recv_timeout(patience).unwrap_or(Err(LiveError::Stopped))
}

pub fn ingest(live: &Live, rows: &Rows) -> Result<Receipt, LiveError> {
    let (reply, answer) = reply();
    live.ingest_waiting(rows.delivery(live.plan()), reply)?;
    hear(&answer)
}

pub fn checkpoint(live: &Live) -> Result<(), LiveError> {
    let (reply, answer) = reply();
    live.checkpoint(reply).expect("few messages wait");
    hear(&answer)
}

pub fn status(live: &Live) -> Status {
    let (reply, answer) = reply();
    live.status(reply).expect("few messages wait");
    hear(&answer).expect("the engine runs")
}

/// Compares every feature of every key that was ever sent, and returns how many values that were.
pub fn compare(live: &Live, spec: &Spec, now: EventTime) -> usize {
    let plan = Arc::clone(live.plan());
    let mut compared = 0;
    for (index, group) in plan.groups.iter().enumerate() {
        let mut keys: Vec<Vec<Value>> = Vec::new();
        for (arrival, _) in spec.arrivals().iter().filter(|(a, _)| a.stream == group.stream) {
            let key: Vec<Value> = group.keys.iter().map(|f| arrival.row[*f].clone()).collect();
            if !key.iter().any(Value::is_null) && !keys.contains(&key) {
                keys.push(key);
            }
        }
        let moments = [spec.watermark(group.stream), now, now.plus(Span::minutes(2))];
        let moments = moments.into_iter().filter(|at| *at >= spec.watermark(group.stream));
        for at in moments.filter(|at| *at > EventTime::MIN) {
            compared += compare_at(live, spec, (index, &keys), at);
        }
    }
    compared
}

fn compare_at(
    live: &Live,
    spec: &Spec,
    (group, keys): (usize, &[Vec<Value>]),
    at: EventTime,
) -> usize {
    let request = |key: &Vec<Value>| ReadRequest { group, key: Key::of(key).unwrap(), at };
    let (reply, answer) = reply();
    live.read(keys.iter().map(request).collect(), reply).expect("few messages wait");
    let read = hear(&answer).expect("the engine reads");
    let features = &live.plan().groups[group].features;
    for (key, found) in keys.iter().zip(&read.answers) {
        let expected = spec.read(group, key, &Position::Time(at));
        assert_eq!(found.len(), expected.len());
        for ((feature, found), expected) in features.iter().zip(found).zip(&expected) {
            let answer = Answer { value: found.value.clone(), state: found.state };
            let name = &feature.name;
            assert!(same(&answer, expected), "{name} of {key:?} at {at}: {found:?}, {expected:?}");
        }
    }
    keys.len() * features.len()
}
