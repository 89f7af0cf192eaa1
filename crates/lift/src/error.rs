/// Why an experiment cannot be run on what it was given, or a model not be written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    #[error("`{what}` has {given} rows, and {wanted} are wanted")]
    Length { what: String, given: usize, wanted: usize },
    #[error("two columns are named `{column}`")]
    DuplicateColumn { column: String },
    #[error("column `{column}`, row {row}: {value} is infinite; make it null")]
    Infinite { column: String, row: usize, value: f64 },
    #[error(
        "column `{column}`, row {row}: {value} is not the position of one of its {words} words"
    )]
    Code { column: String, row: usize, value: f64, words: usize },
    #[error("column `{column}` has other words as of `{freshness}` than as of `{other}`")]
    Words { column: String, freshness: String, other: String },
    #[error(
        "`{name}` cannot be the name of a feature in a model file: no space and none of {}",
        crate::model::FORBIDDEN
    )]
    FeatureName { name: String },
    #[error("there is no {what}")]
    Empty { what: &'static str },
    #[error("row {row}: the weight {weight} is not a positive number")]
    Weight { row: usize, weight: f64 },
    #[error("row {row}: kind {given}, and only {kinds} kinds have a name")]
    Kind { row: usize, given: usize, kinds: usize },
    #[error("{setting} is {given}; it must be {rule}")]
    Setting { setting: &'static str, given: String, rule: &'static str },
    #[error("stopped")]
    Stopped,
    #[error("{given} {what}, and the limit is {limit}")]
    TooMany { what: &'static str, given: usize, limit: usize },
}
