//! The lossless tree: every token of the text, blanks and comments included, under nodes that name
//! the rules of the grammar. Nodes lie flat in one vector, so that no depth can overflow a stack.

use crate::lexer::{Token, TokenKind};

/// A rule of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    File,
    /// Tokens that fit no rule.
    Error,
    /// A name where it is given or used as such.
    Name,
    EntityDeclaration,
    EntityItem,
    StreamDeclaration,
    Retracts,
    Field,
    FieldModifier,
    Type,
    GroupDeclaration,
    Keys,
    /// The stream behind `from` or `on`, the view behind `on`.
    Source,
    Owner,
    Fresh,
    Let,
    /// `name = …` in a group or a view.
    Feature,
    Where,
    Over,
    Every,
    Default,
    Decay,
    Per,
    Top,
    Within,
    ViewDeclaration,
    Including,
    Use,
    UseItem,
    LabelDeclaration,
    /// `positive from …` or `among …`.
    LabelSource,
    Matures,
    ModelDeclaration,
    ModelFile,
    ModelInputs,
    DecisionDeclaration,
    Score,
    /// `block when …`, and `else allow`.
    Rule,
    TestDeclaration,
    EventStep,
    /// The `p1:` before an event, or behind `for`.
    EventName,
    Record,
    Entry,
    At,
    Repeat,
    GroupExpectation,
    ViewExpectation,
    Check,
    Literal,
    NameExpression,
    Member,
    Index,
    Call,
    Unary,
    Binary,
    IsNull,
    In,
    If,
    Paren,
    List,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    Node(NodeId),
    /// Index into [`Tree::tokens`].
    Token(u32),
}

#[derive(Clone, Debug)]
pub struct Node {
    pub kind: NodeKind,
    pub children: Vec<Child>,
    /// From its first to its last token that is not trivia; empty where it has none.
    pub start: u32,
    pub end: u32,
}

#[derive(Clone, Debug)]
pub struct Tree {
    pub tokens: Vec<Token>,
    nodes: Vec<Node>,
    root: NodeId,
}

impl Tree {
    pub fn root(&self) -> NodeId {
        self.root
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub fn token(&self, index: u32) -> Token {
        self.tokens[index as usize]
    }

    /// Child nodes, without tokens.
    pub fn nodes(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.node(id).children.iter().filter_map(|child| match child {
            Child::Node(id) => Some(*id),
            Child::Token(_) => None,
        })
    }

    /// Child tokens that are not trivia.
    pub fn signs(&self, id: NodeId) -> impl Iterator<Item = Token> + '_ {
        self.node(id).children.iter().filter_map(|child| match child {
            Child::Token(index) => Some(self.token(*index)).filter(|token| !token.kind.is_trivia()),
            Child::Node(_) => None,
        })
    }
}

/// Builds a tree from the inside out, as a recursive-descent parser goes.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    nodes: Vec<Node>,
    open: Vec<(NodeKind, Vec<Child>)>,
}

impl Builder {
    pub fn start(&mut self, kind: NodeKind) {
        self.open.push((kind, Vec::new()));
    }

    pub fn token(&mut self, index: u32) {
        if let Some((_, children)) = self.open.last_mut() {
            children.push(Child::Token(index));
        }
    }

    /// A point in the open node, from which [`Builder::start_at`] can take what follows.
    pub fn checkpoint(&self) -> usize {
        self.open.last().map_or(0, |(_, children)| children.len())
    }

    /// Starts a node that begins with what the open node got since the checkpoint.
    pub fn start_at(&mut self, checkpoint: usize, kind: NodeKind) {
        let taken = match self.open.last_mut() {
            Some((_, children)) => children.split_off(checkpoint.min(children.len())),
            None => Vec::new(),
        };
        self.open.push((kind, taken));
    }

    pub fn finish(&mut self, tokens: &[Token]) {
        let Some((kind, children)) = self.open.pop() else { return };
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let span = |child: &Child| match child {
            Child::Token(index) => {
                let token = tokens[*index as usize];
                (!token.kind.is_trivia()).then_some((token.start, token.end))
            }
            Child::Node(id) => {
                let node = &self.nodes[id.0 as usize];
                (node.end > node.start).then_some((node.start, node.end))
            }
        };
        let start = children.iter().find_map(span).map_or(0, |s| s.0);
        let end = children.iter().rev().find_map(span).map_or(0, |s| s.1);
        self.nodes.push(Node { kind, children, start, end });
        if let Some((_, siblings)) = self.open.last_mut() {
            siblings.push(Child::Node(id));
        }
    }

    pub fn into_tree(self, tokens: Vec<Token>) -> Tree {
        let root = NodeId(u32::try_from(self.nodes.len().saturating_sub(1)).unwrap_or(u32::MAX));
        Tree { tokens, nodes: self.nodes, root }
    }
}

/// Whether a word of the language that no name can be.
pub(crate) fn is_reserved(word: &str) -> bool {
    matches!(
        word,
        "and" | "or" | "not" | "if" | "then" | "else" | "in" | "is" | "null" | "true" | "false"
    )
}

/// How a token of this kind is called in messages.
pub(crate) fn kind_name(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Blank => "a blank",
        TokenKind::Comment => "a comment",
        TokenKind::Word => "a name",
        TokenKind::Number => "a number",
        TokenKind::Duration => "a duration",
        TokenKind::Time => "a time",
        TokenKind::String | TokenKind::UnterminatedString => "a string",
        TokenKind::Plus => "`+`",
        TokenKind::Minus => "`-`",
        TokenKind::Star => "`*`",
        TokenKind::Slash => "`/`",
        TokenKind::Percent => "`%`",
        TokenKind::Equal => "`=`",
        TokenKind::NotEqual => "`!=`",
        TokenKind::Less => "`<`",
        TokenKind::LessEqual => "`<=`",
        TokenKind::Greater => "`>`",
        TokenKind::GreaterEqual => "`>=`",
        TokenKind::OpenParen => "`(`",
        TokenKind::CloseParen => "`)`",
        TokenKind::OpenBracket => "`[`",
        TokenKind::CloseBracket => "`]`",
        TokenKind::OpenBrace => "`{`",
        TokenKind::CloseBrace => "`}`",
        TokenKind::Comma => "`,`",
        TokenKind::Dot => "`.`",
        TokenKind::Colon => "`:`",
        TokenKind::Question => "`?`",
        TokenKind::DoubleEqual => "`==`",
        TokenKind::LessGreater => "`<>`",
        TokenKind::DoubleAmpersand => "`&&`",
        TokenKind::DoubleBar => "`||`",
        TokenKind::Exclamation => "`!`",
        TokenKind::Unknown => "a character of no meaning",
    }
}

#[cfg(test)]
mod tests {
    use super::{Child, Tree};
    use crate::diagnostic::Sink;
    use crate::parser::text_to_tree;
    use proptest::prelude::*;

    /// All tokens in the order of the tree.
    fn leaves(tree: &Tree) -> Vec<u32> {
        let mut leaves = Vec::new();
        let mut open = vec![Child::Node(tree.root())];
        while let Some(child) = open.pop() {
            match child {
                Child::Token(index) => leaves.push(index),
                Child::Node(id) => open.extend(tree.node(id).children.iter().rev()),
            }
        }
        leaves
    }

    fn is_lossless(text: &str) {
        let tree = text_to_tree(0, text, &mut Sink::default());
        let expected: Vec<u32> = (0..u32::try_from(tree.tokens.len()).unwrap()).collect();
        assert_eq!(leaves(&tree), expected, "{text:?}");
        let pieces = tree.tokens.iter().map(|t| &text[t.start as usize..t.end as usize]);
        assert_eq!(pieces.collect::<String>(), text);
    }

    #[test]
    fn every_byte_is_in_the_tree() {
        for text in ["", " # a", "entity", "features g by c from s { a = count( over 1h }", "}{]["]
        {
            is_lossless(text);
        }
    }

    proptest! {
        #[test]
        fn every_byte_of_any_text_is_in_the_tree(text in any::<String>()) {
            is_lossless(&text);
        }
    }
}
