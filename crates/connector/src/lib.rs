//! Sources and sinks outside us: files (Parquet, NDJSON, CSV) and their decoding into columns.

mod block;
mod cell;
mod columns;
mod csv;
mod dead;
mod error;
mod fields;
mod format;
mod json;
mod judge;
mod limits;
mod parquet;
mod sink;
mod source;
mod unknown;

pub use block::Decoded;
pub use cell::time::duration_of;
pub use csv::{CsvDecoder, CsvOptions};
pub use dead::{DeadLetter, Position, Reason};
pub use error::Error;
pub use json::{JsonDecoder, TimeFormat, row_from_json, value_to_json, write_json};
pub use limits::Limits;
pub use sink::{PartialFile, RowWriter, WriteOptions};
pub use source::{
    FileChange, FileMark, FileOptions, FileSource, Progress, Resumed, TailSource, Tailed,
};
pub use unknown::UnknownFields;
