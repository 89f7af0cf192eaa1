//! Exact attribution against the definition of Shapley values.

use proptest::prelude::*;

use super::trees::{Library, Random, Tree, random_row};
use super::written::model_text;
use super::*;

const FEATURES: usize = 4;

/// What the tree is expected to say of a row of which only the features in `known` are known.
fn expected(tree: &Tree, row: &[f64], known: usize) -> f64 {
    match tree {
        Tree::Leaf { value, .. } => *value,
        Tree::Split { feature, test, missing, sides } => {
            if known >> feature & 1 != 0 {
                let is_left = Tree::goes_left(test, *missing, row[*feature], Library::LightGbm);
                return expected(&sides[usize::from(!is_left)], row, known);
            }
            let [left, right] = &**sides;
            let (l, both) = (left.cover(), tree.cover());
            let share = if both > 0.0 { l / both } else { 0.5 };
            share * expected(left, row, known) + (1.0 - share) * expected(right, row, known)
        }
    }
}

/// The mean, over all orders in which features become known, of what this one changes.
fn shapley(tree: &Tree, row: &[f64], feature: usize) -> f64 {
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    let others = (0..1usize << FEATURES).filter(|known| known >> feature & 1 == 0);
    let change = |known: usize| {
        let n = known.count_ones();
        let orders = factorial(n) * factorial(FEATURES as u32 - n - 1);
        let change = expected(tree, row, known | 1 << feature) - expected(tree, row, known);
        orders / factorial(FEATURES as u32) * change
    };
    others.map(change).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tree_shap_is_the_definition(seed: u64) {
        let mut random = Random(seed);
        let trees: Vec<Tree> = (0..2)
            .map(|_| {
                let leaves = 1 + random.below(9);
                Tree::random(&mut random, FEATURES, leaves, Library::LightGbm)
            })
            .collect();
        let model = read(&model_text(&trees, FEATURES, Library::LightGbm)).unwrap();
        for _ in 0..4 {
            let row = random_row(&mut random, FEATURES);
            let got = model.shap(&row);
            for (feature, value) in got.contributions.iter().enumerate() {
                let one: f64 = trees.iter().map(|tree| shapley(tree, &row, feature)).sum();
                prop_assert!((value - one).abs() < 1e-9, "{feature}: {value} and {one}");
            }
            let bias: f64 = trees.iter().map(|tree| expected(tree, &row, 0)).sum();
            prop_assert!((got.bias - bias).abs() < 1e-9);
        }
    }
}
