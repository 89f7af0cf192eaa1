//! The readers and kernels against the libraries' own answers, slow oracles, and hostile files.

mod fixtures;
mod hostile;
#[cfg(feature = "onnx")]
mod onnx;
mod oracle;
mod refusals;
mod shapley;
mod trees;
mod written;

use super::limits;
use super::{Attribution, Input, Model, ModelError};

const LIGHTGBM: &str = include_str!("fixtures/lightgbm_binary.txt");
const XGBOOST: &str = include_str!("fixtures/xgboost_binary.json");

fn read(text: &str) -> Result<Model, ModelError> {
    Model::read(text.as_bytes())
}
