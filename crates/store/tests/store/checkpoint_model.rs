//! Checkpoints against a map, through crashes at any call, with cleaning going on.

use std::collections::BTreeMap;

use millrace_store::{
    Checkpoints, Disk, Epoch, Fault, Folder, LiveBytes, Log, LogConfig, LogName, MemoryDisk,
    Offset, Publication, SegmentId, StoreError, Table,
};
use proptest::prelude::*;

use crate::end::{End, ends};
use crate::state::{CONFIG, State, Values};

#[derive(Clone, Debug)]
enum Step {
    Put { table: u16, key: u8, size: usize },
    Delete { table: u16, key: u8 },
    Checkpoint { writers: usize },
    Kill,
    PowerLoss(u64),
    FailAfter { calls: u64, half_done: bool, end: End },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![0usize..60, 100usize..300];
    let step = prop_oneof![
        12 => (0u16..2, 0u8..20, size)
            .prop_map(|(table, key, size)| Step::Put { table, key, size }),
        3 => (0u16..2, 0u8..20).prop_map(|(table, key)| Step::Delete { table, key }),
        6 => (1usize..3).prop_map(|writers| Step::Checkpoint { writers }),
        1 => Just(Step::Kill),
        1 => any::<u64>().prop_map(Step::PowerLoss),
        1 => (0u64..25, any::<bool>(), ends())
            .prop_map(|(calls, half_done, end)| Step::FailAfter { calls, half_done, end }),
    ];
    prop::collection::vec(step, 1..150)
}

struct World {
    disk: MemoryDisk,
    state: State,
    /// What the state was at each checkpoint that was begun.
    snapshots: BTreeMap<Epoch, Values>,
    /// The newest checkpoint whose publication was reported.
    acknowledged: Epoch,
    /// What follows the first failed call.
    end: Option<End>,
    made: u64,
}

impl World {
    fn reopen(&mut self, disk: MemoryDisk) {
        self.disk = disk;
        self.end = None;
        let (state, recovery) = State::open(&self.disk).unwrap();
        assert!(recovery.rejected.is_empty(), "{recovery:?}");
        let epoch = recovery.manifest.as_ref().map_or(Epoch(0), |manifest| manifest.epoch);
        assert!(epoch >= self.acknowledged, "{epoch} is behind {}", self.acknowledged);
        assert_eq!(state.values, self.snapshots[&epoch]);
        if let Some(manifest) = recovery.manifest {
            assert_eq!(manifest.meta, format!("meta of {epoch}").into_bytes());
        }
        state.check_locations();
        self.acknowledged = epoch;
        self.snapshots.retain(|taken, _| *taken <= epoch);
        self.state = state;
        let (later, _) = State::open(&self.disk.power_loss(epoch.0)).unwrap();
        assert_eq!(later.values, self.state.values, "what was opened is durable");
    }

    fn checkpoint(&mut self, writers: usize) {
        self.state.writers = writers;
        let epoch = self.state.checkpoints.next_epoch();
        self.snapshots.insert(epoch, self.state.values.clone());
        match self.state.checkpoint() {
            Ok(()) => {
                self.acknowledged = epoch;
                if self.end.is_none() {
                    self.state.check_locations();
                }
                self.check_files();
            }
            Err(error) => {
                assert!(matches!(error, StoreError::Disk(_)), "{error}");
                let end = self.end.expect("calls fail only when they are made to");
                self.reopen(end.of(&self.disk));
            }
        }
    }

    /// Nothing is kept that no checkpoint needs, and no checkpoint grows without bound.
    fn check_files(&self) {
        let kept = self.state.checkpoints.kept();
        assert!(kept.len() <= 3);
        let needed: std::collections::BTreeSet<SegmentId> =
            kept.iter().flat_map(|one| &one.segments).map(|one| one.id).collect();
        let files = self.disk.kill().list(&Folder::CHECKPOINTS).unwrap();
        assert_eq!(files.len(), needed.len() + kept.len(), "{files:?}");
        let newest = self.state.checkpoints.current().unwrap();
        let live: u64 = newest.segments.iter().map(|one| one.live_bytes).sum();
        let total: u64 = newest.segments.iter().map(|one| one.bytes).sum();
        // A checkpoint cleans for the one before it; each segment has a header and a footer.
        assert!(total <= 2 * live + 40_000, "{total} for {live}");
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Put { table, key, size } => {
                self.made += 1;
                let mut value = self.made.to_le_bytes().to_vec();
                value.resize(size.max(8), key);
                self.state.put((table, vec![key]), value);
            }
            Step::Delete { table, key } => self.state.delete(&(table, vec![key])),
            Step::Checkpoint { writers } => self.checkpoint(writers),
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
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_state_is_that_of_a_checkpoint_not_older_than_the_acknowledged_one(steps in steps()) {
        let disk = MemoryDisk::new();
        let (state, _) = State::open(&disk).unwrap();
        let snapshots = BTreeMap::from([(Epoch(0), Values::new())]);
        let acknowledged = Epoch(0);
        let mut world = World { disk, state, snapshots, acknowledged, end: None, made: 0 };
        for step in steps {
            world.step(step);
        }
    }
}

#[test]
fn many_small_checkpoints_are_cleaned_and_keep_every_value() {
    let disk = MemoryDisk::new();
    let (mut state, _) = State::open(&disk).unwrap();
    for key in 0..200u8 {
        state.put((0, vec![key]), vec![key; 100]);
    }
    for round in 0..300u32 {
        let key = (round * 7 % 200) as u8;
        if round % 11 == 0 {
            state.delete(&(0, vec![key]));
        } else {
            state.put((0, vec![key]), round.to_le_bytes().to_vec());
        }
        state.checkpoint().unwrap();
        assert!(state.checkpoints.current().unwrap().segments.len() <= 64 + 2 * 30);
    }
    state.check_locations();
    let (again, _) = State::open(&disk.power_loss(1)).unwrap();
    assert_eq!(again.values, state.values);
    assert_eq!(again.locations, state.locations);
    assert_eq!(again.live, state.live);
}

fn publish(checkpoints: &mut Checkpoints, epoch: Epoch, retired: &[SegmentId]) -> StoreErrorOr {
    let mut writer = checkpoints.begin(epoch)?;
    writer.put(Table(0), b"key", &epoch.0.to_le_bytes())?;
    let (segments, live) = (writer.finish()?, &LiveBytes::default());
    checkpoints.publish(Publication { epoch, segments, retired, live, meta: Vec::new() })?;
    Ok(())
}

type StoreErrorOr = Result<(), StoreError>;

fn open(disk: &MemoryDisk) -> Checkpoints {
    Checkpoints::open(std::sync::Arc::new(disk.clone()), CONFIG).unwrap().0
}

#[test]
fn wrong_publications_are_refused_and_change_nothing() {
    let disk = MemoryDisk::new();
    let mut checkpoints = open(&disk);
    publish(&mut checkpoints, Epoch(5), &[]).unwrap();
    for stale in [0, 4, 5] {
        let error = publish(&mut checkpoints, Epoch(stale), &[]).unwrap_err();
        assert!(matches!(error, StoreError::StaleEpoch { .. }), "{error}");
    }
    let error = publish(&mut checkpoints, Epoch(6), &[SegmentId(9)]).unwrap_err();
    assert!(matches!(error, StoreError::WrongSegment { .. }), "{error}");
    let segments = checkpoints.current().unwrap().segments.clone();
    let live = &LiveBytes::default();
    let again = Publication { epoch: Epoch(7), segments, retired: &[], live, meta: Vec::new() };
    let error = checkpoints.publish(again).unwrap_err();
    assert!(matches!(error, StoreError::WrongSegment { .. }), "{error}");
    assert_eq!(open(&disk.kill()).current().unwrap().epoch, Epoch(5));
}

#[test]
fn an_abandoned_checkpoint_frees_its_space() {
    let disk = MemoryDisk::new();
    let mut checkpoints = open(&disk);
    let mut writer = checkpoints.begin(Epoch(1)).unwrap();
    writer.put(Table(0), b"key", &[0; 5_000]).unwrap();
    writer.put(Table(0), b"key", &[0; 5_000]).unwrap();
    disk.set_fault(Some(Fault {
        first: disk.calls(),
        calls: 1,
        kind: std::io::ErrorKind::StorageFull,
        half_done: true,
    }));
    let error = writer.finish().unwrap_err();
    assert!(error.to_string().contains("free some space"), "{error}");
    assert_eq!(disk.list(&Folder::CHECKPOINTS).unwrap().len(), 2);
    checkpoints.abandon(Epoch(1)).unwrap();
    assert_eq!(disk.list(&Folder::CHECKPOINTS).unwrap().len(), 0);
    publish(&mut checkpoints, Epoch(1), &[]).unwrap();
}

#[test]
fn manifests_that_were_removed_are_not_an_empty_start() {
    let disk = MemoryDisk::new();
    let mut checkpoints = open(&disk);
    publish(&mut checkpoints, Epoch(1), &[]).unwrap();
    publish(&mut checkpoints, Epoch(2), &[]).unwrap();
    for epoch in [1, 2] {
        disk.remove(&millrace_store::Name::manifest(Epoch(epoch))).unwrap();
    }
    let error = Checkpoints::open(std::sync::Arc::new(disk), CONFIG).unwrap_err();
    assert!(matches!(error, StoreError::ManifestsGone { .. }), "{error}");
}

#[test]
fn a_folder_whose_checkpoints_are_all_damaged_is_not_an_empty_start() {
    let disk = MemoryDisk::new();
    let mut checkpoints = open(&disk);
    publish(&mut checkpoints, Epoch(1), &[]).unwrap();
    publish(&mut checkpoints, Epoch(2), &[]).unwrap();
    for epoch in [1, 2] {
        disk.flip_bit(&millrace_store::Name::manifest(Epoch(epoch)), 130);
    }
    let error = || Checkpoints::open(std::sync::Arc::new(disk.clone()), CONFIG).unwrap_err();
    assert!(matches!(error(), StoreError::NoCheckpoint { count: 2, .. }), "{}", error());
    assert!(error().to_string().contains("there is no log to rebuild from"), "{}", error());

    // What to do depends on how far the log reaches back.
    let config = LogConfig { segment_bytes: 100 };
    let log_disk = std::sync::Arc::new(disk.clone());
    let (mut log, _) = Log::open(log_disk, &LogName::EVENTS, config, Offset(0)).unwrap();
    let rebuilt = "move it away to rebuild from the log, which holds every event from the first";
    assert!(error().to_string().ends_with(rebuilt), "{}", error());
    for _ in 0..9 {
        log.append(&[&[7; 100]]).unwrap();
    }
    log.sync().unwrap();
    log.remove_before(Offset(5)).unwrap();
    let lost = "it begins at record 5; without a copy, moving the whole data directory away starts \
                from nothing, and what was computed so far is lost";
    assert!(error().to_string().ends_with(lost), "{}", error());
}
