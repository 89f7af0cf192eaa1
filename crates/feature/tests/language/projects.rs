//! Sample projects and what becomes of them.

use std::path::Path;

use millrace_event::{State, Value};
use millrace_feature::plan::{Plan, Subject};
use millrace_feature::{SourceFile, compile, describe, render};

pub fn project(name: &str) -> SourceFile {
    let folder = Path::new("tests/projects");
    SourceFile::new(name, std::fs::read_to_string(folder.join(name)).unwrap())
}

pub fn plan_of(sources: &[SourceFile]) -> Plan {
    let compiled = compile(sources);
    compiled.plan.unwrap_or_else(|| panic!("{}", render(&compiled.diagnostics, sources)))
}

/// The hashes change whenever what they stand for does; they have tests of their own.
fn described(name: &str) -> String {
    let text = describe(&plan_of(&[project(name)]));
    let is_hash = |word: &str| word.len() == 12 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let kept = |line: &str| line.split(' ').filter(|w| !is_hash(w)).collect::<Vec<_>>().join(" ");
    text.lines().map(kept).collect::<Vec<String>>().join("\n")
}

#[test]
fn payments() {
    insta::assert_snapshot!(described("payments.mill"));
}

#[test]
fn accounts() {
    insta::assert_snapshot!(described("accounts.mill"));
}

#[test]
fn decisions() {
    insta::assert_snapshot!(described("decisions.mill"));
}

#[test]
fn names_are_shared_between_files() {
    let text = project("payments.mill").text;
    let at = text.find("features device_risk").unwrap();
    let (a, b) = text.split_at(at);
    let whole = plan_of(&[project("payments.mill")]);
    let parts = plan_of(&[SourceFile::new("b.mill", b), SourceFile::new("a.mill", a)]);
    assert_eq!(whole.hash, parts.hash);
}

#[test]
fn layouts_hold_each_part_once_and_windows_in_order() {
    let text = "entity c stream s { id : int id at : timestamp time c : c x : int y : int }
        features g by c from s {
          let big = x + y > 3
          a = sum(x + y) where big         over 1h, 5m
          b = mean(x + y) where x + y > 3  over 5m, 300s every 1m
          d = sum(x + y) where big         over 60m
          e = count(x)
        }";
    let source = [SourceFile::new("a.mill", text.replace(", 300s every", " every"))];
    let plan = plan_of(&source);
    let layout = &plan.groups[0].layout;
    assert_eq!((layout.inputs.len(), layout.filters.len()), (2, 1));
    let windows: Vec<String> = layout.windows.iter().map(|w| format!("{w:?}")).collect();
    assert_eq!(layout.windows.len(), 4, "{windows:?}");
    assert!(windows[0].contains("300000000), every: None"), "{windows:?}");
    assert!(windows[1].contains("300000000), every: Some"), "{windows:?}");
    assert!(windows[3].contains("Lifetime"), "{windows:?}");
    // `a[1h]` and `d` are one aggregation.
    assert_eq!(layout.aggregates.len(), 4);
    assert_eq!(plan.groups[0].features.len(), 5);
}

#[test]
fn tests_are_written_out() {
    let text = "entity c stream s { id : int id at : timestamp time c : c x : int? y : decimal(2) }
        features g by c from s { n = count() over 1h  l = last(y, 2) over 1h }
        view v on s { use g  z = y * 2 }
        test \"t\" {
          s { c: \"a\" } every 30s x 2 from 12:00
          p: s { id: 2, c: \"a\", y: 1.5 } at \"2026-02-01T00:00:00Z\" - 1h
          at 12:00 + 1d expect g[\"a\"] { n = 1 + 1, l = [1, -0.5], n is limit }
          expect v for p { n_1h = 0, l is empty, z = null }
        }";
    let plan = plan_of(&[SourceFile::new("a.mill", text)]);
    let test = &plan.tests[0];
    assert_eq!(&*test.place, "a.mill:4");
    let row = |at: usize| test.events[at].row.clone();
    // Made-up ids go around those that are given.
    assert_eq!(row(0)[0], Value::Int(1));
    assert_eq!(row(1)[0], Value::Int(3));
    assert_eq!(row(0)[1].compare(&row(1)[1]), Some(std::cmp::Ordering::Less));
    assert_eq!(row(0)[3], Value::Null);
    assert_eq!(row(0)[4], Value::Decimal { mantissa: 0, scale: 2 });
    assert_eq!(row(2)[4], Value::Decimal { mantissa: 150, scale: 2 });
    let Value::Timestamp(at) = row(2)[1] else { panic!() };
    assert_eq!(at.to_string(), "2026-01-31T23:00:00Z");
    let [group, view] = &test.expectations[..] else { panic!() };
    assert_eq!(&*group.place, "a.mill:7");
    let Subject::Group { at, .. } = &group.subject else { panic!() };
    assert_eq!(at.to_string(), "2026-01-02T12:00:00Z");
    let half = Value::Decimal { mantissa: -50, scale: 2 };
    let one = Value::Decimal { mantissa: 100, scale: 2 };
    assert_eq!(group.values, [(0, Value::Int(2)), (1, Value::List(vec![one, half]))]);
    assert_eq!(group.states, [(0, State::Limit)]);
    assert!(matches!(view.subject, Subject::View { view: 0, event: 2 }));
    assert_eq!(view.values, [(0, Value::Int(0)), (2, Value::Null)]);
    assert_eq!(view.states, [(1, State::Empty)]);
}

#[test]
fn columns_that_two_groups_bring_are_named_after_their_group() {
    let text = "entity c stream s { id : int id at : timestamp time c : c d : c }
        features g by c from s { n = count() over 1h  a = count() }
        features h by d from s { n = count() over 1h  b = count() }
        view v on s { use g  use h  x = a + b }";
    let plan = plan_of(&[SourceFile::new("a.mill", text)]);
    let names: Vec<&str> = plan.views[0].columns.iter().map(|c| &*c.name).collect();
    assert_eq!(names, ["g_n_1h", "a", "h_n_1h", "b", "x"]);
    assert_eq!(plan.views[0].reads[1].keys, [3]);
}
