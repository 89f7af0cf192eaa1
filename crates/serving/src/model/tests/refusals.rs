//! What is refused, and what is said about it.

use millrace_event::Type;

use super::trees::{Library, Missing, Test, Tree};
use super::written::model_text;
use super::*;

fn message(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

/// The message for a fixture in which `from` was replaced.
fn changed(fixture: &str, from: &str, to: &str) -> String {
    assert!(fixture.contains(from), "{from}");
    message(&fixture.replacen(from, to, 1))
}

#[test]
fn other_files_are_refused_by_name() {
    for (bytes, expected) in [
        (&b""[..], "it begins with nothing"),
        (b"hello, world", "it begins with `hello, world`"),
        (b"{L\0\0\0\0\0\0\0\x07learner", "UBJSON"),
        (b"binf\0\0", "XGBoost's old binary format"),
        (b"\x80\x04\x95", "a Python pickle"),
        (b"{\"name\":\"tree\"}", "LightGBM's JSON dump"),
        (b"tree\nversion=v4\n\xff", "byte 16 is not UTF-8"),
    ] {
        let error = Model::read(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[cfg(not(feature = "onnx"))]
#[test]
fn a_build_without_onnx_says_how_to_make_one_with_it() {
    let error = Model::read(include_bytes!("fixtures/onnx_xgboost_binary.onnx")).unwrap_err();
    assert!(error.to_string().ends_with("`cargo build --release --features onnx`"), "{error}");
}

#[test]
fn what_cannot_be_scored_is_refused_with_a_way_out() {
    let cases = [
        (LIGHTGBM, "num_class=1", "num_class=3", "line 3: num_class is 3: several classes"),
        (LIGHTGBM, "version=v4", "version=v2", "line 2: version `v2` of the format"),
        (LIGHTGBM, "objective=binary", "objective=lambdarank", "objective `lambdarank` is not"),
        (LIGHTGBM, "sigmoid:1", "sigmoid:1 sqrt", "the setting `sqrt` of binary is not known"),
        (LIGHTGBM, "is_linear=0", "is_linear=1", "leaves with linear models are not scored"),
        (XGBOOST, "binary:logistic", "multi:softprob", "objective `multi:softprob` is not"),
        (XGBOOST, "\"num_class\":\"0\"", "\"num_class\":\"3\"", "num_class: num_class is above"),
        (XGBOOST, "\"name\":\"gbtree\"", "\"name\":\"gblinear\"", "booster `gblinear` is not"),
        (XGBOOST, "\"tree_info\":[0,", "\"tree_info\":[1,", "trees of several outputs"),
    ];
    for (fixture, from, to, expected) in cases {
        let error = changed(fixture, from, to);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn damage_is_told_with_its_place() {
    let cases = [
        (LIGHTGBM, "Tree=1", "Tree=2", "`Tree=2`, and tree 1 expected"),
        (LIGHTGBM, "num_leaves=6", "num_leaves=7", "line 21 (tree 0): 6 leaf_value, and 7"),
        (LIGHTGBM, "left_child=", "left_child=x", "(tree 0): "),
        (LIGHTGBM, "end of trees", "end", "there is no `end of trees`"),
        (LIGHTGBM, "count", "count amount", "5 feature names, and 4 expected"),
        (XGBOOST, "\"left_children\":[1", "\"left_children\":[0", "trees[0]: two branches lead to"),
        (XGBOOST, "\"left_children\":[1", "\"left_children\":[99", "leads to node 99 of"),
        (XGBOOST, "\"default_left\":[", "\"default_left\":[7,", "trees[0].default_left: "),
        (XGBOOST, "\"trees\"", "\"tress\"", "missing field `trees`"),
    ];
    for (fixture, from, to, expected) in cases {
        let error = changed(fixture, from, to);
        assert!(error.contains(expected), "{error}");
    }
}

fn chain(depth: usize) -> Tree {
    let leaf = || Tree::Leaf { value: 1.0, cover: 1 };
    (0..depth).fold(leaf(), |tree, _| Tree::Split {
        feature: 0,
        test: Test::Threshold(0.0),
        missing: Missing { kind: 2, is_left: false },
        sides: Box::new([leaf(), tree]),
    })
}

#[test]
fn limits_hold_at_the_limit() {
    for of in [Library::LightGbm, Library::XgBoost] {
        let model = read(&model_text(&[chain(limits::DEPTH_MAX)], 1, of)).unwrap();
        assert_eq!(model.trees_and_leaves().1, limits::DEPTH_MAX + 1);
        assert!(model.shap(&[1.0]).contributions.iter().all(|value| value.is_finite()));
        let error = message(&model_text(&[chain(limits::DEPTH_MAX + 1)], 1, of));
        assert!(error.contains("513 splits on one path of a tree; at most 512"), "{error}");
    }
    // Zeros are not touched by the system until they are read.
    let error = Model::read(&vec![0; limits::FILE_BYTES_MAX + 1]).unwrap_err().to_string();
    assert!(error.starts_with("268435457 bytes; at most 268435456"), "{error}");
    let features = format!("max_feature_idx={}", limits::FEATURES_MAX);
    let error = changed(LIGHTGBM, "max_feature_idx=3", &features);
    assert!(error.contains("65537 features; at most 65536"), "{error}");
}

#[test]
fn few_bytes_cannot_ask_for_many_categories() {
    let split = |last: i64| Tree::Split {
        feature: 0,
        test: Test::Categories(vec![last]),
        missing: Missing { kind: 2, is_left: false },
        sides: Box::new([1.0, 2.0].map(|value| Tree::Leaf { value, cover: 1 })),
    };
    let last = limits::CATEGORY_MAX as i64 - 1;
    let error = message(&model_text(&[split(last + 1)], 1, Library::XgBoost));
    assert!(error.contains("`16777216` is not a category below 2^24"), "{error}");
    let error = message(&model_text(&vec![split(last); 33], 1, Library::XgBoost));
    assert!(error.contains("words of 32 categories in all sets; at most"), "{error}");
}

#[test]
fn every_mismatch_with_the_inputs_is_told() {
    let model = read(LIGHTGBM).unwrap();
    let inputs = [("amuont", Type::Float), ("count", Type::Timestamp), ("country", Type::Float)];
    let inputs = inputs.each_ref().map(|(name, ty)| Input { name, ty, nullable: true });
    let told: Vec<String> = model.check_inputs(&inputs).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "feature `amount`: no input has this name; did you mean `amuont`?",
            "feature `count` is a number, and the input is a timestamp; give its age, as in \
             `event_time - first_seen`",
            "feature `ratio`: no input has this name",
            "feature `country` is a category, and the input is a float; give a string, an integer \
             or a bool",
        ]
    );
    let fitting = [
        ("extra", Type::String),
        ("amount", Type::Decimal(2)),
        ("count", Type::Int),
        ("ratio", Type::Float),
        ("country", Type::String),
    ];
    let fitting = fitting.each_ref().map(|(name, ty)| Input { name, ty, nullable: true });
    assert_eq!(model.check_inputs(&fitting), []);
    // The codes of the XGBoost fixture have no names.
    let [mismatch] = &read(XGBOOST).unwrap().check_inputs(&fitting)[..] else { panic!() };
    assert!(mismatch.to_string().contains("give their codes"));
}
