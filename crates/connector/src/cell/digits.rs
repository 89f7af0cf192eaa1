//! Numbers as digits: the other direction of [`super::number`].
//!
//! Numbers of up to eight digits, which are most, become text in one word: the digits are split in
//! halves three times, all at once, and the zeros before the first are shifted out. So a number's
//! length costs no branch.

/// Bytes of the longest number: a sign, 19 digits, a point, and a digit to spare.
pub(crate) const ROOM: usize = 24;

/// Below this a number is one word of digits.
const SMALL: u64 = 100_000_000;

/// "00" to "99".
pub(crate) const PAIRS: [[u8; 2]; 100] = {
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
    let mut room = [0; ROOM];
    let length = put_int(&mut room, n);
    append(out, &room, length);
}

/// `mantissa · 10^−scale`, with exactly `scale` digits after the point; at most 18.
#[inline]
pub(crate) fn write_decimal(out: &mut Vec<u8>, mantissa: i64, scale: u8) {
    let mut room = [0; ROOM];
    let length = put_decimal(&mut room, mantissa, scale);
    append(out, &room, length);
}

/// As [`write_int`], into the start of `room`; returns the length. What lies behind it is changed.
#[inline(always)]
pub(crate) fn put_int(room: &mut [u8; ROOM], n: i64) -> usize {
    let digits = n.unsigned_abs();
    if n >= 0 && digits < SMALL {
        return put_small(room, digits);
    }
    put_any_int(room, n)
}

#[cold]
fn put_any_int(room: &mut [u8; ROOM], n: i64) -> usize {
    let digits = n.unsigned_abs();
    let minus = usize::from(n < 0);
    room[0] = b'-';
    let end = minus + digit_count(digits);
    put_digits(&mut room[minus..end], digits);
    end
}

/// As [`write_decimal`], into the start of `room`; returns the length. What lies behind it is
/// changed.
#[inline(always)]
pub(crate) fn put_decimal(room: &mut [u8; ROOM], mantissa: i64, scale: u8) -> usize {
    let digits = mantissa.unsigned_abs();
    if scale == 2 && mantissa >= 0 && digits < SMALL * 100 {
        let point = put_small(room, digits / 100);
        room[point] = b'.';
        room[point + 1..point + 3].copy_from_slice(&PAIRS[(digits % 100) as usize]);
        return point + 3;
    }
    put_any_decimal(room, mantissa, scale)
}

#[cold]
fn put_any_decimal(room: &mut [u8; ROOM], mantissa: i64, scale: u8) -> usize {
    let digits = mantissa.unsigned_abs();
    if scale == 0 {
        return put_int(room, mantissa);
    }
    let minus = usize::from(mantissa < 0);
    room[0] = b'-';
    let scale = usize::from(scale.min(18));
    let count = digit_count(digits).max(scale + 1);
    let point = minus + count - scale;
    let unit = POWERS[scale];
    put_digits(&mut room[minus..point], digits / unit);
    room[point] = b'.';
    put_digits(&mut room[point + 1..=point + scale], digits % unit);
    minus + count + 1
}

/// A number below [`SMALL`].
#[inline(always)]
fn put_small(room: &mut [u8; ROOM], n: u64) -> usize {
    let word = eight_digits(n);
    let zeros = (word.trailing_zeros() / 8).min(7);
    let text = (word | 0x3030_3030_3030_3030) >> (8 * zeros);
    room[..8].copy_from_slice(&text.to_le_bytes());
    8 - zeros as usize
}

/// The eight decimal digits of a number below [`SMALL`], the first in the lowest byte.
#[inline]
fn eight_digits(n: u64) -> u64 {
    // Each step divides every part by a power of ten, as a multiplication that is exact for parts
    // of that size, and puts the rest into the upper half of the part.
    let fours = (n / 10_000) | ((n % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((twos - tens * 10) << 8)
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

    #[test]
    fn every_number_of_up_to_four_digits_is_written() {
        for n in 0..10_000 {
            assert_eq!(int(n), n.to_string());
            assert_eq!(int(n * 10_000), (n * 10_000).to_string());
            assert_eq!(decimal(n, 2), format!("{}.{:02}", n / 100, n % 100));
        }
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
