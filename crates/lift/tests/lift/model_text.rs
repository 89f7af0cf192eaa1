//! A model file, read by the rules of the format and nothing else.

use std::collections::BTreeMap;

use millrace_lift::experiment::{Options, run};
use millrace_lift::world::Part;
use millrace_lift::{Settings, to_lightgbm_text};

use crate::world::small;

type Fields<'a> = BTreeMap<&'a str, Vec<&'a str>>;

fn trees(text: &str) -> Vec<Fields<'_>> {
    let trees = text.split("end of trees").next().unwrap().split("Tree=").skip(1);
    trees
        .map(|tree| {
            let lines = tree.lines().filter_map(|line| line.split_once('='));
            lines.map(|(name, values)| (name, values.split(' ').collect())).collect()
        })
        .collect()
}

fn at<T: std::str::FromStr>(fields: &Fields<'_>, name: &str, at: usize) -> T {
    fields[name][at].parse().ok().unwrap()
}

fn goes_left(tree: &Fields<'_>, node: usize, value: f64) -> bool {
    let decision: u8 = at(tree, "decision_type", node);
    assert_eq!(decision >> 2, 2, "NaN is what null is");
    if decision & 1 == 0 {
        let threshold: f64 = at(tree, "threshold", node);
        return if value.is_nan() { decision & 2 != 0 } else { value <= threshold };
    }
    let set: usize = at(tree, "threshold", node);
    let begin: usize = at(tree, "cat_boundaries", set);
    let end: usize = at(tree, "cat_boundaries", set + 1);
    let (word, bit) = (value as usize / 32, value as usize % 32);
    let words = &tree["cat_threshold"][begin..end];
    !value.is_nan()
        && words.get(word).is_some_and(|bits| bits.parse::<u32>().unwrap() >> bit & 1 == 1)
}

fn score(trees: &[Fields<'_>], row: &[f64]) -> f64 {
    let value = |tree: &Fields<'_>| {
        let mut node = 0;
        while node >= 0 {
            let feature: usize = at(tree, "split_feature", node as usize);
            let left = goes_left(tree, node as usize, row[feature]);
            let side = if left { "left_child" } else { "right_child" };
            node = at::<i64>(tree, side, node as usize);
        }
        at::<f64>(tree, "leaf_value", !node as usize)
    };
    trees.iter().fold(0.0, |sum, tree| sum + value(tree))
}

#[test]
fn a_reader_of_the_text_scores_to_the_last_bit_the_same() {
    let world = small("one", 1, 8_000);
    let settings = Settings { trees: 25, ..Settings::default() };
    let trials = run(&world, &[1], &Options { settings, ..Options::default() }, &|_, _| true);
    let trials = trials.unwrap();
    let (freshness, model) = (world.freshness(), &trials[0].models[1]);
    let text = to_lightgbm_text(model).unwrap();
    let trees = trees(&text);
    assert_eq!(trees.len(), 25);
    assert!(trees.iter().any(|tree| tree.contains_key("cat_threshold")));
    let rows = world.rows_of(Part::Test);
    for table in [&freshness[1].table, &freshness[2].table] {
        for (row, given) in rows.iter().zip(model.scores(table, &rows)) {
            let values: Vec<f64> =
                table.columns().iter().map(|column| column.values()[*row as usize]).collect();
            assert_eq!(score(&trees, &values).to_bits(), given.to_bits());
        }
    }
}
