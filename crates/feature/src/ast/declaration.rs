//! Tree to AST: entities, streams, groups, views.

use crate::diagnostic::Code;
use crate::lexer::TokenKind;
use crate::tree::{NodeId, NodeKind};

use super::lower::Lower;
use super::{
    At, Clause, EntityItem, Expr, ExprKind, Feature, Field, Fresh, Group, Let, Modifier, Otherwise,
    Project, Selection, Stream, TypeRef, Use, View, ViewItem, Window,
};

impl Lower<'_> {
    pub fn declaration(&mut self, id: NodeId, project: &mut Project) {
        match self.kind(id) {
            NodeKind::EntityDeclaration => {
                let items: Vec<NodeId> = self.nodes(id, NodeKind::EntityItem).collect();
                for item in items {
                    let Some(name) = self.first_name(item, NodeKind::Name) else { continue };
                    let kind = self.first(item, NodeKind::Type).and_then(|t| self.type_ref(t));
                    project.entities.push(EntityItem { name, kind });
                }
            }
            NodeKind::StreamDeclaration => project.streams.extend(self.stream(id)),
            NodeKind::GroupDeclaration => project.groups.extend(self.group(id)),
            NodeKind::ViewDeclaration => project.views.extend(self.view(id)),
            NodeKind::LabelDeclaration => project.labels.extend(self.label(id)),
            NodeKind::ModelDeclaration => project.models.extend(self.model(id)),
            NodeKind::DecisionDeclaration => project.decisions.extend(self.decision(id)),
            NodeKind::TestDeclaration => project.tests.extend(self.test(id)),
            // What did not parse has its diagnostic; nothing else stands at the top of a file.
            _ => {}
        }
    }

    fn stream(&mut self, id: NodeId) -> Option<Stream> {
        let name = self.first_name(id, NodeKind::Name)?;
        let retracts = self.first(id, NodeKind::Retracts).map(|r| self.span(r));
        let mut fields = Vec::new();
        let mut roles_lost = false;
        for (item, parsed) in self.items(id) {
            if self.kind(item) == NodeKind::Field {
                fields.extend(self.field(item, parsed));
                roles_lost |= !parsed;
            }
        }
        Some(Stream { name, retracts, fields, broken: self.is_broken(id), roles_lost })
    }

    fn field(&mut self, id: NodeId, parsed: bool) -> Option<Field> {
        let name = self.first_name(id, NodeKind::Name)?;
        let ty = self.first(id, NodeKind::Type).filter(|_| parsed);
        let ty = ty.and_then(|t| self.type_ref(t));
        let nodes: Vec<NodeId> = self.nodes(id, NodeKind::FieldModifier).collect();
        let mut modifiers = Vec::new();
        for node in nodes {
            let value = match self.tree.signs(node).next().map(|token| self.token_text(token)) {
                Some("id") => Some(Modifier::Id),
                Some("time") => Some(Modifier::Time),
                Some("late") => self.duration(node).map(|d| Modifier::Late(d.value)),
                _ => None,
            };
            let span = self.span(node);
            modifiers.extend(value.map(|value| At { value, span }));
        }
        Some(Field { name, ty, modifiers })
    }

    pub fn type_ref(&mut self, id: NodeId) -> Option<TypeRef> {
        let name = self.first_name(id, NodeKind::Name)?;
        let arguments: Vec<NodeId> = self.nodes(id, NodeKind::Type).collect();
        let nullable = self.sign(id, TokenKind::Question).map(|t| self.token_span(t));
        Some(TypeRef {
            name,
            digits: self.whole(id),
            arguments: arguments.into_iter().filter_map(|t| self.type_ref(t)).collect(),
            nullable,
            span: self.span(id),
        })
    }

    fn group(&mut self, id: NodeId) -> Option<Group> {
        let name = self.first_name(id, NodeKind::Name)?;
        let mut group = Group {
            name,
            keys: self.first(id, NodeKind::Keys).map(|k| self.names(k)).unwrap_or_default(),
            stream: self.first_name(id, NodeKind::Source),
            owners: Vec::new(),
            freshness: Vec::new(),
            lets: Vec::new(),
            features: Vec::new(),
            broken: self.is_broken(id),
        };
        for (item, parsed) in self.items(id) {
            match self.kind(item) {
                NodeKind::Owner => {
                    let token = self.sign(item, TokenKind::String);
                    let value = token.and_then(|t| self.string(t));
                    let span = self.span(item);
                    group.owners.extend(value.map(|value| At { value, span }));
                }
                NodeKind::Fresh => group.freshness.extend(self.fresh(item)),
                NodeKind::Let => {
                    let body = self.body(item, parsed);
                    let name = self.first_name(item, NodeKind::Name);
                    group.lets.extend(name.map(|name| Let { name, body }));
                }
                NodeKind::Feature => group.features.extend(self.feature(item, parsed)),
                _ => {}
            }
        }
        Some(group)
    }

    /// `fresh 500ms, else last good for 5m, else default`: its words in order.
    fn fresh(&mut self, id: NodeId) -> Option<At<Fresh>> {
        let span = self.span(id);
        let within = self.duration(id)?.value;
        let mut otherwise = Vec::new();
        let tokens: Vec<_> = self.tree.signs(id).skip(2).collect();
        for token in tokens {
            let value = match (token.kind, self.token_text(token)) {
                (TokenKind::Duration, _) => {
                    self.duration_of(token).map(|d| Otherwise::LastGoodFor(d.value))
                }
                (_, "default") => Some(Otherwise::Default),
                (_, "refuse") => Some(Otherwise::Refuse),
                (_, _) => None,
            };
            let span = self.token_span(token);
            otherwise.extend(value.map(|value| At { value, span }));
        }
        Some(At { value: Fresh { within, otherwise }, span })
    }

    /// The expression of an item, if the item parsed.
    pub fn body(&mut self, id: NodeId, parsed: bool) -> Expr {
        match parsed {
            true => self.child_expression(id),
            false => Expr { kind: ExprKind::Error, span: self.span(id) },
        }
    }

    fn feature(&mut self, id: NodeId, parsed: bool) -> Option<Feature> {
        let name = self.first_name(id, NodeKind::Name)?;
        let body = self.body(id, parsed);
        let mut clauses = Vec::new();
        if !parsed {
            return Some(Feature { name, body, clauses });
        }
        for node in self.tree.nodes(id) {
            let value = match self.kind(node) {
                NodeKind::Where => Some(Clause::Where(self.child_expression(node))),
                NodeKind::Default => Some(Clause::Default(self.child_expression(node))),
                NodeKind::Over => Some(Clause::Over(self.windows(node))),
                NodeKind::Every => self.duration(node).map(|d| Clause::Every(d.value)),
                NodeKind::Decay => Some(Clause::Decay),
                NodeKind::Per => Some(Clause::Per),
                NodeKind::Top => Some(Clause::Top),
                NodeKind::Within => Some(Clause::Within),
                _ => None,
            };
            let span = self.span(node);
            clauses.extend(value.map(|value| At { value, span }));
        }
        Some(Feature { name, body, clauses })
    }

    fn windows(&mut self, id: NodeId) -> Vec<Window> {
        let tokens: Vec<_> =
            self.tree.signs(id).filter(|t| t.kind == TokenKind::Duration).collect();
        tokens.into_iter().filter_map(|token| self.window_of(token)).collect()
    }

    fn view(&mut self, id: NodeId) -> Option<View> {
        let name = self.first_name(id, NodeKind::Name)?;
        let mut items = Vec::new();
        for (item, parsed) in self.items(id) {
            match self.kind(item) {
                NodeKind::Use => items.extend(self.use_group(item).map(ViewItem::Use)),
                NodeKind::Feature => {
                    items.extend(self.feature(item, parsed).map(ViewItem::Column));
                }
                _ => {}
            }
        }
        Some(View {
            name,
            stream: self.first_name(id, NodeKind::Source),
            including: self.first(id, NodeKind::Including).is_some(),
            items,
            broken: self.is_broken(id),
        })
    }

    fn use_group(&mut self, id: NodeId) -> Option<Use> {
        let group = self.first_name(id, NodeKind::Name)?;
        let items: Vec<NodeId> = self.nodes(id, NodeKind::UseItem).collect();
        let has_list = self.sign(id, TokenKind::OpenBrace).is_some();
        let items = has_list.then(|| items.into_iter().filter_map(|i| self.selection(i)).collect());
        Some(Use { group, items })
    }

    /// `attempts` or `attempts[5m]`, at the beginning of the node.
    pub fn selection(&mut self, id: NodeId) -> Option<Selection> {
        let name = self.first_name(id, NodeKind::Name)?;
        let window = self.window(id);
        let end = window.as_ref().map_or(name.span, |w| w.span);
        // Up to the bracket behind the window.
        let bracket = self.sign(id, TokenKind::CloseBracket).map(|t| self.token_span(t));
        let span = name.span.to(bracket.unwrap_or(end));
        Some(Selection { name, window, span })
    }

    /// The expression directly under the node; an error, already told, if there is none.
    pub fn child_expression(&mut self, id: NodeId) -> Expr {
        let child = self.tree.nodes(id).find(|child| is_expression(self.kind(*child)));
        match child {
            Some(child) => self.expression(child),
            None => Expr { kind: ExprKind::Error, span: self.span(id) },
        }
    }

    pub fn bad_number(&mut self, at: crate::source::SourceSpan, message: &str) {
        self.sink.error(Code::BadNumber, at, message);
    }
}

/// Whether a node is an expression.
pub(super) fn is_expression(kind: NodeKind) -> bool {
    matches!(
        kind,
        NodeKind::Literal
            | NodeKind::NameExpression
            | NodeKind::Member
            | NodeKind::Index
            | NodeKind::Call
            | NodeKind::Unary
            | NodeKind::Binary
            | NodeKind::IsNull
            | NodeKind::In
            | NodeKind::If
            | NodeKind::Paren
            | NodeKind::List
    )
}
