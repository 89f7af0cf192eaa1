//! Texts that mean harm, or nothing: compiling and formatting always come to an end.

use std::time::{Duration, Instant};

use millrace_feature::{SourceFile, compile, format, render, render_json};
use proptest::prelude::*;

use crate::projects::project;

fn survives(text: &str) {
    let sources = [SourceFile::new("a.mill", text)];
    let compiled = compile(&sources);
    let rendered = render(&compiled.diagnostics, &sources);
    assert_eq!(rendered.is_empty(), compiled.diagnostics.is_empty());
    assert!(render_json(&compiled.diagnostics, &sources).starts_with('['));
    let formatted = format(text);
    assert_eq!(format(&formatted), formatted, "{text:?}");
}

const WORDS: [&str; 82] = [
    "entity", "stream", "features", "view", "model", "decision", "test", "by", "from", "on", "use",
    "let", "owner", "fresh", "else", "last", "good", "for", "default", "refuse", "where", "over",
    "every", "decay", "per", "top", "within", "id", "time", "late", "at", "expect", "x", "is",
    "label", "positive", "among", "matures", "score", "shadow", "when", "block", "allow", "review",
    "null", "true", "not", "and", "or", "in", "if", "then", "count", "sum", "greatest", "a", "b",
    "card", "int", "decimal", "list", "5", "0.5", "10m", "12:00", "\"s\"", "{", "}", "(", ")", "[",
    "]", ",", ".", ":", "=", "<", ">", "-", "/", "?", "\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_text(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_words(words in prop::collection::vec(0..WORDS.len(), 0..80)) {
        let words: Vec<&str> = words.into_iter().map(|at| WORDS[at]).collect();
        survives(&words.join(" "));
        survives(&words.concat());
    }

    #[test]
    fn a_project_with_pieces_missing(
        cuts in prop::collection::vec((0usize..2_000, 0usize..30), 1..6),
    ) {
        let mut text = project("payments.mill").text;
        for (start, length) in cuts {
            let start = start.min(text.len());
            let end = (start + length).min(text.len());
            text.replace_range(start..end, "");
        }
        survives(&text);
    }

    #[test]
    fn a_project_with_words_put_in(
        words in prop::collection::vec((0usize..2_000, 0..WORDS.len()), 1..6),
    ) {
        let mut text = project("accounts.mill").text;
        for (at, word) in words {
            text.insert_str(at.min(text.len()), WORDS[word]);
        }
        survives(&text);
    }
}

const HEAD: &str = "entity c stream s { id : int id at : timestamp time c : c x : int }
features g by c from s {
";

/// Up to 64 KiB of one pattern inside a group.
fn repeated(pattern: impl Fn(usize) -> String) -> String {
    let mut text = HEAD.to_owned();
    let mut n = 0;
    while text.len() < 64 * 1024 {
        text.push_str(&pattern(n));
        n += 1;
    }
    let end = text.floor_char_boundary(64 * 1024);
    text.truncate(end);
    text
}

#[test]
fn deep_texts_do_not_overflow_the_stack() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("abs(", ")"), ("-", ""), ("not ", ""), ("if ", "")]
    {
        let deep = format!("{HEAD} a = sum({}x{}) }}", open.repeat(50_000), close.repeat(50_000));
        survives(&deep);
    }
    for chain in ["x + ", "x - ", "x = ", "x and ", "x.", "x[5m] + ", "x in [1] + "] {
        survives(&format!("{HEAD} a = sum({}x) }}", chain.repeat(20_000)));
    }
    survives(&format!("stream s {{ a : {}int }}", "list<".repeat(50_000)));
    survives(&"{".repeat(100_000));
}

/// Patterns that a careless compiler takes quadratic time for, or worse.
#[test]
fn texts_of_64_kib_take_little_time() {
    let lets = repeated(|n| match n {
        0 => "let l0 = x + x\n".to_owned(),
        n => format!("let l{n} = l{} + l{}\n", n - 1, n - 1),
    });
    let texts = [
        repeated(|n| format!("a{n} = b{n} + 1\n")),
        repeated(|n| format!("a{n} = sum(abcdefgh{n}) over 5m\n")),
        repeated(|n| format!("a{n} = a{} + 1\n", n + 1)),
        repeated(|n| format!("a{n} = count() over {}s\n", n + 1)),
        repeated(|n| if n == 0 { "a = count() over 1s".to_owned() } else { format!(", {n}m") }),
        repeated(|n| format!("a{n} = sum(x + {n}) where x > {n} over 1h\n")),
        repeated(|n| {
            if n == 0 {
                "let l = x".to_owned() + &" + x".repeat(100) + "\n"
            } else {
                format!("a{n} = sum(l)\n")
            }
        }),
        repeated(|_| "a = count()\n".to_owned()),
        repeated(|_| "(".to_owned()),
        repeated(|_| "\n".to_owned()),
        repeated(|_| "\"".to_owned()),
        repeated(|_| "§".to_owned()),
        repeated(|_| "# comment\n".to_owned()),
        repeated(|n| format!("}} test \"{n}\" {{ s {{ c: \"a\" }} every 1s x 1000 from 12:00\n")),
        repeated(|n| format!("}} view v{n} on s {{ use g\n")),
        repeated(|n| match n {
            0 => "} view v on s { c = x".to_owned() + &" + x".repeat(100) + "\n",
            n => format!("c{n} = c * {n}\n"),
        }),
        repeated(|n| format!("a{n} = b{n} ")),
        repeated(|n| match n {
            0 => "a = count() } view v on s { use g } decision d on v {\n".to_owned(),
            n => format!("block when a > {n} and b{n} > 0 and g.a > 1\n"),
        }),
        repeated(|n| match n {
            0 => "a = count() } view v on s { use g }\n".to_owned(),
            n => format!("model m{n} {{ file \"m\" inputs v }} decision d{n} on v {{ score m{n}\n"),
        }),
        repeated(|n| format!("}} label l{n} on s {{ positive from s by id matures {n}s\n")),
        repeated(|n| format!("}} entity e{n} stream s{n} {{ id : e{n} id\n")),
        lets,
    ];
    // In this build, slowed down by whatever else runs; a release build takes less than 50 ms.
    let allowed = Duration::from_secs(1);
    for text in texts {
        let sources = [SourceFile::new("a.mill", text.clone())];
        let start = Instant::now();
        let compiled = compile(&sources);
        let taken = start.elapsed();
        assert!(taken < allowed, "{taken:?} for {}…", &text[HEAD.len()..HEAD.len() + 60]);
        let start = Instant::now();
        render(&compiled.diagnostics, &sources);
        format(&text);
        let taken = start.elapsed();
        assert!(taken < allowed, "{taken:?} to show {}…", &text[HEAD.len()..HEAD.len() + 60]);
    }
}
