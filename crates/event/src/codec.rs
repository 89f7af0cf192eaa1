//! A batch as bytes, for logs and checkpoints.
//!
//! ```text
//!   version   1 byte, = 2 (1: without the fields)
//!   fields    u64: what the columns are, see [`Schema::fields_hash`]
//!   columns   u16, then rows u32 (all integers little-endian)
//!   column    kind 1 byte (0 word, 1 float, 2 text, 3 nested)
//!             marks: 0, or 1 and one byte per row
//!             word, float: 8 bytes per row; text: u32 length and UTF-8 per row;
//!             nested: one value per row
//!   value     tag 1 byte, then its bytes; lists and maps: u32 count, then values
//! ```

use std::sync::Arc;

use thiserror::Error;

use crate::{Batch, Column, Data, EventTime, Mark, Physical, Schema, Span, State, Texts, Value};

const VERSION: u8 = 2;
/// Written before batches said what their columns are.
const VERSION_BARE: u8 = 1;
/// Lists within lists deeper than this are refused when reading.
const DEPTH_MAX: usize = 64;

/// Why bytes are not a batch of this schema.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum CodecError {
    #[error("batch of version {0}; this program reads versions 1 and 2")]
    Version(u8),
    #[error("the batch is damaged: {0}")]
    Damaged(&'static str),
    #[error("the batch has other columns than its stream")]
    Schema,
}

use CodecError::Damaged;

impl Batch {
    /// Appends the bytes of this batch.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.extend_from_slice(&self.schema.fields_hash().to_le_bytes());
        out.extend_from_slice(&(self.columns.len() as u16).to_le_bytes());
        out.extend_from_slice(&(self.len() as u32).to_le_bytes());
        for column in &self.columns {
            encode_column(column, out);
        }
    }

    /// Reads what [`Batch::encode`] wrote for a stream of this schema.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are of another version or schema, or are damaged.
    pub fn decode(schema: &Arc<Schema>, bytes: &[u8]) -> Result<Batch, CodecError> {
        let mut input = Reader(bytes);
        let [version] = input.array()?;
        match version {
            VERSION if u64::from_le_bytes(input.array()?) != schema.fields_hash() => {
                return Err(CodecError::Schema);
            }
            VERSION | VERSION_BARE => {}
            _ => return Err(CodecError::Version(version)),
        }
        let count = usize::from(u16::from_le_bytes(input.array()?));
        let rows = u32::from_le_bytes(input.array()?) as usize;
        if count != schema.fields.len() {
            return Err(CodecError::Schema);
        }
        let mut columns = Vec::with_capacity(count);
        for field in &schema.fields {
            let column = decode_column(&mut input, field.ty.physical(), rows)?;
            let has_null = || column.marks().is_some_and(|m| m.iter().any(|m| m.is_null()));
            if !field.nullable && has_null() {
                return Err(CodecError::Schema);
            }
            columns.push(column);
        }
        if !input.0.is_empty() {
            return Err(Damaged("bytes after the end"));
        }
        Ok(Batch { schema: Arc::clone(schema), columns })
    }
}

impl Column {
    /// Appends the bytes of this column, as they stand in a batch.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode_column(self, out);
    }

    /// Reads what [`Column::encode`] wrote for each of these columns, of `rows` cells.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are of other columns, or are damaged.
    pub fn decode_all(
        kinds: &[Physical],
        rows: usize,
        bytes: &[u8],
    ) -> Result<Vec<Column>, CodecError> {
        let mut input = Reader(bytes);
        let columns = kinds.iter().map(|kind| decode_column(&mut input, *kind, rows));
        let columns = columns.collect::<Result<_, _>>()?;
        if input.0.is_empty() { Ok(columns) } else { Err(Damaged("bytes after the end")) }
    }
}

fn encode_column(column: &Column, out: &mut Vec<u8>) {
    out.push(match &column.data {
        Data::Word(_) => 0,
        Data::Float(_) => 1,
        Data::Text(_) => 2,
        Data::Nested(_) => 3,
    });
    match column.marks() {
        None => out.push(0),
        Some(marks) => {
            out.push(1);
            out.extend(marks.iter().map(|m| u8::from(m.is_null()) << 7 | m.state() as u8));
        }
    }
    match &column.data {
        Data::Word(v) => v.iter().for_each(|w| out.extend_from_slice(&w.to_le_bytes())),
        Data::Float(v) => v.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes())),
        Data::Text(v) => (0..v.len()).for_each(|row| put_text(v.get(row), out)),
        Data::Nested(v) => v.iter().for_each(|value| encode_value(value, out)),
    }
}

fn decode_column(
    input: &mut Reader<'_>,
    expected: Physical,
    rows: usize,
) -> Result<Column, CodecError> {
    let [kind] = input.array()?;
    let physical = match kind {
        0 => Physical::Word,
        1 => Physical::Float,
        2 => Physical::Text,
        3 => Physical::Nested,
        _ => return Err(Damaged("kind of column")),
    };
    if physical != expected {
        return Err(CodecError::Schema);
    }
    let marks = match input.array()? {
        [0] => None,
        [1] => Some(input.take(rows)?.iter().map(|b| decode_mark(*b)).collect::<Result<_, _>>()?),
        _ => return Err(Damaged("marks")),
    };
    let data = match physical {
        Physical::Word => Data::Word(input.words(rows)?.map(i64::from_le_bytes).collect()),
        Physical::Float => Data::Float(input.words(rows)?.map(f64::from_le_bytes).collect()),
        Physical::Text => {
            let mut texts = Texts::default();
            for _ in 0..rows {
                texts.push(input.text()?);
            }
            Data::Text(texts)
        }
        Physical::Nested => {
            let mut values = Vec::new();
            for _ in 0..rows {
                values.push(decode_value(input, 0)?);
            }
            Data::Nested(values)
        }
    };
    Ok(Column::with_marks(data, marks))
}

fn decode_mark(byte: u8) -> Result<Mark, CodecError> {
    let state = State::ALL.get(usize::from(byte & 0x7f)).ok_or(Damaged("mark"))?;
    Ok(if byte & 0x80 == 0 { Mark::value(*state) } else { Mark::null(*state) })
}

fn put_text(s: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(s.len() as u32).to_le_bytes());
    out.extend_from_slice(s.as_bytes());
}

fn encode_value(value: &Value, out: &mut Vec<u8>) {
    let mut word = |tag: u8, n: i64| {
        out.push(tag);
        out.extend_from_slice(&n.to_le_bytes());
    };
    match value {
        Value::Null => out.push(0),
        Value::Bool(b) => word(1, i64::from(*b)),
        Value::Int(n) => word(2, *n),
        Value::Float(x) => word(3, x.to_bits() as i64),
        Value::Decimal { mantissa, scale } => {
            word(4, *mantissa);
            out.push(*scale);
        }
        Value::Text(s) => {
            out.push(5);
            put_text(s, out);
        }
        Value::Timestamp(t) => word(6, t.0),
        Value::Duration(d) => word(7, d.0),
        Value::List(items) => {
            out.push(8);
            out.extend_from_slice(&(items.len() as u32).to_le_bytes());
            items.iter().for_each(|v| encode_value(v, out));
        }
        Value::Map(entries) => {
            out.push(9);
            out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
            for (key, value) in entries {
                encode_value(key, out);
                encode_value(value, out);
            }
        }
    }
}

fn decode_value(input: &mut Reader<'_>, depth: usize) -> Result<Value, CodecError> {
    if depth > DEPTH_MAX {
        return Err(Damaged("lists nested too deeply"));
    }
    let [tag] = input.array()?;
    let word = |input: &mut Reader<'_>| Ok(i64::from_le_bytes(input.array()?));
    Ok(match tag {
        0 => Value::Null,
        1 => Value::Bool(word(input)? != 0),
        2 => Value::Int(word(input)?),
        3 => Value::Float(f64::from_bits(word(input)? as u64)),
        4 => {
            let mantissa = word(input)?;
            let [scale] = input.array()?;
            Value::Decimal { mantissa, scale }
        }
        5 => Value::text(input.text()?),
        6 => Value::Timestamp(EventTime(word(input)?)),
        7 => Value::Duration(Span(word(input)?)),
        8 => {
            let count = u32::from_le_bytes(input.array()?);
            let items = (0..count).map(|_| decode_value(input, depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        9 => {
            let count = u32::from_le_bytes(input.array()?);
            let entries = (0..count)
                .map(|_| Ok((decode_value(input, depth + 1)?, decode_value(input, depth + 1)?)));
            Value::Map(entries.collect::<Result<_, CodecError>>()?)
        }
        _ => return Err(Damaged("kind of value")),
    })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], CodecError> {
        let (first, rest) = self.0.split_at_checked(n).ok_or(Damaged("it ends too early"))?;
        self.0 = rest;
        Ok(first)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Damaged("it ends too early"))?;
        self.0 = rest;
        Ok(*first)
    }

    fn words(&mut self, n: usize) -> Result<impl Iterator<Item = [u8; 8]> + 'a, CodecError> {
        let bytes = self.take(n.checked_mul(8).ok_or(Damaged("too many rows"))?)?;
        let (words, _) = bytes.as_chunks::<8>();
        Ok(words.iter().copied())
    }

    fn text(&mut self) -> Result<&'a str, CodecError> {
        let n = u32::from_le_bytes(self.array()?) as usize;
        std::str::from_utf8(self.take(n)?).map_err(|_| Damaged("text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Field, Type};

    #[test]
    fn a_batch_is_read_as_it_was_written() {
        let field = |name: &str, ty, nullable| Field { name: Arc::from(name), ty, nullable };
        let schema = Arc::new(Schema {
            stream: Arc::from("s"),
            fields: vec![
                field("id", Type::String, false),
                field("at", Type::Timestamp, false),
                field("x", Type::Float, true),
                field("tags", Type::List(Box::new(Type::Int)), true),
            ],
            id: 0,
            time: 1,
            lateness: Span(0),
        });
        let mut batch = Batch::new(Arc::clone(&schema));
        for n in 0..3i64 {
            batch.columns[0].push(&Value::text(&format!("id{n}")), State::Ok);
            batch.columns[1].push(&Value::Timestamp(EventTime(n)), State::Ok);
            batch.columns[2].push(&if n == 1 { Value::Null } else { Value::Float(0.5) }, State::Ok);
            batch.columns[3].push(&Value::List(vec![Value::Int(n), Value::Null]), State::Ok);
        }
        let mut bytes = Vec::new();
        batch.encode(&mut bytes);
        let back = Batch::decode(&schema, &bytes).unwrap();
        assert_eq!(format!("{:?}", back.columns), format!("{:?}", batch.columns));
        for cut in 0..bytes.len() {
            assert!(Batch::decode(&schema, &bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn columns_are_never_taken_for_others() {
        let schema = |names: [&str; 2], ty: Type, nullable| {
            let field = |name: &str, ty, nullable| Field { name: Arc::from(name), ty, nullable };
            Arc::new(Schema {
                stream: Arc::from("s"),
                fields: vec![
                    field("id", Type::Int, false),
                    field("at", Type::Timestamp, false),
                    field(names[0], ty.clone(), nullable),
                    field(names[1], ty, nullable),
                ],
                id: 0,
                time: 1,
                lateness: Span(0),
            })
        };
        let written = schema(["a", "b"], Type::Decimal(2), true);
        let mut batch = Batch::new(Arc::clone(&written));
        batch.columns[0].push(&Value::Int(1), State::Ok);
        batch.columns[1].push(&Value::Timestamp(EventTime(1)), State::Ok);
        batch.columns[2].push(&Value::Decimal { mantissa: 500, scale: 2 }, State::Ok);
        batch.columns[3].push(&Value::Null, State::Ok);
        let mut bytes = Vec::new();
        batch.encode(&mut bytes);
        assert!(Batch::decode(&written, &bytes).is_ok());
        for other in [
            schema(["b", "a"], Type::Decimal(2), true),
            schema(["a", "c"], Type::Decimal(2), true),
            schema(["a", "b"], Type::Decimal(3), true),
            schema(["a", "b"], Type::Int, true),
            // There is a null in it.
            schema(["a", "b"], Type::Decimal(2), false),
        ] {
            assert_eq!(Batch::decode(&other, &bytes).unwrap_err(), CodecError::Schema);
        }
        // As it was written before batches said what their columns are.
        let old = [&[VERSION_BARE][..], &bytes[9..]].concat();
        assert!(Batch::decode(&written, &old).is_ok());
    }
}
