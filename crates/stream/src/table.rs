//! The key states of one group in one shard.

use hashbrown::{DefaultHashBuilder, HashMap};
use millrace_aggregate::{DecodeError, Horizon, KeyState, Shape};
use millrace_event::Key;
use millrace_store::{BlockReader, Location, SegmentId};
use thiserror::Error;

use crate::blocks::Blocks;
use crate::keys::hash_key;
use crate::parts::{PART_TABLES, Parts, part_key};
use crate::probe::Probe;
use crate::slots::{Residence, Slot, SlotKey, Slots};

/// Where key states that are not in memory are read from.
pub trait ColdBlocks {
    /// The bytes at a location.
    ///
    /// # Errors
    /// A sentence that says what could not be read, and why.
    fn load(&self, location: Location) -> Result<Vec<u8>, String>;
}

/// No key state is ever outside memory.
#[derive(Debug, Clone, Copy)]
pub struct AllInMemory;

impl ColdBlocks for AllInMemory {
    fn load(&self, _: Location) -> Result<Vec<u8>, String> {
        Err("this engine keeps all key states in memory".to_owned())
    }
}

impl ColdBlocks for BlockReader {
    fn load(&self, location: Location) -> Result<Vec<u8>, String> {
        self.value(location).map_err(|e| e.to_string())
    }
}

/// Why a key state on the disk could not be had.
#[derive(Debug, Error)]
pub(crate) enum Unread {
    #[error(transparent)]
    Damaged(#[from] DecodeError),
    #[error("{0}")]
    Cold(String),
}

/// Changed since the last checkpoint began.
const DIRTY: u8 = 1;
/// Belongs to the checkpoint under way, and not yet captured.
const PENDING: u8 = 2;
/// Used since the spill hand last came by.
const USED: u8 = 4;
const FREE: u8 = 8;
/// Captured for a checkpoint that is not published: its location is that of older bytes, so that
/// it must not be spilled.
const UNPUBLISHED: u8 = 16;

/// Room for no more captured bytes is kept from one checkpoint to the next.
const CAPTURED_ROOM_MAX: usize = 256 << 10;

/// Key states that are captured together.
const LOOKAHEAD: usize = 16;

/// Slots that the hand has passed, and the bytes of the key states in memory among them.
#[derive(Clone, Copy, Debug, Default)]
struct Passed {
    slots: usize,
    bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Table {
    hasher: DefaultHashBuilder,
    /// Whether changes are noted for checkpoints.
    tracked: bool,
    index: Probe,
    slots: Slots,
    free: Vec<u32>,
    dirty: Vec<u32>,
    pending: Vec<u32>,
    /// What belongs to the checkpoint under way, as it was when that began.
    captured: Blocks,
    /// Of this table in the checkpoint under way.
    number: u16,
    removed: Vec<Key>,
    /// Those whose removal the checkpoint under way, or the last one, says.
    removing: Vec<Key>,
    /// By slot; only where key states are stored in checkpoints.
    locations: Vec<Option<Location>>,
    /// Where the parts of busy keys are, by slot.
    parts: HashMap<u32, Parts>,
    released: Vec<Location>,
    hand: usize,
    /// What the hand has passed in this round, and in the last whole one.
    swept: Passed,
    measured: Passed,
    spilled: usize,
}

impl Table {
    pub(crate) fn new(hasher: DefaultHashBuilder, tracked: bool) -> Table {
        Table {
            hasher,
            tracked,
            index: Probe::default(),
            slots: Slots::default(),
            free: Vec::new(),
            dirty: Vec::new(),
            pending: Vec::new(),
            captured: Blocks::default(),
            number: 0,
            removed: Vec::new(),
            removing: Vec::new(),
            locations: Vec::new(),
            parts: HashMap::new(),
            released: Vec::new(),
            swept: Passed::default(),
            measured: Passed::default(),
            spilled: 0,
            hand: 0,
        }
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        self.index.find(hash, |slot| self.slots[slot as usize].key.is(key))
    }

    #[inline]
    pub(crate) fn find_or_insert(&mut self, hash: u64, key: &[u8]) -> u32 {
        if let Some(found) = self.find(hash, key) {
            return found;
        }
        let slot = Slot {
            key: SlotKey::new(key),
            state: Residence::Memory(KeyState::default()),
            flags: USED,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        self.index.insert(hash, at);
        at
    }

    /// The key state in memory, loaded if it was spilled.
    pub(crate) fn state_mut(
        &mut self,
        at: u32,
        shape: &Shape,
        cold: &dyn ColdBlocks,
    ) -> Result<&mut KeyState, String> {
        let slot = &mut self.slots[at as usize];
        slot.flags |= USED;
        if let Residence::Disk = slot.state {
            let load = |location: Option<Location>| {
                cold.load(location.ok_or("a spilled key state has no location: this is a bug")?)
            };
            let bytes = load(self.locations.get(at as usize).copied().flatten())?;
            let parts = self.parts.get(&at);
            let part = |number| load(parts.and_then(|p| p.location(number))).map_err(Unread::Cold);
            let state = KeyState::decode(shape, &bytes, part).map_err(|e| e.to_string())?;
            slot.state = Residence::Memory(state);
            self.spilled -= 1;
        }
        match &mut slot.state {
            Residence::Memory(state) => Ok(state),
            Residence::Disk => Err("a key state was not loaded: this is a bug".to_owned()),
        }
    }

    /// Reads where the look for a key begins.
    #[inline]
    pub(crate) fn peek_index(&self, hash: u64) -> u64 {
        self.index.peek(hash)
    }

    /// Reads the slot that a key most likely has.
    #[inline]
    pub(crate) fn peek_slot(&self, hash: u64) -> u8 {
        let slot = self.index.guess(hash).and_then(|slot| self.slots.get(slot as usize));
        slot.map_or(0, |slot| slot.flags)
    }

    /// The key state ahead of time, where it is in memory.
    #[inline]
    pub(crate) fn peek(&self, at: u32) -> Option<&KeyState> {
        match self.slots.get(at as usize).map(|s| &s.state) {
            Some(Residence::Memory(state)) => Some(state),
            Some(Residence::Disk) | None => None,
        }
    }

    /// The key state, about to be changed.
    #[inline]
    pub(crate) fn change(
        &mut self,
        at: u32,
        shape: &Shape,
        cold: &dyn ColdBlocks,
    ) -> Result<&mut KeyState, String> {
        self.touch(at, shape);
        self.state_mut(at, shape, cold)
    }

    /// The key state is about to change: a checkpoint under way gets it as it is now.
    #[inline]
    fn touch(&mut self, at: u32, shape: &Shape) {
        if !self.tracked {
            return;
        }
        let flags = self.slots[at as usize].flags;
        if flags & PENDING != 0 {
            self.capture(at, shape);
        }
        if flags & DIRTY == 0 {
            self.slots[at as usize].flags |= DIRTY;
            self.dirty.push(at);
        }
    }

    fn capture(&mut self, at: u32, shape: &Shape) {
        let slot = &mut self.slots[at as usize];
        slot.flags &= !PENDING;
        let Residence::Memory(state) = &mut slot.state else { return };
        slot.flags |= UNPUBLISHED;
        let numbers = state.parts(shape);
        if !numbers.is_empty() {
            let changed = state.take_changed_parts(shape);
            let parts = self.parts.entry(at).or_default();
            for number in parts.capture(numbers, &changed, &mut self.released) {
                let key = part_key(number, slot.key.as_bytes());
                self.captured.put(self.number | PART_TABLES, key.as_bytes(), |out| {
                    state.encode_part(shape, number, out);
                });
            }
        } else if let Some(parts) = self.parts.remove(&at) {
            self.released.extend(parts.locations());
        }
        // After its parts: a key that is located can be spilled.
        self.captured.put(self.number, slot.key.as_bytes(), |out| state.encode(shape, out));
    }

    /// A checkpoint begins: what is dirty now belongs to it.
    pub(crate) fn begin_checkpoint(&mut self, number: u16) {
        debug_assert!(self.pending.is_empty() && self.captured.is_empty());
        self.pending = std::mem::take(&mut self.dirty);
        for at in &self.pending {
            let flags = &mut self.slots[*at as usize].flags;
            if *flags & DIRTY != 0 {
                *flags = (*flags & !DIRTY) | PENDING;
            }
        }
        self.removing = std::mem::take(&mut self.removed);
        self.number = number;
        for key in &self.removing {
            self.captured.gone(number, key.as_bytes());
        }
    }

    /// Captures up to `count` more key states; hands out those captured so far and returns whether
    /// any are left.
    pub(crate) fn continue_checkpoint(
        &mut self,
        count: usize,
        shape: &Shape,
        out: &mut Blocks,
    ) -> bool {
        let mut left = count.min(self.pending.len());
        while left > 0 {
            let together = left.min(LOOKAHEAD);
            left -= together;
            let from = self.pending.len() - together;
            // Their cache misses overlap.
            let slots = self.pending[from..].iter();
            let states = slots.filter_map(|at| self.peek(*at)).map(KeyState::peek);
            std::hint::black_box(states.fold(0, |all, word| all ^ word));
            for _ in 0..together {
                let Some(at) = self.pending.pop() else { break };
                if self.slots[at as usize].flags & PENDING != 0 {
                    self.capture(at, shape);
                }
            }
        }
        out.append(&mut self.captured);
        let more = !self.pending.is_empty();
        if !more {
            self.captured.shrink_above(CAPTURED_ROOM_MAX);
        }
        more
    }

    /// Marks every key state in memory as changed, so that the next checkpoint holds it. One that
    /// is on disk only lies in a segment as it is. What the last checkpoint said of removed keys is
    /// said again, for that checkpoint may have failed.
    pub(crate) fn mark_all(&mut self) {
        let mut removed = std::mem::take(&mut self.removing);
        removed.retain(|key| {
            self.find(hash_key(&self.hasher, key.as_bytes()), key.as_bytes()).is_none()
        });
        self.removed.append(&mut removed);
        self.parts.values_mut().for_each(Parts::mark_all);
        for at in 0..self.slots.len() as u32 {
            let slot = &mut self.slots[at as usize];
            let in_memory = matches!(slot.state, Residence::Memory(_));
            if in_memory && slot.flags & (DIRTY | FREE) == 0 {
                slot.flags |= DIRTY;
                self.dirty.push(at);
            }
        }
    }

    /// Puts a key state as a checkpoint has it. Returns the bytes that it takes, and those of an
    /// older one in its place.
    pub(crate) fn restore(&mut self, hash: u64, key: &Key, state: KeyState) -> (usize, usize) {
        let size = state.bytes();
        let is_new = self.find(hash, key.as_bytes()).is_none();
        let at = self.find_or_insert(hash, key.as_bytes()) as usize;
        match std::mem::replace(&mut self.slots[at].state, Residence::Memory(state)) {
            Residence::Memory(_) if is_new => (size, 0),
            Residence::Memory(before) => (size, before.bytes()),
            Residence::Disk => {
                self.spilled -= 1;
                (size, 0)
            }
        }
    }

    /// Removes a key that a checkpoint says is gone.
    pub(crate) fn restore_gone(&mut self, hash: u64, key: &Key) {
        if let Some(at) = self.find(hash, key.as_bytes()) {
            let state = &self.slots[at as usize].state;
            self.spilled -= usize::from(matches!(state, Residence::Disk));
            self.remove(at, hash);
        }
    }

    /// Notes where a checkpoint has the parts of a key that was just restored.
    pub(crate) fn restore_parts(&mut self, hash: u64, key: &Key, parts: Parts) {
        if let Some(at) = self.find(hash, key.as_bytes()) {
            self.parts.insert(at, parts);
        }
    }

    /// Leaves a key state that was just restored on the disk only.
    pub(crate) fn set_aside(&mut self, hash: u64, key: &Key) {
        let Some(at) = self.find(hash, key.as_bytes()) else { return };
        self.slots[at as usize].state = Residence::Disk;
        self.spilled += 1;
    }

    /// Notes where a checkpoint put a key.
    pub(crate) fn locate(&mut self, hash: u64, key: &Key, location: Location) {
        let Some(at) = self.find(hash, key.as_bytes()) else { return self.released.push(location) };
        let at = at as usize;
        if self.locations.len() <= at {
            self.locations.resize(self.slots.len(), None);
        }
        self.slots[at].flags &= !UNPUBLISHED;
        self.released.extend(self.locations[at].replace(location));
    }

    /// Notes where a checkpoint put a part of a key.
    pub(crate) fn locate_part(&mut self, hash: u64, key: &[u8], number: u64, location: Location) {
        let at = self.find(hash, key);
        let unneeded = match at.and_then(|at| self.parts.get_mut(&at)) {
            Some(parts) => parts.locate(number, location),
            None => Some(location),
        };
        self.released.extend(unneeded);
    }

    /// Locations that no key refers to any more, since the last call.
    pub(crate) fn take_released(&mut self) -> Vec<Location> {
        std::mem::take(&mut self.released)
    }

    fn remove(&mut self, at: u32, hash: u64) {
        self.index.remove(hash, at);
        let slot = &mut self.slots[at as usize];
        slot.key = SlotKey::Word([0; 8]);
        slot.state = Residence::Memory(KeyState::default());
        slot.flags = FREE;
        if let Some(location) = self.locations.get_mut(at as usize) {
            self.released.extend(location.take());
        }
        if let Some(parts) = self.parts.remove(&at) {
            self.released.extend(parts.locations());
        }
        self.free.push(at);
    }

    /// Looks at the next `count` keys: settles what lies behind the horizon, forgets keys that
    /// nothing can show any more, and, when asked, spills clean ones that were not used lately.
    /// Returns the bytes that spilling released.
    pub(crate) fn sweep(
        &mut self,
        count: usize,
        shape: &Shape,
        horizon: Horizon,
        spill: bool,
    ) -> usize {
        let mut released = 0;
        for _ in 0..count.min(self.slots.len()) {
            self.hand += 1;
            if self.hand >= self.slots.len() {
                self.hand = 0;
                self.measured = std::mem::take(&mut self.swept);
            }
            let at = self.hand as u32;
            self.swept.slots += 1;
            if let Residence::Memory(state) = &self.slots[self.hand].state {
                self.swept.bytes += state.bytes();
            }
            let slot = &mut self.slots[self.hand];
            // A key in a checkpoint under way is left alone: it is captured as it was.
            if slot.flags & (FREE | PENDING | DIRTY) != 0 {
                continue;
            }
            let Residence::Memory(state) = &mut slot.state else { continue };
            state.remove_until(shape, horizon);
            if state.is_empty(shape, horizon) {
                let hash = hash_key(&self.hasher, slot.key.as_bytes());
                if self.tracked {
                    self.removed.push(slot.key.to_key());
                }
                self.remove(at, hash);
            } else if spill
                && slot.flags & UNPUBLISHED == 0
                && self.locations.get(self.hand).copied().flatten().is_some()
            {
                if slot.flags & USED != 0 {
                    slot.flags &= !USED;
                } else {
                    let bytes = state.bytes();
                    released += bytes;
                    // It counts no more, in this round and in the last one.
                    self.swept.bytes = self.swept.bytes.saturating_sub(bytes);
                    self.measured.bytes = self.measured.bytes.saturating_sub(bytes);
                    slot.state = Residence::Disk;
                    self.spilled += 1;
                }
            }
        }
        released
    }

    /// Marks keys whose bytes lie in one of the `segments` as changed, so that the next checkpoint
    /// writes them again. Looks at `count` slots from `from` on and returns where to go on; `None`
    /// when all were looked at.
    pub(crate) fn mark_segments(
        &mut self,
        segments: &[SegmentId],
        from: usize,
        count: usize,
        shape: &Shape,
        cold: &dyn ColdBlocks,
    ) -> Result<Option<usize>, String> {
        let end = from.saturating_add(count).min(self.locations.len());
        for at in from..end {
            let parts = self.parts.get_mut(&(at as u32));
            let part_here = parts.is_some_and(|parts| parts.mark_segments(segments));
            let here = self.locations[at].is_some_and(|l| segments.contains(&l.segment));
            if (here || part_here) && self.slots[at].flags & (DIRTY | FREE) == 0 {
                self.state_mut(at as u32, shape, cold)?;
                self.slots[at].flags |= DIRTY;
                self.dirty.push(at as u32);
            }
        }
        Ok((end < self.locations.len()).then_some(end))
    }

    /// About how many bytes the key states in memory take, as of the last round of the hand.
    pub(crate) fn measured(&self) -> usize {
        // The larger sample stands for all: a table grows faster than the hand goes round.
        let larger =
            if self.swept.slots < self.measured.slots { self.measured } else { self.swept };
        let each = larger.bytes as f64 / larger.slots.max(1) as f64;
        (each * self.slots.len() as f64) as usize
    }

    pub(crate) fn spilled(&self) -> usize {
        self.spilled
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Bytes of the key states in memory, and of the table around them.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        let mut states = 0;
        for slot in self.slots.iter() {
            if let Residence::Memory(state) = &slot.state {
                states += state.bytes();
            }
            states += slot.key.heap_bytes();
        }
        let around = self.slots.capacity() * (size_of::<Slot>() - size_of::<KeyState>())
            + self.index.heap_bytes()
            + self.locations.capacity() * size_of::<Option<Location>>()
            + self.captured.room()
            + self.parts.capacity() * size_of::<(u32, Parts)>()
            + self.parts.values().map(Parts::heap_bytes).sum::<usize>();
        (states, around)
    }
}
