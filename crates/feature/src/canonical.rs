//! Definitions in one canonical form, and its SHA-256: the same for the same meaning written
//! alike, whatever the formatting, the comments and the order of unrelated definitions.
//!
//! A field is named by its name and type, not by its place in the stream, so that another field
//! added to the stream changes nothing. The names of features and groups are no part of what they
//! compute, only of the hash of what holds them.

use std::fmt::Write;

use millrace_aggregate::{Function, Layout, Window};
use millrace_event::expr::{Expr, Kind};
use millrace_event::{Schema, Type};
use sha2::{Digest, Sha256};

use crate::plan::{DefinitionHash, Freshness, Group, Plan, Stale, View};

/// The hash of nothing yet.
pub(crate) const EMPTY: DefinitionHash = DefinitionHash([0; 32]);

/// A form under construction. Parts are separated, and texts carry their length, so that no two
/// definitions share a form.
#[derive(Default)]
struct Form(String);

impl Form {
    fn part(&mut self, part: impl std::fmt::Display) -> &mut Form {
        write!(self.0, "{part}|").expect("writing to a string cannot fail");
        self
    }

    fn text(&mut self, text: &str) -> &mut Form {
        self.part(text.len()).part(text)
    }

    fn hash(&self) -> DefinitionHash {
        DefinitionHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

/// All 64 digits; the short form is for people.
fn hex(hash: &DefinitionHash) -> String {
    hash.0.iter().fold(String::with_capacity(64), |mut out, byte| {
        write!(out, "{byte:02x}").expect("writing to a string cannot fail");
        out
    })
}

pub(crate) fn stream(schema: &Schema) -> DefinitionHash {
    let mut form = Form::default();
    form.part("stream").text(&schema.stream).part(schema.lateness.0);
    form.part(schema.id).part(schema.time).part(schema.fields.len());
    for at in 0..schema.fields.len() {
        form.part(field(schema, at));
    }
    form.hash()
}

/// A field by its name, type and whether it may be null.
fn field(schema: &Schema, at: usize) -> String {
    let Some(field) = schema.fields.get(at) else { return String::new() };
    let mut form = Form::default();
    form.text(&field.name).part(type_form(&field.ty)).part(field.nullable);
    form.0
}

/// A type; an entity with the kind of its keys.
fn type_form(ty: &Type) -> String {
    match ty {
        Type::Key(entity) => format!("key:{}:{:?}", entity.name, entity.kind),
        Type::List(of) => format!("list<{}>", type_form(of)),
        Type::Map(key, value) => format!("map<{},{}>", type_form(key), type_form(value)),
        Type::Bool
        | Type::Int
        | Type::Float
        | Type::Decimal(_)
        | Type::String
        | Type::Timestamp
        | Type::Duration => ty.to_string(),
    }
}

/// An expression as nested lists, columns written by `column`.
fn expr_form(expr: &Expr, column: &dyn Fn(usize) -> String, out: &mut String) {
    let head = match &expr.kind {
        Kind::Column(at) => format!("column {}", column(*at)),
        Kind::Literal(value) => format!("literal {value:?}"),
        Kind::Unary(operator, _) => format!("{operator:?}"),
        Kind::Binary(operator, _, _) => format!("{operator:?}"),
        Kind::In(_, _) => "In".to_owned(),
        Kind::If(_, _, _) => "If".to_owned(),
        Kind::Coalesce(_) => "Coalesce".to_owned(),
        Kind::Least(_) => "Least".to_owned(),
        Kind::Greatest(_) => "Greatest".to_owned(),
    };
    write!(out, "({head}:{}", type_form(&expr.ty)).expect("writing to a string");
    for operand in expr.operands() {
        out.push(' ');
        expr_form(operand, column, out);
    }
    out.push(')');
}

fn window_form(window: &Window) -> String {
    match window {
        Window::Sliding { width, every: None } => format!("sliding {}", width.0),
        Window::Sliding { width, every: Some(every) } => {
            format!("sliding {} every {}", width.0, every.0)
        }
        Window::Lifetime => "lifetime".to_owned(),
    }
}

fn function_form(function: Function) -> String {
    match function {
        Function::LastN(n) => format!("last {n}"),
        Function::Count
        | Function::Sum
        | Function::Mean
        | Function::Min
        | Function::Max
        | Function::Stddev
        | Function::Variance
        | Function::Distinct
        | Function::First
        | Function::Last => format!("{function:?}"),
    }
}

/// What the bytes of a key state mean; the names of the group and its features are no part of it.
pub(crate) fn layout(layout: &Layout, schema: &Schema) -> u64 {
    let mut form = Form::default();
    form.part("layout");
    // Whether a field may be null changes no byte.
    let column = |at: usize| {
        schema
            .fields
            .get(at)
            .map(|f| format!("{} {}", f.name, type_form(&f.ty)))
            .unwrap_or_default()
    };
    let mut expressions = |mark: &str, all: &mut dyn Iterator<Item = &Expr>| {
        form.part(mark);
        for expr in all {
            let mut text = String::new();
            expr_form(expr, &column, &mut text);
            form.text(&text);
        }
    };
    expressions("inputs", &mut layout.inputs.iter().map(|i| &i.expr));
    expressions("filters", &mut layout.filters.iter());
    form.part("windows");
    for window in &layout.windows {
        form.part(window_form(window));
    }
    form.part("aggregates");
    for aggregate in &layout.aggregates {
        form.part(function_form(aggregate.function)).part(type_form(&aggregate.ty));
        form.part(format!("{:?} {:?}", aggregate.input, aggregate.filter)).part(aggregate.window);
    }
    let hash = form.hash();
    hash.0.iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// What all windows of one family have in common.
pub(crate) struct Family(DefinitionHash);

impl Family {
    /// An aggregation of events of a stream by these keys.
    pub fn aggregate(
        schema: &Schema,
        keys: &[usize],
        function: Function,
        input: Option<&Expr>,
        filter: Option<&Expr>,
    ) -> Family {
        let mut form = Form::default();
        form.part("aggregate").text(&schema.stream).part(function_form(function));
        for key in keys {
            form.part(field(schema, *key));
        }
        // The order of events, and which are late, is part of what is computed.
        form.part(field(schema, schema.id)).part(field(schema, schema.time));
        form.part(schema.lateness.0);
        for expr in [input, filter] {
            let mut text = String::new();
            if let Some(expr) = expr {
                expr_form(expr, &|at| field(schema, at), &mut text);
            }
            form.text(&text);
        }
        Family(form.hash())
    }

    /// An expression over features that have their hashes already.
    pub fn derived(expr: &Expr, hashes: &dyn Fn(usize) -> DefinitionHash) -> Family {
        let mut form = Form::default();
        let mut text = String::new();
        expr_form(expr, &|at| hex(&hashes(at)), &mut text);
        form.part("derived").text(&text);
        Family(form.hash())
    }

    pub fn feature(
        &self,
        window: Option<&Window>,
        default: Option<&millrace_event::Value>,
    ) -> DefinitionHash {
        let mut form = Form::default();
        form.part("feature").part(hex(&self.0));
        form.part(window.map(window_form).unwrap_or_default());
        form.text(&default.map(|d| format!("{d:?}")).unwrap_or_default());
        form.hash()
    }
}

pub(crate) fn group(group: &Group, schema: &Schema) -> DefinitionHash {
    let mut form = Form::default();
    form.part("group").text(&group.name).text(&schema.stream);
    for key in &group.keys {
        form.part(field(schema, *key));
    }
    form.part(group.freshness.as_ref().map(freshness_form).unwrap_or_default());
    for feature in &group.features {
        form.text(&feature.name).part(hex(&feature.hash)).part(type_form(&feature.ty));
    }
    form.hash()
}

fn freshness_form(fresh: &Freshness) -> String {
    let otherwise = match fresh.otherwise {
        Stale::Default => "default",
        Stale::Refuse => "refuse",
    };
    format!("{} {:?} {otherwise}", fresh.within.0, fresh.last_good_for.map(|d| d.0))
}

pub(crate) fn view(view: &View, schema: &Schema, groups: &[&Group]) -> DefinitionHash {
    let mut form = Form::default();
    form.part("view").text(&view.name).text(&schema.stream).part(view.including);
    let mut features: Vec<String> = Vec::new();
    for (read, group) in view.reads.iter().zip(groups) {
        form.text(&group.name).part(hex(&group.hash));
        for key in &read.keys {
            form.part(field(schema, *key));
        }
        features.extend(group.features.iter().map(|f| format!("{} {}", group.name, hex(&f.hash))));
    }
    let fields = schema.fields.len();
    let column = |at: usize| match at.checked_sub(fields) {
        None => field(schema, at),
        Some(feature) => features.get(feature).cloned().unwrap_or_default(),
    };
    for view_column in &view.columns {
        let mut text = String::new();
        expr_form(&view_column.expr, &column, &mut text);
        form.text(&view_column.name).text(&text);
    }
    form.hash()
}

/// The definitions of a project, in an order of their own.
pub(crate) fn plan(plan: &Plan) -> DefinitionHash {
    let mut hashes: Vec<DefinitionHash> = plan.streams.iter().map(|s| s.hash).collect();
    hashes.extend(plan.groups.iter().map(|g| g.hash));
    hashes.extend(plan.views.iter().map(|v| v.hash));
    hashes.sort_unstable();
    let mut form = Form::default();
    form.part("plan");
    for hash in &hashes {
        form.part(hex(hash));
    }
    form.hash()
}
