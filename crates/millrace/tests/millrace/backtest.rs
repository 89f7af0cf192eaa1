//! Decisions tried out on history.

use std::path::Path;

use millrace_payments::{DECISION, MODELS, PROJECT, PaymentEvent};
use serde_json::Value;
use tempfile::TempDir;

use super::payments::{project, world};
use super::program::{fail, succeed, write};

/// The example, with its models and decisions, and two weeks of a small world.
fn decided() -> TempDir {
    let events: Vec<PaymentEvent> = world(14, 1_500).events().collect();
    let folder = project(&events);
    std::fs::create_dir(folder.path().join("models")).unwrap();
    write(folder.path(), &MODELS);
    write(folder.path(), &[DECISION]);
    folder
}

fn backtest(folder: &Path, rest: &[&str]) -> Value {
    let common = ["backtest", "authorise", "--json", "--amount", "amount", "--label", "fraud"];
    serde_json::from_str(&succeed(folder, &[&common, rest].concat())).unwrap()
}

fn outcome(told: &Value, when: &str, name: &str) -> (u64, f64, u64) {
    let of = &told[when]["outcomes"][name];
    let count = |what: &str| of[what].as_u64().unwrap();
    (count("events"), of["amount"].as_f64().unwrap(), count("positives"))
}

#[test]
fn a_changed_decision_is_counted_as_a_training_set_says() {
    let folder = decided();
    let folder = folder.path();
    let rules = "decision authorise on checkout {\n  block when amount >= 100.00\n  \
                 review \"middling\" when amount >= 50.00\n  else allow\n}\n";
    write(folder, &[("new.rules", rules)]);
    let told = backtest(folder, &["--rules", "new.rules", "--examples", "2"]);

    succeed(folder, &["training-set", "checkout", "--label", "fraud", "-o", "rows.csv"]);
    let text = std::fs::read_to_string(folder.join("rows.csv")).unwrap();
    let columns: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let at = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let (amount, label) = (at("amount"), at("fraud"));
    let mut expected = [(0, 0.0, 0); 3];
    for row in text.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let money: f64 = cells[amount].parse().unwrap();
        let place = usize::from(money >= 50.0) + usize::from(money >= 100.0);
        expected[place].0 += 1;
        expected[place].1 += money;
        expected[place].2 += u64::from(cells[label] == "true");
    }
    for (name, (events, amount, positives)) in
        ["allow", "review", "block"].into_iter().zip(expected)
    {
        let found = outcome(&told, "then", name);
        assert_eq!((found.0, found.2), (events, positives), "{name}: {told}");
        assert!((found.1 - amount).abs() < 0.01, "{name}: {told}");
        assert!(events > 100);
    }
    let all: u64 = ["allow", "review", "block"].map(|o| outcome(&told, "today", o).0).iter().sum();
    assert_eq!(Value::from(all), told["events"]);
    let change = &told["changes"][0];
    assert_eq!(change["examples"].as_array().unwrap().len(), 2, "{told}");
    assert!(told.to_string().contains("middling"), "{told}");
    assert!(change["examples"][0]["today"]["score"].is_f64(), "{told}");
}

#[test]
fn what_is_not_changed_is_decided_alike_whatever_the_way() {
    let folder = decided();
    let folder = folder.path();
    let same = backtest(folder, &["--rules", DECISION.0]);
    assert_eq!(same["changes"], Value::Array(Vec::new()));
    // Another view of the same columns: both sides are computed apart.
    let apart =
        DECISION.1.replace("on checkout", "on other").replace("inputs checkout", "inputs other");
    let view = std::fs::read_to_string(folder.join("checkout.mill")).unwrap();
    let apart = format!("{}\n{apart}", view.replace("view checkout", "view other"));
    write(folder, &[("apart.rules", &apart)]);
    let apart = backtest(folder, &["--rules", "apart.rules", "--memory", "64MiB"]);
    assert_eq!(apart["changes"], Value::Array(Vec::new()));
    assert_eq!(apart["then"]["outcomes"], same["today"]["outcomes"]);

    let told = fail(folder, &["backtest", "autorise", "--against", "authorise"], 2);
    assert!(told.contains("authorise"), "{told}");
    assert!(fail(folder, &["backtest", "authorise"], 2).contains("--rules"));
    write(
        folder,
        &[("bad.rules", "decision authorise on checkout {\n  block when x > 1\n  else allow\n}\n")],
    );
    let told = fail(folder, &["backtest", "authorise", "--rules", "bad.rules"], 1);
    assert!(told.contains("bad.rules:2"), "{told}");
}

/// A stream that is declared anew stands elsewhere among the streams, and its fields in another order.
#[test]
fn the_rules_may_declare_the_stream_with_more_fields() {
    let folder = decided();
    let folder = folder.path();
    let same = backtest(folder, &["--rules", DECISION.0]);
    let text = PROJECT.iter().map(|(_, text)| *text).collect::<Vec<_>>().join("\n");
    let (_, payments) = text.split_once("stream payment_attempts {").unwrap();
    let (payments, _) = payments.split_once('}').unwrap();
    let rules = format!("stream payment_attempts {{\n  note : string?\n{payments}}}\n");
    write(folder, &[("new.rules", &rules)]);
    let told = backtest(folder, &["--rules", "new.rules"]);
    assert_eq!(told["changes"], Value::Array(Vec::new()));
    assert_eq!(told["then"]["outcomes"], same["then"]["outcomes"]);

    for nothing in ["# nothing\n", "label reported of payment_attempts { }\n"] {
        write(folder, &[("nothing.rules", nothing)]);
        let told = fail(folder, &["backtest", "authorise", "--rules", "nothing.rules"], 1);
        assert!(told.contains("nothing.rules"), "{told}");
    }

    let late = payments.replace("late 10m", "late 3d");
    write(folder, &[("new.rules", &format!("stream payment_attempts {{\n{late}}}\n"))]);
    let told = fail(folder, &["backtest", "authorise", "--rules", "new.rules"], 2);
    assert!(told.contains("`payment_attempts`") && told.contains("`late`"), "{told}");
}

#[test]
fn what_is_left_out_is_told() {
    let folder = decided();
    let folder = folder.path();
    let path = folder.join("payment_attempts.ndjson");
    let text = std::fs::read_to_string(&path).unwrap();
    let first = text.lines().next().unwrap();
    std::fs::write(&path, format!("{text}no event\n{first}\n")).unwrap();
    let same = backtest(folder, &["--rules", DECISION.0]);
    let counts = &same["streams"]["payment_attempts"];
    assert_eq!(
        (&counts["dead"], &counts["records"]),
        (&1.into(), &(text.lines().count() + 2).into())
    );
    assert_eq!(counts["applied"], same["events"]);
    let told = succeed(folder, &["backtest", "authorise", "--rules", DECISION.0]);
    assert!(told.contains("  payment_attempts: ") && told.contains(" + 1 dead-lettered"), "{told}");
    assert!(told.contains("bad-json: 1 dead letter"), "{told}");
}
