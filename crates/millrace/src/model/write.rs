//! Scores and explanations, as CSV or as lines of JSON.

use std::io::{self, BufWriter, Stdout, Write};
use std::path::Path;

use millrace_connector::PartialFile;
use millrace_serving::model::{Attribution, ModelFeature, Score};
use serde_json::{Map, Value, json};

use crate::exit::Failure;
use crate::whole_file;

pub struct Output {
    to: To,
    is_json: bool,
}

enum To {
    Screen(BufWriter<Stdout>),
    /// It has its name once it is whole.
    File(BufWriter<PartialFile>),
}

impl Output {
    /// Writes into a new file, or to standard output.
    pub fn create(path: Option<&Path>, json: bool) -> Result<Output, Failure> {
        let ending = path.and_then(|path| path.extension()).and_then(|ending| ending.to_str());
        let to = match path {
            None => To::Screen(BufWriter::new(io::stdout())),
            Some(path) if path.symlink_metadata().is_ok() => {
                return Err(Failure::io(path)(io::ErrorKind::AlreadyExists.into()));
            }
            Some(path) => To::File(BufWriter::new(PartialFile::create(path)?)),
        };
        let is_json = json || matches!(ending, Some("ndjson" | "jsonl"));
        Ok(Output { to, is_json })
    }

    /// The names of the columns; lines of JSON have theirs.
    pub fn header(&mut self, names: &str) -> Result<(), Failure> {
        if self.is_json { Ok(()) } else { self.line(format_args!("{names}")) }
    }

    pub fn score(&mut self, row: u64, Score { raw, value }: Score) -> Result<(), Failure> {
        if self.is_json {
            return self.line(format_args!("{}", json!({"row": row, "raw": raw, "score": value})));
        }
        self.line(format_args!("{row},{raw},{value}"))
    }

    /// The features that add most, `most` at most: a line of CSV for each, after one for the bias.
    pub fn explanation(
        &mut self,
        row: u64,
        Score { raw, value: score }: Score,
        attribution: &Attribution,
        most: usize,
        features: &[ModelFeature],
        values: &[f64],
    ) -> Result<(), Failure> {
        let bias = attribution.bias;
        let largest = attribution.largest();
        let named = largest.iter().take(most).filter_map(|(at, contribution)| {
            Some((features.get(*at)?.name.as_str(), *values.get(*at)?, *contribution))
        });
        if self.is_json {
            let contributions = named.map(|(feature, value, contribution)| {
                json!({"feature": feature, "value": value, "contribution": contribution})
            });
            let mut object = Map::new();
            object.insert("row".to_owned(), json!(row));
            object.insert("raw".to_owned(), json!(raw));
            object.insert("score".to_owned(), json!(score));
            object.insert("bias".to_owned(), json!(bias));
            object.insert("contributions".to_owned(), contributions.collect());
            return self.line(format_args!("{}", Value::Object(object)));
        }
        self.line(format_args!("{row},{raw},{score},,,{bias}"))?;
        for (feature, value, contribution) in named {
            let feature = cell(feature);
            let value = if value.is_nan() { String::new() } else { value.to_string() };
            self.line(format_args!("{row},{raw},{score},{feature},{value},{contribution}"))?;
        }
        Ok(())
    }

    pub fn finish(self) -> Result<(), Failure> {
        match self.to {
            To::Screen(mut out) => out.flush().map_err(Failure::output),
            To::File(file) => whole_file::finish(file),
        }
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) -> Result<(), Failure> {
        match &mut self.to {
            To::Screen(out) => writeln!(out, "{text}").map_err(Failure::output),
            To::File(file) => {
                let written = writeln!(file, "{text}");
                written.map_err(|error| Failure::io(file.get_ref().path())(error))
            }
        }
    }
}

/// In quotes, where it would otherwise be read as something else.
fn cell(text: &str) -> String {
    if !text.contains([',', '"', '\n', '\r']) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('"', "\"\""))
}
