//! Plain rows in one pass.

use super::CsvDecoder;
use crate::cell::number::{float, leading_decimal};
use crate::columns::PlainCell;
use crate::fields::Kind;

/// Milliseconds whose microseconds surely fit: a time beyond is left to the careful reading.
const MILLIS_MAX: i64 = i64::MAX / 1_000;

impl CsvDecoder {
    /// Reads the row at the start of `rest` if it is plain and good, and returns its bytes with the
    /// end of its line. `None` says nothing about the row. Only the cells of fields that have a
    /// column are touched, in any case.
    #[inline]
    pub(super) fn fast<'a>(&self, rest: &'a [u8], cells: &mut [PlainCell<'a>]) -> Option<usize> {
        let mut at = 0;
        let last = self.sources.len().checked_sub(1)?;
        for (column, source) in self.sources.iter().enumerate() {
            let bytes = rest.get(at..)?;
            let length = match source.field {
                None => self.cell_length(bytes),
                Some(field) => {
                    let cell = cells.get_mut(field)?;
                    let ended = bytes.first().is_some_and(|b| self.ends_cell(*b));
                    if ended {
                        if source.required {
                            return None;
                        }
                        *cell = PlainCell::Null;
                        0
                    } else {
                        self.fast_cell(source.kind, bytes, cell)?
                    }
                }
            };
            at += length;
            let end = *rest.get(at)?;
            if column < last {
                if end != self.delimiter {
                    return None;
                }
                at += 1;
            } else if end == b'\r' && rest.get(at + 1) == Some(&b'\n') {
                at += 2;
            } else if end == b'\n' {
                at += 1;
            } else {
                return None;
            }
        }
        // A row of one empty cell is a blank line.
        let blank = last == 0 && matches!(rest.first(), Some(b'\r' | b'\n'));
        (at <= self.limits.record_bytes && !blank).then_some(at)
    }

    #[inline]
    fn ends_cell(&self, byte: u8) -> bool {
        byte == self.delimiter || byte == b'\n' || byte == b'\r'
    }

    /// The bytes before the cell's end; 0 for a quoted cell, so that the caller declines.
    #[inline]
    fn cell_length(&self, bytes: &[u8]) -> usize {
        bytes.iter().position(|b| self.ends_cell(*b) || *b == b'"').unwrap_or(bytes.len())
    }

    /// Reads the cell at the start of `bytes` and returns its length.
    #[inline]
    fn fast_cell<'a>(
        &self,
        kind: Kind,
        bytes: &'a [u8],
        cell: &mut PlainCell<'a>,
    ) -> Option<usize> {
        let (word, length) = match kind {
            Kind::Int => leading_decimal(bytes, 0)?,
            Kind::Decimal(scale) => leading_decimal(bytes, scale)?,
            Kind::Time => {
                let (millis, length) = leading_decimal(bytes, 0)?;
                if millis.abs() > MILLIS_MAX {
                    return None;
                }
                (millis * 1_000, length)
            }
            Kind::Bool if bytes.starts_with(b"true") => (1, 4),
            Kind::Bool if bytes.starts_with(b"false") => (0, 5),
            Kind::Bool | Kind::Duration | Kind::Nested => return None,
            Kind::Float => {
                let length = self.cell_length(bytes);
                *cell = PlainCell::Float(float(&bytes[..length]).ok()?);
                return Some(length);
            }
            Kind::Text => {
                let length = self.cell_length(bytes);
                if length > self.limits.field_bytes {
                    return None;
                }
                let text = std::str::from_utf8(&bytes[..length]).ok()?;
                *cell = PlainCell::Text(text);
                return Some(length);
            }
        };
        *cell = PlainCell::Word(word);
        Some(length)
    }
}
