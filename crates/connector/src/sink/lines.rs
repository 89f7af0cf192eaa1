use std::io::Write as _;
use std::ops::Range;

use millrace_event::{Column, Type};

use super::cells::{Cells, Written as WrittenColumn};
use super::partial::PartialFile;
use crate::json::{Written, write_float, write_json, write_string, write_word};
use crate::{Error, TimeFormat};

/// Text that is gathered before it is written to the file.
const FLUSH_BYTES: usize = 256 << 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LineFormat {
    Csv { delimiter: u8 },
    Ndjson,
}

/// Writes CSV or NDJSON: each row is one line.
#[derive(Debug)]
pub(super) struct LineWriter {
    file: PartialFile,
    format: LineFormat,
    times: TimeFormat,
    buffer: Vec<u8>,
    /// In JSON, per column, what stands before its cell: a bracket or comma, and its name.
    leads: Vec<Vec<u8>>,
}

impl LineWriter {
    pub fn new(
        file: PartialFile,
        format: LineFormat,
        columns: &[(String, Type)],
        times: TimeFormat,
    ) -> LineWriter {
        let mut buffer = Vec::with_capacity(FLUSH_BYTES + (64 << 10));
        let mut leads = Vec::with_capacity(columns.len());
        for (at, (name, _)) in columns.iter().enumerate() {
            match format {
                LineFormat::Csv { delimiter } => {
                    if at > 0 {
                        buffer.push(delimiter);
                    }
                    write_csv_text(&mut buffer, name.as_bytes(), delimiter);
                }
                LineFormat::Ndjson => {
                    let mut lead = vec![if at == 0 { b'{' } else { b',' }];
                    write_string(&mut lead, name);
                    lead.push(b':');
                    leads.push(lead);
                }
            }
        }
        if matches!(format, LineFormat::Csv { .. }) {
            buffer.push(b'\n');
        }
        LineWriter { file, format, times, buffer, leads }
    }

    pub fn write(
        &mut self,
        declared: &[(String, Type)],
        columns: &[&Column],
        rows: Range<usize>,
    ) -> Result<(), Error> {
        let columns: Vec<WrittenColumn<'_>> = columns
            .iter()
            .zip(declared)
            .map(|(column, (_, ty))| WrittenColumn::new(column, ty))
            .collect();
        for row in rows {
            match self.format {
                LineFormat::Csv { delimiter } => self.csv_row(&columns, row, delimiter),
                LineFormat::Ndjson => self.json_row(&columns, row),
            }
            self.buffer.push(b'\n');
            if self.buffer.len() >= FLUSH_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        self.file.finish()
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file.write_all(&self.buffer).map_err(Error::io(self.file.path()))?;
        self.buffer.clear();
        Ok(())
    }

    fn csv_row(&mut self, columns: &[WrittenColumn<'_>], row: usize, delimiter: u8) {
        let out = &mut self.buffer;
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                out.push(delimiter);
            }
            if column.is_null(row) {
                // A line with nothing on it would not be read as a row.
                if columns.len() == 1 {
                    out.extend_from_slice(b"\"\"");
                }
                continue;
            }
            match column.cells {
                Cells::Word(words, kind) => {
                    write_word(out, words[row], kind, self.times);
                }
                Cells::Float(floats) => write_float(out, floats[row]),
                Cells::Text(texts) => write_csv_text(out, texts.get(row).as_bytes(), delimiter),
                Cells::Nested(values, ty) => {
                    let mut json = Vec::new();
                    write_json(&mut json, &values[row], ty, self.times);
                    write_csv_text(out, &json, delimiter);
                }
            }
        }
    }

    fn json_row(&mut self, columns: &[WrittenColumn<'_>], row: usize) {
        let out = &mut self.buffer;
        for (column, lead) in columns.iter().zip(&self.leads) {
            out.extend_from_slice(lead);
            if column.is_null(row) {
                out.extend_from_slice(b"null");
                continue;
            }
            match column.cells {
                Cells::Word(words, kind) => {
                    let start = out.len();
                    if write_word(out, words[row], kind, self.times) == Written::Text {
                        out.insert(start, b'"');
                        out.push(b'"');
                    }
                }
                Cells::Float(floats) => write_float(out, floats[row]),
                Cells::Text(texts) => write_string(out, texts.get(row)),
                Cells::Nested(values, ty) => write_json(out, &values[row], ty, self.times),
            }
        }
        if columns.is_empty() {
            out.push(b'{');
        }
        out.push(b'}');
    }
}

/// A text cell, quoted where it must be; an empty text is quoted, for nothing at all is null.
fn write_csv_text(out: &mut Vec<u8>, text: &[u8], delimiter: u8) {
    let special = |b: &u8| *b == delimiter || matches!(b, b'"' | b'\n' | b'\r');
    if !text.is_empty() && !text.iter().any(special) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for (at, part) in text.split(|b| *b == b'"').enumerate() {
        if at > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(part);
    }
    out.push(b'"');
}
