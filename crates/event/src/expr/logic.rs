//! Three-valued logic, tests for null, and choices between operands.

use std::cmp::Ordering;

use crate::{Column, Data, Mark, Physical, State, Texts};

use super::cells::{Cells, Operand, finish, map, map_strict, zip};
use super::{compare, marks};

pub(super) fn not(a: &Operand<'_>, rows: usize) -> Column {
    map_strict(a, a.words(), rows, |x: i64| (x ^ 1, State::Ok))
}

pub(super) fn is_null(a: &Operand<'_>, rows: usize) -> Column {
    match a.marks() {
        None => Column::words(vec![0; rows]),
        Some(m) => Column::words(m.iter().map(|m| i64::from(m.is_null())).collect()),
    }
}

/// False if one is false, else null if one is null.
pub(super) fn and(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    let data = zip(a.words(), b.words(), rows, |x, y| x & y);
    decided(a, b, rows, data, 0)
}

/// True if one is true, else null if one is null.
pub(super) fn or(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    let data = zip(a.words(), b.words(), rows, |x, y| x | y);
    decided(a, b, rows, data, 1)
}

/// Nulls of `and` and `or`: an operand that is there and equals `decisive` settles the result.
fn decided(
    a: &Operand<'_>,
    b: &Operand<'_>,
    rows: usize,
    mut data: Vec<i64>,
    decisive: i64,
) -> Column {
    let Some(mut marks) = marks::strict(&[a.marks(), b.marks()], rows) else {
        return finish(data, None, None);
    };
    let settles = |operand: &Operand<'_>| -> Vec<bool> {
        let is_decisive = map(operand.words(), rows, |x| x == decisive);
        match operand.marks() {
            None => is_decisive,
            Some(m) => is_decisive.iter().zip(m).map(|(d, m)| *d && !m.is_null()).collect(),
        }
    };
    for (row, (x, y)) in settles(a).into_iter().zip(settles(b)).enumerate() {
        if x || y {
            marks[row] = Mark::OK;
            data[row] = decisive;
        }
    }
    finish(data, Some(marks), None)
}

/// `a = x or a = y or …`; false for no alternatives at all.
pub(super) fn is_in(a: &Operand<'_>, others: &[Operand<'_>], rows: usize) -> Column {
    use super::cells::Source;
    let bool_type = &crate::Type::Bool;
    let mut found: Option<Column> = None;
    for other in others {
        let equal = compare::by(a, other, rows, Ordering::is_eq);
        found = Some(match found {
            None => equal,
            Some(found) => or(
                &Operand { source: Source::Computed(found), ty: bool_type },
                &Operand { source: Source::Computed(equal), ty: bool_type },
                rows,
            ),
        });
    }
    found.unwrap_or_else(|| Column::words(vec![0; rows]))
}

/// The second where the condition is true, else the third.
pub(super) fn choose(
    condition: &Operand<'_>,
    yes: &Operand<'_>,
    no: &Operand<'_>,
    rows: usize,
) -> Column {
    // The cell of a null is 0, so a null condition is not true.
    let is_yes = map(condition.words(), rows, |c| c != 0);
    pick(&is_yes, yes, no)
}

/// The first where it is not null, else the second; a null of both says why as everywhere.
pub(super) fn coalesce(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    let is_first: Vec<bool> = match a.marks() {
        None => vec![true; rows],
        Some(m) => m.iter().map(|m| !m.is_null()).collect(),
    };
    let mut column = pick(&is_first, a, b);
    if let (Some(x), Some(y)) = (a.marks(), b.marks()) {
        let joined = |row: usize| match x[row].is_null() && y[row].is_null() {
            true => marks::join_marks(x[row], y[row]),
            false => Mark::OK,
        };
        column = Column::with_marks(column.data, Some((0..rows).map(joined).collect()));
    }
    column
}

/// Row by row the first or the second; both have one type.
fn pick(is_first: &[bool], a: &Operand<'_>, b: &Operand<'_>) -> Column {
    let rows = is_first.len();
    let data = match a.ty.physical() {
        Physical::Word => Data::Word(pick_cells(is_first, a.words(), b.words())),
        Physical::Float => Data::Float(pick_cells(is_first, a.floats(), b.floats())),
        Physical::Text => {
            let (x, y) = (a.texts(), b.texts());
            let mut texts = Texts::default();
            for (row, first) in is_first.iter().enumerate() {
                texts.push(if *first { x.get(row) } else { y.get(row) });
            }
            Data::Text(texts)
        }
        Physical::Nested => Data::Nested(
            (0..rows).map(|row| if is_first[row] { a.value(row) } else { b.value(row) }).collect(),
        ),
    };
    if a.marks().is_none() && b.marks().is_none() {
        return Column::with_marks(data, None);
    }
    let mark = |operand: &Operand<'_>, row: usize| {
        marks::settle(operand.marks().map_or(Mark::OK, |m| m[row]))
    };
    let marks = (0..rows).map(|row| mark(if is_first[row] { a } else { b }, row)).collect();
    Column::with_marks(data, Some(marks))
}

fn pick_cells<T: Copy>(is_first: &[bool], a: Cells<'_, T>, b: Cells<'_, T>) -> Vec<T> {
    let cell = |cells: Cells<'_, T>, row: usize| match cells {
        Cells::Many(cells) => cells[row],
        Cells::One(cell) => cell,
    };
    is_first.iter().enumerate().map(|(row, first)| cell(if *first { a } else { b }, row)).collect()
}

/// The operand itself, settled as any result.
pub(super) fn choose_always(a: &Operand<'_>, rows: usize) -> Column {
    pick(&vec![true; rows], a, a)
}
