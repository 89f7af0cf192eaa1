use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use millrace_connector::value_to_json;
use millrace_event::{EventTime, Span};
use millrace_feature::plan::Plan;
use millrace_feature::{SourceFile, compile};
use millrace_payments::{BatchWriter, PROJECT, PaymentEvent, PaymentId, PaymentStream, Report};
use millrace_stream::live::{Delivery, Live, LiveSettings, now};

use crate::payments::{events_of, project, served_days, world, write_events};
use crate::program::succeed;

fn rows(folder: &Path, rest: &[&str]) -> Vec<String> {
    succeed(folder, &[&["training-set", "checkout", "-o", "out.csv"], rest].concat());
    let text = std::fs::read_to_string(folder.join("out.csv")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// A column of rows by their ids, which stand first.
fn column<'a>(rows: &'a [String], name: &str) -> BTreeMap<&'a str, &'a str> {
    let at = rows[0].split(',').position(|column| column == name).unwrap();
    let cell = |row: &'a String| {
        let cells: Vec<&str> = row.split(',').collect();
        (cells[0], cells[at])
    };
    rows[1..].iter().map(cell).collect()
}

#[test]
fn labels_of_payments_follow_the_arrival_of_reports() {
    let history = world(24, 1_500);
    let events: Vec<PaymentEvent> = history.events().collect();
    let folder = project(&events);
    let day = |n: i64| history.settings().start.plus(Span::days(n));
    let reported: BTreeMap<PaymentId, EventTime> = events
        .iter()
        .filter(|event| event.stream() == PaymentStream::Reports)
        .map(|event| (event.payment(), event.at()))
        .collect();
    for cut in [day(10), day(24), day(70)] {
        let at = cut.to_string();
        let rows = rows(folder.path(), &["--label", "fraud", "--label-at", &at]);
        let labels = column(&rows, "fraud");
        let known = column(&rows, "fraud_known_at");
        assert_eq!(labels.len(), history.payments().len());
        let mut seen = [0; 3];
        for (payment, number) in history.payments().iter().zip(1..) {
            let id = PaymentId(number);
            let report = reported.get(&id).filter(|at| **at <= cut);
            let is_answered = payment.at.plus(Span::millis(1_200)) <= cut;
            let is_mature = payment.at.plus(Span::days(7)) <= cut;
            // Declined, or nobody knows yet; reported; held to be honest; too young to tell.
            let (expected, count) = match (payment.approved && is_answered, report, is_mature) {
                (false, ..) | (true, None, false) => ("", 0),
                (true, Some(_), _) => ("true", 1),
                (true, None, true) => ("false", 2),
            };
            seen[count] += 1;
            let id = id.to_string();
            assert_eq!(labels[id.as_str()], expected, "{id} as of {cut}");
            let told = report.map(EventTime::to_string).unwrap_or_default();
            assert_eq!(known[id.as_str()], told, "{id} as of {cut}");
        }
        assert!(seen.iter().all(|count| *count > 50), "{seen:?} as of {cut}");
    }
}

/// What comes later, in whatever shape, leaves no trace in the rows before.
#[test]
fn no_row_changes_with_what_comes_after_it() {
    let history = world(14, 1_500);
    let day = |n: i64| history.settings().start.plus(Span::days(n));
    let cut = day(11);
    let all: Vec<PaymentEvent> = history.events().collect();
    let early: Vec<PaymentEvent> = all.iter().filter(|e| e.at() < cut).copied().collect();
    // The same past with another future: reports come later still, and payments in another order.
    let late_report = |event: &PaymentEvent| match event {
        PaymentEvent::Report(report) if report.at >= cut => {
            PaymentEvent::Report(Report { at: report.at.plus(Span::days(3)), ..*report })
        }
        event => *event,
    };
    let mut delayed: Vec<PaymentEvent> = all.iter().map(late_report).collect();
    delayed.sort_by_key(PaymentEvent::at);
    let mut shuffled = all.clone();
    let arrival = |event: &PaymentEvent| {
        // Up to nine minutes late, which is within the streams' lateness.
        let minutes = event.payment().0.wrapping_mul(7_919) % 10;
        event.at().plus(Span::minutes(minutes as i64))
    };
    shuffled.sort_by_key(arrival);
    let folder = project(&early);
    let to = cut.to_string();
    let options = ["--to", &to, "--label", "fraud", "--label-at", &to];
    let alone = rows(folder.path(), &options);
    assert!(alone.len() > 2_000);
    for (what, events) in [("more", &all), ("later", &delayed), ("shuffled", &shuffled)] {
        write_events(folder.path(), events);
        let rows = rows(folder.path(), &options);
        for (one, other) in alone.iter().zip(&rows) {
            assert_eq!(one, other, "{what}");
        }
        assert_eq!(alone.len(), rows.len(), "{what}");
    }
}

fn plan() -> Arc<Plan> {
    let sources: Vec<SourceFile> =
        PROJECT.iter().map(|(name, text)| SourceFile::new(*name, *text)).collect();
    Arc::new(compile(&sources).plan.unwrap())
}

/// Deliveries that wait at most: beyond a backlog of 64, reads overtake them.
const IN_FLIGHT: usize = 48;

/// Asks a live engine for each payment's vector when it comes, and then tells it of the payment.
fn served(plan: &Arc<Plan>, events: &[PaymentEvent], folder: &Path) -> Vec<Vec<String>> {
    let settings = LiveSettings { dir: folder.join("live"), ..LiveSettings::default() };
    let (live, _) = Live::open(Arc::clone(plan), settings).unwrap();
    let view = plan.view("checkout").unwrap();
    let types: Vec<_> = plan.views[view].columns.iter().map(|column| &column.ty).collect();
    let streams = PaymentStream::ALL.map(|kind| plan.stream(kind.name()).unwrap());
    let mut writers =
        streams.map(|stream| BatchWriter::new(Arc::clone(&plan.streams[stream].schema)).unwrap());
    let (mut vectors, mut waiting) = (Vec::new(), 0);
    let (done, durable) = channel();
    for event in events {
        let at = PaymentStream::ALL.iter().position(|kind| *kind == event.stream()).unwrap();
        assert!(writers[at].push(event));
        let batch = writers[at].take();
        let received = event.at().max(now());
        if event.stream() == PaymentStream::Attempts {
            let (reply, answer) = channel();
            let reply = Box::new(move |result| drop(reply.send(result)));
            live.view(view, batch.clone(), received, reply).unwrap();
            let rows = answer.recv().unwrap().unwrap().rows;
            let cells = rows[0].iter().zip(&types);
            let cells = cells.map(|(cell, ty)| value_to_json(&cell.value, ty).get().to_owned());
            vectors.push(cells.collect());
        }
        let (stream, partition) = (streams[at], "test".to_owned());
        let delivery =
            Delivery { stream, partition, batch, dead: Vec::new(), received, position: None };
        let done = done.clone();
        live.ingest_waiting(delivery, Box::new(move |result| drop(done.send(result)))).unwrap();
        waiting += 1;
        if waiting > IN_FLIGHT {
            durable.recv().unwrap().unwrap();
            waiting -= 1;
        }
    }
    // What waits when the engine is closed is not taken.
    (0..waiting).for_each(|_| drop(durable.recv().unwrap().unwrap()));
    live.close().unwrap();
    vectors
}

#[test]
fn a_training_set_is_what_was_served() {
    let days = served_days();
    let events = events_of(days);
    let folder = project(&events);
    let plan = plan();
    let vectors = served(&plan, &events, folder.path());
    let output = ["training-set", "checkout", "-o", "out.ndjson"];
    succeed(folder.path(), &output);
    let text = std::fs::read_to_string(folder.path().join("out.ndjson")).unwrap();
    let names: Vec<&str> =
        plan.views[plan.view("checkout").unwrap()].columns.iter().map(|c| &*c.name).collect();
    let (mut rows, mut cells, mut nulls) = (0, 0, 0);
    for (line, vector) in text.lines().zip(&vectors) {
        let row: BTreeMap<&str, &serde_json::value::RawValue> = serde_json::from_str(line).unwrap();
        for (name, cell) in names.iter().zip(vector) {
            assert_eq!(row[name].get(), cell, "{name} of {line}");
            cells += 1;
            nulls += usize::from(cell == "null");
        }
        rows += 1;
    }
    assert_eq!((rows, text.lines().count()), (vectors.len(), vectors.len()));
    assert!(rows > 500 && nulls > 0 && names.len() == 30, "{rows} rows");
    let logged = ["training-set", "checkout", "--from-log", "--data", "live", "-o", "log.ndjson"];
    succeed(folder.path(), &logged);
    crate::from_log::same(folder.path(), "log.ndjson", "out.ndjson");
    eprintln!("{rows} payments of {days} days, {cells} values served and computed: no difference");
}
