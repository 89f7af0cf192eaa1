use std::path::Path;

use crate::Error;

/// A file's format, said by its ending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Csv,
    Ndjson,
    Parquet,
}

impl Format {
    /// Of `.csv`, `.ndjson`, `.jsonl` or `.parquet`, in any case.
    pub fn of(path: &Path) -> Result<Format, Error> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            Some("csv") => Ok(Format::Csv),
            Some("ndjson" | "jsonl") => Ok(Format::Ndjson),
            Some("parquet") => Ok(Format::Parquet),
            Some(_) | None => Err(Error::UnknownEnding { path: path.to_owned() }),
        }
    }
}
