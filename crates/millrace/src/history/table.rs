//! The rows of a view, on their way to a file.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use millrace_connector::{Error, RowWriter, WriteOptions};
use millrace_event::{Column, Type};
use millrace_feature::plan::Plan;
use millrace_stream::EngineError;

use crate::exit::Failure;

/// Blocks of rows that may wait to be written.
const BLOCKS_AHEAD: usize = 4;
/// What the engine is told; [`Table::failure`] knows more.
const OUTPUT_FAILED: &str = "the rows cannot be written";

/// A file of rows, which appears when all is written.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    rows: u64,
    writer: Writer,
}

/// The columns of a view's rows: id, time, then those of the view.
pub fn columns_of(plan: &Plan, view: usize) -> Vec<(String, Type)> {
    let view = &plan.views[view];
    let schema = &plan.streams[view.stream].schema;
    // A column of the view keeps its name; the event's own field then gives way.
    let mut columns: Vec<(String, Type)> =
        view.columns.iter().map(|c| (c.name.to_string(), c.ty.clone())).collect();
    for (place, index) in [schema.id, schema.time].into_iter().enumerate() {
        let field = &schema.fields[index];
        let name = unique(&columns, &field.name, &format!("event_{}", field.name));
        columns.insert(place, (name, field.ty.clone()));
    }
    columns
}

/// A name that no column has: the wanted one, or else another, with a number behind it if that is
/// taken, too.
pub fn unique(columns: &[(String, Type)], wanted: &str, other: &str) -> String {
    let is_taken = |name: &str| columns.iter().any(|(taken, _)| taken == name);
    let numbered = (2..).map(|number| format!("{other}_{number}"));
    let names = [wanted.to_owned(), other.to_owned()].into_iter().chain(numbered);
    names.into_iter().find(|name| !is_taken(name)).unwrap_or_default()
}

#[derive(Debug)]
enum Writer {
    Here(Box<RowWriter>),
    Thread {
        blocks: SyncSender<Vec<Column>>,
        thread: JoinHandle<Result<Box<RowWriter>, Error>>,
    },
    /// It has ended, well or not.
    Gone,
}

impl Table {
    pub fn create(
        columns: &[(String, Type)],
        path: &Path,
        threads: usize,
    ) -> Result<Table, Failure> {
        let columns: Vec<(&str, Type)> =
            columns.iter().map(|(name, ty)| (&**name, ty.clone())).collect();
        let writer = Box::new(RowWriter::create(path, &columns, WriteOptions::default())?);
        let writer = if threads > 1 { on_thread(writer)? } else { Writer::Here(writer) };
        Ok(Table { path: path.to_owned(), rows: 0, writer })
    }

    /// Rows handed over so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes so many rows; an error is only a hint that [`Table::failure`] knows more.
    pub fn write<'a>(
        &mut self,
        columns: impl Iterator<Item = &'a Column>,
        rows: usize,
    ) -> Result<(), String> {
        self.rows += rows as u64;
        match &mut self.writer {
            Writer::Here(writer) => {
                let columns: Vec<&Column> = columns.collect();
                writer.write(&columns, 0..rows).map_err(|e| e.to_string())
            }
            Writer::Thread { .. } => self.write_owned(columns.cloned().collect()),
            Writer::Gone => Err(OUTPUT_FAILED.to_owned()),
        }
    }

    /// As [`Table::write`], of columns that are needed no more.
    pub fn write_all(&mut self, columns: Vec<Column>) -> Result<(), String> {
        let rows = columns.first().map_or(0, Column::len);
        match &self.writer {
            Writer::Here(_) | Writer::Gone => self.write(columns.iter(), rows),
            Writer::Thread { .. } => {
                self.rows += rows as u64;
                self.write_owned(columns)
            }
        }
    }

    fn write_owned(&self, columns: Vec<Column>) -> Result<(), String> {
        match &self.writer {
            Writer::Thread { blocks, .. } => {
                blocks.send(columns).map_err(|_| OUTPUT_FAILED.to_owned())
            }
            Writer::Here(_) | Writer::Gone => Err(OUTPUT_FAILED.to_owned()),
        }
    }

    /// What stopped the engine: its own error, or the writer's if that ended first.
    pub fn engine_failure(&mut self, error: EngineError) -> Failure {
        match error {
            EngineError::Sink(_) => self.failure(error),
            EngineError::Cold(_) | EngineError::Restore(_) | EngineError::Pending { .. } => {
                error.into()
            }
        }
    }

    /// What stopped the writer, where it was that; else `error`.
    pub fn failure(&mut self, error: impl Into<Failure>) -> Failure {
        match std::mem::replace(&mut self.writer, Writer::Gone) {
            Writer::Thread { blocks, thread } => {
                drop(blocks);
                match thread.join() {
                    Ok(Err(cause)) => cause.into(),
                    Ok(Ok(_)) | Err(_) => error.into(),
                }
            }
            Writer::Here(_) | Writer::Gone => error.into(),
        }
    }

    /// Gives the file its name; returns how many rows it has.
    pub fn finish(self) -> Result<u64, Failure> {
        let writer = match self.writer {
            Writer::Here(writer) => writer,
            Writer::Thread { blocks, thread } => {
                drop(blocks);
                let written = thread.join();
                written.map_err(|_| Failure::bug("the writing thread failed"))??
            }
            Writer::Gone => {
                let path = self.path.display();
                return Err(Failure::bug(format!("{path}: the writer ended early")));
            }
        };
        writer.finish()?;
        Ok(self.rows)
    }
}

fn on_thread(mut writer: Box<RowWriter>) -> Result<Writer, Failure> {
    let (blocks, waiting) = sync_channel::<Vec<Column>>(BLOCKS_AHEAD);
    let write = move || {
        for block in waiting {
            let rows = block.first().map_or(0, Column::len);
            writer.write(&block.iter().collect::<Vec<_>>(), 0..rows)?;
        }
        Ok(writer)
    };
    let thread = std::thread::Builder::new().name("write".to_owned()).spawn(write);
    let thread = thread.map_err(|e| Failure::environment(format!("no thread to write: {e}")))?;
    Ok(Writer::Thread { blocks, thread })
}

#[cfg(test)]
mod tests {
    use millrace_feature::{SourceFile, compile};

    use super::*;

    #[test]
    fn no_two_columns_have_one_name() {
        let text = "entity card\nstream pay { id : int id at : timestamp time card : card }\n\
                    view v on pay { id = card at = at event_id = card event_at_2 = at }\n";
        let compiled = compile(&[SourceFile::new("a.mill", text)]);
        let plan = compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
        let columns = columns_of(&plan, 0);
        let names: Vec<&str> = columns.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["event_id_2", "event_at", "id", "at", "event_id", "event_at_2"]);
        assert_eq!(unique(&columns, "row", "row_number"), "row");
        assert_eq!(unique(&columns, "id", "event_at"), "event_at_3");
    }
}
