//! Feature groups.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_event::expr::Expr;
use millrace_event::{KeyKind, Type};

use crate::ast::{self, At, ExprKind, Name, Otherwise, Window};
use crate::canonical;
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::{self, Feature, Freshness, Stale};
use crate::source::SourceSpan;

use super::call::AGGREGATES;
use super::feature::GroupBuilder;
use super::order::Later;
use super::scope::{Context, Definitions, GroupNames, Inlined, Scope};
use super::stream::StreamInfo;
use super::{Report, Resolver};

/// A group and what later passes need to know of its text.
#[derive(Debug)]
pub(super) struct GroupInfo {
    pub group: plan::Group,
    pub families: Families,
}

/// The features of a group by their names in the text.
#[derive(Debug, Default)]
pub(super) struct Families {
    pub by_name: HashMap<Arc<str>, Family>,
    /// All features, as in the plan.
    pub features: Vec<Feature>,
    /// Whether features may be missing because something did not parse.
    pub broken: bool,
}

#[derive(Debug)]
pub(super) struct Family {
    pub span: SourceSpan,
    /// Indexes of its features; none if it has a mistake, which has been told.
    pub members: Vec<usize>,
}

impl Families {
    /// The feature of a family over this window, or its only one.
    pub fn member(
        &self,
        family: &Family,
        name: &Name,
        window: Option<&Window>,
        report: &mut Report,
    ) -> Option<usize> {
        if family.members.is_empty() {
            return None;
        }
        let width_of = |at: &usize| match self.features.get(*at)?.window? {
            millrace_aggregate::Window::Sliding { width, .. } => Some(width),
            millrace_aggregate::Window::Lifetime => None,
        };
        let written = |at: &usize| {
            let feature = self.features.get(*at)?;
            let suffix = feature.name.strip_prefix(&*feature.family)?.strip_prefix('_')?;
            Some(format!("{}[{suffix}]", name.text))
        };
        let all = || -> Vec<String> { family.members.iter().filter_map(written).collect() };
        match (window, &family.members[..]) {
            (None, [only]) => Some(*only),
            (None, _) => {
                let message = format!("`{}` has several windows", name.text);
                report.push(
                    Diagnostic::error(Code::AmbiguousWindow, name.span, message)
                        .hint(format!("write one of {}", all().join(", "))),
                );
                None
            }
            (Some(window), members) => {
                let found = members.iter().find(|at| width_of(at) == Some(window.width));
                if found.is_none() {
                    let message = format!("`{}` has no window {}", name.text, window.text);
                    let known = all();
                    let hint = match known.is_empty() {
                        true => format!("it has no window at all: write `{}`", name.text),
                        false => format!("write {}, or add the window", known.join(" or ")),
                    };
                    report.push(
                        Diagnostic::error(Code::UnknownWindow, window.span, message)
                            .label(family.span, "defined here")
                            .hint(hint),
                    );
                }
                found.copied()
            }
        }
    }

    /// The same as a column, whose index `place` makes of the feature's.
    pub fn column(
        &self,
        family: &Family,
        name: &Name,
        window: Option<&Window>,
        report: &mut Report,
        place: impl Fn(usize) -> usize,
    ) -> Option<Expr> {
        let at = self.member(family, name, window, report)?;
        let feature = self.features.get(at)?;
        Some(Expr::column(place(at), feature.ty.clone(), feature.may_be_null()))
    }
}

impl Resolver<'_> {
    pub fn groups(&mut self) {
        let project = self.project;
        for group in &project.groups {
            let stream = match &group.stream {
                Some(name) => self.stream_named(name, Code::UnknownName),
                None => None,
            };
            let Some(stream) = stream else {
                self.groups.push(unknown_group(group));
                continue;
            };
            let info = self.group(group, stream);
            self.groups.push(info);
        }
    }

    fn group(&mut self, ast: &ast::Group, stream: usize) -> GroupInfo {
        let info = &self.streams[stream];
        let report = &mut *self.report;
        let (keys, key_kinds) = keys(ast, info, report);
        let owner = once(&ast.owners, report).map(|o| Arc::clone(&o.value));
        let freshness = once(&ast.freshness, report).map(|f| freshness(&f.value, report));
        let names = feature_names(ast, report);
        let lets = lets(ast, info, GroupNames(&names), report);
        let later = Later::new(ast.features.iter().map(|f| {
            let is_derived = !is_aggregate(&f.body);
            (&f.name, is_derived.then_some(&f.body))
        }));
        let mut builder = GroupBuilder::new(ast, info, &keys, &lets, &names, &later, report);
        for feature in &ast.features {
            builder.feature(feature);
        }
        let (families, layout) = builder.finish();
        let mut group = plan::Group {
            name: Arc::clone(&ast.name.text),
            stream,
            keys,
            key_kinds,
            owner,
            freshness,
            layout: Arc::new(layout),
            features: families.features.clone(),
            hash: canonical::EMPTY,
        };
        group.hash = canonical::group(&group, &info.stream.schema);
        GroupInfo { group, families }
    }
}

/// Whether a feature aggregates events: its whole expression is one call of an aggregate.
pub(super) fn is_aggregate(body: &ast::Expr) -> bool {
    matches!(&body.kind, ExprKind::Call(name, _) if AGGREGATES.contains(&&*name.text))
}

/// A group whose stream is not known: only its name is, so that uses of it are not told again.
fn unknown_group(ast: &ast::Group) -> GroupInfo {
    let group = plan::Group {
        name: Arc::clone(&ast.name.text),
        stream: 0,
        keys: Vec::new(),
        key_kinds: Vec::new(),
        owner: None,
        freshness: None,
        layout: Arc::default(),
        features: Vec::new(),
        hash: canonical::EMPTY,
    };
    GroupInfo { group, families: Families { broken: true, ..Families::default() } }
}

fn keys(ast: &ast::Group, stream: &StreamInfo, report: &mut Report) -> (Vec<usize>, Vec<KeyKind>) {
    let schema = &stream.stream.schema;
    let mut keys = Vec::new();
    let mut kinds = Vec::new();
    for name in &ast.keys {
        let Some(at) = stream.index.get(&name.text).copied() else {
            if !stream.broken {
                let known = schema.fields.iter().map(|f| &*f.name);
                let place = format!(" in `{}`", schema.stream);
                report.unknown(Code::UnknownName, "field", name, &place, known);
            }
            continue;
        };
        if keys.contains(&at) {
            let message = format!("`{}` is in this key twice", name.text);
            report.error(Code::DuplicateName, name.span, message);
            continue;
        }
        let ty = &schema.fields[at].ty;
        let kind = match ty {
            Type::Key(entity) => Some(entity.kind),
            Type::String => Some(KeyKind::Text),
            Type::Int | Type::Bool => Some(KeyKind::Int),
            Type::Float
            | Type::Decimal(_)
            | Type::Timestamp
            | Type::Duration
            | Type::List(_)
            | Type::Map(_, _) => None,
        };
        match kind {
            Some(kind) => {
                keys.push(at);
                kinds.push(kind);
            }
            None => {
                let message = format!(
                    "`{}` is {}, which cannot be a key",
                    name.text,
                    crate::types::described(ty)
                );
                report.push(
                    Diagnostic::error(Code::BadKey, name.span, message)
                        .hint("keys are entities, strings, ints and bools"),
                );
            }
        }
    }
    (keys, kinds)
}

/// The first of a clause that may stand once; a second one is told.
pub(super) fn once<'a, T>(all: &'a [At<T>], report: &mut Report) -> Option<&'a At<T>> {
    let (first, rest) = all.split_first()?;
    for again in rest {
        report.twice(again.span, first.span);
    }
    Some(first)
}

/// Without an `else`, an older value becomes the default.
fn freshness(ast: &ast::Fresh, report: &mut Report) -> Freshness {
    let mut fresh =
        Freshness { within: ast.within, last_good_for: None, otherwise: Stale::Default };
    let mut end: Option<SourceSpan> = None;
    for step in &ast.otherwise {
        let is_late = end.is_some() || (fresh.last_good_for.is_some() && is_last_good(step.value));
        if is_late {
            let message = "nothing follows what came before this";
            report.push(Diagnostic::error(Code::DuplicateClause, step.span, message).hint(
                "write `else last good for …` at most once, then `else default` or `else refuse`",
            ));
        }
        match step.value {
            Otherwise::LastGoodFor(span) => fresh.last_good_for = Some(span),
            Otherwise::Default => fresh.otherwise = Stale::Default,
            Otherwise::Refuse => fresh.otherwise = Stale::Refuse,
        }
        if !is_last_good(step.value) {
            end = Some(step.span);
        }
    }
    fresh
}

fn is_last_good(step: Otherwise) -> bool {
    match step {
        Otherwise::LastGoodFor(_) => true,
        Otherwise::Default | Otherwise::Refuse => false,
    }
}

/// Where each feature and `let` is named; a second one of a name is told.
fn feature_names(ast: &ast::Group, report: &mut Report) -> HashMap<Arc<str>, SourceSpan> {
    let mut names: HashMap<Arc<str>, SourceSpan> = HashMap::new();
    for name in ast.features.iter().map(|f| &f.name) {
        match names.get(&name.text) {
            Some(first) => report.duplicate(&name.text, name.span, *first),
            None => {
                names.insert(Arc::clone(&name.text), name.span);
            }
        }
    }
    names
}

/// The `let` names, each resolved over the fields and those above it.
fn lets(
    ast: &ast::Group,
    stream: &StreamInfo,
    group: GroupNames<'_>,
    report: &mut Report,
) -> Definitions {
    let later = Later::new(ast.lets.iter().map(|l| (&l.name, Some(&l.body))));
    let mut lets = Definitions::default();
    for definition in &ast.lets {
        let name = &definition.name;
        let first = lets.by_name.get(&name.text).map(|l| l.0);
        if let Some(first) = first.or_else(|| group.0.get(&name.text).copied()) {
            report.duplicate(&name.text, name.span, first);
        }
        let scope = Scope::Event { stream, lets: &lets, later: &later, group };
        let typed = Context::new(scope, report).typed(&definition.body);
        let inlined = typed.and_then(|e| Inlined::new(e, definition.body.span, report));
        lets.by_name.insert(Arc::clone(&name.text), (name.span, inlined));
    }
    lets
}
