//! What comes out of a data set: its rows in order, and a report for each fraud.

use std::process::Command;

use millrace_event::EventTime;
use millrace_handbook::{Event, History, REPORT_DELAY, Settings};

pub fn settings() -> Settings {
    Settings { customers: 60, terminals: 100, days: 40, radius: 20.0, ..Settings::default() }
}

fn history() -> History {
    History::generate(&settings()).unwrap()
}

#[test]
fn payments_are_numbered_in_order_of_time() {
    let history = history();
    let rows = history.transactions();
    assert!(rows.len() > 4_000);
    assert!(rows.is_sorted_by_key(|row| (row.at, row.id)));
    assert!((0..).zip(rows).all(|(number, row)| row.id.0 == number));
    assert!(rows.iter().all(|row| row.at < history.midnight(settings().days)));
}

#[test]
fn each_fraud_is_reported_once_a_week_later() {
    let history = history();
    let events = history.events();
    let expected = events.len();
    let (mut payments, mut reports, mut last) = (Vec::new(), Vec::new(), EventTime::MIN);
    for event in events {
        assert!(event.at() >= last);
        last = event.at();
        match event {
            Event::Payment(row) => payments.push(row),
            Event::Report(report) => {
                assert_eq!(report.at, payments[report.id.0 as usize].at.plus(REPORT_DELAY));
                reports.push((report.id, report.customer, report.terminal));
            }
        }
    }
    assert_eq!(payments.len() + reports.len(), expected);
    let frauds = payments.iter().filter(|row| row.is_fraud());
    assert_eq!(reports, frauds.map(|row| (row.id, row.customer, row.terminal)).collect::<Vec<_>>());
    assert_eq!(payments, history.transactions());
}

#[test]
fn days_without_rows_are_empty_and_the_days_are_all() {
    let history = history();
    let by_day: usize = (0..40).map(|day| history.of_days(day..day + 1).len()).sum();
    assert_eq!(by_day, history.transactions().len());
    assert!(history.of_days(40..50).is_empty());
    let nobody = Settings { radius: 0.0, ..settings() };
    assert!(History::generate(&nobody).unwrap().transactions().is_empty());
}

#[test]
fn the_program_writes_a_file_for_each_table() {
    let folder = tempfile::tempdir().unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_handbook"))
        .args(["write", "--format", "csv", "--customers", "60", "--terminals", "100"])
        .args(["--days", "40", "--radius", "20", "--out"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let lines = |name: &str| {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let history = history();
    let (payments, events) = (history.transactions().len(), history.events().len());
    let transactions = lines("transactions.csv");
    assert_eq!(transactions.len(), payments + 1);
    assert_eq!(transactions[0], "id,at,customer,terminal,amount");
    assert_eq!(lines("fraud_reports.csv").len(), events - payments + 1);
    let truth = lines("truth.csv");
    let frauds = truth.iter().filter(|line| line.contains(",true,")).count();
    assert_eq!((truth.len(), frauds), (payments + 1, events - payments));
}
