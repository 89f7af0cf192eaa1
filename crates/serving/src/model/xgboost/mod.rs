//! Reads XGBoost's JSON format, as `save_model("model.json")` of releases 1.6 to 3.x writes it.
//!
//! XGBoost works in 32-bit floats: a row is rounded to them, `x < split` goes left, and leaves are
//! added one after the other to the margin of `base_score`. `x < s` is kept as `x <= t`, with `t`
//! the next float below `s`, so that both libraries' trees are walked by the same kernels.

mod document;
mod nan;
mod numbers;
mod tree;

use std::borrow::Cow;

use crate::model::error::{Fault, ModelError};
use crate::model::feature::{CategoryName, FeatureKind, ModelFeature};
use crate::model::forest::Forest;
use crate::model::limits::{CATEGORIES_NAMED_MAX, CATEGORY_NAMES_BYTES_MAX, FEATURES_MAX};
use crate::model::objective::{Link, Objective};
use crate::model::{Format, Parts, Sum};
use document::{Booster, CategoryNames, Document, Learner, Trees};
use numbers::numbers;
use tree::push_tree;

const MODEL: &str = "learner.gradient_booster.model";
const ONE_TARGET: &str = "train one model with a single target, such as binary:logistic";

pub(super) fn read(text: &str) -> Result<Parts, ModelError> {
    let text = nan::quoted(text);
    let parsed: Result<Document<'_>, _> = serde_json::from_str(&text);
    let Document { learner } =
        parsed.map_err(|e| ModelError::file(Fault::Json { message: e.to_string() }))?;
    let count = count_of_features(&learner)?;
    let mut features = features(&learner, count)?;
    let (objective, start) = objective(&learner)?;
    let (trees, weights) = trees(&learner.gradient_booster)?;
    let mut forest = Forest::default();
    for (at, tree) in trees.trees.0.iter().enumerate() {
        // What an ensemble with dropout adds is the leaf times the tree's weight, in 32 bits.
        let weight = match &weights {
            None => 1.0,
            Some(weights) => weights.get(at).copied().unwrap_or(1.0),
        };
        push_tree(&mut forest, tree, &format!("{MODEL}.trees[{at}]"), features.len(), weight)?;
    }
    name_categories(&mut features, trees)?;
    let remarks = remarks(&learner, trees);
    let sum = Sum::Single { start };
    Ok(Parts { format: Format::XgBoost, features, objective, sum, forest, remarks })
}

fn count_of_features(learner: &Learner<'_>) -> Result<usize, ModelError> {
    let parameters = &learner.learner_model_param;
    for (name, value) in
        [("num_class", &parameters.num_class), ("num_target", &parameters.num_target)]
    {
        if !matches!(value.as_deref(), None | Some("0" | "1")) {
            let what = format!("{name} is above 1: several outputs are not scored");
            let fault = Fault::Unsupported { what, fix: ONE_TARGET };
            return Err(ModelError::at(format!("learner.learner_model_param.{name}"), fault));
        }
    }
    let path = "learner.learner_model_param.num_feature";
    let given = &*parameters.num_feature;
    let count = given.parse().ok();
    let count = count.ok_or_else(|| Fault::unreadable(given, "a whole number"));
    count
        .and_then(|count| Fault::limit("features", count, FEATURES_MAX).map(|()| count))
        .map_err(|fault| ModelError::at(path, fault))
}

fn features(learner: &Learner<'_>, count: usize) -> Result<Vec<ModelFeature>, ModelError> {
    let (names, types) = (&learner.feature_names.0, &learner.feature_types.0);
    for (list, what) in [(names, "feature_names"), (types, "feature_types")] {
        if !list.is_empty() && list.len() != count {
            let fault = Fault::Count { what, given: list.len(), expected: count };
            return Err(ModelError::at(format!("learner.{what}"), fault));
        }
    }
    let feature = |at: usize| {
        // As XGBoost calls features that have no name.
        let name = names.get(at).map_or_else(|| format!("f{at}"), ToString::to_string);
        let kind = match types.get(at).map(|ty| &**ty) {
            Some("c" | "categorical") => FeatureKind::Category { names: None },
            Some(_) | None => FeatureKind::Number,
        };
        ModelFeature { name, kind, is_used: false, takes_missing: true }
    };
    Ok((0..count).map(feature).collect())
}

/// The objective, and the margin that the sum starts with.
fn objective(learner: &Learner<'_>) -> Result<(Objective, f32), ModelError> {
    let name = &*learner.objective.name;
    let link = match name {
        "binary:logistic" | "reg:logistic" => Link::SigmoidSingle,
        "binary:logitraw"
        | "reg:squarederror"
        | "reg:squaredlogerror"
        | "reg:absoluteerror"
        | "reg:pseudohubererror"
        | "reg:quantileerror" => Link::Identity,
        "count:poisson" | "reg:gamma" | "reg:tweedie" => Link::ExpSingle,
        "binary:hinge" => Link::Step,
        _ => {
            let what = format!("objective `{name}` is not scored");
            let fix = "train with binary:logistic, reg:squarederror, count:poisson or their like";
            return Err(ModelError::at("learner.objective.name", Fault::Unsupported { what, fix }));
        }
    };
    let path = "learner.learner_model_param.base_score";
    // A probability for those that predict one, but not for `logitraw`.
    let given = learner.learner_model_param.base_score.trim();
    // From 3.1 on it is a list with a number for each output.
    let one = given.strip_prefix('[').and_then(|g| g.strip_suffix(']')).unwrap_or(given);
    let base: f32 = one.trim().parse().map_err(|_| {
        ModelError::at(path, Fault::unreadable(given, "a number, or a list of one number"))
    })?;
    let start = match name {
        "binary:logistic" | "reg:logistic" => -(1.0 / base - 1.0).ln(),
        "count:poisson" | "reg:gamma" | "reg:tweedie" => base.ln(),
        _ => base,
    };
    if !start.is_finite() {
        let expected = "a base score that the objective can start with";
        return Err(ModelError::at(path, Fault::unreadable(given, expected)));
    }
    Ok((Objective { name: name.to_owned(), link }, start))
}

/// The trees, and the weight of each where training dropped some.
fn trees<'d>(booster: &'d Booster<'_>) -> Result<(&'d Trees<'d>, Option<Vec<f32>>), ModelError> {
    let path = "learner.gradient_booster";
    let missing = |what| ModelError::at(path, Fault::Missing { what });
    let (trees, weights) = match &*booster.name {
        "gbtree" => (booster.model.as_ref().ok_or_else(|| missing("model"))?, None),
        "dart" => {
            let inner = booster.gbtree.as_ref().ok_or_else(|| missing("gbtree"))?;
            let weights = booster.weight_drop.ok_or_else(|| missing("weight_drop"))?;
            let weights_path = || format!("{path}.weight_drop");
            let weights: Vec<f32> = numbers(weights, &weights_path)?;
            if weights.iter().any(|weight| !weight.is_finite()) {
                let fault = Fault::Shape { message: "a weight is not finite".to_owned() };
                return Err(ModelError::at(weights_path(), fault));
            }
            if weights.len() != inner.model.trees.0.len() {
                let (given, expected) = (weights.len(), inner.model.trees.0.len());
                let fault = Fault::Count { what: "weights of trees", given, expected };
                return Err(ModelError::at(weights_path(), fault));
            }
            (&inner.model, Some(weights))
        }
        name => {
            let what = format!("booster `{name}` is not scored");
            let fix = "train with booster=gbtree";
            let fault = Fault::Unsupported { what, fix };
            return Err(ModelError::at(format!("{path}.name"), fault));
        }
    };
    let groups: Vec<i32> = numbers(trees.tree_info, &|| format!("{MODEL}.tree_info"))?;
    if groups.iter().any(|group| *group != 0) {
        let what = "trees of several outputs are not scored".to_owned();
        let fault = Fault::Unsupported { what, fix: ONE_TARGET };
        return Err(ModelError::at(format!("{MODEL}.tree_info"), fault));
    }
    let (given, expected) = (trees.trees.0.len(), groups.len());
    if given != expected {
        return Err(ModelError::at(MODEL, Fault::Count { what: "trees", given, expected }));
    }
    Ok((trees, weights))
}

/// From 3.1 on a file has the categories of the training data frame: texts one after the other,
/// and where each begins.
fn name_categories(features: &mut [ModelFeature], trees: &Trees<'_>) -> Result<(), ModelError> {
    let Some(categories) = &trees.cats else { return Ok(()) };
    for (at, (feature, names)) in features.iter_mut().zip(&categories.enc.0).enumerate() {
        let FeatureKind::Category { names: slot } = &mut feature.kind else { continue };
        let path = format!("{MODEL}.cats.enc[{at}]");
        *slot = category_names(names, &path)?;
    }
    Ok(())
}

fn category_names(
    names: &CategoryNames<'_>,
    path: &str,
) -> Result<Option<Vec<CategoryName>>, ModelError> {
    // Without offsets the categories are numbers, which are not told apart from their codes here.
    let (Some(offsets), Some(values)) = (names.offsets, names.values) else { return Ok(None) };
    let bytes = values.get().len();
    Fault::limit("bytes of category names", bytes, CATEGORY_NAMES_BYTES_MAX)
        .map_err(|fault| ModelError::at(path, fault))?;
    // XGBoost holds the text as signed bytes.
    let values: Vec<i16> = numbers(values, &|| format!("{path}.values"))?;
    let offsets: Vec<usize> = numbers(offsets, &|| format!("{path}.offsets"))?;
    let count = offsets.len().saturating_sub(1);
    Fault::limit("categories of one feature", count, CATEGORIES_NAMED_MAX)
        .map_err(|fault| ModelError::at(path, fault))?;
    let text = |(from, to): (&usize, &usize)| {
        let bytes = values.get(*from..*to)?.iter();
        let bytes: Vec<u8> = bytes.map(|b| (b & 0xff) as u8).collect();
        String::from_utf8(bytes).ok().map(CategoryName::Text)
    };
    let pairs = offsets.iter().zip(offsets.iter().skip(1));
    let texts: Option<Vec<CategoryName>> = pairs.map(text).collect();
    Ok(texts.filter(|texts| !texts.is_empty()))
}

fn remarks(learner: &Learner<'_>, trees: &Trees<'_>) -> Vec<String> {
    let best: Option<&Cow<'_, str>> = learner.attributes.best_iteration.as_ref();
    let best = best.and_then(|best| best.parse::<usize>().ok());
    let rounds = trees.trees.0.len();
    let Some(best) = best.filter(|best| best + 1 < rounds) else { return Vec::new() };
    vec![format!(
        "training stopped early with round {best} as the best, and the file has {rounds} trees: all \
         are scored, as `Booster.predict` does; `XGBClassifier.predict` stops after round {best}. \
         Cut the others off with `booster[:{}].save_model(…)`",
        best + 1
    )]
}
