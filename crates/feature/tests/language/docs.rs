//! What the reference says is what the language does.

use std::path::Path;

use millrace_feature::{Code, SourceFile, format};

use crate::projects::plan_of;

fn reference(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn examples_compile_and_are_formatted() {
    let text = reference("language.md");
    let examples: Vec<&str> = text.split("```mill\n").skip(1).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let (example, _) = example.split_once("```").unwrap();
        assert_eq!(format(example), example);
        let plan = plan_of(&[SourceFile::new("language.md", example)]);
        assert!(!plan.tests.is_empty());
    }
}

#[test]
fn every_code_has_its_line_in_order() {
    let text = reference("diagnostics.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> =
        Code::ALL.iter().map(|code| std::format!("| `{code}` | {} |", code.meaning())).collect();
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(&expected) {
        assert!(row.starts_with(expected), "{row}\nbegins otherwise than\n{expected}");
        let columns: Vec<&str> = row.trim_matches('|').split('|').collect();
        assert!(columns.len() == 4 && !columns[3].trim().is_empty(), "{row}");
    }
}

#[test]
fn every_limit_is_named() {
    let text = reference("language.md");
    for limit in ["1 MiB", "128 bytes", "1,000", "200,000", "100,000", "1,000,000", "4,096"] {
        assert!(text.contains(limit), "{limit}");
    }
}
