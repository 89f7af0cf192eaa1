//! Dead letters: what a record that cannot be read becomes, so that nothing is lost unseen.

use std::fmt;
use std::sync::Arc;

use millrace_event::Refusal;

use crate::Limits;

/// Why a record was not read. The names are stable: they stand in logs, counters and stored
/// letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reason {
    /// Not valid JSON, or JSON with a lone surrogate.
    BadJson,
    /// Valid JSON, but not an object.
    NotAnObject,
    /// One field given twice.
    DuplicateField,
    /// More levels of JSON than [`Limits::depth`].
    TooDeep,
    /// A quote that is never closed, or one in the middle of a cell.
    BadCsv,
    /// More or fewer cells than the file has columns.
    ColumnCount,
    /// A value that is not of the field's type.
    WrongType,
    /// A field that may not be null is absent, null or empty.
    MissingField,
    BadUtf8,
    /// A field beyond [`Limits::field_bytes`].
    FieldTooLarge,
    /// A record beyond [`Limits::record_bytes`].
    RecordTooLarge,
    /// A number, time or duration that the type cannot hold.
    OutOfRange,
    /// More digits than the type keeps; nothing is rounded.
    TooPrecise,
    /// A number that is a time of our days in seconds, and one of early 1970 in milliseconds.
    TimeInSeconds,
    /// The file was cut short in the middle of the record.
    CutOff,
    /// It can be read, and is against the rules of whom it is read for.
    Refused(Refusal),
}

impl Reason {
    pub const ALL: [Reason; 17] = [
        Reason::BadJson,
        Reason::NotAnObject,
        Reason::DuplicateField,
        Reason::TooDeep,
        Reason::BadCsv,
        Reason::ColumnCount,
        Reason::WrongType,
        Reason::MissingField,
        Reason::BadUtf8,
        Reason::FieldTooLarge,
        Reason::RecordTooLarge,
        Reason::OutOfRange,
        Reason::TooPrecise,
        Reason::TimeInSeconds,
        Reason::CutOff,
        Reason::Refused(Refusal::Future),
        Reason::Refused(Refusal::LongKey),
    ];

    pub fn name(self) -> &'static str {
        match self {
            Reason::BadJson => "bad-json",
            Reason::NotAnObject => "not-an-object",
            Reason::DuplicateField => "duplicate-field",
            Reason::TooDeep => "too-deep",
            Reason::BadCsv => "bad-csv",
            Reason::ColumnCount => "column-count",
            Reason::WrongType => "wrong-type",
            Reason::MissingField => "missing-field",
            Reason::BadUtf8 => "bad-utf8",
            Reason::FieldTooLarge => "field-too-large",
            Reason::RecordTooLarge => "record-too-large",
            Reason::OutOfRange => "out-of-range",
            Reason::TooPrecise => "too-precise",
            Reason::TimeInSeconds => "time-in-seconds",
            Reason::CutOff => "cut-off",
            Reason::Refused(refusal) => refusal.name(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a record begins in its origin; also where a source can be resumed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Position {
    /// Of a line-based format: the line, counted from 1, and the byte, counted from 0.
    Line { line: u64, byte: u64 },
    /// Of a Parquet file: the row, counted from 0.
    Row(u64),
}

impl Position {
    /// The first record of a line-based file.
    pub const START: Position = Position::Line { line: 1, byte: 0 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::Line { line, byte } => write!(f, "line {line} (byte {byte})"),
            Position::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// A record that was not read, with all that is needed to find, understand and replay it.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The file's path, or what else the bytes came from, such as `http`.
    pub origin: Arc<str>,
    pub position: Position,
    pub reason: Reason,
    /// The field at fault, where it is one.
    pub field: Option<Arc<str>>,
    /// Names the field, the cause and a fix.
    pub message: String,
    /// The record as it arrived, without the end of its line; of one beyond the record limit the
    /// first [`Limits::kept_bytes`]. Of a Parquet row: the columns that were read, as JSON.
    pub bytes: Vec<u8>,
    /// The true length of the record.
    pub bytes_total: u64,
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}: {}", self.origin, self.position, self.reason, self.message)
    }
}

/// What is wrong with one record, before it is known where the record came from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub reason: Reason,
    pub field: Option<Arc<str>>,
    pub message: String,
}

/// Boxed: faults are rare, and results are returned per record.
pub(crate) type FaultBox = Box<Fault>;

impl Fault {
    pub fn of_record(reason: Reason, message: String) -> FaultBox {
        Box::new(Fault { reason, field: None, message })
    }

    pub fn record_too_large(length: u64, limits: &Limits) -> FaultBox {
        let limit = limits.record_bytes;
        Fault::of_record(
            Reason::RecordTooLarge,
            format!(
                "the record has {length} bytes and the limit is {limit}; send it in parts, or \
                 raise the record limit"
            ),
        )
    }

    pub fn bad_utf8() -> FaultBox {
        Fault::of_record(
            Reason::BadUtf8,
            "the record is not UTF-8; write the source as UTF-8".to_owned(),
        )
    }

    pub fn duplicate(field: &Arc<str>) -> FaultBox {
        Box::new(Fault {
            reason: Reason::DuplicateField,
            field: Some(Arc::clone(field)),
            message: format!("field `{field}` is given twice; send it once"),
        })
    }

    pub fn missing(field: &Arc<str>, how: &str) -> FaultBox {
        Box::new(Fault {
            reason: Reason::MissingField,
            field: Some(Arc::clone(field)),
            message: format!("field `{field}` {how}; send a value, or declare it with `?`"),
        })
    }

    /// The letter for `record`, which is whole: what is beyond the record limit is cut here.
    pub fn letter(
        &self,
        origin: &Arc<str>,
        position: Position,
        record: &[u8],
        limits: &Limits,
    ) -> DeadLetter {
        let keep =
            if record.len() > limits.record_bytes { limits.kept_bytes } else { record.len() };
        DeadLetter {
            origin: Arc::clone(origin),
            position,
            reason: self.reason,
            field: self.field.clone(),
            message: self.message.clone(),
            bytes: record.iter().take(keep).copied().collect(),
            bytes_total: record.len() as u64,
        }
    }
}
