//! Trees of both libraries in one form: what every kernel reads, and how a reader builds it.
//!
//! ```text
//! splits  [ t0: root, left subtree …, right subtree … | t1: … ]     each before its children
//! leaves  [ t0: leftmost … rightmost                  | t1: … ]
//! ```
//!
//! In this order a split's subtrees own neighbouring runs of leaves, which the bit vectors rely on,
//! and a walk from the last split to the first sees children before parents, so that nothing here
//! recurses: a file cannot choose our stack's depth.

use crate::model::error::{Fault, ModelError};
use crate::model::limits::{CATEGORY_WORDS_MAX, DEPTH_MAX, LEAVES_MAX, LEAVES_TOTAL_MAX};

/// Where a branch leads: a split, or a leaf as `!leaf`; indexes are of the forest, not the tree.
pub(super) type Branch = i32;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Split {
    pub test: Test,
    pub feature: u32,
    pub left: Branch,
    pub right: Branch,
    /// Whether a missing value (NaN) goes left.
    pub nan_left: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// Left when `x <= threshold`, but zero (where it may mean "missing") as it says.
    Number { threshold: f64, zero_left: bool },
    /// Left when `x` being one of the categories is `member_left`.
    Category { set: CategorySet, member_left: bool },
}

/// A run of 32-bit words in [`Forest::category_words`]; bit `c` says whether `c` is a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CategorySet {
    pub start: u32,
    pub words: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub root: Branch,
    pub first_split: u32,
    pub first_leaf: u32,
    pub leaves: u32,
    pub depth: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Forest {
    pub trees: Vec<Tree>,
    pub splits: Vec<Split>,
    /// What each leaf adds to the score.
    pub leaves: Vec<f64>,
    /// How much of the training data reached each leaf: rows (LightGBM) or Hessians (XGBoost).
    pub covers: Vec<f64>,
    pub category_words: Vec<u32>,
}

/// A node as a file has it: children are node numbers of its own tree.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Split { test: Test, feature: u32, nan_left: bool, left: usize, right: usize },
    Leaf { value: f64, cover: f64 },
}

/// A tree of a file.
pub(super) trait TreeSource {
    /// Node numbers are below this; the root is 0.
    fn nodes(&self) -> usize;
    fn entry(&self, node: usize) -> Result<Entry, ModelError>;
    /// An error about this tree as a whole.
    fn error(&self, fault: Fault) -> ModelError;
}

/// A node that was reached and is yet to be placed.
struct Pending {
    node: usize,
    /// The split that leads here, and whether it is its left branch; `None` for the root.
    from: Option<(usize, bool)>,
    depth: usize,
}

impl Forest {
    pub fn push_tree(&mut self, source: &dyn TreeSource) -> Result<(), ModelError> {
        let (first_split, first_leaf) = (self.splits.len(), self.leaves.len());
        let mut seen = vec![false; source.nodes()];
        let mut pending = vec![Pending { node: 0, from: None, depth: 0 }];
        let mut root = !index(first_leaf);
        let mut deepest = 0;
        while let Some(Pending { node, from, depth }) = pending.pop() {
            mark(&mut seen, node).map_err(|fault| source.error(fault))?;
            Fault::limit("splits on one path of a tree", depth, DEPTH_MAX)
                .map_err(|fault| source.error(fault))?;
            deepest = deepest.max(depth);
            let branch = match source.entry(node)? {
                Entry::Leaf { value, cover } => {
                    self.leaves.push(value);
                    self.covers.push(cover);
                    !index(self.leaves.len() - 1)
                }
                Entry::Split { test, feature, nan_left, left, right } => {
                    let at = self.splits.len();
                    self.splits.push(Split { test, feature, left: 0, right: 0, nan_left });
                    let depth = depth + 1;
                    // The left one is popped first.
                    pending.push(Pending { node: right, from: Some((at, false)), depth });
                    pending.push(Pending { node: left, from: Some((at, true)), depth });
                    index(at)
                }
            };
            match from.and_then(|(at, is_left)| Some((self.splits.get_mut(at)?, is_left))) {
                None => root = branch,
                Some((split, true)) => split.left = branch,
                Some((split, false)) => split.right = branch,
            }
        }
        let leaves = self.leaves.len() - first_leaf;
        Fault::limit("leaves in one tree", leaves, LEAVES_MAX).map_err(|f| source.error(f))?;
        Fault::limit("leaves in all trees", self.leaves.len(), LEAVES_TOTAL_MAX)
            .map_err(|fault| source.error(fault))?;
        self.trees.push(Tree {
            root,
            first_split: first_split as u32,
            first_leaf: first_leaf as u32,
            leaves: leaves as u32,
            depth: deepest as u32,
        });
        Ok(())
    }

    /// Adds a set of these words.
    pub fn push_set(
        &mut self,
        words: impl ExactSizeIterator<Item = u32>,
    ) -> Result<CategorySet, Fault> {
        let start = self.category_words.len();
        let count = words.len();
        let limit = CATEGORY_WORDS_MAX;
        Fault::limit("words of 32 categories in all sets", start + count, limit)?;
        self.category_words.extend(words);
        Ok(CategorySet { start: start as u32, words: count as u32 })
    }

    /// For each split, the sums over its subtree: how many leaves, their cover, and their mean,
    /// weighed by cover. A subtree that no training data reached weighs its branches alike.
    pub fn summaries(&self) -> Vec<Summary> {
        let mut all = vec![Summary::default(); self.splits.len()];
        for (at, split) in self.splits.iter().enumerate().rev() {
            let left = self.summary(split.left, &all);
            let right = self.summary(split.right, &all);
            let share = left.share_beside(&right);
            let summary = Summary {
                first_leaf: left.first_leaf,
                leaves: left.leaves + right.leaves,
                cover: left.cover + right.cover,
                mean: share * left.mean + (1.0 - share) * right.mean,
            };
            if let Some(slot) = all.get_mut(at) {
                *slot = summary;
            }
        }
        all
    }

    /// Of what a branch leads to; `splits` must hold those of the splits behind it.
    pub fn summary(&self, branch: Branch, splits: &[Summary]) -> Summary {
        if branch >= 0 {
            return splits.get(branch as usize).copied().unwrap_or_default();
        }
        let leaf = !branch;
        let value = |of: &[f64]| of.get(leaf as usize).copied().unwrap_or_default();
        Summary {
            first_leaf: leaf as u32,
            leaves: 1,
            cover: value(&self.covers),
            mean: value(&self.leaves),
        }
    }
}

/// What lies behind a branch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Summary {
    pub first_leaf: u32,
    pub leaves: u32,
    pub cover: f64,
    pub mean: f64,
}

impl Summary {
    /// The share of the training data that went here rather than to `other`.
    pub fn share_beside(&self, other: &Summary) -> f64 {
        let both = self.cover + other.cover;
        if both > 0.0 { self.cover / both } else { 0.5 }
    }
}

/// Every file is shorter than 2³¹ bytes, so that its nodes are fewer.
fn index(at: usize) -> Branch {
    i32::try_from(at).expect("a file within the limit has fewer nodes")
}

fn mark(seen: &mut [bool], node: usize) -> Result<(), Fault> {
    let nodes = seen.len();
    match seen.get_mut(node) {
        None => Err(Fault::Shape { message: format!("a branch leads to node {node} of {nodes}") }),
        Some(true) => Err(Fault::Shape { message: format!("two branches lead to node {node}") }),
        Some(slot) => {
            *slot = true;
            Ok(())
        }
    }
}
