use std::io::Write as _;
use std::ops::Range;

use millrace_event::{Column, Type};

use super::cells::{Cells, Written as WrittenColumn};
use super::partial::PartialFile;
use crate::json::{Written, write_float, write_json, write_string, write_word};
use crate::{Error, TimeFormat};

/// Text that is gathered before it is written to the file.
const FLUSH_BYTES: usize = 256 << 10;

/// Writes NDJSON: each row is one line.
#[derive(Debug)]
pub(super) struct LineWriter {
    file: PartialFile,
    times: TimeFormat,
    buffer: Vec<u8>,
    /// Per column, what stands before its cell: a bracket or comma, and its name.
    leads: Vec<Vec<u8>>,
}

impl LineWriter {
    pub fn new(file: PartialFile, columns: &[(String, Type)], times: TimeFormat) -> LineWriter {
        let lead = |(at, (name, _)): (usize, &(String, Type))| {
            let mut lead = vec![if at == 0 { b'{' } else { b',' }];
            write_string(&mut lead, name);
            lead.push(b':');
            lead
        };
        let leads = columns.iter().enumerate().map(lead).collect();
        let buffer = Vec::with_capacity(FLUSH_BYTES + (64 << 10));
        LineWriter { file, times, buffer, leads }
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
            self.row(&columns, row);
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

    fn row(&mut self, columns: &[WrittenColumn<'_>], row: usize) {
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
