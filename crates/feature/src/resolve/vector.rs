//! What the conditions of a decision may name: the columns of its view, and the scores of its
//! models. Nothing else, so that a logged vector with its scores explains the decision.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use millrace_event::Type;
use millrace_event::expr::{Expr, Kind};

use crate::ast::{Name, Window};
use crate::diagnostic::{Code, Diagnostic};

use super::Report;
use super::column::{Found, ambiguous};
use super::group::GroupInfo;
use super::model::ModelInfo;
use super::stream::StreamInfo;
use super::view::{ViewInfo, find_group, unknown_feature};

pub(super) struct Vector<'a> {
    pub view: &'a ViewInfo,
    /// That of the view's events.
    pub stream: &'a StreamInfo,
    pub groups: &'a [GroupInfo],
    pub models: &'a HashMap<Arc<str>, ModelInfo>,
    /// The place of each score among the scores.
    pub scores: HashMap<Arc<str>, usize>,
    pub shadows: HashSet<Arc<str>>,
}

impl Vector<'_> {
    /// What a bare name means.
    pub fn name(&self, name: &Name, report: &mut Report) -> Option<Expr> {
        if let Some(place) = self.scores.get(&name.text) {
            let column = self.view.view.columns.len() + place;
            return Some(Expr::column(column, Type::Float, false));
        }
        if self.shadows.contains(&name.text) {
            let message = format!("`{}` is a shadow model, which never acts", name.text);
            report.push(
                Diagnostic::error(Code::ShadowInCondition, name.span, message)
                    .hint(format!("write `score {}` to let it act", name.text)),
            );
            return None;
        }
        match self.view.names.find(&name.text, None) {
            Found::One(at) => Some(self.column(at)),
            Found::Several(found) => {
                ambiguous(&name.text, name.span, &found, &self.view.view.columns, report);
                None
            }
            Found::Nothing => {
                self.unknown(name, report);
                None
            }
        }
    }

    /// What `attempts[5m]` means: the only column that is this feature of some group.
    pub fn indexed(&self, name: &Name, window: &Window, report: &mut Report) -> Option<Expr> {
        let span = name.span.to(window.span);
        match self.view.names.find(&name.text, Some(window)) {
            Found::One(at) => return Some(self.column(at)),
            Found::Several(found) => {
                ambiguous(&name.text, span, &found, &self.view.view.columns, report);
            }
            Found::Nothing if self.view.broken || self.view.names.is_lost(&name.text) => {}
            Found::Nothing => {
                let view = &self.view.view.name;
                let message = format!("`{}[{}]` is no column of `{view}`", name.text, window.text);
                let has_it = |g: &&GroupInfo| g.families.by_name.contains_key(&name.text);
                let owner = self.groups.iter().find(has_it);
                report.push(
                    Diagnostic::error(Code::UnknownName, span, message).hint_if(
                        owner.map(|g| add_feature(&g.group.name, &name.text, Some(window))),
                    ),
                );
            }
        }
        None
    }

    /// What `group.feature` and `group.feature[5m]` mean: the column that is exactly this feature,
    /// whatever it is called.
    pub fn member(
        &self,
        group: &Name,
        name: &Name,
        window: Option<&Window>,
        report: &mut Report,
    ) -> Option<Expr> {
        let at = find_group(group, self.groups, report)?;
        let info = &self.groups[at];
        let Some(family) = info.families.by_name.get(&name.text) else {
            unknown_feature(info, name, report);
            return None;
        };
        let feature = info.families.member(family, name, window, report)?;
        let wanted = self.place(at, feature);
        let is_it = |expr: &Expr| matches!(expr.kind, Kind::Column(c) if Some(c) == wanted);
        let view = &self.view.view;
        if let Some(at) = view.columns.iter().position(|column| is_it(&column.expr)) {
            return Some(self.column(at));
        }
        if !self.view.broken {
            let feature = &info.group.features[feature];
            let message =
                format!("no column of `{}` is `{}.{}`", view.name, group.text, feature.name);
            let end = window.map_or(name.span, |w| w.span);
            report.push(
                Diagnostic::error(Code::UnknownName, group.span.to(end), message)
                    .hint(add_feature(&group.text, &name.text, window)),
            );
        }
        None
    }

    /// Where a feature is among what the columns of the view are computed from.
    fn place(&self, group: usize, feature: usize) -> Option<usize> {
        let mut start = self.stream.stream.schema.fields.len();
        for read in &self.view.view.reads {
            if read.group == group {
                return Some(start + feature);
            }
            start += self.groups[read.group].group.features.len();
        }
        None
    }

    /// Every column may be null: what is too old by the time it is served has no value.
    fn column(&self, at: usize) -> Expr {
        Expr::column(at, self.view.view.columns[at].ty.clone(), true)
    }

    fn unknown(&self, name: &Name, report: &mut Report) {
        let view = &self.view.view;
        if self.view.broken || self.view.names.is_lost(&name.text) {
            return;
        }
        let tell = |code, message, hint| Diagnostic::error(code, name.span, message).hint(hint);
        let text = &name.text;
        if self.models.contains_key(text) {
            let message = format!("`{text}` is a model that this decision does not score");
            let hint = format!("write `score {text}` in the decision");
            report.push(tell(Code::UnknownName, message, hint));
        } else if let Some(info) = self.groups.iter().find(|g| *g.group.name == **text) {
            let message = format!("`{text}` is a feature group, not a value");
            let example = info.group.features.first().map_or("feature", |f| &*f.family);
            let hint = format!("name one of its features: `{text}.{example}`");
            report.push(tell(Code::TypeMismatch, message, hint));
        } else if self.stream.index.contains_key(text) {
            let stream = &self.stream.stream.schema.stream;
            let message =
                format!("`{text}` is a field of `{stream}`, and no column of `{}`", view.name);
            let hint = format!("add it to the view: `{text} = {text}`");
            report.push(tell(Code::UnknownName, message, hint));
        } else {
            let columns = view.columns.iter().map(|c| &*c.name);
            let scores = self.scores.keys().map(|s| &**s);
            let place = format!(" in `{}`", view.name);
            report.unknown(Code::UnknownName, "column", name, &place, columns.chain(scores));
        }
    }
}

fn add_feature(group: &str, feature: &str, window: Option<&Window>) -> String {
    let window = window.map(|w| format!("[{}]", w.text)).unwrap_or_default();
    format!("add it to the view: `use {group}.{{{feature}{window}}}`")
}
