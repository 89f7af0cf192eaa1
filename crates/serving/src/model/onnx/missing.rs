//! What becomes of a missing value, which comes in as NaN.
//!
//! Trees and imputers know what to do with it. Others hand it on, or lose it in a comparison or a
//! maximum, where runtimes differ: then a row with a missing value has no score, however finite
//! the number is that would come out.

use std::collections::BTreeSet;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, NodeProto};

use super::document;
use super::features::InputTensor;
use super::operators::{self, Missing};

/// Of each input, whether some node reads it.
pub(super) fn used(graph: &GraphProto, inputs: &[InputTensor]) -> Vec<bool> {
    let read: BTreeSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
    inputs.iter().map(|input| read.contains(&input.name)).collect()
}

/// Of each input, whether a missing value in it may be given.
pub(super) fn taken(graph: &GraphProto, inputs: &[InputTensor]) -> Vec<bool> {
    inputs.iter().map(|input| is_taken(graph, &input.name)).collect()
}

fn is_taken(graph: &GraphProto, input: &str) -> bool {
    let mut holders: BTreeSet<&str> = BTreeSet::from([input]);
    for node in &graph.node {
        if !node.input.iter().any(|name| holders.contains(name.as_str())) {
            continue;
        }
        match class(node) {
            Missing::Taken => {}
            Missing::HandedOn => holders.extend(node.output.iter().map(String::as_str)),
            Missing::Lost => return false,
        }
    }
    !graph.output.iter().any(|output| holders.contains(output.name.as_str()))
}

fn class(node: &NodeProto) -> Missing {
    let floats = [DataType::Float, DataType::Double].map(|ty| i64::from(ty as i32));
    let is_float = document::attribute(node, "to").is_some_and(|to| floats.contains(&to.i));
    match operators::of(&node.domain, &node.op_type) {
        // No integer is a missing value.
        Some(Missing::HandedOn) if node.op_type == "Cast" && !is_float => Missing::Lost,
        Some(class) => class,
        None => Missing::Lost,
    }
}
