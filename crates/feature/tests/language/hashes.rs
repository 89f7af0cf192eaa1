//! What hashes depend on, and what they do not.

use millrace_feature::SourceFile;
use millrace_feature::plan::Plan;

use crate::projects::{plan_of, project};

const STREAM: &str = "entity c
stream s { id : int id at : timestamp time, late 10m c : c x : int y : int ok : bool }
";
const GROUP: &str = "features g by c from s {
  let good = ok and x > 0
  n = count() where good over 5m, 1h
  m = mean(y) over 1h default 0
  r = n[5m] / n[1h]
}
";
const VIEW: &str = "view v on s { use g z = x + g.m }\n";

fn plan(parts: &[&str]) -> Plan {
    plan_of(&[SourceFile::new("a.mill", parts.concat())])
}

#[test]
fn writing_is_not_meaning() {
    let before = plan(&[STREAM, GROUP, VIEW]);
    let other = GROUP
        .replace("good", "fine")
        .replace("  n = ", "# comment\n  n   =   ")
        .replace("let fine = ok and x > 0\n", "")
        .replace("where fine", "where ok and x > 0");
    let stream = STREAM.replace("x : int", "x : int other : float");
    let after = plan(&[VIEW, "features h by c from s { n = count() }\n", &other, STREAM]);
    let group = |plan: &Plan| plan.groups[plan.group("g").unwrap()].clone();
    assert_eq!(group(&before).hash, group(&after).hash);
    assert_eq!(group(&before).layout.hash, group(&after).layout.hash);
    assert_eq!(before.views[0].hash, after.views[0].hash);
    assert_ne!(before.hash, after.hash);
    // Another field of the stream is no part of what the group computes.
    let wider = plan(&[&stream, GROUP, VIEW]);
    assert_eq!(group(&before).hash, group(&wider).hash);
    assert_eq!(group(&before).layout.hash, group(&wider).layout.hash);
    assert_ne!(before.streams[0].hash, wider.streams[0].hash);
}

#[test]
fn every_part_of_the_meaning_counts() {
    let before = plan(&[STREAM, GROUP, VIEW]);
    let changes = [
        ("over 5m, 1h", "over 5m, 1h, 6m"),
        ("x > 0", "x > 1"),
        ("mean(y)", "mean(x)"),
        ("mean(y)", "sum(y)"),
        ("default 0", "default 1"),
        ("over 1h default", "over 1h every 1m default"),
        ("late 10m", "late 11m"),
        ("y : int", "y : float"),
        ("n[5m] / n[1h]", "n[1h] / n[5m]"),
        ("by c from", "by c, x from"),
        ("features g", "features g2"),
        ("r = ", "q = "),
    ];
    for (from, to) in changes {
        let change = |text: &str| text.replace(from, to).replace("use g z = x + g.m", "z = x");
        let after = plan(&[&change(STREAM), &change(GROUP), &change(VIEW)]);
        assert_ne!(before.groups[0].hash, after.groups[0].hash, "{from} to {to}");
        assert_ne!(before.views[0].hash, after.views[0].hash, "{from} to {to}");
    }
}

#[test]
fn the_layout_does_not_depend_on_names_or_defaults() {
    let before = plan(&[STREAM, GROUP]);
    let other = GROUP
        .replace("features g", "features other")
        .replace("  m = ", "  mean_of_y = ")
        .replace("default 0", "default 7")
        .replace("r = n[5m] / n[1h]", "");
    let after = plan(&[STREAM, &other]);
    assert_eq!(before.groups[0].layout.hash, after.groups[0].layout.hash);
    assert_ne!(before.groups[0].hash, after.groups[0].hash);
}

/// Stored states and published views are found by their hashes: these may change only together
/// with a rule for what was stored before.
#[test]
fn hashes_stay_as_they_are() {
    let plan = plan_of(&[project("payments.mill")]);
    let group = &plan.groups[0];
    insta::assert_snapshot!(format!(
        "layout {:016x}\ngroup {}\nfeature {}\nview {}\nstream {}\nplan {}",
        group.layout.hash,
        group.hash,
        group.features[0].hash,
        plan.views[0].hash,
        plan.streams[0].hash,
        plan.hash
    ));
}
