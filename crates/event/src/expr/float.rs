//! IEEE 754 doubles, with the transcendental functions of `libm`, so that bits agree on every
//! machine. A result is finite and never −0.0: beyond the range is null with `overflow`, a result
//! that is not defined (division by zero, the root of a negative) is null with `empty`.

use crate::{Column, State};

use super::cells::{Operand, map_strict, zip_strict};

pub(super) fn map(a: &Operand<'_>, rows: usize, f: impl Fn(f64) -> f64) -> Column {
    map_strict(a, a.floats(), rows, |x| settle(f(x)))
}

pub(super) fn zip(
    a: &Operand<'_>,
    b: &Operand<'_>,
    rows: usize,
    f: impl Fn(f64, f64) -> f64,
) -> Column {
    zip_strict((a, b), (a.floats(), b.floats()), rows, |x, y| settle(f(x, y)))
}

pub(super) fn divide(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    zip_strict((a, b), (a.floats(), b.floats()), rows, |x: f64, y: f64| {
        if y == 0.0 { (0.0, State::Empty) } else { settle(x / y) }
    })
}

pub(super) fn remainder(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    zip_strict((a, b), (a.floats(), b.floats()), rows, |x: f64, y: f64| {
        if y == 0.0 { (0.0, State::Empty) } else { settle(libm::fmod(x, y)) }
    })
}

pub(super) fn sqrt(a: &Operand<'_>, rows: usize) -> Column {
    map_strict(
        a,
        a.floats(),
        rows,
        |x: f64| {
            if x < 0.0 { (0.0, State::Empty) } else { settle(x.sqrt()) }
        },
    )
}

pub(super) fn ln(a: &Operand<'_>, rows: usize) -> Column {
    map_strict(a, a.floats(), rows, |x: f64| {
        if x <= 0.0 { (0.0, State::Empty) } else { settle(libm::log(x)) }
    })
}

/// Finite and without a negative zero, or beyond the range.
pub(super) fn settle(x: f64) -> (f64, State) {
    if x.is_finite() { (x + 0.0, State::Ok) } else { (0.0, State::Overflow) }
}
