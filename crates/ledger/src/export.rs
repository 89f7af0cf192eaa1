//! Closed segments as Parquet: `decision-files/NAME/FIRST.parquet`, one folder for each decision.
//!
//! A file holds decisions of one name and one start of a server, so that its columns have the types
//! of one definition; `FIRST` is the number of its first decision. Which decisions are in files
//! already is said by `decision-files/exported`, written after them: what an end in between leaves
//! behind is written over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_connector::{RowWriter, WriteOptions};
use millrace_event::{Column, Mark, State, Type, Value};
use millrace_store::{Disk, Offset};

use crate::entries::{Entries, Entry};
use crate::error::LedgerError;
use crate::forms::DecisionForm;
use crate::writer::LedgerSettings;

/// The folder in the data directory.
pub(crate) const FOLDER: &str = "decision-files";
const EXPORTED: &str = "exported";
/// Decisions held at once, and the most in one file.
const ROWS_MAX: usize = 65_536;

#[derive(Debug)]
pub(crate) struct Exporter {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    bytes_max: u64,
    exported: u64,
}

impl Exporter {
    pub fn open(disk: Arc<dyn Disk>, settings: &LedgerSettings) -> Result<Exporter, LedgerError> {
        let folder = settings.dir.join(FOLDER);
        let path = folder.join(EXPORTED);
        let exported = match std::fs::read_to_string(&path) {
            // From 0 on, decisions would be in two files: nobody but a person can tell.
            Ok(text) => text.trim().parse().map_err(|_| failed(&path)(unreadable()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(failed(&path)(error)),
        };
        remove_unfinished(&folder)?;
        Ok(Exporter { disk, folder, bytes_max: settings.bytes_max, exported })
    }

    /// Behind the last decision that is in a file.
    pub fn exported(&self) -> u64 {
        self.exported
    }

    /// Writes files of all decisions before this one.
    pub fn export(&mut self, to: u64) -> Result<(), LedgerError> {
        while self.exported < to {
            let mut entries = Entries::open_at(Arc::clone(&self.disk), Offset(self.exported))?;
            let mut tables: BTreeMap<(String, u64), Table> = BTreeMap::new();
            let (mut rows, mut next) = (0, to);
            while let Some(entry) = entries.next_entry()? {
                if entry.offset >= to || rows == ROWS_MAX {
                    next = entry.offset.min(to);
                    break;
                }
                let key = (entry.form().name.clone(), entry.record.run);
                tables.entry(key).or_insert_with(|| Table::new(&entry)).push(&entry);
                rows += 1;
            }
            for ((name, _), table) in &tables {
                table.write(&self.folder.join(name))?;
            }
            self.note(next)?;
        }
        self.trim()
    }

    fn note(&mut self, exported: u64) -> Result<(), LedgerError> {
        std::fs::create_dir_all(&self.folder).map_err(failed(&self.folder))?;
        let (path, new) = (self.folder.join(EXPORTED), self.folder.join("exported.tmp"));
        let mut file = File::create(&new).map_err(failed(&new))?;
        writeln!(file, "{exported}").and_then(|()| file.sync_all()).map_err(failed(&new))?;
        std::fs::rename(&new, &path).map_err(failed(&path))?;
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(failed(&self.folder))?;
        self.exported = exported;
        Ok(())
    }

    /// Removes the oldest files while there are too many bytes of them; the newest stays.
    fn trim(&self) -> Result<(), LedgerError> {
        let mut files = files_in(&self.folder, "parquet")?;
        files.sort();
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        let but_newest = files.len().saturating_sub(1);
        for (_, bytes, path) in files.iter().take(but_newest) {
            if total <= self.bytes_max {
                break;
            }
            std::fs::remove_file(path).map_err(failed(path))?;
            total -= bytes;
            tracing::info!(file = %path.display(), "the oldest file of decisions was removed");
        }
        Ok(())
    }
}

fn unreadable() -> std::io::Error {
    let what = "it does not say how many decisions are in files; write the number behind the last \
                one that is in the newest file, or remove all files of decisions and write 0";
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}

/// Removes what an end in the middle of a file left. Nobody else writes here: the data directory
/// has one owner.
fn remove_unfinished(folder: &Path) -> Result<(), LedgerError> {
    for (_, _, path) in files_in(folder, "partial")? {
        std::fs::remove_file(&path).map_err(failed(&path))?;
    }
    Ok(())
}

/// Name, bytes and path of each file of decisions with this ending.
fn files_in(folder: &Path, ending: &str) -> Result<Vec<(String, u64, PathBuf)>, LedgerError> {
    let mut files = Vec::new();
    let names = match std::fs::read_dir(folder) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(failed(folder)(error)),
    };
    for name in names {
        let of_name = name.map_err(failed(folder))?.path();
        if !of_name.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&of_name).map_err(failed(&of_name))? {
            let file = file.map_err(failed(&of_name))?;
            let path = file.path();
            if path.extension().is_some_and(|e| e == ending) {
                let bytes = file.metadata().map_err(failed(&path))?.len();
                files.push((file.file_name().to_string_lossy().into_owned(), bytes, path));
            }
        }
    }
    Ok(files)
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> LedgerError {
    move |source| LedgerError::Io { path: path.display().to_string(), source }
}

/// The rows of one file.
struct Table {
    first: u64,
    form: DecisionForm,
    columns: Vec<(String, Type, Column)>,
    rows: usize,
}

impl Table {
    fn new(entry: &Entry) -> Table {
        let form = entry.form().clone();
        let mut columns: Vec<(String, Type)> = vec![
            ("id".to_owned(), Type::String),
            ("decided_at".to_owned(), Type::Timestamp),
            ("outcome".to_owned(), Type::String),
            ("reason".to_owned(), Type::String),
            ("rule".to_owned(), Type::Int),
            ("frontier".to_owned(), Type::Int),
            ("definition".to_owned(), Type::String),
            ("view_definition".to_owned(), Type::String),
        ];
        for (kind, models) in [("score", &form.scores), ("shadow", &form.shadows)] {
            for model in models {
                columns.push((format!("{kind}__{}", model.name), Type::Float));
                columns.push((format!("{kind}_raw__{}", model.name), Type::Float));
                columns.push((format!("{kind}_model__{}", model.name), Type::String));
            }
        }
        columns.extend(form.groups.iter().map(|g| (format!("age__{g}"), Type::Duration)));
        columns.extend(form.fields.iter().map(|f| (format!("event__{}", f.name), f.ty.clone())));
        for column in &form.columns {
            columns.push((format!("vector__{}", column.name), column.ty.clone()));
            columns.push((format!("state__{}", column.name), Type::String));
        }
        let empty = |(name, ty): (String, Type)| {
            let column = Column::new(ty.physical());
            (name, ty, column)
        };
        let columns = columns.into_iter().map(empty).collect();
        Table { first: entry.offset, form, columns, rows: 0 }
    }

    /// In the order of [`Table::new`].
    fn push(&mut self, entry: &Entry) {
        let record = &entry.record;
        let form = &self.form;
        let mut columns = self.columns.iter_mut().map(|(_, _, column)| column);
        let mut push = |value: Value| {
            if let Some(column) = columns.next() {
                column.push(&value, State::Ok);
            }
        };
        push(Value::text(&record.id.to_string()));
        push(Value::Timestamp(record.decided_at));
        push(Value::text(record.outcome.name()));
        push(Value::text(form.reason(record.rule)));
        push(record.rule.map_or(Value::Null, |rule| Value::Int(rule as i64)));
        push(Value::Int(i64::try_from(record.frontier).unwrap_or(i64::MAX)));
        push(Value::text(&form.hash));
        push(Value::text(&form.view_hash));
        let scores = form.scores.iter().zip(&record.scores);
        for (model, score) in scores.chain(form.shadows.iter().zip(&record.shadows)) {
            for number in [score.value, score.raw] {
                if let Some(column) = columns.next() {
                    column.push_float(number, Mark::OK);
                }
            }
            if let Some(column) = columns.next() {
                column.push(&Value::text(&model.hash), State::Ok);
            }
        }
        for age in &record.ages {
            if let Some(column) = columns.next() {
                column.push(&Value::Duration(*age), State::Ok);
            }
        }
        for (cell, column) in record.event.iter().zip(columns.by_ref()) {
            column.append(cell);
        }
        for cell in &record.vector {
            if let Some(column) = columns.next() {
                column.append(cell);
            }
            if let Some(column) = columns.next() {
                column.push(&Value::text(cell.mark(0).state().name()), State::Ok);
            }
        }
        self.rows += 1;
    }

    fn write(&self, folder: &Path) -> Result<(), LedgerError> {
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let path = folder.join(format!("{:020}.parquet", self.first));
        let declared: Vec<(&str, Type)> =
            self.columns.iter().map(|(name, ty, _)| (name.as_str(), ty.clone())).collect();
        let mut writer = RowWriter::create(&path, &declared, WriteOptions::default())?;
        let columns: Vec<&Column> = self.columns.iter().map(|(_, _, column)| column).collect();
        writer.write(&columns, 0..self.rows)?;
        Ok(writer.finish()?)
    }
}
