//! 64-bit arithmetic on ints, timestamps and durations. Beyond the range is null, `overflow`.

use crate::{Column, State};

use super::cells::{Operand, map_strict, zip_strict};

pub(super) fn add(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    zip_strict((a, b), (a.words(), b.words()), rows, |x: i64, y| checked(x.overflowing_add(y)))
}

pub(super) fn subtract(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    zip_strict((a, b), (a.words(), b.words()), rows, |x: i64, y| checked(x.overflowing_sub(y)))
}

pub(super) fn multiply(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    zip_strict((a, b), (a.words(), b.words()), rows, |x: i64, y| checked(x.overflowing_mul(y)))
}

pub(super) fn negate(a: &Operand<'_>, rows: usize) -> Column {
    map_strict(a, a.words(), rows, |x: i64| checked(x.overflowing_neg()))
}

pub(super) fn abs(a: &Operand<'_>, rows: usize) -> Column {
    map_strict(a, a.words(), rows, |x: i64| checked(x.overflowing_abs()))
}

pub(super) fn checked((word, overflows): (i64, bool)) -> (i64, State) {
    (word, if overflows { State::Overflow } else { State::Ok })
}
