//! What names mean in the place where an expression stands.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_event::expr::Expr;

use crate::ast::{Name, Window};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::SourceSpan;

use super::group::{Families, GroupInfo};
use super::order::Later;
use super::stream::StreamInfo;
use super::vector::Vector;
use super::view::ViewBuilder;
use super::{EXPRESSION_NODES_MAX, INLINED_NODES_MAX, RESOLVED_HEIGHT_MAX, Report};

/// An expression's surroundings while it is resolved.
pub(super) struct Context<'a> {
    pub scope: Scope<'a>,
    pub report: &'a mut Report,
    /// Nodes put in for names so far.
    nodes: usize,
}

/// The kinds of place.
pub(super) enum Scope<'a> {
    /// An argument, a condition or a `let` of a group: fields of one event.
    Event { stream: &'a StreamInfo, lets: &'a Definitions, later: &'a Later, group: GroupNames<'a> },
    /// A derived feature: the features before it.
    Derived { families: &'a Families, later: &'a Later, stream: &'a StreamInfo },
    /// A column of a view: fields of its event, features of groups, columns before it.
    View {
        builder: &'a mut ViewBuilder,
        streams: &'a [StreamInfo],
        groups: &'a [GroupInfo],
        later: &'a Later,
    },
    /// A condition of a label: fields of one event.
    Label(&'a StreamInfo),
    /// A condition of a decision: columns of its view, and scores.
    Decision(&'a Vector<'a>),
    /// Nothing: a `default`, or a value in a test, where bare times may stand.
    Constant { in_test: bool },
}

/// The names of a group's features, to say that they cannot stand in an event expression.
#[derive(Clone, Copy)]
pub(super) struct GroupNames<'a>(pub &'a HashMap<Arc<str>, SourceSpan>);

/// Expressions that a name stands for; `None` for one whose mistake has been told.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    pub by_name: HashMap<Arc<str>, (SourceSpan, Option<Inlined>)>,
}

#[derive(Clone, Debug)]
pub(super) struct Inlined {
    pub expr: Expr,
    nodes: usize,
}

impl Inlined {
    /// Measures an expression; `None` if it is too large to be used elsewhere, which is told.
    pub fn new(expr: Expr, span: SourceSpan, report: &mut Report) -> Option<Inlined> {
        let (nodes, height) = measure(&expr);
        if nodes > EXPRESSION_NODES_MAX || height > RESOLVED_HEIGHT_MAX {
            too_large(report, span);
            return None;
        }
        Some(Inlined { expr, nodes })
    }

    /// The expression once more, if what it becomes a part of is not too large by now.
    fn again(&self, span: SourceSpan, nodes: &mut usize, report: &mut Report) -> Option<Expr> {
        *nodes += self.nodes;
        report.inlined += self.nodes;
        if *nodes > EXPRESSION_NODES_MAX || report.inlined > INLINED_NODES_MAX {
            too_large(report, span);
            return None;
        }
        Some(self.expr.clone())
    }
}

fn too_large(report: &mut Report, span: SourceSpan) {
    let message = format!(
        "this expression grows beyond {EXPRESSION_NODES_MAX} operations once names are put in"
    );
    report.push(
        Diagnostic::error(Code::ExpressionLimit, span, message)
            .hint("make a part of it a feature of its own"),
    );
}

/// Nodes and height.
fn measure(expr: &Expr) -> (usize, usize) {
    let (mut nodes, mut height) = (0, 0);
    expr.for_each_operand(&mut |operand| {
        let (n, h) = measure(operand);
        nodes += n;
        height = height.max(h);
    });
    (nodes + 1, height + 1)
}

impl<'a> Context<'a> {
    pub fn new(scope: Scope<'a>, report: &'a mut Report) -> Context<'a> {
        Context { scope, report, nodes: 0 }
    }

    /// What a bare name means here.
    pub fn name(&mut self, name: &Name) -> Option<Expr> {
        match &mut self.scope {
            Scope::Event { stream, lets, later, group } => {
                if let Some((_, definition)) = lets.by_name.get(&name.text) {
                    return definition.as_ref()?.again(name.span, &mut self.nodes, self.report);
                }
                if let Some(field) = field(stream, &name.text) {
                    return field;
                }
                if later.tell(name, self.report) {
                    return None;
                }
                if group.0.contains_key(&name.text) {
                    feature_in_event(self.report, name);
                    return None;
                }
                if !stream.broken {
                    let lets = lets.by_name.keys().map(|k| &**k);
                    let known = field_names(stream).chain(lets);
                    let place = format!(" in `{}`", stream.stream.schema.stream);
                    self.report.unknown(Code::UnknownName, "field", name, &place, known);
                }
                None
            }
            Scope::Derived { families, later, stream } => {
                if let Some(family) = families.by_name.get(&name.text) {
                    return families.column(family, name, None, self.report, |i| i);
                }
                if later.tell(name, self.report) || families.broken {
                    return None;
                }
                if stream.index.contains_key(&name.text) {
                    field_in_derived(self.report, name);
                    return None;
                }
                let known = families.by_name.keys().map(|k| &**k);
                self.report.unknown(Code::UnknownName, "feature", name, " in this group", known);
                None
            }
            Scope::View { .. } => self.view_name(name),
            Scope::Label(stream) => {
                if let Some(field) = field(stream, &name.text) {
                    return field;
                }
                if !stream.broken {
                    let place = format!(" in `{}`", stream.stream.schema.stream);
                    let known = field_names(stream);
                    self.report.unknown(Code::UnknownName, "field", name, &place, known);
                }
                None
            }
            Scope::Decision(vector) => vector.name(name, self.report),
            Scope::Constant { .. } => {
                not_constant(self.report, name);
                None
            }
        }
    }

    fn view_name(&mut self, name: &Name) -> Option<Expr> {
        let Scope::View { builder, streams, groups, later } = &mut self.scope else { return None };
        let stream = &streams[builder.stream];
        if let Some(field) = field(stream, &name.text) {
            return field;
        }
        if let Some((_, definition)) = builder.columns.by_name.get(&name.text) {
            return definition.as_ref()?.again(name.span, &mut self.nodes, self.report);
        }
        if later.tell(name, self.report) || stream.broken || builder.broken {
            return None;
        }
        if let Some(group) = groups.iter().find(|g| *g.group.name == *name.text) {
            let message = format!("`{}` is a feature group, not a value", name.text);
            let example = group.group.features.first().map_or("feature", |f| &*f.family);
            self.report.push(
                Diagnostic::error(Code::TypeMismatch, name.span, message)
                    .hint(format!("name one of its features: `{}.{example}`", name.text)),
            );
            return None;
        }
        let columns = builder.columns.by_name.keys().map(|k| &**k);
        let known = field_names(stream).chain(columns);
        let place = format!(" in `{}` and no such column above", stream.stream.schema.stream);
        self.report.unknown(Code::UnknownName, "field", name, &place, known);
        None
    }

    /// What `attempts[5m]` means here.
    pub fn indexed(&mut self, name: &Name, window: &Window) -> Option<Expr> {
        match &mut self.scope {
            Scope::Derived { families, later, .. } => {
                let Some(family) = families.by_name.get(&name.text) else {
                    if !later.tell(name, self.report) && !families.broken {
                        let known = families.by_name.keys().map(|k| &**k);
                        self.report.unknown(
                            Code::UnknownName,
                            "feature",
                            name,
                            " in this group",
                            known,
                        );
                    }
                    return None;
                };
                families.column(family, name, Some(window), self.report, |i| i)
            }
            Scope::View { builder, groups, .. } => {
                builder.selected(name, window, groups, self.report)
            }
            Scope::Decision(vector) => vector.indexed(name, window, self.report),
            Scope::Event { .. } | Scope::Label(_) => {
                feature_in_event(self.report, name);
                None
            }
            Scope::Constant { .. } => {
                not_constant(self.report, name);
                None
            }
        }
    }

    /// What `group.feature` and `group.feature[5m]` mean here.
    pub fn member(&mut self, group: &Name, name: &Name, window: Option<&Window>) -> Option<Expr> {
        let hint = match &mut self.scope {
            Scope::View { builder, streams, groups, .. } => {
                return builder.member(group, name, window, (streams, groups), self.report);
            }
            Scope::Decision(vector) => return vector.member(group, name, window, self.report),
            Scope::Label(_) => "here stand the fields of one event",
            Scope::Event { .. } | Scope::Derived { .. } | Scope::Constant { .. } => {
                "in a group, name its own features without the group"
            }
        };
        let message =
            format!("`{}.{}` can stand in a view or a decision only", group.text, name.text);
        let span = group.span.to(name.span);
        self.report.push(Diagnostic::error(Code::FeatureInEvent, span, message).hint(hint));
        None
    }

    /// Whether a bare time such as `12:00` may stand here.
    pub fn allows_bare_times(&self) -> bool {
        match self.scope {
            Scope::Constant { in_test } => in_test,
            Scope::Event { .. }
            | Scope::Derived { .. }
            | Scope::View { .. }
            | Scope::Label(_)
            | Scope::Decision(_) => false,
        }
    }
}

/// `Some(None)` for a field whose type is not known, which has been told.
fn field(stream: &StreamInfo, name: &str) -> Option<Option<Expr>> {
    let index = *stream.index.get(name)?;
    let field = &stream.stream.schema.fields[index];
    Some(stream.known[index].then(|| Expr::column(index, field.ty.clone(), field.nullable)))
}

fn field_names(stream: &StreamInfo) -> impl Iterator<Item = &str> {
    stream.stream.schema.fields.iter().map(|f| &*f.name)
}

fn feature_in_event(report: &mut Report, name: &Name) {
    let message = format!("`{}` is a feature; here stand the fields of one event", name.text);
    report.push(
        Diagnostic::error(Code::FeatureInEvent, name.span, message)
            .hint("compute with features in a feature of its own, such as `ratio = a / b`"),
    );
}

fn field_in_derived(report: &mut Report, name: &Name) {
    let message = format!("`{}` is a field of one event; here stand features", name.text);
    report.push(
        Diagnostic::error(Code::FieldInDerived, name.span, message)
            .hint(format!("say which of the events is meant: `last({})`", name.text)),
    );
}

fn not_constant(report: &mut Report, name: &Name) {
    report.push(
        Diagnostic::error(
            Code::NotConstant,
            name.span,
            format!("`{}` cannot stand here: the value must be known from the text", name.text),
        )
        .hint("write a literal; a string stands in double quotes"),
    );
}
