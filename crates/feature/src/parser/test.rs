//! Tests: events, and what is expected when.

use crate::lexer::TokenKind;
use crate::tree::NodeKind;

use super::Parser;

impl Parser<'_, '_> {
    /// `test "five quick payments" { … }`
    pub(super) fn test(&mut self) {
        self.start(NodeKind::TestDeclaration);
        self.bump();
        if self.expect(TokenKind::String) {
            self.block(Parser::step);
        }
        self.finish();
    }

    fn step(&mut self) {
        match (self.word(0), self.kind(1)) {
            (_, Some(TokenKind::OpenBrace | TokenKind::Colon)) => self.event_step(),
            ("at", _) => self.group_expectation(),
            ("expect", _) => self.view_expectation(),
            _ => self.expected("an event, such as `payment { amount: 5 } at 12:00`, or `expect`"),
        }
    }

    /// `p1: payment { amount: 5 } at 12:00` or `payment { } every 30s x 5 from 12:00`
    fn event_step(&mut self) {
        self.start(NodeKind::EventStep);
        if self.kind(1) == Some(TokenKind::Colon) {
            self.name_as(NodeKind::EventName, "a name for the event");
            self.bump();
        }
        if self.name("the name of a stream") {
            self.record();
        }
        if !self.failed {
            match self.word(0) {
                "at" if !self.is_at_expectation() => {
                    self.start(NodeKind::At);
                    self.bump();
                    self.expression();
                    self.finish();
                }
                "every" => self.repeat(),
                _ => {}
            }
        }
        self.finish();
    }

    /// `every 30s x 5 from 12:00`
    fn repeat(&mut self) {
        self.start(NodeKind::Repeat);
        self.bump();
        if self.expect(TokenKind::Duration)
            && self.expect_word("x")
            && self.expect(TokenKind::Number)
            && self.expect_word("from")
        {
            self.expression();
        }
        self.finish();
    }

    fn record(&mut self) {
        self.start(NodeKind::Record);
        let has_brace = self.expect(TokenKind::OpenBrace);
        while has_brace && !self.failed && !self.eat(TokenKind::CloseBrace) {
            self.start(NodeKind::Entry);
            if self.name("a field") && self.expect(TokenKind::Colon) {
                self.expression();
            }
            self.finish();
            self.separator();
        }
        self.finish();
    }

    /// A comma, or the next entry on a line of its own, or the end.
    fn separator(&mut self) {
        let is_next = self.is(TokenKind::CloseBrace) || self.is_first_on_line();
        if !self.failed && !self.eat(TokenKind::Comma) && !is_next {
            self.expected("`,` or `}`");
        }
    }

    /// Whether the `at` here is that of `at 12:00 expect …`. A time is made of times, strings,
    /// durations and signs, so the first word behind it tells; `expect VIEW for EVENT` is a step of
    /// its own, and the `at` before it belongs to the event.
    fn is_at_expectation(&self) -> bool {
        let mut ahead = 1;
        while let Some(kind) = self.kind(ahead) {
            match kind {
                TokenKind::Time
                | TokenKind::String
                | TokenKind::Duration
                | TokenKind::Number
                | TokenKind::Plus
                | TokenKind::Minus
                | TokenKind::Star
                | TokenKind::OpenParen
                | TokenKind::CloseParen => ahead += 1,
                _ => break,
            }
        }
        self.word(ahead) == "expect" && self.word(ahead + 2) != "for"
    }

    /// `at 12:05 expect card_velocity["A"] { attempts[5m] = 4 }`
    fn group_expectation(&mut self) {
        self.start(NodeKind::GroupExpectation);
        self.start(NodeKind::At);
        self.bump();
        self.expression();
        self.finish();
        if !self.failed
            && self.expect_word("expect")
            && self.name("the name of a feature group")
            && self.expect(TokenKind::OpenBracket)
        {
            self.start(NodeKind::Keys);
            self.comma_list(Parser::expression);
            self.finish();
            if !self.failed && self.expect(TokenKind::CloseBracket) {
                self.checks();
            }
        }
        self.finish();
    }

    /// `expect checkout for p1 { burst = 1 }`
    fn view_expectation(&mut self) {
        self.start(NodeKind::ViewExpectation);
        self.bump();
        if self.name("the name of a view")
            && self.expect_word("for")
            && self.name_as(NodeKind::EventName, "the name of an event of this test")
        {
            self.checks();
        }
        self.finish();
    }

    fn checks(&mut self) {
        let has_brace = self.expect(TokenKind::OpenBrace);
        while has_brace && !self.failed && !self.eat(TokenKind::CloseBrace) {
            self.check();
            self.separator();
        }
    }

    /// `attempts[5m] = 4` or `attempts[5m] is limit`
    fn check(&mut self) {
        self.start(NodeKind::Check);
        if self.name("a feature") {
            if self.eat(TokenKind::OpenBracket) && self.expect(TokenKind::Duration) {
                self.expect(TokenKind::CloseBracket);
            }
            if !self.failed && self.eat_word("is") {
                match self.word(0) {
                    "null" => self.leaf(NodeKind::Literal),
                    _ => {
                        self.name("null, or a state: ok, empty, default, stale, limit, overflow");
                    }
                }
            } else if !self.failed && self.expect(TokenKind::Equal) {
                self.expression();
            }
        }
        self.finish();
    }
}
