//! A plan in plain text: what is computed, from what, and what uses it.
//!
//! Expressions are written in the language again, with `let` names put in.

use std::collections::BTreeSet;
use std::fmt::Write;

use millrace_aggregate::{Aggregate, Function, Window};
use millrace_event::Schema;
use millrace_event::expr::{Binary, Clock, Expr, Kind, Unary};

use crate::plan::{Feature, Group, Plan, Source, View};

/// The whole plan: streams, groups with their state and features, views with their columns, and
/// who uses which field.
pub fn describe(plan: &Plan) -> String {
    let mut out = String::new();
    for stream in &plan.streams {
        let schema = &stream.schema;
        line(&mut out, format_args!("stream {} {}", schema.stream, stream.hash));
        for (at, field) in schema.fields.iter().enumerate() {
            let nullable = if field.nullable { "?" } else { "" };
            let role = match at {
                at if at == schema.id => " id".to_owned(),
                at if at == schema.time => format!(" time, late {}", schema.lateness),
                _ => String::new(),
            };
            let users = field_users(plan, schema, at);
            let used = if users.is_empty() { "nothing".to_owned() } else { users.join(", ") };
            let name = &field.name;
            line(&mut out, format_args!("  {name} : {}{nullable}{role}, used by {used}", field.ty));
        }
    }
    for group in &plan.groups {
        describe_group(&mut out, plan, group);
    }
    for view in &plan.views {
        describe_view(&mut out, plan, view);
    }
    out
}

fn describe_group(out: &mut String, plan: &Plan, group: &Group) {
    let Some(stream) = plan.streams.get(group.stream) else { return };
    let schema = &stream.schema;
    let keys = names(schema, &group.keys);
    let (name, from) = (&group.name, &schema.stream);
    line(out, format_args!("features {name} by {keys} from {from} {}", group.hash));
    if let Some(owner) = &group.owner {
        line(out, format_args!("  owner {owner}"));
    }
    let layout = &group.layout;
    let windows: Vec<String> = layout.windows.iter().map(window_text).collect();
    line(
        out,
        format_args!(
            "  keeps {} aggregations of {} arguments under {} conditions, over {}",
            layout.aggregates.len(),
            layout.inputs.len(),
            layout.filters.len(),
            windows.join(", ")
        ),
    );
    for feature in &group.features {
        let nullable = if feature.nullable { "?" } else { "" };
        let body = feature_text(group, schema, feature);
        let default = feature.default.as_ref().map(literal_text);
        let default = default.map(|d| format!(" default {d}")).unwrap_or_default();
        let (name, ty) = (&feature.name, &feature.ty);
        line(out, format_args!("  {name} : {ty}{nullable} = {body}{default}"));
    }
}

fn describe_view(out: &mut String, plan: &Plan, view: &View) {
    let Some(stream) = plan.streams.get(view.stream) else { return };
    let schema = &stream.schema;
    let including = if view.including { " including" } else { "" };
    line(out, format_args!("view {} on {}{including} {}", view.name, schema.stream, view.hash));
    let mut columns: Vec<String> = schema.fields.iter().map(|f| f.name.to_string()).collect();
    for read in &view.reads {
        let Some(group) = plan.groups.get(read.group) else { continue };
        line(out, format_args!("  reads {} by {}", group.name, names(schema, &read.keys)));
        columns.extend(group.features.iter().map(|f| format!("{}.{}", group.name, f.name)));
    }
    let column = |at: usize| columns.get(at).cloned().unwrap_or_default();
    for view_column in &view.columns {
        let nullable = if view_column.nullable { "?" } else { "" };
        let body = expr_to_text(&view_column.expr, &column);
        let (name, ty) = (&view_column.name, &view_column.ty);
        line(out, format_args!("  {name} : {ty}{nullable} = {body}"));
    }
}

fn feature_text(group: &Group, schema: &Schema, feature: &Feature) -> String {
    match &feature.source {
        Source::Derived(expr) => {
            let column = |at: usize| group.features.get(at).map(|f| f.name.to_string());
            expr_to_text(expr, &|at| column(at).unwrap_or_default())
        }
        Source::Aggregate(at) => match group.layout.aggregates.get(*at) {
            Some(aggregate) => aggregate_text(group, schema, aggregate, feature),
            None => String::new(),
        },
    }
}

fn aggregate_text(
    group: &Group,
    schema: &Schema,
    aggregate: &Aggregate,
    feature: &Feature,
) -> String {
    let field = |at: usize| schema.fields.get(at).map(|f| f.name.to_string()).unwrap_or_default();
    let input = aggregate.input.and_then(|at| group.layout.inputs.get(at));
    let input = input.map(|input| expr_to_text(&input.expr, &field)).unwrap_or_default();
    let name = match aggregate.function {
        Function::Count => "count",
        Function::Sum => "sum",
        Function::Mean => "mean",
        Function::Min => "min",
        Function::Max => "max",
        Function::Stddev => "stddev",
        Function::Variance => "variance",
        Function::Distinct => "distinct",
        Function::First => "first",
        Function::Last | Function::LastN(_) => "last",
    };
    let mut text = match aggregate.function {
        Function::LastN(n) => format!("{name}({input}, {n})"),
        Function::Count
        | Function::Sum
        | Function::Mean
        | Function::Min
        | Function::Max
        | Function::Stddev
        | Function::Variance
        | Function::Distinct
        | Function::First
        | Function::Last => format!("{name}({input})"),
    };
    if let Some(filter) = aggregate.filter.and_then(|at| group.layout.filters.get(at)) {
        text += &format!(" where {}", expr_to_text(filter, &field));
    }
    // As written: `24h`, not `1d`.
    let written = feature.name.strip_prefix(&*feature.family).and_then(|n| n.strip_prefix('_'));
    match (group.layout.windows.get(aggregate.window), written) {
        (Some(Window::Sliding { every: None, .. }), Some(width)) => format!("{text} over {width}"),
        (Some(Window::Sliding { every: Some(every), .. }), Some(width)) => {
            format!("{text} over {width} every {every}")
        }
        (Some(Window::Sliding { .. } | Window::Lifetime) | None, _) => text,
    }
}

fn window_text(window: &Window) -> String {
    match window {
        Window::Sliding { width, every: None } => width.to_string(),
        Window::Sliding { width, every: Some(every) } => format!("{width} every {every}"),
        Window::Lifetime => "the lifetime".to_owned(),
    }
}

/// Groups and views that read a field of a stream.
fn field_users(plan: &Plan, schema: &Schema, at: usize) -> Vec<String> {
    let of_stream = |stream: usize| plan.streams.get(stream).is_some_and(|s| *s.schema == *schema);
    let mut users = Vec::new();
    for group in plan.groups.iter().filter(|g| of_stream(g.stream)) {
        let mut fields: BTreeSet<usize> = group.keys.iter().copied().collect();
        let inputs = group.layout.inputs.iter().map(|input| &input.expr);
        for expr in inputs.chain(&group.layout.filters) {
            expr.for_each_column(&mut |column| {
                fields.insert(column);
            });
        }
        users.extend(fields.contains(&at).then(|| group.name.to_string()));
    }
    for view in plan.views.iter().filter(|v| of_stream(v.stream)) {
        let mut reads = view.reads.iter().any(|read| read.keys.contains(&at));
        for column in &view.columns {
            column.expr.for_each_column(&mut |column| reads |= column == at);
        }
        users.extend(reads.then(|| view.name.to_string()));
    }
    users
}

fn names(schema: &Schema, fields: &[usize]) -> String {
    let names: Vec<&str> =
        fields.iter().filter_map(|at| schema.fields.get(*at)).map(|f| &*f.name).collect();
    names.join(", ")
}

/// An expression in the language, columns named by `column`. Conversions that the language makes by
/// itself are left out.
fn expr_to_text(expr: &Expr, column: &dyn Fn(usize) -> String) -> String {
    let of = |e: &Expr| expr_to_text(e, column);
    let inner = |e: &Expr| match e.kind {
        Kind::Binary(Binary::StartsWith | Binary::Contains, ..) => of(e),
        Kind::Binary(..) | Kind::In(..) | Kind::If(..) => format!("({})", of(e)),
        _ => of(e),
    };
    let list = |all: &[Expr]| all.iter().map(of).collect::<Vec<String>>().join(", ");
    match &expr.kind {
        Kind::Column(at) => column(*at),
        Kind::Literal(value) => literal_text(value),
        Kind::Unary(operator, a) => unary_text(operator, expr, a, &of(a), &inner(a)),
        Kind::Binary(Binary::StartsWith, a, b) => format!("starts_with({}, {})", of(a), of(b)),
        Kind::Binary(Binary::Contains, a, b) => format!("contains({}, {})", of(a), of(b)),
        Kind::Binary(operator, a, b) => {
            format!("{} {} {}", inner(a), sign(*operator), inner(b))
        }
        Kind::In(a, others) => format!("{} in [{}]", inner(a), list(others)),
        Kind::If(c, a, b) => format!("if {} then {} else {}", of(c), of(a), of(b)),
        Kind::Coalesce(all) => format!("coalesce({})", list(all)),
        Kind::Least(all) => format!("least({})", list(all)),
        Kind::Greatest(all) => format!("greatest({})", list(all)),
    }
}

fn unary_text(operator: &Unary, expr: &Expr, of: &Expr, a: &str, inner: &str) -> String {
    use millrace_event::Type;
    match operator {
        Unary::Negate => format!("-{inner}"),
        Unary::Not => format!("not {inner}"),
        Unary::IsNull => format!("{inner} is null"),
        Unary::Convert => match (&of.ty, &expr.ty) {
            (Type::Int, Type::Float | Type::Decimal(_)) => a.to_owned(),
            (_, Type::Float) => format!("float({a})"),
            (_, Type::Int) => format!("int({a})"),
            (_, Type::Decimal(digits)) => format!("decimal({a}, {digits})"),
            (_, _) => a.to_owned(),
        },
        Unary::Clock(clock, zone) => {
            let name = match clock {
                Clock::Hour => "hour",
                Clock::Weekday => "weekday",
                Clock::Day => "day",
            };
            format!("{name}({a}, \"{zone}\")")
        }
        Unary::Abs => format!("abs({a})"),
        Unary::Floor => format!("floor({a})"),
        Unary::Ceil => format!("ceil({a})"),
        Unary::Round => format!("round({a})"),
        Unary::Sqrt => format!("sqrt({a})"),
        Unary::Ln => format!("ln({a})"),
        Unary::Exp => format!("exp({a})"),
        Unary::Lower => format!("lower({a})"),
        Unary::Upper => format!("upper({a})"),
        Unary::Length => format!("length({a})"),
    }
}

fn sign(operator: Binary) -> &'static str {
    match operator {
        Binary::Add => "+",
        Binary::Subtract => "-",
        Binary::Multiply => "*",
        Binary::Divide => "/",
        Binary::Remainder => "%",
        Binary::Equal => "=",
        Binary::NotEqual => "!=",
        Binary::Less => "<",
        Binary::LessOrEqual => "<=",
        Binary::Greater => ">",
        Binary::GreaterOrEqual => ">=",
        Binary::And => "and",
        Binary::Or => "or",
        Binary::StartsWith => "starts_with",
        Binary::Contains => "contains",
    }
}

fn literal_text(value: &millrace_event::Value) -> String {
    use millrace_event::Value;
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        Value::Decimal { mantissa, scale } => decimal_text(*mantissa, *scale),
        Value::Text(text) => format!("{text:?}"),
        Value::Timestamp(at) => format!("\"{at}\""),
        Value::Duration(d) => d.to_string(),
        Value::List(all) => {
            format!("[{}]", all.iter().map(literal_text).collect::<Vec<String>>().join(", "))
        }
        Value::Map(_) => "{…}".to_owned(),
    }
}

fn decimal_text(mantissa: i64, scale: u8) -> String {
    let digits = format!("{:0>1$}", mantissa.unsigned_abs(), usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let point = if scale == 0 { "" } else { "." };
    format!("{}{whole}{point}{fraction}", if mantissa < 0 { "-" } else { "" })
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a string cannot fail");
}
