//! The JSON document: what scoring needs of it. Arrays of numbers stay text until they are checked,
//! so that a file costs no more memory than a small multiple of its size.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::limits::{FEATURES_MAX, TREES_MAX};

#[derive(Debug, serde::Deserialize)]
pub(super) struct Document<'a> {
    #[serde(borrow)]
    pub learner: Learner<'a>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Learner<'a> {
    #[serde(borrow, default)]
    pub attributes: Attributes<'a>,
    #[serde(borrow, default)]
    pub feature_names: Bounded<Cow<'a, str>, FEATURES_MAX>,
    #[serde(borrow, default)]
    pub feature_types: Bounded<Cow<'a, str>, FEATURES_MAX>,
    #[serde(borrow)]
    pub gradient_booster: Booster<'a>,
    #[serde(borrow)]
    pub learner_model_param: Parameters<'a>,
    #[serde(borrow)]
    pub objective: Named<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Attributes<'a> {
    #[serde(borrow, default)]
    pub best_iteration: Option<Cow<'a, str>>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Named<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Parameters<'a> {
    #[serde(borrow)]
    pub base_score: Cow<'a, str>,
    #[serde(borrow)]
    pub num_feature: Cow<'a, str>,
    #[serde(borrow, default)]
    pub num_class: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub num_target: Option<Cow<'a, str>>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Booster<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub model: Option<Trees<'a>>,
    /// Of `dart`, which wraps one.
    #[serde(borrow)]
    pub gbtree: Option<Inner<'a>>,
    #[serde(borrow)]
    pub weight_drop: Option<&'a RawValue>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Inner<'a> {
    #[serde(borrow)]
    pub model: Trees<'a>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Trees<'a> {
    #[serde(borrow)]
    pub tree_info: &'a RawValue,
    #[serde(borrow)]
    pub trees: Bounded<TreeText<'a>, TREES_MAX>,
    #[serde(borrow)]
    pub cats: Option<Categories<'a>>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Categories<'a> {
    #[serde(borrow)]
    pub enc: Bounded<CategoryNames<'a>, FEATURES_MAX>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct CategoryNames<'a> {
    #[serde(borrow)]
    pub offsets: Option<&'a RawValue>,
    #[serde(borrow)]
    pub values: Option<&'a RawValue>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct TreeText<'a> {
    #[serde(borrow)]
    pub left_children: &'a RawValue,
    #[serde(borrow)]
    pub right_children: &'a RawValue,
    #[serde(borrow)]
    pub split_indices: &'a RawValue,
    /// The split of an inner node, the value of a leaf.
    #[serde(borrow)]
    pub split_conditions: &'a RawValue,
    #[serde(borrow)]
    pub default_left: &'a RawValue,
    #[serde(borrow)]
    pub sum_hessian: &'a RawValue,
    #[serde(borrow)]
    pub split_type: Option<&'a RawValue>,
    #[serde(borrow)]
    pub categories: Option<&'a RawValue>,
    #[serde(borrow)]
    pub categories_nodes: Option<&'a RawValue>,
    #[serde(borrow)]
    pub categories_segments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub categories_sizes: Option<&'a RawValue>,
    #[serde(borrow)]
    pub tree_param: TreeParameters<'a>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct TreeParameters<'a> {
    #[serde(borrow, default)]
    pub size_leaf_vector: Option<Cow<'a, str>>,
}

/// A list that refuses to grow beyond `MAX`.
#[derive(Debug)]
pub(super) struct Bounded<T, const MAX: usize>(pub Vec<T>);

impl<T, const MAX: usize> Default for Bounded<T, MAX> {
    fn default() -> Self {
        Bounded(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Bounded<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX}")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    if list.len() == MAX {
                        return Err(A::Error::custom(format!("a list of more than {MAX}")));
                    }
                    list.push(item);
                }
                Ok(list)
            }
        }

        deserializer.deserialize_seq(ListVisitor::<T, MAX>(PhantomData)).map(Bounded)
    }
}
