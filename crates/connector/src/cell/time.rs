//! Times and durations. A number is always **milliseconds**, since the epoch or long, with up to
//! three digits after the point; its magnitude is never used to guess a unit, but a time that can
//! hardly be meant in milliseconds is refused. Anything else is RFC 3339, or a duration as the
//! language writes it.

use millrace_event::{EventTime, Span};

use super::number::{NumberFault, decimal, float};

/// Digits after the point of a number of milliseconds that microseconds can hold.
const MILLIS_SCALE: u8 = 3;

/// The position of the fraction in `2026-01-01T12:00:00.123456789Z`.
const FRACTION_AT: usize = 20;

/// Seconds since the epoch of the years 2001 to 2100. As milliseconds they are moments of January
/// and February 1970, in which no event of ours happened.
const LIKE_SECONDS: std::ops::Range<i64> = 978_307_200..4_102_444_800;

/// Whether a number of milliseconds was most likely meant as seconds.
pub(crate) fn is_like_seconds(millis: i64) -> bool {
    LIKE_SECONDS.contains(&millis)
}

/// A time in microseconds since the epoch. Fractions of a second are cut after the sixth digit.
pub(crate) fn time(text: &[u8]) -> Result<i64, NumberFault> {
    match decimal(text, MILLIS_SCALE) {
        Ok(micros) if is_like_seconds(micros.div_euclid(1_000)) => {
            return Err(NumberFault::LikeSeconds);
        }
        // Seconds as a program has them, such as 1732500000.123456.
        Err(NumberFault::TooPrecise) if float(text).is_ok_and(|x| is_like_seconds(x as i64)) => {
            return Err(NumberFault::LikeSeconds);
        }
        Err(NumberFault::NotANumber) => {}
        done => return done,
    }
    let parse = |text: &str| text.parse::<EventTime>().map(|t| t.0).ok();
    let text = std::str::from_utf8(text).map_err(|_| NumberFault::NotANumber)?;
    let fraction = text.as_bytes().get(FRACTION_AT..).unwrap_or_default();
    let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
    let parsed = if digits > 6 && text.is_ascii() {
        let (kept, rest) = text.split_at(FRACTION_AT + 6);
        parse(&format!("{kept}{}", &rest[digits - 6..]))
    } else {
        parse(text)
    };
    parsed.ok_or(NumberFault::NotANumber)
}

const UNITS: [(&[u8], i128); 6] = [
    (b"us", 1),
    (b"ms", 1_000),
    (b"s", 1_000_000),
    (b"m", 60_000_000),
    (b"h", 3_600_000_000),
    (b"d", 86_400_000_000),
];

/// A duration as the language writes it, such as `90m`, or a number of milliseconds.
pub fn duration_of(text: &str) -> Option<Span> {
    duration(text.as_bytes()).ok().map(Span)
}

/// A duration in microseconds: `90m`, `-5s`, or a number of milliseconds.
pub(crate) fn duration(text: &[u8]) -> Result<i64, NumberFault> {
    match decimal(text, MILLIS_SCALE) {
        Err(NumberFault::NotANumber) => {}
        done => return done,
    }
    let (sign, text) = match text.split_first() {
        Some((b'-', rest)) => (-1, rest),
        Some(_) | None => (1, text),
    };
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    let unit = UNITS.iter().find(|(name, _)| *name == unit).ok_or(NumberFault::NotANumber)?.1;
    // Beyond 19 digits the number is out of range whatever the unit, leading zeros aside.
    let number = std::str::from_utf8(number).unwrap_or_default();
    let number = number.trim_start_matches('0');
    match (digits, number.len()) {
        (0, _) => Err(NumberFault::NotANumber),
        (_, 0) => Ok(0),
        (_, 1..=19) => {
            let number: i128 = number.parse().map_err(|_| NumberFault::NotANumber)?;
            i64::try_from(sign * number * unit).map_err(|_| NumberFault::OutOfRange)
        }
        (_, _) => Err(NumberFault::OutOfRange),
    }
}

#[cfg(test)]
mod tests {
    use millrace_event::Span;

    use super::*;

    #[test]
    fn a_number_is_milliseconds_and_text_is_rfc_3339() {
        let noon = 1_767_268_800_000_000;
        assert_eq!(time(b"1767268800000"), Ok(noon));
        assert_eq!(time(b"1767268800000.125"), Ok(noon + 125));
        assert_eq!(time(b"2026"), Ok(2_026_000), "never a year");
        assert_eq!(time(b"-1"), Ok(-1_000));
        assert_eq!(time(b"2026-01-01T12:00:00Z"), Ok(noon));
        assert_eq!(time(b"2026-01-01T13:00:00.000001+01:00"), Ok(noon + 1));
        assert_eq!(time(b"2026-01-01T12:00:00.123456789Z"), Ok(noon + 123_456));
        assert_eq!(time(b"2026-01-01T13:00:00.1234567+01:00"), Ok(noon + 123_456));
        assert_eq!(time(b"1.0001"), Err(NumberFault::TooPrecise));
        assert_eq!(time(b"99999999999999999"), Err(NumberFault::OutOfRange));
        for text in ["", "yesterday", "2026-13-01", "2026-01-01T12:00:00.12345678", "1e", "é"] {
            assert_eq!(time(text.as_bytes()), Err(NumberFault::NotANumber), "{text}");
        }
    }

    #[test]
    fn a_number_that_looks_like_seconds_is_refused() {
        let seconds: [&[u8]; 5] =
            [b"1732500000", b"978307200", b"4102444799", b"1732500000.123", b"1732500000.123456"];
        for text in seconds {
            assert_eq!(time(text), Err(NumberFault::LikeSeconds), "{text:?}");
        }
        for millis in [978_307_199, 4_102_444_800, -1_732_500_000] {
            assert_eq!(time(millis.to_string().as_bytes()), Ok(millis * 1_000), "{millis}");
        }
        assert_eq!(duration(b"1732500000"), Ok(1_732_500_000_000), "a duration may be long");
    }

    #[test]
    fn durations_are_read_as_the_language_writes_them() {
        for micros in [0, 1, -1, 90 * 60_000_000, -5_000_000, 86_400_000_000, i64::MAX, i64::MIN] {
            let text = Span(micros).to_string();
            assert_eq!(duration(text.as_bytes()), Ok(micros), "{text}");
        }
        assert_eq!(duration(b"1500"), Ok(1_500_000));
        assert_eq!(duration(b"99999999999999d"), Err(NumberFault::OutOfRange));
        assert_eq!(duration(b"9999999999999999999999us"), Err(NumberFault::OutOfRange));
        for text in ["m", "5 m", "1h30m", "5w", "--5m", ""] {
            assert_eq!(duration(text.as_bytes()), Err(NumberFault::NotANumber), "{text}");
        }
    }
}
