//! JSON, in and out: one object is one event.
//!
//! A record is read in two steps. serde_json walks the object once and yields each field's raw
//! text, unparsed, so nothing is built in between; then each text is read for the type that its
//! field asks for, and a number's digits go straight into the column, never through a float.

mod document;
mod object;
mod raw;
mod write;

use std::sync::Arc;

use memchr::memchr;
use millrace_event::{EventTime, Rules, Schema, Value};

use crate::block::{Block, BlockPlan, Decoder};
use crate::cell::cell_to_value;
use crate::columns::Cell;
use crate::dead::Fault;
use crate::fields::Fields;
use crate::judge::Judge;
use crate::{DeadLetter, Decoded, Error, Limits, Position, UnknownFields};

pub(crate) use raw::{duplicate_key, nested_to_value, sort_by_key};
pub use write::{TimeFormat, value_to_json, write_json};
pub(crate) use write::{Written, float_parts, write_float, write_string, write_word};

/// Reads JSON objects into columns.
#[derive(Debug)]
pub struct JsonDecoder {
    fields: Fields,
    limits: Limits,
    judge: Judge,
}

impl JsonDecoder {
    pub fn new(schema: Arc<Schema>, limits: Limits) -> JsonDecoder {
        let judge = Judge::new(None);
        JsonDecoder { fields: Fields::new(schema), limits: limits.bounded(), judge }
    }

    /// A record that is against these rules at this time of the receiving clock becomes a dead
    /// letter, too.
    #[must_use]
    pub fn with_rules(self, rules: Arc<Rules>, received: EventTime) -> JsonDecoder {
        JsonDecoder { judge: Judge { rules: Some(rules), received }, ..self }
    }

    /// Reads a whole body of lines, one object each (NDJSON). Empty lines are no records; the last
    /// line may lack its end.
    ///
    /// # Errors
    /// [`Error::BodyTooLarge`] beyond [`Limits::body_bytes`]. Bad records are dead letters.
    pub fn lines(&mut self, body: &[u8], origin: &str) -> Result<Decoded, Error> {
        let mut block = self.body_block(body, origin)?;
        let bom = bom_length(body);
        block.advance(0, bom);
        self.decode(&body[bom..], true, &mut block);
        Ok(block.finish())
    }

    /// Reads a whole body that is one object or a list of objects.
    ///
    /// # Errors
    /// [`Error::BodyTooLarge`] beyond [`Limits::body_bytes`]. Bad records are dead letters; where
    /// the list itself breaks off, the rest of the body is one of them. Beyond 65,536 of them,
    /// [`Error::TooManyDead`].
    pub fn document(&mut self, body: &[u8], origin: &str) -> Result<Decoded, Error> {
        let mut block = self.body_block(body, origin)?;
        document::decode(&self.fields, body, &mut block);
        let limit = document::DEAD_MAX;
        if block.dead_count() > limit {
            return Err(Error::TooManyDead { origin: origin.to_owned(), limit });
        }
        Ok(block.finish())
    }

    /// Reads one object into one value per field of the schema. What it has besides is counted in
    /// `unknown`.
    ///
    /// # Errors
    /// The dead letter that the record would become.
    pub fn row(
        &self,
        object: &[u8],
        origin: &str,
        unknown: &mut UnknownFields,
    ) -> Result<Vec<Value>, Box<DeadLetter>> {
        let mut cells = vec![Cell::Null; self.fields.len()];
        let read = object::read(&self.fields, &self.limits, object, &mut cells, unknown);
        match read.and_then(|()| self.judge.check(&self.fields.schema, &cells)) {
            Ok(()) => Ok(cells
                .into_iter()
                .zip(&self.fields.schema.fields)
                .map(|(cell, field)| cell_to_value(cell, &field.ty))
                .collect()),
            Err(fault) => Err(Box::new(fault.letter(
                &Arc::from(origin),
                Position::START,
                object,
                &self.limits,
            ))),
        }
    }

    /// A block without bounds of its own: the body is one already.
    fn body_block(&self, body: &[u8], origin: &str) -> Result<Block, Error> {
        let schema = Arc::clone(&self.fields.schema);
        let plan = BlockPlan::of_body(schema, body, origin, self.limits, self.judge.clone())?;
        Ok(Block::new(&plan, 1, 0))
    }
}

/// Reads one JSON object into one value per field of the schema, under the default limits. For many
/// rows, keep a [`JsonDecoder`].
///
/// # Errors
/// The dead letter that the record would become.
pub fn row_from_json(
    schema: &Arc<Schema>,
    object: &[u8],
    origin: &str,
) -> Result<Vec<Value>, Box<DeadLetter>> {
    let decoder = JsonDecoder::new(Arc::clone(schema), Limits::default());
    decoder.row(object, origin, &mut UnknownFields::default())
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, input: &[u8], last: bool, block: &mut Block) -> usize {
        let mut cells = vec![Cell::Null; self.fields.len()];
        let mut at = 0;
        while block.has_room() && at < input.len() {
            let rest = &input[at..];
            let (line, used) = match memchr(b'\n', rest) {
                Some(end) => (&rest[..end], end + 1),
                None if last => (rest, rest.len()),
                None => break,
            };
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            read_record(&self.fields, line, &mut cells, block);
            at += used;
            block.advance(1, used);
        }
        at
    }
}

/// Reads one record at the block's position, unless it is blank.
fn read_record<'a>(fields: &Fields, record: &'a [u8], cells: &mut [Cell<'a>], block: &mut Block) {
    if record.len() > block.limits.record_bytes {
        let fault = Fault::record_too_large(record.len() as u64, &block.limits);
        return block.bad(&fault, record);
    }
    if record.trim_ascii().is_empty() {
        return;
    }
    let read = object::read(fields, &block.limits, record, cells, &mut block.unknown);
    match read.and_then(|()| block.judge.check(&fields.schema, cells)) {
        Ok(()) => block.good(cells),
        Err(fault) => {
            cells.fill(Cell::Null);
            block.bad(&fault, record);
        }
    }
}

/// The length of a byte order mark at the start of a file or body.
pub(crate) fn bom_length(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }
}
