//! The embedded engine: shards, watermarks, lateness, checkpoints, as a deterministic step
//! function.

mod blocks;
mod checkpoint;
mod clock;
mod engine;
mod features;
mod id_chunk;
mod keys;
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "here the engine meets the clock, the disk and the source of its secret"
)]
pub mod live;
mod ordered;
mod parts;
mod probe;
mod registry;
mod remembered;
mod restore;
mod sequencer;
mod settings;
mod shard;
mod slots;
mod table;
pub mod test_run;

pub use blocks::{Block, BlockRef, Blocks};
pub use checkpoint::{ID_TABLES, Moving, Snapshot};
pub use clock::PartitionId;
pub use engine::{
    Answer, Applied, Counts, Engine, EngineError, Fate, GroupSize, Sweep, aggregate_columns,
};
pub use features::{features_of, view_columns};
pub use keys::{KeyHasher, Keys};
pub use millrace_aggregate::Position;
pub use ordered::{Emit, Ordered, Rows};
pub use restore::Restored;
pub use sequencer::{Place, Released, Sequencer, Take};
pub use settings::Settings;
pub use shard::{GroupRows, Reads, Shard, Step};
pub use table::{AllInMemory, ColdBlocks};
