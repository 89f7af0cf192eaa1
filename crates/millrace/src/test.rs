//! `millrace test`: runs the `test` blocks of a project, in this process and without a server.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use millrace_connector::value_to_json;
use millrace_event::{EventTime, Type, Value};
use millrace_feature::plan::{Plan, Test};
use millrace_stream::Fate;
use millrace_stream::test_run::{Asked, Expected, Mismatch, TestResult, run_test};
use serde_json::json;

use crate::console::{counted, duration, say};
use crate::exit::Failure;
use crate::project::{self, Place};

/// Runs the test blocks of a project, in this process and without a server
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace test                        all tests of the project in this folder
  millrace test --filter quick         those whose name or place contains `quick`
  millrace test payments.mill          of these files alone
  millrace test --json                 for scripts

Ends with code 1 if a value is not as expected.")]
pub struct Args {
    /// Files and folders to take together, instead of the project's
    paths: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Only tests whose name or place contains this text
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

pub fn test(args: &Args) -> Result<(), Failure> {
    let sources = project::sources(&args.paths, &args.place.project)?;
    let plan = Arc::new(project::plan(&sources)?);
    let begun = Instant::now();
    let chosen = |t: &&Test| t.name.contains(&args.filter) || t.place.contains(&args.filter);
    let tests: Vec<&Test> = plan.tests.iter().filter(chosen).collect();
    if tests.is_empty() && !plan.tests.is_empty() {
        let (filter, all) = (&args.filter, counted(plan.tests.len(), "test"));
        return Err(Failure::usage(format!("none of {all} has `{filter}` in its name or place")));
    }
    let results: Vec<(&Test, TestResult)> = tests
        .into_iter()
        .map(|test| Ok((test, run_test(&plan, test)?)))
        .collect::<Result<_, Failure>>()?;
    let failed = results.iter().filter(|(_, r)| !r.passed()).count();
    if args.json {
        say!("{}", as_json(&results))?;
    } else {
        for (test, result) in &results {
            say!("{}", as_text(&plan, test, result).trim_end())?;
        }
        let values: usize = results.iter().map(|(_, r)| r.compared).sum();
        let (tests, values) = (counted(results.len(), "test"), counted(values, "value"));
        say!("{tests}, {values}, {failed} failed, in {}", duration(begun.elapsed()))?;
    }
    if failed > 0 { Err(Failure::reported()) } else { Ok(()) }
}

fn as_text(plan: &Plan, test: &Test, result: &TestResult) -> String {
    let mut out = String::new();
    let verdict = if result.passed() { "ok  " } else { "FAIL" };
    put(&mut out, format_args!("{verdict} {}  \"{}\"", result.place, result.name));
    for mismatch in &result.mismatches {
        put(&mut out, format_args!("  {}: {}", mismatch.place, asked(plan, test, &mismatch.asked)));
        let Mismatch { name, ty, expected, got, .. } = mismatch;
        let expected = match expected {
            Expected::Value(value) => value_to_json(value, ty).get().to_owned(),
            Expected::State(state) => format!("the state {}", state.name()),
        };
        let found = value_to_json(&got.value, ty);
        let state = got.state.name();
        put(&mut out, format_args!("    {name}: expected {expected}, got {found} ({state})"));
    }
    if let Some(mismatch) = result.mismatches.first() {
        for (index, fate) in &mismatch.not_applied {
            let event = event(plan, test, *index);
            put(&mut out, format_args!("    not applied, {}: {event}", fate_name(*fate)));
        }
    }
    out
}

fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(out, "{line}").expect("writing to a string cannot fail");
}

fn asked(plan: &Plan, test: &Test, asked: &Asked) -> String {
    match asked {
        Asked::Group { name, key, at } => format!("{name}[{}] at {at}", key_text(key)),
        Asked::View { name, event: index } => format!("{name} for {}", event(plan, test, *index)),
    }
}

fn key_text(key: &[Value]) -> String {
    // Parts of a key are texts or integers, which write alike under any type.
    let parts: Vec<String> =
        key.iter().map(|v| value_to_json(v, &Type::String).get().to_owned()).collect();
    parts.join(", ")
}

/// The event for people: its stream, time and id.
fn event(plan: &Plan, test: &Test, index: usize) -> String {
    let event = &test.events[index];
    let schema = &plan.streams[event.stream].schema;
    let at = match &event.row[schema.time] {
        Value::Timestamp(at) => *at,
        _ => EventTime::MIN,
    };
    let id = value_to_json(&event.row[schema.id], &schema.fields[schema.id].ty);
    format!("{} {id} at {at}", schema.stream)
}

fn fate_name(fate: Fate) -> &'static str {
    match fate {
        Fate::Applied => "applied",
        Fate::Duplicate => "its id was there before",
        Fate::Late => "later than its stream allows",
        Fate::Future => "too far in the future",
    }
}

fn as_json(results: &[(&Test, TestResult)]) -> serde_json::Value {
    let mismatch = |m: &Mismatch| {
        let value = |v: &Value| {
            serde_json::from_str::<serde_json::Value>(value_to_json(v, &m.ty).get())
                .unwrap_or_default()
        };
        let asked = match &m.asked {
            Asked::Group { name, key, at } => {
                json!({ "group": &**name, "key": key_text(key), "at": at.to_string() })
            }
            Asked::View { name, event } => json!({ "view": &**name, "event": event }),
        };
        let expected = match &m.expected {
            Expected::Value(expected) => json!({ "value": value(expected) }),
            Expected::State(state) => json!({ "state": state.name() }),
        };
        json!({
            "place": &*m.place,
            "asked": asked,
            "name": &*m.name,
            "expected": expected,
            "got": { "value": value(&m.got.value), "state": m.got.state.name() },
        })
    };
    let tests: Vec<_> = results
        .iter()
        .map(|(_, r)| {
            json!({
                "name": &*r.name,
                "place": &*r.place,
                "passed": r.passed(),
                "compared": r.compared,
                "mismatches": r.mismatches.iter().map(mismatch).collect::<Vec<_>>(),
            })
        })
        .collect();
    let passed = results.iter().filter(|(_, r)| r.passed()).count();
    json!({ "tests": tests, "passed": passed, "failed": results.len() - passed })
}
