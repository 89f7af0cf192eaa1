//! The operators that are scored. What is not listed is refused by its name: loops and branches,
//! whose work no limit bounds; what makes large tensors of small ones; and what nobody needs for
//! a score of one row.

use super::document::ML;

/// What an operator does with a missing value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Missing {
    /// Knows what to do with it: no missing value comes out.
    Taken,
    /// Hands it on as it is.
    HandedOn,
    /// Computes with it, and what comes out differs from runtime to runtime.
    Lost,
}

/// The class of an operator by domain and name; `None` where it is not scored.
pub(super) fn of(domain: &str, name: &str) -> Option<Missing> {
    let list = match domain {
        "" | "ai.onnx" => PLAIN,
        ML => LEARNED,
        _ => return None,
    };
    list.iter().find(|(_, names)| names.contains(&name)).map(|(missing, _)| *missing)
}

const PLAIN: &[(Missing, &[&str])] = &[
    (Missing::Taken, &["IsNaN"]),
    (
        Missing::HandedOn,
        &[
            "Cast",
            "Concat",
            "Flatten",
            "Gather",
            "Identity",
            "Reshape",
            "Slice",
            "Split",
            "Squeeze",
            "Transpose",
            "Unsqueeze",
        ],
    ),
    (
        Missing::Lost,
        &[
            "Abs",
            "Add",
            "And",
            "ArgMax",
            "ArgMin",
            "BatchNormalization",
            "Ceil",
            "Celu",
            "Clip",
            "Constant",
            "Cos",
            "Div",
            "Dropout",
            "Elu",
            "Equal",
            "Erf",
            "Exp",
            "Floor",
            "Gelu",
            "Gemm",
            "Greater",
            "GreaterOrEqual",
            "HardSigmoid",
            "HardSwish",
            "LayerNormalization",
            "LeakyRelu",
            "Less",
            "LessOrEqual",
            "Log",
            "LogSoftmax",
            "MatMul",
            "Max",
            "Mean",
            "Min",
            "Mul",
            "Neg",
            "Not",
            "Or",
            "PRelu",
            "Pow",
            "Reciprocal",
            "ReduceMax",
            "ReduceMean",
            "ReduceMin",
            "ReduceSum",
            "ReduceSumSquare",
            "Relu",
            "Round",
            "Selu",
            "Shape",
            "Sigmoid",
            "Sign",
            "Sin",
            "Softmax",
            "Softplus",
            "Softsign",
            "Sqrt",
            "Sub",
            "Sum",
            "Tanh",
            "Where",
            "Xor",
        ],
    ),
];

const LEARNED: &[(Missing, &[&str])] = &[
    // Imputer, Scaler and FeatureVectorizer become plain operators: see `rewrite`.
    (Missing::Taken, &["TreeEnsembleClassifier", "TreeEnsembleRegressor", "Imputer"]),
    (Missing::HandedOn, &["FeatureVectorizer", "Scaler"]),
    (Missing::Lost, &["LinearClassifier", "LinearRegressor", "Normalizer"]),
];
