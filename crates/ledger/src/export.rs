//! Closed segments as Parquet: `decision-files/NAME/FIRST.parquet`, one folder for each decision.
//!
//! A file holds decisions of one name and one start of a server, so that its columns have the types
//! of one definition; `FIRST` is the number of its first decision. Which decisions are in files
//! already is noted in `decision-files/.exported`, after them: what an end in between leaves behind
//! is written over, since the same decisions make a file of the same name.
//!
//! What is in no file yet is never removed from the log, and a record that cannot be read stops the
//! export there: to go on behind it would remove the only copy of it with its segment.

mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_store::disk::{read_start, replace};
use millrace_store::{Disk, Folder, Name, Offset};

use crate::entries::Entries;
use crate::error::LedgerError;
use crate::writer::LedgerSettings;
use table::Table;

/// Decisions held at once, and the most in one file.
const ROWS_MAX: usize = 65_536;
/// About how many bytes they may take: wide vectors make fewer rows.
const BYTES_MAX: usize = 64 << 20;
/// The note is one number.
const NOTE_BYTES_MAX: usize = 64;

/// By the name of the decision and the start of the server.
type Tables = BTreeMap<(String, u64), Table>;

#[derive(Debug)]
pub(crate) struct Exporter {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Of all files.
    bytes_max: u64,
    /// Of what is held at once.
    held_max: usize,
    exported: u64,
    /// Whether there may be more files than there should.
    is_untrimmed: bool,
}

impl Exporter {
    pub fn open(disk: Arc<dyn Disk>, settings: &LedgerSettings) -> Result<Exporter, LedgerError> {
        let folder = settings.dir.join(Folder::DECISION_FILES.as_str());
        let exported = noted(&*disk)?;
        remove_unfinished(&folder)?;
        let bytes_max = settings.bytes_max;
        let held_max = BYTES_MAX;
        Ok(Exporter { disk, folder, bytes_max, held_max, exported, is_untrimmed: true })
    }

    /// Behind the last decision that is in a file.
    pub fn exported(&self) -> u64 {
        self.exported
    }

    /// Writes files of all decisions before this one.
    pub fn export(&mut self, to: u64) -> Result<(), LedgerError> {
        while self.exported < to {
            let (tables, next) = self.read(to)?;
            for ((name, _), table) in &tables {
                table.write(&self.folder_of(name)?)?;
            }
            self.note(next)?;
        }
        if self.is_untrimmed {
            self.trim()?;
            self.is_untrimmed = false;
        }
        Ok(())
    }

    /// As many decisions as may be held, by name and start, and the first that is not among them.
    fn read(&self, to: u64) -> Result<(Tables, u64), LedgerError> {
        let mut entries = Entries::open_at(Arc::clone(&self.disk), Offset(self.exported))?;
        let mut tables = Tables::new();
        let (mut rows, mut bytes, mut next) = (0, 0, self.exported);
        while next < to && rows < ROWS_MAX && bytes < self.held_max {
            let entry = match entries.next_or_fail(|_| true) {
                Ok(Some(entry)) => entry,
                Ok(None) => return Ok((tables, to)),
                // It is told when all before it is in files.
                Err(_) if rows > 0 => return Ok((tables, next)),
                Err(error) => return Err(error),
            };
            let key = (entry.form().name.clone(), entry.record.run);
            tables.entry(key).or_insert_with(|| Table::new(&entry)).push(&entry);
            rows += 1;
            bytes += Table::bytes_of(&entry);
            next = entry.offset + 1;
        }
        Ok((tables, next))
    }

    /// The folder of a decision, whose entry is durable before anything is noted as being in it.
    fn folder_of(&self, name: &str) -> Result<PathBuf, LedgerError> {
        let of_name = self.folder.join(name);
        if !of_name.is_dir() {
            self.disk.create_folder(&Folder::DECISION_FILES)?;
            // These are events: they are nobody else's business.
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&of_name);
            made.map_err(failed(&of_name))?;
            self.disk.sync_folder(&Folder::DECISION_FILES)?;
        }
        Ok(of_name)
    }

    fn note(&mut self, exported: u64) -> Result<(), LedgerError> {
        write_note(&*self.disk, exported)?;
        self.exported = exported;
        self.is_untrimmed = true;
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

/// The number that is noted, also under the name that it had before: it is moved, since a decision
/// of that name needs the place for its folder.
fn noted(disk: &dyn Disk) -> Result<u64, LedgerError> {
    let names = disk.list(&Folder::DECISION_FILES)?;
    let is_there = |name: &Name| names.iter().any(|file| file == name.file());
    let read = |name: &Name| {
        let bytes = read_start(disk, name, NOTE_BYTES_MAX)?;
        let text = String::from_utf8_lossy(&bytes);
        // From 0 on, decisions would be in two files: nobody but a person can tell.
        let number = text.trim().parse::<u64>();
        number.map_err(|_| LedgerError::Note { name: name.clone() })
    };
    let noted = if is_there(&Name::EXPORTED) { Some(read(&Name::EXPORTED)?) } else { None };
    if !is_there(&Name::EXPORTED_BEFORE) {
        return Ok(noted.unwrap_or(0));
    }
    let number = match noted {
        Some(number) => number,
        None => read(&Name::EXPORTED_BEFORE)?,
    };
    write_note(disk, number)?;
    disk.remove(&Name::EXPORTED_BEFORE)?;
    disk.sync_folder(&Folder::DECISION_FILES)?;
    Ok(number)
}

fn write_note(disk: &dyn Disk, exported: u64) -> Result<(), LedgerError> {
    disk.create_folder(&Folder::DECISION_FILES)?;
    Ok(replace(disk, &Name::EXPORTED, format!("{exported}\n").as_bytes())?)
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
