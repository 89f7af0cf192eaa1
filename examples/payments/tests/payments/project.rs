//! The definitions: they compile without a word, and hold what they promise.

use std::sync::Arc;

use millrace_feature::plan::{Group, Plan, Subject, ViewColumn};
use millrace_feature::{SourceFile, compile, render};
use millrace_payments::card_features::{Columns, DEFINITIONS, Preset, Rows, rows_to_batch};
use millrace_payments::{BatchWriter, PROJECT, PaymentStream};

use crate::events::history;

fn plan(texts: &[(&str, &str)]) -> Plan {
    let sources: Vec<SourceFile> =
        texts.iter().map(|(name, text)| SourceFile::new(*name, *text)).collect();
    let compiled = compile(&sources);
    let messages = render(&compiled.diagnostics, &sources);
    assert!(compiled.diagnostics.is_empty(), "{messages}");
    compiled.plan.expect("texts without a diagnostic make a plan")
}

#[test]
fn every_group_has_an_owner_and_every_feature_a_line_about_it() {
    let plan = plan(&PROJECT);
    assert!(plan.groups.iter().all(|group| group.owner.is_some()));
    let (_, text) = PROJECT.iter().find(|(name, _)| *name == "features.mill").unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_feature = |line: &str| line.contains(" = ") && !line.starts_with('#');
    let features: Vec<usize> = (0..lines.len()).filter(|at| is_feature(lines[*at])).collect();
    let families = |group: &Group| {
        let names: Vec<_> = group.features.iter().map(|feature| &feature.family).collect();
        names.iter().enumerate().filter(|(at, name)| !names[..*at].contains(name)).count()
    };
    assert_eq!(features.len(), plan.groups.iter().map(families).sum::<usize>());
    for at in features {
        assert!(lines[at - 1].starts_with("# "), "no line above `{}`", lines[at]);
    }
}

#[test]
fn the_view_has_thirty_columns_of_which_six_come_with_the_request() {
    let plan = plan(&PROJECT);
    let view = &plan.views[plan.view("checkout").unwrap()];
    let names: Vec<&str> = view.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names.len(), 30);
    let fields = plan.streams[view.stream].schema.fields.len();
    let is_live = |column: &&ViewColumn| {
        let mut is_live = false;
        column.expr.for_each_column(&mut |used| is_live |= used >= fields);
        is_live
    };
    assert_eq!(view.columns.iter().filter(is_live).count(), 24);
    assert!(!view.including);
    assert_eq!(
        &names[..6],
        ["amount", "price_ratio", "category", "hour", "ip_country", "countries_differ"]
    );
}

#[test]
fn events_fit_the_streams_of_the_project() {
    let (plan, history) = (plan(&PROJECT), history());
    for stream in PaymentStream::ALL {
        let declared = &plan.streams[plan.stream(stream.name()).unwrap()].schema;
        let mut writer = BatchWriter::new(Arc::clone(declared)).unwrap();
        let events = history.events().filter(|event| writer.push(event)).count();
        assert!(events > 0 && writer.take().len() == events);
    }
}

#[test]
fn lessons_are_events_and_what_is_expected_of_them() {
    let plan = plan(&PROJECT);
    assert_eq!(plan.tests.len(), 8);
    for test in &plan.tests {
        assert!(test.place.starts_with("lessons.mill:"));
        assert!(!test.expectations.is_empty());
        for event in &test.events {
            let schema = &plan.streams[event.stream].schema;
            assert_eq!(event.row.len(), schema.fields.len());
            assert!(!event.row[schema.id].is_null() && !event.row[schema.time].is_null());
        }
        for expectation in &test.expectations {
            assert!(!expectation.values.is_empty(), "{}", expectation.place);
            if let Subject::View { view, event } = &expectation.subject {
                assert_eq!(test.events[*event].stream, plan.views[*view].stream);
            }
        }
    }
    let first = &plan.tests[0];
    assert_eq!((&*first.name, first.events.len()), ("five quick payments", 5));
}

#[test]
fn the_benchmark_view_has_the_columns_that_the_floor_computes() {
    let plan = plan(&[("card_features.mill", DEFINITIONS)]);
    let view = &plan.views[plan.view("card_features").unwrap()];
    let names: Vec<&str> = view.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names, Columns::NAMES);
    let schema = Arc::clone(&plan.streams[0].schema);
    let rows: Vec<_> = Rows::new(Preset::C100k.workload()).take(100).collect();
    assert_eq!(rows_to_batch(schema, &rows).unwrap().len(), 100);
}
