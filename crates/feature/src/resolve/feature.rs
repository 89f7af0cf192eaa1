//! The features of one group, one after the other.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_aggregate::{Layout, Window};
use millrace_event::expr::Expr;
use millrace_event::{Type, Value};

use crate::ast::{self, At, Clause};
use crate::canonical::{self, Columns};
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::{DefinitionHash, Feature, Source};
use crate::source::SourceSpan;

use super::Report;
use super::aggregate::Aggregation;
use super::constant::{Place, constant};
use super::group::{Families, Family, is_aggregate};
use super::layout::LayoutBuilder;
use super::order::Later;
use super::scope::{Context, Definitions, GroupNames, Scope};
use super::stream::StreamInfo;

/// A group while its features are resolved.
pub(super) struct GroupBuilder<'a> {
    pub stream: &'a StreamInfo,
    /// Of the events that are aggregated, and of the fields that expressions are over.
    pub events: DefinitionHash,
    pub columns: Columns,
    pub lets: &'a Definitions,
    pub names: &'a HashMap<Arc<str>, SourceSpan>,
    pub later: &'a Later,
    pub report: &'a mut Report,
    pub layout: LayoutBuilder,
    pub families: Families,
    /// Where each full name, such as `attempts_5m`, comes from.
    full_names: HashMap<Arc<str>, SourceSpan>,
    no_lets: Later,
}

/// The clauses of a feature, each at most once.
#[derive(Default)]
pub(super) struct Clauses<'a> {
    pub condition: Option<(&'a ast::Expr, SourceSpan)>,
    pub windows: Option<(&'a [ast::Window], SourceSpan)>,
    pub every: Option<At<millrace_event::Span>>,
    pub default: Option<(&'a ast::Expr, SourceSpan)>,
    pub decay: Option<SourceSpan>,
    pub per: Option<SourceSpan>,
    pub top: Option<SourceSpan>,
    pub within: Option<SourceSpan>,
}

impl<'a> Clauses<'a> {
    pub fn new(clauses: &'a [At<Clause>], report: &mut Report) -> Clauses<'a> {
        let mut all = Clauses::default();
        for clause in clauses {
            let span = clause.span;
            let first = match &clause.value {
                Clause::Where(e) => all.condition.replace((e, span)).map(|c| c.1),
                Clause::Over(windows) => all.windows.replace((windows, span)).map(|c| c.1),
                Clause::Every(value) => {
                    all.every.replace(At { value: *value, span }).map(|c| c.span)
                }
                Clause::Default(e) => all.default.replace((e, span)).map(|c| c.1),
                Clause::Decay => all.decay.replace(span),
                Clause::Per => all.per.replace(span),
                Clause::Top => all.top.replace(span),
                Clause::Within => all.within.replace(span),
            };
            if let Some(first) = first {
                report.push(
                    Diagnostic::error(Code::DuplicateClause, span, "this clause stands twice")
                        .label(first, "first here"),
                );
            }
        }
        all
    }

    /// Everything but `default`: what only an aggregate has.
    pub fn of_aggregates(&self) -> impl Iterator<Item = SourceSpan> {
        let all = [
            self.condition.map(|c| c.1),
            self.windows.map(|c| c.1),
            self.every.map(|c| c.span),
            self.decay,
            self.per,
            self.top,
            self.within,
        ];
        all.into_iter().flatten()
    }
}

impl<'a> GroupBuilder<'a> {
    pub fn new(
        ast: &'a ast::Group,
        stream: &'a StreamInfo,
        keys: &[usize],
        lets: &'a Definitions,
        names: &'a HashMap<Arc<str>, SourceSpan>,
        later: &'a Later,
        report: &'a mut Report,
    ) -> GroupBuilder<'a> {
        GroupBuilder {
            stream,
            events: canonical::events(&stream.stream.schema, keys),
            columns: Columns::of_stream(&stream.stream.schema),
            lets,
            names,
            later,
            report,
            layout: LayoutBuilder::default(),
            families: Families { broken: ast.broken, ..Families::default() },
            full_names: HashMap::new(),
            no_lets: Later::default(),
        }
    }

    pub fn finish(self) -> (Families, Layout) {
        let layout = self.layout.finish(&self.stream.stream.schema);
        (self.families, layout)
    }

    /// Resolves a feature. It is known by its name afterwards, even with a mistake.
    pub fn feature(&mut self, ast: &'a ast::Feature) {
        let clauses = Clauses::new(&ast.clauses, self.report);
        let before = self.families.features.len();
        let resolved = match is_aggregate(&ast.body) {
            true => self.aggregation(ast, &clauses).map(|a| self.aggregates(ast, &a)),
            false => self.derived(ast, &clauses),
        };
        let members = match resolved {
            Some(()) => (before..self.families.features.len()).collect(),
            None => Vec::new(),
        };
        let family = Family { span: ast.name.span, members };
        self.families.by_name.entry(Arc::clone(&ast.name.text)).or_insert(family);
    }

    /// An expression over the fields of one event.
    pub fn over_event<T>(&mut self, f: impl FnOnce(&mut Context<'_>) -> Option<T>) -> Option<T> {
        let scope = Scope::Event {
            stream: self.stream,
            lets: self.lets,
            later: &self.no_lets,
            group: GroupNames(self.names),
        };
        f(&mut Context::new(scope, self.report))
    }

    /// One feature for each window.
    fn aggregates(&mut self, ast: &ast::Feature, aggregation: &Aggregation) {
        for (window, suffix) in &aggregation.windows {
            let name: Arc<str> = match suffix {
                Some(suffix) => format!("{}_{suffix}", ast.name.text).into(),
                None => Arc::clone(&ast.name.text),
            };
            let aggregate = self.layout.aggregate(
                aggregation.function,
                aggregation.input,
                aggregation.filter,
                *window,
                &aggregation.ty,
            );
            let default = aggregation.default.clone();
            let hash = aggregation.family.feature(Some(window), default.as_ref());
            self.push(
                Feature {
                    name,
                    family: Arc::clone(&ast.name.text),
                    window: suffix.is_some().then_some(*window),
                    ty: aggregation.ty.clone(),
                    nullable: aggregation.nullable && default.is_none(),
                    default,
                    source: Source::Aggregate(aggregate),
                    hash,
                },
                ast.name.span,
            );
        }
    }

    fn derived(&mut self, ast: &ast::Feature, clauses: &Clauses<'_>) -> Option<()> {
        let scope =
            Scope::Derived { families: &self.families, later: self.later, stream: self.stream };
        // What its body is meant to be is not known where that has a mistake.
        let expr = Context::new(scope, self.report).typed(&ast.body)?;
        let mut failed = false;
        for span in clauses.of_aggregates() {
            self.report.push(
                Diagnostic::error(
                    Code::MisplacedClause,
                    span,
                    "a feature computed from features has no window and no condition of its own",
                )
                .hint("write the clause on an aggregate, such as `count() over 5m`"),
            );
            failed = true;
        }
        if failed {
            return None;
        }
        let default = match clauses.default {
            Some((e, _)) => Some(self.default(e, &expr.ty)?),
            None => None,
        };
        let hash = self.derived_hash(&expr);
        let hash = canonical::Family::derived(&hash).feature(None, default.as_ref());
        let Expr { ty, nullable, .. } = expr.clone();
        let feature = Feature {
            name: Arc::clone(&ast.name.text),
            family: Arc::clone(&ast.name.text),
            window: None,
            ty,
            nullable: nullable && default.is_none(),
            default,
            source: Source::Derived(expr),
            hash,
        };
        self.push(feature, ast.name.span);
        Some(())
    }

    /// Features are written by their hashes, and only those that the expression names.
    fn derived_hash(&self, expr: &Expr) -> DefinitionHash {
        let mut named: Vec<usize> = Vec::new();
        expr.for_each_column(&mut |at| named.push(at));
        named.sort_unstable();
        named.dedup();
        let columns = Columns::of_hashes(named.iter().map(|at| &self.families.features[*at].hash));
        let mut expr = expr.clone();
        expr.map_columns(&mut |at| named.binary_search(&at).unwrap_or(0));
        columns.expression(&expr)
    }

    pub fn default(&mut self, expr: &ast::Expr, ty: &Type) -> Option<Value> {
        let value = constant(expr, ty, "this feature", Place::Definition, self.report)?;
        if value.is_null() {
            let message = "a default stands in for null, so it cannot be null";
            self.report.error(Code::NotConstant, expr.span, message);
            return None;
        }
        Some(value)
    }

    fn push(&mut self, feature: Feature, span: SourceSpan) {
        // Two features of one name as written have been told; `a_5m` and `a[5m]` have not.
        let first = self.full_names.insert(Arc::clone(&feature.name), span);
        if let Some(first) = first
            && self.names.get(&feature.family) == Some(&span)
        {
            self.report.duplicate(&feature.name, span, first);
        }
        self.families.features.push(feature);
    }
}

/// The window of an aggregation and how it is written, if it is.
pub(super) type Windows = Vec<(Window, Option<Arc<str>>)>;
