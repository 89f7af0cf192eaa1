//! That a graph asks for nothing but what is scored, and for no more than the limits, before the
//! library computes anything of it.

use std::collections::BTreeMap;

use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

use super::ensemble::{self, Ensemble};
use super::{CONVERT, document, operators};
use crate::model::error::{Fault, ModelError, shown};
use crate::model::limits;

/// How large a graph is, as it is scored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    pub nodes: usize,
    /// Numbers in the file: weights, and the nodes of trees.
    pub parameters: usize,
}

const TYPES: [DataType; 5] =
    [DataType::Float, DataType::Double, DataType::Int32, DataType::Int64, DataType::Bool];

pub(super) fn check(graph: &GraphProto) -> Result<Size, ModelError> {
    let mut parameters = 0;
    let mut constants: BTreeMap<&str, usize> = BTreeMap::new();
    for value in &graph.initializer {
        let place = || format!("initializer `{}`", shown(&value.name));
        let volume = tensor(value).map_err(|fault| ModelError::at(place(), fault))?;
        parameters = add(parameters, volume).map_err(ModelError::file)?;
        constants.insert(&value.name, volume);
    }
    for node in &graph.node {
        let at = |fault| ModelError::at(document::place(node), fault);
        let own = self::node(node).map_err(at)?;
        parameters = add(parameters, own).map_err(ModelError::file)?;
        if let Some(volume) = constant(node, own, &constants).map_err(at)? {
            constants.extend(node.output.iter().map(|name| (name.as_str(), volume)));
        }
    }
    Ok(Size { nodes: graph.node.len(), parameters })
}

fn add(parameters: usize, more: usize) -> Result<usize, Fault> {
    let all = parameters.saturating_add(more);
    Fault::limit("parameters", all, limits::ONNX_PARAMETERS_MAX).map(|()| all)
}

/// The numbers in a node's attributes.
fn node(node: &NodeProto) -> Result<usize, Fault> {
    if operators::of(&node.domain, &node.op_type).is_none() {
        let domain = if node.domain.is_empty() { "ai.onnx" } else { &node.domain };
        let what =
            format!("the operator {} of {} is not scored", shown(&node.op_type), shown(domain));
        return Err(Fault::Unsupported { what, fix: CONVERT });
    }
    if ensemble::is_ensemble(node) {
        return Ensemble::read(node).map(|ensemble| ensemble.nodes());
    }
    let mut numbers = 0;
    for attribute in &node.attribute {
        let is_nested = attribute.g.is_some() || !attribute.graphs.is_empty();
        if is_nested || attribute.sparse_tensor.is_some() || !attribute.tensors.is_empty() {
            let what = format!("the attribute `{}` is not read", shown(&attribute.name));
            return Err(Fault::Unsupported { what, fix: CONVERT });
        }
        let own = attribute.t.as_ref().map_or(Ok(0), tensor)?;
        let lists = attribute.floats.len() + attribute.ints.len() + attribute.strings.len();
        numbers = add(numbers, own + lists)?;
    }
    Ok(numbers)
}

/// What is computed from nothing but the file is computed when it is read, and whatever the
/// operator, it makes at most as many numbers as the product or the sum of what goes in.
fn constant(
    node: &NodeProto,
    own: usize,
    constants: &BTreeMap<&str, usize>,
) -> Result<Option<usize>, Fault> {
    // A shape is known without any row.
    if node.op_type == "Shape" {
        return Ok(Some(limits::ONNX_DIMENSIONS_MAX));
    }
    let inputs = node.input.iter().filter(|name| !name.is_empty());
    let volumes: Option<Vec<usize>> =
        inputs.map(|name| constants.get(name.as_str()).copied()).collect();
    let Some(volumes) = volumes else { return Ok(None) };
    let product = volumes.iter().fold(1usize, |all, volume| all.saturating_mul(*volume.max(&1)));
    let sum = volumes.iter().fold(own.max(1), |all, volume| all.saturating_add(*volume));
    let volume = product.max(sum);
    Fault::limit("numbers that it makes of constants", volume, limits::ONNX_PARAMETERS_MAX)?;
    Ok(Some(volume))
}

/// The numbers in a tensor, all of which are in the file.
fn tensor(tensor: &TensorProto) -> Result<usize, Fault> {
    if tensor.data_location == Some(DataLocation::External as i32)
        || !tensor.external_data.is_empty()
    {
        return Err(Fault::Unsupported {
            what: "its numbers are in another file".to_owned(),
            fix: "save the model as one file: `onnx.save_model(model, path, \
                  save_as_external_data=False)`",
        });
    }
    let ty = DataType::try_from(tensor.data_type).ok().filter(|ty| TYPES.contains(ty));
    let Some(ty) = ty else {
        let what = format!("a tensor of the type {} is not read", tensor.data_type);
        return Err(Fault::Unsupported { what, fix: CONVERT });
    };
    let Some(volume) = document::volume(tensor) else {
        let most = limits::ONNX_PARAMETERS_MAX;
        let message = format!("its shape is none, or is of more than {most} numbers");
        return Err(Fault::Shape { message });
    };
    let given = given(tensor, ty);
    if given != volume {
        return Err(Fault::Count { what: "numbers in a tensor", given, expected: volume });
    }
    Ok(volume)
}

fn given(tensor: &TensorProto, ty: DataType) -> usize {
    let (bytes, listed) = match ty {
        DataType::Float => (4, tensor.float_data.len()),
        DataType::Double => (8, tensor.double_data.len()),
        DataType::Int64 => (8, tensor.int64_data.len()),
        DataType::Int32 => (4, tensor.int32_data.len()),
        // Of what is read only a bool is left.
        _ => (1, tensor.int32_data.len()),
    };
    match tensor.raw_data.len() {
        0 => listed,
        raw if raw % bytes == 0 => raw / bytes,
        // Not any number of them.
        raw => raw,
    }
}
