//! The walk-through of the guide, run as it is written.

use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

const GUIDE: &str = include_str!("../../../../docs/guide/first-feature.md");

/// The text of all `sh` blocks.
fn blocks() -> String {
    // Whatever fails, the server of the guide does not outlive the test.
    let mut script = String::from("set -euo pipefail\ntrap 'kill $(jobs -p) || true' EXIT\n");
    let mut inside = false;
    for line in GUIDE.lines() {
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

#[test]
fn the_guide_works_as_it_stands() {
    let folder = tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_millrace")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let run = Command::new("bash")
        .args(["-c", &blocks()])
        .current_dir(folder.path())
        .env("PATH", path)
        .output()
        .unwrap();
    let out = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{out}\n{}", String::from_utf8_lossy(&run.stderr));
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
