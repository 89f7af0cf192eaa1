use std::io::Write as _;

use millrace_event::{EventTime, Type, Value};
use serde_json::value::RawValue;

use crate::cell::digits::{write_decimal, write_int};
use crate::cell::time::is_like_seconds;
use crate::fields::Kind;

/// How times and durations are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimeFormat {
    /// Times as RFC 3339 in UTC, `2026-01-01T12:00:00Z`; durations as in the language, `90m`.
    #[default]
    Text,
    /// Both as numbers of milliseconds, with up to three digits after the point.
    Millis,
}

/// The value as JSON, for embedding in an answer. Decimals are numbers with exactly their digits
/// (`5.00`), ints are numbers however large, times and durations are strings
/// ([`TimeFormat::Text`]), a map is an object whose names are its keys' texts.
pub fn value_to_json(value: &Value, ty: &Type) -> Box<RawValue> {
    let mut out = Vec::new();
    write_json(&mut out, value, ty, TimeFormat::Text);
    // Only whole values and valid UTF-8 are written, so neither step can fail; null is the honest
    // answer should one ever do.
    String::from_utf8(out)
        .ok()
        .and_then(|text| RawValue::from_string(text).ok())
        .unwrap_or_else(|| RawValue::NULL.to_owned())
}

/// Appends the value as JSON.
pub fn write_json(out: &mut Vec<u8>, value: &Value, ty: &Type, times: TimeFormat) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
        Value::Int(n) => write_int(out, *n),
        Value::Float(x) => write_float(out, *x),
        Value::Decimal { mantissa, scale } => write_decimal(out, *mantissa, *scale),
        Value::Text(text) => write_string(out, text),
        Value::Timestamp(t) => write_quoted(out, |out| write_time(out, t.0, times)),
        Value::Duration(d) => write_quoted(out, |out| write_duration(out, d.0, times)),
        Value::List(values) => {
            let of = if let Type::List(of) = ty { of } else { ty };
            out.push(b'[');
            for (i, value) in values.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_json(out, value, of, times);
            }
            out.push(b']');
        }
        Value::Map(entries) => {
            let (key_type, of) =
                if let Type::Map(key, of) = ty { (&**key, &**of) } else { (ty, ty) };
            out.push(b'{');
            for (i, (key, value)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_name(out, key, key_type, times);
                out.push(b':');
                write_json(out, value, of, times);
            }
            out.push(b'}');
        }
    }
}

/// A map's key as the name of a member: always a string.
fn write_name(out: &mut Vec<u8>, key: &Value, ty: &Type, times: TimeFormat) {
    let start = out.len();
    write_json(out, key, ty, times);
    if out.get(start) != Some(&b'"') {
        out.insert(start, b'"');
        out.push(b'"');
    }
}

/// Puts quotes around what `write` appends, unless it is a number.
fn write_quoted(out: &mut Vec<u8>, write: impl Fn(&mut Vec<u8>) -> Written) {
    let start = out.len();
    match write(out) {
        Written::Number => {}
        Written::Text => {
            out.insert(start, b'"');
            out.push(b'"');
        }
    }
}

/// What a time or duration was written as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Written {
    Number,
    Text,
}

/// Appends one word of a column, as JSON where `Text` is then put in quotes.
#[inline]
pub(crate) fn write_word(out: &mut Vec<u8>, word: i64, kind: Kind, times: TimeFormat) -> Written {
    match kind {
        Kind::Bool => out.extend_from_slice(if word != 0 { b"true" } else { b"false" }),
        Kind::Decimal(scale) => write_decimal(out, word, scale),
        Kind::Time => return write_time(out, word, times),
        Kind::Duration => return write_duration(out, word, times),
        Kind::Int | Kind::Float | Kind::Text | Kind::Nested => write_int(out, word),
    }
    Written::Number
}

/// The shortest digits that read back as the same float.
#[inline]
pub(crate) fn write_float(out: &mut Vec<u8>, x: f64) {
    let mut digits = zmij::Buffer::new();
    for part in float_parts(&mut digits, x) {
        out.extend_from_slice(part.as_bytes());
    }
}

/// The text of a float, `null` if it is not finite. The second part is that of an exponent which
/// would have a plus before it, and mostly empty.
#[inline]
pub(crate) fn float_parts(digits: &mut zmij::Buffer, x: f64) -> [&str; 2] {
    /// From here on, floats are written with an exponent.
    const LARGE: f64 = 1e16;
    if !x.is_finite() {
        return ["null", ""];
    }
    let text = digits.format_finite(x);
    if x.abs() < LARGE {
        return [text, ""];
    }
    let (mantissa, exponent) = text.split_once('+').unwrap_or((text, ""));
    [mantissa, exponent]
}

/// The moments whose year has four digits, which is what RFC 3339 can say.
const YEARS: std::ops::Range<i64> = -62_167_219_200_000_000..253_402_300_800_000_000;

/// Without quotes. A time outside the years 0 to 9999 is a number in any format, and one whose
/// number would be refused because it looks like seconds is a text.
pub(crate) fn write_time(out: &mut Vec<u8>, micros: i64, times: TimeFormat) -> Written {
    let is_asked = times == TimeFormat::Millis && !is_like_seconds(micros.div_euclid(1_000));
    if is_asked || !YEARS.contains(&micros) {
        write_millis(out, micros);
        return Written::Number;
    }
    // Writing to a vector cannot fail.
    let _ = write!(out, "{}", EventTime(micros));
    Written::Text
}

/// Without quotes.
pub(crate) fn write_duration(out: &mut Vec<u8>, micros: i64, times: TimeFormat) -> Written {
    match times {
        TimeFormat::Millis => {
            write_millis(out, micros);
            Written::Number
        }
        TimeFormat::Text => {
            let _ = write!(out, "{}", millrace_event::Span(micros));
            Written::Text
        }
    }
}

fn write_millis(out: &mut Vec<u8>, micros: i64) {
    if micros % 1_000 == 0 {
        write_int(out, micros / 1_000);
    } else {
        write_decimal(out, micros, 3);
    }
}

/// A JSON string. What needs no escape, nearly all text, is copied in stretches.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|b| *b < 0x20 || matches!(b, b'"' | b'\\')) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let (high, low) = (usize::from(control >> 4), usize::from(control & 15));
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[high], HEX[low]]);
            }
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use millrace_event::Span;

    use super::*;

    #[test]
    fn values_are_written_in_the_form_the_api_promises() {
        let list = Type::List(Box::new(Type::Decimal(2)));
        let map = Type::Map(Box::new(Type::Int), Box::new(Type::Timestamp));
        let cases = [
            (Value::Decimal { mantissa: 500, scale: 2 }, Type::Decimal(2), "5.00"),
            (Value::Decimal { mantissa: -7, scale: 3 }, Type::Decimal(3), "-0.007"),
            (Value::Int(i64::MIN), Type::Int, "-9223372036854775808"),
            (Value::Float(1e300), Type::Float, "1e300"),
            (Value::text("a\"\\\u{1}é\n"), Type::String, "\"a\\\"\\\\\\u0001é\\n\""),
            (Value::Timestamp(EventTime(0)), Type::Timestamp, "\"1970-01-01T00:00:00Z\""),
            (Value::Timestamp(EventTime(i64::MAX)), Type::Timestamp, "9223372036854775.807"),
            (Value::Duration(Span::minutes(90)), Type::Duration, "\"90m\""),
            (
                Value::List(vec![Value::Decimal { mantissa: 1, scale: 2 }, Value::Null]),
                list,
                "[0.01,null]",
            ),
            (
                Value::Map(vec![(Value::Int(1), Value::Timestamp(EventTime(0)))]),
                map,
                "{\"1\":\"1970-01-01T00:00:00Z\"}",
            ),
            (Value::Null, Type::Bool, "null"),
        ];
        for (value, ty, expected) in cases {
            assert_eq!(value_to_json(&value, &ty).get(), expected);
        }
    }

    #[test]
    fn milliseconds_keep_their_microseconds() {
        let mut out = Vec::new();
        let time = Value::Timestamp(EventTime(1_500_000_000_000_001));
        write_json(&mut out, &time, &Type::Timestamp, TimeFormat::Millis);
        assert_eq!(out, b"1500000000000.001");
    }
}
