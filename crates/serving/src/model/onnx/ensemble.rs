//! Trees of a graph: `TreeEnsembleClassifier` of two classes and `TreeEnsembleRegressor` of one
//! target, checked so that a walk ends and reads nothing but what is there.

mod shape;

use tract_onnx::pb::NodeProto;

use super::CONVERT;
use super::document::{self, ML};
use crate::model::error::{Fault, shown};
use crate::model::limits;

/// A 32-bit float by its bits, which can be compared and hashed, as the library asks of what an
/// operator holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Single(u32);

impl Single {
    pub fn new(x: f32) -> Single {
        Single(x.to_bits())
    }

    pub fn get(self) -> f32 {
        f32::from_bits(self.0)
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Ensemble {
    roots: Vec<u32>,
    nodes: Vec<Node>,
    /// One more than the last feature that is asked for.
    features: usize,
    pub answer: Answer,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Node {
    Split { test: Test, feature: u32, value: Single, missing: bool, yes: u32, no: u32 },
    Leaf([Single; 2]),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Test {
    Leq,
    Lt,
    Gte,
    Gt,
    Eq,
    Neq,
}

/// What is made of the sums of the leaves, as onnxruntime makes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Answer {
    /// A regressor's one number; a mean divides by the number of trees.
    Number { start: Single, is_mean: bool },
    /// A sum for each class.
    Both { is_logistic: bool },
    /// Weights of one class, none below zero: the share of the other is the rest to 1.
    Share { start: Single },
    /// Weights of one class of either sign.
    Margin { start: Single, is_logistic: bool },
}

pub(super) fn is_classifier(node: &NodeProto) -> bool {
    node.domain == ML && node.op_type == "TreeEnsembleClassifier"
}

pub(super) fn is_ensemble(node: &NodeProto) -> bool {
    is_classifier(node) || node.domain == ML && node.op_type == "TreeEnsembleRegressor"
}

impl Ensemble {
    pub fn read(node: &NodeProto) -> Result<Ensemble, Fault> {
        if let Some(wide) = node.attribute.iter().find(|a| a.name.ends_with("_as_tensor")) {
            let what = format!("`{}`: trees of 64-bit numbers", shown(&wide.name));
            let fix = "convert the model with inputs of 32 bits: `FloatTensorType`";
            return Err(Fault::Unsupported { what, fix });
        }
        let weights = shape::Weights::read(node)?;
        let answer = answer(node, &weights)?;
        let (roots, nodes) = shape::read(node, &weights)?;
        let features = nodes.iter().map(|node| match node {
            Node::Split { feature, .. } => *feature as usize + 1,
            Node::Leaf(_) => 0,
        });
        Ok(Ensemble { features: features.max().unwrap_or(0), roots, nodes, answer })
    }

    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub fn features(&self) -> usize {
        self.features
    }

    /// # Panics
    /// When the row is shorter than [`Ensemble::features`].
    pub fn score(&self, row: &[f32]) -> [f32; 2] {
        let mut sums = [0f32; 2];
        for root in &self.roots {
            let leaf = self.leaf(*root, row);
            sums[0] += leaf[0].get();
            sums[1] += leaf[1].get();
        }
        self.answer.of(sums, self.roots.len())
    }

    fn leaf(&self, root: u32, row: &[f32]) -> &[Single; 2] {
        let mut at = root;
        loop {
            match &self.nodes[at as usize] {
                Node::Leaf(weights) => return weights,
                Node::Split { test, feature, value, missing, yes, no } => {
                    let x = row[*feature as usize];
                    let goes = test.holds(x, value.get()) || (*missing && x.is_nan());
                    at = if goes { *yes } else { *no };
                }
            }
        }
    }
}

impl Test {
    fn holds(self, x: f32, value: f32) -> bool {
        match self {
            Test::Leq => x <= value,
            Test::Lt => x < value,
            Test::Gte => x >= value,
            Test::Gt => x > value,
            Test::Eq => x == value,
            Test::Neq => x != value,
        }
    }
}

impl Answer {
    pub fn columns(self) -> usize {
        match self {
            Answer::Number { .. } => 1,
            Answer::Both { .. } | Answer::Share { .. } | Answer::Margin { .. } => 2,
        }
    }

    /// Of a regressor the first number is all.
    fn of(self, [first, second]: [f32; 2], trees: usize) -> [f32; 2] {
        match self {
            Answer::Number { start, is_mean: true } => [first / trees as f32 + start.get(), 0.0],
            Answer::Number { start, is_mean: false } => [first + start.get(), 0.0],
            Answer::Both { is_logistic: true } => [logistic(first), logistic(second)],
            Answer::Both { is_logistic: false } => [first, second],
            Answer::Share { start } => {
                let share = first + start.get();
                [1.0 - share, share]
            }
            Answer::Margin { start, is_logistic } => {
                let margin = first + start.get();
                match is_logistic {
                    true => [logistic(-margin), logistic(margin)],
                    false => [-margin, margin],
                }
            }
        }
    }
}

/// As onnxruntime writes it: one of the two is made of the other.
fn logistic(x: f32) -> f32 {
    let of_size = 1.0 / (1.0 + (-x.abs()).exp());
    if x < 0.0 { 1.0 - of_size } else { of_size }
}

fn answer(node: &NodeProto, weights: &shape::Weights<'_>) -> Result<Answer, Fault> {
    let unsupported = |what: String| Fault::Unsupported { what, fix: CONVERT };
    let is_logistic = match document::text(node, "post_transform", "NONE") {
        "NONE" => false,
        "LOGISTIC" => true,
        other => return Err(unsupported(format!("post_transform `{}`", shown(other)))),
    };
    let start = match document::floats(node, "base_values") {
        [] => 0.0,
        [start] => *start,
        several => return Err(unsupported(format!("{} base_values", several.len()))),
    };
    let has_start = start != 0.0;
    let start = Single::new(start);
    if !is_classifier(node) {
        let is_mean = match document::text(node, "aggregate_function", "SUM") {
            "SUM" => false,
            "AVERAGE" => true,
            other => return Err(unsupported(format!("aggregate_function `{}`", shown(other)))),
        };
        return match document::attribute(node, "n_targets").map_or(1, |targets| targets.i) {
            1 if !is_logistic => Ok(Answer::Number { start, is_mean }),
            1 => Err(unsupported("a regressor with LOGISTIC".to_owned())),
            targets => Err(unsupported(format!("{targets} targets"))),
        };
    }
    let labels = document::ints(node, "classlabels_int64s").len();
    let texts = document::attribute(node, "classlabels_strings").map_or(0, |a| a.strings.len());
    if labels + texts != 2 {
        return Err(unsupported(format!("{} classes, and 2 are scored", labels + texts)));
    }
    match (weights.of_second, weights.of_first, weights.is_any_negative) {
        (true, true, _) if !has_start => Ok(Answer::Both { is_logistic }),
        (true, ..) => Err(unsupported(
            "weights of the second class beside a base value, or \
                                       alone"
                .to_owned(),
        )),
        (false, _, true) => Ok(Answer::Margin { start, is_logistic }),
        (false, _, false) if !is_logistic => Ok(Answer::Share { start }),
        // The standard says logistic, and onnxruntime makes none.
        (false, _, false) => Err(unsupported("no weight below zero beside LOGISTIC".to_owned())),
    }
}

/// Nodes of all trees of one operator.
const NODES_MAX: usize = 2 * limits::LEAVES_TOTAL_MAX;
