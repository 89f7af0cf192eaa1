//! The same on a real file system.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use millrace_event::EventTime;
use millrace_store::{
    Access, Checkpoints, CheckpointsConfig, Disk, Epoch, FileDisk, Folder, Keys, LiveBytes, Log,
    LogConfig, LogName, LogReader, Name, Offset, Publication, SegmentId, StoreError, Table,
};

fn owner(path: &Path) -> Arc<FileDisk> {
    Arc::new(FileDisk::open(path, Access::Owner).unwrap())
}

#[test]
fn a_log_is_read_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    let config = LogConfig { segment_bytes: 1_000 };
    let (mut log, _) = Log::open(owner(&root), &LogName::EVENTS, config, Offset(0)).unwrap();
    for n in 0..100u8 {
        log.append(&[&[n; 30]]).unwrap();
    }
    assert_eq!(log.sync().unwrap(), Offset(100));
    drop(log);

    // Another process died in the middle of a write.
    let disk = owner(&root);
    let last = disk.list(&LogName::EVENTS.folder()).unwrap().pop().unwrap();
    let last = root.join("events").join(last);
    let mut bytes = fs::read(&last).unwrap();
    let whole = bytes.len();
    bytes.extend([1, 2, 3]);
    fs::write(&last, bytes).unwrap();
    let (mut log, opened) = Log::open(disk, &LogName::EVENTS, config, Offset(100)).unwrap();
    assert_eq!(opened.torn.map(|torn| (torn.at, torn.bytes)), Some((whole as u64, 3)));
    assert_eq!(fs::metadata(&last).unwrap().len(), whole as u64);
    assert!(log.remove_before(Offset(50)).unwrap() > 0);
    log.truncate_to(Offset(90)).unwrap();
    log.append(&[b"new"]).unwrap();
    log.sync().unwrap();

    let reads = Arc::new(FileDisk::open(&root, Access::Read).unwrap());
    let mut reader = LogReader::open(reads, &LogName::EVENTS, Offset(60)).unwrap();
    for n in 60..90u8 {
        assert_eq!(reader.next_record().unwrap(), Some((Offset(n.into()), &[n; 30][..])));
    }
    assert_eq!(reader.next_record().unwrap(), Some((Offset(90), &b"new"[..])));
    assert_eq!(reader.next_record().unwrap(), None);
}

#[test]
fn what_was_flushed_is_seen_by_others_and_segments_begin_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let config = LogConfig::default();
    let (mut log, _) =
        Log::open(owner(folder.path()), &LogName::DECISIONS, config, Offset(0)).unwrap();
    log.begin_segment().unwrap();
    assert_eq!(log.segments(), [Offset(0)], "an empty segment is the next one");
    log.append(&[b"a", b"b"]).unwrap();
    let seen = || {
        let reads = Arc::new(FileDisk::open(folder.path(), Access::Read).unwrap());
        let mut reader = LogReader::open(reads, &LogName::DECISIONS, Offset(0)).unwrap();
        std::iter::from_fn(|| reader.next_record().unwrap().map(|(at, _)| at.0)).collect::<Vec<_>>()
    };
    assert_eq!(seen(), [0; 0]);
    log.flush().unwrap();
    assert_eq!((seen(), log.durable()), (vec![0, 1], Offset(0)));
    log.begin_segment().unwrap();
    log.append(&[b"c"]).unwrap();
    log.flush().unwrap();
    assert_eq!((seen(), log.durable()), (vec![0, 1, 2], Offset(2)));
    assert_eq!(log.segments(), [Offset(0), Offset(2)]);
}

#[test]
fn a_checkpoint_is_read_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = CheckpointsConfig::default();
    let (mut checkpoints, _) = Checkpoints::open(owner(folder.path()), config).unwrap();
    let epoch = checkpoints.next_epoch();
    let mut writer = checkpoints.begin(epoch).unwrap();
    let mut live = LiveBytes::default();
    for n in 0..10_000u32 {
        live.add(writer.put(Table(3), &n.to_le_bytes(), &[7; 100]).unwrap());
    }
    let (segments, live) = (writer.finish().unwrap(), &live);
    let meta = b"frontier".to_vec();
    let published = checkpoints.publish(Publication { epoch, segments, retired: &[], live, meta });
    assert!(published.unwrap().cleanup.is_none());
    drop(checkpoints);

    let (checkpoints, recovery) = Checkpoints::open(owner(folder.path()), config).unwrap();
    assert_eq!(recovery.manifest.unwrap().meta, b"frontier");
    let (mut records, reader) = (checkpoints.records(), checkpoints.reader());
    let mut count = 0u32;
    while let Some(record) = records.next_record().unwrap() {
        assert_eq!((record.table, record.key), (Table(3), &count.to_le_bytes()[..]));
        if count.is_multiple_of(1_000) {
            assert_eq!(reader.value(record.at).unwrap(), [7; 100]);
        }
        count += 1;
    }
    assert_eq!(count, 10_000);
}

#[test]
fn one_process_owns_a_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let first = owner(folder.path());
    let error = FileDisk::open(folder.path(), Access::Owner).unwrap_err();
    let expected = format!(
        "{} is in use by process {}; stop that process or use another data directory",
        folder.path().display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), expected);
    let keys = FileDisk::open(folder.path(), Access::Keys).unwrap();
    assert!(matches!(FileDisk::open(folder.path(), Access::Keys), Err(StoreError::Locked { .. })));
    drop(first);
    drop(owner(folder.path()));
    drop(keys);
}

#[test]
fn who_opens_to_read_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let disk = FileDisk::open(&missing, Access::Read).unwrap();
    assert_eq!(disk.list(&Folder::ROOT).unwrap(), [""; 0]);
    assert!(!missing.exists());
    let disk = FileDisk::open(folder.path(), Access::Read).unwrap();
    let error = disk.create(&Name::KEYS).unwrap_err();
    assert!(error.to_string().contains("was opened to read"), "{error}");
    assert!(disk.create_folder(&Folder::CHECKPOINTS).is_err());
    assert!(disk.remove(&Name::KEYS).is_err());
    assert!(disk.truncate(&Name::KEYS, 0).is_err());
    assert!(disk.rename(&Name::KEYS, &Name::PEPPER).is_err());
    assert!(disk.append(&Name::KEYS).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn files_are_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    let disk = owner(&root);
    let mut keys = Keys::open(disk.clone()).unwrap();
    let key = keys.create("notebook", "risk", EventTime(0)).unwrap();
    drop(Log::open(disk, &LogName::EVENTS, LogConfig::default(), Offset(0)).unwrap());
    let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode(""), mode("events")], [0o700; 2]);
    let files = ["keys.json", "pepper", "LOCK", "events/00000000000000000000.log"];
    assert_eq!(files.map(mode), [0o600; 4]);

    let reads = Arc::new(FileDisk::open(&root, Access::Read).unwrap());
    assert_eq!(Keys::open(reads).unwrap().verify(key.reveal()).unwrap().name, "notebook");
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let disk = owner(folder.path());
    drop(Log::open(disk.clone(), &LogName::EVENTS, LogConfig::default(), Offset(0)).unwrap());
    disk.create_folder(&Folder::CHECKPOINTS).unwrap();
    let names = [
        Name::log_segment(&LogName::EVENTS, Offset(0)),
        Name::segment(SegmentId(1)),
        Name::manifest(Epoch(1)),
        Name::KEYS,
    ];
    let pipe = |path: &Path| {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    for name in names {
        let path = folder.path().join(name.to_string());
        for make in [&pipe as &dyn Fn(&Path), &|path| fs::create_dir(path).unwrap()] {
            drop(fs::remove_file(&path));
            make(&path);
            let refused = [
                disk.open(&name).map(drop).unwrap_err(),
                disk.append(&name).map(drop).unwrap_err(),
            ];
            let config = LogConfig::default();
            let log = Log::open(disk.clone(), &LogName::EVENTS, config, Offset(0)).err();
            let checkpoints = Checkpoints::open(disk.clone(), CheckpointsConfig::default()).err();
            let keys = Keys::open(disk.clone()).err();
            let opened = [log, checkpoints, keys].into_iter().flatten().map(|e| e.to_string());
            for error in opened.chain(refused.map(|e| e.to_string())) {
                assert!(error.contains(&*path.to_string_lossy()), "{error}");
                assert!(error.contains("this is not a regular file; move it away"), "{error}");
            }
        }
        fs::remove_dir(&path).unwrap();
    }
}

#[test]
fn an_error_of_the_file_system_names_path_call_and_fix() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FileDisk::open(folder.path(), Access::Read).unwrap();
    let error = disk.open(&Name::manifest(millrace_store::Epoch(1))).unwrap_err();
    let path = folder.path().join("checkpoints/00000000000000000001.manifest");
    let expected = format!(
        "could not open {}: No such file or directory (os error 2); \
         check that the data directory is there and complete",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
}
