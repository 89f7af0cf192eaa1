//! Numbers from digits, exactly: a decimal never passes through a float.

/// Why digits are not a number of the asked kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NumberFault {
    NotANumber,
    /// More digits after the point than the scale keeps.
    TooPrecise,
    OutOfRange,
    /// Of a time: in milliseconds a moment soon after 1970, in seconds one of our days.
    LikeSeconds,
}

/// The most decimal digits that always fit an `i64`.
const SAFE_DIGITS: usize = 18;

const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// 10^`exponent`, for exponents up to 18.
pub(crate) fn power_of_ten(exponent: u8) -> i64 {
    POWERS[usize::from(exponent.min(18))]
}

/// The value and the count of the decimal digits at the start of `bytes`. The value is right for
/// up to 18 digits; beyond that only the count is.
///
/// Eight bytes are looked at in one word: the first byte that is no digit is found with one
/// addition, and the digits before it are summed in three multiplications (a tree: pairs, fours,
/// eights), so a field's length costs no branch of its own.
#[inline(always)]
pub(crate) fn leading_digits(bytes: &[u8]) -> (u64, usize) {
    match bytes.first_chunk::<8>() {
        Some(chunk) => match chunk_digits(*chunk) {
            (value, 8) => more_digits(bytes, value, 8),
            short => short,
        },
        None => more_digits(bytes, 0, 0),
    }
}

/// The digits at the start of eight bytes.
#[inline]
fn chunk_digits(chunk: [u8; 8]) -> (u64, usize) {
    let word = u64::from_le_bytes(chunk) ^ 0x3030_3030_3030_3030;
    let beyond = (word.wrapping_add(0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080;
    if beyond == 0 {
        return (eight_digits(word), 8);
    }
    let found = beyond.trailing_zeros() / 8;
    // In two steps, since a shift by all 64 bits is none.
    (eight_digits((word << (56 - 8 * found)) << 8), found as usize)
}

/// The digits from `count` on, whose value so far is `value`.
fn more_digits(bytes: &[u8], mut value: u64, mut count: usize) -> (u64, usize) {
    while let Some(chunk) = bytes.get(count..).and_then(<[u8]>::first_chunk::<8>) {
        let (part, found) = chunk_digits(*chunk);
        value = value.wrapping_mul(POWERS[found] as u64).wrapping_add(part);
        count += found;
        if found < 8 {
            return (value, count);
        }
    }
    for byte in &bytes[count..] {
        if !byte.is_ascii_digit() {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        count += 1;
    }
    (value, count)
}

/// The number that eight digit values make, the first one in the lowest byte.
#[inline]
fn eight_digits(word: u64) -> u64 {
    let pairs = word.wrapping_mul(10).wrapping_add(word >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff
}

/// A plain decimal at the start of `bytes`, `-12.34`, as a mantissa of this scale and the count of
/// bytes it takes; `None` where it is not plain (an exponent, very many digits) or not exact, which
/// [`decimal`] settles.
#[inline]
pub(crate) fn leading_decimal(bytes: &[u8], scale: u8) -> Option<(i64, usize)> {
    let minus = usize::from(bytes.first() == Some(&b'-'));
    let (whole, digits) = leading_digits(&bytes[minus..]);
    if digits == 0 || digits + usize::from(scale) > SAFE_DIGITS {
        return None;
    }
    let mut at = minus + digits;
    let mut mantissa = whole as i64 * power_of_ten(scale);
    if bytes.get(at) == Some(&b'.') {
        let (fraction, kept) = leading_digits(&bytes[at + 1..]);
        if kept == 0 || kept > usize::from(scale) {
            return None;
        }
        mantissa += fraction as i64 * POWERS[usize::from(scale) - kept];
        at += 1 + kept;
    }
    Some((if minus == 1 { -mantissa } else { mantissa }, at))
}

/// An integer at the start of `bytes` and the count of bytes it takes; `None` where there is none
/// or it has very many digits.
#[inline(always)]
pub(crate) fn leading_int(bytes: &[u8]) -> Option<(i64, usize)> {
    let minus = usize::from(bytes.first() == Some(&b'-'));
    let (whole, digits) = leading_digits(&bytes[minus..]);
    if digits == 0 || digits > SAFE_DIGITS {
        return None;
    }
    let value = whole as i64;
    Some((if minus == 1 { -value } else { value }, minus + digits))
}

/// All of `text` as a mantissa of this scale: digits with an optional point and exponent, exact.
/// Trailing zeros do not count as precision.
pub(crate) fn decimal(text: &[u8], scale: u8) -> Result<i64, NumberFault> {
    match leading_decimal(text, scale) {
        Some((mantissa, length)) if length == text.len() => Ok(mantissa),
        Some(_) | None => any_decimal(text, scale),
    }
}

fn any_decimal(text: &[u8], scale: u8) -> Result<i64, NumberFault> {
    let (negative, text) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some(_) | None => (false, text),
    };
    let (digits, exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&text[..at], exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let (whole, fraction) = match digits.iter().position(|b| *b == b'.') {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &digits[..0]),
    };
    let all = || whole.iter().chain(fraction);
    if whole.is_empty() && fraction.is_empty() || !all().all(u8::is_ascii_digit) {
        return Err(NumberFault::NotANumber);
    }
    let Some(first) = all().position(|b| *b != b'0') else { return Ok(0) };
    let zeros = all().rev().take_while(|b| **b == b'0').count();
    let significant = whole.len() + fraction.len() - first - zeros;
    let shift = exponent
        .saturating_sub(fraction.len() as i64)
        .saturating_add(zeros as i64)
        .saturating_add(i64::from(scale));
    if shift < 0 {
        return Err(NumberFault::TooPrecise);
    }
    // 19 digits and 19 more places stay below 10^38, which a u128 holds.
    if significant > 19 || shift > 19 {
        return Err(NumberFault::OutOfRange);
    }
    let value = all()
        .skip(first)
        .take(significant)
        .fold(0u128, |value, digit| value * 10 + u128::from(digit - b'0'))
        * 10u128.pow(u32::try_from(shift).map_err(|_| NumberFault::OutOfRange)?);
    signed(negative, value)
}

fn signed(negative: bool, value: u128) -> Result<i64, NumberFault> {
    let value = i128::try_from(value).map_err(|_| NumberFault::OutOfRange)?;
    i64::try_from(if negative { -value } else { value }).map_err(|_| NumberFault::OutOfRange)
}

/// An exponent; one beyond any use is as good as infinite.
fn exponent(text: &[u8]) -> Result<i64, NumberFault> {
    const ENDLESS: i64 = 1 << 40;
    let (sign, digits) = match text.split_first() {
        Some((b'-', rest)) => (-1, rest),
        Some((b'+', rest)) => (1, rest),
        Some(_) | None => (1, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NumberFault::NotANumber);
    }
    let value = digits.iter().fold(0i64, |value, digit| {
        value.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(ENDLESS)
    });
    Ok(sign * value)
}

/// All of `text` as a finite float, rounded once to the nearest; −0.0 becomes 0.0.
pub(crate) fn float(text: &[u8]) -> Result<f64, NumberFault> {
    let digits = text.iter().any(u8::is_ascii_digit);
    let plain = |b: &u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
    if !digits || !text.iter().all(plain) || text.first() == Some(&b'+') {
        return Err(NumberFault::NotANumber);
    }
    let text = std::str::from_utf8(text).map_err(|_| NumberFault::NotANumber)?;
    let x: f64 = text.parse().map_err(|_| NumberFault::NotANumber)?;
    if x.is_finite() { Ok(x + 0.0) } else { Err(NumberFault::OutOfRange) }
}

/// The mantissa at this scale whose nearest float is `x`: the decimal that the float stands for.
///
/// A float is taken only where it "rounds exactly back": 10^scale and the mantissa (up to 2^53)
/// are exact floats, so one division gives the float nearest to the decimal, and that must be `x`.
pub(crate) fn decimal_of_float(x: f64, scale: u8) -> Result<i64, NumberFault> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let unit = power_of_ten(scale) as f64;
    let mantissa = (x * unit).round();
    if !x.is_finite() || mantissa.abs() > EXACT {
        return Err(NumberFault::OutOfRange);
    }
    if mantissa / unit == x { Ok(mantissa as i64) } else { Err(NumberFault::TooPrecise) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        let cases: [(&str, u8, Result<i64, NumberFault>); 24] = [
            ("12.34", 2, Ok(1234)),
            ("-12.3", 2, Ok(-1230)),
            ("12", 2, Ok(1200)),
            ("-0.01", 2, Ok(-1)),
            ("12.3400", 2, Ok(1234)),
            ("12.345", 2, Err(NumberFault::TooPrecise)),
            ("1e2", 2, Ok(10_000)),
            ("1.5E-1", 2, Ok(15)),
            ("15e-3", 2, Err(NumberFault::TooPrecise)),
            (".5", 1, Ok(5)),
            ("5.", 1, Ok(50)),
            (".", 1, Err(NumberFault::NotANumber)),
            ("-", 0, Err(NumberFault::NotANumber)),
            ("", 0, Err(NumberFault::NotANumber)),
            ("1e", 0, Err(NumberFault::NotANumber)),
            ("1.2.3", 2, Err(NumberFault::NotANumber)),
            ("--1", 0, Err(NumberFault::NotANumber)),
            ("9223372036854775807", 0, Ok(i64::MAX)),
            ("-9223372036854775808", 0, Ok(i64::MIN)),
            ("9223372036854775808", 0, Err(NumberFault::OutOfRange)),
            ("92233720368547758.07", 2, Ok(i64::MAX)),
            ("1e99999999999999999999", 0, Err(NumberFault::OutOfRange)),
            ("0e99999999999999999999", 0, Ok(0)),
            ("000000000000000000000000012", 0, Ok(12)),
        ];
        for (text, scale, expected) in cases {
            assert_eq!(decimal(text.as_bytes(), scale), expected, "{text} at scale {scale}");
        }
    }

    #[test]
    fn a_float_stands_for_a_decimal_only_where_it_rounds_back() {
        assert_eq!(decimal_of_float(12.34, 2), Ok(1234));
        assert_eq!(decimal_of_float(0.1 + 0.2, 2), Err(NumberFault::TooPrecise));
        assert_eq!(decimal_of_float(1e300, 2), Err(NumberFault::OutOfRange));
        assert_eq!(decimal_of_float(-0.0, 2), Ok(0));
    }

    #[test]
    fn floats_are_finite_numbers_and_nothing_else() {
        assert_eq!(float(b"-0.0").map(f64::to_bits), Ok(0));
        assert_eq!(float(b"1e-7"), Ok(1e-7));
        assert_eq!(float(b"1e400"), Err(NumberFault::OutOfRange));
        for text in ["nan", "inf", "-inf", "infinity", "e", "+1", "1_0", "0x1", ""] {
            assert_eq!(float(text.as_bytes()), Err(NumberFault::NotANumber), "{text}");
        }
    }

    proptest! {
        #[test]
        fn leading_digits_agree_with_a_plain_loop(text in "[0-9]{0,18}[^0-9]{1,9}[0-9]{0,3}") {
            let plain: String = text.chars().take_while(char::is_ascii_digit).collect();
            let expected = plain.parse::<u64>().unwrap_or(0);
            prop_assert_eq!(leading_digits(text.as_bytes()), (expected, plain.len()));
        }

        #[test]
        fn leading_digits_stop_at_any_byte(bytes: Vec<u8>) {
            let count = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
            prop_assert_eq!(leading_digits(&bytes).1, count);
        }

        #[test]
        fn a_mantissa_survives_being_written(mantissa: i64, scale in 0u8..=18) {
            let digits = format!("{:020}", mantissa.unsigned_abs());
            let (whole, fraction) = digits.split_at(20 - usize::from(scale));
            let sign = if mantissa < 0 { "-" } else { "" };
            let text = format!("{sign}{whole}.{fraction}");
            prop_assert_eq!(decimal(text.as_bytes(), scale), Ok(mantissa));
        }
    }
}
