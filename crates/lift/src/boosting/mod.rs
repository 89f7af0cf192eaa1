//! Trains gradient-boosted trees: histograms of 255 bins, leaf by leaf, logistic loss.
//!
//! ```text
//! Table ─▶ bins (a byte a value) ─▶ per tree: slopes of the loss ─▶ histograms ─▶ splits ─▶ Model
//!                                       ▲                                          │
//!                                       └────────── scores of the rows ◀───────────┘
//! ```
//!
//! The method and the meaning of the settings are LightGBM's (Ke et al., NIPS 2017), so that a
//! result can be held against it. What is drawn comes from the seed, sums are taken in the order of
//! the rows and one model is trained by one thread: the same rows, settings and seed give the same
//! model to the last bit. Code in the inner loops indexes; every index is a row, a bin or a column
//! that this module has numbered itself.

mod bins;
mod grow;
mod histogram;
mod lessons;
mod random;
mod settings;
mod split;

use self::bins::{Binned, Bins};
use self::grow::{Ground, GrownSplit, GrownTree, Next, grow};
use self::histogram::Layout;
pub use self::lessons::Lessons;
use self::random::Random;
pub use self::settings::{LEAVES_MAX, Settings, TREES_MAX};
use self::split::{Side, leaf_value};
use crate::error::Error;
use crate::model::{Child, Feature, Leaf, Model, Range, Rule, Split, Tree};
use crate::table::{Column, Table};

/// Trains one model. The first tree's leaves hold the log-odds of the labels too, so that the score
/// of a row is the sum of its leaves.
pub fn train(
    table: &Table,
    lessons: Lessons<'_>,
    settings: &Settings,
    seed: u64,
) -> Result<Model, Error> {
    settings.check()?;
    lessons.check(table)?;
    let base = lessons.log_odds();
    let binned = Binned::new(table, lessons.rows);
    let layout = Layout::new(&binned);
    let ground = Ground { settings, binned: &binned, layout: &layout };
    let mut scores = vec![base; lessons.rows.len()];
    let mut trees = Vec::with_capacity(settings.trees);
    for number in 0..settings.trees {
        let slopes = lessons.slopes(&scores);
        let mut random = Random::new(seed, number as u64);
        let used = columns_used(&mut random, table.columns().len(), settings.column_share);
        let rows = (0..scores.len() as u32).filter(|_| random.fraction() < settings.row_share);
        let grown = grow(ground, &used, rows.collect(), &slopes);
        if grown.splits.is_empty() {
            continue;
        }
        let base = if trees.is_empty() { base } else { 0.0 };
        let steps = leaf_steps(&grown, settings);
        for (row, score) in scores.iter_mut().enumerate() {
            *score += steps[grown.leaf_of(&binned, row)];
        }
        trees.push(finish(&grown, &binned, settings, base));
    }
    if trees.is_empty() {
        let leaf = Leaf { value: base, weight: 0.0, rows: lessons.rows.len() as u32 };
        trees.push(Tree { splits: Vec::new(), leaves: vec![leaf], shrinkage: 1.0 });
    }
    let features = table.columns().iter().zip(&binned.bins);
    let features = features.map(|(column, bins)| feature(column, bins)).collect();
    Ok(Model { features, trees })
}

fn columns_used(random: &mut Random, columns: usize, share: f64) -> Vec<usize> {
    let wanted = (columns as f64 * share).round().max(1.0) as usize;
    random.choose(wanted.min(columns), columns)
}

fn leaf_steps(grown: &GrownTree, settings: &Settings) -> Vec<f64> {
    let step = |sum| settings.learning_rate * leaf_value(sum, settings.penalty);
    grown.leaves.iter().map(|sum| step(*sum)).collect()
}

/// The tree in terms of values instead of bins.
fn finish(grown: &GrownTree, binned: &Binned, settings: &Settings, base: f64) -> Tree {
    let split = |split: &GrownSplit| Split {
        feature: split.candidate.column,
        rule: rule(&split.candidate.side, &binned.bins[split.candidate.column]),
        left: child(split.left),
        right: child(split.right),
        gain: split.candidate.gain,
        value: base + settings.learning_rate * leaf_value(split.total, settings.penalty),
        weight: split.total.curvature,
        rows: split.total.rows,
    };
    let leaf = |(sum, step): (&histogram::Sum, f64)| Leaf {
        value: base + step,
        weight: sum.curvature,
        rows: sum.rows,
    };
    Tree {
        splits: grown.splits.iter().map(split).collect(),
        leaves: grown.leaves.iter().zip(leaf_steps(grown, settings)).map(leaf).collect(),
        shrinkage: settings.learning_rate,
    }
}

fn child(next: Next) -> Child {
    match next {
        Next::Split(split) => Child::Split(split),
        Next::Leaf(leaf) => Child::Leaf(leaf),
    }
}

fn rule(side: &Side, bins: &Bins) -> Rule {
    match (side, bins) {
        (Side::UpTo { bin, nulls }, Bins::Number { bounds, .. }) => {
            Rule::AtMost { threshold: bounds[*bin], nulls_left: *nulls }
        }
        (Side::Set(set), Bins::Category { codes }) => {
            let mut codes: Vec<u32> = set.iter().map(|bin| codes[*bin]).collect();
            codes.sort_unstable();
            Rule::OneOf { codes }
        }
        (Side::UpTo { .. }, Bins::Category { .. }) | (Side::Set(_), Bins::Number { .. }) => {
            unreachable!("the search offers a side of the kind of its bins")
        }
    }
}

fn feature(column: &Column, bins: &Bins) -> Feature {
    let range = match bins {
        Bins::Number { least, most, .. } => Range::Number { least: *least, most: *most },
        Bins::Category { codes } => {
            let mut codes = codes.clone();
            codes.sort_unstable();
            let words = column.words().unwrap_or_default().to_vec();
            Range::Category { codes, words }
        }
    };
    Feature { name: column.name().to_owned(), range }
}
