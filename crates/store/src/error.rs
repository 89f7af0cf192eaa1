use thiserror::Error;

use crate::{DiskError, Epoch, Name, Offset, SegmentId};

/// What can go wrong with durable bytes. Every message says what to do about it.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error(transparent)]
    Disk(#[from] DiskError),

    /// Another process holds the lock of the data directory.
    #[error("{path} is in use by {holder}; stop that process or use another data directory")]
    Locked { path: String, holder: String },

    /// An earlier write or sync failed, so what is on the disk is unknown until it is read again.
    #[error("{what} is closed since an earlier call failed: {cause}; open it again to recover")]
    Poisoned { what: String, cause: String },

    #[error("a log name is 1 to {limit} of a-z, 0-9, '-' and '_', and not {given:?}")]
    LogName { given: String, limit: usize },

    #[error("a record of {given} bytes is over the limit of {limit}; write less at once")]
    RecordTooLong { given: usize, limit: usize },
    #[error("a key of {given} bytes is over the limit of {limit}; use a shorter one")]
    KeyTooLong { given: usize, limit: usize },
    #[error("a value of {given} bytes is over the limit of {limit}; keep less of one key")]
    ValueTooLong { given: usize, limit: usize },
    #[error(
        "a checkpoint's meta of {given} bytes is over the limit of {limit}; use fewer partition names"
    )]
    MetaTooLong { given: usize, limit: usize },
    #[error("a checkpoint of {given} segments is over the limit of {limit}; clean more often")]
    TooManySegments { given: usize, limit: usize },

    /// Bytes that were durable are not what was written.
    #[error("{name} is corrupt at byte {at}: {why}; restore this file from a copy")]
    Corrupt { name: Name, at: u64, why: &'static str },

    #[error(
        "{name} is of format version {found} and this program reads up to {known}; use a newer one"
    )]
    NewerVersion { name: Name, found: u32, known: u32 },

    #[error(
        "log {log} lacks the records from {from} to {to}: a segment file is missing; restore it"
    )]
    MissingRecords { log: String, from: Offset, to: Offset },

    #[error(
        "log {log} ends at offset {end} but the records below {durable} were durable; \
         restore its files from a copy"
    )]
    LostRecords { log: String, end: Offset, durable: Offset },

    #[error(
        "log {log} holds the offsets {first} to {next}, and {given} is not among them; choose one of these"
    )]
    NoSuchOffset { log: String, given: Offset, first: Offset, next: Offset },

    /// There are checkpoints, and none can be trusted.
    #[error("none of {count} checkpoints can be read ({reasons}); {}", way_out(*log_first))]
    NoCheckpoint {
        count: usize,
        reasons: String,
        /// The first record of the event log that is kept.
        log_first: Option<Offset>,
    },

    #[error(
        "segment {segment} was written after checkpoint {after}, but no manifest is left; {}",
        way_out(*log_first)
    )]
    ManifestsGone { segment: SegmentId, after: Epoch, log_first: Option<Offset> },

    #[error("checkpoint {given} does not follow checkpoint {newest}; use a greater epoch")]
    StaleEpoch { given: Epoch, newest: Epoch },

    /// The location was not handed out by this store, or its segment was retired.
    #[error("there is no record at segment {segment}, byte {offset}, of {len} bytes")]
    NoSuchRecord { segment: SegmentId, offset: u64, len: u32 },

    /// A publication names a segment that the checkpoint does not have, or has twice.
    #[error("segment {segment} cannot be part of this checkpoint: {why}")]
    WrongSegment { segment: SegmentId, why: &'static str },

    #[error("segment numbers are used up; move the folder away to start again from the log")]
    SegmentsExhausted,

    #[error("{name} cannot be read: {why}; restore it from a copy, or remove it and create keys")]
    KeysUnreadable { name: Name, why: String },
    #[error("the record of key {key:?} was changed outside of millrace; revoke it and create it")]
    KeyChanged { key: String },
    #[error("there is already a key named {key:?}; revoke it first or choose another name")]
    KeyExists { key: String },
    #[error("there is no key named {key:?}; `millrace key list` shows those there are")]
    NoSuchKey { key: String },
    #[error("there are already {limit} keys; revoke some first")]
    TooManyKeys { limit: usize },
    #[error("a {what} is 1 to {limit} of letters, digits, '-', '_' and '.', and not {given:?}")]
    KeyLabel { what: &'static str, given: String, limit: usize },
}

/// What to do without a checkpoint, and what is lost by it.
fn way_out(log_first: Option<Offset>) -> String {
    match log_first {
        Some(Offset(0)) => "restore the folder checkpoints/ from a copy, or move it away to \
                            rebuild from the log, which holds every event from the first"
            .to_owned(),
        Some(first) => format!(
            "restore the folder checkpoints/ from a copy: the log cannot replace it, since it \
             begins at record {first}; without a copy, moving the whole data directory away \
             starts from nothing, and what was computed so far is lost"
        ),
        None => "restore the folder checkpoints/ from a copy: there is no log to rebuild from; \
                 without a copy, moving the whole data directory away starts from nothing, and \
                 what was computed so far is lost"
            .to_owned(),
    }
}

impl StoreError {
    /// Whether stored bytes are wrong, in contrast to an I/O call that failed: the one is a reason
    /// to fall back to an older checkpoint, the other to stop.
    pub fn is_corruption(&self) -> bool {
        match self {
            StoreError::Corrupt { .. }
            | StoreError::MissingRecords { .. }
            | StoreError::LostRecords { .. }
            | StoreError::NoCheckpoint { .. }
            | StoreError::ManifestsGone { .. } => true,
            StoreError::Disk(error) => error.is_not_found(),
            StoreError::Locked { .. }
            | StoreError::Poisoned { .. }
            | StoreError::LogName { .. }
            | StoreError::RecordTooLong { .. }
            | StoreError::KeyTooLong { .. }
            | StoreError::ValueTooLong { .. }
            | StoreError::MetaTooLong { .. }
            | StoreError::TooManySegments { .. }
            | StoreError::NewerVersion { .. }
            | StoreError::NoSuchOffset { .. }
            | StoreError::StaleEpoch { .. }
            | StoreError::NoSuchRecord { .. }
            | StoreError::WrongSegment { .. }
            | StoreError::SegmentsExhausted
            | StoreError::KeysUnreadable { .. }
            | StoreError::KeyChanged { .. }
            | StoreError::KeyExists { .. }
            | StoreError::NoSuchKey { .. }
            | StoreError::TooManyKeys { .. }
            | StoreError::KeyLabel { .. } => false,
        }
    }
}
