//! The graph in the library's hands: made ready once, for rows one at a time.
//!
//! The library may panic on what it did not expect. That is a refusal when a file is read, and no
//! score when a row is scored.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tract_onnx::Onnx;
use tract_onnx::pb::ModelProto;
use tract_onnx::tract_hir::internal::*;

use super::check::Size;
use super::features::{InputTensor, Inputs};
use super::{CONVERT, ensemble_op};
use crate::model::error::{Fault, ModelError, shown};
use crate::model::{ModelFeature, limits};

/// A graph that was checked, and what scores a row with it.
#[derive(Debug)]
pub struct Graph {
    plan: Arc<TypedRunnableModel>,
    inputs: Vec<InputTensor>,
    /// By feature.
    takes_missing: Vec<bool>,
    output: String,
    /// Of the numbers of the output, the one that is the score.
    column: usize,
    size: Size,
}

impl Graph {
    pub(super) fn new(
        model: &ModelProto,
        inputs: &Inputs,
        output: &str,
        size: Size,
        features: &[ModelFeature],
    ) -> Result<Graph, ModelError> {
        let made = catch_unwind(AssertUnwindSafe(|| prepare(model, &inputs.tensors)));
        let refused = |why: &str| {
            let what = format!("tract cannot run it: {}", shown(why));
            Err(ModelError::file(Fault::Unsupported { what, fix: CONVERT }))
        };
        let (plan, column) = match made {
            Ok(Ok(made)) => made.map_err(ModelError::file)?,
            Ok(Err(error)) => return refused(&error.root_cause().to_string()),
            Err(_) => return refused("it panics when it makes the graph ready"),
        };
        let takes_missing = features.iter().map(|feature| feature.takes_missing).collect();
        let inputs = inputs.tensors.clone();
        let graph = Graph { plan, inputs, takes_missing, output: output.to_owned(), column, size };
        // What fails on any row fails here, and not at the first payment.
        match catch_unwind(AssertUnwindSafe(|| graph.run(&vec![0.0; features.len()]))) {
            Ok(Ok(_)) => Ok(graph),
            Ok(Err(error)) => refused(&error.root_cause().to_string()),
            Err(_) => refused("it panics on a row of zeros"),
        }
    }

    /// The score of one row; NaN where it has none: a feature is missing that the graph cannot take
    /// as missing, or the graph comes to nothing on this row.
    ///
    /// # Panics
    /// When the row does not have a value for each feature.
    pub fn score(&self, row: &[f64]) -> f64 {
        assert_eq!(row.len(), self.takes_missing.len(), "a value for each feature of the model");
        let lacks = |(value, taken): (&f64, &bool)| value.is_nan() && !taken;
        if row.iter().zip(&self.takes_missing).any(lacks) {
            return f64::NAN;
        }
        match catch_unwind(AssertUnwindSafe(|| self.run(row))) {
            Ok(Ok(score)) if !score.is_nan() => score,
            // One NaN, so that scores can be compared by their bits.
            Ok(_) | Err(_) => f64::NAN,
        }
    }

    /// The output that is the score, and which of its columns.
    pub fn output(&self) -> String {
        match self.column {
            0 => format!("`{}`", self.output),
            column => format!("`{}`, column {column}", self.output),
        }
    }

    pub fn size(&self) -> Size {
        self.size
    }

    fn run(&self, row: &[f64]) -> TractResult<f64> {
        let mut values = TVec::new();
        let mut rest = row;
        for input in &self.inputs {
            let (own, after) = rest.split_at_checked(input.width).context("a row too short")?;
            rest = after;
            let shape = &[1, input.width][..input.rank];
            let tensor = if input.is_double {
                Tensor::from_shape(shape, own)?
            } else {
                let own: TVec<f32> = own.iter().map(|x| *x as f32).collect();
                Tensor::from_shape(shape, &own)?
            };
            values.push(tensor.into_tvalue());
        }
        let outputs = self.plan.run(values)?;
        let output = outputs.first().context("no output")?.cast_to::<f64>()?;
        let numbers = output.to_plain_array_view::<f64>()?;
        Ok(*numbers.iter().nth(self.column).context("an output without the score")?)
    }
}

/// The plan, and the column of its output that is the score; within, what the limits refuse.
type Prepared = Result<(Arc<TypedRunnableModel>, usize), Fault>;

fn prepare(model: &ModelProto, inputs: &[InputTensor]) -> TractResult<Prepared> {
    let Onnx { mut op_register, .. } = tract_onnx::onnx();
    ensemble_op::register(&mut op_register);
    let library = Onnx { op_register, ..Onnx::default() };
    let mut graph = library.model_for_proto_model(model)?;
    for (at, input) in inputs.iter().enumerate() {
        let shape = &[1, input.width][..input.rank];
        let fact = if input.is_double { f64::fact(shape) } else { f32::fact(shape) };
        graph.set_input_fact(at, fact.into())?;
    }
    let graph = graph.into_typed()?;
    if let Err(fault) = check_work(&graph)? {
        return Ok(Err(fault));
    }
    let output = graph.output_fact(0)?;
    let numbers = output.shape.as_concrete().context("an output of no size")?.iter().product();
    let column = match numbers {
        1usize => 0,
        2 => 1,
        other => {
            let what = format!(
                "the output has {other} numbers for a row; a score has 1, or 2 \
                                where the second is the class that is looked for"
            );
            return Ok(Err(Fault::Unsupported { what, fix: CONVERT }));
        }
    };
    if !matches!(output.datum_type, DatumType::F32 | DatumType::F64) {
        let what = "the output has no floats, as a score is one".to_owned();
        return Ok(Err(Fault::Unsupported { what, fix: CONVERT }));
    }
    Ok(Ok((graph.into_optimized()?.into_runnable()?, column)))
}

/// What one row costs: the numbers that are made, and the products that are added up for them.
fn check_work(graph: &TypedModel) -> TractResult<Result<(), Fault>> {
    let volume = |fact: &TypedFact| -> TractResult<f64> {
        let shape = fact.shape.as_concrete().context("a tensor of no known size")?;
        Ok(shape.iter().map(|size| *size as f64).product())
    };
    let (mut numbers, mut work) = (0.0, 0.0);
    for node in graph.nodes() {
        let mut product: f64 = 1.0;
        for input in &node.inputs {
            product *= volume(graph.outlet_fact(*input)?)?;
        }
        let mut made = 0.0;
        for output in &node.outputs {
            made += volume(&output.fact)?;
        }
        numbers += made;
        // Of [m, k] by [k, n] it is the root of what goes in by what comes out: m · k · n.
        work += (product * made).sqrt().max(made);
    }
    let limits = [
        ("numbers computed for a row", numbers, limits::ONNX_NUMBERS_MAX),
        ("multiplications for a row", work, limits::ONNX_WORK_MAX),
    ];
    let limit = |(what, given, limit): (&'static str, f64, usize)| {
        Fault::limit(what, given as usize, limit)
    };
    Ok(limits.into_iter().try_for_each(limit))
}
