use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Decimal128Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use millrace_event::{Column, Physical, Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::partial::PartialFile;
use crate::Error;
use crate::parquet::{Decimals, column_to_array, column_type};

/// Rows that are turned into arrays at once.
const STEP_ROWS: usize = 8_192;

/// A row group is held in memory until it is full.
const GROUP_ROWS: usize = 128 << 10;
const GROUP_BYTES: usize = 32 << 20;

pub(super) struct ParquetWriter {
    writer: ArrowWriter<PartialFile>,
    schema: Arc<Schema>,
    /// Narrow until a wide one comes.
    decimals: Decimals,
}

impl fmt::Debug for ParquetWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetWriter").field("decimals", &self.decimals).finish_non_exhaustive()
    }
}

/// Numbers are mostly different from row to row: a dictionary of them costs several times as much
/// as they do, and then is given up as too large. Integers are written as differences.
fn properties(columns: &[(String, Type)], decimals: Decimals) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by("millrace".to_owned())
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES));
    for (name, ty) in columns {
        let path = ColumnPath::from(name.as_str());
        let is_wide = matches!(ty, Type::Decimal(_)) && decimals == Decimals::Wide;
        let (encoding, compression) = match ty.physical() {
            Physical::Float => (Encoding::PLAIN, Compression::SNAPPY),
            Physical::Word if is_wide || *ty == Type::Bool => {
                (Encoding::PLAIN, Compression::SNAPPY)
            }
            Physical::Word => (Encoding::DELTA_BINARY_PACKED, Compression::UNCOMPRESSED),
            Physical::Text | Physical::Nested => continue,
        };
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_compression(path.clone(), compression)
            .set_column_encoding(path, encoding);
    }
    properties.build()
}

fn writer(
    file: PartialFile,
    columns: &[(String, Type)],
    decimals: Decimals,
) -> Result<(ArrowWriter<PartialFile>, Arc<Schema>), Error> {
    let path = file.path().to_owned();
    let field = |(name, ty): &(String, Type)| Field::new(name, column_type(ty, decimals), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let properties = Some(properties(columns, decimals));
    let writer = ArrowWriter::try_new(file, Arc::clone(&schema), properties)
        .map_err(Error::parquet(&path))?;
    Ok((writer, schema))
}

impl ParquetWriter {
    pub fn new(file: PartialFile, columns: &[(String, Type)]) -> Result<ParquetWriter, Error> {
        let decimals = Decimals::Narrow;
        let (writer, schema) = writer(file, columns, decimals)?;
        Ok(ParquetWriter { writer, schema, decimals })
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
        if !self.holds(declared, columns, rows) {
            self.widen(declared)?;
        }
        let path = self.writer.inner().path().to_owned();
        let schema = Arc::clone(&self.schema);
        let arrays = columns
            .iter()
            .zip(declared)
            .map(|(c, (_, ty))| column_to_array(c, rows.clone(), ty, self.decimals));
        let batch = arrays
            .collect::<Result<Vec<_>, _>>()
            .and_then(|arrays| RecordBatch::try_new(schema, arrays))
            .map_err(|e| Error::Write { path: path.clone(), cause: e.to_string() })?;
        self.writer.write(&batch).map_err(Error::parquet(&path))
    }

    /// Whether all decimals of these rows are as narrow as those of the file.
    fn holds(&self, declared: &[(String, Type)], columns: &[&Column], rows: &Range<usize>) -> bool {
        let decimals = columns.iter().zip(declared).filter(|(_, (_, ty))| is_decimal(ty));
        let mut cells = decimals.flat_map(|(c, _)| c.as_words().get(rows.clone()).unwrap_or(&[]));
        cells.all(|mantissa| self.decimals.hold(*mantissa))
    }

    /// Begins the file again with wide decimals, and takes over what it has.
    fn widen(&mut self, declared: &[(String, Type)]) -> Result<(), Error> {
        let path = self.writer.inner().path().to_owned();
        let (wide, schema) = writer(PartialFile::create(&path)?, declared, Decimals::Wide)?;
        let narrow = std::mem::replace(&mut self.writer, wide);
        self.schema = schema;
        self.decimals = Decimals::Wide;
        let narrow = narrow.into_inner().map_err(Error::parquet(&path))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(narrow.read()?)
            .and_then(ParquetRecordBatchReaderBuilder::build)
            .map_err(Error::parquet(&path))?;
        let failed = |e: ArrowError| Error::Write { path: path.clone(), cause: e.to_string() };
        for batch in reader {
            let batch = batch.and_then(|b| widened(&b, &self.schema)).map_err(failed)?;
            self.writer.write(&batch).map_err(Error::parquet(&path))?;
        }
        Ok(())
    }

    pub fn finish(self) -> Result<(), Error> {
        let path = self.writer.inner().path().to_owned();
        self.writer.into_inner().map_err(Error::parquet(&path))?.finish()
    }
}

fn is_decimal(ty: &Type) -> bool {
    matches!(ty, Type::Decimal(_))
}

/// The same cells, with decimals as wide as the schema has them.
fn widened(batch: &RecordBatch, schema: &Arc<Schema>) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        match (column.as_primitive_opt::<Decimal128Type>(), field.data_type()) {
            (Some(cells), DataType::Decimal128(precision, scale)) => {
                let cells = cells.clone().with_precision_and_scale(*precision, *scale)?;
                Ok(Arc::new(cells) as ArrayRef)
            }
            _ => Ok(Arc::clone(column)),
        }
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<Vec<_>, ArrowError>>()?)
}
