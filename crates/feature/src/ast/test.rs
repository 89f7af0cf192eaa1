//! Tree to AST: tests.

use millrace_event::State;

use crate::diagnostic::{Code, Diagnostic};
use crate::lexer::TokenKind;
use crate::tree::{NodeId, NodeKind};

use super::declaration::is_expression;
use super::lower::Lower;
use super::{
    At, Check, EventStep, Expected, Expr, ExprKind, GroupExpectation, Literal, Name, Step, Test,
    Timing, ViewExpectation,
};

impl Lower<'_> {
    pub fn test(&mut self, id: NodeId) -> Option<Test> {
        let token = self.sign(id, TokenKind::String)?;
        let name = At { value: self.string(token)?, span: self.token_span(token) };
        let mut steps = Vec::new();
        for (step, parsed) in self.items(id) {
            if !parsed {
                continue;
            }
            steps.extend(match self.kind(step) {
                NodeKind::EventStep => self.event(step).map(Step::Event),
                NodeKind::GroupExpectation => self.group_expectation(step).map(Step::Group),
                NodeKind::ViewExpectation => self.view_expectation(step).map(Step::View),
                _ => None,
            });
        }
        Some(Test { name, steps })
    }

    fn event(&mut self, id: NodeId) -> Option<EventStep> {
        let stream = self.first_name(id, NodeKind::Name)?;
        let record = self.first(id, NodeKind::Record)?;
        let mut entries: Vec<(Name, Expr)> = Vec::new();
        let nodes: Vec<NodeId> = self.nodes(record, NodeKind::Entry).collect();
        for entry in nodes {
            let value = self.child_expression(entry);
            entries.extend(self.first_name(entry, NodeKind::Name).map(|name| (name, value)));
        }
        let at = self.first(id, NodeKind::At).map(|at| Timing::At(self.child_expression(at)));
        let repeat = match self.first(id, NodeKind::Repeat) {
            Some(repeat) => Some(self.repeat(repeat)?),
            None => None,
        };
        Some(EventStep {
            label: self.first_name(id, NodeKind::EventName),
            stream,
            entries,
            timing: at.or(repeat),
            span: self.span(id),
        })
    }

    fn repeat(&mut self, id: NodeId) -> Option<Timing> {
        let step = self.duration(id)?.value;
        let times = self.whole::<u32>(id)?;
        let from = self.child_expression(id);
        match times.value {
            Some(value) => {
                Some(Timing::Every { step, times: At { value, span: times.span }, from })
            }
            None => {
                self.bad_number(times.span, "how many events must be a whole number");
                None
            }
        }
    }

    fn group_expectation(&mut self, id: NodeId) -> Option<GroupExpectation> {
        let at = self.first(id, NodeKind::At).map(|at| self.child_expression(at))?;
        let keys = self.first(id, NodeKind::Keys).map(|keys| self.expressions(keys))?;
        Some(GroupExpectation {
            at,
            group: self.first_name(id, NodeKind::Name)?,
            keys,
            checks: self.checks(id),
            span: self.span(id),
        })
    }

    fn view_expectation(&mut self, id: NodeId) -> Option<ViewExpectation> {
        Some(ViewExpectation {
            view: self.first_name(id, NodeKind::Name)?,
            event: self.first_name(id, NodeKind::EventName)?,
            checks: self.checks(id),
            span: self.span(id),
        })
    }

    fn checks(&mut self, id: NodeId) -> Vec<Check> {
        let nodes: Vec<NodeId> = self.nodes(id, NodeKind::Check).collect();
        nodes.into_iter().filter_map(|check| self.check(check)).collect()
    }

    fn check(&mut self, id: NodeId) -> Option<Check> {
        let selection = self.selection(id)?;
        if !self.has_word(id, "is") {
            return Some(Check { selection, expected: Expected::Value(self.child_expression(id)) });
        }
        if let Some(null) = self.tree.nodes(id).find(|n| is_expression(self.kind(*n))) {
            let null = Expr { kind: ExprKind::Literal(Literal::Null), span: self.span(null) };
            return Some(Check { selection, expected: Expected::Value(null) });
        }
        let state = self.names(id).pop()?;
        match State::ALL.iter().find(|s| s.name() == &*state.text) {
            Some(state) => Some(Check { selection, expected: Expected::State(*state) }),
            None => {
                self.sink.push(
                    Diagnostic::error(
                        Code::UnknownName,
                        state.span,
                        format!("`{}` is no state", state.text),
                    )
                    .hint("states are ok, empty, default, stale, limit and overflow"),
                );
                None
            }
        }
    }
}
