//! Which features made the score, by the path that the row took (Saabas, 2014).
//!
//! Every node has the mean of the leaves behind it, weighed by the training data that reached
//! them. Going from a node to its child changes the mean, and the change is the contribution of
//! the feature that the node asks for. What a tree adds is the mean at its root and the changes on
//! the path, so that bias and contributions add up to the raw score, up to rounding.
//!
//! It costs about one more walk. It is not fair between features: what is asked near the leaves
//! gets more than its share. [`Model::shap`](crate::model::Model::shap) is, and costs a thousand
//! times as much.

use crate::model::forest::{Branch, Forest, Summary};

/// What each feature adds to the raw score of one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attribution {
    /// The mean raw score of the training data.
    pub bias: f64,
    /// One for each feature of the model.
    pub contributions: Vec<f64>,
}

impl Attribution {
    /// Of a score of which nobody knows what made it.
    #[cfg(feature = "onnx")]
    pub(super) fn none(features: usize) -> Attribution {
        Attribution { bias: 0.0, contributions: vec![0.0; features] }
    }

    /// The raw score, up to rounding.
    pub fn total(&self) -> f64 {
        self.contributions.iter().fold(self.bias, |sum, contribution| sum + contribution)
    }

    /// Features by the size of what they add, the largest first; those that add nothing are left
    /// out.
    pub fn largest(&self) -> Vec<(usize, f64)> {
        let all = self.contributions.iter().copied().enumerate();
        let mut all: Vec<(usize, f64)> = all.filter(|(_, value)| *value != 0.0).collect();
        all.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
        all
    }
}

/// The way from each leaf up to its root.
#[derive(Debug)]
pub(super) struct Paths {
    splits: Vec<Step>,
    leaves: Vec<Step>,
    bias: f64,
}

/// From a node up to its parent.
#[derive(Clone, Copy, Debug)]
struct Step {
    parent: u32,
    /// That the parent asks for.
    feature: u32,
    /// From the parent's mean to the node's.
    change: f64,
}

/// The step from a root, which is none.
const END: Step = Step { parent: u32::MAX, feature: 0, change: 0.0 };

impl Paths {
    /// `start` is what the sum of the leaves starts with.
    pub fn new(forest: &Forest, summaries: &[Summary], start: f64) -> Paths {
        let mut splits = vec![END; forest.splits.len()];
        let mut leaves = vec![END; forest.leaves.len()];
        for (at, split) in forest.splits.iter().enumerate() {
            for branch in [split.left, split.right] {
                let change = forest.summary(branch, summaries).mean - summaries[at].mean;
                let step = Step { parent: at as u32, feature: split.feature, change };
                match branch {
                    0.. => splits[branch as usize] = step,
                    Branch::MIN..0 => leaves[!branch as usize] = step,
                }
            }
        }
        let mean =
            |bias, tree: &super::forest::Tree| bias + forest.summary(tree.root, summaries).mean;
        Paths { splits, leaves, bias: forest.trees.iter().fold(start, mean) }
    }

    pub fn bias(&self) -> f64 {
        self.bias
    }

    /// Of the row that ends in these leaves.
    pub fn attribute(&self, exits: &[u32], attribution: &mut Attribution) {
        attribution.bias = self.bias;
        let contributions = &mut attribution.contributions;
        contributions.fill(0.0);
        for exit in exits {
            let mut step = self.leaves[*exit as usize];
            while step.parent != END.parent {
                contributions[step.feature as usize] += step.change;
                step = self.splits[step.parent as usize];
            }
        }
    }
}
