use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use tempfile::{TempDir, tempdir};

use crate::program::{command, fail, run, succeed, write};

#[test]
fn the_demo_accounts_for_every_line_and_leaves_nothing_behind() {
    let folder = tempdir().unwrap();
    let ended =
        command(&["demo", "--once", "--days", "1"]).env("TMPDIR", folder.path()).output().unwrap();
    let out = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{out}");
    let parts = ["generated", "ingested", "freshness", "reads", "bytes per key", "checkpoint"];
    for part in parts.into_iter().chain(["lift        left out", "ready  ", "last midnight  block"])
    {
        assert!(out.contains(part), "{part} in {out}");
    }
    let counts: Vec<u64> = out
        .lines()
        .find(|line| line.contains(" in ") && line.contains(" applied + "))
        .unwrap()
        .split(|c: char| !c.is_ascii_digit() && c != ',')
        .filter_map(|n| n.replace(',', "").parse().ok())
        .collect();
    assert_eq!(counts.len(), 5, "{out}");
    assert_eq!(counts[0], counts[1..].iter().sum::<u64>());
    assert!(counts[2..].iter().all(|n| *n > 0), "{counts:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The burst is over within the hour: whoever knows only the last midnight cannot see it.
#[test]
fn the_demo_shows_what_fresh_features_are_worth() {
    let folder = tempdir().unwrap();
    let out = succeed(folder.path(), &["demo", "--once", "--days", "10"]);
    let row = |name: &str| -> Vec<f64> {
        let line = out.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    };
    let (stale, fresh) = (row("last midnight  "), row("the event  "));
    assert!(fresh[0] > stale[0] + 10.0, "average precision: {stale:?} to {fresh:?} of {out}");
    assert!(fresh[1] > stale[1] + 3.0, "recall: {stale:?} to {fresh:?} of {out}");
    let decided = |name: &str| -> usize {
        let last = out.lines().rev().find(|line| line.trim_start().starts_with(name)).unwrap();
        let (_, counts) = last.split_once("block ").unwrap();
        counts.split(',').next().unwrap().parse().unwrap()
    };
    let (stale, fresh) = (decided("last midnight  block"), decided("the event  "));
    assert!(fresh > 20 && stale < fresh / 4, "{stale} and {fresh} blocked of {out}");
    assert!(out.contains("first blocked ") && out.contains("slow fraud moves by"), "{out}");
}

#[test]
fn the_live_part_ends_cleanly_when_it_is_told_to() {
    let folder = tempdir().unwrap();
    let mut child = command(&["demo", "--days", "1"])
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.by_ref().find(|line| line.as_ref().unwrap().contains("a script tests")).unwrap().unwrap();
    let told = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(told.success());
    // Until the end, or it could not write.
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The example's project with a day of data, as the demo leaves it.
fn project_with_data() -> TempDir {
    let folder = tempdir().unwrap();
    for (name, text) in millrace_payments::PROJECT {
        write(folder.path(), &[(name, text)]);
    }
    succeed(folder.path(), &["demo", "--once", "--days", "1", "--dir", ".millrace"]);
    folder
}

#[test]
fn dead_letters_of_a_data_directory_can_be_listed_shown_and_exported() {
    let folder = project_with_data();
    fail(folder.path(), &["demo", "--once", "--dir", ".millrace"], 2);

    let listed = succeed(folder.path(), &["dead-letters", "list", "--json"]);
    let letters: Vec<serde_json::Value> =
        listed.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(!letters.is_empty());
    assert!(letters.iter().all(|l| l["reason"] == "bad-json" && l["origin"] == "demo"));
    let number = letters[0]["number"].to_string();
    let shown = succeed(folder.path(), &["dead-letters", "show", &number]);
    assert!(shown.contains(letters[0]["record"].as_str().unwrap()), "{shown}");
    fail(folder.path(), &["dead-letters", "show", "999999"], 1);
    let none = succeed(folder.path(), &["dead-letters", "list", "--reason", "future"]);
    assert_eq!(none, "");
    for (choice, meant) in
        [("--reason=bad-jsn", "`bad-json`"), ("--stream=payment_outcoms", "`payment_outcomes`")]
    {
        let told = fail(folder.path(), &["dead-letters", "list", choice], 2);
        assert!(told.contains(meant), "{told}");
    }
    let elsewhere = tempdir().unwrap();
    let data = folder.path().join(".millrace");
    let with_data = ["dead-letters", "list", "--json", "--data", data.to_str().unwrap()];
    assert_eq!(succeed(elsewhere.path(), &with_data), listed);
    let told = fail(elsewhere.path(), &["dead-letters", "list"], 3);
    assert!(told.contains("no data here"), "{told}");

    let stream = letters[0]["stream"].as_str().unwrap();
    let export = ["dead-letters", "export", "--stream", stream];
    let records = succeed(folder.path(), &export);
    let of_stream = letters.iter().filter(|l| l["stream"] == stream).count();
    assert_eq!(records.lines().count(), of_stream);
    let to_file = [&export[..], &["-o", "mend.ndjson"]].concat();
    succeed(folder.path(), &to_file);
    assert_eq!(std::fs::read_to_string(folder.path().join("mend.ndjson")).unwrap(), records);
    assert!(fail(folder.path(), &to_file, 3).contains("mend.ndjson"));
}

#[test]
fn late_events_are_replayed_once() {
    let folder = project_with_data();
    let replayed = run(folder.path(), &["replay"]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    let count: u64 = replayed.out.split(' ').next().unwrap().parse().unwrap();
    assert!(count > 0, "{replayed:?}");
    assert_eq!(succeed(folder.path(), &["replay"]), "0 late events applied\n");
}
