//! Tree to AST: expressions.

use crate::lexer::TokenKind;
use crate::tree::{NodeId, NodeKind};

use super::declaration::is_expression;
use super::lower::Lower;
use super::{At, BinaryOperator, Expr, ExprKind, UnaryOperator};

impl Lower<'_> {
    /// The node must be an expression; recursion is bounded by the parser's limits.
    pub fn expression(&mut self, id: NodeId) -> Expr {
        let span = self.span(id);
        let kind = match self.kind(id) {
            NodeKind::Literal => self.literal(id),
            NodeKind::NameExpression => self.name(id).map(ExprKind::Name),
            NodeKind::Paren => return Expr { span, ..self.child_expression(id) },
            NodeKind::Member => {
                let of = Box::new(self.child_expression(id));
                self.first_name(id, NodeKind::Name).map(|name| ExprKind::Member(of, name))
            }
            NodeKind::Index => {
                let of = Box::new(self.child_expression(id));
                self.window(id).map(|window| ExprKind::Index(of, window))
            }
            NodeKind::Call => {
                let arguments = self.expressions(id);
                self.first_name(id, NodeKind::Name).map(|name| ExprKind::Call(name, arguments))
            }
            NodeKind::Unary => {
                let is_minus = self.sign(id, TokenKind::Minus).is_some();
                let operator = if is_minus { UnaryOperator::Negate } else { UnaryOperator::Not };
                Some(ExprKind::Unary(operator, Box::new(self.child_expression(id))))
            }
            NodeKind::Binary => self.binary(id),
            NodeKind::IsNull => {
                let operand = Box::new(self.child_expression(id));
                Some(ExprKind::IsNull { operand, negated: self.has_word(id, "not") })
            }
            NodeKind::In => {
                let operand = Box::new(self.child_expression(id));
                let negated = self.has_word(id, "not");
                let list = self.tree.nodes(id).last().filter(|n| self.kind(*n) == NodeKind::List);
                list.map(|list| ExprKind::In { operand, list: self.expressions(list), negated })
            }
            NodeKind::If => match <[Expr; 3]>::try_from(self.expressions(id)) {
                Ok([a, b, c]) => Some(ExprKind::If(Box::new(a), Box::new(b), Box::new(c))),
                Err(_) => None,
            },
            NodeKind::List => Some(ExprKind::List(self.expressions(id))),
            _ => None,
        };
        Expr { kind: kind.unwrap_or(ExprKind::Error), span }
    }

    /// The expressions directly under the node.
    pub fn expressions(&mut self, id: NodeId) -> Vec<Expr> {
        let tree = self.tree;
        let ids = tree.nodes(id).filter(|child| is_expression(tree.node(*child).kind));
        ids.map(|child| self.expression(child)).collect()
    }

    fn binary(&mut self, id: NodeId) -> Option<ExprKind> {
        let token = self.tree.signs(id).next()?;
        let operator = match token.kind {
            TokenKind::Word if self.token_text(token).eq_ignore_ascii_case("or") => {
                BinaryOperator::Or
            }
            TokenKind::Word => BinaryOperator::And,
            TokenKind::DoubleBar => BinaryOperator::Or,
            TokenKind::DoubleAmpersand => BinaryOperator::And,
            TokenKind::Equal | TokenKind::DoubleEqual => BinaryOperator::Equal,
            TokenKind::NotEqual | TokenKind::LessGreater => BinaryOperator::NotEqual,
            TokenKind::Less => BinaryOperator::Less,
            TokenKind::LessEqual => BinaryOperator::LessEqual,
            TokenKind::Greater => BinaryOperator::Greater,
            TokenKind::GreaterEqual => BinaryOperator::GreaterEqual,
            TokenKind::Plus => BinaryOperator::Add,
            TokenKind::Minus => BinaryOperator::Subtract,
            TokenKind::Star => BinaryOperator::Multiply,
            TokenKind::Slash => BinaryOperator::Divide,
            TokenKind::Percent => BinaryOperator::Remainder,
            _ => return None,
        };
        let [a, b] = <[Expr; 2]>::try_from(self.expressions(id)).ok()?;
        let operator = At { value: operator, span: self.token_span(token) };
        Some(ExprKind::Binary(operator, Box::new(a), Box::new(b)))
    }
}
