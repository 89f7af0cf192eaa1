//! What people write who know SQL or pandas, and what they are told to write: one diagnostic for
//! each mistake, whose hint says it.

use millrace_feature::{SourceFile, compile};

/// A project whose one field or feature is given.
fn project(field: &str, feature: &str) -> String {
    format!(
        "entity card\nstream payment {{\n  id : string id\n  at : timestamp time, late 10m\n  \
         card : card\n  amount : decimal(2)\n  country : string\n  approved : bool\n  {field}\n}}\n\
         features g by card from payment {{\n  {feature}\n  last = count() over 1h\n}}\n"
    )
}

/// The only diagnostic of the text: its hint, and the text once its fix is made.
fn only(text: &str) -> (String, Option<String>) {
    let compiled = compile(&[SourceFile::new("case.mill", text)]);
    let [told] = &compiled.diagnostics[..] else {
        panic!("{text}\n{:#?}", compiled.diagnostics);
    };
    let fixed = told.fix.as_ref().map(|fix| {
        let mut fixed = text.to_owned();
        fixed.replace_range(fix.span.start as usize..fix.span.end as usize, &fix.replacement);
        fixed
    });
    (told.hint.clone().unwrap_or_default(), fixed)
}

fn check(field: &str, feature: &str, hint: &str) {
    let (told, fixed) = only(&project(field, feature));
    assert!(told.contains(hint), "{field}{feature}: {told:?}");
    if let Some(fixed) = fixed {
        let again = compile(&[SourceFile::new("fixed.mill", &fixed)]);
        assert!(again.diagnostics.is_empty(), "{fixed}\n{:#?}", again.diagnostics);
    }
}

#[test]
fn features_of_other_languages() {
    for (feature, hint) in [
        ("a = avg(amount) over 24h", "write `mean`"),
        ("a = AVG(amount) over 24h", "write `mean`"),
        ("a = std(amount) over 24h", "write `stddev`"),
        ("a = nunique(country) over 24h", "write `distinct`"),
        ("a = median(amount) over 24h", "quantile(x, 0.5)"),
        ("a = COUNT() over 24h", "did you mean `count`?"),
        ("a = count(*) over 24h", "write `count()`"),
        ("a = count(distinct country) over 24h", "write `distinct(country)`"),
        ("a = count() over 24 h", "write `24h`"),
        ("a = count() over 2 weeks", "write `14d`"),
        ("a = count() over 24", "such as `24m`"),
        ("a = count() over 1month", "write a fixed length: `30d`"),
        ("a = count() over 1 month", "write a fixed length: `30d`"),
        ("a = count() over 15min", "write `15m`"),
        ("a = count() over 7days", "write `7d`"),
        ("a = count() over 5x", "us, ms, s, m, h, d"),
        ("a == count() over 1h", "write `=`"),
        ("a : count() over 1h", "write `=`"),
        ("a = count() where country == \"NL\" over 1h", "write `=`"),
        ("a = count() where approved && amount > 5 over 1h", "write `and`"),
        ("a = count() where approved AND amount > 5 over 1h", "write `and`"),
        ("a = count() where country IS NULL over 1h", "write `is`"),
        ("a = count() where NOT approved over 1h", "write `not`"),
        ("a = count() where approved = True over 1h", "write `true`"),
        ("a = count() where country = 'NL' over 1h", "write `\"NL\"`"),
        ("a = count() where country in (\"NL\") over 1h", "`in [\"a\", \"b\"]`"),
        ("a = count() where amount between 1 and 5 over 1h", "`x >= 1 and x <= 5`"),
        ("a = count() where country like \"N%\" over 1h", "starts_with"),
        ("a = count() if approved over 1h", "write `where`"),
        ("a = count() window 7d", "write `over`"),
        ("a = count() in last 7d", "write `over 7d`"),
        ("a = count() over 1h,", "without a comma"),
        ("a = count(),", "leave the comma out"),
        ("a = count() over 1h, b = count() over 2h", "without a comma"),
        ("a = count() over 1h;", "leave it out"),
        ("// a comment", "begins with `#`"),
    ] {
        check("", feature, hint);
    }
}

#[test]
fn fields_of_other_languages() {
    for (field, hint) in [
        ("x : double", "write `float`"),
        ("x : varchar(20)", "write `string`"),
        ("x : Int64", "write `int`"),
        ("x : datetime", "write `timestamp`"),
        ("x : numeric", "decimal(2)"),
        ("x : boolean", "write `bool`"),
        ("x : strnig", "did you mean `string`?"),
        ("x : string,", "leave the comma out"),
        ("x : string not null", "`string?`"),
        ("x : string null", "`string?`"),
    ] {
        check(field, "", hint);
    }
}

#[test]
fn modifiers_of_fields() {
    let with = |from: &str, to: &str| project("", "").replace(from, to);
    for (text, hint) in [
        (with("late 10m", "late 10"), "such as `10m`"),
        (with("late 10m", "late 10 minutes"), "write `10m`"),
        (with("time, late", "time late"), "`time, late 10m`"),
        (with("late 10m", "late 10m,"), "without a comma"),
        (with("string id", "string primary key"), "write `id`"),
        (with("by card", "group by card"), "write `by`"),
    ] {
        let (told, _) = only(&text);
        assert!(told.contains(hint), "{text}: {told:?}");
    }
    // A colon that is missing is told once, where it is missing.
    only(&with("amount :", "amount"));
}

#[test]
fn what_follows_from_a_mistake_is_not_told() {
    let text = project("", "a = sum(amuont) over 1h\n  b = a + 1\n  c = avg(amuont) over 1h");
    let tests = "view v on payment { use g\n  x = g.b + g.c }\n\
                 test \"t\" { payment { card: \"A\" } at 12:00\n  \
                 at 12:01 expect g[\"A\"] { a = 1.00, c = 1.0 } }";
    let compiled = compile(&[SourceFile::new("case.mill", format!("{text}{tests}"))]);
    let told: Vec<&str> = compiled.diagnostics.iter().map(|d| d.code.name()).collect();
    assert_eq!(told, ["unknown-name", "unknown-function"]);
}
