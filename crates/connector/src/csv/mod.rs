//! CSV (RFC 4180) into columns.
//!
//! Nearly every row of a large file is plain: no quotes, numbers as digits. Such a row is read in
//! one pass, its bytes going straight into words ([`fast`]). Whatever else a row may be, good or
//! bad, is settled by a second, careful reading ([`record`]); the fast one never judges a row, it
//! only declines.

mod fast;
mod header;
mod record;

pub(crate) use header::check_delimiter;

use std::borrow::Cow;
use std::sync::Arc;

use millrace_event::Schema;

use crate::block::{Block, BlockPlan, Decoder};
use crate::cell::text_to_cell;
use crate::columns::Cell;
use crate::dead::{Fault, FaultBox};
use crate::fields::{Fields, Kind};
use crate::json::bom_length;
use crate::judge::Judge;
use crate::{Decoded, Error, Limits, Reason};
use record::{Record, Split};

/// How a CSV file is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    /// Whether the first line names the columns.
    pub has_header: bool,
    /// The columns' names, in the order of the file; they take the place of a header's. Without
    /// a header and without this, the columns are the schema's fields in their order.
    pub columns: Option<Vec<String>>,
    /// The byte between two cells.
    pub delimiter: u8,
}

impl Default for CsvOptions {
    fn default() -> CsvOptions {
        CsvOptions { has_header: true, columns: None, delimiter: b',' }
    }
}

/// One column of the file.
#[derive(Clone, Copy, Debug)]
struct Source {
    /// The field that it fills; `None` for a column that no field is named after.
    field: Option<usize>,
    kind: Kind,
    required: bool,
}

/// Reads CSV rows into columns.
#[derive(Debug)]
pub struct CsvDecoder {
    fields: Fields,
    limits: Limits,
    delimiter: u8,
    /// The file's columns, in their order.
    sources: Vec<Source>,
    /// The fields that no column fills.
    absent: Vec<usize>,
}

impl CsvDecoder {
    /// For rows whose columns have these names, in this order.
    ///
    /// # Errors
    /// When a field that may not be null has no column, a name stands twice, or the delimiter is
    /// none.
    pub fn new(
        schema: Arc<Schema>,
        names: &[String],
        delimiter: u8,
        limits: Limits,
        origin: &str,
    ) -> Result<CsvDecoder, Error> {
        check_delimiter(delimiter)?;
        let limits = limits.bounded();
        let fields = Fields::new(schema);
        let sources = header::sources(&fields, names, origin)?;
        let is_absent = |field: &usize| sources.iter().all(|s| s.field != Some(*field));
        let absent = (0..fields.len()).filter(is_absent).collect();
        Ok(CsvDecoder { fields, limits, delimiter, sources, absent })
    }

    /// Reads the header of a file that starts with `start`, as the options say, and returns the
    /// decoder for the rows with the bytes and lines before the first row.
    pub(crate) fn after_header(
        schema: Arc<Schema>,
        start: &[u8],
        options: &CsvOptions,
        limits: Limits,
        origin: &str,
    ) -> Result<(CsvDecoder, usize, u64), Error> {
        check_delimiter(options.delimiter)?;
        let header = header::read(start, options, &limits, origin)?;
        let names = match (&options.columns, header.names) {
            (Some(names), _) => names.clone(),
            (None, Some(names)) => names,
            (None, None) => schema.fields.iter().map(|f| f.name.to_string()).collect(),
        };
        let decoder = CsvDecoder::new(schema, &names, options.delimiter, limits, origin)?;
        Ok((decoder, header.bytes, header.lines))
    }

    /// Reads a whole body.
    ///
    /// # Errors
    /// For a header that does not fit the schema, and [`Error::BodyTooLarge`] beyond
    /// [`Limits::body_bytes`]. Bad rows are dead letters.
    pub fn body(
        schema: &Arc<Schema>,
        body: &[u8],
        options: &CsvOptions,
        limits: Limits,
        origin: &str,
    ) -> Result<Decoded, Error> {
        let plan = BlockPlan::of_body(Arc::clone(schema), body, origin, limits, Judge::new(None))?;
        let (mut decoder, bytes, lines) =
            CsvDecoder::after_header(Arc::clone(schema), body, options, limits, origin)?;
        let mut block = Block::new(&plan, 1, 0);
        block.advance(lines, bytes);
        decoder.decode(&body[bytes..], true, &mut block);
        Ok(block.finish())
    }

    /// Reads one record that needs care: quotes, escapes, spaces, faults.
    fn careful<'a>(&self, record: &Record<'a>, cells: &mut [Cell<'a>]) -> Result<(), FaultBox> {
        if record.cells.len() != self.sources.len() {
            let (given, wanted) = (record.cells.len(), self.sources.len());
            return Err(Fault::of_record(
                Reason::ColumnCount,
                format!(
                    "{given} cells, and the file has {wanted} columns; quote a cell that holds the \
                     delimiter, or add the missing ones"
                ),
            ));
        }
        for (source, (text, quoted)) in self.sources.iter().zip(&record.cells) {
            let Some(field) = source.field else { continue };
            let name = self.fields.name(field);
            let null = text.is_empty() && !(*quoted && source.kind == Kind::Text);
            if null {
                if source.required {
                    return Err(Fault::missing(name, "is empty"));
                }
                continue;
            }
            let ty = &self.fields.schema.fields[field].ty;
            let cell = match text {
                Cow::Borrowed(text) => text_to_cell(ty, text, &self.limits),
                Cow::Owned(text) => text_to_cell(ty, text, &self.limits).map(Cell::into_owned),
            };
            cells[field] = cell.map_err(|problem| problem.of(name))?;
        }
        Ok(())
    }

    /// Reads the record at the start of `rest` with care, and returns its bytes, or `None` when
    /// `rest` does not hold all of it.
    fn slow<'a>(
        &self,
        rest: &'a [u8],
        last: bool,
        cells: &mut [Cell<'a>],
        block: &mut Block,
    ) -> Option<usize> {
        cells.fill(Cell::Null);
        match record::split(rest, self.delimiter, last, self.limits.record_bytes) {
            Split::Partial => None,
            Split::Blank { used } => {
                block.advance(1, used);
                Some(used)
            }
            Split::Bad { used, fault } => {
                block.bad(&fault, record::without_end(&rest[..used]));
                block.advance(1, used);
                Some(used)
            }
            Split::Whole(record) => {
                let read = self.careful(&record, cells);
                match read.and_then(|()| block.judge.check(&self.fields.schema, cells)) {
                    Ok(()) => block.good(cells),
                    Err(fault) => {
                        cells.fill(Cell::Null);
                        block.bad(&fault, record::without_end(&rest[..record.used]));
                    }
                }
                block.advance(record.lines, record.used);
                Some(record.used)
            }
        }
    }
}

impl Decoder for CsvDecoder {
    fn decode(&mut self, input: &[u8], last: bool, block: &mut Block) -> usize {
        let mut cells = vec![Cell::Null; self.fields.len()];
        let mut at = 0;
        while block.has_room() && at < input.len() {
            let rest = &input[at..];
            if let Some(used) = self.fast(rest, &mut block.columns, &block.judge) {
                block.advance(1, used);
                at += used;
                continue;
            }
            match self.slow(rest, last, &mut cells, block) {
                Some(used) => at += used,
                None => break,
            }
        }
        at
    }
}

/// The length of what stands before a file's first line.
fn start_length(bytes: &[u8]) -> usize {
    bom_length(bytes)
}
