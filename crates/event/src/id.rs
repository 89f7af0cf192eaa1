use std::fmt;

use smallvec::SmallVec;

use crate::{KeyKind, Value};

/// An event's id, in bytes whose order is the order of ids: integers as biased big-endian words,
/// strings as UTF-8. Ties of event time are broken by it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(SmallVec<[u8; 16]>);

impl EventId {
    pub fn int(n: i64) -> EventId {
        EventId(SmallVec::from_slice(&((n as u64) ^ (1 << 63)).to_be_bytes()))
    }

    pub fn text(s: &str) -> EventId {
        EventId(SmallVec::from_slice(s.as_bytes()))
    }

    pub fn from_bytes(bytes: &[u8]) -> EventId {
        EventId(SmallVec::from_slice(bytes))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({})", String::from_utf8_lossy(&self.0))
    }
}

/// A group's key, of one or more columns, as canonical bytes: an integer is 8 bytes little-endian,
/// a string is its length (u32, little-endian) and its UTF-8. Equal keys have equal bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(SmallVec<[u8; 16]>);

impl Key {
    pub fn push_int(&mut self, n: i64) {
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    pub fn push_text(&mut self, s: &str) {
        let len = u32::try_from(s.len()).expect("a field is below its limit, far below 4 GiB");
        self.0.extend_from_slice(&len.to_le_bytes());
        self.0.extend_from_slice(s.as_bytes());
    }

    /// The key made of these values; `None` if one is null or cannot be part of a key.
    pub fn of(values: &[Value]) -> Option<Key> {
        let mut key = Key::default();
        for value in values {
            match value {
                Value::Int(n) => key.push_int(*n),
                Value::Bool(b) => key.push_int(i64::from(*b)),
                Value::Decimal { mantissa, .. } => key.push_int(*mantissa),
                Value::Timestamp(t) => key.push_int(t.0),
                Value::Duration(d) => key.push_int(d.0),
                Value::Text(s) => key.push_text(s),
                Value::Null | Value::Float(_) | Value::List(_) | Value::Map(_) => return None,
            }
        }
        Some(key)
    }

    /// Splits the bytes again into one part per column.
    pub fn parts(&self, kinds: &[KeyKind]) -> Option<Vec<Value>> {
        let mut rest = &self.0[..];
        let mut parts = Vec::with_capacity(kinds.len());
        for kind in kinds {
            match kind {
                KeyKind::Int => {
                    let (word, tail) = rest.split_first_chunk::<8>()?;
                    parts.push(Value::Int(i64::from_le_bytes(*word)));
                    rest = tail;
                }
                KeyKind::Text => {
                    let (len, tail) = rest.split_first_chunk::<4>()?;
                    let len = u32::from_le_bytes(*len) as usize;
                    let (text, tail) = tail.split_at_checked(len)?;
                    parts.push(Value::text(std::str::from_utf8(text).ok()?));
                    rest = tail;
                }
            }
        }
        rest.is_empty().then_some(parts)
    }

    pub fn from_bytes(bytes: &[u8]) -> Key {
        Key(SmallVec::from_slice(bytes))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Bytes on the heap, beside the value itself.
    pub fn heap_bytes(&self) -> usize {
        if self.0.spilled() { self.0.capacity() } else { 0 }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", String::from_utf8_lossy(&self.0))
    }
}
