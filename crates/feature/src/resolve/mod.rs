//! AST to plan: names are looked up, types are found, groups get their layout.
//!
//! Declarations are resolved in the order in which they can need each other: entities, streams,
//! groups, views, labels, models, decisions, tests. What has an error stays known by its name, so
//! that one mistake is told once.

mod aggregate;
mod call;
mod column;
mod constant;
mod decision;
mod expression;
mod feature;
mod function;
mod group;
mod label;
mod layout;
mod literal;
mod model;
mod operator;
mod order;
mod scope;
mod stream;
mod test;
mod vector;
mod view;

use std::collections::HashMap;
use std::sync::Arc;

use millrace_event::Entity;

use crate::ast::{Name, Project};
use crate::canonical;
use crate::diagnostic::{Code, Diagnostic, Sink, Suggest};
use crate::foreign::{self, Instead};
use crate::plan::{self, Plan};
use crate::source::{SourceFile, SourceSpan};

pub use call::function_names;
use group::GroupInfo;
use model::ModelInfo;
use stream::StreamInfo;
use view::ViewInfo;

/// Nodes that `let` names and columns of views add to the expressions of a project.
pub const INLINED_NODES_MAX: usize = 200_000;

/// Nodes of one expression, once `let` names are put in.
pub const EXPRESSION_NODES_MAX: usize = 1_000;

/// Height of one expression, once `let` names and conversions are put in.
pub const RESOLVED_HEIGHT_MAX: usize = 256;

/// The plan of a project; of use only if no error was told.
pub(crate) fn ast_to_plan(project: &Project, sources: &[SourceFile], report: &mut Report) -> Plan {
    let mut resolver = Resolver {
        project,
        sources,
        report,
        entities: HashMap::new(),
        streams: Vec::new(),
        groups: Vec::new(),
        views: Vec::new(),
        models: Vec::new(),
        models_by_name: HashMap::new(),
    };
    let entities = resolver.entities();
    resolver.declared_twice();
    resolver.streams();
    resolver.groups();
    resolver.views();
    let labels = resolver.labels();
    resolver.models();
    let decisions = resolver.decisions();
    let tests = resolver.tests();
    let mut plan = Plan {
        entities,
        streams: resolver.streams.into_iter().map(|s| s.stream).collect(),
        groups: resolver.groups.into_iter().map(|g| g.group).collect(),
        views: resolver.views.into_iter().map(|v| v.view).collect(),
        labels,
        models: resolver.models,
        decisions,
        tests,
        hash: canonical::EMPTY,
    };
    plan.hash = canonical::plan(&plan);
    plan
}

/// Where diagnostics go, and what is left of the budgets of one compilation.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub sink: Sink,
    pub suggest: Suggest,
    /// Of [`INLINED_NODES_MAX`].
    pub inlined: usize,
}

impl Report {
    pub fn error(&mut self, code: Code, span: SourceSpan, message: impl Into<String>) {
        self.sink.error(code, span, message);
    }

    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.sink.push(diagnostic);
    }

    /// "no {what} `{name}`{place}", with the nearest known one.
    pub fn unknown<'a>(
        &mut self,
        code: Code,
        what: &str,
        name: &Name,
        place: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        let message = format!("no {what} `{}`{place}", name.text);
        let mut diagnostic = Diagnostic::error(code, name.span, message);
        diagnostic = match foreign_word(code, &name.text) {
            Some(Instead::Word(ours)) => {
                diagnostic.hint(format!("write `{ours}`")).fix(name.span, ours)
            }
            Some(Instead::Hint(hint)) => diagnostic.hint(hint),
            None => match self.suggest.nearest(&name.text, known) {
                Some(nearest) => {
                    diagnostic.hint(format!("did you mean `{nearest}`?")).fix(name.span, nearest)
                }
                None => diagnostic,
            },
        };
        self.push(diagnostic);
    }

    /// "`{name}` is defined twice", with the first place.
    pub fn duplicate(&mut self, name: &str, again: SourceSpan, first: SourceSpan) {
        self.push(
            Diagnostic::error(Code::DuplicateName, again, format!("`{name}` is defined twice"))
                .label(first, "first here")
                .hint("give one of them another name"),
        );
    }

    /// "this stands twice", with the first place.
    pub fn twice(&mut self, again: SourceSpan, first: SourceSpan) {
        self.push(
            Diagnostic::error(Code::DuplicateClause, again, "this stands twice")
                .label(first, "first here"),
        );
    }
}

/// What is written instead of an unknown name that another language has.
fn foreign_word(code: Code, name: &str) -> Option<Instead> {
    if code == Code::UnknownFunction {
        foreign::function(name)
    } else if code == Code::UnknownType {
        foreign::type_name(name)
    } else if code == Code::UnknownName {
        foreign::value(name)
    } else {
        None
    }
}

struct Resolver<'a> {
    project: &'a Project,
    sources: &'a [SourceFile],
    report: &'a mut Report,
    entities: HashMap<Arc<str>, Arc<Entity>>,
    streams: Vec<StreamInfo>,
    groups: Vec<GroupInfo>,
    views: Vec<ViewInfo>,
    models: Vec<plan::Model>,
    models_by_name: HashMap<Arc<str>, ModelInfo>,
}

impl Resolver<'_> {
    /// Streams, groups, views, labels, models and decisions share one space of names; entities,
    /// which are types, and tests have theirs.
    fn declared_twice(&mut self) {
        let project = self.project;
        let mut names: Vec<&Name> = Vec::new();
        names.extend(project.streams.iter().map(|s| &s.name));
        names.extend(project.groups.iter().map(|g| &g.name));
        names.extend(project.views.iter().map(|v| &v.name));
        names.extend(project.labels.iter().map(|l| &l.name));
        names.extend(project.models.iter().map(|m| &m.name));
        names.extend(project.decisions.iter().map(|d| &d.name));
        names.sort_by_key(|name| name.span);
        let mut first: HashMap<&str, SourceSpan> = HashMap::new();
        for name in names {
            match first.get(&*name.text) {
                Some(span) => self.report.duplicate(&name.text, name.span, *span),
                None => {
                    first.insert(&name.text, name.span);
                }
            }
        }
    }

    /// The stream of this name; `None` when nothing or something broken has it, which is told.
    fn stream_named(&mut self, name: &Name, code: Code) -> Option<usize> {
        let found = self.streams.iter().position(|s| *s.stream.schema.stream == *name.text);
        if found.is_none() {
            let known = self.streams.iter().map(|s| &*s.stream.schema.stream);
            self.report.unknown(code, "stream", name, "", known);
        }
        found
    }

    fn view_named(&mut self, name: &Name) -> Option<usize> {
        let found = self.views.iter().position(|v| *v.view.name == *name.text);
        if found.is_none() {
            let known = self.views.iter().map(|v| &*v.view.name);
            self.report.unknown(Code::UnknownName, "view", name, "", known);
        }
        found
    }
}

/// Tells that a declaration lacks what it cannot be without.
fn missing_part(name: &Name, what: &str, part: &str, hint: &str, report: &mut Report) {
    let message = format!("the {what} `{}` has no {part}", name.text);
    report.push(Diagnostic::error(Code::MissingPart, name.span, message).hint(hint));
}
