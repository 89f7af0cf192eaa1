//! Conversions between bool, int, decimal and float. Towards fewer digits: to int by cutting, to a
//! decimal by rounding halves away from zero. What does not fit is null with `overflow`.

use crate::{Column, State, Type};

use super::cells::{Operand, map_strict};
use super::decimal::{narrow, power_of_ten, quotient, round_half_away, scale, whole};

/// From the operand's type to `ty`.
pub(super) fn convert(a: &Operand<'_>, ty: &Type, rows: usize) -> Column {
    let from_float = *a.ty == Type::Float;
    match ty {
        Type::Float if from_float => map_strict(a, a.floats(), rows, |x: f64| (x, State::Ok)),
        Type::Float => {
            let unit = power_of_ten(scale(a.ty));
            if unit == 1 {
                return map_strict(a, a.words(), rows, |x: i64| (x as f64, State::Ok));
            }
            map_strict(a, a.words(), rows, |x: i64| (quotient(i128::from(x), unit), State::Ok))
        }
        Type::Int if from_float => map_strict(a, a.floats(), rows, float_to_int),
        Type::Int => whole(a, rows, |x, unit| x / unit),
        Type::Decimal(_) => {
            let to = scale(ty);
            if from_float {
                return map_strict(a, a.floats(), rows, |x: f64| float_to_decimal(x, to));
            }
            rescale(a, to, rows)
        }
        // The same cells under another name, such as an entity's key as a string.
        Type::Bool
        | Type::String
        | Type::Timestamp
        | Type::Duration
        | Type::Key(_)
        | Type::List(_)
        | Type::Map(_, _) => super::logic::choose_always(a, rows),
    }
}

fn rescale(a: &Operand<'_>, to: u32, rows: usize) -> Column {
    let from = scale(a.ty);
    if to >= from {
        let up = power_of_ten(to - from);
        return map_strict(a, a.words(), rows, |x: i64| narrow(i128::from(x) * up));
    }
    let unit = power_of_ten(from - to);
    map_strict(a, a.words(), rows, |x: i64| narrow(round_half_away(i128::from(x), unit)))
}

fn float_to_int(x: f64) -> (i64, State) {
    // Both bounds are doubles; 2^63 itself is out of range.
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if (-BOUND..BOUND).contains(&x) { (x as i64, State::Ok) } else { (0, State::Overflow) }
}

/// The exact value of the float to the nearest multiple of `10^−digits`.
fn float_to_decimal(x: f64, digits: u32) -> (i64, State) {
    let bits = x.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).unwrap_or(0);
    let fraction = i128::from(bits & ((1 << 52) - 1));
    // x = ±mantissa · 2^power, with a mantissa below 2^53.
    let (mantissa, power) = match exponent {
        0 => (fraction, -1074),
        _ => (fraction | (1 << 52), exponent - 1075),
    };
    // Below 2^53 · 10^18 < 2^113.
    let scaled = mantissa * power_of_ten(digits);
    let magnitude = match power {
        _ if scaled == 0 => 0,
        // Beyond 64 bits already: the mantissa is at least 2^52.
        12.. => return (0, State::Overflow),
        0..12 => scaled << power.unsigned_abs(),
        -120..0 => round_half_away(scaled, 1 << power.unsigned_abs()),
        ..-120 => 0,
    };
    narrow(if x < 0.0 { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_becomes_the_nearest_decimal_of_its_exact_value() {
        assert_eq!(float_to_decimal(1.005, 2), (100, State::Ok), "1.005 is a little below");
        assert_eq!(float_to_decimal(1.125, 2), (113, State::Ok));
        assert_eq!(float_to_decimal(-1.125, 2), (-113, State::Ok));
        assert_eq!(float_to_decimal(5e-324, 18), (0, State::Ok));
        assert_eq!(float_to_decimal(0.0, 18), (0, State::Ok));
        assert_eq!(float_to_decimal(9.3, 18), (0, State::Overflow));
        assert_eq!(float_to_decimal(1e300, 0), (0, State::Overflow));
        assert_eq!(float_to_decimal(4_503_599_627_370_496.0, 0), (1 << 52, State::Ok));
    }

    #[test]
    fn a_float_beyond_64_bits_is_no_int() {
        assert_eq!(float_to_int(9_223_372_036_854_775_808.0).1, State::Overflow);
        assert_eq!(float_to_int(-9_223_372_036_854_775_808.0), (i64::MIN, State::Ok));
        assert_eq!(float_to_int(-1.9), (-1, State::Ok));
    }
}
