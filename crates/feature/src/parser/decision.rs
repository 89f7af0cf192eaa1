//! Models and decisions.

use crate::lexer::TokenKind;
use crate::tree::NodeKind;

use super::Parser;

impl Parser<'_, '_> {
    /// `model fraud { file "models/fraud.txt" inputs checkout }`
    pub(super) fn model(&mut self) {
        self.start(NodeKind::ModelDeclaration);
        self.bump();
        if self.name("the name of a model") {
            self.block(|p| match p.word(0) {
                "file" => {
                    p.start(NodeKind::ModelFile);
                    p.bump();
                    p.expect(TokenKind::String);
                    p.finish();
                }
                "inputs" => {
                    p.start(NodeKind::ModelInputs);
                    p.bump();
                    p.name("the view that the model takes");
                    p.finish();
                }
                _ => p.expected("`file \"models/fraud.txt\"` or `inputs view`"),
            });
        }
        self.finish();
    }

    /// `decision authorise on checkout { score fraud block when fraud >= 0.93 else allow }`
    pub(super) fn decision(&mut self) {
        self.start(NodeKind::DecisionDeclaration);
        self.bump();
        if self.name("the name of a decision") && self.expect_word("on") {
            self.name_as(NodeKind::Source, "the name of a view");
        }
        if !self.failed {
            self.block(Parser::decision_item);
        }
        self.finish();
    }

    fn decision_item(&mut self) {
        match self.word(0) {
            "score" | "shadow" => {
                self.start(NodeKind::Score);
                self.bump();
                self.name("the name of a model");
                self.finish();
            }
            "allow" | "review" | "block" => {
                self.start(NodeKind::Rule);
                self.bump();
                self.eat(TokenKind::String);
                if self.expect_word("when") {
                    self.expression();
                }
                self.finish();
            }
            "else" => {
                self.start(NodeKind::Rule);
                self.bump();
                match self.word(0) {
                    "allow" | "review" | "block" => self.bump(),
                    _ => {
                        let advice = self.for_outcome();
                        self.expected_but("`allow`, `review` or `block`", advice);
                    }
                }
                self.finish();
            }
            _ => {
                let advice = self.for_outcome();
                let what = "`score`, `shadow`, `allow`, `review`, `block` or `else`";
                self.expected_but(what, advice);
            }
        }
    }
}
