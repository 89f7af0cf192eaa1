//! Formatting keeps the meaning, and formatting twice is formatting once.

use millrace_feature::{SourceFile, compile, format};
use proptest::prelude::*;

use crate::projects::{plan_of, project};

const PROJECTS: [&str; 3] = ["payments.mill", "accounts.mill", "decisions.mill"];

#[test]
fn projects_keep_their_meaning() {
    for name in PROJECTS {
        let text = project(name).text;
        let formatted = format(&text);
        assert_eq!(format(&formatted), formatted, "{name}");
        let plan = plan_of(&[SourceFile::new(name, formatted)]);
        assert_eq!(plan.hash, plan_of(&[project(name)]).hash, "{name}");
        assert_eq!(plan.tests.len(), plan_of(&[project(name)]).tests.len());
    }
}

#[test]
fn a_project_as_it_is_written() {
    insta::assert_snapshot!(format(&project("payments.mill").text));
}

#[test]
fn rules_stand_below_each_other() {
    let text = "label  fraud on s{positive from r by id where a\nmatures   7d}\n\
                model m{file \"m.txt\" inputs v}\n\
                decision d on v {score m\n shadow n\n block when m>=0.9\n \
                block \"many\" when x is null\nand y # why\nreview when(-x<1)\nelse allow}";
    let formatted = format(text);
    assert_eq!(format(&formatted), formatted);
    assert_eq!(
        formatted,
        r#"label fraud on s {
  positive from r by id where a
  matures 7d
}

model m {
  file "m.txt"
  inputs v
}

decision d on v {
  score m
  shadow n
  block  when m >= 0.9
  block  "many" when x is null
      and y  # why
  review when (-x < 1)
  else   allow
}
"#
    );
}

/// Pieces of the text: blanks, and what stands between them. Comments and strings stay whole.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        let code = line.find('#').unwrap_or(line.len());
        let mut in_string = false;
        let mut piece = String::new();
        for c in line[..code].chars() {
            in_string ^= c == '"';
            if c.is_whitespace() && !in_string {
                pieces.extend([std::mem::take(&mut piece), c.to_string()]);
            } else {
                piece.push(c);
            }
        }
        pieces.extend([piece, line[code..].to_owned()]);
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Without blanks: what formatting may not change.
fn without_blanks(text: &str) -> String {
    text.split_whitespace().collect()
}

proptest! {
    #[test]
    fn other_blanks_mean_the_same(
        at in 0usize..3,
        choices in prop::collection::vec(0u8..24, 1..400),
    ) {
        let name = PROJECTS[at];
        let mut text = String::new();
        for (piece, choice) in pieces(&project(name).text).iter().zip(choices.iter().cycle()) {
            text.push_str(piece);
            if piece == " " {
                text.push_str(["\n", "\t", "  \n\n\n", " # note\n", "\n# own\n"]
                    .get(usize::from(*choice)).copied().unwrap_or(""));
            }
        }
        let source = [SourceFile::new(name, text.clone())];
        // A line break can make another item of what follows it; such texts are not of interest.
        let Some(plan) = compile(&source).plan else { return Ok(()) };
        let formatted = format(&text);
        prop_assert_eq!(&format(&formatted), &formatted, "of {}", text);
        prop_assert_eq!(without_blanks(&formatted), without_blanks(&text));
        let again = plan_of(&[SourceFile::new(name, formatted)]);
        prop_assert_eq!(again.hash, plan.hash);
        prop_assert_eq!(again.tests.len(), plan.tests.len());
    }
}
