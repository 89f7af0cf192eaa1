//! Scores and explanations, as CSV or as lines of JSON.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use millrace_serving::model::{Attribution, ModelFeature, Score};
use serde_json::{Map, Value, json};

use crate::exit::Failure;

pub struct Output {
    to: Box<dyn Write>,
    path: Option<PathBuf>,
    is_json: bool,
}

impl Output {
    /// Writes into a new file, or to standard output.
    pub fn create(path: Option<&Path>, json: bool) -> Result<Output, Failure> {
        let ending = path.and_then(|path| path.extension()).and_then(|ending| ending.to_str());
        let to: Box<dyn Write> = match path {
            None => Box::new(BufWriter::new(io::stdout().lock())),
            Some(path) => {
                let file = File::create_new(path).map_err(Failure::io(path))?;
                Box::new(BufWriter::new(file))
            }
        };
        let is_json = json || matches!(ending, Some("ndjson" | "jsonl"));
        Ok(Output { to, path: path.map(Path::to_owned), is_json })
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

    pub fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.to.flush();
        flushed.map_err(|error| self.failure(error))
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) -> Result<(), Failure> {
        writeln!(self.to, "{text}").map_err(|error| self.failure(error))
    }

    fn failure(&self, error: io::Error) -> Failure {
        match &self.path {
            Some(path) => Failure::io(path)(error),
            None => Failure::output(error),
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
