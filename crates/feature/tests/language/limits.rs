//! Each limit: what is just within it, and what is just beyond.

use millrace_feature::{Code, SOURCE_BYTES_MAX, SourceFile, compile};

const HEAD: &str = "entity c stream s { id : int id at : timestamp time c : c x : int }
features g by c from s {
";

fn codes(text: &str) -> Vec<Code> {
    let compiled = compile(&[SourceFile::new("a.mill", text)]);
    compiled.diagnostics.iter().map(|d| d.code).collect()
}

/// What is wrong with a group of these items.
fn in_group(items: &str) -> Vec<Code> {
    codes(&format!("{HEAD}{items}\n}}"))
}

#[test]
fn files() {
    let padded = |size: usize| "entity card\n".to_owned() + &" ".repeat(size - 12);
    assert_eq!(codes(&padded(SOURCE_BYTES_MAX)), []);
    assert_eq!(codes(&padded(SOURCE_BYTES_MAX + 1)), [Code::SourceLimit]);
}

#[test]
fn names() {
    assert_eq!(codes(&format!("entity {}", "n".repeat(128))), []);
    assert_eq!(codes(&format!("entity {}", "n".repeat(129))), [Code::NameLimit]);
    let expression = format!("a = sum({})", "n".repeat(129));
    assert_eq!(in_group(&expression), [Code::NameLimit]);
}

#[test]
fn nesting() {
    let nested = |n: usize| format!("a = count() where {}x{} > 1", "(".repeat(n), ")".repeat(n));
    assert_eq!(in_group(&nested(64)), []);
    assert_eq!(in_group(&nested(65)), [Code::NestingLimit]);
    let chain = |n: usize| format!("a = sum(x{})", " + x".repeat(n));
    assert_eq!(in_group(&chain(126)), []);
    assert_eq!(in_group(&chain(128)), [Code::NestingLimit]);
    let types = |n: usize| {
        let (open, close) = ("list<".repeat(n), ">".repeat(n));
        codes(&format!("stream s {{ id : int id at : timestamp time a : {open}int{close} }}"))
    };
    assert_eq!(types(63), []);
    assert_eq!(types(64), [Code::NestingLimit]);
}

#[test]
fn expressions_with_names_put_in() {
    // 2^(n + 1) − 1 nodes in the n-th.
    let lets = |n: usize| -> String {
        let doubled = |n: usize| match n {
            0 => "let l0 = x\n".to_owned(),
            n => format!("let l{n} = l{} + l{}\n", n - 1, n - 1),
        };
        (0..=n).map(doubled).collect()
    };
    assert_eq!(in_group(&lets(8)), []);
    assert_eq!(in_group(&lets(9)), [Code::ExpressionLimit]);
}

#[test]
fn groups() {
    let filters = |n: usize| -> String {
        (0..n).map(|n| format!("a{n} = count() where x > {n}\n")).collect()
    };
    assert_eq!(in_group(&filters(32)), []);
    assert_eq!(in_group(&filters(33)), [Code::GroupLimit]);
    let inputs =
        |n: usize| -> String { (0..n).map(|n| format!("a{n} = sum(x + {n})\n")).collect() };
    assert_eq!(in_group(&inputs(32)), []);
    assert_eq!(in_group(&inputs(33)), [Code::GroupLimit]);
}

#[test]
fn decisions() {
    let head = format!("{HEAD}n = count() over 1h\n}} view v on s {{ use g }}\n");
    let rules = |n: usize| "block when n > 1\n".repeat(n);
    let decision = |items: &str| codes(&format!("{head}decision d on v {{\n{items}else allow\n}}"));
    assert_eq!(decision(&rules(4_096)), []);
    assert_eq!(decision(&rules(4_097)), [Code::DecisionLimit]);
    for role in ["score", "shadow"] {
        let models = |n: usize| {
            let model = |n: usize| format!("model m{n} {{ file \"m\" inputs v }}\n");
            let item = |n: usize| format!("{role} m{n}\n");
            let models: String = (0..n).map(model).collect();
            let items: String = (0..n).map(item).collect();
            codes(&format!("{head}{models}decision d on v {{\n{items}else allow\n}}"))
        };
        assert_eq!(models(64), []);
        assert_eq!(models(65), [Code::DecisionLimit], "{role}");
    }
    let corpus =
        include_str!("../../../../tests/conformance/corpus/diagnostics/decision-limit.mill");
    assert_eq!(codes(corpus), [Code::DecisionLimit]);
    let many = |n: usize| {
        let one = |n: usize| format!("decision d{n} on v {{ else allow }}\n");
        codes(&format!("{head}{}", (0..n).map(one).collect::<String>()))
    };
    assert_eq!(many(4_096), []);
    assert_eq!(many(4_097), [Code::DecisionLimit]);
}

#[test]
fn tests() {
    let test = |n: usize| format!("{HEAD}}} test \"t\" {{ s {{ }} every 1s x {n} from 12:00 }}");
    assert_eq!(codes(&test(100_000)), []);
    assert_eq!(codes(&test(100_001)), [Code::TestLimit]);
    let two = |n: usize| {
        let event = format!("s {{ }} every 1s x {n} from 12:00\n");
        codes(&format!("{HEAD}}} test \"t\" {{ {event} {event} }}"))
    };
    assert_eq!(two(50_000), []);
    assert_eq!(two(50_001), [Code::TestLimit]);
}
