//! The bytes that a good record was decoded from: needed where it turns out that its time lies too
//! far in the future, because a dead letter keeps its record as it came.

use std::collections::BTreeMap;

use memchr::memchr;
use millrace_connector::{DeadLetter, Position};
use serde_json::value::RawValue;

/// One record that was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Original<'a> {
    pub bytes: &'a [u8],
    /// Where it begins in the body.
    pub byte: usize,
}

/// The good records among the lines of a body, in order.
pub fn of_lines<'a>(body: &'a [u8], dead: &[DeadLetter]) -> Vec<Original<'a>> {
    let dead = starts(dead);
    let mut originals = Vec::new();
    let mut at = if body.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while at < body.len() {
        let rest = &body[at..];
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        if !dead.contains_key(&(at as u64)) && !line.trim_ascii().is_empty() {
            originals.push(Original { bytes: line.strip_suffix(b"\r").unwrap_or(line), byte: at });
        }
        at += end + 1;
    }
    originals
}

/// The good records of a body that is one object or a list of objects, in order.
pub fn of_document<'a>(body: &'a [u8], dead: &[DeadLetter]) -> Vec<Original<'a>> {
    let dead = starts(dead);
    let mut originals = Vec::new();
    let mut at = if body.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut is_first = true;
    while let Some(byte) = body.get(at) {
        let opens = is_first && *byte == b'[';
        if byte.is_ascii_whitespace() || *byte == b',' || opens {
            is_first &= byte.is_ascii_whitespace();
            at += 1;
            continue;
        }
        is_first = false;
        if let Some(length) = dead.get(&(at as u64)) {
            at += usize::try_from(*length).unwrap_or(usize::MAX).max(1);
            continue;
        }
        let mut values = serde_json::Deserializer::from_slice(&body[at..]).into_iter::<&RawValue>();
        let Some(Ok(value)) = values.next() else { break };
        originals.push(Original { bytes: value.get().as_bytes(), byte: at });
        at += value.get().len();
    }
    originals
}

/// The dead records' lengths by where they begin.
fn starts(dead: &[DeadLetter]) -> BTreeMap<u64, u64> {
    let start = |letter: &DeadLetter| match letter.position {
        Position::Line { byte, .. } => (byte, letter.bytes_total),
        Position::Row(row) => (row, letter.bytes_total),
    };
    dead.iter().map(start).collect()
}

/// The line of this byte, counted from 1.
pub fn line_of(body: &[u8], byte: usize) -> u64 {
    let before = body.get(..byte).unwrap_or(body);
    1 + memchr::memchr_iter(b'\n', before).count() as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use millrace_connector::{JsonDecoder, Limits};
    use millrace_event::{Field, Schema, Span, Type};

    use super::*;

    fn decoder() -> JsonDecoder {
        let field = |name: &str, ty| Field { name: Arc::from(name), ty, nullable: false };
        let fields = vec![field("id", Type::Int), field("at", Type::Timestamp)];
        let schema = Schema { stream: Arc::from("s"), fields, id: 0, time: 1, lateness: Span(0) };
        JsonDecoder::new(Arc::new(schema), Limits::default())
    }

    fn good(id: u32) -> String {
        format!(r#"{{"id":{id},"at":"2026-01-01T00:00:00Z"}}"#)
    }

    #[test]
    fn lines_are_found_again_beside_bad_and_empty_ones() {
        let body = format!("{}\nbad\r\n\n  {}\r\n{}", good(1), good(2), good(3));
        let decoded = decoder().lines(body.as_bytes(), "t").unwrap();
        assert_eq!((decoded.batch.len(), decoded.dead.len()), (3, 1));
        let originals = of_lines(body.as_bytes(), &decoded.dead);
        let texts: Vec<_> = originals.iter().map(|o| o.bytes.to_vec()).collect();
        let padded = format!("  {}", good(2));
        assert_eq!(texts, [good(1), padded, good(3)].map(String::into_bytes));
        assert_eq!(line_of(body.as_bytes(), originals[2].byte), 5);
    }

    #[test]
    fn elements_are_found_again_beside_bad_ones() {
        let bodies = [
            format!(" [{} , {{bad}}, 5,\n{} ]", good(1), good(2)),
            format!("[{},{}, {{\"id\":", good(1), good(2)),
            format!("[[{{}}],{},{}]", good(1), good(2)),
        ];
        for body in bodies {
            let decoded = decoder().document(body.as_bytes(), "t").unwrap();
            assert_eq!(decoded.batch.len(), 2, "{body}");
            let originals = of_document(body.as_bytes(), &decoded.dead);
            let texts: Vec<_> = originals.iter().map(|o| o.bytes.to_vec()).collect();
            assert_eq!(texts, [good(1), good(2)].map(String::into_bytes), "{body}");
        }
        let one = good(9);
        let originals = of_document(one.as_bytes(), &[]);
        assert_eq!(originals, [Original { bytes: one.as_bytes(), byte: 0 }]);
    }
}
