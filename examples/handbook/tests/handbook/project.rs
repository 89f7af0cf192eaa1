//! The definitions: they compile without a word, and read what the simulator writes.

use millrace_feature::plan::Plan;
use millrace_feature::{SourceFile, compile, render};
use millrace_handbook::{Event, Form, History, PROJECT, Table, write_report, write_transaction};

use crate::events::settings;

fn plan() -> Plan {
    let sources: Vec<SourceFile> =
        PROJECT.iter().map(|(name, text)| SourceFile::new(*name, *text)).collect();
    let compiled = compile(&sources);
    let messages = render(&compiled.diagnostics, &sources);
    assert!(compiled.diagnostics.is_empty(), "{messages}");
    compiled.plan.expect("texts without a diagnostic make a plan")
}

#[test]
fn the_view_has_the_handbooks_fifteen_features() {
    let plan = plan();
    let view = &plan.views[plan.view("scoring").unwrap()];
    assert_eq!(view.columns.len(), 15);
    // The handbook counts the payment itself.
    assert!(view.including);
    assert_eq!(plan.tests.len(), 6);
    assert!(plan.tests.iter().all(|test| !test.expectations.is_empty()));
}

#[test]
fn lines_have_the_fields_of_their_streams() {
    let plan = plan();
    let fields = |table: Table| -> Vec<String> {
        let schema = &plan.streams[plan.stream(table.name()).unwrap()].schema;
        schema.fields.iter().map(|field| field.name.to_string()).collect()
    };
    let history = History::generate(&settings()).unwrap();
    let (mut payments, mut reports) = (0, 0);
    for event in history.events() {
        let mut line = Vec::new();
        let table = match event {
            Event::Payment(row) => {
                payments += 1;
                write_transaction(&row, Form::Ndjson, &mut line);
                Table::Transactions
            }
            Event::Report(report) => {
                reports += 1;
                write_report(&report, Form::Ndjson, &mut line);
                Table::FraudReports
            }
        };
        let record: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&line).unwrap();
        let mut expected = fields(table);
        expected.sort();
        assert_eq!(record.keys().cloned().collect::<Vec<_>>(), expected);
    }
    assert!(payments > 0 && reports > 0);
}
