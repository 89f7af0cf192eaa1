//! The file as it is: decoded, and its small parts read.

use std::ops::RangeInclusive;

use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto};
use tract_onnx::prelude::Framework;

use super::CONVERT;
use crate::model::error::{Fault, shown};
use crate::model::limits;

/// What tract is tested against, and one before it, which exporters write; in others operators mean
/// something else.
const OPERATOR_SETS: RangeInclusive<i64> = 8..=18;
/// Of `ai.onnx.ml`: 5 has a tree operator of another shape.
const ML_OPERATOR_SETS: RangeInclusive<i64> = 1..=4;
pub(super) const ML: &str = "ai.onnx.ml";

pub(super) fn decode(bytes: &[u8]) -> Result<ModelProto, Fault> {
    let library = tract_onnx::onnx();
    let model = library.proto_model_for_read(&mut &*bytes).map_err(|error| Fault::Shape {
        message: format!("it is not ONNX: {}", shown(&error.root_cause().to_string())),
    })?;
    for set in &model.opset_import {
        let known = match set.domain.as_str() {
            "" | "ai.onnx" => OPERATOR_SETS,
            ML => ML_OPERATOR_SETS,
            // An operator of it is refused by its name, where the score needs one.
            _ => continue,
        };
        if !known.contains(&set.version) {
            return Err(Fault::Unsupported {
                what: format!("version {} of the operator set `{}`", set.version, set.domain),
                fix: "convert the model with `target_opset={'': 18, 'ai.onnx.ml': 3}`",
            });
        }
    }
    if !model.functions.is_empty() {
        return Err(Fault::Unsupported { what: "functions in the file".into(), fix: CONVERT });
    }
    let nodes = model.graph.as_ref().map_or(&[][..], |graph| &graph.node);
    Fault::limit("nodes", nodes.len(), limits::ONNX_NODES_MAX)?;
    let is_plain = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let is_told = model.opset_import.iter().any(|set| is_plain(&set.domain));
    if !is_told && nodes.iter().any(|node| is_plain(&node.domain)) {
        return Err(Fault::Missing { what: "opset_import" });
    }
    Ok(model)
}

/// A node as an error names it.
pub(super) fn place(node: &NodeProto) -> String {
    let name = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
    format!("node `{}` ({})", shown(name.map_or("", String::as_str)), shown(&node.op_type))
}

pub(super) fn metadata<'m>(entries: &'m [StringStringEntryProto], key: &str) -> Option<&'m str> {
    entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
}

pub(super) fn attribute<'n>(node: &'n NodeProto, name: &str) -> Option<&'n AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

pub(super) fn ints<'n>(node: &'n NodeProto, name: &str) -> &'n [i64] {
    attribute(node, name).map_or(&[], |attribute| &attribute.ints)
}

pub(super) fn floats<'n>(node: &'n NodeProto, name: &str) -> &'n [f32] {
    attribute(node, name).map_or(&[], |attribute| &attribute.floats)
}

/// A text attribute, or what stands for it where it is not there.
pub(super) fn text<'n>(node: &'n NodeProto, name: &str, otherwise: &'static str) -> &'n str {
    match attribute(node, name) {
        // What is not UTF-8 is no name that is known.
        Some(attribute) => std::str::from_utf8(&attribute.s).unwrap_or("?"),
        None => otherwise,
    }
}

/// How many numbers a tensor has, by its shape; `None` beyond every limit.
pub(super) fn volume(tensor: &TensorProto) -> Option<usize> {
    if tensor.dims.len() > limits::ONNX_DIMENSIONS_MAX {
        return None;
    }
    // Each by itself, so that a zero does not hide what is beside it.
    let sizes = tensor.dims.iter().map(|size| {
        usize::try_from(*size).ok().filter(|size| *size <= limits::ONNX_PARAMETERS_MAX)
    });
    sizes.collect::<Option<Vec<usize>>>()?.iter().try_fold(1usize, |all, size| {
        all.checked_mul(*size).filter(|all| *all <= limits::ONNX_PARAMETERS_MAX)
    })
}
