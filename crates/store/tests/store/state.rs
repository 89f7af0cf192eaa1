//! A small state that keeps itself in checkpoints, as an engine would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_store::{
    Change, Checkpoints, CheckpointsConfig, Epoch, LiveBytes, Location, MemoryDisk, Publication,
    Recovery, SegmentId, StoreError, Table, Tombstones,
};

pub const CONFIG: CheckpointsConfig =
    CheckpointsConfig { segment_bytes: 1_500, rewrite_bytes_max: 3_000 };

pub type Key = (u16, Vec<u8>);
pub type Values = BTreeMap<Key, Vec<u8>>;

/// Key states in memory, and where each one lies on the disk.
#[derive(Debug)]
pub struct State {
    pub checkpoints: Checkpoints,
    pub values: Values,
    pub locations: BTreeMap<Key, Location>,
    pub live: LiveBytes,
    /// What changed since the last checkpoint.
    dirty: BTreeSet<Key>,
    /// Whether the next checkpoint has more than one writer.
    pub writers: usize,
}

impl State {
    pub fn open(disk: &MemoryDisk) -> Result<(State, Recovery), StoreError> {
        let (checkpoints, recovery) = Checkpoints::open(Arc::new(disk.clone()), CONFIG)?;
        let mut records = checkpoints.records();
        let mut state = State {
            checkpoints,
            values: Values::new(),
            locations: BTreeMap::new(),
            live: LiveBytes::default(),
            dirty: BTreeSet::new(),
            writers: 1,
        };
        while let Some(record) = records.next_record()? {
            let key = (record.table.0, record.key.to_vec());
            match record.change {
                Change::Put(value) => {
                    state.values.insert(key.clone(), value.to_vec());
                    state.place(&key, record.at);
                }
                Change::Delete => {
                    state.values.remove(&key);
                    state.displace(&key);
                }
            }
        }
        Ok((state, recovery))
    }

    pub fn put(&mut self, key: Key, value: Vec<u8>) {
        self.values.insert(key.clone(), value);
        self.dirty.insert(key);
    }

    pub fn delete(&mut self, key: &Key) {
        if self.values.remove(key).is_some() {
            self.dirty.insert(key.clone());
        }
    }

    fn place(&mut self, key: &Key, at: Location) {
        self.displace(key);
        self.live.add(at);
        self.locations.insert(key.clone(), at);
    }

    fn displace(&mut self, key: &Key) {
        if let Some(old) = self.locations.remove(key) {
            self.live.remove(old);
        }
    }

    /// Writes what changed, cleans what is due, and publishes; after an error this state is to be
    /// dropped and opened again.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        let epoch = self.checkpoints.next_epoch();
        let dirty = std::mem::take(&mut self.dirty);
        let (puts, deletes, retired) = self.changes(&dirty)?;
        let mut writers = Vec::new();
        for _ in 0..self.writers {
            writers.push(self.checkpoints.begin(epoch)?);
        }
        for (n, key) in puts.iter().enumerate() {
            let at = writers[n % self.writers].put(Table(key.0), &key.1, &self.values[key])?;
            self.place(key, at);
        }
        for key in &deletes {
            writers[0].delete(Table(key.0), &key.1)?;
            self.displace(key);
        }
        let mut segments = Vec::new();
        for writer in writers {
            segments.extend(writer.finish()?);
        }
        retired.iter().for_each(|segment| self.live.forget(*segment));
        self.publish(epoch, segments, &retired)
    }

    fn publish(
        &mut self,
        epoch: Epoch,
        segments: Vec<millrace_store::Segment>,
        retired: &[SegmentId],
    ) -> Result<(), StoreError> {
        let meta = format!("meta of {epoch}").into_bytes();
        let live = &self.live;
        let publication = Publication { epoch, segments, retired, live, meta };
        let published = self.checkpoints.publish(publication)?;
        published.cleanup.map_or(Ok(()), Err)
    }

    /// What to put, what to delete, and which segments are retired for it.
    #[expect(clippy::type_complexity, reason = "three lists of one step")]
    fn changes(
        &self,
        dirty: &BTreeSet<Key>,
    ) -> Result<(BTreeSet<Key>, BTreeSet<Key>, Vec<SegmentId>), StoreError> {
        let is_there = |key: &&Key| self.values.contains_key(*key);
        let mut puts: BTreeSet<Key> = dirty.iter().filter(is_there).cloned().collect();
        let mut deletes: BTreeSet<Key> = dirty.difference(&puts).cloned().collect();
        let victims = self.checkpoints.victims(&self.live);
        for victim in &victims {
            let mut records = self.checkpoints.records_of(victim.segment)?;
            while let Some(record) = records.next_record()? {
                let key = (record.table.0, record.key.to_vec());
                match record.change {
                    Change::Put(_) if self.locations.get(&key) == Some(&record.at) => {
                        if self.values.contains_key(&key) {
                            puts.insert(key);
                        }
                    }
                    Change::Put(_) => {}
                    Change::Delete => match victim.tombstones {
                        Tombstones::Carry if !self.values.contains_key(&key) => {
                            deletes.insert(key);
                        }
                        Tombstones::Carry | Tombstones::Drop => {}
                    },
                }
            }
        }
        Ok((puts, deletes, victims.iter().map(|victim| victim.segment).collect()))
    }

    /// Reads every value from where it lies.
    pub fn check_locations(&self) {
        let reader = self.checkpoints.reader();
        let mut buffer = Vec::new();
        for (key, at) in &self.locations {
            let record = reader.read(*at, &mut buffer).unwrap();
            assert_eq!((record.table.0, record.key), (key.0, key.1.as_slice()));
            assert_eq!(reader.value(*at).unwrap(), self.values[key]);
        }
    }
}
