use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use millrace_event::{Column, Physical, Type};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::partial::PartialFile;
use crate::Error;
use crate::parquet::{column_to_array, type_to_arrow};

/// Rows that are turned into arrays at once.
const STEP_ROWS: usize = 8_192;

/// A row group is held in memory until it is full.
const GROUP_ROWS: usize = 128 << 10;
const GROUP_BYTES: usize = 32 << 20;

pub(super) struct ParquetWriter {
    writer: ArrowWriter<PartialFile>,
    schema: Arc<Schema>,
}

impl fmt::Debug for ParquetWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetWriter").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Numbers are mostly different from row to row: a dictionary of them costs several times as much
/// as they do, and then is given up as too large. Integers are written as differences.
fn properties(columns: &[(String, Type)]) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by("millrace".to_owned())
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES));
    for (name, ty) in columns {
        let path = ColumnPath::from(name.as_str());
        let (encoding, compression) = match (ty, ty.physical()) {
            (Type::Decimal(_) | Type::Bool, _) | (_, Physical::Float) => {
                (Encoding::PLAIN, Compression::SNAPPY)
            }
            (_, Physical::Word) => (Encoding::DELTA_BINARY_PACKED, Compression::UNCOMPRESSED),
            (_, Physical::Text | Physical::Nested) => continue,
        };
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_compression(path.clone(), compression)
            .set_column_encoding(path, encoding);
    }
    properties.build()
}

impl ParquetWriter {
    pub fn new(file: PartialFile, columns: &[(String, Type)]) -> Result<ParquetWriter, Error> {
        let path = file.path().to_owned();
        let fields = columns.iter().map(|(name, ty)| Field::new(name, type_to_arrow(ty), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties(columns)))
            .map_err(Error::parquet(&path))?;
        Ok(ParquetWriter { writer, schema })
    }

    pub fn write(
        &mut self,
        declared: &[(String, Type)],
        columns: &[&Column],
        rows: Range<usize>,
    ) -> Result<(), Error> {
        let mut start = rows.start;
        while start < rows.end {
            let step = start..rows.end.min(start + STEP_ROWS);
            start = step.end;
            self.step(declared, columns, &step)?;
        }
        Ok(())
    }

    fn step(
        &mut self,
        declared: &[(String, Type)],
        columns: &[&Column],
        rows: &Range<usize>,
    ) -> Result<(), Error> {
        let path = self.writer.inner().path().to_owned();
        let arrays =
            columns.iter().zip(declared).map(|(c, (_, ty))| column_to_array(c, rows.clone(), ty));
        let batch = arrays
            .collect::<Result<Vec<_>, _>>()
            .and_then(|arrays| RecordBatch::try_new(Arc::clone(&self.schema), arrays))
            .map_err(|e| Error::Write { path: path.clone(), cause: e.to_string() })?;
        self.writer.write(&batch).map_err(Error::parquet(&path))
    }

    pub fn finish(self) -> Result<(), Error> {
        let path = self.writer.inner().path().to_owned();
        self.writer.into_inner().map_err(Error::parquet(&path))?.finish()
    }
}
