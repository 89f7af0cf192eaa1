//! Plain rows in one pass.

use super::CsvDecoder;
use crate::cell::number::{float, leading_decimal, leading_int};
use crate::cell::time::is_like_seconds;
use crate::columns::{Columns, Growing};
use crate::fields::Kind;
use crate::judge::Judge;

/// Milliseconds whose microseconds surely fit: a time beyond is left to the careful reading.
const MILLIS_MAX: i64 = i64::MAX / 1_000;

impl CsvDecoder {
    /// Appends the row at the start of `rest` if it is plain and good, and returns its bytes with
    /// the end of its line. `None` says nothing about the row, and leaves no trace of it.
    #[inline]
    pub(super) fn fast(&self, rest: &[u8], columns: &mut Columns, judge: &Judge) -> Option<usize> {
        let time = self.fields.schema.time;
        let used = self
            .fast_row(rest, columns)
            .filter(|used| judge.surely_takes(columns.last_word(time), *used));
        match used {
            Some(_) => columns.end_row(&self.absent),
            None => columns.drop_row(),
        }
        used
    }

    #[inline]
    fn fast_row(&self, rest: &[u8], columns: &mut Columns) -> Option<usize> {
        let mut at = 0;
        let last = self.sources.len().checked_sub(1)?;
        for (column, source) in self.sources.iter().enumerate() {
            let bytes = rest.get(at..)?;
            let length = match source.field {
                None => self.cell_length(bytes),
                Some(field) => {
                    let mut cells = columns.growing(field)?;
                    match self.fast_cell(source.kind, bytes, &mut cells) {
                        Some(length) => length,
                        // Nothing at all is null, where that may be.
                        None if bytes.first().is_some_and(|b| self.ends_cell(*b)) => {
                            if source.required {
                                return None;
                            }
                            cells.push_null();
                            0
                        }
                        None => return None,
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
            } else if end == b'\n' {
                at += 1;
            } else if end == b'\r' && rest.get(at + 1) == Some(&b'\n') {
                at += 2;
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

    /// Appends the cell at the start of `bytes`, which is not empty, and returns its length.
    #[inline]
    fn fast_cell(&self, kind: Kind, bytes: &[u8], cells: &mut Growing<'_>) -> Option<usize> {
        let (word, length) = match kind {
            Kind::Int => leading_int(bytes)?,
            Kind::Decimal(scale) => leading_decimal(bytes, scale)?,
            Kind::Time => {
                let (millis, length) = leading_int(bytes)?;
                if millis.abs() > MILLIS_MAX || is_like_seconds(millis) {
                    return None;
                }
                (millis * 1_000, length)
            }
            // The first four bytes tell, as one word.
            Kind::Bool => match bytes.first_chunk()? {
                b"true" => (1, 4),
                b"fals" if bytes.get(4) == Some(&b'e') => (0, 5),
                _ => return None,
            },
            Kind::Duration | Kind::Nested => return None,
            Kind::Float => {
                let length = self.cell_length(bytes);
                cells.push_float(float(&bytes[..length]).ok()?)?;
                return Some(length);
            }
            Kind::Text => {
                let length = self.cell_length(bytes);
                if length == 0 || length > self.limits.field_bytes {
                    return None;
                }
                cells.push_text(std::str::from_utf8(&bytes[..length]).ok()?)?;
                return Some(length);
            }
        };
        cells.push_word(word)?;
        Some(length)
    }
}
