//! What the score needs of a graph, and nothing else: exporters put labels, maps and checks beside
//! it, with operators that no score needs.

use std::collections::BTreeSet;

use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TypeProto, ValueInfoProto, type_proto};

use super::document;
use super::ensemble;
use crate::model::error::{Fault, ModelError, shown};

/// The key in the file's metadata that names the output which is the score.
const SCORE_OUTPUT: &str = "score_output";
/// What exporters call the output with a column for each class.
const PROBABILITIES: [&str; 2] = ["probabilities", "output_probability"];
const NAME_IT: &str = "name the output that is the score in the file's metadata under \
                       `score_output`";

pub(super) struct Chosen {
    /// As the file names it.
    pub output: String,
    /// The tensor that is computed: of an output that is a map of classes what the map is made of.
    pub tensor: String,
}

/// By the file's own word, by the name that exporters give to probabilities, or the only one.
pub(super) fn choose_output(model: &ModelProto) -> Result<Chosen, Fault> {
    let Some(graph) = model.graph.as_ref() else {
        return Err(Fault::Missing { what: "graph" });
    };
    let names: Vec<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
    let named = document::metadata(&model.metadata_props, SCORE_OUTPUT);
    let usual = || names.iter().copied().find(|name| PROBABILITIES.contains(name));
    let output = match (named, names.as_slice()) {
        (Some(named), _) if names.contains(&named) => named,
        (Some(named), _) => {
            let what = format!("`score_output` is `{}`, and no output is called so", shown(named));
            return Err(Fault::Unsupported { what, fix: NAME_IT });
        }
        (None, [only]) => only,
        (None, _) => usual().ok_or_else(|| {
            let names = names.join("`, `");
            Fault::Unsupported {
                what: format!("the outputs are `{}`", shown(&names)),
                fix: NAME_IT,
            }
        })?,
    };
    let maker = graph.node.iter().find(|node| node.output.iter().any(|name| name == output));
    let tensor = match maker {
        Some(node) if node.op_type == "ZipMap" => node.input.first().map_or("", String::as_str),
        _ => output,
    };
    Ok(Chosen { output: output.to_owned(), tensor: tensor.to_owned() })
}

/// Leaves the nodes and initial values that the tensor is made of, and makes it the only output.
/// Every name is made once, before it is used.
pub(super) fn prune(graph: &mut GraphProto, tensor: &str) -> Result<(), ModelError> {
    check_names(graph)?;
    let mut needed: BTreeSet<String> = BTreeSet::from([tensor.to_owned()]);
    let mut nodes: Vec<NodeProto> = Vec::new();
    for mut node in std::mem::take(&mut graph.node).into_iter().rev() {
        if !node.output.iter().any(|name| needed.contains(name)) {
            continue;
        }
        if ensemble::is_classifier(&node) {
            keep_scores(&mut node, &needed)?;
        }
        needed.extend(node.input.iter().filter(|name| !name.is_empty()).cloned());
        nodes.push(node);
    }
    nodes.reverse();
    graph.node = nodes;
    graph.initializer.retain(|value| needed.contains(&value.name));
    let known = graph.initializer.iter().map(|value| &value.name);
    let known: BTreeSet<&String> = known.chain(graph.input.iter().map(|i| &i.name)).collect();
    if graph.node.is_empty() || known.contains(&tensor.to_owned()) {
        let message = format!("`{}` is made by no node", shown(tensor));
        return Err(ModelError::file(Fault::Shape { message }));
    }
    graph.sparse_initializer.clear();
    graph.value_info.clear();
    let any = TypeProto {
        denotation: String::new(),
        value: Some(type_proto::Value::TensorType(type_proto::Tensor::default())),
    };
    graph.output = vec![ValueInfoProto {
        name: tensor.to_owned(),
        r#type: Some(any),
        doc_string: String::new(),
    }];
    Ok(())
}

/// Of a classifier of trees only the second output, the scores, is made.
fn keep_scores(node: &mut NodeProto, needed: &BTreeSet<String>) -> Result<(), ModelError> {
    let place = || document::place(node);
    match node.output.as_slice() {
        [label, scores] if !needed.contains(label) => node.output = vec![scores.clone()],
        _ => {
            let what = "the score is made of a label".to_owned();
            return Err(ModelError::at(place(), Fault::Unsupported { what, fix: NAME_IT }));
        }
    }
    Ok(())
}

fn check_names(graph: &GraphProto) -> Result<(), ModelError> {
    let inputs = graph.input.iter().map(|input| input.name.as_str());
    let values = graph.initializer.iter().map(|value| value.name.as_str());
    // An initial value may be listed among the inputs as well.
    let mut made: BTreeSet<&str> = inputs.chain(values).collect();
    for node in &graph.node {
        let fail = |message| ModelError::at(document::place(node), Fault::Shape { message });
        for name in node.input.iter().filter(|name| !name.is_empty()) {
            if !made.contains(name.as_str()) {
                return Err(fail(format!("`{}` is made by no node before it", shown(name))));
            }
        }
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            if !made.insert(name) {
                return Err(fail(format!("`{}` is made twice", shown(name))));
            }
        }
    }
    Ok(())
}
