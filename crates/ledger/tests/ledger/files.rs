//! Parquet files of closed segments, and how much is kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_connector::{FileOptions, FileSource};
use millrace_event::{Field, Schema, Span, Type, Value};
use millrace_store::{MemoryDisk, Name};

use crate::world::{TEXT, World, entries};

fn files(folder: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = names.map(|name| name.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "parquet"));
    files.sort();
    files
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Some columns of a file, as events.
fn rows(path: &Path) -> Vec<Vec<Value>> {
    let field = |name: &str, ty, nullable| Field { name: Arc::from(name), ty, nullable };
    let schema = Schema {
        stream: Arc::from("decisions"),
        fields: vec![
            field("id", Type::String, false),
            field("decided_at", Type::Timestamp, false),
            field("outcome", Type::String, false),
            field("score__risk", Type::Float, true),
            field("vector__n", Type::Int, true),
            field("state__idle", Type::String, true),
            field("event__amount", Type::Decimal(2), true),
            field("event__id", Type::String, true),
            field("age__velocity", Type::Duration, true),
        ],
        id: 0,
        time: 1,
        lateness: Span(0),
    };
    let mut source = FileSource::open(path, Arc::new(schema), &FileOptions::default()).unwrap();
    let mut rows = Vec::new();
    while let Some(decoded) = source.next_block(65_536).unwrap() {
        let batch = decoded.batch;
        for row in 0..batch.len() {
            let cells = batch.columns.iter().zip(&batch.schema.fields);
            rows.push(cells.map(|(column, field)| column.value(row, &field.ty)).collect());
        }
    }
    rows
}

#[test]
fn closed_segments_are_written_as_typed_columns() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let mut world = World::on(MemoryDisk::new(), TEXT, Arc::clone(&folder), |settings| {
        settings.segment_time = Duration::from_millis(200);
    });
    world.pay("a", 1_000, Span(0));
    for n in 0..10 {
        world.decide("authorise", "a", n);
    }
    world.decide("plain", "b", 7);
    let of = |name: &str| folder.path().join("decision-files").join(name);
    until("there is a file of each", || {
        ["authorise", "plain"].iter().all(|name| !files(&of(name)).is_empty())
    });
    let (disk, _) = world.close();
    let rows: Vec<Vec<Value>> = files(&of("authorise")).iter().flat_map(|f| rows(f)).collect();
    let logged: Vec<_> = entries(&disk).into_iter().filter(|e| e.record.decision == 0).collect();
    assert_eq!((rows.len(), logged.len()), (10, 10));
    for (row, entry) in rows.iter().zip(&logged) {
        let record = &entry.record;
        assert_eq!(row[0], Value::text(&record.id.to_string()));
        assert_eq!(row[1], Value::Timestamp(record.decided_at));
        assert_eq!(row[2], Value::text(record.outcome.name()));
        assert_eq!(row[3], Value::Float(record.scores[0].value));
        assert_eq!((&row[4], &row[5]), (&Value::Int(1), &Value::text("ok")));
        assert_eq!(row[6], record.event[3].value(0, &Type::Decimal(2)));
        assert_eq!((&row[7], &row[8]), (&Value::Null, &Value::Duration(Span(0))));
    }
}

#[test]
fn the_oldest_are_removed_once_they_are_in_files() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let disk = MemoryDisk::new();
    let change = |settings: &mut millrace_ledger::LedgerSettings| {
        settings.segment_bytes = 2_000;
        settings.bytes_max = 8_000;
    };
    let mut world = World::on(disk, TEXT, Arc::clone(&folder), change);
    world.pay("a", 1_000, Span(0));
    for n in 0..200 {
        world.decide("authorise", "a", n);
    }
    until("the log is short again", || {
        world.decide("authorise", "a", 1);
        let first = entries(&world.disk)[0].offset;
        first > 100 && world.ledger.bytes() <= 8_000 + 2_500
    });
    let of_name = folder.path().join("decision-files/authorise");
    until("and so are the files", || {
        let bytes: u64 = files(&of_name).iter().map(|f| f.metadata().unwrap().len()).sum();
        files(&of_name).len() == 1 || bytes <= 8_000
    });
    // What was written goes on where it was, after a restart.
    let exported = |disk: &MemoryDisk| -> u64 {
        let note = String::from_utf8(disk.content(&Name::EXPORTED).unwrap()).unwrap();
        note.trim().parse().unwrap()
    };
    let (disk, _) = world.close();
    let before = exported(&disk);
    let world = World::on(disk, TEXT, Arc::clone(&folder), change);
    (0..100).for_each(|n| drop(world.decide("authorise", "a", n)));
    until("more are in files", || exported(&world.disk) > before);
    world.close();
}

#[test]
fn what_is_in_no_file_stays_in_the_log_and_is_told() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let change = |settings: &mut millrace_ledger::LedgerSettings| {
        settings.segment_bytes = 2_000;
        settings.bytes_max = 8_000;
    };
    // A file where the folder of one of the decisions should be.
    std::fs::create_dir(folder.path().join("decision-files")).unwrap();
    let in_the_way = folder.path().join("decision-files/authorise");
    std::fs::write(&in_the_way, "").unwrap();
    let world = World::on(MemoryDisk::new(), TEXT, Arc::clone(&folder), change);
    for n in 0..200 {
        world.decide("authorise", "a", n);
    }
    until("it is told", || world.ledger.export_failure().is_some());
    let told = world.ledger.export_failure().unwrap();
    assert!(told.contains("decision-files/authorise"), "{told}");
    assert!(world.ledger.bytes() > 8_000);
    assert_eq!(entries(&world.disk).len(), 200);
    assert!(world.ledger.health().is_ok());
    let (disk, _) = world.close();
    std::fs::remove_file(in_the_way).unwrap();
    let world = World::on(disk, TEXT, folder, change);
    until("the log is short again", || world.ledger.bytes() <= 8_000 + 2_500);
    assert_eq!(world.ledger.export_failure(), None);
    world.close();
}
