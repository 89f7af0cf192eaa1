//! Models: gradient-boosted trees, read from the library's own file and scored to its last bit, and
//! graphs in ONNX, which another library runs.
//!
//! ```text
//! bytes ─▶ lightgbm │ xgboost ─▶ forest ─┬▶ bit_vector │ traverse ─▶ exit leaves ─▶ sum ─▶ link
//!            (readers, checked)          ├▶ attribution (the path of every score)
//!                                        └▶ tree_shap   (exact, on request)
//! ```
//!
//! A reader turns a file into one form for both libraries, and everything behind it is the same for
//! both but the sum, which each library makes in its own width and order. What cannot be scored to
//! the last bit is refused when it is read, with what to do about it. An ONNX graph (the feature
//! `onnx`) goes another way, in `onnx`, and has a score but no attribution.

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
#[cfg(feature = "onnx")]
mod onnx;
mod scorer;
mod sniff;
mod traverse;
mod tree_shap;
mod xgboost;

#[cfg(test)]
mod tests;

use std::fmt;

pub use attribution::Attribution;
pub use error::{Fault, ModelError, Place};
pub use feature::{CategoryName, FeatureKind, ModelFeature};
pub use hash::ModelHash;
pub use inputs::{Input, Mismatch};
pub use objective::{Link, Objective};
pub use scorer::Scratch;

use forest::{Forest, Test};
use scorer::Scorer;

/// The library that wrote a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    LightGbm,
    XgBoost,
    Onnx,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::LightGbm => "LightGBM",
            Format::XgBoost => "XGBoost",
            Format::Onnx => "ONNX",
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

/// What a model is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    Trees {
        trees: usize,
        leaves: usize,
    },
    Graph {
        nodes: usize,
        /// Numbers in the file: weights, and the nodes of trees.
        parameters: usize,
    },
}

/// What a model says of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The sum of the leaves: LightGBM's `raw_score`, XGBoost's `output_margin`. Of an ONNX graph
    /// the value, since it has no other.
    pub raw: f64,
    /// The prediction, such as a probability; NaN where an ONNX graph has none for the row.
    pub value: f64,
}

/// A model that was read and checked.
pub struct Model {
    format: Format,
    hash: ModelHash,
    features: Vec<ModelFeature>,
    objective: Objective,
    remarks: Vec<String>,
    scorer: Scores,
}

/// What makes the score.
enum Scores {
    Trees(Box<Scorer>),
    #[cfg(feature = "onnx")]
    Graph(onnx::Graph),
}

impl Model {
    /// Reads a LightGBM text file, an XGBoost JSON file, or, with the feature `onnx`, an ONNX file;
    /// which of them is told by its bytes.
    ///
    /// # Errors
    /// When the file is another one, is damaged, goes beyond [`limits`], or cannot be scored to the
    /// last bit, or as ONNX says it.
    pub fn read(bytes: &[u8]) -> Result<Model, ModelError> {
        Fault::limit("bytes", bytes.len(), limits::FILE_BYTES_MAX).map_err(ModelError::file)?;
        let format = sniff::format_of(bytes).map_err(ModelError::file)?;
        let text = || {
            std::str::from_utf8(bytes)
                .map_err(|e| ModelError::file(Fault::NotUtf8 { at: e.valid_up_to() }))
        };
        let parts = match format {
            Format::LightGbm => lightgbm::read(text()?)?,
            Format::XgBoost => xgboost::read(text()?)?,
            Format::Onnx => return Model::read_onnx(bytes),
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
        Model {
            format,
            hash,
            features,
            objective,
            remarks,
            scorer: Scores::Trees(Box::new(scorer)),
        }
    }

    #[cfg(feature = "onnx")]
    fn read_onnx(bytes: &[u8]) -> Result<Model, ModelError> {
        let onnx::Read { features, graph, remarks } = onnx::read(bytes)?;
        let objective = Objective { name: graph.output(), link: Link::Identity };
        let (format, hash) = (Format::Onnx, ModelHash::of(bytes));
        Ok(Model { format, hash, features, objective, remarks, scorer: Scores::Graph(graph) })
    }

    #[cfg(not(feature = "onnx"))]
    fn read_onnx(_: &[u8]) -> Result<Model, ModelError> {
        Err(ModelError::file(Fault::NotBuilt))
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

    /// What it is made of: trees, or the nodes of a graph.
    pub fn size(&self) -> Size {
        match &self.scorer {
            Scores::Trees(scorer) => Size::Trees { trees: scorer.trees(), leaves: scorer.leaves() },
            #[cfg(feature = "onnx")]
            Scores::Graph(graph) => {
                let onnx::Size { nodes, parameters } = graph.size();
                Size::Graph { nodes, parameters }
            }
        }
    }

    /// Whether it is known what each feature adds to a score. Of a graph it is not: every
    /// attribution is without contributions.
    pub fn is_explained(&self) -> bool {
        self.format != Format::Onnx
    }

    /// Every way in which these inputs, by name and type, do not fit the model's features.
    pub fn check_inputs(&self, inputs: &[Input<'_>]) -> Vec<Mismatch> {
        inputs::check_inputs(&self.features, inputs)
    }

    /// The memory that scoring works in: one for each thread, used for all of its rows.
    pub fn scratch(&self) -> Scratch {
        match &self.scorer {
            Scores::Trees(scorer) => scorer.scratch(),
            #[cfg(feature = "onnx")]
            Scores::Graph(_) => Scratch::default(),
        }
    }

    /// The prediction for one row: a value for each feature, NaN where it is missing. Allocates;
    /// [`Model::score_row`] does not.
    pub fn score(&self, row: &[f64]) -> f64 {
        self.score_row(row, &mut self.scratch()).value
    }

    /// # Panics
    /// When the row does not have a value for each feature, or the scratch is another model's.
    pub fn score_row(&self, row: &[f64], scratch: &mut Scratch) -> Score {
        match &self.scorer {
            Scores::Trees(scorer) => scorer.score(row, scratch),
            #[cfg(feature = "onnx")]
            Scores::Graph(graph) => of_graph(graph, row),
        }
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
        match &self.scorer {
            Scores::Trees(scorer) => scorer.attribute(row, scratch, attribution),
            #[cfg(feature = "onnx")]
            Scores::Graph(graph) => {
                *attribution = Attribution::none(row.len());
                of_graph(graph, row)
            }
        }
    }

    /// Exact Shapley values by TreeSHAP, as `pred_contrib` of LightGBM and `pred_contribs` of XGBoost
    /// give them.
    ///
    /// # Panics
    /// When the row does not have a value for each feature.
    pub fn shap(&self, row: &[f64]) -> Attribution {
        match &self.scorer {
            Scores::Trees(scorer) => scorer.shap(row),
            #[cfg(feature = "onnx")]
            Scores::Graph(_) => Attribution::none(row.len()),
        }
    }
}

#[cfg(test)]
impl Model {
    /// The plain walk finds the leaves that the last row found.
    fn check_exits(&self, scratch: &Scratch) {
        match &self.scorer {
            Scores::Trees(scorer) => scorer.check_exits(scratch),
            #[cfg(feature = "onnx")]
            Scores::Graph(_) => {}
        }
    }

    fn trees_and_leaves(&self) -> (usize, usize) {
        match self.size() {
            Size::Trees { trees, leaves } => (trees, leaves),
            Size::Graph { .. } => (0, 0),
        }
    }
}

#[cfg(feature = "onnx")]
fn of_graph(graph: &onnx::Graph, row: &[f64]) -> Score {
    let value = graph.score(row);
    Score { raw: value, value }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("format", &self.format)
            .field("hash", &self.hash)
            .field("objective", &self.objective)
            .field("features", &self.features.len())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}
