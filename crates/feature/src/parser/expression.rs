//! Expressions, by precedence climbing. From loose to tight: `if`, `or`, `and`, `not`, comparisons
//! with `in` and `is null` (which do not chain), `+ -`, `* / %`, unary `-`, and then names, calls,
//! members and indexes.
//!
//! Each rule returns the height of its tree, which is bounded, so that every later pass may
//! recurse.

use crate::diagnostic::Code;
use crate::lexer::TokenKind;
use crate::tree::{NodeKind, is_reserved};

use super::{EXPRESSION_HEIGHT_MAX, NESTING_MAX, Parser};

type Height = usize;

/// How tightly an operator binds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Power {
    Or,
    And,
    Not,
    Compare,
    Sum,
    Product,
}

impl Parser<'_, '_> {
    pub(super) fn expression(&mut self) {
        self.expression_height();
    }

    fn expression_height(&mut self) -> Height {
        self.binary(Power::Or)
    }

    /// `rule` one level deeper. Beyond the limit, an error instead.
    fn nested(&mut self, rule: impl FnOnce(&mut Self) -> Height) -> Height {
        self.nesting += 1;
        let height = if self.nesting > NESTING_MAX {
            self.too_deep();
            0
        } else {
            rule(self)
        };
        self.nesting -= 1;
        height + 1
    }

    pub(super) fn too_deep(&mut self) {
        self.report(Code::NestingLimit, format!("nested more than {NESTING_MAX} deep"));
    }

    /// Operands and operators that bind at least as tightly as `floor`.
    fn binary(&mut self, floor: Power) -> Height {
        let checkpoint = self.checkpoint();
        let mut height = self.prefix();
        let mut compared = false;
        while !self.failed {
            let Some((power, kind)) = self.operator() else { break };
            if power < floor {
                break;
            }
            if power == Power::Compare && compared {
                self.report(
                    Code::Syntax,
                    "comparisons do not chain; join them with `and`".to_owned(),
                );
                break;
            }
            compared = power == Power::Compare;
            self.foreign_operator();
            self.builder.start_at(checkpoint, kind);
            let right = self.right_side(kind, power);
            self.finish();
            height = height.max(right) + 1;
            if height > EXPRESSION_HEIGHT_MAX {
                self.report(
                    Code::NestingLimit,
                    format!(
                        "an expression of more than {EXPRESSION_HEIGHT_MAX} operators in a row"
                    ),
                );
            }
        }
        height
    }

    /// The operator at hand and the node it makes.
    fn operator(&self) -> Option<(Power, NodeKind)> {
        let operator = match (self.kind(0)?, self.word(0)) {
            (TokenKind::Word, "or") => (Power::Or, NodeKind::Binary),
            (TokenKind::Word, "and") => (Power::And, NodeKind::Binary),
            (TokenKind::Word, "OR" | "Or") if self.is_inside() => (Power::Or, NodeKind::Binary),
            (TokenKind::Word, "AND" | "And") if self.is_inside() => (Power::And, NodeKind::Binary),
            (TokenKind::Word, "is") => (Power::Compare, NodeKind::IsNull),
            (TokenKind::Word, "in") => (Power::Compare, NodeKind::In),
            (TokenKind::Word, "not") if self.word(1) == "in" => (Power::Compare, NodeKind::In),
            (TokenKind::DoubleBar, _) => (Power::Or, NodeKind::Binary),
            (TokenKind::DoubleAmpersand, _) => (Power::And, NodeKind::Binary),
            (
                TokenKind::Equal
                | TokenKind::NotEqual
                | TokenKind::Less
                | TokenKind::LessEqual
                | TokenKind::Greater
                | TokenKind::GreaterEqual
                | TokenKind::DoubleEqual
                | TokenKind::LessGreater,
                _,
            ) => (Power::Compare, NodeKind::Binary),
            (TokenKind::Plus | TokenKind::Minus, _) => (Power::Sum, NodeKind::Binary),
            (TokenKind::Star | TokenKind::Slash | TokenKind::Percent, _) => {
                (Power::Product, NodeKind::Binary)
            }
            _ => return None,
        };
        Some(operator)
    }

    /// Whether the word at hand cannot be the name of the next item.
    fn is_inside(&self) -> bool {
        !self.is_first_on_line() && self.kind(1) != Some(TokenKind::Equal)
    }

    /// Takes the operator and what follows it.
    fn right_side(&mut self, kind: NodeKind, power: Power) -> Height {
        self.eat_word("not");
        self.bump();
        match kind {
            NodeKind::IsNull => {
                self.eat_word("not");
                self.expect_word("null");
                0
            }
            NodeKind::In => {
                if self.is(TokenKind::OpenBracket) {
                    self.list()
                } else {
                    let advice = self.for_list();
                    self.expected_but("a list, such as `[\"a\", \"b\"]`", advice);
                    0
                }
            }
            _ => match power {
                Power::Or => self.binary(Power::And),
                Power::And => self.binary(Power::Not),
                Power::Not | Power::Compare => self.binary(Power::Sum),
                Power::Sum => self.binary(Power::Product),
                Power::Product => self.prefix(),
            },
        }
    }

    fn prefix(&mut self) -> Height {
        if self.is_word("not") || self.is(TokenKind::Exclamation) {
            return self.nested(|p| {
                p.foreign_operator();
                p.start(NodeKind::Unary);
                p.bump();
                let height = p.binary(Power::Compare);
                p.finish();
                height
            });
        }
        if self.is(TokenKind::Minus) {
            return self.nested(|p| {
                p.start(NodeKind::Unary);
                p.bump();
                let height = p.prefix();
                p.finish();
                height
            });
        }
        if self.is_word("if") {
            return self.nested(Parser::if_else);
        }
        self.postfix()
    }

    fn if_else(&mut self) -> Height {
        self.start(NodeKind::If);
        self.bump();
        let mut height = self.expression_height();
        for word in ["then", "else"] {
            if self.failed || !self.expect_word(word) {
                break;
            }
            height = height.max(self.expression_height());
        }
        self.finish();
        height
    }

    /// Members and indexes behind a primary expression.
    fn postfix(&mut self) -> Height {
        let checkpoint = self.checkpoint();
        let mut height = self.primary();
        while !self.failed {
            match self.kind(0) {
                Some(TokenKind::Dot) => {
                    self.builder.start_at(checkpoint, NodeKind::Member);
                    self.bump();
                    self.name("a feature");
                    self.finish();
                }
                Some(TokenKind::OpenBracket) => {
                    self.builder.start_at(checkpoint, NodeKind::Index);
                    self.bump();
                    if self.expect(TokenKind::Duration) {
                        self.expect(TokenKind::CloseBracket);
                    }
                    self.finish();
                }
                _ => break,
            }
            height += 1;
            if height > EXPRESSION_HEIGHT_MAX {
                self.too_deep();
            }
        }
        height
    }

    fn primary(&mut self) -> Height {
        match self.kind(0) {
            Some(
                TokenKind::Number
                | TokenKind::Duration
                | TokenKind::Time
                | TokenKind::String
                | TokenKind::UnterminatedString,
            ) => {
                self.leaf(NodeKind::Literal);
                1
            }
            Some(TokenKind::Word) => self.word_expression(),
            Some(TokenKind::OpenParen) => self.nested(|p| {
                p.start(NodeKind::Paren);
                p.bump();
                let height = p.expression_height();
                if !p.failed {
                    p.expect(TokenKind::CloseParen);
                }
                p.finish();
                height
            }),
            Some(TokenKind::OpenBracket) => self.list(),
            _ => {
                self.expected("an expression");
                1
            }
        }
    }

    fn word_expression(&mut self) -> Height {
        match self.word(0) {
            "true" | "false" | "null" => {
                self.leaf(NodeKind::Literal);
                1
            }
            word if is_reserved(word) => {
                self.expected("an expression");
                1
            }
            _ if self.kind(1) == Some(TokenKind::OpenParen) => self.nested(|p| {
                p.start(NodeKind::Call);
                p.name("a function");
                p.bump();
                p.star_argument();
                let height = p.elements(TokenKind::CloseParen);
                p.finish();
                height
            }),
            _ => {
                self.check_name_length();
                self.leaf(NodeKind::NameExpression);
                1
            }
        }
    }

    fn list(&mut self) -> Height {
        self.nested(|p| {
            p.start(NodeKind::List);
            p.bump();
            let height = p.elements(TokenKind::CloseBracket);
            p.finish();
            height
        })
    }

    /// `a, b, …` up to the closing sign; a comma may stand before it.
    fn elements(&mut self, close: TokenKind) -> Height {
        let mut height = 0;
        while !self.failed && !self.eat(close) {
            height = height.max(self.expression_height());
            if !self.failed && !self.eat(TokenKind::Comma) && !self.is(close) {
                let advice = self.for_arguments();
                let is_call = close == TokenKind::CloseParen;
                self.expected_but(if is_call { "`,` or `)`" } else { "`,` or `]`" }, advice);
            }
        }
        height
    }
}
