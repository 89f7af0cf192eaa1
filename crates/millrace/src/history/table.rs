//! The rows of a view, on their way to a file.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use millrace_connector::{Error, RowWriter, WriteOptions};
use millrace_event::{Column, Type};
use millrace_feature::plan::Plan;
use millrace_stream::{EngineError, Rows};

use crate::exit::Failure;

/// Blocks of rows that may wait to be written.
const BLOCKS_AHEAD: usize = 4;
/// What the engine is told; [`Table::failure`] knows more.
const OUTPUT_FAILED: &str = "the rows cannot be written";

/// The file of rows: id, time, then the view's columns. The file appears when all is written.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    id: usize,
    time: usize,
    rows: u64,
    writer: Writer,
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
    pub fn create(plan: &Plan, view: usize, path: &Path, threads: usize) -> Result<Table, Failure> {
        let view = &plan.views[view];
        let schema = &plan.streams[view.stream].schema;
        let is_taken = |name: &str| view.columns.iter().any(|c| &*c.name == name);
        let own = |index: usize| {
            let field = &schema.fields[index];
            // A column of the view keeps its name; the event's own field then gives way.
            let name = if is_taken(&field.name) {
                format!("event_{}", field.name)
            } else {
                field.name.to_string()
            };
            (name, field.ty.clone())
        };
        let (id, time) = (own(schema.id), own(schema.time));
        let mut columns: Vec<(&str, Type)> = vec![(&id.0, id.1.clone()), (&time.0, time.1.clone())];
        columns.extend(view.columns.iter().map(|c| (&*c.name, c.ty.clone())));
        let writer = Box::new(RowWriter::create(path, &columns, WriteOptions::default())?);
        let writer = if threads > 1 { on_thread(writer)? } else { Writer::Here(writer) };
        Ok(Table { path: path.to_owned(), id: schema.id, time: schema.time, rows: 0, writer })
    }

    /// Rows handed over so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes these rows; an error is only a hint that [`Table::failure`] knows more.
    pub fn write(&mut self, rows: &Rows<'_>) -> Result<(), String> {
        let count = rows.events.len();
        self.rows += count as u64;
        let own = [&rows.events.columns[self.id], &rows.events.columns[self.time]];
        let columns = own.into_iter().chain(rows.values);
        match &mut self.writer {
            Writer::Here(writer) => {
                let columns: Vec<&Column> = columns.collect();
                writer.write(&columns, 0..count).map_err(|e| e.to_string())
            }
            Writer::Thread { blocks, .. } => {
                let sent = blocks.send(columns.cloned().collect());
                sent.map_err(|_| OUTPUT_FAILED.to_owned())
            }
            Writer::Gone => Err(OUTPUT_FAILED.to_owned()),
        }
    }

    /// What stopped the engine: its own error, or the writer's if that ended first.
    pub fn failure(&mut self, error: EngineError) -> Failure {
        match std::mem::replace(&mut self.writer, Writer::Gone) {
            Writer::Thread { blocks, thread } if matches!(error, EngineError::Sink(_)) => {
                drop(blocks);
                match thread.join() {
                    Ok(Err(cause)) => cause.into(),
                    Ok(Ok(_)) | Err(_) => error.into(),
                }
            }
            Writer::Here(_) | Writer::Thread { .. } | Writer::Gone => error.into(),
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
