use std::io;
use std::path::{Path, PathBuf};

/// Why a source or a sink cannot go on at all. A single bad record is never an error: it is a
/// [`crate::DeadLetter`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{}: the ending says no known format; use one of .csv, .ndjson, .jsonl, .parquet",
        path.display()
    )]
    UnknownEnding { path: PathBuf },
    #[error("{}: only a growing .ndjson or .jsonl file can be followed", path.display())]
    NotTailed { path: PathBuf },
    #[error("{origin}: the header is not UTF-8")]
    HeaderUtf8 { origin: String },
    #[error("{origin}: the header cannot be read as CSV within {limit} bytes: {cause}")]
    BadHeader { origin: String, limit: usize, cause: &'static str },
    #[error("{origin}: two columns are named `{column}`")]
    DuplicateColumn { origin: String, column: String },
    #[error(
        "{origin}: no column `{column}`, which may not be null; the file has: {}",
        found.join(", ")
    )]
    MissingColumn { origin: String, column: String, found: Vec<String> },
    #[error(
        "{origin}: the column `{column}` is {found} and the field is {wanted}; \
         change the file or the declaration"
    )]
    ColumnType { origin: String, column: String, found: String, wanted: String },
    #[error("`{}` cannot separate columns; use a comma, a semicolon, a tab or a bar",
        char::from(*delimiter))]
    Delimiter { delimiter: u8 },
    #[error("{origin}: a body of {given} bytes, and the limit is {limit}; send it in parts")]
    BodyTooLarge { origin: String, given: usize, limit: usize },
    #[error(
        "{origin}: more than {limit} objects of one list cannot be read; send the list in parts, and \
         look at whether it belongs to this stream"
    )]
    TooManyDead { origin: String, limit: usize },
    #[error("{}: cannot resume at {position}: {cause}", path.display())]
    Resume { path: PathBuf, position: crate::Position, cause: &'static str },
    #[error("{}: {source}", path.display())]
    Parquet { path: PathBuf, source: parquet::errors::ParquetError },
    #[error("{}: {cause}", path.display())]
    Write { path: PathBuf, cause: String },
}

impl Error {
    /// For `map_err`: an input or output error on this path.
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Error {
        move |source| Error::Io { path: path.to_owned(), source }
    }

    pub(crate) fn parquet(path: &Path) -> impl Fn(parquet::errors::ParquetError) -> Error {
        move |source| Error::Parquet { path: path.to_owned(), source }
    }
}
