//! How diagnostics are shown.

use millrace_feature::{SourceFile, compile, render, render_json};

const TEXT: &str = "entity card, shop
stream payment {
\tid     : string    id
\tat     : timestamp time
\tcard   : card
\tshop   : shop
\tamount : decimal(2)
\tratio  : float
}
features velocity by card from payment {
\tspend = sum(amuont)         over 1h
\tspend = mean(amount*ratio)  over 1h
\tsame  = count() where card = shop
\tx     = spendd[5m] + 1
}
model fraud { inputs nothing }
";

#[test]
fn as_text() {
    let sources = [SourceFile::new("payments.mill", TEXT)];
    insta::assert_snapshot!(render(&compile(&sources).diagnostics, &sources));
}

#[test]
fn as_json() {
    let sources = [SourceFile::new("a.mill", "entity é\nentity card\nentity card")];
    let json = render_json(&compile(&sources).diagnostics, &sources);
    insta::assert_snapshot!(json.replace("},", "},\n"));
}

#[test]
fn nothing_to_say() {
    assert_eq!(render(&[], &[]), "");
    assert_eq!(render_json(&[], &[]), "[]");
}

#[test]
fn a_text_cannot_steer_a_terminal() {
    let sources = [SourceFile::new("a.mill", "entity a\u{1b}[31m")];
    let shown = render(&compile(&sources).diagnostics, &sources);
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn of_a_long_line_a_part_is_shown() {
    let text = format!("entity {}, e, {}", "a".repeat(100), "é, ".repeat(200));
    let sources = [SourceFile::new("a.mill", text)];
    let shown = render(&compile(&sources).diagnostics[..1], &sources);
    assert!(shown.lines().all(|line| line.chars().count() < 140), "{shown}");
    let lines: Vec<&str> = shown.lines().collect();
    let column = |sign: char| lines.iter().find_map(|line| line.find(sign));
    let at = column('^').unwrap();
    let before: String = lines[4].chars().take(at).collect();
    assert!(
        lines[3].contains('…') && before.trim_end_matches(['^', ' ']).ends_with('|'),
        "{shown}"
    );
    assert_eq!(lines[3].chars().nth(at), Some('é'), "{shown}");
}

#[test]
fn of_many_diagnostics_the_first_are_shown_and_all_are_counted() {
    let text: String = (0..60).map(|i| format!("entity e{i} : float\n")).collect();
    let sources = [SourceFile::new("a.mill", text)];
    let shown = render(&compile(&sources).diagnostics, &sources);
    assert_eq!(shown.matches("error[bad-entity]").count(), 50);
    assert!(shown.contains("and 10 more") && shown.ends_with("60 errors\n"), "{shown}");
}
