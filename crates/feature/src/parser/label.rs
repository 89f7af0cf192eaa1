//! Labels.

use crate::lexer::TokenKind;
use crate::tree::NodeKind;

use super::Parser;

impl Parser<'_, '_> {
    /// `label fraud on payment { positive from reports by payment_id matures 7d }`
    pub(super) fn label(&mut self) {
        self.start(NodeKind::LabelDeclaration);
        self.bump();
        if self.name("the name of a label") && self.expect_word("on") {
            self.name_as(NodeKind::Source, "the name of a stream");
        }
        if !self.failed {
            self.block(|p| match p.word(0) {
                "positive" => {
                    p.start(NodeKind::LabelSource);
                    p.bump();
                    if p.expect_word("from") {
                        p.label_source();
                    }
                    p.finish();
                }
                "among" => {
                    p.start(NodeKind::LabelSource);
                    p.bump();
                    p.label_source();
                    p.finish();
                }
                "matures" => {
                    p.start(NodeKind::Matures);
                    p.bump();
                    p.duration();
                    p.finish();
                }
                _ => p.expected("`positive from stream by field`, `among …` or `matures 7d`"),
            });
        }
        self.finish();
    }

    /// `reports by payment_id where reason = "fraud"`
    fn label_source(&mut self) {
        if !self.name("the name of a stream") || !self.expect_word("by") {
            return;
        }
        if !self.name("a field that both streams have") {
            return;
        }
        if self.is_word("where") {
            self.start(NodeKind::Where);
            self.bump();
            self.expression();
            self.finish();
        } else if self.is(TokenKind::Word) && !self.is_first_on_line() && !self.is_label_item() {
            let advice = self.for_clause();
            self.expected_but("`where`, or the next item", advice);
        }
    }

    fn is_label_item(&self) -> bool {
        matches!(self.word(0), "positive" | "among" | "matures")
    }
}
