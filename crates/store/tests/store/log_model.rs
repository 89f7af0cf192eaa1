//! The log against a list of records, through crashes at any call.

use std::sync::Arc;

use millrace_store::{Fault, Log, LogConfig, LogName, LogReader, MemoryDisk, Offset, StoreError};
use proptest::prelude::*;

use crate::end::{End, ends};

const CONFIG: LogConfig = LogConfig { segment_bytes: 2_000 };

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<usize>),
    Sync,
    /// Retention up to this share of the offsets, in percent.
    RemoveBefore(u64),
    /// Cut at this share of the offsets, in percent.
    TruncateTo(u64),
    Close,
    Kill,
    PowerLoss(u64),
    /// From this many calls on every call fails, until the process or the power ends.
    FailAfter {
        calls: u64,
        half_done: bool,
        end: End,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![0usize..40, 400usize..700, Just(3_000usize)];
    let step = prop_oneof![
        6 => prop::collection::vec(size, 0..6).prop_map(Step::Append),
        4 => Just(Step::Sync),
        1 => (0u64..=100).prop_map(Step::RemoveBefore),
        1 => (0u64..=100).prop_map(Step::TruncateTo),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        2 => any::<u64>().prop_map(Step::PowerLoss),
        3 => (0u64..12, any::<bool>(), ends())
            .prop_map(|(calls, half_done, end)| Step::FailAfter { calls, half_done, end }),
    ];
    prop::collection::vec(step, 1..40)
}

/// What must and what may be in the log.
#[derive(Default)]
struct Model {
    /// By offset, from 0, those that were removed included.
    records: Vec<Vec<u8>>,
    durable: u64,
    /// The first offset lies between these.
    first: (u64, u64),
    made: u64,
}

impl Model {
    /// A record unlike every other.
    fn record(&mut self, size: usize) -> Vec<u8> {
        self.made += 1;
        let mut record = self.made.to_le_bytes().to_vec();
        record.resize(size.max(8), 0xA5);
        record.truncate(size);
        record
    }

    fn check(&mut self, log: &Log) {
        let (first, next) = (log.first().0, log.next().0);
        assert!((self.first.0..=self.first.1).contains(&first), "{first} in {:?}", self.first);
        assert!(next >= self.durable, "{next} is behind {}", self.durable);
        assert!(next <= self.records.len() as u64, "{next} was never appended");
        let mut reader = log.reader(Offset(first)).unwrap();
        for offset in first..log.durable().0 {
            let (found, record) = reader.next_record().unwrap().unwrap();
            assert_eq!(found, Offset(offset));
            assert_eq!(record, self.records[usize::try_from(offset).unwrap()]);
        }
        assert!(reader.next_record().unwrap().is_none());
        assert!(reader.next_record().unwrap().is_none());
    }

    /// After opening: what is there is durable, and what is not there is gone.
    fn settle(&mut self, log: &Log) {
        self.records.truncate(usize::try_from(log.next().0).unwrap());
        self.durable = log.next().0;
        self.first = (log.first().0, log.first().0);
    }
}

struct World {
    disk: MemoryDisk,
    log: Option<Log>,
    model: Model,
    /// What follows the first failed call.
    end: Option<End>,
}

fn open(disk: &MemoryDisk, durable: u64) -> Log {
    let disk = Arc::new(disk.clone());
    let (log, opened) = Log::open(disk, &LogName::EVENTS, CONFIG, Offset(durable)).unwrap();
    assert_eq!((opened.first, opened.next), (log.first(), log.next()));
    log
}

impl World {
    fn reopen(&mut self, disk: MemoryDisk) {
        self.disk = disk;
        self.end = None;
        let log = open(&self.disk, self.model.durable);
        self.model.check(&log);
        self.model.settle(&log);
        self.log = Some(log);
    }

    /// Runs one call; if the disk failed in it, loses the power.
    fn call<T>(&mut self, call: impl FnOnce(&mut Log) -> Result<T, StoreError>) -> Option<T> {
        let log = self.log.as_mut().unwrap();
        match call(log) {
            Ok(value) => Some(value),
            Err(error) => {
                assert!(matches!(error, StoreError::Disk(_)), "{error}");
                let again = log.append(&[]).unwrap_err();
                assert!(matches!(again, StoreError::Poisoned { .. }), "{again}");
                let end = self.end.expect("calls fail only when they are made to");
                self.reopen(end.of(&self.disk));
                None
            }
        }
    }

    fn append(&mut self, sizes: Vec<usize>) {
        let records: Vec<Vec<u8>> = sizes.iter().map(|size| self.model.record(*size)).collect();
        let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let next = self.model.records.len() as u64;
        self.model.records.extend(records.clone());
        if let Some(offsets) = self.call(|log| log.append(&slices)) {
            assert_eq!(offsets, Offset(next)..Offset(next + slices.len() as u64));
        }
    }

    fn step(&mut self, step: Step) {
        let (first, next) = self.log.as_ref().map(|log| (log.first().0, log.next().0)).unwrap();
        let share = |percent: u64| first + (next - first) * percent / 100;
        match step {
            Step::Append(sizes) => self.append(sizes),
            Step::Sync => {
                if let Some(durable) = self.call(Log::sync) {
                    assert_eq!(durable.0, self.model.records.len() as u64);
                    self.model.durable = durable.0;
                }
            }
            Step::RemoveBefore(percent) => {
                let before = share(percent);
                self.model.first.1 = before.max(first);
                if self.call(|log| log.remove_before(Offset(before))).is_some() {
                    let first = self.log.as_ref().unwrap().first().0;
                    assert!(first <= self.model.first.1);
                    self.model.first = (first, first);
                }
            }
            Step::TruncateTo(percent) => {
                let to = share(percent);
                let durable = self.model.durable;
                self.model.durable = durable.min(to);
                if self.call(|log| log.truncate_to(Offset(to))).is_some() {
                    self.model.records.truncate(usize::try_from(to).unwrap());
                    self.model.durable = to;
                }
            }
            Step::Close => {
                let log = self.log.take().unwrap();
                let closed = log.close();
                if closed.is_ok() {
                    self.model.durable = self.model.records.len() as u64;
                }
                let end = self.end.unwrap_or(End::PowerLoss(7));
                self.reopen(end.of(&self.disk));
            }
            Step::Kill => self.reopen(self.disk.kill()),
            Step::PowerLoss(seed) => self.reopen(self.disk.power_loss(seed)),
            Step::FailAfter { calls, half_done, end } => {
                self.end = Some(end);
                let (first, kind) = (self.disk.calls() + calls, std::io::ErrorKind::Other);
                self.disk.set_fault(Some(Fault { first, calls: u64::MAX, kind, half_done }));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_synced_is_lost_and_nothing_is_invented(steps in steps()) {
        let disk = MemoryDisk::new();
        let log = open(&disk, 0);
        let mut world = World { disk, log: Some(log), model: Model::default(), end: None };
        for step in steps {
            world.step(step);
        }
        if world.end.is_none() && world.call(Log::sync).is_some() {
            world.model.durable = world.model.records.len() as u64;
            let log = world.log.as_ref().unwrap();
            world.model.check(log);
        }
    }
}

fn written(disk: &MemoryDisk, records: &[&[u8]]) -> Log {
    let mut log = open(disk, 0);
    for record in records {
        log.append(&[record]).unwrap();
        log.sync().unwrap();
    }
    log
}

#[test]
fn damage_to_durable_records_is_an_error_and_an_unfinished_write_is_not() {
    let records: Vec<Vec<u8>> = (0..5u8).map(|n| vec![n; 100]).collect();
    let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let disk = MemoryDisk::new();
    drop(written(&disk, &slices));
    let name = millrace_store::Name::log_segment(&LogName::EVENTS, Offset(0));
    let whole = disk.content(&name).unwrap();

    // A byte of record 2, which a later marker says was durable.
    let damaged = disk.kill();
    damaged.flip_bit(&name, (32 + 2 * 132 + 50) * 8);
    let opened = Log::open(Arc::new(damaged.clone()), &LogName::EVENTS, CONFIG, Offset(0));
    let error = opened.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    let expected = "events/00000000000000000000.log is corrupt at byte 296: \
                    the checksum of the record does not match; restore this file from a copy";
    assert_eq!(error.to_string(), expected);
    let mut reader = LogReader::open(Arc::new(damaged), &LogName::EVENTS, Offset(0)).unwrap();
    assert!(reader.next_record().unwrap().is_some());
    assert!(reader.next_record().unwrap().is_some());
    assert!(reader.next_record().is_err());

    // The last record is cut off.
    let torn = MemoryDisk::new();
    torn.put(&name, &whole[..whole.len() - 1]);
    let shared = Arc::new(torn.clone());
    let mut reader = LogReader::open(shared.clone(), &LogName::EVENTS, Offset(4)).unwrap();
    assert!(reader.next_record().unwrap().is_none());
    assert_eq!(reader.torn().map(|torn| torn.bytes), Some(115));
    let (log, opened) = Log::open(shared.clone(), &LogName::EVENTS, CONFIG, Offset(4)).unwrap();
    assert_eq!((opened.next, opened.torn.unwrap().bytes), (Offset(4), 115));
    drop(log);

    // The same end, when record 4 is known to have been durable.
    torn.put(&name, &whole[..whole.len() - 1]);
    let reader = LogReader::open(shared.clone(), &LogName::EVENTS, Offset(4)).unwrap();
    let error = reader.known_durable(Offset(5)).next_record().unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    let error = Log::open(shared, &LogName::EVENTS, CONFIG, Offset(5)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

/// No record follows, and the process is killed.
#[test]
fn damage_to_the_last_durable_records_is_an_error_once_they_are_marked() {
    for by_another in [false, true] {
        let disk = MemoryDisk::new();
        let shared = Arc::new(disk.clone());
        let (mut log, _) = Log::open(shared.clone(), &LogName::EVENTS, CONFIG, Offset(0)).unwrap();
        log.append(&[&[7; 100], &[8; 100]]).unwrap();
        let name = millrace_store::Name::log_segment(&LogName::EVENTS, Offset(0));
        if by_another {
            log.flush().unwrap();
            millrace_store::Disk::append(&disk, &name).unwrap().sync().unwrap();
            log.note_durable(Offset(2));
        } else {
            log.sync().unwrap();
        }
        assert_eq!(log.durable(), Offset(2));
        let len = disk.content(&name).unwrap().len();
        log.mark().unwrap();
        assert_eq!(disk.content(&name).unwrap().len(), len + 16);
        assert_eq!(log.bytes(), len as u64 + 16);
        log.mark().unwrap();
        assert_eq!(disk.content(&name).unwrap().len(), len + 16, "it is said once");
        std::mem::forget(log);
        let damaged = disk.kill();
        damaged.flip_bit(&name, (len as u64 - 5) * 8);
        let opened = Log::open(Arc::new(damaged), &LogName::EVENTS, CONFIG, Offset(0));
        assert!(matches!(opened.unwrap_err(), StoreError::Corrupt { .. }));
    }
}

#[test]
fn a_log_without_records_that_were_durable_is_an_error_at_its_end() {
    let disk = MemoryDisk::new();
    let records = vec![vec![1u8; 900]; 9];
    let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    drop(written(&disk, &slices));
    let read = |durable: u64| {
        let reader = LogReader::open(Arc::new(disk.clone()), &LogName::EVENTS, Offset(0)).unwrap();
        let mut reader = reader.known_durable(Offset(durable));
        let mut count = 0;
        while reader.next_record()?.is_some() {
            count += 1;
        }
        Ok(count)
    };
    assert_eq!(read(9).unwrap(), 9);
    for first in [6, 3, 0] {
        let name = millrace_store::Name::log_segment(&LogName::EVENTS, Offset(first));
        millrace_store::Disk::remove(&disk, &name).unwrap();
        assert_eq!(read(first).unwrap(), first);
        let error: StoreError = read(9).unwrap_err();
        let StoreError::LostRecords { end, durable: Offset(9), .. } = error else {
            panic!("{error}")
        };
        assert_eq!(end, Offset(first));
    }
}

#[test]
fn a_missing_segment_is_an_error() {
    let disk = MemoryDisk::new();
    let records = vec![vec![1u8; 900]; 9];
    let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    drop(written(&disk, &slices));
    let second = millrace_store::Name::log_segment(&LogName::EVENTS, Offset(3));
    millrace_store::Disk::remove(&disk, &second).unwrap();
    let mut reader = LogReader::open(Arc::new(disk), &LogName::EVENTS, Offset(0)).unwrap();
    let error = loop {
        match reader.next_record() {
            Ok(found) => assert!(found.is_some()),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::MissingRecords { from: Offset(3), .. }), "{error}");
}

#[test]
fn a_log_that_vanished_does_not_start_empty() {
    let disk = Arc::new(MemoryDisk::new());
    let error = Log::open(disk, &LogName::EVENTS, CONFIG, Offset(1)).unwrap_err();
    assert!(matches!(error, StoreError::LostRecords { .. }), "{error}");
}

#[test]
fn offsets_outside_of_the_log_are_refused() {
    let disk = MemoryDisk::new();
    let mut log = written(&disk, &[b"a", b"b"]);
    for result in [log.reader(Offset(3)).map(|_| ()), log.truncate_to(Offset(3))] {
        assert!(matches!(result, Err(StoreError::NoSuchOffset { .. })));
    }
    log.append(&[b"c"]).unwrap();
    assert!(log.reader(Offset(3)).is_err(), "what is not durable is not read");
}
