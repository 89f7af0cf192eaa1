//! Comparisons and the choice of the smallest or largest: numbers by value whatever their scale,
//! texts by their UTF-8 bytes.

use std::cmp::Ordering;

use crate::{Column, Data, Physical, State, Texts};

use super::cells::{Cells, Operand, TextCells, zip_strict};
use super::{decimal, marks};

/// Where `wanted` holds of the order of both cells. Generic, so that each comparison is a loop of
/// its own.
pub(super) fn by(
    a: &Operand<'_>,
    b: &Operand<'_>,
    rows: usize,
    wanted: impl Fn(Ordering) -> bool,
) -> Column {
    let answer = |order: Ordering| (i64::from(wanted(order)), State::Ok);
    match a.ty.physical() {
        Physical::Word => {
            let (up, down) = decimal::factors(a.ty, b.ty);
            let cells = (a.words(), b.words());
            if up == 1 && down == 1 {
                zip_strict((a, b), cells, rows, |x: i64, y: i64| answer(x.cmp(&y)))
            } else {
                zip_strict((a, b), cells, rows, |x: i64, y: i64| {
                    answer((i128::from(x) * up).cmp(&(i128::from(y) * down)))
                })
            }
        }
        Physical::Float => zip_strict((a, b), (a.floats(), b.floats()), rows, |x: f64, y| {
            answer(x.partial_cmp(&y).unwrap_or(Ordering::Equal))
        }),
        Physical::Text => {
            let (x, y) = (a.texts(), b.texts());
            texts_strict(a, b, rows, |row| i64::from(wanted(x.get(row).cmp(y.get(row)))))
        }
        Physical::Nested => texts_strict(a, b, rows, |row| {
            i64::from(wanted(a.nested(row).compare(b.nested(row)).unwrap_or(Ordering::Less)))
        }),
    }
}

/// A strict operator that cannot fail, by row.
pub(super) fn texts_strict(
    a: &Operand<'_>,
    b: &Operand<'_>,
    rows: usize,
    f: impl Fn(usize) -> i64,
) -> Column {
    let cells: Vec<i64> = (0..rows).map(f).collect();
    super::cells::finish(cells, marks::strict(&[a.marks(), b.marks()], rows), None)
}

pub(super) fn least(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    extreme(a, b, rows, Ordering::is_le)
}

pub(super) fn greatest(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    extreme(a, b, rows, Ordering::is_ge)
}

/// The first where `wanted` holds of its order to the second, else the second. Both have one type.
fn extreme(
    a: &Operand<'_>,
    b: &Operand<'_>,
    rows: usize,
    wanted: impl Fn(Ordering) -> bool,
) -> Column {
    match a.ty.physical() {
        Physical::Word => words(a, b, (a.words(), b.words()), rows, wanted),
        Physical::Float => zip_strict((a, b), (a.floats(), b.floats()), rows, |x: f64, y: f64| {
            let first = wanted(x.partial_cmp(&y).unwrap_or(Ordering::Equal));
            (if first { x } else { y }, State::Ok)
        }),
        Physical::Text | Physical::Nested => {
            extreme_text(a, b, (a.texts(), b.texts()), rows, wanted)
        }
    }
}

fn words(
    a: &Operand<'_>,
    b: &Operand<'_>,
    cells: (Cells<'_, i64>, Cells<'_, i64>),
    rows: usize,
    wanted: impl Fn(Ordering) -> bool,
) -> Column {
    zip_strict((a, b), cells, rows, |x: i64, y: i64| {
        (if wanted(x.cmp(&y)) { x } else { y }, State::Ok)
    })
}

fn extreme_text(
    a: &Operand<'_>,
    b: &Operand<'_>,
    (x, y): (TextCells<'_>, TextCells<'_>),
    rows: usize,
    wanted: impl Fn(Ordering) -> bool,
) -> Column {
    let marks = marks::strict(&[a.marks(), b.marks()], rows);
    let mut texts = Texts::default();
    for row in 0..rows {
        let (x, y) = (x.get(row), y.get(row));
        let is_null = marks.as_ref().is_some_and(|m| m[row].is_null());
        texts.push(match is_null {
            true => "",
            false if wanted(x.cmp(y)) => x,
            false => y,
        });
    }
    Column::with_marks(Data::Text(texts), marks)
}
