//! Every diagnostic that a line of the corpus demands is given, and no other; every code has a case.

use std::collections::BTreeSet;

use millrace_conformance::case::{Case, Demand};
use millrace_feature::{Code, SOURCE_BYTES_MAX, SourceFile, compile, render};

use crate::corpus::cases;

#[test]
fn diagnostics_stand_where_the_corpus_demands_them() {
    let mut failures = Vec::new();
    for case in cases() {
        let compiled = case.compile();
        let mut demanded = case.demands();
        let mut given: Vec<Demand> = compiled
            .diagnostics
            .iter()
            .map(|d| (line_of(&case, d.span.start), d.severity, d.code.name().to_string()))
            .collect();
        demanded.sort();
        given.sort();
        if demanded != given {
            let text = render(&compiled.diagnostics, &case.sources());
            failures.push(format!("{}: demanded {demanded:?}, given:\n{text}", case.name));
        }
        if case.demands_an_error() != compiled.plan.is_none() {
            failures.push(format!("{}: a plan is there if nothing is wrong", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn line_of(case: &Case, offset: u32) -> usize {
    case.text[..offset as usize].matches('\n').count() + 1
}

#[test]
fn every_code_has_a_case() {
    let demanded: BTreeSet<String> =
        cases().iter().flat_map(Case::demands).map(|(_, _, code)| code).collect();
    // A file of more than a mebibyte has its own test below.
    let missing: Vec<&str> = Code::ALL
        .iter()
        .map(|c| c.name())
        .filter(|name| !demanded.contains(*name) && *name != Code::SourceLimit.name())
        .collect();
    assert!(missing.is_empty(), "no case demands {missing:?}");
}

#[test]
fn a_file_may_be_as_large_as_the_limit_and_no_larger() {
    let of_size = |size: usize| {
        let text = format!("entity card\n{}", "# so many words\n".repeat(size / 16));
        compile(&[SourceFile::new("large.mill", &text[..size])])
    };
    assert!(of_size(SOURCE_BYTES_MAX).diagnostics.is_empty());
    let codes: Vec<Code> =
        of_size(SOURCE_BYTES_MAX + 1).diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes, [Code::SourceLimit]);
}
