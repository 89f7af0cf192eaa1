//! The inputs of a graph as features with names.
//!
//! Either each input is one number, and its name is the feature's; or one input is a row, and the
//! names are in the file's metadata. There is no third way: names that are taken from the order of
//! something else make scores that look right when two columns were swapped.

use std::collections::BTreeSet;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Size;
use tract_onnx::pb::{GraphProto, StringStringEntryProto, ValueInfoProto, type_proto};

use super::document;
use crate::model::error::{Fault, ModelError, shown};
use crate::model::{FeatureKind, ModelFeature, limits};

/// The key in the file's metadata that has the names, as a JSON list.
const FEATURE_NAMES: &str = "feature_names";
const NAME_THEM: &str = "write them into the file: `entry = model.metadata_props.add(); entry.key, \
                         entry.value = \"feature_names\", json.dumps(names)`";
const FLOATS: &str =
    "convert the model with inputs of floats, such as `FloatTensorType([None, n])`";

/// The inputs of a graph, in its order.
#[derive(Debug)]
pub(super) struct Inputs {
    pub tensors: Vec<InputTensor>,
    names: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct InputTensor {
    pub name: String,
    /// Features in it, one after the other.
    pub width: usize,
    pub rank: usize,
    pub is_double: bool,
}

impl Inputs {
    /// With what is known of each tensor.
    pub fn features(&self, is_used: &[bool], takes_missing: &[bool]) -> Vec<ModelFeature> {
        let tensors = self.tensors.iter().zip(is_used).zip(takes_missing);
        let flags = tensors
            .flat_map(|((tensor, used), taken)| std::iter::repeat_n((*used, *taken), tensor.width));
        let features = self.names.iter().zip(flags);
        features
            .map(|(name, (is_used, takes_missing))| ModelFeature {
                name: name.clone(),
                kind: FeatureKind::Number,
                is_used,
                takes_missing,
            })
            .collect()
    }
}

pub(super) fn read(
    graph: &GraphProto,
    metadata: &[StringStringEntryProto],
) -> Result<Inputs, ModelError> {
    let values: BTreeSet<&str> = graph.initializer.iter().map(|v| v.name.as_str()).collect();
    let inputs = graph.input.iter().filter(|input| !values.contains(input.name.as_str()));
    let inputs: Vec<&ValueInfoProto> = inputs.collect();
    Fault::limit("inputs", inputs.len(), limits::ONNX_NODES_MAX).map_err(ModelError::file)?;
    let named = document::metadata(metadata, FEATURE_NAMES).map(parse).transpose();
    let named = named.map_err(ModelError::file)?;
    let (tensors, names) = match (inputs.as_slice(), named) {
        ([row], Some(names)) => (vec![tensor(row, Some(names.len()))?], names),
        // One input of one number has a name of its own.
        (all, None) => {
            let tensors = all.iter().map(|input| tensor(input, None));
            let tensors = tensors.collect::<Result<Vec<InputTensor>, ModelError>>()?;
            let names = tensors.iter().map(|tensor| tensor.name.clone()).collect();
            (tensors, names)
        }
        (_, Some(_)) => {
            let what = "there are `feature_names`, and more than one input".to_owned();
            let fix = "name the features by the inputs, or make one input of them";
            return Err(ModelError::file(Fault::Unsupported { what, fix }));
        }
    };
    if tensors.is_empty() {
        return Err(ModelError::file(Fault::Missing { what: "input" }));
    }
    Fault::limit("features", names.len(), limits::FEATURES_MAX).map_err(ModelError::file)?;
    Ok(Inputs { tensors, names })
}

fn parse(text: &str) -> Result<Vec<String>, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::Unsupported {
        what: format!("`feature_names` is no list of names in JSON: `{}`", shown(text)),
        fix: NAME_THEM,
    })
}

/// `names` is how many features are named for it; `None` where its own name is the feature's.
fn tensor(input: &ValueInfoProto, names: Option<usize>) -> Result<InputTensor, ModelError> {
    let place = format!("input `{}`", shown(&input.name));
    let fail = |what: String, fix| ModelError::at(&*place, Fault::Unsupported { what, fix });
    let Some(type_proto::Value::TensorType(ty)) =
        input.r#type.as_ref().and_then(|ty| ty.value.as_ref())
    else {
        return Err(fail("it is no tensor".to_owned(), FLOATS));
    };
    let is_double = match DataType::try_from(ty.elem_type) {
        Ok(DataType::Float) => false,
        Ok(DataType::Double) => true,
        other => {
            let given = other.map_or("of an unknown type", |ty| ty.as_str_name());
            return Err(fail(format!("it is {given}, and FLOAT or DOUBLE are given"), FLOATS));
        }
    };
    let sizes = ty.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
    let size = |at: usize| match sizes.get(at).and_then(|size| size.value.as_ref()) {
        Some(Size::DimValue(size)) => Some(*size),
        Some(Size::DimParam(_)) | None => None,
    };
    let rank = if sizes.is_empty() { 2 } else { sizes.len() };
    if rank > 2 || (names.is_some() && rank != 2) {
        return Err(fail(format!("it has {rank} dimensions, and a row has [batch, n]"), FLOATS));
    }
    if size(0).is_some_and(|batch| batch > 1) {
        let fix = "convert the model with `None` for the batch";
        return Err(fail("it takes several rows at once only".to_owned(), fix));
    }
    let width = if rank == 2 { size(1) } else { Some(1) };
    match (names, width) {
        (Some(names), Some(width)) if i64::try_from(names) != Ok(width) => {
            let what = format!("it has {width} features, and `feature_names` has {names} names");
            Err(fail(what, NAME_THEM))
        }
        (None, width) if width != Some(1) => {
            Err(fail("its features have no names".to_owned(), NAME_THEM))
        }
        _ => {
            Ok(InputTensor { name: input.name.clone(), width: names.unwrap_or(1), rank, is_double })
        }
    }
}
