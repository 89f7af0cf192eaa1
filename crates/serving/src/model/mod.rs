//! Models of gradient-boosted trees: read from the library's own file, scored to its last bit.
//!
//! ```text
//! bytes ─▶ lightgbm │ xgboost ─▶ forest ─┬▶ bit_vector │ traverse ─▶ exit leaves ─▶ sum ─▶ link
//!            (readers, checked)          ├▶ attribution (the path of every score)
//!                                        └▶ tree_shap   (exact, on request)
//! ```
//!
//! A reader turns a file into one form for both libraries, and everything behind it is the same for
//! both but the sum, which each library makes in its own width and order. What cannot be scored to
//! the last bit is refused when it is read, with what to do about it.

mod attribution;
mod bit_vector;
mod error;
mod feature;
mod forest;
mod hash;
mod inputs;
mod lightgbm;
pub mod limits;
mod objective;
mod scorer;
mod sniff;
mod traverse;
mod tree_shap;
mod xgboost;

#[cfg(test)]
mod tests;

use std::fmt;

use millrace_event::Type;

pub use attribution::Attribution;
pub use error::{Fault, ModelError, Place};
pub use feature::{CategoryName, FeatureKind, ModelFeature};
pub use hash::ModelHash;
pub use inputs::Mismatch;
pub use objective::{Link, Objective};
pub use scorer::Scratch;

use forest::{Forest, Test};
use scorer::Scorer;

/// The library that wrote a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    LightGbm,
    XgBoost,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::LightGbm => "LightGBM",
            Format::XgBoost => "XGBoost",
        })
    }
}

/// How a library adds the leaves up.
#[derive(Clone, Copy, Debug)]
enum Sum {
    /// LightGBM: from zero, in 64 bits. The link takes the sum divided by `averaged_over`, which is
    /// the number of trees for a random forest and otherwise 1.
    Double { averaged_over: f64 },
    /// XGBoost: from the base score's margin, in 32 bits.
    Single { start: f32 },
}

/// What a reader makes of a file.
struct Parts {
    format: Format,
    features: Vec<ModelFeature>,
    objective: Objective,
    sum: Sum,
    forest: Forest,
    remarks: Vec<String>,
}

/// What a model says of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The sum of the leaves: LightGBM's `raw_score`, XGBoost's `output_margin`.
    pub raw: f64,
    /// The prediction, such as a probability.
    pub value: f64,
}

/// A model that was read and checked.
pub struct Model {
    format: Format,
    hash: ModelHash,
    features: Vec<ModelFeature>,
    objective: Objective,
    remarks: Vec<String>,
    scorer: Scorer,
}

impl Model {
    /// Reads a LightGBM text file or an XGBoost JSON file; which of them is told by its bytes.
    ///
    /// # Errors
    /// When the file is another one, is damaged, goes beyond [`limits`], or cannot be scored to the
    /// last bit.
    pub fn read(bytes: &[u8]) -> Result<Model, ModelError> {
        Fault::limit("bytes", bytes.len(), limits::FILE_BYTES_MAX).map_err(ModelError::file)?;
        let format = sniff::format_of(bytes).map_err(ModelError::file)?;
        let text = std::str::from_utf8(bytes)
            .map_err(|e| ModelError::file(Fault::NotUtf8 { at: e.valid_up_to() }))?;
        let parts = match format {
            Format::LightGbm => lightgbm::read(text)?,
            Format::XgBoost => xgboost::read(text)?,
        };
        Ok(Model::new(parts, ModelHash::of(bytes)))
    }

    fn new(parts: Parts, hash: ModelHash) -> Model {
        let Parts { format, mut features, objective, sum, forest, remarks } = parts;
        for split in &forest.splits {
            let Some(feature) = features.get_mut(split.feature as usize) else { continue };
            feature.is_used = true;
            // The splits know better than the header, which may say nothing of a feature.
            let is_category = matches!(split.test, Test::Category { .. });
            if is_category && feature.kind == FeatureKind::Number {
                feature.kind = FeatureKind::Category { names: None };
            }
        }
        let scorer = Scorer::new(forest, features.len(), sum, objective.link);
        Model { format, hash, features, objective, remarks, scorer }
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// SHA-256 of the file's bytes.
    pub fn hash(&self) -> ModelHash {
        self.hash
    }

    /// In the order of a row.
    pub fn features(&self) -> &[ModelFeature] {
        &self.features
    }

    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// What a person should know who uses this file.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    pub fn trees(&self) -> usize {
        self.scorer.trees()
    }

    pub fn leaves(&self) -> usize {
        self.scorer.leaves()
    }

    /// Every way in which these inputs, by name and type, do not fit the model's features.
    pub fn check_inputs(&self, inputs: &[(&str, &Type)]) -> Vec<Mismatch> {
        inputs::check_inputs(&self.features, inputs)
    }

    /// The memory that scoring works in: one for each thread, used for all of its rows.
    pub fn scratch(&self) -> Scratch {
        self.scorer.scratch()
    }

    /// The prediction for one row: a value for each feature, NaN where it is missing. Allocates;
    /// [`Model::score_row`] does not.
    pub fn score(&self, row: &[f64]) -> f64 {
        self.score_row(row, &mut self.scratch()).value
    }

    /// # Panics
    /// When the row does not have a value for each feature, or the scratch is another model's.
    pub fn score_row(&self, row: &[f64], scratch: &mut Scratch) -> Score {
        self.scorer.score(row, scratch)
    }

    /// The score, and by the path that the row took what each feature adds to it: see
    /// [`Attribution`]. Room is reused.
    ///
    /// # Panics
    /// As [`Model::score_row`].
    pub fn attribute_row(
        &self,
        row: &[f64],
        scratch: &mut Scratch,
        attribution: &mut Attribution,
    ) -> Score {
        self.scorer.attribute(row, scratch, attribution)
    }

    /// Exact Shapley values by TreeSHAP, as `pred_contrib` of LightGBM and `pred_contribs` of XGBoost
    /// give them.
    ///
    /// # Panics
    /// When the row does not have a value for each feature.
    pub fn shap(&self, row: &[f64]) -> Attribution {
        self.scorer.shap(row)
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("format", &self.format)
            .field("hash", &self.hash)
            .field("objective", &self.objective)
            .field("features", &self.features.len())
            .field("trees", &self.trees())
            .finish_non_exhaustive()
    }
}
