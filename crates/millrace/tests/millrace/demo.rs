use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::decisions::project::{Caller, Server};
use crate::program::{command, fail, run, succeed};

#[test]
fn the_demo_accounts_for_every_line_and_leaves_nothing_behind() {
    let folder = tempdir().unwrap();
    let ended =
        command(&["demo", "--once", "--days", "1"]).env("TMPDIR", folder.path()).output().unwrap();
    let out = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{out}");
    let parts = ["generated", "ingested", "freshness", "reads", "bytes per key", "checkpoint"];
    let ends = ["lift        left out", "ready  ", "as of last midnight  block", "nothing is kept"];
    for part in parts.into_iter().chain(ends) {
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
    let (stale, fresh) = (decided("as of last midnight"), decided("as of the event"));
    assert!(fresh > 20 && stale < fresh / 4, "{stale} and {fresh} blocked of {out}");
    assert!(out.contains("first blocked ") && out.contains("slow fraud moves by"), "{out}");
    // Almost all of the other payments are let through, with the same features.
    assert!(decided("the other payments") < 20, "{out}");
    // Where fraud is in no hurry, fresh features buy little, and it says so.
    let control = out.lines().skip_while(|line| !line.starts_with("control  "));
    let row = control.clone().find(|line| line.contains("the event ")).unwrap();
    let points: Vec<f64> = row
        .split([' ', ',', ':'])
        .filter_map(|word| word.strip_prefix('+').unwrap_or(word).parse().ok())
        .collect();
    let &[stale, fresh, gain] = &points[..] else { panic!("{row}") };
    assert!(stale > 60.0 && fresh > 60.0 && (fresh - stale - gain).abs() < 0.11, "{row}");
    assert!(gain.abs() < 4.0, "{row}");
}

/// What stays is a project as anybody's: its decisions can be counted, shown and made again.
#[test]
fn what_the_demo_decided_can_be_audited_in_the_folder_that_it_leaves() {
    let parent = tempdir().unwrap();
    let out = succeed(parent.path(), &["demo", "--once", "--days", "2", "--dir", "demo"]);
    let folder = parent.path().join("demo");
    let line = out.lines().find(|line| line.contains(" decided on ")).unwrap();
    assert!(out.contains("rule 1, risk >= "), "{line} of {out}");
    let commands: Vec<Vec<&str>> = out
        .lines()
        .skip_while(|line| !line.starts_with("kept in demo"))
        .skip(1)
        .filter_map(|line| Some(line.trim().split_once("millrace ")?.1.split(' ').collect()))
        .collect();
    let [report, replay, audit, serve] = &commands[..] else { panic!("{out}") };
    assert_eq!(serve, &["run", "--project", "demo"]);
    let report = succeed(parent.path(), &[&report[..], &["--json"]].concat());
    let report: Value = serde_json::from_str(&report).unwrap();
    let decisions = report[0]["decisions"].as_u64().unwrap();
    assert!(decisions > 100 && report[0]["decision"] == "authorise", "{report}");
    let told = succeed(parent.path(), replay);
    assert!(told.contains("score risk ") && told.contains("agree, bit for bit"), "{told}");
    let found = succeed(parent.path(), &[&audit[..], &["--json"]].concat());
    let found: Value = serde_json::from_str(&found).unwrap();
    let counts = ["decisions", "agreed", "differed"].map(|name| found[name].as_u64().unwrap());
    assert_eq!(counts, [decisions, decisions, 0], "{found}");
    // And from within, also beside the server that goes on with it.
    let server = Server::start(&folder);
    let mut caller = Caller::new(server.address);
    let event = r#"{"card":"c_1","bin":"bin_001","device":"d_1","ip":"ip_1","merchant":"merchant_001",
        "category":"digital","amount":12.5,"list_price":10,"card_country":"FR","ip_country":"FR",
        "first_of_card":false}"#;
    let id = caller.decide(event).unwrap()["id"].as_str().unwrap().to_owned();
    assert!(succeed(&folder, &["decision", "replay", &id]).contains("agree, bit for bit"));
    server.stop();
    succeed(&folder, &["test"]);
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

/// The example's project with a day of data, as the demo leaves it: the folder around it, and it.
fn project_with_data() -> (TempDir, PathBuf) {
    let parent = tempdir().unwrap();
    succeed(parent.path(), &["demo", "--once", "--days", "1", "--dir", "demo"]);
    let folder = parent.path().join("demo");
    (parent, folder)
}

#[test]
fn dead_letters_of_a_data_directory_can_be_listed_shown_and_exported() {
    let (_parent, folder) = project_with_data();
    let folder = folder.as_path();
    fail(folder, &["demo", "--once", "--dir", ".millrace"], 2);

    let listed = succeed(folder, &["dead-letters", "list", "--json"]);
    let letters: Vec<serde_json::Value> =
        listed.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(!letters.is_empty());
    assert!(letters.iter().all(|l| l["reason"] == "bad-json" && l["origin"] == "demo"));
    let number = letters[0]["number"].to_string();
    let shown = succeed(folder, &["dead-letters", "show", &number]);
    assert!(shown.contains(letters[0]["record"].as_str().unwrap()), "{shown}");
    fail(folder, &["dead-letters", "show", "999999"], 1);
    let none = succeed(folder, &["dead-letters", "list", "--reason", "future"]);
    assert_eq!(none, "");
    for (choice, meant) in
        [("--reason=bad-jsn", "`bad-json`"), ("--stream=payment_outcoms", "`payment_outcomes`")]
    {
        let told = fail(folder, &["dead-letters", "list", choice], 2);
        assert!(told.contains(meant), "{told}");
    }
    let elsewhere = tempdir().unwrap();
    let data = folder.join(".millrace");
    let with_data = ["dead-letters", "list", "--json", "--data", data.to_str().unwrap()];
    assert_eq!(succeed(elsewhere.path(), &with_data), listed);
    let told = fail(elsewhere.path(), &["dead-letters", "list"], 3);
    assert!(told.contains("no data here"), "{told}");

    let stream = letters[0]["stream"].as_str().unwrap();
    let export = ["dead-letters", "export", "--stream", stream];
    let records = succeed(folder, &export);
    let of_stream = letters.iter().filter(|l| l["stream"] == stream).count();
    assert_eq!(records.lines().count(), of_stream);
    let to_file = [&export[..], &["-o", "mend.ndjson"]].concat();
    succeed(folder, &to_file);
    assert_eq!(std::fs::read_to_string(folder.join("mend.ndjson")).unwrap(), records);
    assert!(fail(folder, &to_file, 3).contains("mend.ndjson"));
}

#[test]
fn late_events_are_replayed_once() {
    let (_parent, folder) = project_with_data();
    let folder = folder.as_path();
    let replayed = run(folder, &["replay"]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    let count: u64 = replayed.out.split(' ').next().unwrap().parse().unwrap();
    assert!(count > 0, "{replayed:?}");
    assert_eq!(succeed(folder, &["replay"]), "0 late events applied\n");
}
