//! Training sets from the event log: the events that count are those that counted when they came.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use millrace_connector::value_to_json;
use millrace_event::{Batch, EventTime, Span, State, Value};
use millrace_feature::plan::Plan;
use millrace_feature::{SourceFile, compile};
use millrace_store::{Access, FileDisk, Log, LogConfig, LogName, Offset};
use millrace_stream::Settings;
use millrace_stream::live::{Delivery, Live, LiveSettings, Receipt};
use tempfile::{TempDir, tempdir};

use crate::program::{fail, run, succeed, write};

pub const PROJECT: &str = "
entity card
stream payment {
  payment : string id
  at      : timestamp time, late 10m
  card    : card
  amount  : int
}
stream report {
  report  : string id
  at      : timestamp time, late 4h
  card    : card
  payment : string?
}
features velocity by card from payment {
  payments = count() over 1h
  spend    = sum(amount)
  recent   = last(amount, 3) over 24h
  most     = max(amount) over 3h
  first    = first(payment)
}
features trouble by card from report {
  reports = count() over 12h
  ever    = count()
}
view checkout on payment {
  use velocity
  use trouble
}
view checkout_with on payment including {
  use velocity
  use trouble
}
label fraud on payment {
  positive from report by payment
  matures 2h
}
decision authorise on checkout {
  block when velocity.payments >= 4
  else   allow
}
";

const CONFIG: &str = "
[streams.payment]
files = [\"payment.ndjson\"]
[streams.report]
files = [\"report.ndjson\"]
";

const MINUTE: Span = Span::minutes(1);
pub const PAYMENT: usize = 0;
pub const REPORT: usize = 1;

/// An event of either stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub stream: usize,
    pub id: String,
    pub at: EventTime,
    pub card: String,
    /// The amount, or the number of the payment.
    pub number: i64,
}

impl Event {
    pub fn row(&self) -> [Value; 4] {
        let text = |text: &str| Value::Text(text.into());
        let last = match self.stream {
            PAYMENT => Value::Int(self.number),
            _ => text(&format!("p{}", self.number)),
        };
        let middle = [text(&self.id), Value::Timestamp(self.at), text(&self.card)];
        let [id, at, card] = middle;
        [id, at, card, last]
    }

    fn json(&self) -> String {
        let Event { id, at, card, number, .. } = self;
        match self.stream {
            PAYMENT => {
                format!(r#"{{"payment":"{id}","at":"{at}","card":"{card}","amount":{number}}}"#)
            }
            _ => {
                format!(r#"{{"report":"{id}","at":"{at}","card":"{card}","payment":"p{number}"}}"#)
            }
        }
    }
}

pub fn plan() -> Arc<Plan> {
    Arc::new(compile(&[SourceFile::new("a.mill", PROJECT)]).plan.unwrap())
}

pub fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    write(folder.path(), &[("a.mill", PROJECT), ("millrace.toml", CONFIG)]);
    folder
}

/// An engine with a log, which is handed one event at a time.
pub struct Server {
    pub live: Live,
    plan: Arc<Plan>,
}

impl Server {
    pub fn in_folder(folder: &Path) -> Server {
        Server::patient(folder, Settings::default().idle_after)
    }

    /// Waits so long for an origin; the project's configuration knows nothing of that.
    pub fn patient(folder: &Path, idle_after: Span) -> Server {
        let plan = plan();
        // So much history that every read is exact.
        let engine = Settings { history: Span::days(1_000), idle_after, ..Settings::default() };
        let dir = folder.join(".millrace");
        let settings = LiveSettings { engine, dir, ..LiveSettings::default() };
        let (live, _) = Live::open(Arc::clone(&plan), settings).unwrap();
        Server { live, plan }
    }

    pub fn batch(&self, event: &Event) -> Batch {
        let mut batch = Batch::new(Arc::clone(&self.plan.streams[event.stream].schema));
        let cells = batch.columns.iter_mut().zip(event.row());
        cells.for_each(|(column, value)| column.push(&value, State::Ok));
        batch
    }

    pub fn take(&self, event: &Event, partition: &str, received: EventTime) -> Receipt {
        let delivery = Delivery {
            stream: event.stream,
            partition: partition.to_owned(),
            batch: self.batch(event),
            dead: Vec::new(),
            received,
            position: None,
        };
        let (reply, answer) = channel();
        let reply = Box::new(move |result| drop(reply.send(result)));
        self.live.ingest_waiting(delivery, reply).unwrap();
        answer.recv().unwrap().unwrap()
    }

    /// The columns of a view for this event, as JSON.
    pub fn view(&self, view: &str, event: &Event) -> Vec<String> {
        let view = self.plan.view(view).unwrap();
        let (reply, answer) = channel();
        let reply = Box::new(move |result| drop(reply.send(result)));
        self.live.view(view, self.batch(event), event.at, reply).unwrap();
        let rows = answer.recv().unwrap().unwrap().rows;
        let columns = rows[0].iter().zip(&self.plan.views[view].columns);
        let json = columns.map(|(cell, column)| value_to_json(&cell.value, &column.ty));
        json.map(|json| json.get().to_owned()).collect()
    }

    pub fn replay(&self, now: EventTime) -> u64 {
        let (reply, answer) = channel();
        let reply = Box::new(move |result| drop(reply.send(result)));
        self.live.replay_late(now, reply).unwrap();
        answer.recv().unwrap().unwrap().events
    }
}

/// Numbers that look random (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 1) as i64 % bound
    }
}

/// A moment of the log, and what arrives then.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub received: EventTime,
    pub partition: &'static str,
    pub event: Event,
}

/// Events of four days, in the order in which they arrive: most of them soon, some after hours. One
/// origin falls silent for a day, and reports begin late, with what they have to say of before.
pub fn arrivals(random: &mut Dice) -> Vec<Arrival> {
    let start: EventTime = "2026-03-01T00:00:00Z".parse().unwrap();
    let mut arrivals = Vec::new();
    for n in 0..700 {
        // Several have the same time.
        let at = start.plus(Span(MINUTE.0 * 8 * (n / 3 * 3 + random.below(2))));
        let delay = match random.below(12) {
            0 => random.below(500),
            1..4 => random.below(9),
            _ => 0,
        };
        let received = at.plus(Span(MINUTE.0 * delay));
        let is_silent = (250..430).contains(&n);
        let partition = if is_silent || random.below(2) == 0 { "east" } else { "west" };
        let card = format!("c{}", random.below(7));
        let event = if n > 150 && random.below(5) == 0 {
            let number = random.below(n);
            Event { stream: REPORT, id: format!("r{n}"), at, card, number }
        } else {
            let number = random.below(90);
            Event { stream: PAYMENT, id: format!("p{n}"), at, card, number }
        };
        if random.below(10) == 0 {
            arrivals.push(Arrival { received, partition, event: event.clone() });
        }
        arrivals.push(Arrival { received, partition, event });
    }
    arrivals.sort_by_key(|arrival| arrival.received);
    arrivals
}

/// What counts in the end, by id, and when it began to.
pub type Applied = BTreeMap<String, (Event, EventTime)>;

/// Hands everything over, and replays what was late now and then, and at the end. Before something
/// arrives, `passes` is told the time that has passed without.
pub fn deliver(
    server: &Server,
    arrivals: &[Arrival],
    mut passes: impl FnMut(EventTime),
) -> Applied {
    let (mut applied, mut late, mut counts) = (Applied::new(), Applied::new(), [0; 3]);
    let mut since = 0;
    for (number, arrival) in arrivals.iter().enumerate() {
        let Arrival { received, partition, event } = arrival;
        passes(*received);
        let receipt = server.take(event, partition, *received);
        let now = (event.clone(), *received);
        match (receipt.applied, receipt.late, receipt.duplicate) {
            (1, 0, 0) => assert!(applied.insert(event.id.clone(), now).is_none()),
            (0, 1, 0) => drop(late.insert(event.id.clone(), now)),
            (0, 0, 1) => {}
            other => panic!("{other:?}"),
        }
        let [a, l, d] = &mut counts;
        (*a, *l, *d) = (*a + receipt.applied, *l + receipt.late, *d + receipt.duplicate);
        since += 1;
        let next = arrivals.get(number + 1).map(|next| &next.event.id);
        // A late event that is sent again after its replay would count twice.
        if next.is_none() || since >= 250 && next != Some(&event.id) {
            since = 0;
            let replayed = std::mem::take(&mut late);
            assert_eq!(server.replay(*received), replayed.len() as u64);
            let now = |(id, (event, _))| (id, (event, *received));
            applied.extend(replayed.into_iter().map(now));
        }
    }
    passes(EventTime::MAX);
    assert!(counts[0] > 500, "{counts:?}");
    applied
}

/// Writes these events in order, so that none of them is late.
pub fn write_files(folder: &Path, applied: &Applied) {
    let mut events: Vec<&Event> = applied.values().map(|(event, _)| event).collect();
    events.sort_by_key(|event| event.at);
    for (stream, name) in [(PAYMENT, "payment"), (REPORT, "report")] {
        let mut lines = String::new();
        for event in events.iter().filter(|event| event.stream == stream) {
            writeln!(lines, "{}", event.json()).unwrap();
        }
        write(folder, &[(&format!("{name}.ndjson"), &lines)]);
    }
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// Two files have the same lines.
pub fn same(folder: &Path, one: &str, other: &str) {
    let [one, other] = [one, other].map(|name| read(folder, name));
    for (number, (one, other)) in one.lines().zip(other.lines()).enumerate() {
        assert_eq!(one, other, "line {number}");
    }
    assert_eq!(one.lines().count(), other.lines().count());
}

#[test]
fn the_log_gives_the_rows_that_files_of_what_counted_give() {
    for seed in 0..4 {
        let folder = folder();
        let server = Server::patient(folder.path(), Span::minutes(1 + 90 * (seed as i64 % 2)));
        let applied = deliver(&server, &arrivals(&mut Dice(seed)), |_| {});
        write_files(folder.path(), &applied);
        for view in ["checkout", "checkout_with"] {
            for options in
                [&["--label", "fraud"][..], &["--asof-delay", "3h"], &["--asof", "daily"]]
            {
                let command = [&["training-set", view], options].concat();
                succeed(folder.path(), &[&command[..], &["-o", "files.csv"]].concat());
                // The server holds its lock.
                let told = succeed(
                    folder.path(),
                    &[&command[..], &["--from-log", "-o", "log.csv"]].concat(),
                );
                assert!(told.contains("of the late ones were replayed"), "{told}");
                same(folder.path(), "log.csv", "files.csv");
            }
        }
        let backtest = ["backtest", "authorise", "--against", "authorise", "--json"];
        let told = |rest: &[&str]| -> serde_json::Value {
            serde_json::from_str(&succeed(folder.path(), &[&backtest[..], rest].concat())).unwrap()
        };
        let (mut files, mut logged) = (told(&[]), told(&["--from-log"]));
        // Only in the log are there some that were late, or came twice.
        let [files_read, log_read] =
            [&mut files, &mut logged].map(|told| told["streams"]["payment"].take());
        assert_eq!(files_read["late"], 0);
        assert!(log_read["replayed"].as_u64() > Some(0), "{log_read}");
        for told in [&mut files, &mut logged] {
            told["streams"].take();
        }
        assert_eq!(files, logged);
        server.live.close().unwrap();
    }
}

/// Neither is read: one was removed from the definitions, the other has other fields now.
#[test]
fn streams_that_the_view_does_not_need_may_be_gone() {
    for report in ["", "stream report {\n  n : int id\n  at : timestamp time\n}\n"] {
        let folder = folder();
        let server = Server::in_folder(folder.path());
        let applied = deliver(&server, &arrivals(&mut Dice(7)), |_| {});
        write_files(folder.path(), &applied);
        let (payment, rest) = PROJECT.split_once("stream report").unwrap();
        let (_, velocity) = rest.split_once("features velocity").unwrap();
        let (velocity, _) = velocity.split_once("features trouble").unwrap();
        let text = format!(
            "{payment}{report}features velocity{velocity}view checkout on payment {{\n  use velocity\n}}\n"
        );
        write(folder.path(), &[("a.mill", &text), ("millrace.toml", "")]);
        let command = ["training-set", "checkout", "-o"];
        let files = ["files.csv", "--events", "payment=payment.ndjson"];
        succeed(folder.path(), &[&command[..], &files].concat());
        succeed(folder.path(), &[&command[..], &["log.csv", "--from-log"]].concat());
        same(folder.path(), "log.csv", "files.csv");
    }
}

#[test]
fn a_log_that_does_not_go_back_to_its_beginning_is_refused() {
    let folder = folder();
    let command = ["training-set", "checkout", "--from-log", "-o", "out.csv"];
    let told = fail(folder.path(), &command, 3);
    assert!(told.contains("there is no data here yet"), "{told}");
    let disk = Arc::new(FileDisk::open(&folder.path().join("other"), Access::Owner).unwrap());
    let config = LogConfig { segment_bytes: 1 };
    let (mut log, _) = Log::open(disk, &LogName::EVENTS, config, Offset(0)).unwrap();
    for _ in 0..3 {
        log.append(&[b"a record"]).unwrap();
        log.sync().unwrap();
    }
    log.remove_before(Offset(2)).unwrap();
    log.close().unwrap();
    let told = fail(folder.path(), &[&command[..], &["--data", "other"]].concat(), 1);
    assert!(told.contains("the event log begins at record 2"), "{told}");
    assert!(told.contains("--events") && told.contains("storage.log_retain"), "{told}");
    assert!(!folder.path().join("out.csv").exists());
    let told = fail(folder.path(), &["training-set", "checkout", "--data", "x", "-o", "o.csv"], 2);
    assert!(told.contains("--from-log"), "{told}");
}

#[test]
fn late_events_that_were_replayed_and_are_gone_are_missed() {
    let folder = folder();
    let server = Server::in_folder(folder.path());
    deliver(&server, &arrivals(&mut Dice(2)), |_| {});
    server.live.close().unwrap();
    let disk = FileDisk::open(&folder.path().join(".millrace"), Access::Owner).unwrap();
    let (mut log, _) =
        Log::open(Arc::new(disk), &LogName::LATE, LogConfig::default(), Offset(0)).unwrap();
    log.begin_segment().unwrap();
    assert_eq!(log.remove_before(log.next()).unwrap(), 1);
    log.close().unwrap();
    let command = ["training-set", "checkout", "--from-log", "-o", "out.csv"];
    let told = fail(folder.path(), &command, 1);
    assert!(told.contains("late events that were replayed are gone"), "{told}");
    assert!(told.contains("storage.late_max"), "{told}");
}

/// A server is asked for the view of each payment at its time, whether or not it has come by then.
#[test]
fn as_known_is_what_was_served_at_the_moment() {
    for (seed, view) in [(4, "checkout"), (5, "checkout_with")] {
        let folder = folder();
        let server = Server::in_folder(folder.path());
        let arrivals = arrivals(&mut Dice(seed));
        let payments = arrivals.iter().map(|a| &a.event).filter(|e| e.stream == PAYMENT);
        let payments: BTreeMap<&str, &Event> = payments.map(|e| (&*e.id, e)).collect();
        let mut asked: Vec<&Event> = payments.into_values().collect();
        asked.sort_by_key(|event| std::cmp::Reverse(event.at));
        let mut served = BTreeMap::new();
        deliver(&server, &arrivals, |moment| {
            while let Some(event) = asked.pop_if(|event| event.at < moment) {
                served.insert(event.id.clone(), server.view(view, event));
            }
        });
        server.live.close().unwrap();
        let command = ["training-set", view, "--from-log", "-o"];
        succeed(folder.path(), &[&command[..], &["known.ndjson", "--as-known"]].concat());
        succeed(folder.path(), &[&command[..], &["happened.ndjson"]].concat());
        let plan = plan();
        let columns = &plan.views[plan.view(view).unwrap()].columns;
        let text = read(folder.path(), "known.ndjson");
        assert_eq!(text.lines().count(), served.len());
        for line in text.lines() {
            let row: BTreeMap<&str, &serde_json::value::RawValue> =
                serde_json::from_str(line).unwrap();
            let id: String = serde_json::from_str(row["payment"].get()).unwrap();
            for (column, cell) in columns.iter().zip(&served[&id]) {
                assert_eq!(row[&*column.name].get(), cell, "{} of {line}", column.name);
            }
        }
        let happened = read(folder.path(), "happened.ndjson");
        let unlike = happened.lines().zip(text.lines()).filter(|(a, b)| a != b).count();
        assert!(unlike > 200, "{unlike}");
    }
}

#[test]
fn what_arrives_at_once_is_known_as_it_happens() {
    let folder = folder();
    let server = Server::in_folder(folder.path());
    let mut arrivals = arrivals(&mut Dice(9));
    arrivals.iter_mut().for_each(|arrival| arrival.received = arrival.event.at);
    arrivals.sort_by_key(|arrival| arrival.received);
    deliver(&server, &arrivals, |_| {});
    let command = ["training-set", "checkout", "--label", "fraud", "-o"];
    let told = fail(folder.path(), &[&command[..], &["out.csv", "--as-known"]].concat(), 2);
    assert!(told.contains("add --from-log"), "{told}");
    let log = [&command[..], &["happened.csv", "--from-log"]].concat();
    succeed(folder.path(), &log);
    let log = [&command[..], &["known.csv", "--from-log", "--as-known"]].concat();
    succeed(folder.path(), &log);
    same(folder.path(), "known.csv", "happened.csv");
}

#[test]
fn what_was_imported_is_told_of() {
    let folder = folder();
    let server = Server::in_folder(folder.path());
    let mut arrivals = arrivals(&mut Dice(9));
    arrivals.sort_by_key(|arrival| arrival.event.at);
    let end = arrivals.last().unwrap().event.at.plus(Span::days(2));
    arrivals.iter_mut().for_each(|arrival| arrival.received = end);
    deliver(&server, &arrivals, |_| {});
    let command = ["training-set", "checkout", "--from-log", "--as-known", "-o", "out.csv"];
    let ended = run(folder.path(), &command);
    assert!(ended.err.contains("arrived more than a day after their time"), "{ended:?}");
    let text = read(folder.path(), "out.csv");
    assert!(text.lines().skip(1).all(|line| line.ends_with(",0,0,,,,0,0")), "{text}");
}

/// Late events that are replayed while nothing comes in are known from their replay on, and by no row
/// between the last delivery and it.
#[test]
fn what_was_replayed_is_known_from_its_replay_on() {
    let folder = folder();
    let server = Server::in_folder(folder.path());
    let at = |time: &str| format!("2026-03-01T{time}:00Z").parse::<EventTime>().unwrap();
    let payment = |id: &str, time: &str| {
        let (id, card) = (id.to_owned(), "c1".to_owned());
        Event { stream: PAYMENT, id, at: at(time), card, number: 5 }
    };
    server.take(&payment("first", "18:00"), "east", at("18:00"));
    server.take(&payment("late", "17:00"), "east", at("18:00"));
    assert_eq!(server.replay(at("20:00")), 1);
    server.live.close().unwrap();
    write(
        folder.path(),
        &[("rows.csv", "at,card\n2026-03-01T19:00:00Z,c1\n2026-03-01T20:00:01Z,c1\n")],
    );
    let command = ["training-set", "checkout", "--from-log", "--as-known", "-o", "out.csv"];
    succeed(folder.path(), &[&command[..], &["--rows", "rows.csv"]].concat());
    let spends: Vec<String> = read(folder.path(), "out.csv")
        .lines()
        .map(|l| l.split(',').nth(3).unwrap().to_owned())
        .collect();
    assert_eq!(spends, ["spend", "5", "10"]);
}
