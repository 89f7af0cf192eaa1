//! Operands of one operator: columns that were given, columns just computed, and constants, which
//! are never spread over a column.

use crate::{Column, Data, Mark, State, Texts, Type, Value};

use super::marks;

/// What an operator is applied to, with its type.
pub(super) struct Operand<'a> {
    pub source: Source<'a>,
    pub ty: &'a Type,
}

pub(super) enum Source<'a> {
    Given(&'a Column),
    Computed(Column),
    /// Not null.
    Constant(&'a Value),
}

/// The cells of an operand: one per row, or one for all rows.
#[derive(Clone, Copy)]
pub(super) enum Cells<'a, T> {
    Many(&'a [T]),
    One(T),
}

/// As [`Cells`], of texts.
#[derive(Clone, Copy)]
pub(super) enum TextCells<'a> {
    Many(&'a Texts),
    One(&'a str),
}

impl Operand<'_> {
    fn column(&self) -> Option<&Column> {
        match &self.source {
            Source::Given(column) => Some(column),
            Source::Computed(column) => Some(column),
            Source::Constant(_) => None,
        }
    }

    pub fn marks(&self) -> Option<&[Mark]> {
        self.column().and_then(Column::marks)
    }

    pub fn words(&self) -> Cells<'_, i64> {
        match &self.source {
            Source::Constant(value) => Cells::One(word(value)),
            Source::Given(column) => Cells::Many(column.as_words()),
            Source::Computed(column) => Cells::Many(column.as_words()),
        }
    }

    pub fn floats(&self) -> Cells<'_, f64> {
        match &self.source {
            Source::Constant(Value::Float(x)) => Cells::One(*x),
            Source::Constant(_) => Cells::One(0.0),
            Source::Given(column) => Cells::Many(column.as_floats()),
            Source::Computed(column) => Cells::Many(column.as_floats()),
        }
    }

    pub fn texts(&self) -> TextCells<'_> {
        match &self.source {
            Source::Constant(Value::Text(s)) => TextCells::One(s),
            Source::Constant(_) => TextCells::One(""),
            Source::Given(column) => column.as_texts().map_or(TextCells::One(""), TextCells::Many),
            Source::Computed(column) => {
                column.as_texts().map_or(TextCells::One(""), TextCells::Many)
            }
        }
    }

    /// The nested value of a row; null for another kind of column.
    pub fn nested(&self, row: usize) -> &Value {
        match (&self.source, self.column()) {
            (Source::Constant(value), _) => value,
            (_, Some(Column { data: Data::Nested(values), .. })) => &values[row],
            (_, _) => &Value::Null,
        }
    }

    /// A cell as a value: for the operators over nested values, which are not in hot loops.
    pub fn value(&self, row: usize) -> Value {
        match &self.source {
            Source::Constant(value) => (*value).clone(),
            Source::Given(column) => column.value(row, self.ty),
            Source::Computed(column) => column.value(row, self.ty),
        }
    }

    pub fn into_column(self, rows: usize) -> Column {
        match self.source {
            Source::Given(column) => column.clone(),
            Source::Computed(column) => column,
            Source::Constant(value) => spread(value, self.ty, rows),
        }
    }
}

/// A constant as a column.
pub(super) fn spread(value: &Value, ty: &Type, rows: usize) -> Column {
    let mut column = Column::new(ty.physical());
    for _ in 0..rows {
        column.push(value, State::Ok);
    }
    column
}

fn word(value: &Value) -> i64 {
    match value {
        Value::Bool(b) => i64::from(*b),
        Value::Int(n) => *n,
        Value::Decimal { mantissa, .. } => *mantissa,
        Value::Timestamp(t) => t.0,
        Value::Duration(d) => d.0,
        Value::Null | Value::Float(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => 0,
    }
}

impl<'a> TextCells<'a> {
    pub fn get(&self, row: usize) -> &'a str {
        match self {
            TextCells::Many(texts) => texts.get(row),
            TextCells::One(s) => s,
        }
    }
}

/// `f` over every row.
pub(super) fn map<A: Copy, U>(a: Cells<'_, A>, rows: usize, mut f: impl FnMut(A) -> U) -> Vec<U> {
    match a {
        Cells::Many(a) => a.iter().take(rows).map(|x| f(*x)).collect(),
        Cells::One(x) => (0..rows).map(|_| f(x)).collect(),
    }
}

/// `f` over every pair of rows.
pub(super) fn zip<A: Copy, B: Copy, U>(
    a: Cells<'_, A>,
    b: Cells<'_, B>,
    rows: usize,
    mut f: impl FnMut(A, B) -> U,
) -> Vec<U> {
    match (a, b) {
        (Cells::Many(a), Cells::Many(b)) => {
            a.iter().zip(b).take(rows).map(|(x, y)| f(*x, *y)).collect()
        }
        (Cells::Many(a), Cells::One(y)) => a.iter().take(rows).map(|x| f(*x, y)).collect(),
        (Cells::One(x), Cells::Many(b)) => b.iter().take(rows).map(|y| f(x, *y)).collect(),
        (Cells::One(x), Cells::One(y)) => (0..rows).map(|_| f(x, y)).collect(),
    }
}

/// Kinds of cell that a result column can be made of.
pub(super) trait Cell: Copy {
    const NULL: Self;
    fn into_data(cells: Vec<Self>) -> Data;
}

impl Cell for i64 {
    const NULL: i64 = 0;
    fn into_data(cells: Vec<i64>) -> Data {
        Data::Word(cells)
    }
}

impl Cell for f64 {
    const NULL: f64 = 0.0;
    fn into_data(cells: Vec<f64>) -> Data {
        Data::Float(cells)
    }
}

/// A strict unary operator: null where the operand is, and where `f` says that it failed.
pub(super) fn map_strict<A: Copy, U: Cell>(
    operand: &Operand<'_>,
    cells: Cells<'_, A>,
    rows: usize,
    f: impl Fn(A) -> (U, State),
) -> Column {
    let mut failed = 0;
    let data = map(cells, rows, |x| {
        let (y, state) = f(x);
        failed |= state as u8;
        y
    });
    let failures = (failed != 0).then(|| map(cells, rows, |x| f(x).1));
    finish(data, marks::strict(&[operand.marks()], rows), failures)
}

/// A strict binary operator: null where an operand is, and where `f` says that it failed.
pub(super) fn zip_strict<A: Copy, B: Copy, U: Cell>(
    operands: (&Operand<'_>, &Operand<'_>),
    cells: (Cells<'_, A>, Cells<'_, B>),
    rows: usize,
    f: impl Fn(A, B) -> (U, State),
) -> Column {
    let mut failed = 0;
    let data = zip(cells.0, cells.1, rows, |x, y| {
        let (z, state) = f(x, y);
        failed |= state as u8;
        z
    });
    let failures = (failed != 0).then(|| zip(cells.0, cells.1, rows, |x, y| f(x, y).1));
    finish(data, marks::strict(&[operands.0.marks(), operands.1.marks()], rows), failures)
}

/// Joins cells, inherited nulls and failures; the cell of a null is made neutral.
pub(super) fn finish<U: Cell>(
    mut data: Vec<U>,
    mut marks: Option<Vec<Mark>>,
    failures: Option<Vec<State>>,
) -> Column {
    if let Some(failures) = failures {
        let marks = marks.get_or_insert_with(|| vec![Mark::OK; data.len()]);
        for (mark, state) in marks.iter_mut().zip(failures) {
            if state != State::Ok && !mark.is_null() {
                *mark = Mark::null(state);
            }
        }
    }
    if let Some(marks) = &marks {
        for (cell, mark) in data.iter_mut().zip(marks) {
            if mark.is_null() {
                *cell = U::NULL;
            }
        }
    }
    Column::with_marks(U::into_data(data), marks)
}
