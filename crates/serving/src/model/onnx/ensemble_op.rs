//! Trees as an operator of tract's graph: `[batch, n]` floats in, `[batch, 1 or 2]` out.

use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;

use super::ensemble::Ensemble;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct EnsembleOp(Arc<Ensemble>);

/// In the place of the library's own.
pub(super) fn register(operators: &mut OnnxOpRegister) {
    operators.insert("TreeEnsembleClassifier", build);
    operators.insert("TreeEnsembleRegressor", build);
}

fn build(
    _context: &ParsingContext<'_>,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let ensemble = Ensemble::read(node)?;
    Ok((expand(EnsembleOp(Arc::new(ensemble))), Vec::new()))
}

impl Expansion for EnsembleOp {
    fn name(&self) -> StaticName {
        "Ensemble".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        s: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 1)?;
        s.equals(&inputs[0].datum_type, f32::datum_type())?;
        s.equals(&outputs[0].datum_type, f32::datum_type())?;
        s.equals(&inputs[0].rank, 2)?;
        s.equals(&outputs[0].rank, 2)?;
        s.equals(&outputs[0].shape[0], &inputs[0].shape[0])?;
        s.equals(&outputs[0].shape[1], self.0.answer.columns().to_dim())
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        model.wire_node(prefix, self.clone(), inputs)
    }
}

impl Op for EnsembleOp {
    fn name(&self) -> StaticName {
        "Ensemble".into()
    }

    op_as_typed_op!();
}

impl EvalOp for EnsembleOp {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let rows = input.to_plain_array_view::<f32>()?;
        let width = rows.shape().get(1).copied().unwrap_or_default();
        ensure!(width >= self.0.features(), "{width} features, and trees ask for more");
        let rows = rows.as_slice().context("rows one after the other")?;
        let columns = self.0.answer.columns();
        let scored = rows.chunks_exact(width).map(|row| self.0.score(row));
        let numbers: Vec<f32> = scored.flat_map(|score| score.into_iter().take(columns)).collect();
        let output = Tensor::from_shape(&[numbers.len() / columns, columns], &numbers)?;
        Ok(tvec!(output.into_tvalue()))
    }
}

impl TypedOp for EnsembleOp {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let shape = &inputs[0].shape;
        ensure!(shape.rank() == 2, "trees take rows of [batch, n]");
        if let Some(width) = shape.as_concrete().and_then(|shape| shape.get(1)) {
            let asked = self.0.features();
            ensure!(*width >= asked, "{width} features, and trees ask for {asked}");
            // Rows of nothing cannot be told apart.
            ensure!(*width > 0, "rows without features");
        }
        Ok(tvec!(f32::fact([shape[0].clone(), self.0.answer.columns().to_dim()])))
    }

    as_op!();
}
