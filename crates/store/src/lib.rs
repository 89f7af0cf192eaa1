//! Durable bytes: event log, checkpoints, dead-letter and late logs; on disk or in memory.
//!
//! ```text
//! Log          append → sync → (acknowledge) → read from an offset after a restart
//! Checkpoints  begin → put … put → finish → publish;  open → records → the state again
//! Keys         create → verify → revoke
//!    └────────── all over ─────────▶ Disk: FileDisk │ MemoryDisk
//! ```
//!
//! Nothing here knows an event or a feature: payloads, keys, values and the checkpoint's meta are
//! opaque bytes. What the crate adds is the promise about them. Bytes that were acknowledged after
//! a sync survive a kill and a loss of power; bytes that were changed behind our back are noticed;
//! and a reader gets either what was written or an error that names the file and the byte.
//!
//! Every I/O call goes through [`Disk`], so that tests can fail each single call, lose power
//! between any two, and flip any bit. Nothing here starts a thread, reads a clock or retries: a
//! write that failed closes the log or the writer it happened in, and reopening finds out what is
//! on the disk. Retrying a failed fsync would be wrong, because the kernel may have dropped the
//! pages and report success the second time.
//!
//! The bytes of every file are documented in `docs/reference/formats.md`; fixtures in
//! `tests/golden` keep version 1 readable.

pub mod checkpoint;
pub mod disk;
mod error;
pub mod keys;
pub mod log;
mod name;
mod parse;

pub use checkpoint::{
    BlockReader, Change, CheckpointWriter, Checkpoints, CheckpointsConfig, LiveBytes, Location,
    Manifest, Publication, Published, Record, Records, Recovery, Rejected, Segment, Table,
    Tombstones, Victim, newest_manifest,
};
pub use disk::file::{Access, FileDisk};
pub use disk::memory::{Fault, MemoryDisk};
pub use disk::{Appender, Disk, DiskError, Operation, Readable};
pub use error::StoreError;
pub use keys::{ApiKey, KeyRecord, Keys};
pub use log::{Log, LogConfig, LogReader, Opened, Torn};
pub use name::{Epoch, Folder, LogName, Name, Offset, SegmentId};
