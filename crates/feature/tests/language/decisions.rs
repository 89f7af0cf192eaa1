//! What labels, models and decisions come to.

use millrace_event::Span;
use millrace_event::expr::{Binary, Expr, Kind};
use millrace_feature::plan::{Outcome, Plan};
use millrace_feature::{SourceFile, compile};

use crate::projects::{plan_of, project};

const BASE: &str = "entity c
stream s { id : string id at : timestamp time c : c x : int ok : bool }
stream r { id : int id at : timestamp time ref : string c : c? ok : bool }
features g by c from s { n = count() over 5m, 1h  m = mean(x) over 1h }
features h by c from s { k = count() }
view v on s { use g  k2 = h.k  x = x + 1 }
";

fn plan(text: &str) -> Plan {
    plan_of(&[SourceFile::new("a.mill", format!("{BASE}{text}"))])
}

/// The message and hint of the only diagnostic.
fn told(text: &str) -> (String, String) {
    let compiled = compile(&[SourceFile::new("a.mill", format!("{BASE}{text}"))]);
    let [told] = &compiled.diagnostics[..] else { panic!("{text}\n{:#?}", compiled.diagnostics) };
    (told.message.clone(), told.hint.clone().unwrap_or_default())
}

/// The column on the left of a comparison.
fn left(condition: &Expr) -> usize {
    let Kind::Binary(_, a, _) = &condition.kind else { panic!("{condition:?}") };
    let Kind::Column(at) = a.kind else { panic!("{condition:?}") };
    at
}

#[test]
fn labels_join_two_streams_by_one_field() {
    let plan = plan(
        "label l on s {
          positive from r by c where ok and ref = \"fraud\"
          among s by id where x > 1
          matures 7d
        }",
    );
    let label = &plan.labels[plan.label("l").unwrap()];
    assert_eq!((label.stream, label.matures), (0, Span::days(7)));
    let positive = &label.positive;
    assert_eq!((positive.stream, positive.by_own, positive.by_other), (1, 2, 3));
    let mut columns = Vec::new();
    positive.filter.as_ref().unwrap().for_each_column(&mut |at| columns.push(at));
    assert_eq!(columns, [4, 2]);
    let among = label.among.as_ref().unwrap();
    assert_eq!((among.stream, among.by_own, among.by_other), (0, 0, 0));
    assert!(matches!(among.filter.as_ref().unwrap().kind, Kind::Binary(Binary::Greater, ..)));
}

#[test]
fn conditions_are_over_columns_and_then_scores() {
    let plan = plan(
        "model a { file \"a.txt\" inputs v }
        model b { inputs v file \"m/b.txt\" }
        model z { file \"z.txt\" inputs v }
        decision d on v {
          shadow z
          block  when b >= 0.5
          block  when a >= 0.5
          review when n_5m > 1
          review when n[1h] > 1
          review when g.n[1h] > 1
          review \"old\" when h.k > 1
          allow  when m > 1
          allow  when x > 1
          score b
          score a
          else   review
        }",
    );
    assert_eq!([plan.model("a"), plan.model("b"), plan.model("z")], [Some(0), Some(1), Some(2)]);
    assert_eq!(&*plan.models[1].file, "m/b.txt");
    let decision = &plan.decisions[plan.decision("d").unwrap()];
    assert_eq!((&decision.scores[..], &decision.shadows[..]), (&[1, 0][..], &[2][..]));
    let columns: Vec<usize> = decision.rules.iter().map(|rule| left(&rule.condition)).collect();
    // The columns are n_5m, n_1h, m_1h, k2, x; then b, a.
    assert_eq!(columns, [5, 6, 0, 1, 1, 3, 2, 4]);
    assert_eq!(decision.rules[2].outcome, Outcome::Review);
    assert_eq!(decision.otherwise, Outcome::Review);
}

#[test]
fn a_rule_without_a_name_has_its_condition_as_the_reason() {
    let decisions = plan_of(&[project("decisions.mill")]).decisions;
    let reasons: Vec<&str> = decisions[0].rules.iter().map(|rule| &*rule.reason).collect();
    assert_eq!(
        reasons,
        [
            "risk >= 0.93",
            "too many cards",
            "risk >= 0.71 or amount > 1000",
            "-mean < -500 or spend in [1, 2.5]",
        ]
    );
    let broken = "decision d on v { block when ( n[5m]\n>1 # many\n and m<2 ) else allow }";
    assert_eq!(&*plan(broken).decisions[0].rules[0].reason, "(n[5m] > 1 and m < 2)");
}

#[test]
fn what_is_not_in_the_vector_can_be_put_there() {
    let decision = |condition: &str| {
        told(&format!(
            "model a {{ file \"a\" inputs v }} model z {{ file \"z\" inputs v }}
            decision d on v {{ score a shadow z block when {condition} else allow }}
            features q by c from s {{ t = count() over 1h, 2h }}"
        ))
    };
    let cases = [
        ("ok", "is a field of `s`, and no column of `v`", "add it to the view: `ok = ok`"),
        ("q.t[2h] > 1", "no column of `v` is `q.t_2h`", "add it to the view: `use q.{t[2h]}`"),
        ("t[1h] > 1", "`t[1h]` is no column of `v`", "add it to the view: `use q.{t[1h]}`"),
        ("q.t > 1", "several windows", "write one of t[1h], t[2h]"),
        ("n > 1", "may be several columns", "write one of `n_5m`, `n_1h`"),
        ("n_5 > 1", "no column `n_5` in `v`", "did you mean `n_5m`?"),
        ("z > 1", "`z` is a shadow model, which never acts", "write `score z` to let it act"),
        ("g > 1", "`g` is a feature group, not a value", "name one of its features: `g.n`"),
        ("x + 1", "a condition is a bool, and this is an int", ""),
        ("count() > 1", "an aggregate in a decision", "add it to the view"),
        ("at > \"2026-01-01\"", "is a field of `s`", "add it to the view: `at = at`"),
    ];
    for (condition, message, hint) in cases {
        let (told, help) = decision(condition);
        assert!(told.contains(message), "{condition}: {told}");
        assert!(help.contains(hint), "{condition}: {help}");
    }
}

#[test]
fn other_words_for_outcomes_are_understood() {
    for (rules, hint) in [
        ("deny when x > 1 else allow", "write `block`"),
        ("block if x > 1 else allow", "write `when`"),
        ("block when x > 1 else approve", "write `allow`"),
        ("block when x > 1 otherwise allow", "write `else`"),
        ("when x > 1 block else allow", "the outcome stands in front"),
    ] {
        let text = format!("{BASE}decision d on v {{\n{rules}\n}}");
        let compiled = compile(&[SourceFile::new("a.mill", text)]);
        let hint_of = |d: &millrace_feature::Diagnostic| d.hint.clone().unwrap_or_default();
        let first = compiled.diagnostics.first().map(hint_of).unwrap_or_default();
        assert!(first.contains(hint), "{rules}: {first:?}");
    }
    let (_, hint) = told("label l on s { positive from r by c when ok\n matures 1d }");
    assert_eq!(hint, "write `where`");
}

#[test]
fn a_column_with_a_mistake_is_told_once() {
    let text = format!(
        "{BASE}view w on s {{ y = xx + 1 }} decision d on w {{ block when y > 1 else allow }}"
    );
    let compiled = compile(&[SourceFile::new("a.mill", text)]);
    assert_eq!(compiled.diagnostics.len(), 1, "{:#?}", compiled.diagnostics);
}

#[test]
fn hashes_cover_what_acts() {
    let text = "label l on s { positive from r by c where ok matures 7d }
        model a { file \"a.txt\" inputs v } model z { file \"z.txt\" inputs v }
        decision d on v { score a shadow z block when a > 0.5 else allow }";
    let hashes = |text: &str| {
        let plan = plan(text);
        (plan.labels[0].hash, plan.models[0].hash, plan.decisions[0].hash, plan.hash)
    };
    let before = hashes(text);
    let same = text.replace("0.5", "  0.50").replace("a > ", "a  >").replace("label", "# l\nlabel");
    assert_eq!(before.1, hashes(&same).1);
    // Another text of a condition is another reason.
    assert_ne!(before.2, hashes(&same).2);
    assert_eq!(before.2, hashes(&text.replace("when", " when\n")).2);
    for (from, to) in [("matures 7d", "matures 8d"), ("by c", "by ok"), ("where ok ", "")] {
        let to = if to == "by ok" { "by c where not ok #\n" } else { to };
        let after = hashes(&text.replace(from, to).replace("#\n where ok", ""));
        assert_ne!(before.0, after.0, "{from}");
        assert_ne!(before.3, after.3, "{from}");
        assert_eq!((before.1, before.2), (after.1, after.2), "{from}");
    }
    for (from, to) in [
        ("a.txt", "b.txt"),
        ("z.txt", "y.txt"),
        ("0.5", "0.6"),
        ("else allow", "else review"),
        ("block when", "review when"),
        ("block when", "block \"why\" when"),
        (" shadow z", ""),
        ("decision d", "decision e"),
        ("on v", "on v"),
    ] {
        let changed = text.replace(from, to);
        assert_eq!(before.2 != hashes(&changed).2, changed != text, "{from} to {to}");
    }
}
