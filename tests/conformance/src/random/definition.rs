//! Random streams, groups and views.

use millrace_event::Span;

use super::Part;
use super::expression::{Kind, Named, expression, kind};
use crate::prng::Prng;

/// What a whole scenario has in common.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The length of time that windows and gaps are made of.
    pub unit: Span,
    pub lateness: Span,
    pub streams: usize,
    pub has_int_ids: bool,
    /// One per field of [`FIELDS`].
    pub nullable: Vec<bool>,
    pub partitions: Vec<&'static str>,
    pub known: bool,
    pub idle_after: Option<Span>,
    pub events: usize,
    pub keys: usize,
    /// Whether events follow each other much faster than windows are wide.
    pub is_dense: bool,
}

/// The fields beside id, time, origin and receiving time, and how they are declared.
pub const FIELDS: [(&str, &str, Kind); 14] = [
    ("card", "card", Kind::Card),
    ("device", "device", Kind::Device),
    ("shop", "shop", Kind::Shop),
    ("amount", "decimal(2)", Kind::Decimal),
    ("price", "decimal(4)", Kind::Decimal),
    ("n", "int", Kind::Int),
    ("x", "float", Kind::Float),
    ("ok", "bool", Kind::Bool),
    ("note", "string", Kind::Text),
    ("took", "duration", Kind::Duration),
    ("seen", "timestamp", Kind::Time),
    ("m", "int", Kind::Int),
    ("tags", "list<string>", Kind::Texts),
    ("found", "map<string, int>", Kind::Counts),
];

const KEYS: [&str; 8] =
    ["card", "card", "card", "device", "shop", "card, device", "shop, card", "note, ok, n"];

impl Setup {
    pub fn new(random: &mut Prng) -> Setup {
        let units =
            [Span(1_000), Span::millis(7), Span::seconds(1), Span::minutes(1), Span::hours(1)];
        let unit = *random.pick(&units);
        let lateness = Span(unit.0 * *random.pick(&[0, 1, 3, 10, 100]));
        let is_hot = random.chance(1, 8);
        let partitions = [&["only"][..], &["only"], &["a", "b"], &["a", "b", "c"]];
        Setup {
            unit,
            lateness,
            streams: if random.chance(1, 4) { 2 } else { 1 },
            has_int_ids: random.chance(1, 3),
            nullable: FIELDS.iter().map(|_| random.chance(1, 3)).collect(),
            partitions: random.pick(&partitions).to_vec(),
            known: random.chance(1, 3),
            idle_after: random.chance(1, 3).then(|| Span(unit.0 * random.between(1, 12))),
            events: if is_hot { 120 + random.below(130) } else { 3 + random.below(45) },
            keys: if is_hot { 1 } else { 1 + random.below(3) },
            is_dense: random.chance(if is_hot { 2 } else { 1 }, 4),
        }
    }

    pub fn header(&self) -> Vec<String> {
        let mut header = vec![
            "arrival: as-written".to_string(),
            "partition: source".to_string(),
            "received: got".to_string(),
        ];
        if self.known {
            header.push(format!("known: {}", self.partitions.join(", ")));
        }
        header.extend(self.idle_after.map(|idle| format!("idle: {idle}")));
        header
    }
}

pub fn stream_name(index: usize) -> &'static str {
    ["payment", "login"][index]
}

/// A feature as expressions and views name it.
#[derive(Clone, Debug)]
struct Family {
    name: String,
    windows: Vec<String>,
    /// `None` for a list.
    kind: Option<Kind>,
}

struct GroupDraft {
    part: Part,
    name: String,
    families: Vec<Family>,
}

pub fn parts(setup: &Setup, random: &mut Prng) -> Vec<Part> {
    let mut parts: Vec<Part> = (0..setup.streams).map(|s| stream(setup, s)).collect();
    let groups: Vec<GroupDraft> =
        (0..1 + random.below(3)).map(|index| group(setup, random, index)).collect();
    parts.extend(groups.iter().map(|g| g.part.clone()));
    for name in ["v", "w"] {
        if random.chance(2, 3) {
            parts.push(view(setup, random, &groups, name));
        }
    }
    parts
}

fn stream(setup: &Setup, index: usize) -> Part {
    let id = if setup.has_int_ids { "int" } else { "string" };
    let mut lines = vec![
        format!("id     : {id}  id"),
        format!("at     : timestamp  time, late {}", setup.lateness),
        "source : string".to_string(),
        "got    : timestamp".to_string(),
    ];
    for ((name, ty, _), nullable) in FIELDS.iter().zip(&setup.nullable) {
        lines.push(format!("{name} : {ty}{}", if *nullable { "?" } else { "" }));
    }
    Part { head: format!("stream {}", stream_name(index)), lines, is_optional: false }
}

fn fields() -> Vec<Named> {
    let named = |(name, _, kind): &(&str, &str, Kind)| Named { text: (*name).into(), kind: *kind };
    let mut fields: Vec<Named> = FIELDS.iter().map(named).collect();
    fields.push(Named { text: "at".into(), kind: Kind::Time });
    fields
}

fn group(setup: &Setup, random: &mut Prng, index: usize) -> GroupDraft {
    let stream = stream_name(random.below(setup.streams));
    let name = format!("g{index}");
    let letter = ["a", "b", "c"][index];
    let (mut lines, mut families) = (Vec::new(), Vec::new());
    let mut fields = fields();
    for at in 0..random.below(3) {
        let line = let_name(random, &mut fields, &format!("let{at}"));
        lines.extend(line);
    }
    for at in 0..1 + random.below(6) {
        let (line, family) = aggregate(setup, random, &fields, &format!("{letter}{at}"));
        lines.push(line);
        families.push(family);
    }
    for at in 0..random.below(4) {
        let names = named(&families, "");
        if names.is_empty() {
            break;
        }
        let kind = kind(random, &names);
        let body = expression(random, &names, kind, 2);
        // Literals alone say nothing of their type, and need no feature.
        if names.iter().any(|n| body.contains(&n.text)) {
            let name = format!("{letter}d{at}");
            let default = default(random, kind);
            lines.push(format!("{name} = {body}{default}"));
            families.push(Family { name, windows: Vec::new(), kind: Some(kind) });
        }
    }
    let head = format!("features {name} by {} from {stream}", random.pick(&KEYS));
    GroupDraft { part: Part { head, lines, is_optional: true }, name, families }
}

/// A `let`, which expressions below it may name.
fn let_name(random: &mut Prng, fields: &mut Vec<Named>, name: &str) -> Option<String> {
    let kind = kind(random, fields);
    let body = expression(random, fields, kind, 2);
    let is_typed = fields.iter().any(|f| body.contains(&f.text));
    is_typed.then(|| {
        // Now and then it hides a field.
        let name = if kind == Kind::Int && name == "let0" && random.chance(1, 2) {
            "m"
        } else {
            fields.push(Named { text: name.to_string(), kind });
            name
        };
        format!("let {name} = {body}")
    })
}

fn aggregate(setup: &Setup, random: &mut Prng, fields: &[Named], name: &str) -> (String, Family) {
    use Kind::{Card, Counts, Decimal, Device, Duration, Float, Int, Shop, Text, Texts, Time};
    let depth = random.below(3);
    let numbers = [Int, Int, Float, Float, Decimal, Duration];
    let (function, kinds): (&str, &[Kind]) = *random.pick(&[
        ("count", &[][..]),
        ("count", &[Int, Float, Card, Text, Kind::Bool, Texts, Counts]),
        ("sum", &numbers),
        ("mean", &numbers[..5]),
        ("stddev", &numbers[..5]),
        ("variance", &numbers[..5]),
        ("min", &[Int, Float, Decimal, Duration, Time]),
        ("max", &[Int, Float, Decimal, Duration, Time]),
        ("distinct", &[Int, Decimal, Text, Card, Device, Shop, Kind::Bool, Time]),
        ("first", &[Int, Float, Decimal, Text, Card, Device, Shop, Kind::Bool, Time, Duration]),
        ("last", &[Int, Float, Decimal, Text, Card, Device, Shop, Kind::Bool, Time, Duration]),
        ("last n", &[Int, Float, Decimal, Text, Card, Kind::Bool, Time, Duration]),
    ]);
    let kind = if kinds.is_empty() { None } else { Some(*random.pick(kinds)) };
    let argument = kind.map(|k| argument(random, fields, k, depth));
    let argument = argument.unwrap_or_default();
    let result = match function {
        "count" | "distinct" => Some(Int),
        "mean" | "stddev" | "variance" => Some(Float),
        "last n" => (kind == Some(Text)).then_some(Texts),
        _ => kind,
    };
    let call = match function {
        "last n" => format!("last({argument}, {})", random.pick(&[1, 2, 3, 10])),
        _ => format!("{function}({argument})"),
    };
    let filter = if random.chance(1, 3) {
        let depth = 1 + random.below(2);
        format!(" where {}", expression(random, fields, Kind::Bool, depth))
    } else {
        String::new()
    };
    let (windows, over) = windows(setup, random);
    let default = result.map_or_else(String::new, |kind| default(random, kind));
    let line = format!("{name} = {call}{filter}{over}{default}");
    (line, Family { name: name.to_string(), windows, kind: result })
}

/// An argument that names a field, so that its type is known.
fn argument(random: &mut Prng, fields: &[Named], kind: Kind, depth: usize) -> String {
    let own: Vec<&Named> = fields.iter().filter(|f| f.kind == kind).collect();
    let body = expression(random, fields, kind, depth);
    if fields.iter().any(|f| body.contains(&f.text)) { body } else { own[0].text.clone() }
}

fn windows(setup: &Setup, random: &mut Prng) -> (Vec<String>, String) {
    if random.chance(1, 4) {
        return (Vec::new(), String::new());
    }
    let mut widths: Vec<i64> = (0..1 + random.below(3))
        .map(|_| setup.unit.0 * *random.pick(&[1, 2, 3, 5, 10, 30, 100]))
        .collect();
    widths.sort_unstable();
    widths.dedup();
    if random.chance(1, 6) {
        widths[0] += 1;
    }
    let windows: Vec<String> = widths.iter().map(|w| Span(*w).to_string()).collect();
    let mut over = format!(" over {}", windows.join(", "));
    if random.chance(1, 3) {
        let divisor = *random.pick(&[1, 1, 2, 3]);
        over += &format!(" every {}", Span((widths[0] / divisor).max(1_000)));
    }
    (windows, over)
}

fn default(random: &mut Prng, kind: Kind) -> String {
    if random.chance(3, 4) {
        return String::new();
    }
    let value = match kind {
        Kind::Bool => "true",
        Kind::Int => "-1",
        Kind::Float => "0.5",
        Kind::Decimal => "3",
        Kind::Text => "\"none\"",
        Kind::Time => "\"2000-01-01T00:00:00Z\"",
        Kind::Duration => "1s",
        Kind::Card | Kind::Device => "\"nobody\"",
        Kind::Shop => "0",
        Kind::Texts => "[\"none\", \"\"]",
        Kind::Counts => return String::new(),
    };
    format!(" default {value}")
}

/// Every feature that is no list, as an expression names it.
fn named(families: &[Family], prefix: &str) -> Vec<Named> {
    let mut names = Vec::new();
    for family in families {
        let Some(kind) = family.kind else { continue };
        let full = format!("{prefix}{}", family.name);
        match &family.windows[..] {
            [] | [_] => names.push(Named { text: full, kind }),
            several => {
                names.extend(several.iter().map(|w| Named { text: format!("{full}[{w}]"), kind }))
            }
        }
    }
    names
}

fn view(setup: &Setup, random: &mut Prng, groups: &[GroupDraft], name: &str) -> Part {
    let mut lines = Vec::new();
    let mut names = fields();
    for group in groups {
        match random.below(4) {
            0 => {}
            1 => {
                let some = random.pick(&group.families);
                lines.push(format!("use {}.{{{}}}", group.name, some.name));
            }
            _ => lines.push(format!("use {}", group.name)),
        }
        names.extend(named(&group.families, &format!("{}.", group.name)));
    }
    for at in 0..1 + random.below(3) {
        let kind = kind(random, &names);
        let body = expression(random, &names, kind, 2);
        if names.iter().any(|n| body.contains(&n.text)) {
            lines.push(format!("column{at} = {body}"));
        }
    }
    if lines.is_empty() {
        lines.push("column = n".to_string());
    }
    let stream = stream_name(random.below(setup.streams));
    let including = if random.chance(1, 2) { " including" } else { "" };
    Part { head: format!("view {name} on {stream}{including}"), lines, is_optional: true }
}
