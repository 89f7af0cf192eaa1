//! A column's cells as text, its kind settled once for all rows.

use millrace_event::{Column, Data, Mark, Texts, Type, Value};

use crate::fields::Kind;

/// A column's cells, by how they are written.
#[derive(Clone, Copy)]
pub(super) enum Cells<'c> {
    Word(&'c [i64], Kind),
    Float(&'c [f64]),
    Text(&'c Texts),
    Nested(&'c [Value], &'c Type),
}

/// A column prepared for writing row by row.
#[derive(Clone, Copy)]
pub(super) struct Written<'c> {
    pub cells: Cells<'c>,
    marks: Option<&'c [Mark]>,
}

impl<'c> Written<'c> {
    pub fn new(column: &'c Column, ty: &'c Type) -> Written<'c> {
        let cells = match &column.data {
            Data::Word(words) => Cells::Word(words, Kind::of(ty)),
            Data::Float(floats) => Cells::Float(floats),
            Data::Text(texts) => Cells::Text(texts),
            Data::Nested(values) => Cells::Nested(values, ty),
        };
        Written { cells, marks: column.marks() }
    }

    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        self.marks.is_some_and(|marks| marks[row].is_null())
    }
}
