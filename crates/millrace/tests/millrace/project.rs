use std::path::Path;

use tempfile::tempdir;

use crate::program::{fail, run, succeed, write};

#[test]
fn a_new_project_is_checked_tested_and_computed() {
    let folder = tempdir().unwrap();
    let made = succeed(folder.path(), &["init", "risk"]);
    assert!(made.contains("risk/payments.mill") && made.contains("millrace test --project risk"));
    let risk = folder.path().join("risk");
    assert!(succeed(&risk, &["check"]).contains("1 stream, "));
    succeed(&risk, &["fmt", "--check"]);
    assert!(succeed(&risk, &["test"]).contains("2 tests, 6 values, 0 failed"));
    let events = "payments=payments.ndjson";
    let told = succeed(&risk, &["compute", "checkout", "--events", events, "-o", "out.csv"]);
    assert!(told.contains("5 in = 4 applied + 1 duplicate + 0 late + 0 dead-lettered"), "{told}");
    assert!(!risk.join("out.csv.dead.ndjson").exists());
}

#[test]
fn a_new_project_never_overwrites() {
    let folder = tempdir().unwrap();
    write(folder.path(), &[("millrace.toml", "# mine\n")]);
    let said = fail(folder.path(), &["init"], 1);
    assert!(said.contains("millrace.toml: this file is there already"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let text = std::fs::read_to_string(folder.path().join("millrace.toml")).unwrap();
    assert_eq!(text, "# mine\n");
}

const DEFINITIONS: &str = r#"entity card
stream payments {
  id : string    id
  at : timestamp time, late 10m
  card : card
}
features velocity by card from payments {
  attempts = count() over 5m
}
"#;

#[test]
fn formatting_changes_the_layout_and_can_only_look() {
    let folder = tempdir().unwrap();
    let ugly =
        DEFINITIONS.replace("  at : timestamp time, late 10m", "at:timestamp   time,late 10m");
    write(folder.path(), &[("a.mill", &ugly)]);
    let ended = run(folder.path(), &["fmt", "--check"]);
    assert_eq!((ended.code, ended.out.trim()), (Some(1), "a.mill"), "{ended:?}");
    let text = || std::fs::read_to_string(folder.path().join("a.mill")).unwrap();
    assert_eq!(text(), ugly);
    succeed(folder.path(), &["fmt"]);
    assert!(text().contains("time, late 10m"), "{}", text());
    assert_eq!(succeed(folder.path(), &["fmt", "--check"]), "");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn labels_models_and_decisions_are_counted_and_formatted() {
    let folder = tempdir().unwrap();
    let more = r#"
view checkout on payments {
  use velocity
}

label again on payments {
  positive from payments by card
  matures 7d
}

model risk {
  file "models/risk.txt"
  inputs checkout
}

decision authorise on checkout {
  score risk
  block when risk >= 0.9
  else allow
}
"#;
    write(folder.path(), &[("a.mill", &format!("{DEFINITIONS}{more}"))]);
    let ended = run(folder.path(), &["check", "a.mill"]);
    assert!(ended.out.contains("1 view, 1 label, 1 model, 1 decision, 0 tests"), "{ended:?}");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    succeed(folder.path(), &["fmt"]);
    let text = std::fs::read_to_string(folder.path().join("a.mill")).unwrap();
    assert!(text.contains("  block when risk >= 0.9\n  else  allow\n"), "{text}");
}

#[test]
fn a_wrong_definition_is_named_with_its_place_and_ends_with_1() {
    let folder = tempdir().unwrap();
    write(folder.path(), &[("a.mill", &DEFINITIONS.replace("from payments", "from paymnts"))]);
    let said = fail(folder.path(), &["check"], 1);
    assert!(said.contains("a.mill:7:") && said.contains("`paymnts`"), "{said}");
    let ended = run(folder.path(), &["check", "--json"]);
    let diagnostics: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((ended.code, &diagnostics[0]["line"]), (Some(1), &7.into()));
}

#[test]
fn a_failing_test_tells_what_was_expected_and_what_was_there() {
    let folder = tempdir().unwrap();
    let test = r#"
test "one too many" {
  payments { id: "p", card: "A" } at 12:00
  payments { id: "p", card: "A" } at 12:01
  at 12:02 expect velocity["A"] { attempts[5m] = 2 }
}
test "fine" {
  payments { card: "A" } at 12:00
  at 12:02 expect velocity["A"] { attempts[5m] = 1 }
}
"#;
    write(folder.path(), &[("a.mill", &format!("{DEFINITIONS}{test}"))]);
    let ended = run(folder.path(), &["test"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for part in [
        "FAIL a.mill:11  \"one too many\"",
        "a.mill:14: velocity[\"A\"] at ",
        "attempts_5m: expected 2, got 1 (ok)",
        "not applied, its id was there before: payments \"p\" at ",
        "ok   a.mill:16  \"fine\"",
        "2 tests, 2 values, 1 failed",
    ] {
        assert!(ended.out.contains(part), "{part} in {}", ended.out);
    }
    assert!(succeed(folder.path(), &["test", "--filter", "fine"]).contains("1 test, 1 value"));
    fail(folder.path(), &["test", "--filter", "nowhere"], 2);
    let json = run(folder.path(), &["test", "--json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &1.into()));
    assert_eq!(json["tests"][0]["mismatches"][0]["got"]["value"], 1);
}

#[test]
fn a_folder_without_definitions_is_no_project() {
    let folder = tempdir().unwrap();
    assert!(fail(folder.path(), &["check"], 2).contains("millrace init"));
    assert!(fail(folder.path(), &["check", "--project", "nowhere"], 3).contains("nowhere"));
    fail(Path::new("/"), &["check", "/nowhere/a.mill"], 3);
}

#[test]
fn every_command_explains_itself_with_examples() {
    let folder = tempdir().unwrap();
    let commands = [
        &["demo"][..],
        &["init"],
        &["check"],
        &["fmt"],
        &["test"],
        &["compute"],
        &["run"],
        &["replay"],
        &["bench"],
        &["bench", "card-features"],
        &["bench", "latency"],
        &["bench", "overload"],
        &["key"],
        &["key", "create"],
        &["key", "list"],
        &["key", "revoke"],
        &["dead-letters"],
        &["dead-letters", "resubmit"],
        &["dead-letters", "list"],
        &["dead-letters", "show"],
        &["dead-letters", "export"],
    ];
    for command in commands {
        let help = succeed(folder.path(), &[command, &["--help"]].concat());
        assert!(help.contains("Example") && help.contains("  millrace "), "{command:?}: {help}");
    }
    fail(folder.path(), &["nonsense"], 2);
}

#[test]
fn a_diagnostic_is_told_once_and_with_its_code_in_front() {
    let folder = tempdir().unwrap();
    write(folder.path(), &[("a.mill", "entity card\nfeatures g by card from nothing { }\n")]);
    for command in ["check", "test", "run"] {
        let told = fail(folder.path(), &[command], 1);
        assert!(told.starts_with("error[unknown-name]: no stream `nothing`"), "{command}: {told}");
    }
}

#[test]
fn a_file_that_is_too_large_is_not_formatted() {
    let folder = tempdir().unwrap();
    let text = format!("entity card # {}\n", "x".repeat(1 << 20));
    write(folder.path(), &[("a.mill", &text)]);
    for arguments in [&["fmt", "--check"][..], &["fmt"]] {
        let told = fail(folder.path(), arguments, 1);
        assert!(told.contains("a.mill: a file of") && told.contains("split it"), "{told}");
    }
}

#[test]
fn a_missing_file_is_named_with_what_to_do() {
    let folder = tempdir().unwrap();
    succeed(folder.path(), &["init"]);
    let compute = ["compute", "checkout", "--events", "payments=gone.ndjson", "-o", "out.csv"];
    for (arguments, name) in [(&["check", "gone.mill"][..], "gone.mill"), (&compute, "gone.ndjson")]
    {
        let told = fail(folder.path(), arguments, 3);
        assert!(told.contains(name) && told.contains("check the name"), "{told}");
    }
}
