//! From exact integers to the nearest f64, once.
//!
//! Sums are integers, so a mean is a ratio of integers and a standard deviation the root of one.
//! Each is computed exactly to more bits than an f64 holds, with a sticky bit for the rest, and
//! rounded once to nearest, ties to even. So results do not depend on the order of anything.

use ruint::Uint;
use ruint::aliases::U256;

pub(crate) type U512 = Uint<512, 8>;

/// Floats are summed as multiples of 2⁻³² within ±2⁶².
pub(crate) const FLOAT_UNIT_BITS: u32 = 32;
const FLOAT_MAX: f64 = 4_611_686_018_427_387_904.0;

/// `x` as a multiple of 2⁻³², rounded to nearest, ties to even; `None` outside ±2⁶².
pub(crate) fn float_to_fixed(x: f64) -> Option<i128> {
    if x.abs() > FLOAT_MAX {
        return None;
    }
    Some((x * 4_294_967_296.0).round_ties_even() as i128)
}

/// `numerator / denominator`, rounded once. The denominator is not zero.
pub(crate) fn quotient(numerator: i128, denominator: u128) -> f64 {
    const EXACT: u128 = 1 << 53;
    let magnitude = numerator.unsigned_abs();
    let size = if magnitude <= EXACT && denominator <= EXACT {
        // Both are exact in f64, and IEEE division rounds once.
        (magnitude as u64) as f64 / (denominator as u64) as f64
    } else {
        let (bits, exponent, sticky) = divide(U512::from(magnitude), U512::from(denominator), 56);
        round(bits, exponent, sticky)
    };
    if numerator < 0 { -size + 0.0 } else { size }
}

/// `numerator / denominator` of wide integers, rounded once.
pub(crate) fn ratio(numerator: U256, denominator: U256) -> f64 {
    let (bits, exponent, sticky) = divide(U512::from(numerator), U512::from(denominator), 56);
    round(bits, exponent, sticky)
}

/// `√(numerator / denominator)`, rounded once.
pub(crate) fn root(numerator: U256, denominator: U256) -> f64 {
    let (mut bits, mut exponent, mut sticky) =
        divide(U512::from(numerator), U512::from(denominator), 112);
    if exponent % 2 != 0 {
        // An even exponent halves exactly; 112 bits leave room for one more.
        bits <<= 1;
        exponent -= 1;
    }
    let root = bits.isqrt();
    sticky |= root * root != bits;
    round(root, exponent / 2, sticky)
}

/// `a / b` as `bits · 2^exponent` with about `want` significant bits, and whether anything is left.
fn divide(a: U512, b: U512, want: usize) -> (u128, i32, bool) {
    if a.is_zero() {
        return (0, 0, false);
    }
    let shift = want as i32 - (a.bit_len() as i32 - b.bit_len() as i32);
    let (a, b) = if shift >= 0 { (a << shift as usize, b) } else { (a, b << (-shift) as usize) };
    let (quotient, rest) = a.div_rem(b);
    (quotient.to::<u128>(), -shift, !rest.is_zero())
}

/// `bits · 2^exponent` to the nearest f64; `sticky` says that a little more follows.
fn round(bits: u128, exponent: i32, sticky: bool) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    let excess = (128 - bits.leading_zeros()) as i32 - 53;
    if excess <= 0 {
        return scale(bits as u64, exponent);
    }
    let kept = (bits >> excess) as u64;
    let rest = bits & ((1u128 << excess) - 1);
    let half = 1u128 << (excess - 1);
    let up = rest > half || (rest == half && (sticky || kept & 1 == 1));
    scale(kept + u64::from(up), exponent + excess)
}

/// `mantissa · 2^exponent`, exact: the mantissa has at most 54 bits and the result is normal.
fn scale(mantissa: u64, exponent: i32) -> f64 {
    let half = exponent / 2;
    let power = |e: i32| f64::from_bits(((1023 + i64::from(e)) as u64) << 52);
    mantissa as f64 * power(half) * power(exponent - half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rounding_is_to_nearest_even() {
        assert_eq!(quotient(1, 3), 1.0 / 3.0);
        assert_eq!(quotient(-10, 4), -2.5);
        assert_eq!(quotient((1 << 53) + 1, 1), 9_007_199_254_740_992.0);
        assert_eq!(quotient((1 << 53) + 3, 1), 9_007_199_254_740_996.0);
        assert_eq!(quotient((1 << 54) + 2, 2), 9_007_199_254_740_992.0);
        assert_eq!(quotient(0, 7), 0.0);
        assert_eq!(root(U256::from(2), U256::from(1)), 2f64.sqrt());
        assert_eq!(root(U256::from(1), U256::from(4)), 0.5);
        assert_eq!(root(U256::from(9), U256::from(1)), 3.0);
        assert_eq!(float_to_fixed(0.5), Some(1 << 31));
        assert_eq!(float_to_fixed(1e19), None);
    }

    proptest! {
        #[test]
        fn wide_and_narrow_paths_agree(a in 0u64..1 << 53, b in 1u64..1 << 53) {
            let wide = ratio(U256::from(a), U256::from(b));
            prop_assert_eq!(wide.to_bits(), quotient(i128::from(a), u128::from(b)).to_bits());
        }

        #[test]
        fn a_root_is_the_nearest(n in 1u64..1 << 52) {
            // f64 sqrt is correctly rounded, and n is exact.
            prop_assert_eq!(root(U256::from(n), U256::from(1)).to_bits(), (n as f64).sqrt().to_bits());
        }
    }
}
