//! The features of all rows as of one freshness, column by column.

use std::collections::BTreeSet;

use crate::error::Error;

/// Rows that one table may have: row numbers are kept in 32 bits.
pub const ROWS_MAX: usize = u32::MAX as usize;

/// One feature of all rows. A null is NaN.
#[derive(Debug, Clone)]
pub struct Column {
    name: String,
    values: Vec<f64>,
    words: Option<Vec<String>>,
}

impl Column {
    /// Infinite values are refused: between them and a number lies no threshold.
    pub fn number(name: impl Into<String>, values: Vec<f64>) -> Result<Self, Error> {
        let name = name.into();
        if let Some(row) = values.iter().position(|value| value.is_infinite()) {
            let value = values.get(row).copied().unwrap_or(f64::NAN);
            return Err(Error::Infinite { column: name, row, value });
        }
        Ok(Self { name, values, words: None })
    }

    /// Each value is the position of its word in `words`, or NaN.
    pub fn category(
        name: impl Into<String>,
        values: Vec<f64>,
        words: Vec<String>,
    ) -> Result<Self, Error> {
        let name = name.into();
        let fits = |value: f64| {
            value.is_nan() || (value >= 0.0 && value < words.len() as f64 && value.fract() == 0.0)
        };
        if let Some((row, value)) = values.iter().enumerate().find(|(_, value)| !fits(**value)) {
            return Err(Error::Code { column: name, row, value: *value, words: words.len() });
        }
        Ok(Self { name, values, words: Some(words) })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The dictionary of a column of words.
    pub fn words(&self) -> Option<&[String]> {
        self.words.as_deref()
    }
}

/// Columns of one length with different names, at least one.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: usize,
}

impl Table {
    pub fn new(columns: Vec<Column>) -> Result<Self, Error> {
        let Some(first) = columns.first() else { return Err(Error::Empty { what: "column" }) };
        let rows = first.values.len();
        if rows > ROWS_MAX {
            return Err(Error::TooMany { what: "rows", given: rows, limit: ROWS_MAX });
        }
        let mut names = BTreeSet::new();
        for column in &columns {
            let given = column.values.len();
            if given != rows {
                return Err(Error::Length { what: column.name.clone(), given, wanted: rows });
            }
            if !names.insert(column.name.as_str()) {
                return Err(Error::DuplicateColumn { column: column.name.clone() });
            }
        }
        Ok(Self { columns, rows })
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether a model of the one can be served with the other: the same columns in the same
    /// order. That their words are the same is checked once, when the experiment begins.
    pub fn same_columns(&self, other: &Self) -> bool {
        self.columns.len() == other.columns.len()
            && self.columns.iter().zip(&other.columns).all(|(a, b)| a.name == b.name)
    }
}
