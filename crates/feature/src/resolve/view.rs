//! Views: which groups they read by which keys, and their columns.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_aggregate::Window;
use millrace_event::expr::Expr;
use millrace_event::{Span, Type};

use crate::ast::{self, Name, ViewItem};
use crate::canonical;
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::{self, Read, ViewColumn};
use crate::source::SourceSpan;

use super::column::{ColumnNames, Origin};
use super::group::GroupInfo;
use super::order::Later;
use super::scope::{Context, Definitions, Inlined, Scope};
use super::stream::StreamInfo;
use super::{Report, Resolver};

/// A view and what tests need to know of its columns.
#[derive(Debug)]
pub(super) struct ViewInfo {
    pub view: plan::View,
    pub names: ColumnNames,
    pub broken: bool,
}

/// A view while its items are resolved.
#[derive(Debug)]
pub(super) struct ViewBuilder {
    pub stream: usize,
    pub reads: Vec<Read>,
    /// The expressions that columns stand for, by the names that the view's own text may use.
    pub columns: Definitions,
    pub broken: bool,
    /// Where the features of each read begin among the columns that expressions see.
    offsets: Vec<usize>,
    next: usize,
    built: Vec<Built>,
}

/// A column with what may become a part of its name.
#[derive(Debug)]
struct Built {
    name: Arc<str>,
    span: SourceSpan,
    /// The group that the feature is used from.
    group: Option<Arc<str>>,
    origin: Origin,
    expr: Expr,
    /// As the definition promises; in expressions, a feature may be null for want of a limit.
    nullable: bool,
}

impl Resolver<'_> {
    pub fn views(&mut self) {
        let project = self.project;
        for view in &project.views {
            let stream = match &view.stream {
                Some(name) => self.stream_named(name, Code::UnknownName),
                None => None,
            };
            let info = self.view(view, stream);
            self.views.push(info);
        }
    }

    fn view(&mut self, ast: &ast::View, stream: Option<usize>) -> ViewInfo {
        let mut view = plan::View {
            name: Arc::clone(&ast.name.text),
            stream: stream.unwrap_or(0),
            including: ast.including,
            reads: Vec::new(),
            columns: Vec::new(),
            hash: canonical::EMPTY,
        };
        let Some(stream) = stream else {
            return ViewInfo { view, names: ColumnNames::default(), broken: true };
        };
        let mut builder = ViewBuilder {
            stream,
            reads: Vec::new(),
            columns: Definitions::default(),
            broken: ast.broken,
            offsets: Vec::new(),
            next: self.streams[stream].stream.schema.fields.len(),
            built: Vec::new(),
        };
        let later = Later::new(ast.items.iter().filter_map(|item| match item {
            ViewItem::Column(column) => Some((&column.name, Some(&column.body))),
            ViewItem::Use(_) => None,
        }));
        for item in &ast.items {
            match item {
                ViewItem::Use(used) => {
                    let known = (&self.streams[..], &self.groups[..]);
                    builder.use_group(used, known, self.report);
                }
                ViewItem::Column(column) => self.column(column, &mut builder, &later),
            }
        }
        let broken = builder.broken;
        let (reads, columns, names) = builder.finish(self.report);
        view.reads = reads;
        view.columns = columns;
        let groups: Vec<&plan::Group> =
            view.reads.iter().map(|r| &self.groups[r.group].group).collect();
        view.hash = canonical::view(&view, &self.streams[stream].stream.schema, &groups);
        ViewInfo { view, names, broken }
    }

    fn column(&mut self, ast: &ast::Feature, builder: &mut ViewBuilder, later: &Later) {
        for clause in &ast.clauses {
            let hint = match clause.value {
                ast::Clause::Default(_) => "write `coalesce(x, 0)`",
                _ => "define an aggregate in a feature group, and use it here",
            };
            self.report.push(
                Diagnostic::error(
                    Code::MisplacedClause,
                    clause.span,
                    "a column of a view is an expression alone",
                )
                .hint(hint),
            );
        }
        let scope = Scope::View { builder, streams: &self.streams, groups: &self.groups, later };
        let typed = Context::new(scope, self.report).typed(&ast.body);
        let name = &ast.name;
        let Some(expr) = typed else {
            builder.columns.by_name.entry(Arc::clone(&name.text)).or_insert((name.span, None));
            return;
        };
        let nullable = expr.nullable;
        builder.add(
            Built {
                name: Arc::clone(&name.text),
                span: name.span,
                group: None,
                origin: Origin { family: Arc::clone(&name.text), width: None },
                expr,
                nullable,
            },
            ast.body.span,
            self.report,
        );
    }
}

impl ViewBuilder {
    /// `use group` and `use group.{items}`.
    fn use_group(
        &mut self,
        used: &ast::Use,
        (streams, groups): (&[StreamInfo], &[GroupInfo]),
        report: &mut Report,
    ) {
        let Some(group) = find_group(&used.group, groups, report) else {
            self.broken = true;
            return;
        };
        let info = &groups[group];
        let Some(offset) = self.read(group, used.group.span, (streams, groups), report) else {
            self.broken = true;
            return;
        };
        let mut wanted: Vec<(usize, SourceSpan)> = Vec::new();
        match &used.items {
            None => wanted.extend((0..info.group.features.len()).map(|at| (at, used.group.span))),
            Some(items) => {
                for item in items {
                    let Some(family) = info.families.by_name.get(&item.name.text) else {
                        unknown_feature(info, &item.name, report);
                        self.broken = true;
                        continue;
                    };
                    let span = item.span;
                    match &item.window {
                        None => wanted.extend(family.members.iter().map(|at| (*at, span))),
                        Some(_) => wanted.extend(
                            info.families
                                .member(family, &item.name, item.window.as_ref(), report)
                                .map(|at| (at, span)),
                        ),
                    }
                }
            }
        }
        for (at, span) in wanted {
            let feature = &info.group.features[at];
            let expr = Expr::column(offset + at, feature.ty.clone(), feature.may_be_null());
            let origin =
                Origin { family: Arc::clone(&feature.family), width: width(feature.window) };
            let group = Some(Arc::clone(&info.group.name));
            let name = Arc::clone(&feature.name);
            let nullable = feature.nullable;
            self.add(Built { name, span, group, origin, expr, nullable }, span, report);
        }
    }

    /// Adds a column, known from now on by its name.
    fn add(&mut self, column: Built, span: SourceSpan, report: &mut Report) {
        let inlined = Inlined::new(column.expr.clone(), span, report);
        // A feature with one window is known without it too.
        let name = match column.group {
            Some(_) => Arc::clone(&column.origin.family),
            None => Arc::clone(&column.name),
        };
        self.columns.by_name.entry(name).or_insert((column.span, inlined));
        self.built.push(column);
    }

    /// Where the features of a group begin, after reading it if it is not read yet.
    fn read(
        &mut self,
        group: usize,
        span: SourceSpan,
        (streams, groups): (&[StreamInfo], &[GroupInfo]),
        report: &mut Report,
    ) -> Option<usize> {
        if let Some(at) = self.reads.iter().position(|read| read.group == group) {
            return Some(self.offsets[at]);
        }
        let info = &groups[group];
        let from = &streams[info.group.stream];
        let keys: Option<Vec<usize>> = info
            .group
            .keys
            .iter()
            .map(|key| key_field(*key, from, &streams[self.stream], info, span, report))
            .collect();
        let keys = keys?;
        let offset = self.next;
        self.next += info.group.features.len();
        self.offsets.push(offset);
        self.reads.push(Read { group, keys });
        Some(offset)
    }

    /// `group.feature[5m]` in an expression of the view.
    pub fn member(
        &mut self,
        group: &Name,
        name: &Name,
        window: Option<&ast::Window>,
        (streams, groups): (&[StreamInfo], &[GroupInfo]),
        report: &mut Report,
    ) -> Option<Expr> {
        let at = find_group(group, groups, report)?;
        let offset = self.read(at, group.span, (streams, groups), report)?;
        let info = &groups[at];
        let Some(family) = info.families.by_name.get(&name.text) else {
            unknown_feature(info, name, report);
            return None;
        };
        info.families.column(family, name, window, report, |at| offset + at)
    }

    /// `feature[5m]` in an expression of the view: of the one group in use that has it.
    pub fn selected(
        &self,
        name: &Name,
        window: &ast::Window,
        groups: &[GroupInfo],
        report: &mut Report,
    ) -> Option<Expr> {
        let found: Vec<&Built> = self
            .built
            .iter()
            .filter(|b| b.group.is_some() && b.origin.family == name.text)
            .filter(|b| b.origin.width == Some(window.width))
            .collect();
        if let [only] = found[..] {
            return Some(only.expr.clone());
        }
        if self.broken {
            return None;
        }
        let owners = groups.iter().filter(|g| g.families.by_name.contains_key(&name.text));
        let choices: Vec<String> =
            owners.map(|g| format!("`{}.{}[{}]`", g.group.name, name.text, window.text)).collect();
        let message = format!("this view has no `{}[{}]` of its own", name.text, window.text);
        let hint = (!choices.is_empty()).then(|| format!("write {}", choices.join(" or ")));
        report.push(
            Diagnostic::error(Code::UnknownName, name.span.to(window.span), message).hint_if(hint),
        );
        None
    }

    /// Names columns: those of one name from several groups are written with their group.
    fn finish(self, report: &mut Report) -> (Vec<Read>, Vec<ViewColumn>, ColumnNames) {
        let mut groups_of: HashMap<&str, Vec<&Arc<str>>> = HashMap::new();
        for column in &self.built {
            let groups = groups_of.entry(&column.name).or_default();
            if let Some(group) = &column.group
                && !groups.contains(&group)
            {
                groups.push(group);
            }
        }
        let mut seen: HashMap<Arc<str>, SourceSpan> = HashMap::new();
        let mut columns = Vec::with_capacity(self.built.len());
        let mut origins = Vec::with_capacity(self.built.len());
        for column in &self.built {
            let is_shared = groups_of.get(&*column.name).is_some_and(|g| g.len() > 1);
            let name: Arc<str> = match &column.group {
                Some(group) if is_shared => format!("{group}_{}", column.name).into(),
                Some(_) | None => Arc::clone(&column.name),
            };
            if let Some(first) = seen.insert(Arc::clone(&name), column.span) {
                report.duplicate(&name, column.span, first);
            }
            columns.push(ViewColumn {
                name,
                ty: column.expr.ty.clone(),
                nullable: column.nullable,
                expr: column.expr.clone(),
            });
            origins.push(column.origin.clone());
        }
        let is_lost = |definition: &(SourceSpan, Option<Inlined>)| definition.1.is_none();
        let lost = self.columns.by_name.into_iter().filter(|(_, d)| is_lost(d)).map(|(n, _)| n);
        let names = ColumnNames::new(&columns, &origins, lost.collect());
        (self.reads, columns, names)
    }
}

fn width(window: Option<Window>) -> Option<Span> {
    match window? {
        Window::Sliding { width, .. } => Some(width),
        Window::Lifetime => None,
    }
}

pub(super) fn find_group(name: &Name, groups: &[GroupInfo], report: &mut Report) -> Option<usize> {
    let Some(found) = groups.iter().position(|g| *g.group.name == *name.text) else {
        let known = groups.iter().map(|g| &*g.group.name);
        report.unknown(Code::UnknownName, "feature group", name, "", known);
        return None;
    };
    // A group whose stream is not known has been told.
    let info = &groups[found];
    (!(info.families.broken && info.group.features.is_empty())).then_some(found)
}

pub(super) fn unknown_feature(info: &GroupInfo, name: &Name, report: &mut Report) {
    if info.families.broken {
        return;
    }
    let known = info.families.by_name.keys().map(|k| &**k);
    let place = format!(" in `{}`", info.group.name);
    report.unknown(Code::UnknownName, "feature", name, &place, known);
}

/// The field of the view's stream that gives a part of a group's key: the one of the same name
/// and type, else the only one of the same entity.
fn key_field(
    key: usize,
    from: &StreamInfo,
    to: &StreamInfo,
    group: &GroupInfo,
    span: SourceSpan,
    report: &mut Report,
) -> Option<usize> {
    let key = &from.stream.schema.fields[key];
    let schema = &to.stream.schema;
    let same_name = to.index.get(&key.name).copied();
    if let Some(at) = same_name
        && schema.fields[at].ty == key.ty
    {
        return Some(at);
    }
    let of_entity: Vec<usize> = match &key.ty {
        Type::Key(_) => (0..schema.fields.len())
            .filter(|at| to.known[*at] && schema.fields[*at].ty == key.ty)
            .collect(),
        _ => Vec::new(),
    };
    if let [only] = of_entity[..] {
        return Some(only);
    }
    if to.broken {
        return None;
    }
    let names: Vec<String> =
        of_entity.iter().map(|at| format!("`{}`", schema.fields[*at].name)).collect();
    let (reason, hint) = match names.is_empty() {
        true => (
            "does not carry".to_owned(),
            format!("add `{} : {}` to the stream `{}`", key.name, key.ty, schema.stream),
        ),
        false => (
            format!("carries {} times", names.len()),
            format!("of {}, name one `{}`", names.join(" and "), key.name),
        ),
    };
    let message = format!(
        "`{}` needs the key `{}`, which the stream `{}` {reason}",
        group.group.name, key.name, schema.stream
    );
    report.push(Diagnostic::error(Code::MissingKey, span, message).hint(hint));
    None
}
