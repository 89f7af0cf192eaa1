//! Models in ONNX: a graph of operators with one row in and one score out.
//!
//! ```text
//! bytes ─▶ wire ─▶ document ─▶ prune ─▶ missing ─▶ rewrite ─▶ check ─▶ run, by tract, one row
//!        (counted) (decoded)  (what the  (which    (Scaler,  (operators,    └▶ ensemble: trees, by
//!                              score     may be    Imputer)   sizes)           an operator of ours
//!                              needs)    NaN)
//! ```
//!
//! A graph is code in a file that others wrote. So everything it can ask for is looked at here
//! before the library sees it: which operators, how large, over what inputs. Trees are scored by an
//! operator of ours: the library's own reads memory unchecked where a file names a class that is
//! not there, takes one kind of branch for a leaf, and refuses what XGBoost's export writes.

mod check;
mod document;
mod ensemble;
mod ensemble_op;
mod features;
mod missing;
mod operators;
mod prune;
mod rewrite;
mod run;
mod wire;

use crate::model::ModelFeature;
use crate::model::error::{Fault, ModelError};
use crate::model::limits;

pub(super) use check::Size;
pub(super) use run::Graph;

/// How the file is told to be saved, where something in it is in the way.
const CONVERT: &str = "convert the model again with plain operators, or save a LightGBM or XGBoost \
                       model in its library's own format, which is read as well";

/// What is made of a file.
pub(super) struct Read {
    pub features: Vec<ModelFeature>,
    pub graph: Graph,
    pub remarks: Vec<String>,
}

pub(super) fn read(bytes: &[u8]) -> Result<Read, ModelError> {
    Fault::limit("bytes", bytes.len(), limits::ONNX_BYTES_MAX).map_err(ModelError::file)?;
    wire::check(bytes).map_err(ModelError::file)?;
    let mut model = document::decode(bytes).map_err(ModelError::file)?;
    let chosen = prune::choose_output(&model).map_err(ModelError::file)?;
    let Some(graph) = model.graph.as_mut() else {
        return Err(ModelError::file(Fault::Missing { what: "graph" }));
    };
    let inputs = features::read(graph, &model.metadata_props)?;
    prune::prune(graph, &chosen.tensor)?;
    // By the operators that the exporter wrote, of which an imputer says what it is for.
    let takes_missing = missing::taken(graph, &inputs.tensors);
    let is_used = missing::used(graph, &inputs.tensors);
    rewrite::rewrite(graph)?;
    let size = check::check(graph)?;
    let features = inputs.features(&is_used, &takes_missing);
    let remarks = match takes_missing.iter().all(|taken| *taken) {
        true => Vec::new(),
        false => vec![
            "a row with a missing value has no score: the graph does not say what it makes of one"
                .to_owned(),
        ],
    };
    let graph = Graph::new(&model, &inputs, &chosen.output, size, &features)?;
    Ok(Read { features, graph, remarks })
}
