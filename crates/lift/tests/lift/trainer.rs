use millrace_lift::{
    Child, Column, Error, Lessons, Model, Rule, Settings, Table, to_lightgbm_text, train,
};

use crate::world::Draw;

fn trained(columns: Vec<Column>, labels: &[bool], settings: &Settings, seed: u64) -> Model {
    let table = Table::new(columns).unwrap();
    let rows: Vec<u32> = (0..labels.len() as u32).collect();
    let weights = vec![1.0; labels.len()];
    let lessons = Lessons { rows: &rows, labels, weights: &weights };
    train(&table, lessons, settings, seed).unwrap()
}

fn few_trees() -> Settings {
    Settings { trees: 20, column_share: 1.0, row_share: 1.0, ..Settings::default() }
}

fn number(values: &[f64]) -> Column {
    Column::number("x", values.to_vec()).unwrap()
}

fn draws(count: usize) -> Vec<f64> {
    let mut draw = Draw::new(3);
    (0..count).map(|_| draw.fraction()).collect()
}

#[test]
fn finds_a_threshold() {
    let values = draws(2_000);
    let labels: Vec<bool> = values.iter().map(|x| *x > 0.7).collect();
    let model = trained(vec![number(&values)], &labels, &few_trees(), 1);
    let Rule::AtMost { threshold, .. } = model.trees[0].splits[0].rule else { panic!("a number") };
    assert!((threshold - 0.7).abs() < 0.01, "{threshold}");
    let table = Table::new(vec![number(&[0.1, 0.9])]).unwrap();
    let scores = model.scores(&table, &[0, 1]);
    assert!(scores[0] < -1.0 && scores[1] > 0.2, "{scores:?}");
}

#[test]
fn nulls_go_where_they_belong() {
    let mut values = draws(2_000);
    let mut labels: Vec<bool> = values.iter().map(|x| *x < 0.2).collect();
    for at in (0..2_000).step_by(4) {
        values[at] = f64::NAN;
        labels[at] = true;
    }
    let model = trained(vec![number(&values)], &labels, &few_trees(), 1);
    let table = Table::new(vec![number(&[f64::NAN, 0.1, 0.9])]).unwrap();
    let scores = model.scores(&table, &[0, 1, 2]);
    assert!(scores[0] > 0.0 && scores[1] > 0.0 && scores[2] < 0.0, "{scores:?}");
}

#[test]
fn finds_a_set_of_words() {
    let codes: Vec<f64> = draws(4_000).iter().map(|x| (x * 12.0).floor()).collect();
    let labels: Vec<bool> = codes.iter().map(|code| [1.0, 5.0, 10.0].contains(code)).collect();
    let words: Vec<String> = (0..13).map(|word| format!("w{word}")).collect();
    let column = |values: Vec<f64>| Column::category("x", values, words.clone()).unwrap();
    let model = trained(vec![column(codes)], &labels, &few_trees(), 1);
    let Rule::OneOf { codes } = &model.trees[0].splits[0].rule else { panic!("a set") };
    assert!(codes == &[1, 5, 10] || codes.len() == 9, "{codes:?}");
    // A word that training never saw and a null go the same way.
    let table = Table::new(vec![column(vec![5.0, 4.0, 12.0, f64::NAN])]).unwrap();
    let scores = model.scores(&table, &[0, 1, 2, 3]);
    assert!(scores[0] > 0.0 && scores[1] < 0.0 && scores[2] == scores[3], "{scores:?}");
}

#[test]
fn a_leaf_has_as_many_rows_as_it_must() {
    let values = draws(3_000);
    let labels: Vec<bool> = values.iter().map(|x| (x * 37.0).fract() > 0.5).collect();
    let settings = Settings { leaf_rows_min: 100, leaves_max: 9, ..few_trees() };
    let model = trained(vec![number(&values)], &labels, &settings, 1);
    for tree in &model.trees {
        assert!(tree.leaves.len() <= 9 && tree.leaves.len() == tree.splits.len() + 1);
        assert!(tree.leaves.iter().all(|leaf| leaf.rows >= 100));
        assert_eq!(tree.leaves.iter().map(|leaf| leaf.rows).sum::<u32>(), 3_000);
    }
}

#[test]
fn the_seed_alone_decides() {
    let values = draws(2_000);
    let labels: Vec<bool> = values.iter().map(|x| (x * 9.0).fract() > 0.6).collect();
    let settings = Settings { trees: 10, ..Settings::default() };
    let model = |seed| trained(vec![number(&values)], &labels, &settings, seed);
    assert_eq!(model(1), model(1));
    assert_ne!(model(1), model(2));
}

#[test]
fn a_weight_is_as_many_rows_to_the_loss() {
    let values = draws(400);
    let labels: Vec<bool> = values.iter().map(|x| *x > 0.5).collect();
    let table = Table::new(vec![number(&values)]).unwrap();
    let settings = Settings { leaf_rows_min: 1, ..few_trees() };
    let once: Vec<u32> = (0..400).collect();
    let thrice: Vec<u32> = once.iter().flat_map(|row| [*row; 3]).collect();
    let labels_of = |rows: &[u32]| rows.iter().map(|row| labels[*row as usize]).collect::<Vec<_>>();
    let score = |rows: &[u32], weight: f64| {
        let (labels, weights) = (labels_of(rows), vec![weight; rows.len()]);
        let lessons = Lessons { rows, labels: &labels, weights: &weights };
        train(&table, lessons, &settings, 1).unwrap().scores(&table, &once)
    };
    let (heavy, many) = (score(&once, 3.0), score(&thrice, 1.0));
    for (heavy, many) in heavy.iter().zip(many) {
        assert!((heavy - many).abs() < 0.05, "{heavy} {many}");
    }
}

#[test]
fn without_a_split_the_score_is_the_log_odds() {
    let labels: Vec<bool> = (0..100).map(|row| row % 4 == 0).collect();
    let model = trained(vec![number(&[1.0; 100])], &labels, &few_trees(), 1);
    assert_eq!(model.trees.len(), 1);
    let table = Table::new(vec![number(&[1.0])]).unwrap();
    assert!((model.scores(&table, &[0])[0] - (25.0_f64 / 75.0).ln()).abs() < 1e-12);
    assert!(to_lightgbm_text(&model).unwrap().contains("\nnum_leaves=1\n"));
}

#[test]
fn what_cannot_be_learnt_from_is_refused() {
    let table = Table::new(vec![number(&[1.0, 2.0])]).unwrap();
    let with = |labels: &[bool], weights: &[f64]| {
        let lessons = Lessons { rows: &[0, 1], labels, weights };
        train(&table, lessons, &Settings::default(), 1).unwrap_err().to_string()
    };
    insta::assert_snapshot!(
        [
            with(&[true, true], &[1.0, 1.0]),
            with(&[false, false], &[1.0, 1.0]),
            with(&[true, false], &[1.0, 0.0]),
            with(&[true], &[1.0, 1.0]),
            Column::number("x", vec![0.0, f64::INFINITY]).unwrap_err().to_string(),
            Column::category("x", vec![0.5], vec!["a".to_owned()]).unwrap_err().to_string(),
        ]
        .join("\n"),
        @r"
    there is no negative row to learn from
    there is no positive row to learn from
    row 1: the weight 0 is not a positive number
    `labels` has 1 rows, and 2 are wanted
    column `x`, row 1: inf is infinite; make it null
    column `x`, row 0: 0.5 is not the position of one of its 1 words
    ");
}

/// The text is what a reader has to go by: its tree sizes must be the bytes of its trees.
#[test]
fn the_text_says_how_long_its_trees_are() {
    let values = draws(2_000);
    let codes: Vec<f64> = values.iter().map(|x| (x * 700.0).floor() % 40.0).collect();
    let labels: Vec<bool> = codes.iter().map(|code| code % 3.0 == 0.0).collect();
    let words: Vec<String> = (0..40).map(|word| format!("w\"é{word}")).collect();
    let columns = vec![number(&values), Column::category("shop", codes, words).unwrap()];
    let model = trained(columns, &labels, &few_trees(), 1);
    let text = to_lightgbm_text(&model).unwrap();
    let sizes = text.lines().find_map(|line| line.strip_prefix("tree_sizes=")).unwrap();
    let mut rest = &text[text.find("Tree=0\n").unwrap()..];
    for (at, size) in sizes.split(' ').enumerate() {
        assert!(rest.starts_with(&format!("Tree={at}\n")));
        rest = &rest[size.parse::<usize>().unwrap()..];
    }
    assert!(rest.starts_with("end of trees\n"));
    assert!(text.ends_with("\"w\\\"\\u00e939\"]]\n"));
    let bad = Column::number("two words", values).unwrap();
    let error = to_lightgbm_text(&trained(vec![bad], &labels, &few_trees(), 1)).unwrap_err();
    assert!(matches!(error, Error::FeatureName { .. }));
}

/// A tree as a reader of the file would walk it.
#[test]
fn every_child_is_reached_once() {
    let values = draws(2_000);
    let labels: Vec<bool> = values.iter().map(|x| (x * 9.0).fract() > 0.6).collect();
    for tree in trained(vec![number(&values)], &labels, &few_trees(), 1).trees {
        let mut seen = vec![false; tree.leaves.len()];
        let mut open = vec![Child::Split(0)];
        while let Some(child) = open.pop() {
            match child {
                Child::Leaf(leaf) => assert!(!std::mem::replace(&mut seen[leaf], true)),
                Child::Split(split) => {
                    open.extend([tree.splits[split].left, tree.splits[split].right])
                }
            }
        }
        assert!(seen.iter().all(|seen| *seen));
    }
}
