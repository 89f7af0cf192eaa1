//! Bit vectors instead of walks (QuickScorer, Lucchese et al., SIGIR 2015): a walk costs a branch
//! miss for nearly every split, this costs one for each feature.
//!
//! Each tree has a word with a bit for each leaf, the leftmost lowest. A split that the row goes
//! right at rules out the leaves of its left subtree; whatever the order, the lowest bit that is
//! left at the end is the leaf that the walk would have reached.
//!
//! ```text
//!        a ≤ 3              row: a = 5, b = 1
//!       /     \             a ≤ 3 is false: clears 0 and 1    111 & 100 = 100
//!    b ≤ 2     leaf 2       b ≤ 2 is true:  clears nothing
//!    /   \                                                    lowest bit: leaf 2
//! leaf 0  leaf 1
//! ```
//!
//! By feature, thresholds are sorted: the splits to be applied for `x` are those before the first
//! that is not below `x`.

use std::ops::{BitAndAssign, Range};

use crate::model::forest::{CategorySet, Forest, Split, Summary, Test};

/// One bit for each leaf of a tree.
pub(super) trait Word: Copy + BitAndAssign + std::fmt::Debug {
    /// Leaves that it has room for.
    const LEAVES: u32;
    const ALL: Self;
    /// All bits but `count` from `first` on.
    fn without(first: u32, count: u32) -> Self;
    fn lowest(self) -> u32;
}

macro_rules! word {
    ($word:ty) => {
        impl Word for $word {
            const LEAVES: u32 = <$word>::BITS;
            const ALL: $word = <$word>::MAX;
            fn without(first: u32, count: u32) -> $word {
                // A left subtree never has all leaves of a tree.
                !(((1 << count) - 1) << first)
            }
            fn lowest(self) -> u32 {
                self.trailing_zeros()
            }
        }
    };
}

word!(u32);
word!(u64);

/// The splits of all trees that fit, by feature.
#[derive(Debug)]
pub(super) struct BitVectors<W> {
    features: Vec<FeatureSplits>,
    /// Ascending within a feature, each with the one of `above` at its place.
    thresholds: Vec<f64>,
    above: Vec<Clearing<W>>,
    on_zero: Vec<Clearing<W>>,
    on_nan: Vec<Clearing<W>>,
    categories: Vec<CategoryTest<W>>,
}

/// Where the splits of one feature are.
#[derive(Debug, Default)]
struct FeatureSplits {
    feature: usize,
    above: Range<usize>,
    /// `None` where zero is compared as any number.
    on_zero: Option<Range<usize>>,
    on_nan: Range<usize>,
    categories: Range<usize>,
}

/// What a split that goes right does to its tree's word.
#[derive(Clone, Copy, Debug)]
struct Clearing<W> {
    tree: u32,
    mask: W,
}

#[derive(Clone, Copy, Debug)]
struct CategoryTest<W> {
    set: CategorySet,
    member_left: bool,
    clearing: Clearing<W>,
}

impl<W: Word> BitVectors<W> {
    /// Of all trees with no more leaves than a word has bits.
    pub fn new(forest: &Forest, summaries: &[Summary]) -> BitVectors<W> {
        let mut splits: Vec<(&Split, Clearing<W>)> = Vec::new();
        for (at, tree) in forest.trees.iter().enumerate() {
            if tree.leaves > W::LEAVES {
                continue;
            }
            let first = tree.first_split as usize;
            for split in &forest.splits[first..first + tree.leaves as usize - 1] {
                let left = forest.summary(split.left, summaries);
                let mask = W::without(left.first_leaf - tree.first_leaf, left.leaves);
                splits.push((split, Clearing { tree: at as u32, mask }));
            }
        }
        splits.sort_by(|(a, _), (b, _)| {
            a.feature.cmp(&b.feature).then_with(|| a.threshold().total_cmp(&b.threshold()))
        });
        let mut all = BitVectors {
            features: Vec::new(),
            thresholds: Vec::new(),
            above: Vec::new(),
            on_zero: Vec::new(),
            on_nan: Vec::new(),
            categories: Vec::new(),
        };
        for of_feature in splits.chunk_by(|(a, _), (b, _)| a.feature == b.feature) {
            all.push_feature(of_feature);
        }
        all
    }

    fn push_feature(&mut self, splits: &[(&Split, Clearing<W>)]) {
        let (above, on_zero) = (self.above.len(), self.on_zero.len());
        let (on_nan, categories) = (self.on_nan.len(), self.categories.len());
        let mut is_zero_special = false;
        for (split, clearing) in splits {
            match split.test {
                Test::Number { threshold, zero_left } => {
                    self.thresholds.push(threshold);
                    self.above.push(*clearing);
                    is_zero_special |= zero_left != (0.0 <= threshold);
                    if !zero_left {
                        self.on_zero.push(*clearing);
                    }
                }
                Test::Category { set, member_left } => {
                    self.categories.push(CategoryTest { set, member_left, clearing: *clearing });
                }
            }
            if !split.nan_left {
                self.on_nan.push(*clearing);
            }
        }
        if !is_zero_special {
            self.on_zero.truncate(on_zero);
        }
        self.features.push(FeatureSplits {
            feature: splits[0].0.feature as usize,
            above: above..self.above.len(),
            on_zero: is_zero_special.then_some(on_zero..self.on_zero.len()),
            on_nan: on_nan..self.on_nan.len(),
            categories: categories..self.categories.len(),
        });
    }

    /// Makes `words`, one for each tree of the forest, those that a prepared row leaves.
    pub fn apply(&self, forest: &Forest, row: &[f64], words: &mut [W]) {
        words.fill(W::ALL);
        for of in &self.features {
            let x = row[of.feature];
            if x.is_nan() {
                clear(words, &self.on_nan[of.on_nan.clone()]);
                continue;
            }
            match &of.on_zero {
                Some(on_zero) if x == 0.0 => clear(words, &self.on_zero[on_zero.clone()]),
                Some(_) | None => {
                    let thresholds = &self.thresholds[of.above.clone()];
                    let above = &self.above[of.above.clone()];
                    for (threshold, clearing) in thresholds.iter().zip(above) {
                        if *threshold >= x {
                            break;
                        }
                        words[clearing.tree as usize] &= clearing.mask;
                    }
                }
            }
            for test in &self.categories[of.categories.clone()] {
                if forest.is_member(test.set, test.member_left, x) != test.member_left {
                    words[test.clearing.tree as usize] &= test.clearing.mask;
                }
            }
        }
    }
}

fn clear<W: Word>(words: &mut [W], clearings: &[Clearing<W>]) {
    for clearing in clearings {
        words[clearing.tree as usize] &= clearing.mask;
    }
}

impl Split {
    /// To sort by; sets of categories have no order.
    fn threshold(&self) -> f64 {
        match self.test {
            Test::Number { threshold, .. } => threshold,
            Test::Category { .. } => f64::INFINITY,
        }
    }
}
