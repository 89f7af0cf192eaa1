//! Rows for a model: values by the names of its features, from CSV or NDJSON.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use millrace_connector::duration_of;
use millrace_event::Value as Cell;
use millrace_serving::model::{FeatureKind, Model, ModelFeature};
use millrace_serving::{number, plain};
use serde_json::Value;

use crate::exit::Failure;
use crate::project::shown;

/// Bytes of one row's line.
const LINE_BYTES_MAX: u64 = 16 << 20;
/// The longest value that an error repeats, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// A row in the order of the model's features, with NaN where a value is missing.
#[derive(Debug)]
pub struct Row<'a> {
    /// From 1, without a header.
    pub number: u64,
    pub values: &'a [f64],
}

#[derive(Debug)]
pub struct Rows<'m> {
    path: PathBuf,
    reader: BufReader<File>,
    features: &'m [ModelFeature],
    shape: Shape,
    line: u64,
    number: u64,
    text: String,
    values: Vec<f64>,
}

#[derive(Debug)]
enum Shape {
    /// For each column the feature that it holds.
    Csv(Vec<Option<usize>>),
    Ndjson,
}

impl<'m> Rows<'m> {
    pub fn open(path: &Path, model: &'m Model) -> Result<Rows<'m>, Failure> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        let shape = match ending {
            Some("csv") => Shape::Csv(Vec::new()),
            Some("ndjson" | "jsonl") => Shape::Ndjson,
            _ => {
                let path = shown(path);
                let fix = "name one that ends in .csv, .ndjson or .jsonl";
                return Err(Failure::usage(format!("--rows {path}: an unknown format; {fix}")));
            }
        };
        let file = File::open(path).map_err(Failure::io(path))?;
        let features = model.features();
        let mut rows = Rows {
            path: path.to_owned(),
            reader: BufReader::new(file),
            features,
            shape,
            line: 0,
            number: 0,
            text: String::new(),
            values: vec![f64::NAN; features.len()],
        };
        if let Shape::Csv(_) = rows.shape {
            rows.shape = Shape::Csv(rows.read_header()?);
        }
        Ok(rows)
    }

    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, Failure> {
        loop {
            if !self.read_line()? {
                return Ok(None);
            }
            if !self.text.is_empty() {
                break;
            }
        }
        self.number += 1;
        self.values.fill(f64::NAN);
        let read = match &self.shape {
            Shape::Csv(columns) => read_csv(&self.text, columns, self.features, &mut self.values),
            Shape::Ndjson => read_json(&self.text, self.features, &mut self.values),
        };
        read.map_err(|message| self.failure(&message))?;
        Ok(Some(Row { number: self.number, values: &self.values }))
    }

    fn read_header(&mut self) -> Result<Vec<Option<usize>>, Failure> {
        self.read_line()?;
        let names = cells(&self.text).map_err(|message| self.failure(&message))?;
        let feature = |name: &String| self.features.iter().position(|f| f.name == *name);
        let columns: Vec<Option<usize>> = names.iter().map(feature).collect();
        // A column that is not there is one mistake of the file, not a gap of each row.
        let absent = (0..self.features.len()).filter(|at| !columns.contains(&Some(*at)));
        let absent = absent.filter_map(|at| self.features.get(at)).filter(|f| f.is_used);
        let absent: Vec<String> = absent.map(|feature| format!("`{}`", feature.name)).collect();
        if !absent.is_empty() {
            let absent = absent.join(", ");
            let message = format!("the header lacks {absent}, which the model asks for");
            return Err(self.failure(&message));
        }
        Ok(columns)
    }

    /// The next line without its end; `false` at the end of the file.
    fn read_line(&mut self) -> Result<bool, Failure> {
        self.text.clear();
        self.line += 1;
        let mut limited = self.reader.by_ref().take(LINE_BYTES_MAX);
        let read = limited.read_line(&mut self.text).map_err(Failure::io(&self.path))?;
        if read as u64 == LINE_BYTES_MAX {
            let message = format!("a line of more than {LINE_BYTES_MAX} bytes; is it one row?");
            return Err(self.failure(&message));
        }
        self.text.truncate(self.text.trim_end_matches(['\n', '\r']).len());
        Ok(read > 0)
    }

    fn failure(&self, message: &str) -> Failure {
        Failure::user(format!("{}: line {}: {message}", shown(&self.path), self.line))
    }
}

fn read_csv(
    text: &str,
    columns: &[Option<usize>],
    features: &[ModelFeature],
    values: &mut [f64],
) -> Result<(), String> {
    let cells = cells(text)?;
    if cells.len() != columns.len() {
        let (given, expected) = (cells.len(), columns.len());
        return Err(format!("{given} values, and the header has {expected}"));
    }
    for (cell, column) in cells.iter().zip(columns) {
        let Some(at) = column else { continue };
        if let (Some(feature), Some(value)) = (features.get(*at), values.get_mut(*at)) {
            *value = from_text(feature, cell)?;
        }
    }
    Ok(())
}

fn read_json(text: &str, features: &[ModelFeature], values: &mut [f64]) -> Result<(), String> {
    let object: serde_json::Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| format!("{error}; write one JSON object on each line"))?;
    for (feature, slot) in features.iter().zip(values) {
        *slot = match object.get(&feature.name) {
            None | Some(Value::Null) => f64::NAN,
            Some(Value::String(text)) => from_text(feature, text)?,
            Some(value @ (Value::Bool(_) | Value::Number(_))) => {
                from_text(feature, &value.to_string())?
            }
            Some(value @ (Value::Array(_) | Value::Object(_))) => {
                return Err(refusal(feature, &value.to_string()));
            }
        };
    }
    Ok(())
}

/// A category by its name, or a number; nothing is missing, and so is a category that the model
/// does not know, as it was for the library.
fn from_text(feature: &ModelFeature, text: &str) -> Result<f64, String> {
    if text.is_empty() {
        return Ok(f64::NAN);
    }
    match &feature.kind {
        FeatureKind::Category { names: Some(_) } => match (feature.code_of(text), text) {
            (Some(code), _) => Ok(code),
            // A boolean, which the library may have written otherwise.
            (None, "true" | "false") => Ok(number(feature, &Cell::Bool(text == "true"))),
            (None, _) => Ok(f64::NAN),
        },
        FeatureKind::Number | FeatureKind::Category { names: None } => match text {
            "true" => Ok(1.0),
            "false" => Ok(0.0),
            _ => text.parse().or_else(|_| seconds(text).ok_or_else(|| refusal(feature, text))),
        },
    }
}

/// A duration as NDJSON has it, such as `5034ms`, in what a model takes it in.
fn seconds(text: &str) -> Option<f64> {
    duration_of(text).map(|span| plain(&Cell::Duration(span)))
}

fn refusal(feature: &ModelFeature, given: &str) -> String {
    let given: String = given.chars().take(SHOWN_CHARS_MAX).collect();
    format!("`{given}` is no number, as the feature `{}` is; give one, or nothing", feature.name)
}

/// The cells of a line: separated by commas, in double quotes where they hold one, with quotes
/// doubled inside.
fn cells(line: &str) -> Result<Vec<String>, String> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        let (cell, after) = match rest.strip_prefix('"') {
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (cell, after) = rest.split_at(end);
                (cell.to_owned(), after)
            }
            Some(inside) => quoted(inside)?,
        };
        cells.push(cell);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(cells),
            None => return Err("something follows a closing quote; double a quote".to_owned()),
        }
    }
}

/// What is before the closing quote, and what is after it.
fn quoted(inside: &str) -> Result<(String, &str), String> {
    let mut cell = String::new();
    let mut rest = inside;
    loop {
        let Some((before, after)) = rest.split_once('"') else {
            return Err("a quote is not closed; a row is one line".to_owned());
        };
        cell.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                cell.push('"');
                rest = more;
            }
            None => return Ok((cell, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_serving::model::CategoryName;

    use super::*;

    #[test]
    fn a_duration_is_read_in_seconds() {
        assert_eq!(seconds("5034ms"), Some(5.034));
        assert_eq!((seconds("-90m"), seconds("soon")), (Some(-5_400.0), None));
    }

    #[test]
    fn cells_may_be_quoted() {
        assert_eq!(cells("a,,\"b,\"\"c\"\"\",").unwrap(), ["a", "", "b,\"c\"", ""]);
        assert!(cells("\"a").is_err() && cells("\"a\"b").is_err());
    }

    /// As the same value would be served.
    #[test]
    fn categories_are_looked_up_by_their_names_in_every_format() {
        let names = |names: &[&str]| {
            let named = |name: &&str| CategoryName::Text((*name).to_owned());
            let kind = FeatureKind::Category { names: Some(names.iter().map(named).collect()) };
            [ModelFeature { name: "x".to_owned(), kind, is_used: true, takes_missing: true }]
        };
        let json = |features: &[ModelFeature], cell: &str| {
            let mut values = [0.0];
            read_json(&format!("{{\"x\":{cell}}}"), features, &mut values).unwrap();
            values[0]
        };
        let shops = names(&["7", "5", "a"]);
        assert_eq!((json(&shops, "5"), from_text(&shops[0], "5").unwrap()), (1.0, 1.0));
        assert_eq!((json(&shops, "\"a\""), from_text(&shops[0], "a").unwrap()), (2.0, 2.0));
        assert!(json(&shops, "1").is_nan() && from_text(&shops[0], "1").unwrap().is_nan());
        let flags = names(&["False", "True"]);
        assert_eq!((json(&flags, "true"), from_text(&flags[0], "true").unwrap()), (1.0, 1.0));
        assert_eq!((json(&flags, "false"), from_text(&flags[0], "false").unwrap()), (0.0, 0.0));
    }
}
