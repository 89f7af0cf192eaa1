//! A trained model: what it asks of a row, and how it scores one.

mod lightgbm;

use crate::table::Table;

pub(crate) use lightgbm::FORBIDDEN;
pub use lightgbm::to_lightgbm_text;

/// Rows scored together: their values are brought side by side once, then each tree reads them.
const BLOCK: usize = 256;

/// Trees over the columns of a table, in its order. The score of a row is the sum of its leaves,
/// one tree after the other: the log-odds of being positive.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub features: Vec<Feature>,
    pub trees: Vec<Tree>,
}

/// A column that the model was trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    pub name: String,
    pub range: Range,
}

/// What training has seen of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Range {
    Number { least: f64, most: f64 },
    Category { codes: Vec<u32>, words: Vec<String> },
}

/// The first split is the root; a tree without any is its one leaf.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    pub splits: Vec<Split>,
    pub leaves: Vec<Leaf>,
    pub shrinkage: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    pub feature: usize,
    pub rule: Rule,
    pub left: Child,
    pub right: Child,
    /// The loss it took away in training.
    pub gain: f64,
    /// What the tree would say if it ended here.
    pub value: f64,
    /// Curvature and rows that came here in training.
    pub weight: f64,
    pub rows: u32,
}

/// What goes left.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    AtMost {
        threshold: f64,
        nulls_left: bool,
    },
    /// In ascending order. A null goes right, and a word that training never saw.
    OneOf {
        codes: Vec<u32>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Child {
    Split(usize),
    Leaf(usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leaf {
    pub value: f64,
    pub weight: f64,
    pub rows: u32,
}

impl Rule {
    fn goes_left(&self, value: f64) -> bool {
        match self {
            Self::AtMost { nulls_left, .. } if value.is_nan() => *nulls_left,
            Self::AtMost { threshold, .. } => value <= *threshold,
            Self::OneOf { codes } => value >= 0.0 && codes.binary_search(&(value as u32)).is_ok(),
        }
    }
}

impl Tree {
    fn value(&self, values: &[f64]) -> f64 {
        let mut next = if self.splits.is_empty() { Child::Leaf(0) } else { Child::Split(0) };
        loop {
            match next {
                Child::Leaf(leaf) => return self.leaves[leaf].value,
                Child::Split(split) => {
                    let split = &self.splits[split];
                    let left = split.rule.goes_left(values[split.feature]);
                    next = if left { split.left } else { split.right };
                }
            }
        }
    }
}

impl Model {
    /// The scores of these rows of a table that has the columns of the model. Panics if it has not.
    pub fn scores(&self, table: &Table, rows: &[u32]) -> Vec<f64> {
        let columns = self.features.len();
        let mut scores = vec![0.0; rows.len()];
        let mut block = vec![f64::NAN; BLOCK * columns];
        for (rows, scores) in rows.chunks(BLOCK).zip(scores.chunks_mut(BLOCK)) {
            for (at, column) in table.columns().iter().enumerate() {
                for (row, values) in rows.iter().zip(block.chunks_mut(columns)) {
                    values[at] = column.values()[*row as usize];
                }
            }
            for tree in &self.trees {
                for (values, score) in block.chunks(columns).zip(scores.iter_mut()) {
                    *score += tree.value(values);
                }
            }
        }
        scores
    }

    /// How much loss the splits on each column took away, as a share of all.
    pub fn importance(&self) -> Vec<f64> {
        let mut gains = vec![0.0; self.features.len()];
        for split in self.trees.iter().flat_map(|tree| &tree.splits) {
            gains[split.feature] += split.gain;
        }
        let total: f64 = gains.iter().sum();
        if total > 0.0 {
            gains.iter_mut().for_each(|gain| *gain /= total);
        }
        gains
    }
}
