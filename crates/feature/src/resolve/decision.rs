//! Decisions: the models that are scored, and the rules over their scores and the view's columns.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use millrace_event::Type;

use crate::ast::{self, At, DecisionItem, Name};
use crate::canonical;
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::{self, Outcome, Rule};
use crate::source::SourceSpan;

use super::column::Found;
use super::scope::{Context, Scope};
use super::vector::Vector;
use super::{Resolver, missing_part};

/// The models of one decision.
#[derive(Default)]
struct Cast {
    scores: Vec<usize>,
    shadows: Vec<usize>,
    /// The place of each score among the scores.
    places: HashMap<Arc<str>, usize>,
    in_shadow: HashSet<Arc<str>>,
    /// Where each model is named first.
    spans: HashMap<Arc<str>, SourceSpan>,
}

impl Resolver<'_> {
    pub fn decisions(&mut self) -> Vec<plan::Decision> {
        let project = self.project;
        if let Some(beyond) = project.decisions.get(plan::Decision::DECISIONS_MAX) {
            let what = "a project has at most 4,096 decisions";
            self.beyond(
                beyond.name.span,
                what,
                "give one decision more rules, or make a second project",
            );
        }
        project.decisions.iter().filter_map(|decision| self.decision(decision)).collect()
    }

    /// What has no place in a record of the decision log.
    fn beyond(&mut self, span: SourceSpan, what: &str, hint: &str) {
        self.report.push(Diagnostic::error(Code::DecisionLimit, span, what).hint(hint));
    }

    /// Says which item is the first beyond a limit.
    fn within_limits(&mut self, ast: &ast::Decision, view: Option<usize>) {
        let spans =
            |kind: fn(&DecisionItem) -> Option<SourceSpan>| ast.items.iter().filter_map(kind);
        let rule = |item: &DecisionItem| match item {
            DecisionItem::Rule(rule) => Some(rule.span),
            DecisionItem::Score(_) | DecisionItem::Shadow(_) | DecisionItem::Else(_) => None,
        };
        let score = |item: &DecisionItem| match item {
            DecisionItem::Score(model) => Some(model.span),
            DecisionItem::Rule(_) | DecisionItem::Shadow(_) | DecisionItem::Else(_) => None,
        };
        let shadow = |item: &DecisionItem| match item {
            DecisionItem::Shadow(model) => Some(model.span),
            DecisionItem::Rule(_) | DecisionItem::Score(_) | DecisionItem::Else(_) => None,
        };
        let (rules_max, models_max) = (plan::Decision::RULES_MAX, plan::Decision::MODELS_MAX);
        let rule = spans(rule).nth(rules_max);
        let score = spans(score).nth(models_max);
        let shadow = spans(shadow).nth(models_max);
        if let Some(span) = rule {
            self.beyond(span, "a decision has at most 4,096 rules", "join conditions with `or`");
        }
        if let Some(span) = score {
            let hint = "score those that a rule names, and the others in another decision";
            self.beyond(span, "a decision scores at most 64 models", hint);
        }
        if let Some(span) = shadow {
            let hint = "try the others in another decision";
            self.beyond(span, "a decision has at most 64 shadow models", hint);
        }
        let groups = view.map_or(0, |view| self.views[view].view.reads.len());
        if let Some(name) = ast.view.as_ref().filter(|_| groups > plan::Decision::GROUPS_MAX) {
            let what = "a decision is on a view that reads at most 4,096 groups";
            self.beyond(name.span, what, "take fewer groups into the view");
        }
    }

    fn decision(&mut self, ast: &ast::Decision) -> Option<plan::Decision> {
        let view = match &ast.view {
            Some(name) => self.view_named(name),
            None => None,
        };
        self.within_limits(ast, view);
        let mut cast = Cast::default();
        for item in &ast.items {
            match item {
                DecisionItem::Score(model) => self.cast(model, Role::Score, view, &mut cast),
                DecisionItem::Shadow(model) => self.cast(model, Role::Shadow, view, &mut cast),
                DecisionItem::Rule(_) | DecisionItem::Else(_) => {}
            }
        }
        let otherwise = self.otherwise(ast);
        let view = view?;
        let Cast { scores, shadows, places, in_shadow, .. } = cast;
        let rules = self.rules(ast, view, places, in_shadow)?;
        let mut decision = plan::Decision {
            name: Arc::clone(&ast.name.text),
            view,
            scores,
            shadows,
            rules,
            otherwise: otherwise?,
            hash: canonical::EMPTY,
        };
        decision.hash = canonical::decision(&decision, &self.views[view].view, &self.models);
        Some(decision)
    }

    /// One more model of the decision.
    fn cast(&mut self, name: &Name, role: Role, view: Option<usize>, cast: &mut Cast) {
        if let Some(first) = cast.spans.get(&name.text) {
            self.report.twice(name.span, *first);
            return;
        }
        cast.spans.insert(Arc::clone(&name.text), name.span);
        let place = cast.scores.len();
        // Known by its name from here on, whatever is wrong with it.
        match role {
            Role::Score => {
                cast.places.insert(Arc::clone(&name.text), place);
            }
            Role::Shadow => {
                cast.in_shadow.insert(Arc::clone(&name.text));
            }
        }
        let Some(model) = self.models_by_name.get(&name.text) else {
            let known = self.models_by_name.keys().map(|k| &**k);
            self.report.unknown(Code::UnknownName, "model", name, "", known);
            return;
        };
        match role {
            Role::Score => cast.scores.push(model.index),
            Role::Shadow => cast.shadows.push(model.index),
        }
        let (Some(view), Some((inputs, span))) = (view, model.inputs) else { return };
        let of = |view: usize| &self.views[view].view.name;
        if inputs != view {
            let message = format!(
                "the model `{}` takes `{}`, and this decision is on `{}`",
                name.text,
                of(inputs),
                of(view)
            );
            let hint = format!("name a model whose inputs are `{}`", of(view));
            self.report.push(
                Diagnostic::error(Code::InputsMismatch, name.span, message)
                    .label(span, "its inputs")
                    .hint(hint),
            );
        }
        if self.views[view].names.find(&name.text, None) != Found::Nothing {
            let message = format!("`{}` is a model, and a column of `{}`", name.text, of(view));
            self.report.push(
                Diagnostic::error(Code::DuplicateName, name.span, message)
                    .hint("nothing would tell them apart here: give one of them another name"),
            );
        }
    }

    /// The last line of a decision, behind which nothing stands.
    fn otherwise(&mut self, ast: &ast::Decision) -> Option<Outcome> {
        let mut first: Option<At<Outcome>> = None;
        for item in &ast.items {
            let (span, first) = match (item, first) {
                (DecisionItem::Else(otherwise), None) => {
                    first = Some(*otherwise);
                    continue;
                }
                (_, None) => continue,
                (DecisionItem::Else(otherwise), Some(first)) => {
                    self.report.twice(otherwise.span, first.span);
                    continue;
                }
                (DecisionItem::Score(model) | DecisionItem::Shadow(model), Some(first)) => {
                    (model.span, first)
                }
                (DecisionItem::Rule(rule), Some(first)) => (rule.span, first),
            };
            self.report.push(
                Diagnostic::error(Code::MisplacedClause, span, "nothing stands behind `else`")
                    .label(first.span, "here every event has its outcome")
                    .hint("make `else` the last line"),
            );
        }
        if first.is_none() && !ast.broken {
            let hint = "say what becomes of the rest: `else allow`";
            missing_part(&ast.name, "decision", "`else`", hint, self.report);
        }
        first.map(|otherwise| otherwise.value)
    }

    /// All rules, or nothing if one has a mistake.
    fn rules(
        &mut self,
        ast: &ast::Decision,
        view: usize,
        scores: HashMap<Arc<str>, usize>,
        shadows: HashSet<Arc<str>>,
    ) -> Option<Vec<Rule>> {
        let view = &self.views[view];
        let vector = Vector {
            view,
            stream: self.streams.get(view.view.stream)?,
            groups: &self.groups,
            models: &self.models_by_name,
            scores,
            shadows,
        };
        let mut rules = Vec::new();
        for item in &ast.items {
            let DecisionItem::Rule(rule) = item else { continue };
            let name = rule.name.as_ref();
            if let Some(name) = name.filter(|name| name.value.trim().is_empty()) {
                let hint = "say in a few words why, or leave it out";
                self.report.push(
                    Diagnostic::error(Code::MissingPart, name.span, "a rule with an empty name")
                        .hint(hint),
                );
            }
            let scope = Scope::Decision(&vector);
            let condition = Context::new(scope, self.report).checked(
                &rule.condition,
                &Type::Bool,
                "a condition",
            );
            let reason = name.map_or(&rule.text, |name| &name.value);
            rules.push(condition.map(|condition| Rule {
                outcome: rule.outcome,
                reason: Arc::clone(reason),
                condition,
            }));
        }
        rules.into_iter().collect()
    }
}

/// What a model is to a decision.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Score,
    Shadow,
}
