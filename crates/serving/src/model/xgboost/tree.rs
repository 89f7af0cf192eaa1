//! One tree: parallel arrays, a number for each node. A left child of −1 makes a leaf.

use std::str::FromStr;

use serde_json::value::RawValue;

use super::ONE_TARGET;
use super::document::TreeText;
use super::numbers::{numbers, numbers_of};
use crate::model::error::{Fault, ModelError};
use crate::model::forest::{CategorySet, Entry, Forest, Test, TreeSource};
use crate::model::limits::{CATEGORY_MAX, LEAVES_MAX};

/// The arrays as numbers.
#[derive(Debug)]
struct Nodes<'a> {
    path: &'a str,
    features: usize,
    weight: f32,
    left: Vec<i32>,
    right: Vec<i32>,
    feature: Vec<u32>,
    condition: Vec<f32>,
    default_left: Vec<u8>,
    hessian: Vec<f32>,
    /// By node; `None` where the split is numeric.
    sets: Vec<Option<CategorySet>>,
}

/// Checks the tree at `path` and adds it. `features` is how many the model has.
pub(super) fn push_tree(
    forest: &mut Forest,
    text: &TreeText<'_>,
    path: &str,
    features: usize,
    weight: f32,
) -> Result<(), ModelError> {
    if !matches!(text.tree_param.size_leaf_vector.as_deref(), None | Some("0" | "1")) {
        let what = "leaves with several values are not scored".to_owned();
        let fault = Fault::Unsupported { what, fix: ONE_TARGET };
        return Err(ModelError::at(format!("{path}.tree_param.size_leaf_vector"), fault));
    }
    let left: Vec<i32> = numbers(text.left_children, &|| format!("{path}.left_children"))?;
    let count = left.len();
    if count == 0 {
        let message = "a tree without nodes".to_owned();
        return Err(ModelError::at(path, Fault::Shape { message }));
    }
    Fault::limit("nodes in one tree", count, 2 * LEAVES_MAX)
        .map_err(|fault| ModelError::at(path, fault))?;
    let nodes = Nodes {
        path,
        features,
        weight,
        left,
        right: array(path, text.right_children, "right_children", count)?,
        feature: array(path, text.split_indices, "split_indices", count)?,
        condition: array(path, text.split_conditions, "split_conditions", count)?,
        default_left: array(path, text.default_left, "default_left", count)?,
        hessian: array(path, text.sum_hessian, "sum_hessian", count)?,
        sets: sets(forest, text, path, count)?,
    };
    forest.push_tree(&nodes)
}

fn array<T: FromStr>(
    path: &str,
    raw: &RawValue,
    what: &'static str,
    count: usize,
) -> Result<Vec<T>, ModelError> {
    numbers_of(raw, &|| format!("{path}.{what}"), what, count)
}

/// The set of each categorical split; its members go right.
fn sets(
    forest: &mut Forest,
    text: &TreeText<'_>,
    path: &str,
    count: usize,
) -> Result<Vec<Option<CategorySet>>, ModelError> {
    let mut sets = vec![None; count];
    let Some(types) = text.split_type else { return Ok(sets) };
    let types: Vec<u8> = array(path, types, "split_type", count)?;
    if types.iter().all(|ty| *ty == 0) {
        return Ok(sets);
    }
    let list = |raw: Option<&RawValue>, what: &'static str| {
        let raw = raw.ok_or_else(|| ModelError::at(path, Fault::Missing { what }))?;
        numbers::<usize>(raw, &|| format!("{path}.{what}"))
    };
    let categories = list(text.categories, "categories")?;
    let nodes = list(text.categories_nodes, "categories_nodes")?;
    let starts = list(text.categories_segments, "categories_segments")?;
    let sizes = list(text.categories_sizes, "categories_sizes")?;
    for (node, (start, size)) in nodes.iter().zip(starts.iter().zip(&sizes)) {
        let fail = |fault| ModelError::at(format!("{path}.categories_nodes"), fault);
        let end = start.saturating_add(*size);
        let members = categories.get(*start..end).ok_or_else(|| {
            fail(Fault::Shape { message: format!("the categories of node {node} are not there") })
        })?;
        let set = forest.push_members(members).map_err(fail)?;
        match sets.get_mut(*node) {
            Some(slot @ None) => *slot = Some(set),
            Some(Some(_)) | None => {
                let message = format!("node {node} is not there, or has categories twice");
                return Err(fail(Fault::Shape { message }));
            }
        }
    }
    for (node, (ty, set)) in types.iter().zip(&mut sets).enumerate() {
        match (ty, &set) {
            (0, _) => *set = None,
            (1, Some(_)) => {}
            _ => {
                let message = format!("node {node} has type {ty} and no categories");
                let path = format!("{path}.split_type");
                return Err(ModelError::at(path, Fault::Shape { message }));
            }
        }
    }
    Ok(sets)
}

impl Forest {
    fn push_members(&mut self, members: &[usize]) -> Result<CategorySet, Fault> {
        let last = members.iter().max().copied().unwrap_or_default();
        if last >= CATEGORY_MAX {
            return Err(Fault::unreadable(&last.to_string(), "a category below 2^24"));
        }
        // Checked against the limit on all words before anything is allocated.
        let set = self.push_set((0..last / 32 + 1).map(|_| 0))?;
        let words = self.category_words.get_mut(set.start as usize..).unwrap_or_default();
        for member in members {
            if let Some(word) = words.get_mut(member / 32) {
                *word |= 1 << (member % 32);
            }
        }
        Ok(set)
    }
}

impl Nodes<'_> {
    fn shape(&self, array: &str, node: usize, message: String) -> ModelError {
        ModelError::at(format!("{}.{array}[{node}]", self.path), Fault::Shape { message })
    }
}

impl TreeSource for Nodes<'_> {
    fn nodes(&self) -> usize {
        self.left.len()
    }

    fn entry(&self, node: usize) -> Result<Entry, ModelError> {
        let fields = (|| {
            let children = (*self.left.get(node)?, *self.right.get(node)?);
            let (condition, hessian) = (*self.condition.get(node)?, *self.hessian.get(node)?);
            Some((children, condition, hessian, *self.feature.get(node)?))
        })();
        let Some(((left, right), condition, hessian, feature)) = fields else {
            return Err(self.shape("left_children", node, "there is no such node".to_owned()));
        };
        let set = self.sets.get(node).copied().flatten();
        // A split by categories has no threshold: what stands there means nothing.
        if !(condition.is_finite() || set.is_some() && left != -1)
            || !hessian.is_finite()
            || hessian < 0.0
        {
            let message = "a number is not finite, or a Hessian is negative".to_owned();
            return Err(self.shape("split_conditions", node, message));
        }
        if left == -1 {
            let value = condition * self.weight;
            if !value.is_finite() {
                let message = "a leaf's weighted value is not finite".to_owned();
                return Err(self.shape("split_conditions", node, message));
            }
            return Ok(Entry::Leaf { value: f64::from(value), cover: f64::from(hessian) });
        }
        let (Ok(left), Ok(right)) = (usize::try_from(left), usize::try_from(right)) else {
            let message = format!("children {left} and {right}");
            return Err(self.shape("left_children", node, message));
        };
        if feature as usize >= self.features {
            let message = format!("feature {feature} of {}", self.features);
            return Err(self.shape("split_indices", node, message));
        }
        let nan_left = self.default_left.get(node).is_some_and(|flag| *flag != 0);
        let test = match set {
            Some(set) => Test::Category { set, member_left: false },
            None => Test::Number {
                threshold: f64::from(condition.next_down()),
                zero_left: 0.0 < condition,
            },
        };
        Ok(Entry::Split { test, feature, nan_left, left, right })
    }

    fn error(&self, fault: Fault) -> ModelError {
        ModelError::at(self.path, fault)
    }
}
