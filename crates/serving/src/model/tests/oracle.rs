//! The kernels against the plain walk.

use proptest::prelude::*;

use super::trees::{Library, Random, Tree, random_row};
use super::written::model_text;
use super::*;

const FEATURES: usize = 5;
const ROWS: usize = 40;

/// Trees for every kernel: one leaf, words of 32 and of 64 bits, and walked.
fn random_trees(seed: u64, of: Library) -> Vec<Tree> {
    let mut random = Random(seed);
    let largest = random.pick(&[1, 8, 32, 33, 64, 65, 90]);
    let count = 1 + random.below(12);
    let tree = |_| {
        let leaves = 1 + random.below(largest);
        Tree::random(&mut random, FEATURES, leaves, of)
    };
    (0..count).map(tree).collect()
}

fn check(seed: u64, of: Library) {
    let trees = random_trees(seed, of);
    let model = read(&model_text(&trees, FEATURES, of)).unwrap();
    let mut scratch = model.scratch();
    let mut random = Random(!seed);
    for _ in 0..ROWS {
        let row = random_row(&mut random, FEATURES);
        let leaves = trees.iter().map(|tree| tree.walk(&row, of));
        let expected = match of {
            Library::LightGbm => leaves.fold(0.0, |sum, leaf| sum + leaf),
            Library::XgBoost => f64::from(leaves.fold(0.5, |sum: f32, leaf| sum + leaf as f32)),
        };
        let score = model.score_row(&row, &mut scratch);
        assert_eq!(score.raw.to_bits(), expected.to_bits(), "{row:?}");
        // Whatever kernel found them, a walk of our own form finds the same leaves.
        model.check_exits(&scratch);
        let mut path = Attribution::default();
        model.attribute_row(&row, &mut scratch, &mut path);
        assert!((path.total() - expected).abs() < 1e-5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lightgbm_scores_are_those_of_the_walk(seed: u64) {
        check(seed, Library::LightGbm);
    }

    #[test]
    fn xgboost_scores_are_those_of_the_walk(seed: u64) {
        check(seed, Library::XgBoost);
    }
}
