//! Fail the first call, then the second, then the third, until the story runs to its end
//! untouched: each failure is a clean error, and what is found afterwards is a state of the story.

use std::io::ErrorKind;
use std::sync::Arc;

use millrace_event::EventTime;
use millrace_store::{Fault, Keys, Log, LogConfig, LogName, MemoryDisk, Offset, StoreError};

use crate::state::{State, Values};

/// Runs a story with each single call failing, in each way; `after` looks at what it left.
fn fail_every_call<P: Default>(
    story: impl Fn(&MemoryDisk, &mut P) -> Result<(), StoreError>,
    after: impl Fn(MemoryDisk, &P),
) -> u64 {
    let mut failures = 0;
    for (kind, half_done, calls) in [
        (ErrorKind::Other, false, 1),
        (ErrorKind::Other, true, 1),
        (ErrorKind::StorageFull, true, u64::MAX),
    ] {
        for first in 0.. {
            let disk = MemoryDisk::new();
            disk.set_fault(Some(Fault { first, calls, kind, half_done }));
            let mut progress = P::default();
            let result = story(&disk, &mut progress);
            let fault_was_met = disk.calls() > first;
            match &result {
                Ok(()) => {}
                Err(StoreError::Disk(error)) => {
                    assert!(fault_was_met, "{error}");
                    assert_eq!(error.source.kind(), kind);
                    failures += 1;
                }
                Err(error) => panic!("call {first}: {error}"),
            }
            after(disk.kill(), &progress);
            for seed in 0..4 {
                after(disk.power_loss(first * 4 + seed), &progress);
            }
            if !fault_was_met {
                break;
            }
        }
    }
    failures
}

const CONFIG: LogConfig = LogConfig { segment_bytes: 300 };

#[derive(Default)]
struct LogProgress {
    /// Records that may be there, from offset 0.
    appended: Vec<Vec<u8>>,
    durable: u64,
    /// Records below this may have been removed.
    first: u64,
}

fn log_story(disk: &MemoryDisk, progress: &mut LogProgress) -> Result<(), StoreError> {
    let (mut log, _) = Log::open(Arc::new(disk.clone()), &LogName::LATE, CONFIG, Offset(0))?;
    for round in 0..6u8 {
        for n in 0..3u8 {
            let record = vec![round * 3 + n; 40 + usize::from(n) * 30];
            progress.appended.push(record.clone());
            log.append(&[&record])?;
        }
        progress.durable = log.sync()?.0;
    }
    progress.first = 7;
    log.remove_before(Offset(7))?;
    progress.durable = 12;
    log.truncate_to(Offset(12))?;
    progress.appended.truncate(12);
    progress.appended.push(b"last".to_vec());
    log.append(&[b"last"])?;
    log.close()?;
    progress.durable = 13;
    Ok(())
}

fn check_log(disk: MemoryDisk, progress: &LogProgress) {
    let durable = Offset(progress.durable);
    let shared = Arc::new(disk.clone());
    let (log, _) = Log::open(shared, &LogName::LATE, CONFIG, durable).unwrap();
    let later = Arc::new(disk.power_loss(progress.durable));
    let (later, _) = Log::open(later, &LogName::LATE, CONFIG, log.next()).unwrap();
    assert_eq!(later.next(), log.next(), "what was opened is durable");
    assert!(log.first().0 <= progress.first);
    assert!(log.next() >= durable && log.next().0 <= progress.appended.len() as u64);
    let mut reader = log.reader(log.first()).unwrap();
    let mut count = log.first().0;
    while let Some((offset, record)) = reader.next_record().unwrap() {
        assert_eq!(offset.0, count);
        let expected = &progress.appended[usize::try_from(count).unwrap()];
        // Offset 12 was given twice: before the cut, and after it.
        let was_cut = count == 12 && (record == b"last" || record == [12; 40]);
        assert!(record == expected.as_slice() || was_cut);
        count += 1;
    }
    assert_eq!(count, log.next().0);
}

#[test]
fn the_log_survives_the_failure_of_any_call() {
    let failures = fail_every_call(log_story, check_log);
    assert!(failures > 100, "{failures}");
}

#[derive(Default)]
struct CheckpointProgress {
    /// The state at each checkpoint that was begun.
    snapshots: Vec<Values>,
    /// How many of them were acknowledged.
    acknowledged: usize,
}

fn checkpoint_story(
    disk: &MemoryDisk,
    progress: &mut CheckpointProgress,
) -> Result<(), StoreError> {
    let (mut state, _) = State::open(disk)?;
    for round in 0..8u8 {
        for key in 0..6u8 {
            if (key + round) % 3 == 0 {
                state.delete(&(1, vec![key]));
            } else {
                state.put((1, vec![key]), vec![round; 150]);
            }
        }
        progress.snapshots.push(state.values.clone());
        state.checkpoint()?;
        progress.acknowledged = progress.snapshots.len();
    }
    Ok(())
}

fn check_checkpoints(disk: MemoryDisk, progress: &CheckpointProgress) {
    let (state, recovery) = State::open(&disk).unwrap();
    assert!(recovery.rejected.is_empty(), "{recovery:?}");
    let epoch = recovery.manifest.map_or(0, |manifest| manifest.epoch.0);
    let epoch = usize::try_from(epoch).unwrap();
    assert!((progress.acknowledged..=progress.snapshots.len()).contains(&epoch));
    match epoch.checked_sub(1) {
        None => assert!(state.values.is_empty()),
        Some(index) => assert_eq!(state.values, progress.snapshots[index]),
    }
    state.check_locations();
    let (later, _) = State::open(&disk.power_loss(progress.acknowledged as u64)).unwrap();
    assert_eq!(later.values, state.values, "what was opened is durable");
}

#[test]
fn checkpoints_survive_the_failure_of_any_call() {
    let failures = fail_every_call(checkpoint_story, check_checkpoints);
    assert!(failures > 100, "{failures}");
}

#[derive(Default)]
struct KeyProgress {
    created: Vec<(String, String)>,
    revoked: Option<String>,
}

fn key_story(disk: &MemoryDisk, progress: &mut KeyProgress) -> Result<(), StoreError> {
    let mut keys = Keys::open(Arc::new(disk.clone()))?;
    for name in ["a", "b", "c"] {
        let key = keys.create(name, "risk", EventTime(0))?;
        progress.created.push((name.to_owned(), key.reveal().to_owned()));
    }
    progress.revoked = Some("b".to_owned());
    keys.revoke("b")?;
    Ok(())
}

fn check_keys(disk: MemoryDisk, progress: &KeyProgress) {
    let mut keys = Keys::open(Arc::new(disk)).unwrap();
    for (name, key) in &progress.created {
        let found = keys.verify(key);
        match found {
            Some(record) => assert_eq!((&record.name, &*record.team), (name, "risk")),
            None => assert_eq!(progress.revoked.as_ref(), Some(name)),
        }
    }
    assert!(keys.list().len() <= progress.created.len() + 1);
    keys.create("again", "risk", EventTime(0)).unwrap();
}

#[test]
fn keys_survive_the_failure_of_any_call() {
    let failures = fail_every_call(key_story, check_keys);
    assert!(failures > 50, "{failures}");
}

#[test]
fn a_failed_write_closes_the_log_for_good() {
    let disk = MemoryDisk::new();
    let shared = Arc::new(disk.clone());
    let (mut log, _) = Log::open(shared, &LogName::LATE, CONFIG, Offset(0)).unwrap();
    log.append(&[b"never durable"]).unwrap();
    // The write succeeds and the sync fails.
    let first = disk.calls() + 1;
    disk.set_fault(Some(Fault { first, calls: 1, kind: ErrorKind::Other, half_done: false }));
    assert!(matches!(log.sync(), Err(StoreError::Disk(_))));
    let again = log.sync().unwrap_err();
    assert_eq!(
        again.to_string(),
        "log late is closed since an earlier call failed: could not sync \
         memory:late/00000000000000000000.log: other error; the disk may be failing; check it, \
         then open it again; open it again to recover"
    );
    assert!(matches!(log.append(&[b"x"]), Err(StoreError::Poisoned { .. })));
    assert!(matches!(log.remove_before(Offset(0)), Err(StoreError::Poisoned { .. })));
    assert!(matches!(log.truncate_to(Offset(0)), Err(StoreError::Poisoned { .. })));
    assert!(matches!(log.reader(Offset(0)), Err(StoreError::Poisoned { .. })));
    assert!(matches!(log.close(), Err(StoreError::Poisoned { .. })));
}

#[test]
fn a_failed_publication_closes_the_checkpoints_for_good() {
    let disk = MemoryDisk::new();
    let (mut state, _) = State::open(&disk).unwrap();
    state.put((0, b"key".to_vec()), b"value".to_vec());
    // Create, write, footer, sync; the publication begins with the fifth call.
    let first = disk.calls() + 4;
    disk.set_fault(Some(Fault { first, calls: 1, kind: ErrorKind::Other, half_done: false }));
    assert!(matches!(state.checkpoint(), Err(StoreError::Disk(_))));
    let epoch = state.checkpoints.next_epoch();
    assert!(matches!(state.checkpoints.begin(epoch), Err(StoreError::Poisoned { .. })));
    assert!(matches!(state.checkpoints.abandon(epoch), Err(StoreError::Poisoned { .. })));
}
