//! Columns while they grow, row by row.
//!
//! A row that needs care is staged whole before any of it is appended; a plain one is appended cell
//! by cell and cut off again if it turns out not to be plain. So a bad row leaves no trace.

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

    /// What was appended last to a column of words.
    #[inline]
    pub fn last_word(&self, field: usize) -> Option<i64> {
        match self.data.get(field)? {
            Data::Word(words) => words.last().copied(),
            Data::Float(_) | Data::Text(_) | Data::Nested(_) => None,
        }
    }

    /// The column of this field, to append the cell of a row that is under way.
    #[inline]
    pub fn growing(&mut self, field: usize) -> Option<Growing<'_>> {
        let (data, marks) = (self.data.get_mut(field)?, self.marks.get_mut(field)?);
        Some(Growing { data, marks, rows: self.rows })
    }

    /// Ends a row that has a new cell in every column but these, which get a null.
    #[inline]
    pub fn end_row(&mut self, absent: &[usize]) {
        for field in absent {
            if let Some(mut cells) = self.growing(*field) {
                cells.push_null();
            }
        }
        self.rows += 1;
    }

    /// Cuts off the cells of a row that was not ended.
    #[cold]
    pub fn drop_row(&mut self) {
        for (data, marks) in self.data.iter_mut().zip(&mut self.marks) {
            match data {
                Data::Word(v) => v.truncate(self.rows),
                Data::Float(v) => v.truncate(self.rows),
                Data::Text(v) => v.truncate(self.rows),
                Data::Nested(v) => v.truncate(self.rows),
            }
            marks.truncate(self.rows);
        }
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

/// One column while a row is appended.
pub(crate) struct Growing<'a> {
    data: &'a mut Data,
    marks: &'a mut Vec<Mark>,
    rows: usize,
}

/// Each appends a cell, or gives `None` where the column is of another kind.
impl Growing<'_> {
    #[inline]
    pub fn push_word(&mut self, word: i64) -> Option<()> {
        let Data::Word(words) = &mut *self.data else { return None };
        words.push(word);
        self.mark_good();
        Some(())
    }

    #[inline]
    pub fn push_float(&mut self, x: f64) -> Option<()> {
        let Data::Float(floats) = &mut *self.data else { return None };
        floats.push(x);
        self.mark_good();
        Some(())
    }

    #[inline]
    pub fn push_text(&mut self, text: &str) -> Option<()> {
        let Data::Text(texts) = &mut *self.data else { return None };
        texts.push(text);
        self.mark_good();
        Some(())
    }

    pub fn push_null(&mut self) {
        let null = push_cell(self.data, Cell::Null);
        push_mark(self.marks, null, self.rows);
    }

    #[inline]
    fn mark_good(&mut self) {
        if !self.marks.is_empty() {
            self.marks.push(Mark::OK);
        }
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
        (data, Cell::Null) => {
            match data {
                Data::Word(v) => v.push(0),
                Data::Float(v) => v.push(0.0),
                Data::Text(v) => v.push(""),
                Data::Nested(v) => v.push(Value::Null),
            }
            return true;
        }
        // Going on would give wrong values unseen.
        (_, cell) => unreachable!("a cell of another kind than its column: {cell:?}"),
    }
    false
}
