//! Operators of scikit-learn's pipelines that tract does not have, as plain ones:
//!
//! ```text
//! Scaler             (x - offset) · scale, in 32 bits, as onnxruntime makes it
//! Imputer            where x is NaN the value of its column, else x
//! FeatureVectorizer  its inputs side by side
//! ```

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

use super::CONVERT;
use super::document::{self, ML};
use crate::model::error::{Fault, ModelError};

pub(super) fn rewrite(graph: &mut GraphProto) -> Result<(), ModelError> {
    let mut nodes = Vec::with_capacity(graph.node.len());
    for node in std::mem::take(&mut graph.node) {
        let rewritten = match (node.domain.as_str(), node.op_type.as_str()) {
            (ML, "Scaler") => scaler(&node),
            (ML, "Imputer") => imputer(&node),
            (ML, "FeatureVectorizer") => Ok(vectorizer(&node)),
            _ => {
                nodes.push(node);
                continue;
            }
        };
        let place = || document::place(&node);
        let Plain { steps, values } = rewritten.map_err(|fault| ModelError::at(place(), fault))?;
        nodes.extend(steps);
        graph.initializer.extend(values);
    }
    graph.node = nodes;
    Ok(())
}

/// What takes a node's place.
struct Plain {
    steps: Vec<NodeProto>,
    values: Vec<TensorProto>,
}

fn ends(node: &NodeProto) -> Result<(&str, &str), Fault> {
    match (node.input.as_slice(), node.output.as_slice()) {
        ([input], [output]) => Ok((input, output)),
        _ => Err(Fault::Shape { message: "it has more than one input or output".to_owned() }),
    }
}

fn scaler(node: &NodeProto) -> Result<Plain, Fault> {
    let (input, output) = ends(node)?;
    let name = |part| format!("{output}/{part}");
    let (offset, scale) = (document::floats(node, "offset"), document::floats(node, "scale"));
    if offset.is_empty() || scale.is_empty() {
        return Err(Fault::Missing { what: "offset and scale" });
    }
    Ok(Plain {
        steps: vec![
            cast(input, &name("single")),
            step("Sub", &[&name("single"), &name("offset")], &name("centred")),
            step("Mul", &[&name("centred"), &name("scale")], output),
        ],
        values: vec![constant(name("offset"), offset), constant(name("scale"), scale)],
    })
}

fn imputer(node: &NodeProto) -> Result<Plain, Fault> {
    let (input, output) = ends(node)?;
    let name = |part| format!("{output}/{part}");
    let replaced = document::attribute(node, "replaced_value_float");
    let values = document::floats(node, "imputed_value_floats");
    if values.is_empty() || !replaced.is_some_and(|replaced| replaced.f.is_nan()) {
        let what = "it replaces something else than NaN by floats".to_owned();
        return Err(Fault::Unsupported { what, fix: CONVERT });
    }
    Ok(Plain {
        steps: vec![
            step("IsNaN", &[input], &name("missing")),
            step("Where", &[&name("missing"), &name("values"), input], output),
        ],
        values: vec![constant(name("values"), values)],
    })
}

fn vectorizer(node: &NodeProto) -> Plain {
    let output = node.output.first().map_or("", String::as_str);
    let names: Vec<String> = (0..node.input.len()).map(|at| format!("{output}/{at}")).collect();
    let casts = node.input.iter().zip(&names).map(|(input, name)| cast(input, name));
    let mut steps: Vec<NodeProto> = casts.collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    steps.push(with(step("Concat", &names, output), "axis", 1));
    Plain { steps, values: Vec::new() }
}

/// In 32 bits.
fn cast(input: &str, output: &str) -> NodeProto {
    with(step("Cast", &[input], output), "to", i64::from(DataType::Float as i32))
}

fn with(mut node: NodeProto, attribute: &str, i: i64) -> NodeProto {
    node.attribute.push(AttributeProto {
        name: attribute.to_owned(),
        r#type: AttributeType::Int as i32,
        i,
        ..AttributeProto::default()
    });
    node
}

fn step(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        name: output.to_owned(),
        op_type: operator.to_owned(),
        ..NodeProto::default()
    }
}

fn constant(name: String, values: &[f32]) -> TensorProto {
    TensorProto {
        dims: vec![values.len() as i64],
        data_type: DataType::Float as i32,
        float_data: values.to_vec(),
        name,
        ..TensorProto::default()
    }
}
