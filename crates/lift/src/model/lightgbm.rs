//! A model as LightGBM writes one (text format, version 4): any reader of that format makes the
//! same splits and adds up the same leaves.
//!
//! Numbers are written with as many digits as bring the same bits back. In `decision_type`, bit 0
//! is set for a set of categories, bit 1 where nulls go left, and bits 2 and 3 say that NaN is what
//! null is. A child below zero is the leaf `!child`.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use super::{Child, Feature, Model, Range, Rule, Tree};
use crate::error::Error;

/// What the format has another use for.
pub(crate) const FORBIDDEN: &str = r#"`"` `,` `:` `[` `]` `{` `}`"#;

const CATEGORY: u8 = 1;
const NULLS_LEFT: u8 = 2;
const NULL_IS_NAN: u8 = 2 << 2;

/// The text of a model file.
pub fn to_lightgbm_text(model: &Model) -> Result<String, Error> {
    for feature in &model.features {
        check_name(&feature.name)?;
    }
    let trees: Vec<String> =
        model.trees.iter().enumerate().map(|(at, tree)| tree_text(at, tree)).collect();
    let mut out = String::from("tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\n");
    out.push_str("label_index=0\n");
    field(&mut out, "max_feature_idx", [model.features.len().saturating_sub(1)]);
    out.push_str("objective=binary sigmoid:1\n");
    field(&mut out, "feature_names", model.features.iter().map(|feature| &feature.name));
    field(&mut out, "feature_infos", model.features.iter().map(info));
    field(&mut out, "tree_sizes", trees.iter().map(String::len));
    out.push('\n');
    for tree in &trees {
        out.push_str(tree);
    }
    out.push_str("end of trees\n\nfeature_importances:\n");
    for (name, splits) in splits_by_feature(model) {
        line(&mut out, format_args!("{name}={splits}"));
    }
    out.push_str("\nparameters:\nend of parameters\n\n");
    line(&mut out, format_args!("pandas_categorical:{}", words_json(&model.features)));
    Ok(out)
}

fn check_name(name: &str) -> Result<(), Error> {
    let forbidden = |char: char| {
        char.is_whitespace()
            || char.is_control()
            || FORBIDDEN.replace(['`', ' '], "").contains(char)
    };
    if name.is_empty() || name.contains(forbidden) {
        return Err(Error::FeatureName { name: name.to_owned() });
    }
    Ok(())
}

fn tree_text(number: usize, tree: &Tree) -> String {
    let mut out = format!("Tree={number}\n");
    let splits = || tree.splits.iter();
    let sets: Vec<&[u32]> = splits().filter_map(|split| set(&split.rule)).collect();
    field(&mut out, "num_leaves", [tree.leaves.len()]);
    field(&mut out, "num_cat", [sets.len()]);
    field(&mut out, "split_feature", splits().map(|split| split.feature));
    field(&mut out, "split_gain", splits().map(|split| number_text(split.gain)));
    field(&mut out, "threshold", thresholds(tree));
    field(&mut out, "decision_type", splits().map(|split| decision(&split.rule)));
    field(&mut out, "left_child", splits().map(|split| child(split.left)));
    field(&mut out, "right_child", splits().map(|split| child(split.right)));
    let leaves = || tree.leaves.iter();
    field(&mut out, "leaf_value", leaves().map(|leaf| number_text(leaf.value)));
    field(&mut out, "leaf_weight", leaves().map(|leaf| number_text(leaf.weight)));
    field(&mut out, "leaf_count", leaves().map(|leaf| leaf.rows));
    field(&mut out, "internal_value", splits().map(|split| number_text(split.value)));
    field(&mut out, "internal_weight", splits().map(|split| number_text(split.weight)));
    field(&mut out, "internal_count", splits().map(|split| split.rows));
    if !sets.is_empty() {
        let bits: Vec<Vec<u32>> = sets.iter().map(|codes| bitset(codes)).collect();
        let ends = bits.iter().scan(0, |end, bits| {
            *end += bits.len();
            Some(*end)
        });
        field(&mut out, "cat_boundaries", std::iter::once(0).chain(ends));
        field(&mut out, "cat_threshold", bits.iter().flatten());
    }
    out.push_str("is_linear=0\n");
    field(&mut out, "shrinkage", [number_text(tree.shrinkage)]);
    out.push_str("\n\n");
    out
}

/// A set of categories has its number among the sets in the place of a threshold.
fn thresholds(tree: &Tree) -> Vec<String> {
    let mut sets = 0;
    let mut threshold = |rule: &Rule| match rule {
        Rule::AtMost { threshold, .. } => number_text(*threshold),
        Rule::OneOf { .. } => {
            sets += 1;
            (sets - 1).to_string()
        }
    };
    tree.splits.iter().map(|split| threshold(&split.rule)).collect()
}

fn set(rule: &Rule) -> Option<&[u32]> {
    match rule {
        Rule::AtMost { .. } => None,
        Rule::OneOf { codes } => Some(codes),
    }
}

fn decision(rule: &Rule) -> u8 {
    match rule {
        Rule::AtMost { nulls_left: true, .. } => NULL_IS_NAN | NULLS_LEFT,
        Rule::AtMost { nulls_left: false, .. } => NULL_IS_NAN,
        Rule::OneOf { .. } => NULL_IS_NAN | CATEGORY,
    }
}

fn child(child: Child) -> i64 {
    match child {
        Child::Split(split) => split as i64,
        Child::Leaf(leaf) => !(leaf as i64),
    }
}

/// Bit `code % 32` of word `code / 32`.
fn bitset(codes: &[u32]) -> Vec<u32> {
    let words = codes.iter().max().map_or(0, |most| most / 32 + 1);
    let bits_of = |word: u32| {
        let inside = codes.iter().filter(move |code| **code / 32 == word);
        inside.fold(0, |bits, code| bits | 1 << (code % 32))
    };
    (0..words).map(bits_of).collect()
}

fn info(feature: &Feature) -> String {
    match &feature.range {
        Range::Number { least, most } if least < most => {
            format!("[{}:{}]", number_text(*least), number_text(*most))
        }
        Range::Category { codes, .. } if codes.len() > 1 => {
            codes.iter().map(u32::to_string).collect::<Vec<_>>().join(":")
        }
        Range::Number { .. } | Range::Category { .. } => "none".to_owned(),
    }
}

/// Most splits first, then by name.
fn splits_by_feature(model: &Model) -> Vec<(&str, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for split in model.trees.iter().flat_map(|tree| &tree.splits) {
        if let Some(feature) = model.features.get(split.feature) {
            *counts.entry(&feature.name).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// The words of each column of words, in the order of the columns: the position of a word is its
/// code.
fn words_json(features: &[Feature]) -> String {
    let list = |words: &[String]| {
        let words: Vec<String> = words.iter().map(|word| json_text(word)).collect();
        format!("[{}]", words.join(", "))
    };
    let lists: Vec<String> = features
        .iter()
        .filter_map(|feature| match &feature.range {
            Range::Number { .. } => None,
            Range::Category { words, .. } => Some(list(words)),
        })
        .collect();
    format!("[{}]", lists.join(", "))
}

/// Only ASCII, as Python writes it, so that no reader has to know an encoding.
fn json_text(word: &str) -> String {
    let mut out = String::from('"');
    for unit in word.encode_utf16() {
        match char::from_u32(u32::from(unit)) {
            Some(char @ ('"' | '\\')) => out.extend(['\\', char]),
            Some(char @ ' '..='~') => out.push(char),
            Some(_) | None => _ = write!(out, "\\u{unit:04x}"),
        }
    }
    out.push('"');
    out
}

/// The shortest digits that give the same bits, with an exponent where the number is very large or
/// small.
fn number_text(number: f64) -> String {
    format!("{number:?}")
}

fn field<T: Display>(out: &mut String, name: &str, values: impl IntoIterator<Item = T>) {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    line(out, format_args!("{name}={}", values.join(" ")));
}

fn line(out: &mut String, line: std::fmt::Arguments<'_>) {
    _ = writeln!(out, "{line}");
}
