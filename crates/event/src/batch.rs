use std::sync::Arc;

use crate::{Column, EventId, EventTime, Physical, Schema};

/// Events of one stream, column by column, in the order in which they arrived.
#[derive(Clone, Debug)]
pub struct Batch {
    pub schema: Arc<Schema>,
    /// One column per field of the schema, all of one length.
    pub columns: Vec<Column>,
}

impl Batch {
    pub fn new(schema: Arc<Schema>) -> Batch {
        let columns = schema.fields.iter().map(|f| Column::new(f.ty.physical())).collect();
        Batch { schema, columns }
    }

    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, Column::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn time(&self, row: usize) -> EventTime {
        EventTime(self.columns[self.schema.time].as_words()[row])
    }

    pub fn times(&self) -> &[i64] {
        self.columns[self.schema.time].as_words()
    }

    pub fn id(&self, row: usize) -> EventId {
        let column = &self.columns[self.schema.id];
        match column.as_texts() {
            Some(texts) => EventId::text(texts.get(row)),
            None => EventId::int(column.as_words()[row]),
        }
    }

    /// Whether ids are integers (else strings).
    pub fn has_int_ids(&self) -> bool {
        self.schema.fields[self.schema.id].ty.physical() == Physical::Word
    }

    /// The rows at these positions, in this order, as a batch of their own.
    pub fn select(&self, rows: &[u32]) -> Batch {
        let mut out = Batch::new(Arc::clone(&self.schema));
        for (from, to) in self.columns.iter().zip(&mut out.columns) {
            *to = from.select(rows);
        }
        out
    }

    /// Appends all events of a batch of the same stream.
    pub fn append(&mut self, other: &Batch) {
        for (to, from) in self.columns.iter_mut().zip(&other.columns) {
            to.append(from);
        }
    }
}
