//! What the language has, the corpus has a case of.

use std::collections::BTreeSet;

use millrace_conformance::case::Case;
use millrace_feature::function_names;

use crate::corpus::cases;

/// Cases that compile, without their comments.
fn code() -> String {
    let whole = |case: &Case| {
        let lines = case.text.lines().map(|line| line.split('#').next().unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    };
    cases().iter().filter(|c| !c.demands_an_error()).map(whole).collect()
}

#[test]
fn every_function_has_a_case() {
    let code = code();
    let calls: BTreeSet<&str> = code
        .match_indices('(')
        .filter_map(|(at, _)| {
            code[..at].rsplit(|c: char| !c.is_ascii_lowercase() && c != '_').next()
        })
        .collect();
    // `quantile` is refused, which is a diagnostic's case.
    let missing: Vec<&str> =
        function_names().filter(|name| *name != "quantile" && !calls.contains(name)).collect();
    assert!(missing.is_empty(), "no case calls {missing:?}");
}

#[test]
fn every_type_state_and_clause_has_a_case() {
    let code = code();
    let wanted = [
        ": bool",
        ": int",
        ": float",
        ": decimal(",
        ": string",
        ": timestamp",
        ": duration",
        ": list<",
        ": map<",
        ": card",
        "entity merchant : int",
        "?\n",
        "is ok",
        "is empty",
        "is default",
        "is limit",
        "is overflow",
        " where ",
        " over ",
        " every ",
        " default ",
        "late ",
        "let ",
        "owner ",
        "fresh ",
        "including",
        "use ",
    ];
    let missing: Vec<&str> = wanted.into_iter().filter(|part| !code.contains(part)).collect();
    assert!(missing.is_empty(), "no case has {missing:?}");
}
