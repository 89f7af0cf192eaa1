//! Operators over texts and lists. Case is Unicode's, without regard to a language.

use crate::{Column, Data, Physical, Texts, Type, Value};

use super::cells::{Operand, finish};
use super::compare::texts_strict;
use super::marks;

/// A text for each text; the result is written straight into one column.
pub(super) fn map(a: &Operand<'_>, rows: usize, f: impl Fn(&str) -> String) -> Column {
    let cells = a.texts();
    let mut texts = Texts::default();
    for row in 0..rows {
        texts.push(&f(cells.get(row)));
    }
    Column::with_marks(Data::Text(texts), marks::strict(&[a.marks()], rows))
}

/// Unicode scalar values of a text, elements of a list, entries of a map.
pub(super) fn length(a: &Operand<'_>, rows: usize) -> Column {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let cells: Vec<i64> = match a.ty.physical() {
        Physical::Text => {
            let texts = a.texts();
            (0..rows).map(|row| count(texts.get(row).chars().count())).collect()
        }
        Physical::Word | Physical::Float | Physical::Nested => (0..rows)
            .map(|row| match a.nested(row) {
                Value::List(all) => count(all.len()),
                Value::Map(all) => count(all.len()),
                Value::Null
                | Value::Bool(_)
                | Value::Int(_)
                | Value::Float(_)
                | Value::Decimal { .. }
                | Value::Text(_)
                | Value::Timestamp(_)
                | Value::Duration(_) => 0,
            })
            .collect(),
    };
    finish(cells, marks::strict(&[a.marks()], rows), None)
}

pub(super) fn starts_with(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    let (x, y) = (a.texts(), b.texts());
    texts_strict(a, b, rows, |row| i64::from(x.get(row).starts_with(y.get(row))))
}

/// Whether a text holds a text, or a list an element.
pub(super) fn contains(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    if matches!(a.ty, Type::List(_)) {
        return texts_strict(a, b, rows, |row| match a.nested(row) {
            Value::List(all) => i64::from(all.contains(&b.value(row))),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Decimal { .. }
            | Value::Text(_)
            | Value::Timestamp(_)
            | Value::Duration(_)
            | Value::Map(_) => 0,
        });
    }
    let (x, y) = (a.texts(), b.texts());
    texts_strict(a, b, rows, |row| i64::from(x.get(row).contains(y.get(row))))
}
