//! Tree to leaves: tokens and comments in order, each with what its place says about blanks.

use crate::lexer::{Token, TokenKind};
use crate::tree::{Child, NodeId, NodeKind, Tree};

/// A token or a comment.
#[derive(Clone, Debug)]
pub(super) struct Leaf<'t> {
    pub text: &'t str,
    pub kind: TokenKind,
    /// The node that it belongs to.
    pub parent: NodeKind,
    /// Line breaks between it and what is before it.
    pub breaks: usize,
    /// Blocks around it: 0 or 1.
    pub level: usize,
    /// Whether it begins an item or a declaration, or closes a block.
    pub begins_line: bool,
    /// Of a comment, whether it stands inside an item.
    pub in_item: bool,
    /// The item that it belongs to, if it is of those whose parts stand below each other.
    pub item: Option<NodeKind>,
    /// The part of the item that it begins.
    pub part: Option<usize>,
}

impl Leaf<'_> {
    pub fn is_comment(&self) -> bool {
        self.kind == TokenKind::Comment
    }

    /// The brace around the items of a declaration.
    pub fn opens_block(&self) -> bool {
        is_declaration(self.parent) && self.kind == TokenKind::OpenBrace
    }

    pub fn closes_block(&self) -> bool {
        is_declaration(self.parent) && self.kind == TokenKind::CloseBrace
    }
}

pub(super) fn tree_to_leaves<'t>(tree: &Tree, text: &'t str) -> Vec<Leaf<'t>> {
    let mut walk = Walk { tree, text, leaves: Vec::new() };
    for declaration in tree.nodes(tree.root()) {
        walk.node(declaration, Around { level: 0, item: None, part: None, begins_line: true });
    }
    with_trivia(&tree.tokens, text, walk.leaves)
}

/// The leaves of one node, without comments.
pub(super) fn node_to_leaves<'t>(tree: &Tree, text: &'t str, id: NodeId) -> Vec<Leaf<'t>> {
    let mut walk = Walk { tree, text, leaves: Vec::new() };
    walk.node(id, Around { level: 0, item: None, part: None, begins_line: false });
    walk.leaves
}

/// What a walk knows of the nodes around a node.
#[derive(Clone, Copy)]
struct Around {
    level: usize,
    item: Option<NodeKind>,
    /// What the first token of the node begins.
    part: Option<usize>,
    begins_line: bool,
}

struct Walk<'a, 't> {
    tree: &'a Tree,
    text: &'t str,
    leaves: Vec<Leaf<'t>>,
}

impl Walk<'_, '_> {
    /// Recursion is as deep as the parser's limits let a tree be.
    fn node(&mut self, id: NodeId, around: Around) {
        let node = self.tree.node(id);
        let mut next = around;
        for child in &node.children {
            match child {
                Child::Token(index) => {
                    let token = self.tree.token(*index);
                    if token.kind.is_trivia() {
                        continue;
                    }
                    self.token(token, node.kind, next);
                }
                Child::Node(child) => {
                    let kind = self.tree.node(*child).kind;
                    if is_declaration(node.kind) && is_item(kind) {
                        let item = is_aligned(kind).then_some(kind);
                        self.node(*child, Around { level: 1, item, part: None, begins_line: true });
                    } else {
                        let part = part_of_node(node.kind, kind).or(next.part);
                        self.node(*child, Around { part, ..next });
                    }
                }
            }
            next = Around { part: None, begins_line: false, ..around };
        }
    }

    fn token(&mut self, token: Token, parent: NodeKind, around: Around) {
        let closes_block = is_declaration(parent) && token.kind == TokenKind::CloseBrace;
        self.leaves.push(Leaf {
            text: &self.text[token.start as usize..token.end as usize],
            kind: token.kind,
            parent,
            breaks: 0,
            level: around.level,
            begins_line: around.begins_line || closes_block,
            in_item: false,
            item: around.item,
            part: part_of_sign(parent, token.kind).or(around.part),
        });
    }
}

/// Puts comments between the leaves, and counts line breaks.
fn with_trivia<'t>(tokens: &[Token], text: &'t str, leaves: Vec<Leaf<'t>>) -> Vec<Leaf<'t>> {
    let mut leaves = leaves.into_iter().peekable();
    let mut out = Vec::new();
    let mut breaks = 0;
    for token in tokens {
        let piece = &text[token.start as usize..token.end as usize];
        match token.kind {
            TokenKind::Blank => breaks += piece.matches('\n').count(),
            TokenKind::Comment => {
                let next = leaves.peek();
                out.push(Leaf {
                    text: piece.trim_end(),
                    kind: TokenKind::Comment,
                    parent: NodeKind::File,
                    breaks: std::mem::take(&mut breaks),
                    level: next.map_or(0, |next| if next.closes_block() { 1 } else { next.level }),
                    begins_line: false,
                    in_item: next.is_some_and(|next| !next.begins_line),
                    item: None,
                    part: None,
                });
            }
            _ => {
                let breaks = std::mem::take(&mut breaks);
                out.extend(leaves.next().map(|leaf| Leaf { breaks, ..leaf }));
            }
        }
    }
    out
}

fn is_declaration(kind: NodeKind) -> bool {
    matches!(
        kind,
        NodeKind::StreamDeclaration
            | NodeKind::GroupDeclaration
            | NodeKind::ViewDeclaration
            | NodeKind::LabelDeclaration
            | NodeKind::ModelDeclaration
            | NodeKind::DecisionDeclaration
            | NodeKind::TestDeclaration
    )
}

/// Whether a node directly under a declaration is one of the items in its block.
fn is_item(kind: NodeKind) -> bool {
    matches!(
        kind,
        NodeKind::Field
            | NodeKind::Owner
            | NodeKind::Fresh
            | NodeKind::Let
            | NodeKind::Feature
            | NodeKind::Use
            | NodeKind::LabelSource
            | NodeKind::Matures
            | NodeKind::ModelFile
            | NodeKind::ModelInputs
            | NodeKind::Score
            | NodeKind::Rule
            | NodeKind::EventStep
            | NodeKind::GroupExpectation
            | NodeKind::ViewExpectation
    )
}

/// Whether the parts of an item stand below those of its neighbours.
fn is_aligned(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::Field | NodeKind::Feature | NodeKind::Let | NodeKind::Rule)
}

/// The parts of fields and features, from left to right: the name, what it is, and then clauses
/// in the order in which they are usually written. Of rules: the outcome, and the rest.
fn part_of_sign(parent: NodeKind, kind: TokenKind) -> Option<usize> {
    match (parent, kind) {
        (NodeKind::Field, TokenKind::Colon) => Some(1),
        (NodeKind::Feature | NodeKind::Let, TokenKind::Equal) => Some(1),
        (NodeKind::Rule, TokenKind::Word | TokenKind::String) => Some(1),
        _ => None,
    }
}

fn part_of_node(parent: NodeKind, kind: NodeKind) -> Option<usize> {
    match (parent, kind) {
        (NodeKind::Field, NodeKind::FieldModifier) => Some(2),
        (NodeKind::Feature, NodeKind::Decay | NodeKind::Per | NodeKind::Top | NodeKind::Within) => {
            Some(2)
        }
        (NodeKind::Feature, NodeKind::Where) => Some(3),
        (NodeKind::Feature, NodeKind::Over) => Some(4),
        (NodeKind::Feature, NodeKind::Default) => Some(5),
        _ => None,
    }
}
