//! Definitions in one canonical form, and its SHA-256: the same for the same meaning written
//! alike, whatever the formatting, the comments and the order of unrelated definitions.
//!
//! A field is named by its name and type, not by its place in the stream, so that another field
//! added to the stream changes nothing. The names of features and groups are no part of what they
//! compute, only of the hash of what holds them.

mod decision;
mod label;

use std::fmt::Write;

use millrace_aggregate::{Function, Layout, Window};
use millrace_event::expr::{Expr, Kind};
use millrace_event::{Schema, Type};
use sha2::{Digest, Sha256};

use crate::plan::{DefinitionHash, Freshness, Group, Plan, Stale, View};

pub(crate) use decision::{decision, model};
pub(crate) use label::label;

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
    form.text(&field.name).part(TypeForm(&field.ty)).part(field.nullable);
    form.0
}

/// A type; an entity with the kind of its keys.
struct TypeForm<'a>(&'a Type);

impl std::fmt::Display for TypeForm<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Type::Key(entity) => write!(f, "key:{}:{:?}", entity.name, entity.kind),
            Type::List(of) => write!(f, "list<{}>", TypeForm(of)),
            Type::Map(key, value) => write!(f, "map<{},{}>", TypeForm(key), TypeForm(value)),
            Type::Bool
            | Type::Int
            | Type::Float
            | Type::Decimal(_)
            | Type::String
            | Type::Timestamp
            | Type::Duration => self.0.fmt(f),
        }
    }
}

/// The columns that expressions are over, each in its form.
pub(crate) struct Columns(Vec<String>);

impl Columns {
    /// The fields of a stream. Whether one may be null changes no byte of what is computed.
    pub fn of_stream(schema: &Schema) -> Columns {
        let form = |f: &millrace_event::Field| format!("{} {}", f.name, TypeForm(&f.ty));
        Columns(schema.fields.iter().map(form).collect())
    }

    pub fn of_hashes<'a>(hashes: impl Iterator<Item = &'a DefinitionHash>) -> Columns {
        Columns(hashes.map(hex).collect())
    }

    pub fn expression(&self, expr: &Expr) -> DefinitionHash {
        let mut form = Form::default();
        self.write(expr, &mut form.0);
        form.hash()
    }

    /// An expression as nested lists.
    fn write(&self, expr: &Expr, out: &mut String) {
        let head = match &expr.kind {
            Kind::Column(at) => {
                let column = self.0.get(*at).map_or("", |column| column);
                write!(out, "(column {column}")
            }
            Kind::Literal(value) => write!(out, "(literal {value:?}"),
            Kind::Unary(operator, _) => write!(out, "({operator:?}"),
            Kind::Binary(operator, _, _) => write!(out, "({operator:?}"),
            Kind::In(_, _) => write!(out, "(In"),
            Kind::If(_, _, _) => write!(out, "(If"),
            Kind::Coalesce(_) => write!(out, "(Coalesce"),
            Kind::Least(_) => write!(out, "(Least"),
            Kind::Greatest(_) => write!(out, "(Greatest"),
        };
        head.and_then(|()| write!(out, ":{}", TypeForm(&expr.ty)))
            .expect("writing to a string cannot fail");
        expr.for_each_operand(&mut |operand| {
            out.push(' ');
            self.write(operand, out);
        });
        out.push(')');
    }
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
    let columns = Columns::of_stream(schema);
    form.part("layout").part("inputs");
    for input in &layout.inputs {
        // A row has flags only where something may be null, so that the bytes differ.
        form.part(hex(&columns.expression(&input.expr))).part(input.expr.nullable);
    }
    if let Some(input) = layout.time_input {
        // A row has no word of its own for it.
        form.part("time").part(input);
    }
    form.part("filters");
    for filter in &layout.filters {
        form.part(hex(&columns.expression(filter)));
    }
    form.part("windows");
    for window in &layout.windows {
        form.part(window_form(window));
    }
    form.part("aggregates");
    for aggregate in &layout.aggregates {
        form.part(function_form(aggregate.function)).part(TypeForm(&aggregate.ty));
        form.part(format!("{:?} {:?}", aggregate.input, aggregate.filter)).part(aggregate.window);
    }
    let hash = form.hash();
    hash.0.iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// The events that a group aggregates: of which stream, by which keys, in which order, and which
/// are late.
pub(crate) fn events(schema: &Schema, keys: &[usize]) -> DefinitionHash {
    let mut form = Form::default();
    form.part("events").text(&schema.stream);
    for key in keys {
        form.part(field(schema, *key));
    }
    form.part(field(schema, schema.id)).part(field(schema, schema.time));
    form.part(schema.lateness.0);
    form.hash()
}

/// What all windows of one family have in common.
pub(crate) struct Family(DefinitionHash);

impl Family {
    /// An aggregation of [`events`] with this argument and condition.
    pub fn aggregate(
        events: &DefinitionHash,
        function: Function,
        input: Option<&DefinitionHash>,
        filter: Option<&DefinitionHash>,
    ) -> Family {
        let mut form = Form::default();
        form.part("aggregate").part(hex(events)).part(function_form(function));
        form.part(input.map(hex).unwrap_or_default()).part(filter.map(hex).unwrap_or_default());
        Family(form.hash())
    }

    /// An expression over features that have their hashes already.
    pub fn derived(expression: &DefinitionHash) -> Family {
        let mut form = Form::default();
        form.part("derived").part(hex(expression));
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
        form.text(&feature.name).part(hex(&feature.hash)).part(TypeForm(&feature.ty));
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
    let mut columns = Columns::of_stream(schema);
    for (read, group) in view.reads.iter().zip(groups) {
        form.text(&group.name).part(hex(&group.hash));
        for key in &read.keys {
            form.part(field(schema, *key));
        }
        columns.0.extend(group.features.iter().map(|f| format!("{} {}", group.name, hex(&f.hash))));
    }
    for column in &view.columns {
        form.text(&column.name).part(hex(&columns.expression(&column.expr)));
    }
    form.hash()
}

/// The definitions of a project, in an order of their own.
pub(crate) fn plan(plan: &Plan) -> DefinitionHash {
    let mut hashes: Vec<DefinitionHash> = plan.streams.iter().map(|s| s.hash).collect();
    hashes.extend(plan.groups.iter().map(|g| g.hash));
    hashes.extend(plan.views.iter().map(|v| v.hash));
    hashes.extend(plan.labels.iter().map(|l| l.hash));
    hashes.extend(plan.models.iter().map(|m| m.hash));
    hashes.extend(plan.decisions.iter().map(|d| d.hash));
    hashes.sort_unstable();
    let mut form = Form::default();
    form.part("plan");
    for hash in &hashes {
        form.part(hex(hash));
    }
    form.hash()
}
