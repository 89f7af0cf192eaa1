//! Exact arithmetic on `mantissa · 10^−scale`. An int is a decimal of scale 0, a duration one of
//! microseconds; so division has one meaning. Beyond 64 bits of mantissa is null, `overflow`.

use crate::{Column, State, Type};

use super::cells::{Operand, map_strict, zip_strict};

/// Digits after the point; 0 for everything that is not a decimal.
pub(super) fn scale(ty: &Type) -> u32 {
    match ty {
        Type::Decimal(scale) => u32::from(*scale).min(SCALE_MAX),
        Type::Bool
        | Type::Int
        | Type::Float
        | Type::String
        | Type::Timestamp
        | Type::Duration
        | Type::Key(_)
        | Type::List(_)
        | Type::Map(_, _) => 0,
    }
}

/// The most digits after the point that a 64-bit mantissa can hold.
const SCALE_MAX: u32 = 18;

/// The factors that bring both mantissas to the larger scale. At most `10^18` each, so a mantissa
/// times its factor is below `2^123`.
pub(super) fn factors(a: &Type, b: &Type) -> (i128, i128) {
    let (a, b) = (scale(a), scale(b));
    let top = a.max(b);
    (power_of_ten(top - a), power_of_ten(top - b))
}

pub(super) fn power_of_ten(digits: u32) -> i128 {
    10i128.pow(digits)
}

pub(super) fn narrow(x: i128) -> (i64, State) {
    match i64::try_from(x) {
        Ok(word) => (word, State::Ok),
        Err(_) => (0, State::Overflow),
    }
}

pub(super) fn add(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    let (up, down) = factors(a.ty, b.ty);
    if up == 1 && down == 1 {
        return super::int::add(a, b, rows);
    }
    zip_strict((a, b), (a.words(), b.words()), rows, |x: i64, y: i64| {
        narrow(i128::from(x) * up + i128::from(y) * down)
    })
}

pub(super) fn subtract(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    let (up, down) = factors(a.ty, b.ty);
    if up == 1 && down == 1 {
        return super::int::subtract(a, b, rows);
    }
    zip_strict((a, b), (a.words(), b.words()), rows, |x: i64, y: i64| {
        narrow(i128::from(x) * up - i128::from(y) * down)
    })
}

/// Scales add, so mantissas multiply as they are.
pub(super) fn multiply(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    super::int::multiply(a, b, rows)
}

/// The float nearest to the exact quotient.
pub(super) fn divide(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    let (up, down) = factors(a.ty, b.ty);
    zip_strict((a, b), (a.words(), b.words()), rows, |x: i64, y: i64| {
        if y == 0 {
            return (0.0, State::Empty);
        }
        if up == 1 && down == 1 && x.unsigned_abs() <= EXACT && y.unsigned_abs() <= EXACT {
            return (x as f64 / y as f64 + 0.0, State::Ok);
        }
        (quotient(i128::from(x) * up, i128::from(y) * down), State::Ok)
    })
}

/// With the sign of the dividend, at the larger scale.
pub(super) fn remainder(a: &Operand<'_>, b: &Operand<'_>, rows: usize) -> Column {
    let (up, down) = factors(a.ty, b.ty);
    zip_strict((a, b), (a.words(), b.words()), rows, |x: i64, y: i64| {
        if y == 0 {
            return (0, State::Empty);
        }
        narrow((i128::from(x) * up) % (i128::from(y) * down))
    })
}

pub(super) fn floor(a: &Operand<'_>, rows: usize) -> Column {
    whole(a, rows, |x, unit| x.div_euclid(unit))
}

pub(super) fn ceil(a: &Operand<'_>, rows: usize) -> Column {
    whole(a, rows, |x, unit| -(-x).div_euclid(unit))
}

pub(super) fn round(a: &Operand<'_>, rows: usize) -> Column {
    whole(a, rows, round_half_away)
}

/// To a whole number, by a rule given the mantissa and the mantissa of 1.
pub(super) fn whole(a: &Operand<'_>, rows: usize, rule: impl Fn(i128, i128) -> i128) -> Column {
    let unit = power_of_ten(scale(a.ty));
    map_strict(a, a.words(), rows, |x: i64| narrow(rule(i128::from(x), unit)))
}

/// `x / unit` to the nearest whole number, halves away from zero. `unit` is positive.
pub(super) fn round_half_away(x: i128, unit: i128) -> i128 {
    let (whole, rest) = (x / unit, x % unit);
    if rest.abs() * 2 >= unit { whole + x.signum() } else { whole }
}

/// Whole numbers up to here are doubles, so that their quotient is rounded once.
const EXACT: u64 = 1 << 53;

/// The double nearest to `a / b` (ties to even), never −0.0. `b` is not zero; both are below
/// `2^126` in magnitude, so that the result is a normal double.
pub fn quotient(a: i128, b: i128) -> f64 {
    let negative = (a < 0) != (b < 0);
    let (a, b) = (a.unsigned_abs(), b.unsigned_abs());
    if a == 0 || b == 0 {
        return 0.0;
    }
    // Shift the dividend so that the whole quotient has 64 or 65 bits: 53 are kept, and whether
    // anything is left below them decides the ties.
    let bits = |x: u128| 128 - x.leading_zeros().cast_signed();
    let shift = 65 - (bits(a) - bits(b));
    let (whole, rest) = shifted_quotient(a, b, shift);
    let extra = u32::try_from(bits(whole) - 53).unwrap_or(0);
    let kept = whole >> extra;
    let below = whole & ((1 << extra) - 1);
    let half = 1u128 << (extra - 1);
    let up = below > half || (below == half && (rest || kept & 1 == 1));
    let mantissa = (kept + u128::from(up)) as f64;
    let x = libm::ldexp(mantissa, extra.cast_signed() - shift);
    if negative { -x } else { x }
}

/// `⌊a · 2^shift / b⌋` and whether there is a rest. The result has at most 66 bits.
fn shifted_quotient(a: u128, b: u128, shift: i32) -> (u128, bool) {
    if shift < 0 {
        let b = b << shift.unsigned_abs();
        return (a / b, !a.is_multiple_of(b));
    }
    let (mut whole, mut rest) = (a / b, a % b);
    for _ in 0..shift {
        // `rest < b < 2^127`, so doubling it stays in range.
        rest <<= 1;
        whole <<= 1;
        if rest >= b {
            rest -= b;
            whole |= 1;
        }
    }
    (whole, rest != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_rounded_once() {
        assert_eq!(quotient(1, 3), 1.0 / 3.0);
        assert_eq!(quotient(-1, 3), -1.0 / 3.0);
        assert_eq!(quotient(0, -3), 0.0);
        assert!(quotient(0, -3).is_sign_positive());
        // 2^53 + 1 is a tie, which goes to the even neighbour; with a sticky bit it goes up.
        assert_eq!(quotient((1 << 53) + 1, 1), 9_007_199_254_740_992.0);
        assert_eq!(quotient(((1 << 53) + 1) * 1_000 + 1, 1_000), 9_007_199_254_740_994.0);
        assert_eq!(quotient(i128::from(i64::MAX) * 10i128.pow(18), 1), 9.223372036854776e36);
        assert_eq!(quotient(1, i128::from(i64::MAX) * 10i128.pow(18)), 1.0842021724855045e-37);
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        assert_eq!(round_half_away(150, 100), 2);
        assert_eq!(round_half_away(-150, 100), -2);
        assert_eq!(round_half_away(149, 100), 1);
        assert_eq!(round_half_away(-149, 100), -1);
        assert_eq!(round_half_away(7, 1), 7);
    }
}
