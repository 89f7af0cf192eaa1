//! A single changed bit, anywhere: never a wrong value, always an error or an older state.

use std::collections::BTreeSet;
use std::sync::Arc;

use millrace_event::EventTime;
use millrace_store::{
    Checkpoints, Epoch, Keys, Log, LogConfig, LogName, LogReader, Manifest, MemoryDisk, Name,
    Offset, SegmentId, StoreError,
};

use crate::state::{CONFIG, State, Values};

/// Three checkpoints of a small state, and what it was at each.
fn checkpoints() -> (MemoryDisk, Vec<Values>) {
    let disk = MemoryDisk::new();
    let (mut state, _) = State::open(&disk).unwrap();
    let mut snapshots = vec![Values::new()];
    for round in 1..=3u8 {
        state.put((0, vec![round]), vec![round; 40]);
        state.put((1, b"same".to_vec()), vec![round; 10]);
        state.delete(&(0, vec![round - 1]));
        state.checkpoint().unwrap();
        snapshots.push(state.values.clone());
    }
    (disk.kill(), snapshots)
}

/// Opens the disk and holds the state against the snapshot of the epoch that it claims to be.
fn open_and_compare(disk: &MemoryDisk, snapshots: &[Values]) -> Result<Epoch, StoreError> {
    let (state, recovery) = State::open(disk)?;
    let epoch = recovery.manifest.as_ref().map_or(Epoch(0), |manifest| manifest.epoch);
    assert_eq!(state.values, snapshots[usize::try_from(epoch.0).unwrap()]);
    assert_eq!(recovery.fell_back(), epoch < Epoch(3));
    state.check_locations();
    Ok(epoch)
}

#[test]
fn every_bit_of_the_newest_manifest() {
    let (disk, snapshots) = checkpoints();
    let name = Name::manifest(Epoch(3));
    for bit in 0..disk.content(&name).unwrap().len() as u64 * 8 {
        disk.flip_bit(&name, bit);
        assert_eq!(open_and_compare(&disk, &snapshots).unwrap(), Epoch(2), "bit {bit}");
        disk.flip_bit(&name, bit);
    }
    assert_eq!(open_and_compare(&disk, &snapshots).unwrap(), Epoch(3));
}

#[test]
fn every_byte_of_every_segment() {
    let (disk, snapshots) = checkpoints();
    let (sound, _) = State::open(&disk).unwrap();
    let segments: BTreeSet<SegmentId> =
        sound.checkpoints.kept().iter().flat_map(|one| &one.segments).map(|one| one.id).collect();
    let needs = |epoch: &Manifest, id| epoch.segments.iter().any(|segment| segment.id == id);
    let mut fell_back = 0;
    for id in segments {
        let spared = sound.checkpoints.kept().iter().rev().find(|epoch| !needs(epoch, id));
        let name = Name::segment(id);
        for byte in 0..disk.content(&name).unwrap().len() as u64 {
            let bit = byte * 8 + (byte * 5 + u64::from(id.0)) % 8;
            disk.flip_bit(&name, bit);
            match (open_and_compare(&disk, &snapshots), spared) {
                (Ok(epoch), Some(spared)) => assert_eq!(epoch, spared.epoch),
                (Err(StoreError::NoCheckpoint { .. }), None) => {}
                (result, _) => panic!("{name} bit {bit}: {result:?}"),
            }
            disk.flip_bit(&name, bit);
        }
        fell_back += usize::from(spared.is_some_and(|spared| spared.epoch < Epoch(3)));
    }
    assert!(fell_back > 0);
}

#[test]
fn every_length_of_a_segment_and_a_manifest() {
    let (disk, snapshots) = checkpoints();
    for name in [Name::segment(SegmentId(3)), Name::manifest(Epoch(3))] {
        let whole = disk.content(&name).unwrap();
        for len in 0..whole.len() {
            let cut = disk.kill();
            cut.put(&name, &whole[..len]);
            assert_eq!(open_and_compare(&cut, &snapshots).unwrap(), Epoch(2));
        }
        let longer = disk.kill();
        longer.put(&name, &[&whole[..], &[0]].concat());
        assert_eq!(open_and_compare(&longer, &snapshots).unwrap(), Epoch(2));
    }
}

#[test]
fn exchanged_files() {
    let (disk, snapshots) = checkpoints();
    let swap = |a: &Name, b: &Name| {
        let swapped = disk.kill();
        swapped.put(a, &disk.content(b).unwrap());
        swapped.put(b, &disk.content(a).unwrap());
        swapped
    };
    let segments = swap(&Name::segment(SegmentId(2)), &Name::segment(SegmentId(3)));
    assert_eq!(open_and_compare(&segments, &snapshots).unwrap(), Epoch(1));
    let manifests = swap(&Name::manifest(Epoch(1)), &Name::manifest(Epoch(3)));
    assert_eq!(open_and_compare(&manifests, &snapshots).unwrap(), Epoch(2));
    // An old manifest, put back under a new name.
    let replayed = disk.kill();
    replayed.put(&Name::manifest(Epoch(4)), &disk.content(&Name::manifest(Epoch(1))).unwrap());
    let (checkpoints, recovery) = Checkpoints::open(Arc::new(replayed), CONFIG).unwrap();
    assert!(recovery.fell_back());
    assert_eq!(checkpoints.current().unwrap().epoch, Epoch(3));
    assert_eq!(checkpoints.next_epoch(), Epoch(5));
}

#[test]
fn every_bit_of_a_block_that_is_read_alone() {
    let (disk, _) = checkpoints();
    let (state, _) = State::open(&disk).unwrap();
    let (key, at) = state.locations.iter().next().unwrap();
    let reader = state.checkpoints.reader();
    let name = Name::segment(at.segment);
    for bit in at.offset * 8..(at.offset + u64::from(at.len)) * 8 {
        disk.flip_bit(&name, bit);
        let error = reader.value(*at).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        disk.flip_bit(&name, bit);
    }
    assert_eq!(reader.value(*at).unwrap(), state.values[key]);
}

#[test]
fn every_bit_of_a_closed_log() {
    const CONFIG: LogConfig = LogConfig { segment_bytes: 200 };
    let disk = MemoryDisk::new();
    let shared = Arc::new(disk.clone());
    let (mut log, _) = Log::open(shared, &LogName::EVENTS, CONFIG, Offset(0)).unwrap();
    for n in 0..8u8 {
        log.append(&[&[n; 40]]).unwrap();
        log.sync().unwrap();
    }
    log.close().unwrap();
    let names: Vec<Name> = millrace_store::Disk::list(&disk, &LogName::EVENTS.folder())
        .unwrap()
        .iter()
        .map(|file| Offset(file.trim_end_matches(".log").parse().unwrap()))
        .map(|first| Name::log_segment(&LogName::EVENTS, first))
        .collect();
    assert_eq!(names.len(), 3);
    for (n, name) in names.iter().enumerate() {
        let len = disk.content(name).unwrap().len() as u64;
        let is_last = n + 1 == names.len();
        for bit in 0..len * 8 {
            let damaged = disk.kill();
            damaged.flip_bit(name, bit);
            let in_last_marker = is_last && bit >= (len - 16) * 8;
            let whole = read_log(&damaged);
            assert_eq!(whole.is_ok(), in_last_marker, "{name} bit {bit}");
            if in_last_marker {
                let shared = Arc::new(damaged);
                let (log, _) = Log::open(shared, &LogName::EVENTS, CONFIG, Offset(8)).unwrap();
                assert_eq!(log.next(), Offset(8));
            }
        }
    }
}

/// All records, compared with what was written.
fn read_log(disk: &MemoryDisk) -> Result<(), StoreError> {
    let mut reader = LogReader::open(Arc::new(disk.clone()), &LogName::EVENTS, Offset(0))?;
    let mut count = 0u8;
    while let Some((offset, record)) = reader.next_record()? {
        assert_eq!((offset, record), (Offset(u64::from(count)), &[count; 40][..]));
        count += 1;
    }
    assert_eq!(count, 8, "a durable record was left out without a word");
    Ok(())
}

#[test]
fn every_bit_of_the_keys() {
    let disk = MemoryDisk::new();
    let mut keys = Keys::open(Arc::new(disk.clone())).unwrap();
    let a = keys.create("first", "risk", EventTime(0)).unwrap();
    let b = keys.create("second", "growth", EventTime(0)).unwrap();
    for name in [Name::KEYS, Name::PEPPER] {
        for bit in 0..disk.content(&name).unwrap().len() as u64 * 8 {
            let damaged = disk.kill();
            damaged.flip_bit(&name, bit);
            let Ok(keys) = Keys::open(Arc::new(damaged)) else { continue };
            for (key, name, team) in [(&a, "first", "risk"), (&b, "second", "growth")] {
                if let Some(found) = keys.verify(key.reveal()) {
                    assert_eq!((&*found.name, &*found.team), (name, team), "bit {bit}");
                }
            }
        }
    }
}
