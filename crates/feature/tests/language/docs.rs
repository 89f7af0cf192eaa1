//! What the reference says is what the language does.

use std::path::Path;

use millrace_aggregate::Layout;
use millrace_feature::{Code, SOURCE_BYTES_MAX, SourceFile, format, function_names};

use crate::projects::plan_of;

fn reference(name: &str) -> String {
    let folder = Path::new("../../docs/reference");
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
    let thousands = |n: usize| match (n / 1_000, n % 1_000) {
        (0, rest) => rest.to_string(),
        (more, rest) => std::format!("{more},{rest:03}"),
    };
    let (steps, last) = (Layout::TILES_MAX as usize, Layout::LAST_N_MAX as usize);
    assert_eq!(Layout::FILTERS_MAX, Layout::INPUTS_MAX);
    let rows = [
        std::format!("| a file | {} MiB |", SOURCE_BYTES_MAX >> 20),
        "| a name | 128 bytes |".to_owned(),
        std::format!("arguments, of a group | {} each |", Layout::FILTERS_MAX),
        std::format!("| steps in a window with `every` | {} |", thousands(steps)),
        std::format!("| `last(e, n)` | n = {} |", thousands(last)),
        "| 1,000; of a project, 200,000 |".to_owned(),
        "| 100,000, and 1,000,000 values |".to_owned(),
        std::format!("exact up to {} members", thousands(Layout::DISTINCT_MAX)),
        std::format!("beyond {} members", thousands(Layout::DISTINCT_MAX)),
    ];
    for row in rows {
        assert!(text.contains(&row), "{row}");
    }
}

#[test]
fn the_tables_name_every_function_and_no_other() {
    let text = reference("language.md");
    let cells: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next()).collect();
    let is_letter = |c: char| c.is_ascii_lowercase() || c == '_';
    let words: Vec<&str> = cells.iter().flat_map(|c| c.split(|c| !is_letter(c))).collect();
    for name in function_names().filter(|name| *name != "quantile") {
        assert!(words.contains(&name), "`{name}` has no row");
    }
    let calls = cells.iter().flat_map(|cell| {
        let before = cell.match_indices('(').map(|(at, _)| &cell[..at]);
        before.filter_map(|text| text.rsplit(|c| !is_letter(c)).next().filter(|n| !n.is_empty()))
    });
    for call in calls {
        assert!(function_names().any(|name| name == call), "`{call}` is no function");
    }
}
