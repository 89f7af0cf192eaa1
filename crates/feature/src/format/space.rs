//! Which neighbours on one line have a blank between them.

use crate::lexer::TokenKind;
use crate::tree::NodeKind;

use super::leaf::Leaf;

pub(super) fn needs_space(before: &Leaf<'_>, leaf: &Leaf<'_>) -> bool {
    !hugs_next(before) && !hugs_previous(before, leaf)
}

/// Whether nothing stands between a token and what follows it.
fn hugs_next(leaf: &Leaf<'_>) -> bool {
    match leaf.kind {
        TokenKind::OpenParen | TokenKind::OpenBracket | TokenKind::Dot => true,
        TokenKind::OpenBrace => leaf.parent == NodeKind::Use,
        TokenKind::Less => leaf.parent == NodeKind::Type,
        TokenKind::Minus => leaf.parent == NodeKind::Unary,
        _ => false,
    }
}

/// Whether nothing stands between a token and what is before it.
fn hugs_previous(before: &Leaf<'_>, leaf: &Leaf<'_>) -> bool {
    match leaf.kind {
        TokenKind::CloseParen
        | TokenKind::CloseBracket
        | TokenKind::Comma
        | TokenKind::Dot
        | TokenKind::Question => true,
        TokenKind::OpenParen => matches!(leaf.parent, NodeKind::Call | NodeKind::Type),
        // Behind a name it is an index; a list has a blank before it.
        TokenKind::OpenBracket => leaf.parent != NodeKind::List,
        TokenKind::OpenBrace => leaf.parent == NodeKind::Use,
        TokenKind::CloseBrace => {
            leaf.parent == NodeKind::Use || before.kind == TokenKind::OpenBrace
        }
        TokenKind::Less | TokenKind::Greater => leaf.parent == NodeKind::Type,
        TokenKind::Percent => leaf.parent == NodeKind::Within,
        TokenKind::Colon => matches!(leaf.parent, NodeKind::Entry | NodeKind::EventStep),
        _ => false,
    }
}
