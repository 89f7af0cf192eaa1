use std::path::Path;

use tempfile::{TempDir, tempdir};

use crate::program::{fail, run, succeed, write};

const DEFINITIONS: &str = r#"entity card
stream payments {
  id       : int           id
  at       : timestamp     time, late 1m
  card     : card
  amount   : decimal(2)
}
stream outcomes {
  id       : int           id
  at       : timestamp     time, late 1m
  card     : card
  approved : bool
}
features velocity by card from payments {
  attempts = count()       over 5m
  spend    = sum(amount)   over 1h
}
features declines by card from outcomes {
  declines = count() where not approved over 1h
}
view checkout on payments {
  amount = amount
  use velocity
  use declines
}
"#;

const PAYMENTS: &str = "\
id,at,card,amount
1,2026-01-05T12:00:00Z,A,10.00
2,2026-01-05T12:01:00Z,A,5.50
3,2026-01-05T12:01:00Z,B,1.00
2,2026-01-05T12:01:00Z,A,5.50
4,2026-01-05T12:05:00Z,A,2.00
5,2026-01-05T12:03:59Z,A,99.00
6,2026-01-05T12:06:00Z,A,x
7,2026-01-05T12:06:30Z,A,3.00
8,2999-01-01T00:00:00Z,A,3.00
";

const OUTCOMES: &str = "\
{\"id\":1,\"at\":\"2026-01-05T12:00:01Z\",\"card\":\"A\",\"approved\":false}
{\"id\":2,\"at\":\"2026-01-05T12:01:01Z\",\"card\":\"A\",\"approved\":true}
{\"id\":7,\"at\":\"2026-01-05T12:06:30Z\",\"card\":\"A\",\"approved\":false}
{\"id\":8,\"at\":\"2026-01-05T12:06:30Z\"
";

/// By hand: windows are open at the old end, an event does not count itself, payment 5 is late
/// (61 s behind payment 4), 6 is broken, and the outcome 7 comes at the time of payment 7 with the
/// same id, so it does not precede it.
const ROWS: &str = "\
id,at,amount,attempts_5m,spend_1h,declines_1h
1,2026-01-05T12:00:00Z,10.00,0,0.00,0
2,2026-01-05T12:01:00Z,5.50,1,10.00,1
3,2026-01-05T12:01:00Z,1.00,0,0.00,0
4,2026-01-05T12:05:00Z,2.00,1,15.50,1
7,2026-01-05T12:06:30Z,3.00,1,17.50,1
";

fn project() -> TempDir {
    let folder = tempdir().unwrap();
    let files = [("a.mill", DEFINITIONS), ("p.csv", PAYMENTS), ("o.ndjson", OUTCOMES)];
    write(folder.path(), &files);
    folder
}

fn compute(folder: &Path, output: &str, threads: &str) -> String {
    let (payments, outcomes) = ("payments=p.csv", "outcomes=o.ndjson");
    let inputs = ["--events", payments, "--events", outcomes];
    let rest = ["-o", output, "--threads", threads];
    succeed(folder, &[&["compute", "checkout"], &inputs[..], &rest].concat())
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn rows_are_those_computed_by_hand_on_any_number_of_threads() {
    let folder = project();
    for threads in ["1", "2", "5"] {
        let told = compute(folder.path(), "out.csv", threads);
        assert_eq!(read(folder.path(), "out.csv"), ROWS, "{threads} threads");
        for part in [
            "out.csv: 5 rows of view checkout from 13 events",
            "payments: 9 in = 5 applied + 1 duplicate + 1 late + 2 dead-lettered",
            "future: 1 dead letter",
            "wrong-type: 1 dead letter",
            "outcomes: 4 in = 3 applied + 0 duplicate + 0 late + 1 dead-lettered",
            "bad-json: 1 dead letter",
            "dead letters: out.csv.dead.ndjson",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }
}

#[test]
fn a_file_without_a_header_has_the_columns_of_its_stream() {
    let folder = project();
    let (_, rows) = PAYMENTS.split_once('\n').unwrap();
    write(folder.path(), &[("p.csv", rows)]);
    let inputs = ["--events", "payments=p.csv", "--events", "outcomes=o.ndjson", "--no-header"];
    succeed(folder.path(), &[&["compute", "checkout", "-o", "out.csv"], &inputs[..]].concat());
    assert_eq!(read(folder.path(), "out.csv"), ROWS);
}

#[test]
fn a_file_of_events_is_not_written_over() {
    let folder = project();
    write(folder.path(), &[("x.csv.dead.ndjson", OUTCOMES)]);
    for (outcomes, output) in [("o.ndjson", "./p.csv"), ("x.csv.dead.ndjson", "x.csv")] {
        let outcomes = format!("outcomes={outcomes}");
        let inputs = ["--events", "payments=p.csv", "--events", &outcomes, "-o", output];
        let told = fail(folder.path(), &[&["compute", "checkout"], &inputs[..]].concat(), 2);
        assert!(told.contains("is a file that this command reads"), "{told}");
    }
    assert_eq!(read(folder.path(), "p.csv"), PAYMENTS);
    assert_eq!(read(folder.path(), "x.csv.dead.ndjson"), OUTCOMES);
}

#[test]
fn dead_letters_keep_their_place_and_their_bytes() {
    let folder = project();
    compute(folder.path(), "out.csv", "1");
    let letters = read(folder.path(), "out.csv.dead.ndjson");
    let letters: Vec<serde_json::Value> =
        letters.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(letters.len(), 3);
    let of = |reason: &str| letters.iter().find(|l| l["reason"] == reason).unwrap();
    let wrong = of("wrong-type");
    assert!(wrong["origin"] == "p.csv" && wrong["position"].as_str().unwrap().contains("line 8"));
    assert_eq!(of("bad-json")["bytes"]["text"], OUTCOMES.lines().last().unwrap());
    let future = of("future");
    let (line, row) = (1..).zip(PAYMENTS.lines()).find(|(_, row)| row.contains("2999")).unwrap();
    assert_eq!(future["bytes"]["text"], row);
    assert!(future["position"].as_str().unwrap().starts_with(&format!("line {line} (byte")));
    // What an earlier run left is gone when all is well.
    let good: Vec<&str> = PAYMENTS.lines().take(5).collect();
    write(folder.path(), &[("p.csv", &good.join("\n")), ("o.ndjson", "")]);
    compute(folder.path(), "out.csv", "1");
    assert!(!folder.path().join("out.csv.dead.ndjson").exists());
}

#[test]
fn an_event_with_a_key_that_no_server_takes_is_a_dead_letter() {
    let folder = project();
    let row =
        |id: u32, bytes: usize| format!("{id},2026-01-05T12:00:00Z,{},1.00\n", "k".repeat(bytes));
    // The length of a text in a key takes 4 of the 65,535 bytes.
    let rows = [row(1, 3), row(2, 65_523), row(3, 65_524), row(4, 3)].concat();
    write(folder.path(), &[("p.csv", &format!("id,at,card,amount\n{rows}")), ("o.ndjson", "")]);
    let told = compute(folder.path(), "out.csv", "2");
    let counts = "4 in = 3 applied + 0 duplicate + 0 late + 1 dead-lettered";
    assert!(told.contains(counts) && told.contains("long-key: 1 dead letter"), "{told}");
    let out = read(folder.path(), "out.csv");
    assert_eq!(out.lines().filter_map(|l| l.split(',').next()).collect::<String>(), "id124");
    let letters = read(folder.path(), "out.csv.dead.ndjson");
    let letter: serde_json::Value = serde_json::from_str(letters.trim()).unwrap();
    assert_eq!((&letter["reason"], &letter["origin"]), (&"long-key".into(), &"p.csv".into()));
    let place = letter["position"].as_str().unwrap();
    assert!(place.starts_with("line 4 (byte"), "{place}");
    assert_eq!(letter["bytes"]["text"], row(3, 65_524).trim_end());
}

#[test]
fn every_format_holds_the_same_rows() {
    let folder = project();
    compute(folder.path(), "out.ndjson", "2");
    let rows = read(folder.path(), "out.ndjson");
    let first: serde_json::Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    assert_eq!((rows.lines().count(), &first["spend_1h"]), (5, &serde_json::json!(0.0)));
    compute(folder.path(), "out.parquet", "2");
    assert!(std::fs::read(folder.path().join("out.parquet")).unwrap().starts_with(b"PAR1"));
}

#[test]
fn partitions_are_read_side_by_side() {
    let folder = project();
    // One partition is far longer than the other, and neither may make events of the other late.
    let line = |n: i64| {
        let (hour, minute) = (n / 60, n % 60);
        format!("{n},2026-01-05T{hour:02}:{minute:02}:00Z,A,1.00\n")
    };
    let part = |keep: fn(&i64) -> bool| -> String {
        let lines: String = (0..1_200).filter(keep).map(line).collect();
        format!("id,at,card,amount\n{lines}")
    };
    write(folder.path(), &[("all.csv", &part(|_| true)), ("o.ndjson", "")]);
    write(folder.path(), &[("a.csv", &part(|n| n % 7 == 0)), ("b.csv", &part(|n| n % 7 != 0))]);
    for (files, output) in [("payments=all.csv", "1.csv"), ("payments=a.csv,b.csv", "2.csv")] {
        let inputs = ["--events", files, "--events", "outcomes="];
        succeed(folder.path(), &[&["compute", "checkout", "-o", output], &inputs[..]].concat());
    }
    let rows = read(folder.path(), "1.csv");
    assert_eq!(rows.lines().count(), 1_201);
    assert_eq!(rows, read(folder.path(), "2.csv"));
}

#[test]
fn the_configuration_may_name_the_files() {
    let folder = project();
    let semicolons = PAYMENTS.replace(',', ";");
    let toml = "[streams.payments]\nfiles = [\"p.csv\"]\ndelimiter = \";\"\n\
                [streams.outcomes]\nfiles = [\"o.ndjson\"]\n";
    write(folder.path(), &[("p.csv", &semicolons), ("millrace.toml", toml)]);
    succeed(folder.path(), &["compute", "checkout", "-o", "out.csv"]);
    assert_eq!(read(folder.path(), "out.csv"), ROWS);
    let none = ["--events", "outcomes="];
    succeed(folder.path(), &[&["compute", "checkout", "-o", "out.csv"], &none[..]].concat());
    assert!(read(folder.path(), "out.csv").ends_with(",0\n"));
}

#[test]
fn mistakes_are_told_before_anything_is_written() {
    let folder = project();
    let run_with =
        |rest: &[&str], code| fail(folder.path(), &[&["compute", "checkout"], rest].concat(), code);
    let events = ["--events", "payments=p.csv"];
    let said = run_with(&[&events[..], &["-o", "out.csv"]].concat(), 2);
    assert!(said.contains("the view needs stream outcomes"), "{said}");
    let both = [&events[..], &["--events", "outcomes="]].concat();
    let said = run_with(&[&both[..], &["-o", "out.txt"]].concat(), 2);
    assert!(said.contains(".parquet"), "{said}");
    let said = run_with(&["--events", "paymets=p.csv", "-o", "out.csv"], 2);
    assert!(said.contains("did you mean `payments`?"), "{said}");
    let nowhere = ["--events", "payments=nowhere.csv", "--events", "outcomes=", "-o", "out.csv"];
    assert!(run_with(&nowhere, 3).contains("nowhere.csv"));
    let said = fail(folder.path(), &["compute", "chekout", "--events", "a=b", "-o", "c.csv"], 2);
    assert!(said.contains("did you mean `checkout`?"), "{said}");
    assert!(!folder.path().join("out.csv").exists());
}

#[test]
fn the_summary_is_there_for_scripts() {
    let folder = project();
    let inputs = ["--events", "payments=p.csv", "--events", "outcomes=o.ndjson"];
    let rest = ["-o", "out.csv", "--json"];
    let ended = run(folder.path(), &[&["compute", "checkout"], &inputs[..], &rest].concat());
    let json: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&json["rows"], &json["view"]), (&5.into(), &"checkout".into()));
    assert_eq!(json["streams"]["payments"]["dead_by_reason"]["wrong-type"], 1);
    assert_eq!(json["streams"]["payments"]["late"], 1);
}
