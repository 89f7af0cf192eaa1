//! Sinks: rows of columns into files that are whole or not there.

mod cells;
mod csv;
mod lines;
mod parquet;
mod partial;

use std::ops::Range;
use std::path::{Path, PathBuf};

use millrace_event::{Column, Type};

use crate::format::Format;
use crate::{Error, TimeFormat};
use csv::CsvWriter;
use lines::LineWriter;
use parquet::ParquetWriter;
pub use partial::PartialFile;

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WriteOptions {
    /// In CSV and NDJSON; Parquet has types of its own for times.
    pub times: TimeFormat,
    /// In CSV.
    pub delimiter: u8,
}

impl Default for WriteOptions {
    fn default() -> WriteOptions {
        WriteOptions { times: TimeFormat::Text, delimiter: b',' }
    }
}

/// Writes rows to a file whose ending says the format. The rows go to a file of another name
/// beside it, which takes the name when [`RowWriter::finish`] is called: a file of that name is
/// always whole. A writer that is dropped before leaves nothing.
#[derive(Debug)]
pub struct RowWriter {
    path: PathBuf,
    columns: Vec<(String, Type)>,
    writer: Writer,
}

#[derive(Debug)]
enum Writer {
    Csv(Box<CsvWriter>),
    Lines(Box<LineWriter>),
    Parquet(Box<ParquetWriter>),
}

impl RowWriter {
    /// Begins a `.csv`, `.ndjson`, `.jsonl` or `.parquet` file with these columns. A file that is
    /// there already is replaced on finish.
    ///
    /// # Errors
    /// For another ending, and where the file cannot be created.
    pub fn create(
        path: impl AsRef<Path>,
        columns: &[(&str, Type)],
        options: WriteOptions,
    ) -> Result<RowWriter, Error> {
        let path = path.as_ref().to_owned();
        let format = Format::of(&path)?;
        let columns: Vec<(String, Type)> =
            columns.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect();
        let times = options.times;
        let writer = match format {
            Format::Csv => {
                crate::csv::check_delimiter(options.delimiter)?;
                let file = PartialFile::create(&path)?;
                Writer::Csv(Box::new(CsvWriter::new(file, options.delimiter, &columns, times)))
            }
            Format::Ndjson => {
                let file = PartialFile::create(&path)?;
                Writer::Lines(Box::new(LineWriter::new(file, &columns, times)))
            }
            Format::Parquet => {
                let file = PartialFile::create(&path)?;
                Writer::Parquet(Box::new(ParquetWriter::new(file, &columns)?))
            }
        };
        Ok(RowWriter { path, columns, writer })
    }

    /// Appends these rows of the columns, which stand in the order of `create`. A null cell, in
    /// whatever state, is an empty cell in CSV and null elsewhere.
    ///
    /// # Errors
    /// For columns that are not those of `create` or shorter than `rows`, and when the file cannot
    /// be written.
    pub fn write(&mut self, columns: &[&Column], rows: Range<usize>) -> Result<(), Error> {
        self.check(columns, &rows)?;
        match &mut self.writer {
            Writer::Csv(csv) => csv.write(&self.columns, columns, rows),
            Writer::Lines(lines) => lines.write(&self.columns, columns, rows),
            Writer::Parquet(parquet) => parquet.write(&self.columns, columns, rows),
        }
    }

    /// Writes what is left, makes it durable, and gives the file its name.
    ///
    /// # Errors
    /// When any of that fails; no file of the name is then made.
    pub fn finish(self) -> Result<(), Error> {
        match self.writer {
            Writer::Csv(csv) => csv.finish(),
            Writer::Lines(lines) => lines.finish(),
            Writer::Parquet(parquet) => parquet.finish(),
        }
    }

    fn check(&self, columns: &[&Column], rows: &Range<usize>) -> Result<(), Error> {
        let fail = |cause| Err(Error::Write { path: self.path.clone(), cause });
        if columns.len() != self.columns.len() {
            let (given, wanted) = (columns.len(), self.columns.len());
            return fail(format!("{given} columns given and {wanted} declared"));
        }
        for (column, (name, ty)) in columns.iter().zip(&self.columns) {
            if column.data.physical() != ty.physical() {
                return fail(format!("the column `{name}` does not hold cells of {ty}"));
            }
            if column.len() < rows.end {
                let (len, end) = (column.len(), rows.end);
                return fail(format!("the column `{name}` has {len} rows and {end} are asked for"));
            }
        }
        Ok(())
    }
}
