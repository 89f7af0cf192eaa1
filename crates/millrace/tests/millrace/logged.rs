//! What the decision log says that was served, beside what is computed offline from the event log.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use millrace_connector::value_to_json;
use millrace_event::Column;
use millrace_feature::plan::Outcome;
use millrace_ledger::{Entries, FieldForm};
use millrace_payments::{DECISION, MODELS, PROJECT, PaymentEvent, PaymentStream, write_json};
use millrace_store::{Access, FileDisk};
use serde_json::Value;
use serde_json::value::RawValue;
use tempfile::tempdir;

use crate::decisions::project::{Caller, Server};
use crate::payments::{events_of, served_days};
use crate::program::{succeed, write};

/// Fields of the event that are compared beside the columns of the view.
const FIELDS: [&str; 5] = ["card", "device", "ip", "merchant", "list_price"];

/// Asks the server for a decision on each payment when it comes, and then tells it of the payment.
fn decide_all(folder: &Path, events: &[PaymentEvent]) -> usize {
    let server = Server::start(folder);
    let mut caller = Caller::new(server.address);
    let mut told: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let mut decided = 0;
    let tell = |caller: &mut Caller, told: &mut BTreeMap<&str, Vec<u8>>| {
        for (stream, lines) in std::mem::take(told) {
            let path = format!("/v1/streams/{stream}/events");
            let lines = String::from_utf8(lines).unwrap();
            let (status, body) = caller.post(&path, "application/x-ndjson", &lines).unwrap();
            assert_eq!(status, 200, "{body}");
        }
    };
    for event in events {
        let mut line = Vec::new();
        write_json(event, &mut line);
        if event.stream() == PaymentStream::Attempts {
            tell(&mut caller, &mut told);
            caller.decide(std::str::from_utf8(&line).unwrap()).unwrap();
            decided += 1;
        }
        line.push(b'\n');
        told.entry(event.stream().name()).or_default().append(&mut line);
    }
    tell(&mut caller, &mut told);
    server.stop();
    decided
}

fn cells<'a>(
    forms: &'a [FieldForm],
    columns: &'a [Column],
) -> impl Iterator<Item = (&'a str, String)> {
    forms.iter().zip(columns).map(|(form, column)| {
        (&*form.name, value_to_json(&column.value(0, &form.ty), &form.ty).get().to_owned())
    })
}

#[test]
fn logged_vectors_are_served_again_from_the_event_log() {
    let days = served_days();
    let events = events_of(days);
    let folder = tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("models")).unwrap();
    write(folder, &PROJECT);
    write(folder, &MODELS);
    write(folder, &[DECISION, ("millrace.toml", "")]);
    let decided = decide_all(folder, &events);

    let with = FIELDS.join(",");
    succeed(folder, &["training-set", "checkout", "--from-log", "--with", &with, "-o", "r.ndjson"]);
    let text = std::fs::read_to_string(folder.join("r.ndjson")).unwrap();
    let mut rows: BTreeMap<String, &str> = BTreeMap::new();
    for line in text.lines() {
        let row: BTreeMap<&str, &RawValue> = serde_json::from_str(line).unwrap();
        assert!(rows.insert(row["payment_id"].get().to_owned(), line).is_none(), "{line}");
    }
    let disk = FileDisk::open(&folder.join(".millrace"), Access::Read).unwrap();
    let mut entries = Entries::open(Arc::new(disk)).unwrap();
    let (mut values, mut outcomes) = (0, BTreeMap::new());
    while let Some(entry) = entries.next_entry().unwrap() {
        let (form, record) = (entry.form(), &entry.record);
        let fields: BTreeMap<&str, String> = cells(&form.fields, &record.event).collect();
        let line = rows.remove(&fields["payment_id"]).unwrap();
        let row: BTreeMap<&str, &RawValue> = serde_json::from_str(line).unwrap();
        let given = fields.iter().filter(|(name, _)| row.contains_key(**name));
        let given = given.map(|(name, cell)| (*name, cell.clone()));
        for (name, cell) in given.chain(cells(&form.columns, &record.vector)) {
            assert_eq!(row[name].get(), cell, "{name} of {line}");
            values += 1;
        }
        *outcomes.entry(record.outcome.name()).or_insert(0) += 1;
    }
    assert!(rows.is_empty(), "{} payments were not decided on", rows.len());
    // Thirty columns of the view, and ten fields of the event.
    assert!(decided > 500 && values == 40 * decided, "{values} values of {decided} decisions");

    let audit = succeed(folder, &["audit", "--json"]);
    let audit: Value = serde_json::from_str(&audit).unwrap();
    for (what, count) in [("agreed", decided), ("differed", 0), ("not_recomputed", 0)] {
        assert_eq!(audit[what], count, "{audit}");
    }
    let backtest = ["backtest", "authorise", "--from-log", "--rules", DECISION.0, "--json"];
    let backtest: Value = serde_json::from_str(&succeed(folder, &backtest)).unwrap();
    for outcome in [Outcome::Allow, Outcome::Review, Outcome::Block] {
        let count = outcomes.get(outcome.name()).copied().unwrap_or(0);
        for when in ["today", "then"] {
            let found = &backtest[when]["outcomes"][outcome.name()]["events"];
            assert_eq!(*found, count, "{backtest}");
        }
    }
    eprintln!(
        "{decided} decisions of {days} days, {values} values logged, served again from the event \
         log and audited: no difference"
    );
}
