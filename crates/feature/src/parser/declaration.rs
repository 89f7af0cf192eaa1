//! Entities, streams, feature groups and views.

use crate::lexer::TokenKind;
use crate::tree::NodeKind;

use super::Parser;
use super::foreign::Advice;

/// A word that says what a field of a stream is for.
fn is_modifier(word: &str) -> bool {
    matches!(word, "id" | "time" | "late")
}

impl Parser<'_, '_> {
    /// `entity card, device : int`
    pub(super) fn entity(&mut self) {
        self.start(NodeKind::EntityDeclaration);
        self.bump();
        self.comma_list(|p| {
            p.start(NodeKind::EntityItem);
            if p.name("the name of an entity") && p.eat(TokenKind::Colon) {
                p.type_reference();
            }
            p.finish();
        });
        self.finish();
    }

    /// `stream payment { amount : decimal(2) … }`
    pub(super) fn stream(&mut self) {
        self.start(NodeKind::StreamDeclaration);
        self.bump();
        let has_name = self.name("the name of a stream");
        let retracts = has_name && self.is_word("retracts");
        if retracts {
            self.start(NodeKind::Retracts);
            self.bump();
            if self.name("the stream whose events it removes") && self.expect_word("by") {
                self.name("the field that holds the id of the removed event");
            }
            self.finish();
        }
        if has_name && !self.failed && (!retracts || self.is(TokenKind::OpenBrace)) {
            self.block(Parser::field);
        }
        self.finish();
    }

    fn field(&mut self) {
        self.start(NodeKind::Field);
        if self.name("a field, such as `amount : decimal(2)`") && self.expect(TokenKind::Colon) {
            self.type_reference();
            if !self.failed && self.is_at_field_modifier() {
                self.comma_list(Parser::field_modifier);
            }
            if !self.failed && self.is_at_field_modifier() && is_modifier(self.word(0)) {
                let advice = Advice::hint("a comma stands between them: `time, late 10m`");
                self.expected_but("`,` or the next field", Some(advice));
            }
        }
        self.finish();
    }

    /// A word that is not the next field's name, be it one whose colon is missing.
    fn is_at_field_modifier(&self) -> bool {
        self.is(TokenKind::Word)
            && self.kind(1) != Some(TokenKind::Colon)
            && (is_modifier(self.word(0)) || !self.is_first_on_line())
    }

    fn field_modifier(&mut self) {
        self.start(NodeKind::FieldModifier);
        match self.word(0) {
            "id" | "time" => self.bump(),
            "late" => {
                self.bump();
                self.expect(TokenKind::Duration);
            }
            _ => {
                let advice = self.for_modifier();
                self.expected_but("`id`, `time`, `late 10m`, or the next field", advice);
            }
        }
        self.finish();
    }

    /// `decimal(2)?`, `list<string>`, `card`
    fn type_reference(&mut self) {
        self.start(NodeKind::Type);
        self.nesting += 1;
        if self.nesting > super::NESTING_MAX {
            self.too_deep();
        } else if self.name("a type") {
            if self.eat(TokenKind::OpenParen) && self.expect(TokenKind::Number) {
                self.expect(TokenKind::CloseParen);
            }
            if !self.failed && self.eat(TokenKind::Less) {
                self.comma_list(Parser::type_reference);
                if !self.failed {
                    self.expect(TokenKind::Greater);
                }
            }
            if !self.failed {
                self.eat(TokenKind::Question);
            }
        }
        self.nesting -= 1;
        self.finish();
    }

    /// `features card_velocity by card from payment { … }`
    pub(super) fn group(&mut self) {
        self.start(NodeKind::GroupDeclaration);
        self.bump();
        if self.name("the name of a feature group") && self.expect_word("by") {
            self.start(NodeKind::Keys);
            self.comma_list(|p| {
                p.name("a field of the stream, the key");
            });
            self.finish();
            if !self.failed && self.expect_word("from") {
                self.name_as(NodeKind::Source, "the name of a stream");
            }
        }
        if !self.failed {
            self.block(Parser::group_item);
        }
        self.finish();
    }

    fn group_item(&mut self) {
        let is_definition = self.kind(1) == Some(TokenKind::Equal);
        match self.word(0) {
            "owner" if !is_definition => {
                self.start(NodeKind::Owner);
                self.bump();
                self.expect(TokenKind::String);
                self.finish();
            }
            "fresh" if !is_definition => self.fresh(),
            "let" if !is_definition => {
                self.start(NodeKind::Let);
                self.bump();
                if self.name("a name") && self.expect(TokenKind::Equal) {
                    self.expression();
                }
                self.finish();
            }
            _ => self.feature("a feature, such as `attempts = count() over 5m`"),
        }
    }

    /// `fresh 500ms, else last good for 5m, else default`
    fn fresh(&mut self) {
        self.start(NodeKind::Fresh);
        self.bump();
        self.expect(TokenKind::Duration);
        while !self.failed && self.eat(TokenKind::Comma) {
            if !self.expect_word("else") {
                break;
            }
            match self.word(0) {
                "last" => {
                    self.bump();
                    if self.expect_word("good") && self.expect_word("for") {
                        self.expect(TokenKind::Duration);
                    }
                }
                "default" | "refuse" => self.bump(),
                _ => self.expected("`last good for 5m`, `default` or `refuse`"),
            }
        }
        self.finish();
    }

    /// `name = expression clause …`
    fn feature(&mut self, what: &str) {
        self.start(NodeKind::Feature);
        if self.name(what) && self.expect(TokenKind::Equal) {
            self.expression();
            while !self.failed && self.is(TokenKind::Word) && self.kind(1) != Some(TokenKind::Equal)
            {
                if !self.clause() {
                    break;
                }
            }
        }
        self.finish();
    }

    /// One clause behind a feature's expression; false if the next word begins none.
    fn clause(&mut self) -> bool {
        let (kind, argument): (NodeKind, fn(&mut Self)) = match self.word(0) {
            "where" => (NodeKind::Where, Parser::expression),
            "default" => (NodeKind::Default, Parser::expression),
            "per" => (NodeKind::Per, Parser::expression),
            "over" => (NodeKind::Over, |p| {
                p.comma_list(|p| {
                    p.expect(TokenKind::Duration);
                });
            }),
            "every" => (NodeKind::Every, Parser::duration),
            "decay" => (NodeKind::Decay, Parser::duration),
            "top" => (NodeKind::Top, |p| {
                p.expect(TokenKind::Number);
            }),
            "within" => (NodeKind::Within, |p| {
                if p.expect(TokenKind::Number) {
                    p.expect(TokenKind::Percent);
                }
            }),
            "use" | "let" | "owner" | "fresh" => return false,
            _ if self.is_first_on_line() => return false,
            _ => {
                let advice = self.for_clause();
                let what = "`where`, `over`, `every`, `default`, or the next feature";
                self.expected_but(what, advice);
                return false;
            }
        };
        self.start(kind);
        self.bump();
        argument(self);
        self.finish();
        true
    }

    pub(super) fn duration(&mut self) {
        self.expect(TokenKind::Duration);
    }

    /// `view checkout on payment including { … }`
    pub(super) fn view(&mut self) {
        self.start(NodeKind::ViewDeclaration);
        self.bump();
        if self.name("the name of a view") && self.expect_word("on") {
            self.name_as(NodeKind::Source, "the name of a stream");
        }
        if !self.failed && self.is_word("including") {
            self.leaf(NodeKind::Including);
        }
        if !self.failed {
            self.block(|p| match p.word(0) {
                "use" if p.kind(1) != Some(TokenKind::Equal) => p.use_group(),
                _ => p.feature("`use group`, or a column such as `ratio = a / b`"),
            });
        }
        self.finish();
    }

    /// `use g` or `use g.{a, b[24h]}`
    fn use_group(&mut self) {
        self.start(NodeKind::Use);
        self.bump();
        if self.name("the name of a feature group") && self.eat(TokenKind::Dot) {
            let has_brace = self.expect(TokenKind::OpenBrace);
            while has_brace && !self.failed && !self.eat(TokenKind::CloseBrace) {
                self.use_item();
                if !self.failed && !self.eat(TokenKind::Comma) && !self.is(TokenKind::CloseBrace) {
                    self.expected("`,` or `}`");
                }
            }
        }
        self.finish();
    }

    fn use_item(&mut self) {
        self.start(NodeKind::UseItem);
        if self.name("a feature of the group") && self.eat(TokenKind::OpenBracket) {
            self.expect(TokenKind::Duration);
            if !self.failed {
                self.expect(TokenKind::CloseBracket);
            }
        }
        self.finish();
    }
}
