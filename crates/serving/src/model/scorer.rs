//! One row through all trees: prepared as the library sees it, to its exit leaves, to the sum.

use crate::model::attribution::{Attribution, Paths};
use crate::model::bit_vector::{BitVectors, Word};
use crate::model::forest::{Forest, Summary};
use crate::model::objective::Link;
use crate::model::tree_shap;
use crate::model::{Score, Sum};

/// What LightGBM takes for zero.
const ZERO_MAX: f64 = 1e-35_f32 as f64;

#[derive(Debug)]
pub(super) struct Scorer {
    forest: Forest,
    summaries: Vec<Summary>,
    features: usize,
    sum: Sum,
    link: Link,
    masks: Masks,
    /// Trees with more leaves than the masks have bits.
    walked: Vec<u32>,
    paths: Paths,
}

/// As narrow as the trees that fit a word allow.
#[derive(Debug)]
enum Masks {
    Narrow(BitVectors<u32>),
    Wide(BitVectors<u64>),
}

/// The memory that scoring works in; a graph has its own.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    row: Vec<f64>,
    narrow: Vec<u32>,
    wide: Vec<u64>,
    /// The leaf of each tree.
    exits: Vec<u32>,
}

impl Scorer {
    pub fn new(forest: Forest, features: usize, sum: Sum, link: Link) -> Scorer {
        let summaries = forest.summaries();
        let leaves = || forest.trees.iter().map(|tree| tree.leaves);
        let is_wide = leaves().any(|leaves| leaves > u32::LEAVES && leaves <= u64::LEAVES);
        let (masks, most) = if is_wide {
            (Masks::Wide(BitVectors::new(&forest, &summaries)), u64::LEAVES)
        } else {
            (Masks::Narrow(BitVectors::new(&forest, &summaries)), u32::LEAVES)
        };
        let walked = (0..).zip(leaves()).filter(|(_, leaves)| *leaves > most);
        let walked = walked.map(|(tree, _)| tree).collect();
        let start = match sum {
            Sum::Double { .. } => 0.0,
            Sum::Single { start } => f64::from(start),
        };
        let paths = Paths::new(&forest, &summaries, start);
        Scorer { forest, summaries, features, sum, link, masks, walked, paths }
    }

    pub fn trees(&self) -> usize {
        self.forest.trees.len()
    }

    pub fn leaves(&self) -> usize {
        self.forest.leaves.len()
    }

    pub fn scratch(&self) -> Scratch {
        let trees = self.trees();
        let (narrow, wide) = match self.masks {
            Masks::Narrow(_) => (trees, 0),
            Masks::Wide(_) => (0, trees),
        };
        Scratch {
            row: vec![0.0; self.features],
            narrow: vec![0; narrow],
            wide: vec![0; wide],
            exits: vec![0; trees],
        }
    }

    pub fn score(&self, row: &[f64], scratch: &mut Scratch) -> Score {
        self.prepare(row, &mut scratch.row);
        self.find_exits(scratch);
        self.total(&scratch.exits)
    }

    pub fn attribute(
        &self,
        row: &[f64],
        scratch: &mut Scratch,
        attribution: &mut Attribution,
    ) -> Score {
        let score = self.score(row, scratch);
        attribution.contributions.resize(self.features, 0.0);
        self.paths.attribute(&scratch.exits, attribution);
        score
    }

    pub fn shap(&self, row: &[f64]) -> Attribution {
        let mut prepared = vec![0.0; self.features];
        self.prepare(row, &mut prepared);
        let mut contributions = vec![0.0; self.features];
        for tree in &self.forest.trees {
            let (forest, summaries) = (&self.forest, &self.summaries);
            tree_shap::add_tree(forest, summaries, tree, &prepared, &mut contributions);
        }
        Attribution { bias: self.paths.bias(), contributions }
    }

    /// The row as the library's kernels see it.
    fn prepare(&self, row: &[f64], prepared: &mut [f64]) {
        assert_eq!(row.len(), self.features, "a value for each feature of the model");
        assert_eq!(prepared.len(), self.features, "a scratch of this model");
        for (to, from) in prepared.iter_mut().zip(row) {
            *to = match self.sum {
                Sum::Double { .. } if from.abs() <= ZERO_MAX => 0.0,
                Sum::Double { .. } => *from,
                Sum::Single { .. } => f64::from(*from as f32),
            };
        }
    }

    fn find_exits(&self, scratch: &mut Scratch) {
        let Scratch { row, narrow, wide, exits } = scratch;
        assert_eq!(exits.len(), self.trees(), "a scratch of this model");
        match &self.masks {
            Masks::Narrow(masks) => exits_of(masks, &self.forest, row, narrow, exits),
            Masks::Wide(masks) => exits_of(masks, &self.forest, row, wide, exits),
        }
        for tree in &self.walked {
            let at = *tree as usize;
            exits[at] = self.forest.exit_leaf(&self.forest.trees[at], row);
        }
    }

    /// Adds the leaves in the order of the trees, which the last bits depend on.
    fn total(&self, exits: &[u32]) -> Score {
        let leaves = exits.iter().map(|exit| self.forest.leaves[*exit as usize]);
        match self.sum {
            Sum::Double { averaged_over } => {
                let raw = leaves.fold(0.0, |sum, leaf| sum + leaf);
                Score { raw, value: self.link.apply(raw / averaged_over) }
            }
            Sum::Single { start } => {
                let raw = f64::from(leaves.fold(start, |sum, leaf| sum + leaf as f32));
                Score { raw, value: self.link.apply(raw) }
            }
        }
    }
}

fn exits_of<W: Word>(
    masks: &BitVectors<W>,
    forest: &Forest,
    row: &[f64],
    words: &mut [W],
    exits: &mut [u32],
) {
    masks.apply(forest, row, words);
    for ((exit, word), tree) in exits.iter_mut().zip(words).zip(&forest.trees) {
        // Of a tree that does not fit no bit was cleared, and its exit is found by walking.
        *exit = tree.first_leaf + word.lowest();
    }
}

#[cfg(test)]
impl Scorer {
    /// The plain walk finds the leaves that the last row found.
    pub fn check_exits(&self, scratch: &Scratch) {
        for (tree, exit) in self.forest.trees.iter().zip(&scratch.exits) {
            assert_eq!(self.forest.exit_leaf(tree, &scratch.row), *exit);
        }
    }
}
