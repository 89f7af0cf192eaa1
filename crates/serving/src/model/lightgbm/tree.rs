//! The lines of one tree, and its nodes as the file numbers them.
//!
//! Splits are numbered from 0, leaves as `!leaf`; here leaf `n` is node `splits + n`.
//! `decision_type`: bit 0 categorical, bit 1 missing values go left, bits 2–3 what is missing:
//! 0 nothing (a NaN is compared as 0.0), 1 zero and NaN, 2 NaN.

use std::str::FromStr;

use super::{Line, error};
use crate::model::error::{Fault, ModelError};
use crate::model::forest::{CategorySet, Entry, Forest, Test, TreeSource};
use crate::model::limits::{CATEGORY_MAX, LEAVES_MAX};

const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;
const MISSING_SHIFT: u8 = 2;

/// The fields that scoring needs, as text.
#[derive(Debug, Default)]
pub(super) struct TreeText<'a> {
    number: usize,
    line: usize,
    num_leaves: Option<Line<'a>>,
    num_cat: Option<Line<'a>>,
    split_feature: Option<Line<'a>>,
    threshold: Option<Line<'a>>,
    decision_type: Option<Line<'a>>,
    left_child: Option<Line<'a>>,
    right_child: Option<Line<'a>>,
    leaf_value: Option<Line<'a>>,
    leaf_count: Option<Line<'a>>,
    cat_boundaries: Option<Line<'a>>,
    cat_threshold: Option<Line<'a>>,
}

impl<'a> TreeText<'a> {
    pub fn new(number: usize, line: usize) -> TreeText<'a> {
        TreeText { number, line, ..TreeText::default() }
    }

    pub fn take(&mut self, line: Line<'a>) -> Result<(), ModelError> {
        let Some((key, text)) = line.key_value() else { return Ok(()) };
        let (slot, what) = match key {
            "num_leaves" => (&mut self.num_leaves, "num_leaves"),
            "num_cat" => (&mut self.num_cat, "num_cat"),
            "split_feature" => (&mut self.split_feature, "split_feature"),
            "threshold" => (&mut self.threshold, "threshold"),
            "decision_type" => (&mut self.decision_type, "decision_type"),
            "left_child" => (&mut self.left_child, "left_child"),
            "right_child" => (&mut self.right_child, "right_child"),
            "leaf_value" => (&mut self.leaf_value, "leaf_value"),
            "leaf_count" => (&mut self.leaf_count, "leaf_count"),
            "cat_boundaries" => (&mut self.cat_boundaries, "cat_boundaries"),
            "cat_threshold" => (&mut self.cat_threshold, "cat_threshold"),
            "is_linear" if text != "0" => {
                let what = "leaves with linear models are not scored".to_owned();
                let fix = "train with linear_tree=false";
                return Err(self.fail(Some(line), Fault::Unsupported { what, fix }));
            }
            _ => return Ok(()),
        };
        if slot.replace(Line { text, ..line }).is_some() {
            return Err(self.fail(Some(line), Fault::Twice { what }));
        }
        Ok(())
    }

    /// Checks the tree and adds it. `features` is how many the model has.
    pub fn push_to(&self, forest: &mut Forest, features: usize) -> Result<(), ModelError> {
        let leaves = self.one(self.num_leaves, "num_leaves")?;
        Fault::limit("leaves in one tree", leaves, LEAVES_MAX)
            .map_err(|fault| self.fail(self.num_leaves, fault))?;
        let Some(splits) = leaves.checked_sub(1) else {
            let message = "a tree without leaves".to_owned();
            return Err(self.fail(self.num_leaves, Fault::Shape { message }));
        };
        let values = self.list::<f64>(self.leaf_value, "leaf_value", leaves)?;
        if values.iter().any(|value| !value.is_finite()) {
            let message = "a leaf's value is not finite".to_owned();
            return Err(self.fail(self.leaf_value, Fault::Shape { message }));
        }
        let covers = match self.leaf_count {
            // A tree of one leaf may have none, and needs none.
            Some(line) if !line.text.is_empty() => {
                self.list::<u32>(self.leaf_count, "leaf_count", leaves)?
            }
            _ => vec![0; leaves],
        };
        let mut nodes = Nodes { text: self, features, values, covers, ..Nodes::of(self) };
        if splits > 0 {
            nodes.feature = self.list(self.split_feature, "split_feature", splits)?;
            nodes.threshold = self.list(self.threshold, "threshold", splits)?;
            nodes.decision = self.list(self.decision_type, "decision_type", splits)?;
            nodes.left = self.list(self.left_child, "left_child", splits)?;
            nodes.right = self.list(self.right_child, "right_child", splits)?;
            nodes.sets = self.sets(forest)?;
        }
        forest.push_tree(&nodes)
    }

    fn sets(&self, forest: &mut Forest) -> Result<Vec<CategorySet>, ModelError> {
        let sets = self.num_cat.map_or(Ok(0), |_| self.one(self.num_cat, "num_cat"))?;
        if sets == 0 {
            return Ok(Vec::new());
        }
        Fault::limit("sets of categories in one tree", sets, LEAVES_MAX)
            .map_err(|fault| self.fail(self.num_cat, fault))?;
        let bounds = self.list::<usize>(self.cat_boundaries, "cat_boundaries", sets + 1)?;
        let total = bounds.last().copied().unwrap_or_default();
        let words = self.list::<u32>(self.cat_threshold, "cat_threshold", total)?;
        let pairs = bounds.iter().zip(bounds.iter().skip(1));
        let set = |(from, to): (&usize, &usize)| {
            let words = words.get(*from..*to).filter(|w| w.len() <= CATEGORY_MAX / 32);
            let unfit = || Fault::unreadable(&format!("{from} {to}"), "a range of cat_threshold");
            let words = words.ok_or_else(unfit)?;
            forest.push_set(words.iter().copied())
        };
        let sets: Result<Vec<CategorySet>, Fault> = pairs.map(set).collect();
        sets.map_err(|fault| self.fail(self.cat_boundaries, fault))
    }

    fn fail(&self, line: Option<Line<'_>>, fault: Fault) -> ModelError {
        error(line.map_or(self.line, |line| line.number), Some(self.number), fault)
    }

    fn one(&self, line: Option<Line<'_>>, what: &'static str) -> Result<usize, ModelError> {
        self.list(line, what, 1)?.pop().ok_or_else(|| self.fail(line, Fault::Missing { what }))
    }

    /// Exactly this many numbers. A number takes two bytes at least, so that what is allocated is
    /// bounded by the text and not by what the file says of itself.
    fn list<T: FromStr>(
        &self,
        line: Option<Line<'_>>,
        what: &'static str,
        expected: usize,
    ) -> Result<Vec<T>, ModelError> {
        let text = line.ok_or_else(|| self.fail(None, Fault::Missing { what }))?.text;
        let mut list = Vec::with_capacity(expected.min(text.len() / 2 + 1));
        for word in text.split_ascii_whitespace() {
            let value = word
                .parse()
                .map_err(|_| self.fail(line, Fault::unreadable(word, "a number that fits here")))?;
            list.push(value);
            if list.len() > expected {
                break;
            }
        }
        if list.len() != expected {
            let given = text.split_ascii_whitespace().count();
            return Err(self.fail(line, Fault::Count { what, given, expected }));
        }
        Ok(list)
    }
}

/// The fields as numbers, one for each split or leaf.
#[derive(Debug)]
struct Nodes<'a> {
    text: &'a TreeText<'a>,
    features: usize,
    feature: Vec<u32>,
    threshold: Vec<f64>,
    decision: Vec<u8>,
    left: Vec<i32>,
    right: Vec<i32>,
    values: Vec<f64>,
    covers: Vec<u32>,
    sets: Vec<CategorySet>,
}

impl<'a> Nodes<'a> {
    fn of(text: &'a TreeText<'a>) -> Nodes<'a> {
        Nodes {
            text,
            features: 0,
            feature: Vec::new(),
            threshold: Vec::new(),
            decision: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            values: Vec::new(),
            covers: Vec::new(),
            sets: Vec::new(),
        }
    }

    /// The node that a child number means; one beyond the last, if it means none.
    fn node(&self, child: i32) -> usize {
        let splits = self.threshold.len();
        match usize::try_from(child) {
            Ok(split) if split < splits => split,
            Ok(unknown) => self.nodes().saturating_add(unknown),
            Err(_) => splits + !child as usize,
        }
    }

    fn split(&self, node: usize) -> Result<Entry, ModelError> {
        let fields = (|| {
            let feature = *self.feature.get(node)?;
            let threshold = *self.threshold.get(node)?;
            let decision = *self.decision.get(node)?;
            Some((feature, threshold, decision, *self.left.get(node)?, *self.right.get(node)?))
        })();
        let Some((feature, threshold, decision, left, right)) = fields else {
            let message = format!("there is no split {node}");
            return Err(self.error(Fault::Shape { message }));
        };
        if feature as usize >= self.features {
            let message = format!("split {node} reads feature {feature} of {}", self.features);
            return Err(self.text.fail(self.text.split_feature, Fault::Shape { message }));
        }
        let (left, right) = (self.node(left), self.node(right));
        let (test, nan_left) =
            self.test(threshold, decision).map_err(|(line, fault)| self.text.fail(line, fault))?;
        Ok(Entry::Split { test, feature, nan_left, left, right })
    }

    fn test(
        &self,
        threshold: f64,
        decision: u8,
    ) -> Result<(Test, bool), (Option<Line<'a>>, Fault)> {
        if decision & CATEGORICAL != 0 {
            let at = threshold as usize;
            let set = self.sets.get(at).filter(|_| at as f64 == threshold);
            let unfit = || Fault::unreadable(&threshold.to_string(), "one of the tree's sets");
            let set = *set.ok_or_else(|| (self.text.threshold, unfit()))?;
            return Ok((Test::Category { set, member_left: true }, false));
        }
        if threshold.is_nan() {
            return Err((self.text.threshold, Fault::unreadable("nan", "a threshold")));
        }
        let default_left = decision & DEFAULT_LEFT != 0;
        let zero_below = 0.0 <= threshold;
        let (nan_left, zero_left) = match decision >> MISSING_SHIFT {
            0 => (zero_below, zero_below),
            1 => (default_left, default_left),
            2 => (default_left, zero_below),
            _ => {
                let fault = Fault::unreadable(&decision.to_string(), "a decision_type");
                return Err((self.text.decision_type, fault));
            }
        };
        Ok((Test::Number { threshold, zero_left }, nan_left))
    }
}

impl TreeSource for Nodes<'_> {
    fn nodes(&self) -> usize {
        self.threshold.len() + self.values.len()
    }

    fn entry(&self, node: usize) -> Result<Entry, ModelError> {
        let Some(leaf) = node.checked_sub(self.threshold.len()) else { return self.split(node) };
        let value = self.values.get(leaf).copied();
        let value = value.ok_or_else(|| {
            self.error(Fault::Shape { message: format!("there is no leaf {leaf}") })
        })?;
        let cover = self.covers.get(leaf).copied().unwrap_or_default();
        Ok(Entry::Leaf { value, cover: f64::from(cover) })
    }

    fn error(&self, fault: Fault) -> ModelError {
        self.text.fail(None, fault)
    }
}
