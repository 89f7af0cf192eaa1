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
            self.block(|p| match p.word(0) {
                "score" | "shadow" => {
                    p.start(NodeKind::Score);
                    p.bump();
                    p.name("the name of a model");
                    p.finish();
                }
                "allow" | "review" | "block" => {
                    p.start(NodeKind::Rule);
                    p.bump();
                    p.eat(TokenKind::String);
                    if p.expect_word("when") {
                        p.expression();
                    }
                    p.finish();
                }
                "else" => {
                    p.start(NodeKind::Rule);
                    p.bump();
                    match p.word(0) {
                        "allow" | "review" | "block" => p.bump(),
                        _ => p.expected("`allow`, `review` or `block`"),
                    }
                    p.eat(TokenKind::String);
                    p.finish();
                }
                _ => p.expected("`score`, `shadow`, `allow`, `review`, `block` or `else`"),
            });
        }
        self.finish();
    }
}
