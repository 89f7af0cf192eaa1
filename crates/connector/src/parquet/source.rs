use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array as _, RecordBatch, new_empty_array};
use arrow_schema::DataType;
use millrace_event::{Batch, Column, Data, EventTime, Mark, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use super::from_arrow::{Filled, array_to_column};
use super::shown::shown;
use crate::dead::{Fault, FaultBox};
use crate::fields::Fields;
use crate::json::{TimeFormat, write_json, write_string};
use crate::judge::Judge;
use crate::{DeadLetter, Decoded, Error, FileOptions, Limits, Position, UnknownFields};

/// The most rows that are taken from the file at once.
const ROWS_MAX: usize = 2_048;

/// A Parquet file of events.
pub(crate) struct ParquetSource {
    path: PathBuf,
    origin: Arc<str>,
    fields: Fields,
    limits: Limits,
    judge: Judge,
    reader: ParquetRecordBatchReader,
    /// Per field of the schema: its column in the batches that are read.
    columns: Vec<Option<usize>>,
    /// What was read and not yet delivered.
    pending: Option<RecordBatch>,
    row: u64,
    rows_total: u64,
    /// Set by a damaged page: what lies behind it cannot be reached.
    broken: bool,
}

impl std::fmt::Debug for ParquetSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetSource")
            .field("path", &self.path)
            .field("row", &self.row)
            .finish_non_exhaustive()
    }
}

impl ParquetSource {
    pub fn open(
        path: &Path,
        file: File,
        schema: Arc<Schema>,
        limits: Limits,
        options: &FileOptions,
    ) -> Result<ParquetSource, Error> {
        let fields = Fields::new(schema);
        let origin: Arc<str> = Arc::from(path.to_string_lossy());
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(Error::parquet(path))?;
        let (roots, columns) = columns_of(&fields, builder.schema(), &limits, &origin)?;
        let rows_total = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let row = first_row(path, options.resume, rows_total)?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        // A block's texts must stay below what a column can address.
        let rows_max = (u32::MAX as usize / limits.field_bytes.max(1)).clamp(1, ROWS_MAX);
        let reader = builder
            .with_projection(mask)
            .with_batch_size(rows_max)
            .with_offset(usize::try_from(row).unwrap_or(usize::MAX))
            .build()
            .map_err(Error::parquet(path))?;
        Ok(ParquetSource {
            path: path.to_owned(),
            origin,
            fields,
            limits,
            judge: Judge::new(options.rules.clone()),
            reader,
            columns,
            pending: None,
            row,
            rows_total,
            broken: false,
        })
    }

    pub fn receive_at(&mut self, received: EventTime) {
        self.judge.received = received;
    }

    pub fn rows_total(&self) -> u64 {
        self.rows_total
    }

    pub fn position(&self) -> Position {
        Position::Row(self.row)
    }

    pub fn next_block(&mut self, max_rows: usize) -> Result<Option<Decoded>, Error> {
        if self.row >= self.rows_total {
            return Ok(None);
        }
        let batch = match self.pending.take() {
            Some(batch) => batch,
            None => self.read()?,
        };
        let rows = batch.num_rows().min(max_rows);
        if rows < batch.num_rows() {
            self.pending = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        let decoded = self.decode(&batch.slice(0, rows))?;
        Ok(Some(decoded))
    }

    fn read(&mut self) -> Result<RecordBatch, Error> {
        let failed = |cause: String| Error::Parquet {
            path: self.path.clone(),
            source: ParquetError::General(cause),
        };
        if self.broken {
            return Err(failed(format!("reading stopped at row {}", self.row)));
        }
        self.broken = true;
        // The decoder panics on some damage; `broken` keeps a reader in that state from being used.
        let next = catch_unwind(AssertUnwindSafe(|| self.reader.next()))
            .map_err(|_| failed(format!("the data behind row {} is damaged", self.row)))?;
        let batch = match next {
            Some(Ok(batch)) if batch.num_rows() > 0 => batch,
            Some(Ok(_)) | None => {
                let (row, total) = (self.row, self.rows_total);
                return Err(failed(format!("rows end at {row}, and the footer says {total}")));
            }
            Some(Err(e)) => return Err(failed(format!("behind row {}: {e}", self.row))),
        };
        self.broken = false;
        Ok(batch)
    }

    fn decode(&mut self, batch: &RecordBatch) -> Result<Decoded, Error> {
        let rows = batch.num_rows();
        let mut filled = Vec::with_capacity(self.fields.len());
        for (field, column) in self.columns.iter().enumerate() {
            let ty = &self.fields.schema.fields[field].ty;
            filled.push(match column {
                None => all_null(ty.physical(), rows),
                Some(column) => {
                    let array = batch.column(*column);
                    array_to_column(array, ty, &self.limits).ok_or_else(|| {
                        column_type(&self.fields, field, array.data_type(), &self.origin)
                    })?
                }
            });
        }
        let faults = self.faults(&filled, rows);
        let dead = faults.iter().map(|(row, fault)| self.letter(*row, fault, batch, &filled));
        let dead: Vec<DeadLetter> = dead.collect();
        let schema = Arc::clone(&self.fields.schema);
        let mut all =
            Batch { schema, columns: filled.into_iter().map(|filled| filled.column).collect() };
        if !faults.is_empty() {
            let good = |row: &u32| faults.binary_search_by_key(&(*row as usize), |f| f.0).is_err();
            let rows: Vec<u32> =
                (0..u32::try_from(rows).unwrap_or(u32::MAX)).filter(good).collect();
            all = all.select(&rows);
        }
        self.row += rows as u64;
        let (position, unknown) = (self.position(), UnknownFields::default());
        let dead_at = faults.iter().map(|(row, _)| *row).collect();
        Ok(Decoded { batch: all, dead, dead_at, position, unknown })
    }

    /// The first fault of each bad row, in the order of the rows.
    fn faults(&self, filled: &[Filled], rows: usize) -> Vec<(usize, Fault)> {
        let mut faults: Vec<(usize, Fault)> = Vec::new();
        for (field, Filled { column, problems }) in filled.iter().enumerate() {
            let name = self.fields.name(field);
            faults.extend(problems.iter().map(|(row, p)| (*row, *p.clone().of(name))));
            if self.fields.required[field] && column.marks().is_some() {
                let null = |row: &usize| {
                    column.is_null(*row) && problems.binary_search_by_key(row, |p| p.0).is_err()
                };
                let missing = |row| (row, *Fault::missing(name, "is null"));
                faults.extend((0..rows).filter(null).map(missing));
            }
        }
        if self.judge.rules.is_some() {
            // Behind the others: what cannot be read is not judged.
            faults.extend((0..rows).filter_map(|row| Some((row, *self.refused(filled, row)?))));
        }
        faults.sort_by_key(|(row, _)| *row);
        faults.dedup_by_key(|(row, _)| *row);
        faults
    }

    fn refused(&self, filled: &[Filled], row: usize) -> Option<FaultBox> {
        let column = |field: usize| filled.get(field).map(|filled| &filled.column.data);
        let time = match column(self.fields.schema.time)? {
            Data::Word(words) => *words.get(row)?,
            Data::Float(_) | Data::Text(_) | Data::Nested(_) => return None,
        };
        self.judge.fault(time, |field| match column(field)? {
            Data::Text(texts) => Some(texts.get(row).len()),
            Data::Word(_) | Data::Float(_) | Data::Nested(_) => None,
        })
    }

    /// The bytes of the letter are the row's columns as JSON, so that it can be mended and sent.
    fn letter(
        &self,
        row: usize,
        fault: &Fault,
        batch: &RecordBatch,
        filled: &[Filled],
    ) -> DeadLetter {
        let mut json = vec![b'{'];
        for (field, column) in self.columns.iter().enumerate() {
            let Some(column) = column else { continue };
            if json.len() > 1 {
                json.push(b',');
            }
            write_string(&mut json, self.fields.name(field));
            json.push(b':');
            let array = batch.column(*column);
            let Filled { column, .. } = &filled[field];
            if column.is_null(row) && !array.is_null(row) {
                json.extend_from_slice(shown(array, row).as_bytes());
            } else {
                let ty = &self.fields.schema.fields[field].ty;
                write_json(&mut json, &column.value(row, ty), ty, TimeFormat::Text);
            }
        }
        json.push(b'}');
        let position = Position::Row(self.row + row as u64);
        fault.letter(&self.origin, position, &json, &self.limits)
    }
}

fn first_row(path: &Path, resume: Option<Position>, rows_total: u64) -> Result<u64, Error> {
    let fail = |position, cause| Err(Error::Resume { path: path.to_owned(), position, cause });
    match resume {
        None => Ok(0),
        Some(Position::Row(row)) if row <= rows_total => Ok(row),
        Some(position @ Position::Row(_)) => fail(position, "the file has fewer rows"),
        Some(position @ Position::Line { .. }) => {
            fail(position, "a Parquet file is resumed at a row")
        }
    }
}

/// The file's columns to read, in its order, and for each field its place among them.
fn columns_of(
    fields: &Fields,
    file: &arrow_schema::Schema,
    limits: &Limits,
    origin: &str,
) -> Result<(Vec<usize>, Vec<Option<usize>>), Error> {
    let mut roots = Vec::new();
    let mut columns = vec![None; fields.len()];
    for (root, column) in file.fields().iter().enumerate() {
        let Some(field) = fields.find(column.name(), root) else { continue };
        if columns[field].is_some() {
            let (origin, column) = (origin.to_owned(), column.name().clone());
            return Err(Error::DuplicateColumn { origin, column });
        }
        let empty = new_empty_array(column.data_type());
        let ty = &fields.schema.fields[field].ty;
        if array_to_column(&empty, ty, limits).is_none() {
            return Err(column_type(fields, field, column.data_type(), origin));
        }
        columns[field] = Some(roots.len());
        roots.push(root);
    }
    let missing = (0..fields.len()).find(|f| columns[*f].is_none() && fields.required[*f]);
    match missing {
        None => Ok((roots, columns)),
        Some(field) => Err(Error::MissingColumn {
            origin: origin.to_owned(),
            column: fields.name(field).to_string(),
            found: file.fields().iter().map(|f| f.name().clone()).collect(),
        }),
    }
}

fn column_type(fields: &Fields, field: usize, found: &DataType, origin: &str) -> Error {
    Error::ColumnType {
        origin: origin.to_owned(),
        column: fields.name(field).to_string(),
        found: found.to_string(),
        wanted: fields.schema.fields[field].ty.to_string(),
    }
}

fn all_null(physical: millrace_event::Physical, rows: usize) -> Filled {
    let mut column = Column::new(physical);
    (0..rows).for_each(|_| column.push_null(Mark::NULL));
    Filled { column, problems: Vec::new() }
}
