//! Files of format version 1, kept forever: this program must always be able to read them.
//!
//! The fixtures were written by [`write`], and as long as version 1 is the one that is written,
//! writing again must give the same bytes. To add fixtures for a new version, run the tests with
//! `MILLRACE_GOLDEN=write` once, and keep the old ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use millrace_event::EventTime;
use millrace_store::{
    Access, Change, Checkpoints, CheckpointsConfig, Disk, Epoch, FileDisk, Folder, Keys, LiveBytes,
    Location, Log, LogConfig, LogName, LogReader, MemoryDisk, Name, Offset, Publication, SegmentId,
    Table,
};

const LOG: LogConfig = LogConfig { segment_bytes: 120 };
const CHECKPOINTS: CheckpointsConfig =
    CheckpointsConfig { segment_bytes: 160, rewrite_bytes_max: 1_000 };
/// The key that `keys.json` knows; made by the fixed randomness of a disk in memory.
const KEY: &str = include_str!("../golden/v1/key.txt");

fn folder() -> PathBuf {
    PathBuf::from("tests/golden/v1")
}

fn records() -> Vec<Vec<u8>> {
    (0..7u8).map(|n| vec![b'a' + n; usize::from(n) * 9]).collect()
}

/// Writes one of everything, and returns the key.
fn write(disk: &MemoryDisk) -> String {
    let shared = Arc::new(disk.clone());
    let (mut log, _) = Log::open(shared.clone(), &LogName::EVENTS, LOG, Offset(0)).unwrap();
    for record in records() {
        log.append(&[&record]).unwrap();
        log.sync().unwrap();
    }
    log.close().unwrap();

    let (mut checkpoints, _) = Checkpoints::open(shared.clone(), CHECKPOINTS).unwrap();
    let mut live = LiveBytes::default();
    for round in 1..=2u8 {
        let epoch = checkpoints.next_epoch();
        let mut writer = checkpoints.begin(epoch).unwrap();
        for key in 0..4u8 {
            live.add(writer.put(Table(key.into()), &[key], &[round; 30]).unwrap());
        }
        writer.delete(Table(9), b"gone").unwrap();
        let (segments, meta) = (writer.finish().unwrap(), vec![round; 5]);
        let publication = Publication { epoch, segments, retired: &[], live: &live, meta };
        checkpoints.publish(publication).unwrap();
    }
    let mut keys = Keys::open(shared).unwrap();
    keys.create("golden", "risk", EventTime(0)).unwrap().reveal().to_owned()
}

/// Every file of the disk, by its path below the data directory.
fn files(disk: &dyn Disk) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in [Folder::ROOT, LogName::EVENTS.folder(), Folder::CHECKPOINTS] {
        for file in disk.list(&folder).unwrap() {
            let name = match file.split_once('.') {
                Some((first, "log")) => {
                    Name::log_segment(&LogName::EVENTS, Offset(first.parse().unwrap()))
                }
                Some((id, "segment")) => Name::segment(SegmentId(id.parse().unwrap())),
                Some((epoch, "manifest")) => Name::manifest(Epoch(epoch.parse().unwrap())),
                Some((_, "json")) => Name::KEYS,
                None => Name::PEPPER,
                Some(_) => continue,
            };
            let open = disk.open(&name).unwrap();
            let mut content = vec![0; usize::try_from(open.len().unwrap()).unwrap()];
            open.read_at(0, &mut content).unwrap();
            files.insert(name.to_string(), content);
        }
    }
    files
}

#[test]
fn version_1_is_written_as_it_was() {
    let disk = MemoryDisk::new();
    let key = write(&disk);
    let written = files(&disk);
    if std::env::var("MILLRACE_GOLDEN").as_deref() == Ok("write") {
        for (path, content) in &written {
            let path = folder().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
        }
        fs::write(folder().join("key.txt"), &key).unwrap();
    }
    assert!(written == files(&*fixtures()), "the bytes of version 1 changed");
    assert_eq!(key, KEY);
}

fn fixtures() -> Arc<FileDisk> {
    Arc::new(FileDisk::open(&folder(), Access::Read).unwrap())
}

#[test]
fn version_1_of_the_log_is_read() {
    let mut reader = LogReader::open(fixtures(), &LogName::EVENTS, Offset(0)).unwrap();
    let mut found = Vec::new();
    while let Some((offset, record)) = reader.next_record().unwrap() {
        assert_eq!(offset.0, found.len() as u64);
        found.push(record.to_vec());
    }
    assert_eq!((found, reader.torn()), (records(), None));
}

#[test]
fn version_1_of_a_checkpoint_is_read() {
    let (checkpoints, recovery) = Checkpoints::open(fixtures(), CHECKPOINTS).unwrap();
    assert!(recovery.rejected.is_empty());
    assert_eq!(recovery.manifest.unwrap().meta, [2; 5]);
    let mut state: BTreeMap<(Table, Vec<u8>), Location> = BTreeMap::new();
    let (mut records, mut deleted) = (checkpoints.records(), 0);
    while let Some(record) = records.next_record().unwrap() {
        match record.change {
            Change::Put(_) => {
                state.insert((record.table, record.key.to_vec()), record.at);
            }
            Change::Delete => deleted += 1,
        }
    }
    assert_eq!((state.len(), deleted), (4, 2));
    for ((table, key), at) in state {
        assert_eq!(key, [u8::try_from(table.0).unwrap()]);
        assert_eq!(checkpoints.reader().value(at).unwrap(), [2; 30]);
    }
}

#[test]
fn version_1_of_the_keys_is_read() {
    let keys = Keys::open(fixtures()).unwrap();
    let record = keys.verify(KEY).unwrap();
    let fields = (&*record.name, &*record.team, &*record.created);
    assert_eq!(fields, ("golden", "risk", "1970-01-01T00:00:00Z"));
}
