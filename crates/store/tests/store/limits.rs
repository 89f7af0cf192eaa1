//! Every limit, at it and one over it.

use std::sync::Arc;

use millrace_store::checkpoint::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use millrace_store::{
    Checkpoints, CheckpointsConfig, Disk, Fault, Log, LogConfig, LogName, MemoryDisk, Offset,
    StoreError, Table,
};

#[test]
fn the_longest_record_of_a_log() {
    let disk = Arc::new(MemoryDisk::new());
    let config = LogConfig::default();
    let (mut log, _) = Log::open(disk.clone(), &LogName::DEAD_LETTERS, config, Offset(0)).unwrap();
    let longest = vec![7; Log::RECORD_BYTES_MAX];
    log.append(&[&longest, b"next"]).unwrap();
    let longer = vec![7; Log::RECORD_BYTES_MAX + 1];
    let error = log.append(&[b"not taken", &longer]).unwrap_err();
    assert!(matches!(error, StoreError::RecordTooLong { .. }), "{error}");
    assert_eq!(log.sync().unwrap(), Offset(2));
    let (log, _) = Log::open(disk, &LogName::DEAD_LETTERS, config, Offset(2)).unwrap();
    let mut reader = log.reader(Offset(0)).unwrap();
    assert!(reader.next_record().unwrap().unwrap().1 == longest);
    assert_eq!(reader.next_record().unwrap().unwrap().1, b"next");
}

#[test]
fn a_log_keeps_as_many_bytes_as_it_is_asked_and_begins_again_where_it_is_told() {
    let disk = Arc::new(MemoryDisk::new());
    let config = LogConfig { segment_bytes: 300 };
    let open = |known| {
        let disk: Arc<dyn Disk> = disk.clone();
        Log::open(disk, &LogName::LATE, config, Offset(known)).unwrap().0
    };
    let mut log = open(0);
    for _ in 0..40 {
        log.append(&[&[7; 100]]).unwrap();
    }
    log.sync().unwrap();
    assert_eq!(log.within(u64::MAX), Offset(0));
    assert_eq!(log.within(log.bytes()), Offset(0));
    assert_eq!(Some(&log.within(log.bytes() - 1)), log.segments().get(1));
    assert_eq!(Some(&log.within(0)), log.segments().last());
    log.remove_before(log.within(1_500)).unwrap();
    assert!((1_000..=1_500).contains(&log.bytes()), "{}", log.bytes());
    let first = log.first();
    assert!(first > Offset(20));

    log.truncate_to(Offset(7)).unwrap();
    assert_eq!((log.first(), log.next(), log.segments().len()), (Offset(7), Offset(7), 1));
    log.append(&[b"seven"]).unwrap();
    log.close().unwrap();
    let log = open(8);
    assert_eq!((log.first(), log.next()), (Offset(7), Offset(8)));
    let mut reader = log.reader(Offset(7)).unwrap();
    assert_eq!(reader.next_record().unwrap(), Some((Offset(7), &b"seven"[..])));
}

#[test]
fn beginning_again_survives_an_end_at_any_call() {
    let config = LogConfig { segment_bytes: 300 };
    for calls in 0.. {
        let disk = MemoryDisk::new();
        let shared = Arc::new(disk.clone());
        let (mut log, _) = Log::open(shared, &LogName::LATE, config, Offset(0)).unwrap();
        for _ in 0..20 {
            log.append(&[&[7; 100]]).unwrap();
        }
        log.sync().unwrap();
        log.remove_before(Offset(10)).unwrap();
        let kind = std::io::ErrorKind::Other;
        let dead = Fault { first: calls, calls: u64::MAX, kind, half_done: false };
        disk.set_fault(Some(dead));
        let is_done = log.truncate_to(Offset(3)).is_ok();
        let left = Arc::new(disk.power_loss(calls));
        let (mut log, _) = Log::open(left, &LogName::LATE, config, Offset(3)).unwrap();
        log.truncate_to(Offset(3)).unwrap();
        assert_eq!((log.first(), log.next()), (Offset(3), Offset(3)), "{calls}");
        log.append(&[b"three"]).unwrap();
        log.sync().unwrap();
        if is_done {
            assert!(calls > 5, "{calls}");
            return;
        }
    }
}

#[test]
fn the_longest_key_and_a_value_longer_than_a_segment() {
    let disk = Arc::new(MemoryDisk::new());
    let config = CheckpointsConfig::default();
    let (checkpoints, _) = Checkpoints::open(disk, config).unwrap();
    let mut writer = checkpoints.begin(checkpoints.next_epoch()).unwrap();
    let (key, value) = (vec![1; KEY_BYTES_MAX], vec![2; 65 << 20]);
    let at = writer.put(Table(u16::MAX), &key, &value).unwrap();
    let error = writer.put(Table(0), &[key, vec![1]].concat(), b"").unwrap_err();
    assert!(matches!(error, StoreError::KeyTooLong { .. }), "{error}");
    let error = writer.put(Table(0), b"", &vec![0; VALUE_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(error, StoreError::ValueTooLong { .. }), "{error}");
    let small = writer.put(Table(0), b"key", b"value").unwrap();
    let segments = writer.finish().unwrap();
    assert_eq!(segments.len(), 2, "a full segment is followed by another");
    let reader = checkpoints.reader();
    assert!(reader.value(at).unwrap() == value);
    assert_eq!(reader.value(small).unwrap(), b"value");
}

#[test]
fn a_location_that_nobody_handed_out() {
    let disk = Arc::new(MemoryDisk::new());
    let config = CheckpointsConfig::default();
    let (checkpoints, _) = Checkpoints::open(disk, config).unwrap();
    let mut writer = checkpoints.begin(checkpoints.next_epoch()).unwrap();
    let at = writer.put(Table(1), b"key", b"value").unwrap();
    writer.finish().unwrap();
    let reader = checkpoints.reader();
    for len in [0, 1, at.len - 1, at.len + 1, 4_000, u32::MAX] {
        let wrong = millrace_store::Location { len, ..at };
        assert!(reader.value(wrong).is_err(), "{len}");
    }
    let elsewhere = millrace_store::Location { offset: u64::MAX, ..at };
    assert!(reader.value(elsewhere).is_err());
}

#[test]
fn an_empty_checkpoint_has_no_segment() {
    let disk = Arc::new(MemoryDisk::new());
    let (checkpoints, _) = Checkpoints::open(disk, CheckpointsConfig::default()).unwrap();
    let writer = checkpoints.begin(checkpoints.next_epoch()).unwrap();
    assert_eq!(writer.finish().unwrap(), []);
}

#[test]
fn owners_and_readers_may_live_on_other_threads() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync + Clone>() {}
    is_send::<Log>();
    is_send::<millrace_store::LogReader>();
    is_send::<Checkpoints>();
    is_send::<millrace_store::CheckpointWriter>();
    is_send::<millrace_store::Records>();
    is_send::<millrace_store::Keys>();
    is_shared::<millrace_store::BlockReader>();
}
