//! Cases of wrong texts, with the expected codes beside their lines: `# error: unknown-name`.
//!
//! A file holds several cases, each under a line `=== what it is about`, compiled together with
//! `prelude.mill`.

use std::path::PathBuf;

use millrace_feature::{Code, SourceFile, compile, render};

fn folder() -> PathBuf {
    PathBuf::from("tests/errors")
}

struct Case {
    name: String,
    text: String,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| !path.ends_with("prelude.mill")) {
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        for part in std::fs::read_to_string(path).unwrap().split("=== ").skip(1) {
            let (name, text) = part.split_once('\n').unwrap();
            cases.push(Case { name: format!("{file}: {name}"), text: text.to_owned() });
        }
    }
    cases
}

/// Line and code of every `# error: a, b`.
fn expected(text: &str) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let Some((_, codes)) = line.split_once("# error: ") else { continue };
        all.extend(codes.split(", ").map(|code| (at + 1, code.trim().to_owned())));
    }
    all.sort();
    all
}

#[test]
fn every_wrong_line_has_its_code_and_no_other_has_one() {
    let prelude = std::fs::read_to_string(folder().join("prelude.mill")).unwrap();
    let mut wrong = String::new();
    for case in cases() {
        let sources =
            [SourceFile::new("prelude.mill", &prelude), SourceFile::new("case.mill", &case.text)];
        let compiled = compile(&sources);
        let mut found: Vec<(usize, String)> = compiled
            .diagnostics
            .iter()
            .map(|d| {
                let text = &sources[d.span.file as usize].text;
                let line = text[..d.span.start as usize].matches('\n').count() + 1;
                (if d.span.file == 1 { line } else { 0 }, d.code.name().to_owned())
            })
            .collect();
        found.sort();
        if found != expected(&case.text) {
            wrong += &format!(
                "=== {}\nexpected {:?}\nfound    {found:?}\n{}\n",
                case.name,
                expected(&case.text),
                render(&compiled.diagnostics, &sources)
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_code_has_a_case() {
    // Those of limits are made, not written; see `limits.rs`.
    let made = [
        Code::SourceLimit,
        Code::NestingLimit,
        Code::ExpressionLimit,
        Code::NameLimit,
        Code::DecisionLimit,
    ];
    let texts: Vec<String> = cases().into_iter().map(|case| case.text).collect();
    let found: Vec<(usize, String)> = texts.iter().flat_map(|text| expected(text)).collect();
    for code in Code::ALL {
        let has_case = found.iter().any(|(_, name)| name == code.name());
        assert!(has_case || made.contains(code), "no case for `{code}`");
    }
    for (_, name) in found {
        assert!(Code::ALL.iter().any(|code| code.name() == name), "no code `{name}`");
    }
}
