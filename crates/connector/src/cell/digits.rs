//! Numbers as digits: the other direction of [`super::number`].
//!
//! Digits are put into a small array and copied from it at a fixed size, which is one move of the
//! processor and no call; the bytes beyond the number are cut off again.

/// Bytes of the longest number: a sign, 19 digits, a point, and a digit to spare.
const ROOM: usize = 24;

/// "00" to "99".
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut i = 0;
    while i < pairs.len() {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
};

const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

#[inline]
pub(crate) fn write_int(out: &mut Vec<u8>, n: i64) {
    let minus = usize::from(n < 0);
    let mut room = [b'-'; ROOM];
    let end = minus + digit_count(n.unsigned_abs());
    put_digits(&mut room[minus..end], n.unsigned_abs());
    append(out, &room, end);
}

/// `mantissa · 10^−scale`, with exactly `scale` digits after the point; at most 18.
#[inline]
pub(crate) fn write_decimal(out: &mut Vec<u8>, mantissa: i64, scale: u8) {
    if scale == 0 {
        return write_int(out, mantissa);
    }
    let minus = usize::from(mantissa < 0);
    let digits = mantissa.unsigned_abs();
    let scale = usize::from(scale.min(18));
    let count = digit_count(digits).max(scale + 1);
    let mut room = [b'-'; ROOM];
    let point = minus + count - scale;
    let unit = POWERS[scale];
    put_digits(&mut room[minus..point], digits / unit);
    room[point] = b'.';
    put_digits(&mut room[point + 1..=point + scale], digits % unit);
    append(out, &room, minus + count + 1);
}

#[inline]
fn append(out: &mut Vec<u8>, room: &[u8; ROOM], length: usize) {
    let start = out.len();
    out.extend_from_slice(room);
    out.truncate(start + length);
}

/// At least 1.
#[inline]
fn digit_count(n: u64) -> usize {
    // 1233 / 4096 is the logarithm of 2 to the base of 10, near enough for 64 bits.
    let n = n.max(1);
    let bits = 64 - n.leading_zeros() as usize;
    let guess = (bits * 1233) >> 12;
    guess + usize::from(n >= POWERS[guess])
}

/// Fills `to` with the last digits of `n`, with zeros before them.
#[inline]
fn put_digits(to: &mut [u8], mut n: u64) {
    let mut pairs = to.rchunks_exact_mut(2);
    for pair in &mut pairs {
        pair.copy_from_slice(&PAIRS[(n % 100) as usize]);
        n /= 100;
    }
    if let [first] = pairs.into_remainder() {
        *first = b'0' + (n % 10) as u8;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn int(n: i64) -> String {
        let mut out = Vec::new();
        write_int(&mut out, n);
        String::from_utf8(out).unwrap()
    }

    fn decimal(mantissa: i64, scale: u8) -> String {
        let mut out = Vec::new();
        write_decimal(&mut out, mantissa, scale);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_count_of_digits_is_written() {
        for power in 0..19 {
            let n = 10i64.pow(power);
            for n in [n - 1, n, n + 1, -n] {
                assert_eq!(int(n), n.to_string());
            }
        }
        assert_eq!(int(i64::MIN), i64::MIN.to_string());
        assert_eq!(int(i64::MAX), i64::MAX.to_string());
    }

    #[test]
    fn decimals_have_exactly_their_digits() {
        assert_eq!(decimal(500, 2), "5.00");
        assert_eq!(decimal(-7, 3), "-0.007");
        assert_eq!(decimal(0, 1), "0.0");
        assert_eq!(decimal(i64::MIN, 18), "-9.223372036854775808");
        assert_eq!(decimal(i64::MAX, 1), "922337203685477580.7");
    }

    proptest! {
        #[test]
        fn ints_agree_with_the_standard_library(n: i64, shift in 0u32..64) {
            prop_assert_eq!(int(n >> shift), (n >> shift).to_string());
        }

        #[test]
        fn decimals_are_read_back(n: i64, shift in 0u32..64, scale in 0u8..=18) {
            let text = decimal(n >> shift, scale);
            prop_assert_eq!(crate::cell::number::decimal(text.as_bytes(), scale), Ok(n >> shift));
        }
    }
}
