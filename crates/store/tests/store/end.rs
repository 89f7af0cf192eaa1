//! The two ways in which everything may stop.

use millrace_store::MemoryDisk;
use proptest::prelude::*;

/// How a process ends whose disk failed.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Kill,
    PowerLoss(u64),
}

impl End {
    pub fn of(self, disk: &MemoryDisk) -> MemoryDisk {
        match self {
            End::Kill => disk.kill(),
            End::PowerLoss(seed) => disk.power_loss(seed),
        }
    }
}

pub fn ends() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Kill), any::<u64>().prop_map(End::PowerLoss)]
}
