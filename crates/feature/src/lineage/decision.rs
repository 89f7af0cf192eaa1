//! Labels, models and decisions in plain text.

use crate::plan::{Decision, Label, LabelSource, Model, Plan};

use super::expression::expr_to_text;
use super::line;

pub(super) fn describe_label(out: &mut String, plan: &Plan, label: &Label) {
    let Some(stream) = plan.streams.get(label.stream) else { return };
    line(out, format_args!("label {} on {} {}", label.name, stream.schema.stream, label.hash));
    describe_source(out, plan, "positive from", &label.positive);
    if let Some(among) = &label.among {
        describe_source(out, plan, "among", among);
    }
    line(out, format_args!("  matures {}", label.matures));
}

fn describe_source(out: &mut String, plan: &Plan, role: &str, source: &LabelSource) {
    let Some(stream) = plan.streams.get(source.stream) else { return };
    let schema = &stream.schema;
    let field = |at: usize| schema.fields.get(at).map(|f| f.name.to_string()).unwrap_or_default();
    let filter = source.filter.as_ref().map(|f| format!(" where {}", expr_to_text(f, &field)));
    let (from, by) = (&schema.stream, field(source.by_other));
    line(out, format_args!("  {role} {from} by {by}{}", filter.unwrap_or_default()));
}

/// The fields that a label reads, each with the index of its stream.
pub(super) fn label_fields(label: &Label) -> impl Iterator<Item = (usize, usize)> {
    let mut fields = Vec::new();
    for source in std::iter::once(&label.positive).chain(&label.among) {
        fields.extend([(label.stream, source.by_own), (source.stream, source.by_other)]);
        if let Some(filter) = &source.filter {
            filter.for_each_column(&mut |column| fields.push((source.stream, column)));
        }
    }
    fields.into_iter()
}

pub(super) fn describe_model(out: &mut String, plan: &Plan, model: &Model) {
    let Some(view) = plan.views.get(model.view) else { return };
    line(out, format_args!("model {} {}", model.name, model.hash));
    line(out, format_args!("  file {} takes {}", model.file, view.name));
}

pub(super) fn describe_decision(out: &mut String, plan: &Plan, decision: &Decision) {
    let Some(view) = plan.views.get(decision.view) else { return };
    line(out, format_args!("decision {} on {} {}", decision.name, view.name, decision.hash));
    let mut columns: Vec<String> = view.columns.iter().map(|c| c.name.to_string()).collect();
    for (role, models) in [("scores", &decision.scores), ("shadows", &decision.shadows)] {
        let models = models.iter().filter_map(|at| plan.models.get(*at));
        let names: Vec<String> = models.map(|model| model.name.to_string()).collect();
        if !names.is_empty() {
            line(out, format_args!("  {role} {}", names.join(", ")));
        }
        if role == "scores" {
            columns.extend(names);
        }
    }
    let column = |at: usize| columns.get(at).cloned().unwrap_or_default();
    for rule in &decision.rules {
        let condition = expr_to_text(&rule.condition, &column);
        line(out, format_args!("  {} {:?} when {condition}", rule.outcome, rule.reason));
    }
    line(out, format_args!("  else {}", decision.otherwise));
}
