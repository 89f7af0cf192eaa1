//! Reads LightGBM's text format, versions 3 and 4 (LightGBM 3 and 4).
//!
//! ```text
//! tree                      the header: key=value lines
//! version=v4 …
//!                           a block for each tree: key=value lines
//! Tree=0
//! num_leaves=31 …
//! end of trees              then importances and parameters, which scoring does not need,
//! pandas_categorical:[…]    and the names of categories
//! ```

mod header;
mod tree;

use crate::model::Parts;
use crate::model::error::{Fault, ModelError, Place};
use crate::model::feature::{CategoryName, FeatureKind};
use crate::model::forest::Forest;
use crate::model::limits::{
    CATEGORIES_NAMED_MAX, CATEGORY_NAMES_BYTES_MAX, FEATURES_MAX, TREES_MAX,
};
use header::Header;
use tree::TreeText;

/// A line of the file with its number, from 1.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    number: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn key_value(self) -> Option<(&'a str, &'a str)> {
        self.text.split_once('=')
    }
}

fn error(line: usize, tree: Option<usize>, fault: Fault) -> ModelError {
    ModelError { place: Place::Line { line, tree }, fault }
}

pub(super) fn read(text: &str) -> Result<Parts, ModelError> {
    let numbered = text.lines().enumerate();
    let mut lines = numbered.map(|(at, text)| Line { number: at + 1, text: text.trim_end() });
    let mut header = Header::default();
    let mut forest = Forest::default();
    let mut tree: Option<TreeText<'_>> = None;
    let mut last = 0;
    let mut is_ended = false;
    for line in lines.by_ref() {
        last = line.number;
        if line.text == "end of trees" {
            is_ended = true;
            break;
        }
        if let Some(number) = line.text.strip_prefix("Tree=") {
            finish(tree.take(), &header, &mut forest)?;
            let expected = forest.trees.len();
            if number.parse() != Ok(expected) {
                let message = format!("`Tree={number}`, and tree {expected} expected");
                return Err(error(line.number, None, Fault::Shape { message }));
            }
            Fault::limit("trees", expected + 1, TREES_MAX)
                .map_err(|fault| error(line.number, None, fault))?;
            tree = Some(TreeText::new(expected, line.number));
        } else if let Some(tree) = &mut tree {
            tree.take(line)?;
        } else {
            header.take(line)?;
        }
    }
    if !is_ended {
        return Err(error(last, None, Fault::Missing { what: "end of trees" }));
    }
    finish(tree, &header, &mut forest)?;
    header.check_trees(forest.trees.len(), last)?;
    let mut parts = header.parts(forest, last)?;
    if let Some(line) = lines.find(|line| line.text.starts_with(PANDAS)) {
        name_categories(&mut parts, line)?;
    }
    Ok(parts)
}

fn finish(
    tree: Option<TreeText<'_>>,
    header: &Header<'_>,
    forest: &mut Forest,
) -> Result<(), ModelError> {
    tree.map_or(Ok(()), |tree| tree.push_to(forest, header.features()))
}

const PANDAS: &str = "pandas_categorical:";

/// One list of names for each column that pandas held as categories, in the order of the columns.
/// Which these are the file does not say: they are the categorical features where the counts agree.
fn name_categories(parts: &mut Parts, line: Line<'_>) -> Result<(), ModelError> {
    let json = line.text.strip_prefix(PANDAS).unwrap_or_default();
    let fail = |fault| error(line.number, None, fault);
    Fault::limit("bytes of category names", json.len(), CATEGORY_NAMES_BYTES_MAX).map_err(fail)?;
    let lists: Option<Vec<Vec<serde_json::Value>>> = serde_json::from_str(json)
        .map_err(|e| fail(Fault::Json { message: format!("{PANDAS} {e}") }))?;
    let lists = lists.unwrap_or_default();
    Fault::limit("columns of categories", lists.len(), FEATURES_MAX).map_err(fail)?;
    let is_category = |kind: &FeatureKind| matches!(kind, FeatureKind::Category { .. });
    let named = parts.features.iter_mut().filter(|feature| is_category(&feature.kind));
    let named: Vec<_> = named.collect();
    if named.len() != lists.len() {
        return Ok(());
    }
    for (feature, list) in named.into_iter().zip(lists) {
        Fault::limit("categories of one feature", list.len(), CATEGORIES_NAMED_MAX)
            .map_err(fail)?;
        let names = list.into_iter().map(category_name).collect();
        feature.kind = FeatureKind::Category { names };
    }
    Ok(())
}

fn category_name(value: serde_json::Value) -> Option<CategoryName> {
    match value {
        serde_json::Value::String(text) => Some(CategoryName::Text(text)),
        serde_json::Value::Number(number) => number.as_f64().map(CategoryName::Number),
        serde_json::Value::Bool(_)
        | serde_json::Value::Null
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => None,
    }
}
