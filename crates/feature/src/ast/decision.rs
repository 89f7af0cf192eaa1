//! Tree to AST: labels, models, decisions.

use crate::format::one_line;
use crate::lexer::TokenKind;
use crate::plan::Outcome;
use crate::tree::{NodeId, NodeKind};

use super::declaration::is_expression;
use super::lower::Lower;
use super::{At, Decision, DecisionItem, Label, LabelSource, Model, Rule};

impl Lower<'_> {
    pub fn label(&mut self, id: NodeId) -> Option<Label> {
        let name = self.first_name(id, NodeKind::Name)?;
        let mut label = Label {
            name,
            stream: self.first_name(id, NodeKind::Source),
            positive: Vec::new(),
            among: Vec::new(),
            matures: Vec::new(),
            broken: self.lacks_items(id),
        };
        for (item, parsed) in self.items(id) {
            match self.kind(item) {
                NodeKind::LabelSource => {
                    let source = self.label_source(item, parsed);
                    match self.has_word(item, "positive") {
                        true => label.positive.extend(source),
                        false => label.among.extend(source),
                    }
                }
                NodeKind::Matures => {
                    let span = self.span(item);
                    let duration = self.duration(item);
                    label.broken |= duration.is_none();
                    label.matures.extend(duration.map(|d| At { value: d.value, span }));
                }
                _ => {}
            }
        }
        Some(label)
    }

    fn label_source(&mut self, id: NodeId, parsed: bool) -> Option<LabelSource> {
        let [stream, by] = <[_; 2]>::try_from(self.names(id)).ok()?;
        let filter = self.first(id, NodeKind::Where).map(|node| self.body(node, parsed));
        Some(LabelSource { stream, by, filter, span: self.span(id) })
    }

    pub fn model(&mut self, id: NodeId) -> Option<Model> {
        let name = self.first_name(id, NodeKind::Name)?;
        let mut model =
            Model { name, files: Vec::new(), inputs: Vec::new(), broken: self.lacks_items(id) };
        for (item, _) in self.items(id) {
            match self.kind(item) {
                NodeKind::ModelFile => {
                    let path = self.sign(item, TokenKind::String).and_then(|t| self.string(t));
                    let span = self.span(item);
                    model.broken |= path.is_none();
                    model.files.extend(path.map(|value| At { value, span }));
                }
                NodeKind::ModelInputs => model.inputs.extend(self.names(item)),
                _ => {}
            }
        }
        Some(model)
    }

    pub fn decision(&mut self, id: NodeId) -> Option<Decision> {
        let name = self.first_name(id, NodeKind::Name)?;
        let view = self.first_name(id, NodeKind::Source);
        let mut items = Vec::new();
        for (item, parsed) in self.items(id) {
            match self.kind(item) {
                NodeKind::Score => {
                    let model = self.first_name(item, NodeKind::Name);
                    items.extend(model.map(|model| match self.has_word(item, "shadow") {
                        true => DecisionItem::Shadow(model),
                        false => DecisionItem::Score(model),
                    }));
                }
                NodeKind::Rule => items.extend(self.rule(item, parsed)),
                _ => {}
            }
        }
        Some(Decision { name, view, items, broken: self.lacks_items(id) })
    }

    /// `block when risk >= 0.93`, or `else allow`.
    fn rule(&mut self, id: NodeId, parsed: bool) -> Option<DecisionItem> {
        let mut words = self.tree.signs(id).filter(|token| token.kind == TokenKind::Word);
        let (first, second) = (words.next()?, words.next());
        let span = self.span(id);
        let Some(outcome) = Outcome::named(self.token_text(first)) else {
            let value = Outcome::named(self.token_text(second?))?;
            return Some(DecisionItem::Else(At { value, span }));
        };
        let name = self.sign(id, TokenKind::String).and_then(|token| {
            let span = self.token_span(token);
            self.string(token).map(|value| At { value, span })
        });
        let condition = self.tree.nodes(id).find(|child| is_expression(self.kind(*child)));
        let text = condition.map(|node| one_line(self.tree, self.text, node)).unwrap_or_default();
        let condition = self.body(id, parsed);
        Some(DecisionItem::Rule(Rule { outcome, name, condition, text: text.into(), span }))
    }

    /// Whether items may be missing because something in the block did not parse.
    fn lacks_items(&self, id: NodeId) -> bool {
        self.first(id, NodeKind::Error).is_some() || self.sign(id, TokenKind::CloseBrace).is_none()
    }
}
