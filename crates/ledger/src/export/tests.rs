use std::path::Path;

use millrace_connector::{FileOptions, FileSource};
use millrace_event::{Field, Schema, Span, Type, Value};
use millrace_store::{Access, FileDisk, Log, LogConfig, LogName, MemoryDisk};

use super::*;
use crate::id::DecisionId;
use crate::record::Record;
use crate::record::tests::{form, record};
use crate::run::tests::run;
use crate::writer::note_start;

/// Logs decisions of this name, with these ids.
fn logged(disk: &Arc<dyn Disk>, name: &str, ids: std::ops::Range<u128>) {
    let mut form = form();
    form.name = name.to_owned();
    let run = note_start(Arc::clone(disk), &run(vec![form])).unwrap();
    let records = ids.map(|id| Record { run, id: DecisionId(id), ..record() }.encode());
    append(disk, &records.collect::<Vec<_>>());
}

fn append(disk: &Arc<dyn Disk>, records: &[Vec<u8>]) {
    let name = LogName::DECISIONS;
    let (mut log, _) = Log::open(Arc::clone(disk), &name, LogConfig::default(), Offset(0)).unwrap();
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    log.append(&records).unwrap();
    log.close().unwrap();
}

fn exporter(disk: &Arc<dyn Disk>, dir: &Path) -> Exporter {
    Exporter::open(Arc::clone(disk), &LedgerSettings::new(dir.to_owned())).unwrap()
}

/// The ids in all files of the decision, in the order of the files.
fn ids(dir: &Path, name: &str) -> Vec<String> {
    let field = |name: &str, ty| Field { name: Arc::from(name), ty, nullable: false };
    let fields = vec![field("id", Type::String), field("decided_at", Type::Timestamp)];
    let schema =
        Arc::new(Schema { stream: Arc::from("d"), fields, id: 0, time: 1, lateness: Span(0) });
    let mut files = files_in(&dir.join("decision-files"), "parquet").unwrap();
    files.retain(|(_, _, path)| path.parent().is_some_and(|folder| folder.ends_with(name)));
    files.sort();
    let mut ids = Vec::new();
    for (_, _, path) in files {
        let mut source =
            FileSource::open(&path, Arc::clone(&schema), &FileOptions::default()).unwrap();
        while let Some(decoded) = source.next_block(65_536).unwrap() {
            let batch = decoded.batch;
            for row in 0..batch.len() {
                let Value::Text(id) = batch.columns[0].value(row, &Type::String) else { panic!() };
                ids.push(id.to_string());
            }
        }
    }
    ids
}

fn texts(ids: std::ops::Range<u128>) -> Vec<String> {
    ids.map(|id| DecisionId(id).to_string()).collect()
}

#[test]
fn a_decision_may_have_the_name_of_the_note() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(dir.path(), Access::Owner).unwrap());
    logged(&disk, "exported", 0..3);
    let mut first = exporter(&disk, dir.path());
    first.export(2).unwrap();
    first.export(3).unwrap();
    let mut again = exporter(&disk, dir.path());
    assert_eq!(again.exported(), 3);
    logged(&disk, "exported", 3..5);
    again.export(5).unwrap();
    assert_eq!(ids(dir.path(), "exported"), texts(0..5));
}

#[test]
fn the_note_is_read_once_where_it_was_before() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(dir.path(), Access::Owner).unwrap());
    logged(&disk, "exported", 0..3);
    disk.create_folder(&Folder::DECISION_FILES).unwrap();
    std::fs::write(dir.path().join("decision-files/exported"), "2\n").unwrap();
    let mut moved = exporter(&disk, dir.path());
    assert_eq!(moved.exported(), 2);
    let note = || std::fs::read_to_string(dir.path().join("decision-files/.exported")).unwrap();
    assert_eq!(note(), "2\n");
    assert!(!dir.path().join("decision-files/exported").exists());
    moved.export(3).unwrap();
    assert_eq!(note(), "3\n");
    // An end between the two of them: the new one holds.
    let memory = MemoryDisk::new();
    memory.put(&Name::EXPORTED, b"7\n");
    memory.put(&Name::EXPORTED_BEFORE, b"5\n");
    let disk: Arc<dyn Disk> = Arc::new(memory.clone());
    assert_eq!(exporter(&disk, dir.path()).exported(), 7);
    assert_eq!(memory.content(&Name::EXPORTED_BEFORE), None);
    memory.put(&Name::EXPORTED, b"many");
    let settings = LedgerSettings::new(dir.path().to_owned());
    let error = Exporter::open(disk, &settings).unwrap_err().to_string();
    assert!(
        error.starts_with("decision-files/.exported in the data directory does not"),
        "{error}"
    );
}

#[test]
fn an_end_between_a_file_and_the_note_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let memory = MemoryDisk::new();
    let disk: Arc<dyn Disk> = Arc::new(memory.clone());
    logged(&disk, "a", 0..3);
    logged(&disk, "b", 3..5);
    logged(&disk, "a", 5..7);
    // Calls on the disk of an export that nothing stops: each is the first to fail once.
    let calls = {
        let (disk, dir) = (Arc::new(memory.kill()), tempfile::tempdir().unwrap());
        let before = disk.calls();
        exporter(&(Arc::clone(&disk) as Arc<dyn Disk>), dir.path()).export(7).unwrap();
        disk.calls() - before
    };
    let all = ["a", "b"];
    for failing in 0..calls {
        let disk = memory.kill();
        let (first, kind) = (disk.calls() + failing, std::io::ErrorKind::StorageFull);
        let dir = tempfile::tempdir().unwrap();
        let fault = millrace_store::Fault { first, calls: u64::MAX, kind, half_done: true };
        disk.set_fault(Some(fault));
        let settings = LedgerSettings::new(dir.path().to_owned());
        let export = |disk: &MemoryDisk| {
            Exporter::open(Arc::new(disk.clone()), &settings).and_then(|mut e| e.export(7))
        };
        assert!(export(&disk).is_err(), "{failing}");
        let killed = disk.kill();
        export(&killed).unwrap();
        let found = all.map(|name| ids(dir.path(), name));
        let expected = [[texts(0..3), texts(5..7)].concat(), texts(3..5)];
        assert_eq!(found, expected, "{failing}");
        assert_eq!(killed.content(&Name::EXPORTED), Some(b"7\n".to_vec()));
    }
    drop((disk, dir));
}

#[test]
fn as_much_is_held_as_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    logged(&disk, "a", 0..10);
    let mut exporter = exporter(&disk, dir.path());
    let mut entries = Entries::open(Arc::clone(&disk)).unwrap();
    let bytes = Table::bytes_of(&entries.next_entry().unwrap().unwrap());
    exporter.held_max = 3 * bytes;
    exporter.export(10).unwrap();
    let files = files_in(&dir.path().join("decision-files"), "parquet").unwrap();
    let mut names: Vec<String> = files.into_iter().map(|(name, ..)| name).collect();
    names.sort();
    let expected = [0, 3, 6, 9].map(|first| format!("{first:020}.parquet"));
    assert_eq!(names, expected);
    assert_eq!(ids(dir.path(), "a"), texts(0..10));
}

#[test]
fn what_cannot_be_read_stops_the_export_in_front_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    logged(&disk, "a", 0..3);
    append(&disk, &[vec![1, 2, 3]]);
    let mut exporter = exporter(&disk, dir.path());
    let error = exporter.export(4).unwrap_err().to_string();
    assert_eq!(ids(dir.path(), "a"), texts(0..3));
    assert!(error.starts_with("record 3 of the decision log cannot be read: "), "{error}");
    assert_eq!(exporter.exported(), 3);
}
