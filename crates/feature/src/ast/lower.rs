//! Tree to AST: the walk over one file, and the reading of what every declaration has.

use millrace_event::Span;

use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::foreign;
use crate::lexer::{Token, TokenKind};
use crate::source::SourceSpan;
use crate::tree::{Node, NodeId, NodeKind, Tree};

use super::{At, Name, Project, Window};

/// Adds the declarations of one file to the project.
pub(crate) fn tree_to_ast(
    file: u32,
    text: &str,
    tree: &Tree,
    project: &mut Project,
    sink: &mut Sink,
) {
    let mut lower = Lower { file, text, tree, sink };
    for id in tree.nodes(tree.root()) {
        lower.declaration(id, project);
    }
}

/// One file on its way from tree to AST.
pub(super) struct Lower<'a> {
    file: u32,
    pub text: &'a str,
    pub tree: &'a Tree,
    pub sink: &'a mut Sink,
}

impl<'a> Lower<'a> {
    pub fn node(&self, id: NodeId) -> &'a Node {
        self.tree.node(id)
    }

    pub fn kind(&self, id: NodeId) -> NodeKind {
        self.node(id).kind
    }

    pub fn span(&self, id: NodeId) -> SourceSpan {
        let Node { start, end, .. } = *self.node(id);
        SourceSpan { file: self.file, start, end }
    }

    pub fn token_span(&self, token: Token) -> SourceSpan {
        SourceSpan { file: self.file, start: token.start, end: token.end }
    }

    pub fn token_text(&self, token: Token) -> &'a str {
        &self.text[token.start as usize..token.end as usize]
    }

    pub fn nodes(&self, id: NodeId, kind: NodeKind) -> impl Iterator<Item = NodeId> + use<'a> {
        let tree = self.tree;
        tree.nodes(id).filter(move |child| tree.node(*child).kind == kind)
    }

    pub fn first(&self, id: NodeId, kind: NodeKind) -> Option<NodeId> {
        self.nodes(id, kind).next()
    }

    pub fn sign(&self, id: NodeId, kind: TokenKind) -> Option<Token> {
        self.tree.signs(id).find(|token| token.kind == kind)
    }

    pub fn has_word(&self, id: NodeId, word: &str) -> bool {
        self.tree.signs(id).any(|token| self.token_text(token) == word)
    }

    /// Whether names may be missing because something in the declaration did not parse.
    pub fn is_broken(&self, id: NodeId) -> bool {
        let mut has_name = false;
        self.tree.nodes(id).any(|child| {
            let lost = self.kind(child) == NodeKind::Error && !has_name;
            has_name = self.first(child, NodeKind::Name).is_some();
            lost
        })
    }

    /// The items of a declaration, each with whether it parsed: what follows a broken one was
    /// skipped into an `Error` node.
    pub fn items(&self, id: NodeId) -> Vec<(NodeId, bool)> {
        let children: Vec<NodeId> = self.tree.nodes(id).collect();
        let is_error =
            |at: usize| children.get(at).is_some_and(|child| self.kind(*child) == NodeKind::Error);
        children.iter().enumerate().map(|(at, child)| (*child, !is_error(at + 1))).collect()
    }

    /// The name that a `Name`, `Source`, `EventName` or `NameExpression` node holds.
    pub fn name(&self, id: NodeId) -> Option<Name> {
        let token = self.tree.signs(id).next()?;
        Some(Name { text: self.token_text(token).into(), span: self.token_span(token) })
    }

    pub fn first_name(&self, id: NodeId, kind: NodeKind) -> Option<Name> {
        let child = self.first(id, kind)?;
        self.name(child)
    }

    /// All names under the node.
    pub fn names(&self, id: NodeId) -> Vec<Name> {
        self.nodes(id, NodeKind::Name).filter_map(|id| self.name(id)).collect()
    }

    /// The first duration among the node's own tokens.
    pub fn duration(&mut self, id: NodeId) -> Option<At<Span>> {
        let token = self.sign(id, TokenKind::Duration)?;
        self.duration_of(token)
    }

    pub fn duration_of(&mut self, token: Token) -> Option<At<Span>> {
        let span = self.token_span(token);
        match self.token_text(token).parse::<Span>() {
            Ok(value) => Some(At { value, span }),
            Err(reason) => {
                let text = self.token_text(token);
                let told = format!("`{text}` is no duration: {reason}");
                let told = Diagnostic::error(Code::BadDuration, span, told);
                let digits = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'_').count();
                let (number, unit) = text.split_at(digits);
                self.sink.push(match foreign::duration(number, unit) {
                    Some((ours, true)) => told.hint(format!("write `{ours}`")).fix(span, ours),
                    Some((ours, false)) => told.hint(format!("write a fixed length: `{ours}`")),
                    None => {
                        told.hint("write a whole number and one unit of us, ms, s, m, h, d: `90m`")
                    }
                });
                None
            }
        }
    }

    /// As [`Lower::duration`], with its text.
    pub fn window(&mut self, id: NodeId) -> Option<Window> {
        let token = self.sign(id, TokenKind::Duration)?;
        self.window_of(token)
    }

    pub fn window_of(&mut self, token: Token) -> Option<Window> {
        let At { value, span } = self.duration_of(token)?;
        Some(Window { width: value, text: self.token_text(token).into(), span })
    }

    /// The first number among the node's own tokens, if it is a whole one of the type asked for.
    pub fn whole<T: std::str::FromStr>(&mut self, id: NodeId) -> Option<At<Option<T>>> {
        let token = self.sign(id, TokenKind::Number)?;
        let value = self.token_text(token).replace('_', "").parse().ok();
        Some(At { value, span: self.token_span(token) })
    }
}
