//! Random expressions of a wanted kind, over names of known kinds.

use crate::prng::Prng;

/// The kinds of value that are generated. Decimals have any scale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Bool,
    Int,
    Float,
    Decimal,
    Text,
    Time,
    Duration,
    /// Keys of the string entities `card` and `device`.
    Card,
    Device,
    /// Keys of the int entity `shop`.
    Shop,
    /// Lists of strings, and maps from strings to ints; there is no literal of a map.
    Texts,
    Counts,
}

impl Kind {
    /// Whether values of this kind are only named, never computed.
    pub fn is_key(self) -> bool {
        matches!(self, Kind::Card | Kind::Device | Kind::Shop)
    }

    /// Whether values have no order and cannot be remembered by `first`, `last` or `distinct`.
    pub fn is_many(self) -> bool {
        matches!(self, Kind::Texts | Kind::Counts)
    }
}

/// A value that an expression may name.
#[derive(Clone, Debug)]
pub struct Named {
    pub text: String,
    pub kind: Kind,
}

const INT_MAX: &str = "9223372036854775807";

/// Kinds that an operator makes anew; keys are only named.
const COMPUTED: [Kind; 7] =
    [Kind::Bool, Kind::Int, Kind::Float, Kind::Decimal, Kind::Text, Kind::Time, Kind::Duration];

/// Any kind that these names can make.
pub fn kind(random: &mut Prng, names: &[Named]) -> Kind {
    if random.chance(1, 3) {
        let computed = *random.pick(&COMPUTED);
        if computed != Kind::Time || names.iter().any(|n| n.kind == Kind::Time) {
            return computed;
        }
    }
    random.pick(names).kind
}

/// An expression of this kind; `depth` operators inside each other at most. Of times and keys,
/// there must be a name.
pub fn expression(random: &mut Prng, names: &[Named], kind: Kind, depth: usize) -> String {
    let own: Vec<&Named> = names.iter().filter(|n| n.kind == kind).collect();
    if !own.is_empty() && (depth == 0 || kind.is_key() || random.chance(1, 4)) {
        return random.pick(&own).text.clone();
    }
    if depth == 0 || kind.is_key() || kind.is_many() {
        return if own.is_empty() {
            literal(random, kind)
        } else {
            many(random, names, kind, depth)
        };
    }
    let mut of = |kind: Kind| {
        // Of a time there is no literal that could stand alone.
        let can = kind != Kind::Time || names.iter().any(|n| n.kind == kind);
        can.then(|| expression(&mut *random, names, kind, depth - 1))
    };
    let (a, b) = (of(kind), of(kind));
    let (Some(a), Some(b)) = (a, b) else { return literal(random, kind) };
    let mut of = |kind: Kind| expression(&mut *random, names, kind, depth - 1);
    let condition = of(Kind::Bool);
    let (int, duration) = (of(Kind::Int), of(Kind::Duration));
    match random.below(10) {
        0 => format!("coalesce({a}, {b})"),
        1 => format!("(if {condition} then {a} else {b})"),
        2 if kind != Kind::Bool => format!("least({a}, {b})"),
        3 if kind != Kind::Bool => format!("greatest({a}, {b})"),
        4 => format!("(if {condition} then {a} else null)"),
        _ => match kind {
            Kind::Bool => test(random, names, depth - 1, &a, &b),
            Kind::Int => whole(random, names, depth - 1, &a, &b),
            Kind::Float => real(random, names, depth - 1, &a, &b),
            Kind::Decimal => decimal(random, &a, &b, &int),
            Kind::Text => (*random.pick(&["lower", "upper"])).to_string() + &format!("({a})"),
            Kind::Time => format!("({a} {} {duration})", random.pick(&["+", "-"])),
            Kind::Duration => span(random, names, &a, &b, &int),
            Kind::Card | Kind::Device | Kind::Shop | Kind::Texts | Kind::Counts => a,
        },
    }
}

/// Of lists and maps there must be a name.
fn many(random: &mut Prng, names: &[Named], kind: Kind, depth: usize) -> String {
    let own: Vec<&Named> = names.iter().filter(|n| n.kind == kind).collect();
    let (a, b) = (random.pick(&own).text.clone(), random.pick(&own).text.clone());
    match random.below(4) {
        0 if depth > 0 => {
            format!("(if {} then {a} else {b})", expression(random, names, Kind::Bool, depth - 1))
        }
        1 => format!("coalesce({a}, {b})"),
        _ => a,
    }
}

fn test(random: &mut Prng, names: &[Named], depth: usize, p: &str, q: &str) -> String {
    let has_time = names.iter().any(|n| n.kind == Kind::Time);
    let lists: Vec<&Named> = names.iter().filter(|n| n.kind == Kind::Texts).collect();
    match random.below(10) {
        0 => format!("({p} and {q})"),
        1 => format!("({p} or {q})"),
        2 => format!("(not {p})"),
        3 => format!("starts_with({}, \"a\")", expression(random, names, Kind::Text, depth)),
        4 => format!("contains({}, \"b\")", expression(random, names, Kind::Text, depth)),
        5 => {
            let named = random.pick(names).text.clone();
            format!("({named} is {})", random.pick(&["null", "not null"]))
        }
        6 => {
            let n = expression(random, names, Kind::Int, depth);
            format!("({n} {} [1, 2, 5])", random.pick(&["in", "not in"]))
        }
        7 => {
            let keys: Vec<&Named> = names
                .iter()
                .filter(|n| matches!(n.kind, Kind::Card | Kind::Device | Kind::Shop))
                .collect();
            match keys.first() {
                Some(key) => format!("({} = {})", key.text, literal(random, key.kind)),
                None => "true".to_string(),
            }
        }
        8 if !lists.is_empty() => {
            let list = random.pick(&lists).text.clone();
            format!("contains({list}, {})", expression(random, names, Kind::Text, depth))
        }
        _ => {
            let mut kinds = vec![Kind::Int, Kind::Float, Kind::Decimal, Kind::Text, Kind::Duration];
            kinds.extend(has_time.then_some(Kind::Time));
            let kind = *random.pick(&kinds);
            let a = expression(random, names, kind, depth);
            let b = expression(random, names, kind, depth);
            format!("({a} {} {b})", random.pick(&["<", "<=", ">", ">=", "=", "!="]))
        }
    }
}

fn whole(random: &mut Prng, names: &[Named], depth: usize, a: &str, b: &str) -> String {
    let mut of = |kind: Kind| expression(&mut *random, names, kind, depth);
    let (x, d, s) = (of(Kind::Float), of(Kind::Decimal), of(Kind::Text));
    let time = names.iter().find(|n| n.kind == Kind::Time).map(|n| n.text.clone());
    let all: Vec<&Named> = names.iter().filter(|n| n.kind.is_many()).collect();
    match random.below(13) {
        12 if !all.is_empty() => format!("length({})", random.pick(&all).text),
        0 => format!("({a} + {b})"),
        1 => format!("({a} - {b})"),
        2 => format!("({a} * {b})"),
        3 => format!("({a} % {b})"),
        4 => format!("abs({a})"),
        5 => format!("(-{a})"),
        6 => format!("int({x})"),
        7 => format!("int({d})"),
        8 => format!("{}({d})", random.pick(&["floor", "ceil", "round"])),
        9 => format!("length({s})"),
        _ => match time {
            Some(at) => format!(
                "{}({at}, \"{}\")",
                random.pick(&["hour", "day", "weekday"]),
                random.pick(&["UTC", "+05:30", "-11:00"])
            ),
            None => format!("length({s})"),
        },
    }
}

fn real(random: &mut Prng, names: &[Named], depth: usize, a: &str, b: &str) -> String {
    let mut of = |kind: Kind| expression(&mut *random, names, kind, depth);
    let (m, n, d, e) = (of(Kind::Int), of(Kind::Int), of(Kind::Decimal), of(Kind::Decimal));
    let (span, other) = (of(Kind::Duration), of(Kind::Duration));
    match random.below(15) {
        0 => format!("({a} + {b})"),
        1 => format!("({a} - {b})"),
        2 => format!("({a} * {b})"),
        3 => format!("({a} / {b})"),
        4 => format!("({a} % {b})"),
        5 => format!("({m} / {n})"),
        6 => format!("({d} / {e})"),
        7 => format!("({span} / {other})"),
        8 => format!("float({n})"),
        9 => format!("float({d})"),
        10 => format!("sqrt({a})"),
        11 => format!("{}({a})", random.pick(&["ln", "exp"])),
        12 => format!("{}({a})", random.pick(&["floor", "ceil", "round"])),
        13 => format!("abs({a})"),
        _ => format!("(-{a})"),
    }
}

fn decimal(random: &mut Prng, a: &str, b: &str, n: &str) -> String {
    // The literal would take the type of its place, which the largest int does not fit.
    let n = n.replace(INT_MAX, "7");
    match random.below(8) {
        0 => format!("({a} + {b})"),
        1 => format!("({a} - {b})"),
        2 => format!("({a} % {b})"),
        3 => format!("decimal({a} * {n}, 2)"),
        4 => format!("decimal({n}, 3)"),
        5 => format!("abs({a})"),
        6 => format!("(-{a})"),
        _ => format!("decimal({a}, 1)"),
    }
}

fn span(random: &mut Prng, names: &[Named], a: &str, b: &str, n: &str) -> String {
    let times: Vec<&Named> = names.iter().filter(|n| n.kind == Kind::Time).collect();
    match random.below(6) {
        0 => format!("({a} + {b})"),
        1 => format!("({a} - {b})"),
        2 => format!("({a} * {n})"),
        3 => format!("abs({a})"),
        4 => format!("(-{a})"),
        _ => match times[..] {
            [first, .., last] => format!("({} - {})", first.text, last.text),
            _ => format!("({a} + 1s)"),
        },
    }
}

pub fn literal(random: &mut Prng, kind: Kind) -> String {
    let from: &[&str] = match kind {
        Kind::Bool => &["true", "false"],
        Kind::Int => &["0", "1", "2", "7", "(-3)", "1000", INT_MAX],
        Kind::Float => &["0.0", "0.1", "1.5", "(-2.25)", "1000000.0", "5000000000000000000.0"],
        Kind::Decimal => &["decimal(0, 2)", "decimal(1.25, 2)", "decimal(-7, 0)"],
        Kind::Text => &["\"\"", "\"a\"", "\"ab\"", "\"é\""],
        Kind::Time => &["\"2026-01-01T00:00:00Z\""],
        Kind::Duration => &["0s", "1us", "90s", "(-5s)"],
        Kind::Card => &["\"A\"", "\"B\""],
        Kind::Device => &["\"d\"", "\"e\""],
        Kind::Shop => &["1", "2"],
        Kind::Texts | Kind::Counts => unreachable!("of lists and maps there is a name"),
    };
    (*random.pick(from)).to_string()
}
