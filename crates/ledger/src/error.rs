use millrace_connector::Error as FileError;
use millrace_store::{DiskError, Name, StoreError};
use millrace_stream::live::{LiveError, PastError};
use thiserror::Error;

use crate::record::RecordError;

/// Why the decision log cannot be written, or what it holds not be used.
#[derive(Debug, Error)]
pub enum LedgerError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("record {offset} of the decision log cannot be read: {why}")]
    Record { offset: u64, why: RecordError },
    #[error(
        "record {offset} of the decision log belongs to start {run} of the server, of which nothing \
         is known; restore decision-runs in the data directory from a copy"
    )]
    NoRun { offset: u64, run: u64 },
    #[error(
        "start {run} of the server cannot be read: {why}; a newer or damaged millrace wrote it"
    )]
    Run { run: u64, why: String },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(
        "{name} in the data directory does not say how many decisions are in files; write the number \
         behind the last one that is in the newest file, or remove all files of decisions and write 0"
    )]
    Note { name: Name },
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
    #[error(transparent)]
    Past(#[from] PastError),
    #[error(transparent)]
    Live(#[from] LiveError),
}
