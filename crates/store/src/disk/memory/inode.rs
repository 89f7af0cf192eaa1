//! The content of one file: what is seen, and what a loss of power would leave.

use super::world::Dice;

/// What a disk writes at once or not at all.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    /// What the running process reads.
    data: Vec<u8>,
    /// What is durable.
    synced: Vec<u8>,
    /// Where the appends after the last sync begin and end.
    pending: Vec<(usize, usize)>,
}

impl Inode {
    pub fn durable(content: &[u8]) -> Inode {
        Inode { data: content.to_vec(), synced: content.to_vec(), pending: Vec::new() }
    }

    pub fn data(&self) -> &[u8] {
        &self.data
    }

    pub fn append(&mut self, bytes: &[u8]) {
        let start = self.data.len();
        self.data.extend_from_slice(bytes);
        self.pending.push((start, self.data.len()));
    }

    pub fn sync(&mut self) {
        for (start, end) in std::mem::take(&mut self.pending) {
            copy_range(&self.data, &mut self.synced, start, end);
        }
    }

    /// A failed sync: the pages are marked clean although they never reached the disk.
    pub fn lose_unsynced(&mut self) {
        self.pending.clear();
    }

    /// Durable at once.
    pub fn truncate(&mut self, len: usize) {
        self.sync();
        self.data.truncate(len);
        self.synced.truncate(len);
    }

    /// Durable at once.
    pub fn rewrite(&mut self, from: usize) {
        if from < self.data.len() {
            self.pending.push((from, self.data.len()));
        }
        self.sync();
    }

    pub fn flip_bit(&mut self, bit: u64) {
        let at = usize::try_from(bit / 8).expect("a file in memory is addressable");
        self.data[at] ^= 1 << (bit % 8);
        if let Some(byte) = self.synced.get_mut(at) {
            *byte ^= 1 << (bit % 8);
        }
    }

    /// What is left after a loss of power: each pending append is lost, whole, or torn, and the
    /// file may have grown without its bytes.
    pub fn after_power_loss(&self, dice: &mut Dice) -> Inode {
        let mut left = self.synced.clone();
        for &(start, end) in &self.pending {
            match dice.below(3) {
                0 => {}
                1 => copy_range(&self.data, &mut left, start, end),
                _ => self.tear(&mut left, start, end, dice),
            }
        }
        if !self.pending.is_empty() && dice.below(4) == 0 && left.len() < self.data.len() {
            left.resize(self.data.len(), 0);
        }
        Inode { data: left.clone(), synced: left, pending: Vec::new() }
    }

    fn tear(&self, left: &mut Vec<u8>, start: usize, end: usize, dice: &mut Dice) {
        let mut at = start;
        while at < end {
            let sector_end = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
            if dice.below(2) == 0 {
                copy_range(&self.data, left, at, sector_end);
            }
            at = sector_end;
        }
    }
}

/// Writes `from[start..end]` at the same place, with zeros in a hole before it.
fn copy_range(from: &[u8], to: &mut Vec<u8>, start: usize, end: usize) {
    if to.len() < end {
        to.resize(end, 0);
    }
    to[start..end].copy_from_slice(&from[start..end]);
}
