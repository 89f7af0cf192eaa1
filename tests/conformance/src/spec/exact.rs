//! Exact rationals and their roots, rounded to the nearest f64 once, ties to even.
//!
//! The one inexact step is turning a 62-bit integer, whose last bit says whether anything was cut
//! off below it, into an f64: that conversion rounds to nearest, and so does the whole.

use num_bigint::{BigInt, BigUint, Sign};

/// Significant bits that are computed exactly, well above the 53 of an f64.
const BITS: i64 = 61;

/// `numerator / denominator`, rounded once. The denominator is not zero.
pub fn ratio(numerator: &BigInt, denominator: &BigUint) -> f64 {
    let (sign, magnitude) = (numerator.sign(), numerator.magnitude());
    let shift = BITS - (bit_len(magnitude) - bit_len(denominator));
    let (quotient, inexact) = divide(magnitude, denominator, shift);
    let size = nearest(&quotient, inexact, -shift);
    if sign == Sign::Minus { -size } else { size }
}

/// `√(numerator / denominator)`, rounded once. The denominator is not zero.
pub fn root(numerator: &BigUint, denominator: &BigUint) -> f64 {
    let wanted = 2 * BITS - (bit_len(numerator) - bit_len(denominator));
    // An even shift, so that its root is a whole power of two.
    let shift = wanted + wanted.rem_euclid(2);
    let (quotient, inexact) = divide(numerator, denominator, shift);
    let root = quotient.sqrt();
    let cut = inexact || &root * &root != quotient;
    nearest(&root, cut, -shift / 2)
}

/// `⌊a · 2^shift / b⌋`, and whether something was cut off.
fn divide(a: &BigUint, b: &BigUint, shift: i64) -> (BigUint, bool) {
    let (a, b) = if shift >= 0 { (a << shift, b.clone()) } else { (a.clone(), b << -shift) };
    let quotient = &a / &b;
    let inexact = &quotient * &b != a;
    (quotient, inexact)
}

/// `bits · 2^exponent` and a little more when `inexact`. `bits` is 0 or has 61 to 63 bits, so the
/// last of them is far below the one that decides the rounding.
fn nearest(bits: &BigUint, inexact: bool, exponent: i64) -> f64 {
    let word = bits.iter_u64_digits().next().unwrap_or(0) | u64::from(inexact);
    let power = i32::try_from(exponent).expect("exponents of sums are small");
    // Two exact steps: each factor is a power of two in the normal range.
    word as f64 * 2f64.powi(power / 2) * 2f64.powi(power - power / 2)
}

fn bit_len(n: &BigUint) -> i64 {
    i64::try_from(n.bits()).expect("a sum has few bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(a: i64, b: u64) -> f64 {
        ratio(&BigInt::from(a), &BigUint::from(b))
    }

    #[test]
    fn ratios_round_to_nearest_even() {
        assert_eq!(of(0, 7), 0.0);
        assert_eq!(of(1, 3), 1.0 / 3.0);
        assert_eq!(of(-10, 4), -2.5);
        // 2^53 + 1 lies halfway between two floats: the even one is below, and for 2^53 + 3 above.
        assert_eq!(of((1 << 53) + 1, 1), 9_007_199_254_740_992.0);
        assert_eq!(of((1 << 53) + 3, 1), 9_007_199_254_740_996.0);
        // A hair above the halfway point goes up: (2^54 + 2) / 2 is it, (3 · (2^53 + 1) + 1) / 3 above.
        assert_eq!(of((1 << 54) + 2, 2), 9_007_199_254_740_992.0);
        assert_eq!(of(3 * ((1 << 53) + 1) + 1, 3), 9_007_199_254_740_994.0);
    }

    #[test]
    fn roots_round_to_nearest() {
        let of = |a: u64, b: u64| root(&BigUint::from(a), &BigUint::from(b));
        assert_eq!(of(0, 1), 0.0);
        assert_eq!(of(9, 1), 3.0);
        assert_eq!(of(1, 4), 0.5);
        assert_eq!(of(2, 1), std::f64::consts::SQRT_2);
        // The processor's root of an exact integer is correctly rounded.
        let mut n = 12_345_678_901u64;
        for _ in 0..1_000 {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let small = n >> 12;
            assert_eq!(of(small, 1), (small as f64).sqrt(), "{small}");
        }
    }
}
