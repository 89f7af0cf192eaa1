//! Why a model file was refused: where, what, and what to do.

use std::fmt;

use crate::model::limits::SHOWN_CHARS_MAX;

/// A file that is no model, or none that can be scored to the last bit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}{fault}")]
pub struct ModelError {
    pub place: Place,
    pub fault: Fault,
}

/// Where in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    File,
    /// A line of a text file, from 1, and the tree that it belongs to.
    Line {
        line: usize,
        tree: Option<usize>,
    },
    /// A path into a JSON file, such as `learner.gradient_booster.model.trees[3].left_children[5]`, or
    /// a part of an ONNX graph.
    Path(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File => Ok(()),
            Place::Line { line, tree: None } => write!(f, "line {line}: "),
            Place::Line { line, tree: Some(tree) } => write!(f, "line {line} (tree {tree}): "),
            Place::Path(path) => write!(f, "{path}: "),
        }
    }
}

/// What is wrong, with the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error(
        "this is no model file: it begins with {begins}; save a LightGBM model with \
         `booster.save_model(\"model.txt\")`, an XGBoost one with `booster.save_model(\"model.json\")`"
    )]
    NotAModel { begins: String },
    #[error("this is {format}, which is not read; {fix}")]
    OtherFormat { format: &'static str, fix: &'static str },
    #[error(
        "this is an ONNX model, and this build does not read them; build one that does with `cargo \
         build --release --features onnx`"
    )]
    NotBuilt,
    #[error("{given} {what}; at most {limit} are read: train a smaller model")]
    TooMany { what: &'static str, given: u64, limit: u64 },
    #[error("byte {at} is not UTF-8; the file is damaged: save the model again")]
    NotUtf8 { at: usize },
    #[error("{message}; the file is damaged: save the model again")]
    Json { message: String },
    #[error("there is no `{what}`; the file is cut or damaged: save the model again")]
    Missing { what: &'static str },
    #[error("`{what}` is there twice; the file is damaged: save the model again")]
    Twice { what: &'static str },
    #[error("`{given}` is not {expected}; the file is damaged: save the model again")]
    Unreadable { given: String, expected: &'static str },
    #[error("{given} {what}, and {expected} expected; the file is damaged: save the model again")]
    Count { what: &'static str, given: usize, expected: usize },
    #[error("{message}; the file is damaged: save the model again")]
    Shape { message: String },
    #[error("{what}; {fix}")]
    Unsupported { what: String, fix: &'static str },
}

impl ModelError {
    pub(super) fn file(fault: Fault) -> ModelError {
        ModelError { place: Place::File, fault }
    }

    pub(super) fn at(path: impl Into<String>, fault: Fault) -> ModelError {
        ModelError { place: Place::Path(path.into()), fault }
    }
}

impl Fault {
    pub(super) fn unreadable(given: &str, expected: &'static str) -> Fault {
        Fault::Unreadable { given: shown(given), expected }
    }

    /// `Ok` where no more than `limit` are given.
    pub(super) fn limit(what: &'static str, given: usize, limit: usize) -> Result<(), Fault> {
        if given <= limit {
            return Ok(());
        }
        Err(Fault::TooMany { what, given: given as u64, limit: limit as u64 })
    }
}

/// As much of a text as an error repeats.
pub(super) fn shown(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(SHOWN_CHARS_MAX).chain(['…']).collect()
}
