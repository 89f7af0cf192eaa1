//! Whether what a view gives fits what a model asks for.

use std::collections::BTreeMap;

use millrace_event::Type;
use millrace_feature::Suggest;

use crate::model::feature::{FeatureKind, ModelFeature};

/// What is there to be a feature: a column of a view.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub name: &'a str,
    pub ty: &'a Type,
    /// Whether it may be null.
    pub nullable: bool,
}

/// A feature of the model that the inputs do not serve as it needs.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Mismatch {
    #[error("feature `{feature}`: no input has this name{}", hint(nearest.as_deref()))]
    Missing { feature: String, nearest: Option<String> },
    #[error("feature `{feature}` is a number, and the input is {}; {fix}", article(ty))]
    NotANumber { feature: String, ty: Type, fix: &'static str },
    #[error("feature `{feature}` is a category, and the input is {}; {fix}", article(ty))]
    NotACategory { feature: String, ty: Type, fix: &'static str },
    #[error(
        "feature `{feature}`: the input may be null, and the model has no score where it is missing; \
         give a value with `coalesce` or `default`, or put an imputer into the model"
    )]
    MayBeMissing { feature: String },
    #[error("feature `{feature}` is there {count} times in the model; name its columns apart")]
    Repeated { feature: String, count: usize },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn article(ty: &Type) -> String {
    let name = ty.to_string();
    let article = if name.starts_with(['i', 'I']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// Every mismatch, in the order of the model's features. Inputs that the model does not ask for are
/// none: a view serves others as well.
pub(super) fn check_inputs(features: &[ModelFeature], inputs: &[Input<'_>]) -> Vec<Mismatch> {
    let mut suggest = Suggest::default();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for feature in features {
        *counts.entry(&feature.name).or_default() += 1;
    }
    let known: BTreeMap<&str, Input<'_>> =
        inputs.iter().map(|input| (input.name, *input)).collect();
    let mut mismatches = Vec::new();
    for feature in features {
        // Told once, where the name is first.
        let Some(count) = counts.remove(feature.name.as_str()) else { continue };
        let name = || feature.name.clone();
        let mismatch = match known.get(feature.name.as_str()) {
            _ if count > 1 => Some(Mismatch::Repeated { feature: name(), count }),
            Some(input) => mismatch(feature, input),
            None => {
                let nearest = suggest.nearest(&feature.name, known.keys().copied());
                let nearest = nearest.map(str::to_owned);
                Some(Mismatch::Missing { feature: name(), nearest })
            }
        };
        mismatches.extend(mismatch);
    }
    mismatches
}

fn mismatch(feature: &ModelFeature, input: &Input<'_>) -> Option<Mismatch> {
    of_type(feature, input.ty).or_else(|| {
        let is_short = input.nullable && !feature.takes_missing;
        is_short.then(|| Mismatch::MayBeMissing { feature: feature.name.clone() })
    })
}

fn of_type(feature: &ModelFeature, ty: &Type) -> Option<Mismatch> {
    let name = || feature.name.clone();
    let not_a_number = |fix| Some(Mismatch::NotANumber { feature: name(), ty: ty.clone(), fix });
    let not_a_category =
        |fix| Some(Mismatch::NotACategory { feature: name(), ty: ty.clone(), fix });
    match (&feature.kind, ty) {
        (
            FeatureKind::Number,
            Type::Bool | Type::Int | Type::Float | Type::Decimal(_) | Type::Duration,
        )
        | (FeatureKind::Category { .. }, Type::Bool | Type::Int)
        | (FeatureKind::Category { names: Some(_) }, Type::String) => None,
        // A model that learned from moments has learned its training's calendar.
        (FeatureKind::Number, Type::Timestamp) => {
            not_a_number("give its age, as in `event_time - first_seen`")
        }
        (FeatureKind::Number, Type::String | Type::Key(_) | Type::List(_) | Type::Map(..)) => {
            not_a_number("give a number, such as a count of it")
        }
        (FeatureKind::Category { names: None }, Type::String) => {
            not_a_category("the model file has no names of categories: give their codes")
        }
        (
            FeatureKind::Category { .. },
            Type::Float
            | Type::Decimal(_)
            | Type::Timestamp
            | Type::Duration
            | Type::Key(_)
            | Type::List(_)
            | Type::Map(..),
        ) => not_a_category("give a string, an integer or a bool"),
    }
}
