//! Columns while they grow, row by row, out of staged cells.
//!
//! A row is staged whole before any of it is appended, so a row that turns out bad leaves no trace
//! in the columns.

use std::borrow::Cow;
use std::sync::Arc;

use millrace_event::{Batch, Column, Data, Mark, Physical, Schema, Texts, Value};

/// One staged cell; its kind agrees with its field's [`Physical`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Word(i64),
    Float(f64),
    Text(Cow<'a, str>),
    Nested(Value),
}

/// A cell that owns nothing, for the rows that cost the least.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PlainCell<'a> {
    Null,
    Word(i64),
    Float(f64),
    Text(&'a str),
}

impl Cell<'_> {
    pub fn into_owned<'b>(self) -> Cell<'b> {
        match self {
            Cell::Null => Cell::Null,
            Cell::Word(word) => Cell::Word(word),
            Cell::Float(x) => Cell::Float(x),
            Cell::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Cell::Nested(value) => Cell::Nested(value),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Columns {
    data: Vec<Data>,
    /// Per column: empty until its first null, then one mark per row.
    marks: Vec<Vec<Mark>>,
    rows: usize,
}

impl Columns {
    pub fn new(schema: &Schema, capacity: usize) -> Columns {
        let data = schema.fields.iter().map(|f| empty(f.ty.physical(), capacity)).collect();
        Columns { data, marks: vec![Vec::new(); schema.fields.len()], rows: 0 }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Appends one row, one cell per column, and leaves nulls behind.
    pub fn push_row(&mut self, cells: &mut [Cell<'_>]) {
        debug_assert_eq!(cells.len(), self.data.len());
        for ((cell, data), marks) in cells.iter_mut().zip(&mut self.data).zip(&mut self.marks) {
            let null = push_cell(data, std::mem::replace(cell, Cell::Null));
            push_mark(marks, null, self.rows);
        }
        self.rows += 1;
    }

    /// Appends one row of plain cells, one per column.
    #[inline]
    pub fn push_plain_row(&mut self, cells: &[PlainCell<'_>]) {
        debug_assert_eq!(cells.len(), self.data.len());
        for ((cell, data), marks) in cells.iter().zip(&mut self.data).zip(&mut self.marks) {
            let null = match (data, cell) {
                (Data::Word(v), PlainCell::Word(word)) => {
                    v.push(*word);
                    false
                }
                (Data::Float(v), PlainCell::Float(x)) => {
                    v.push(*x);
                    false
                }
                (Data::Text(v), PlainCell::Text(text)) => {
                    v.push(text);
                    false
                }
                (data, cell) => {
                    debug_assert_eq!(*cell, PlainCell::Null, "a cell of another kind");
                    push_cell(data, Cell::Null)
                }
            };
            push_mark(marks, null, self.rows);
        }
        self.rows += 1;
    }

    pub fn into_batch(self, schema: Arc<Schema>) -> Batch {
        let columns = self
            .data
            .into_iter()
            .zip(self.marks)
            .map(|(data, marks)| Column::with_marks(data, (!marks.is_empty()).then_some(marks)))
            .collect();
        Batch { schema, columns }
    }
}

/// Marks the cell behind `rows` others.
#[inline]
fn push_mark(marks: &mut Vec<Mark>, null: bool, rows: usize) {
    if null {
        marks.resize(rows, Mark::OK);
        marks.push(Mark::NULL);
    } else if !marks.is_empty() {
        marks.push(Mark::OK);
    }
}

fn empty(physical: Physical, capacity: usize) -> Data {
    match physical {
        Physical::Word => Data::Word(Vec::with_capacity(capacity)),
        Physical::Float => Data::Float(Vec::with_capacity(capacity)),
        Physical::Text => Data::Text(Texts::default()),
        Physical::Nested => Data::Nested(Vec::with_capacity(capacity)),
    }
}

/// Appends the cell; says whether it was a null.
#[inline]
fn push_cell(data: &mut Data, cell: Cell<'_>) -> bool {
    match (data, cell) {
        (Data::Word(v), Cell::Word(word)) => v.push(word),
        (Data::Float(v), Cell::Float(x)) => v.push(x),
        (Data::Text(v), Cell::Text(text)) => v.push(&text),
        (Data::Nested(v), Cell::Nested(value)) => v.push(value),
        (data, cell) => {
            debug_assert_eq!(cell, Cell::Null, "a cell of another kind");
            match data {
                Data::Word(v) => v.push(0),
                Data::Float(v) => v.push(0.0),
                Data::Text(v) => v.push(""),
                Data::Nested(v) => v.push(Value::Null),
            }
            return true;
        }
    }
    false
}
