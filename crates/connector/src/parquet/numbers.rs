//! Numbers of one kind as numbers of another, where they are the same number.

use crate::cell::number::{NumberFault, decimal_of_float, float, power_of_ten};
use crate::cell::time::is_like_seconds;
use crate::fields::Kind;

/// What a number makes in a column of a kind.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Exact {
    Word(i64),
    Float(f64),
    Fault(NumberFault),
    /// No number of its sort makes a cell of this kind.
    Never,
}

/// Ints and floats agree up to here.
const FLOAT_EXACT: i128 = 1 << 53;

impl Exact {
    pub fn word(word: i128) -> Exact {
        i64::try_from(word).map_or(Exact::Fault(NumberFault::OutOfRange), Exact::Word)
    }

    /// `v · unit`.
    pub fn scaled(v: i64, unit: i64) -> Exact {
        v.checked_mul(unit).map_or(Exact::Fault(NumberFault::OutOfRange), Exact::Word)
    }

    fn of(result: Result<i64, NumberFault>) -> Exact {
        result.map_or_else(Exact::Fault, Exact::Word)
    }
}

/// An int; times and durations are milliseconds, as everywhere. `v` is in the range of `i64` and
/// `u64`.
pub(super) fn int_to_exact(v: i128, kind: Kind) -> Exact {
    match kind {
        Kind::Int => Exact::word(v),
        Kind::Decimal(scale) => Exact::word(v * i128::from(power_of_ten(scale))),
        Kind::Time if i64::try_from(v).is_ok_and(is_like_seconds) => {
            Exact::Fault(NumberFault::LikeSeconds)
        }
        Kind::Time | Kind::Duration => Exact::word(v * 1_000),
        Kind::Float if v.abs() <= FLOAT_EXACT => Exact::Float(v as f64),
        Kind::Float => Exact::Fault(NumberFault::OutOfRange),
        Kind::Bool | Kind::Text | Kind::Nested => Exact::Never,
    }
}

/// A float; as an int it must be whole, as a decimal it must be the float nearest to it.
pub(super) fn float_to_exact(x: f64, kind: Kind) -> Exact {
    match kind {
        Kind::Float if x.is_finite() => Exact::Float(x + 0.0),
        Kind::Float => Exact::Fault(NumberFault::OutOfRange),
        Kind::Int => Exact::of(decimal_of_float(x, 0)),
        Kind::Decimal(scale) => Exact::of(decimal_of_float(x, scale)),
        Kind::Bool | Kind::Text | Kind::Time | Kind::Duration | Kind::Nested => Exact::Never,
    }
}

/// `mantissa · 10^−scale`; as a float it is rounded once, to the nearest.
pub(super) fn decimal_to_exact(mantissa: i128, scale: i8, kind: Kind) -> Exact {
    match kind {
        Kind::Int => rescale(mantissa, scale, 0),
        Kind::Decimal(to) => rescale(mantissa, scale, to),
        Kind::Float => match float(format!("{mantissa}e{}", -i16::from(scale)).as_bytes()) {
            Ok(x) => Exact::Float(x),
            Err(fault) => Exact::Fault(fault),
        },
        Kind::Bool | Kind::Text | Kind::Time | Kind::Duration | Kind::Nested => Exact::Never,
    }
}

fn rescale(mantissa: i128, from: i8, to: u8) -> Exact {
    if mantissa == 0 {
        return Exact::Word(0);
    }
    let shift = i32::from(to) - i32::from(from);
    let Some(unit) = 10i128.checked_pow(shift.unsigned_abs()) else {
        let fault = if shift < 0 { NumberFault::TooPrecise } else { NumberFault::OutOfRange };
        return Exact::Fault(fault);
    };
    if shift >= 0 {
        mantissa.checked_mul(unit).map_or(Exact::Fault(NumberFault::OutOfRange), Exact::word)
    } else if mantissa % unit == 0 {
        Exact::word(mantissa / unit)
    } else {
        Exact::Fault(NumberFault::TooPrecise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_number_is_taken() {
        let too_precise = Exact::Fault(NumberFault::TooPrecise);
        let out_of_range = Exact::Fault(NumberFault::OutOfRange);
        let cases = [
            (int_to_exact(i128::from(u64::MAX), Kind::Int), out_of_range),
            (int_to_exact(5, Kind::Decimal(2)), Exact::Word(500)),
            (int_to_exact(5, Kind::Time), Exact::Word(5_000)),
            (int_to_exact(1 << 53, Kind::Float), Exact::Float(9_007_199_254_740_992.0)),
            (int_to_exact((1 << 53) + 1, Kind::Float), out_of_range),
            (int_to_exact(1, Kind::Bool), Exact::Never),
            (float_to_exact(3.0, Kind::Int), Exact::Word(3)),
            (float_to_exact(3.5, Kind::Int), too_precise),
            (float_to_exact(f64::NAN, Kind::Float), out_of_range),
            (float_to_exact(12.34, Kind::Decimal(2)), Exact::Word(1_234)),
            (float_to_exact(12.345, Kind::Decimal(2)), too_precise),
            (float_to_exact(f64::from(0.1f32), Kind::Decimal(2)), too_precise),
            (float_to_exact(1.0, Kind::Time), Exact::Never),
            (decimal_to_exact(12_340, 3, Kind::Decimal(2)), Exact::Word(1_234)),
            (decimal_to_exact(12_345, 3, Kind::Decimal(2)), too_precise),
            (decimal_to_exact(12, -2, Kind::Int), Exact::Word(1_200)),
            (decimal_to_exact(1, -128, Kind::Int), out_of_range),
            (decimal_to_exact(0, 127, Kind::Int), Exact::Word(0)),
            (decimal_to_exact(1, 2, Kind::Float), Exact::Float(0.01)),
        ];
        for (i, (got, expected)) in cases.into_iter().enumerate() {
            assert_eq!(got, expected, "case {i}");
        }
    }
}
