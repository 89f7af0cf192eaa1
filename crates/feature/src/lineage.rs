//! A plan in plain text: what is computed, from what, and what uses it.
//!
//! Expressions are written in the language again, with `let` names put in.

mod decision;
mod expression;

use std::collections::BTreeSet;
use std::fmt::Write;

use millrace_aggregate::{Aggregate, Function, Window};
use millrace_event::Schema;

use crate::plan::{Feature, Group, Plan, Source, View};

use decision::{describe_decision, describe_label, describe_model, label_fields};
use expression::{expr_to_text, literal_text};

/// The whole plan: streams, groups with their state and features, views with their columns, labels,
/// models, decisions with their rules, and who uses which field.
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
    for label in &plan.labels {
        describe_label(&mut out, plan, label);
    }
    for model in &plan.models {
        describe_model(&mut out, plan, model);
    }
    for decision in &plan.decisions {
        describe_decision(&mut out, plan, decision);
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

/// Groups, views and labels that read a field of a stream.
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
    for label in &plan.labels {
        let reads = label_fields(label).any(|(stream, field)| of_stream(stream) && field == at);
        users.extend(reads.then(|| label.name.to_string()));
    }
    users
}

fn names(schema: &Schema, fields: &[usize]) -> String {
    let names: Vec<&str> =
        fields.iter().filter_map(|at| schema.fields.get(*at)).map(|f| &*f.name).collect();
    names.join(", ")
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a string cannot fail");
}
