//! The walk-throughs of the guide, run as they are written.

use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

const FEATURE: &str = include_str!("../../../../docs/guide/first-feature.md");
const DECISION: &str = include_str!("../../../../docs/guide/first-decision.md");

/// The text of all `sh` blocks.
fn blocks(guide: &str) -> String {
    // Whatever fails, the server of the guide does not outlive the test.
    let mut script = String::from("set -euo pipefail\ntrap 'kill $(jobs -p) || true' EXIT\n");
    let mut inside = false;
    for line in guide.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => {
                script.push_str(line);
                script.push('\n');
            }
            _ => {}
        }
    }
    script
}

/// What the guide's commands print.
fn follow(guide: &str) -> String {
    let folder = tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_millrace")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let run = Command::new("bash")
        .args(["-c", &blocks(guide)])
        .current_dir(folder.path())
        .env("PATH", path)
        .output()
        .unwrap();
    let out = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{out}\n{}", String::from_utf8_lossy(&run.stderr));
    out
}

#[test]
fn the_first_feature_works_as_it_stands() {
    let out = follow(FEATURE);
    assert!(out.contains("1 test, 7 values, 0 failed"), "{out}");
    let rows = "\
payment_id,at,amount,rush_10m,share
p1,2026-01-05T12:00:00Z,20.00,0.00,
p2,2026-01-05T12:04:00Z,50.00,20.00,1.0
p3,2026-01-05T12:04:30Z,5.00,0.00,
p4,2026-01-05T12:05:00Z,35.00,70.00,1.4
";
    assert!(out.contains(rows), "{out}");
    for part in [
        r#""received":5,"accepted":4,"duplicate":1,"late":0,"dead_lettered":0"#,
        r#"{"group":"card_rush","key":["A"],"at":"2026-01-05T12:05:00Z""#,
        r#""rush_10m":{"value":105.00,"state":"ok","age_ms":0}"#,
        r#"{"view":"rush_check","at":"2026-01-05T12:05:30Z""#,
        r#""amount":{"value":12.50,"state":"ok","age_ms":0}"#,
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
    assert!(out.ends_with("stopped\n"), "{out}");
}

#[test]
fn the_first_decision_works_as_it_stands() {
    let out = follow(DECISION);
    let outcomes: Vec<&str> = out
        .lines()
        .filter_map(|line| line.strip_prefix("\"outcome\":\""))
        .filter_map(|line| line.split('"').next())
        .collect();
    // What the model says of the third card depends on the payments that `awk` made up.
    assert_eq!((outcomes.len(), outcomes[0], outcomes[9]), (10, "allow", "block"), "{out}");
    let row = out.lines().find(|line| line.starts_with("live01,"));
    assert!(row.is_some_and(|row| row.contains(",35.00,0,0,0.00,0,,true,")), "{out}");
    for part in [
        "4 files: 2 streams, 5 features in 2 groups, 1 view, 1 label, 1 model, 1 decision, 2 tests",
        "decided otherwise\n  outcome ",
        r#""accepted":1,"duplicate":0,"late":0,"dead_lettered":0"#,
        "all 8 parts agree, bit for bit",
        "10 decisions, 80 values compared\n            10 agree, bit for bit",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
}
