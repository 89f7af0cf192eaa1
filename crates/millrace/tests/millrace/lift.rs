use millrace_payments::PaymentEvent;
use serde_json::Value;
use tempfile::TempDir;

use crate::payments::{project, world};
use crate::program::{fail, run, succeed, write};

const QUICK: [&str; 4] = ["--trees", "5", "--freshness", "request,daily,event"];

/// Thirty days of few cards with their truth; enough to run on, and too little to learn much.
fn small() -> (TempDir, Vec<String>) {
    let history = world(30, 1_000);
    let events: Vec<PaymentEvent> =
        history.events().take_while(|event| event.at() < history.settings().end()).collect();
    let folder = project(&events);
    let fraud = history.payments().iter().zip(1..).filter(|(payment, _)| payment.is_fraud());
    let kinds = fraud.map(|(payment, id)| {
        format!("{},{}", millrace_payments::PaymentId(id), payment.kind.name())
    });
    (folder, kinds.collect())
}

fn lift(folder: &TempDir, rest: &[&str]) -> Value {
    let base = ["lift", "checkout", "--label", "fraud", "--json"];
    let told = succeed(folder.path(), &[&base[..], &QUICK, rest].concat());
    serde_json::from_str(&told).unwrap()
}

#[test]
fn the_users_own_events_and_labels_make_a_report() {
    let (folder, kinds) = small();
    write(folder.path(), &[("kinds.csv", &format!("id,kind\n{}\n", kinds.join("\n")))]);
    let rest = ["--card", "card", "--amount", "amount", "--kinds", "kinds.csv"];
    let models = ["-o", "report.html", "--save-models", "models", "--seeds", "2"];
    let report = lift(&folder, &[&rest[..], &models].concat());
    let fresh = report["fresh"].as_array().unwrap();
    let names: Vec<&str> = fresh.iter().map(|row| row["served"].as_str().unwrap()).collect();
    assert_eq!(names, ["request", "daily", "event"]);
    assert_eq!(report["trials"].as_array().unwrap().len(), 2);
    for row in fresh {
        for metric in ["auc", "average_precision", "card_precision", "money_saved_at_fpr"] {
            assert!(row["metrics"][metric]["mean"].is_number(), "{metric} of {row}");
        }
        assert!(row["kinds"].as_array().unwrap().iter().any(|kind| kind["kind"] == "slow"));
    }
    let counts = &report["trials"][0]["counts"];
    let coverage = counts["label_coverage"].as_f64().unwrap();
    assert!(coverage > 0.4 && coverage <= 1.0, "{coverage}");
    assert!(counts["train_reported"].as_u64().unwrap() > 20, "{counts}");
    let source = report["notes"]["source"].as_str().unwrap();
    // Labels mature in a week: what came in the last one is not tested on.
    assert!(source.contains("to 2026-01-23T00:00:00Z."), "{source}");
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("money saved"));
    for name in names {
        let file = format!("models/{name}.txt");
        let told = succeed(folder.path(), &["model", "check", &file, "--view", "checkout"]);
        assert!(told.contains("5 trees") && told.contains("serves all of them"), "{told}");
    }
}

#[test]
fn what_is_not_given_is_left_out() {
    let (folder, kinds) = small();
    let ids: Vec<&str> = kinds.iter().filter_map(|line| line.split(',').next()).collect();
    write(folder.path(), &[("truth.csv", &format!("id\n{}\n", ids.join("\n")))]);
    let base = ["lift", "checkout", "--label", "fraud", "--truth", "truth.csv"];
    let told = succeed(folder.path(), &[&base[..], &QUICK].concat());
    for part in ["features as of", "Learnt from", "the file of --truth", "daily to event"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    for part in ["card precision", "money", "NaN", "by kind"] {
        assert!(!told.contains(part), "{part} in {told}");
    }
    let report = lift(&folder, &["--truth", "truth.csv"]);
    assert!(report["fresh"][0]["metrics"]["card_precision"]["mean"].is_null());
    // With the truth, the test goes on to the end.
    let source = report["notes"]["source"].as_str().unwrap();
    assert!(source.contains("to 2026-01-30T23:"), "{source}");
}

#[test]
fn a_run_can_be_repeated() {
    let (folder, _) = small();
    let one = lift(&folder, &["--threads", "1"]);
    let two = lift(&folder, &["--threads", "2", "--memory", "64MiB"]);
    assert_eq!(one["fresh"], two["fresh"]);
    assert_eq!(one["gains"], two["gains"]);
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let (folder, _) = small();
    let told = |rest: &[&str], code: i32| {
        let base = ["lift", "checkout", "--label", "fraud"];
        fail(folder.path(), &[&base[..], rest].concat(), code)
    };
    let said = fail(folder.path(), &["lift", "checkout", "--label", "frauds"], 2);
    assert!(said.contains("did you mean `fraud`?"), "{said}");
    assert!(fail(folder.path(), &["lift"], 2).contains("--label"));
    for (rest, part) in [
        (&["--card", "cart"][..], "did you mean `card`?"),
        (&["--card", "amount"], "name an entity"),
        (&["--amount", "merchant"], "name a decimal"),
        (&["--freshness", "weekly"], "a span such as `5m`"),
        (&["--freshness", "5m,300s"], "twice"),
        (&["--test-from", "2027-01-01"], "no time left to test on"),
        (&["--trees", "0"], "trees is 0"),
        (&["--memory", "1MiB"], "64 MiB"),
    ] {
        let said = told(rest, if rest[0] == "--trees" { 1 } else { 2 });
        assert!(said.contains(part), "{part} in {said}");
    }
    let said = told(&["--kinds", "nowhere.csv"], 3);
    assert!(said.contains("nowhere.csv"), "{said}");
    let handbook = ["lift", "--example", "handbook", "--test-to", "2018-08-01"];
    assert!(fail(folder.path(), &handbook, 2).contains("are fixed"));
    write(folder.path(), &[("ids.csv", "id\nnobody\n")]);
    for rest in [
        &["-o", "fraud_reports.ndjson"][..],
        &["-o", "ids.csv", "--truth", "ids.csv"],
        &["-o", "ids.csv", "--kinds", "ids.csv"],
    ] {
        let said = told(rest, 2);
        assert!(said.contains("is a file that this command reads"), "{said}");
    }
    for option in ["--truth", "--kinds"] {
        let said = told(&[option, "ids.csv"], 1);
        assert!(said.contains(&format!("{option} ids.csv: none of its 1 ids")), "{said}");
        assert!(said.contains("`payment_id` of stream `payment_attempts`"), "{said}");
    }
    let ended =
        run(folder.path(), &["lift", "checkout", "--label", "fraud", "--example", "payments"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
}
