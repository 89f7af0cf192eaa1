//! The plain walk from the root to a leaf: for trees with more leaves than a word has bits, and
//! for whoever needs one test.

use crate::model::forest::{CategorySet, Forest, Split, Test, Tree};

impl Forest {
    /// The leaf that a prepared row reaches.
    pub fn exit_leaf(&self, tree: &Tree, row: &[f64]) -> u32 {
        let mut at = tree.root;
        while at >= 0 {
            let split = &self.splits[at as usize];
            let is_left = self.goes_left(split, row[split.feature as usize]);
            at = if is_left { split.left } else { split.right };
        }
        !at as u32
    }

    pub fn goes_left(&self, split: &Split, x: f64) -> bool {
        if x.is_nan() {
            return split.nan_left;
        }
        match split.test {
            Test::Number { zero_left, .. } if x == 0.0 => zero_left,
            Test::Number { threshold, .. } => x <= threshold,
            Test::Category { set, member_left } => {
                self.is_member(set, member_left, x) == member_left
            }
        }
    }

    /// A category is cut to a whole number. LightGBM, whose members go left, so makes category 0
    /// of −0.5; for XGBoost nothing below zero is a category.
    pub fn is_member(&self, set: CategorySet, member_left: bool, x: f64) -> bool {
        let lowest = if member_left { -1.0 } else { -f64::MIN_POSITIVE };
        // The cast saturates: what is far too large is beyond every set.
        let category = x as usize;
        if x <= lowest || category / 32 >= set.words as usize {
            return false;
        }
        let word = self.category_words[set.start as usize + category / 32];
        word >> (category % 32) & 1 != 0
    }
}
