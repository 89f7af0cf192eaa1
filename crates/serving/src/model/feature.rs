//! What a model asks for: its features, in the order of its rows.

/// A feature of a model, as its file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFeature {
    pub name: String,
    pub kind: FeatureKind,
    /// Whether any split reads it; others may hold anything.
    pub is_used: bool,
    /// Whether a row may lack it, which is NaN. Trees know what to do with one; of an ONNX graph it
    /// depends on its operators.
    pub takes_missing: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FeatureKind {
    Number,
    /// The row holds the category's code, a whole number from 0. `names` are the categories by
    /// code, where the file has them: pandas' at the time of training.
    Category {
        names: Option<Vec<CategoryName>>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum CategoryName {
    Text(String),
    Number(f64),
}

impl ModelFeature {
    /// The code of a named category; `None` where the model does not know it, which the row holds
    /// as missing (NaN), as pandas gives it to the libraries.
    pub fn code_of(&self, text: &str) -> Option<f64> {
        let FeatureKind::Category { names: Some(names) } = &self.kind else { return None };
        let is_it = |name: &CategoryName| match name {
            CategoryName::Text(name) => name == text,
            CategoryName::Number(number) => text.parse() == Ok(*number),
        };
        names.iter().position(is_it).map(|code| code as f64)
    }
}
