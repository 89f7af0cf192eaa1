//! One record of any shape, cut into its cells.
//!
//! A quote that is never closed would swallow the lines behind it. So a record whose quotes are
//! wrong costs only its first line, and reading goes on with the next one. That stays linear,
//! because a quote anywhere but around a cell is a fault: every quote then turns "inside" to
//! "outside" and back, and a line that was read as the inside of a bad record is read at most once
//! more.

use std::borrow::Cow;

use memchr::memchr;

use crate::Reason;
use crate::dead::{Fault, FaultBox};

/// What stands at the start of the bytes.
#[derive(Debug)]
pub(super) enum Split<'a> {
    Whole(Record<'a>),
    /// An empty line, which is no record.
    Blank {
        used: usize,
    },
    /// The first line cannot be cut into cells.
    Bad {
        used: usize,
        fault: FaultBox,
    },
    /// Not all of the record is there.
    Partial,
}

#[derive(Debug)]
pub(super) struct Record<'a> {
    /// The text of each cell, without quotes, and whether it was quoted.
    pub cells: Vec<(Cow<'a, [u8]>, bool)>,
    /// Bytes, with the end of the line.
    pub used: usize,
    pub lines: u64,
}

/// Cuts the record at the start of `input`. With `last`, the end of `input` ends it.
pub(super) fn split(input: &[u8], delimiter: u8, last: bool, record_max: usize) -> Split<'_> {
    let Some(first_line) = line_length(input, last) else { return Split::Partial };
    if without_end(&input[..first_line]).is_empty() {
        return Split::Blank { used: first_line };
    }
    let bad = |fault| Split::Bad { used: first_line, fault };
    let mut record = Record { cells: Vec::new(), used: 0, lines: 1 };
    loop {
        let rest = &input[record.used..];
        let cell = if rest.first() == Some(&b'"') {
            quoted_cell(rest)
        } else {
            plain_cell(rest, delimiter).map(|length| (Cow::Borrowed(&rest[..length]), length))
        };
        let (text, length) = match cell {
            Ok(cell) => cell,
            Err(CellFault::Open) if !last && input.len() <= record_max => return Split::Partial,
            Err(fault) => return bad(fault.into_fault()),
        };
        record.lines += memchr::memchr_iter(b'\n', &rest[..length]).count() as u64;
        record.cells.push((text, rest.first() == Some(&b'"')));
        record.used += length;
        match input.get(record.used) {
            Some(b) if *b == delimiter => record.used += 1,
            Some(_) | None => match line_end(&input[record.used..], last) {
                End::Here(length) => {
                    record.used += length;
                    break;
                }
                End::Unknown if input.len() <= record_max => return Split::Partial,
                End::Unknown => return bad(too_long(input.len(), record_max)),
                End::None => return bad(CellFault::Text.into_fault()),
            },
        }
    }
    if record.used <= record_max {
        return Split::Whole(record);
    }
    // Only the first line is given up: the record may be so long for want of a quote.
    bad(too_long(record.used, record_max))
}

fn too_long(length: usize, limit: usize) -> FaultBox {
    Fault::of_record(
        Reason::RecordTooLarge,
        format!(
            "the record has {length} bytes and the limit is {limit}; send it in parts, close its \
             quotes, or raise the record limit"
        ),
    )
}

enum CellFault {
    /// The closing quote is not there.
    Open,
    /// A quote inside a cell that is not quoted.
    Quote,
    /// Text behind a closing quote.
    Text,
}

impl CellFault {
    fn into_fault(self) -> FaultBox {
        let cause = match self {
            CellFault::Open => "a quote is never closed",
            CellFault::Quote => "a quote stands inside a cell that is not quoted",
            CellFault::Text => "text follows a closing quote",
        };
        let message = format!("{cause}; quote the whole cell and double the quotes in it");
        Fault::of_record(Reason::BadCsv, message)
    }
}

enum End {
    Here(usize),
    None,
    Unknown,
}

/// The end of the line at the start of `rest`.
fn line_end(rest: &[u8], last: bool) -> End {
    match rest {
        [b'\n', ..] => End::Here(1),
        [b'\r', b'\n', ..] => End::Here(2),
        [] | [b'\r'] if last => End::Here(rest.len()),
        [] | [b'\r'] => End::Unknown,
        _ => End::None,
    }
}

/// The length of a cell without quotes.
fn plain_cell(rest: &[u8], delimiter: u8) -> Result<usize, CellFault> {
    let at = rest.iter().position(|b| *b == delimiter || matches!(b, b'\n' | b'"'));
    match at {
        Some(at) if rest[at] == b'"' => Err(CellFault::Quote),
        Some(at) if rest[at] == b'\n' && at > 0 && rest[at - 1] == b'\r' => Ok(at - 1),
        Some(at) => Ok(at),
        None => Ok(rest.len() - usize::from(rest.ends_with(b"\r"))),
    }
}

/// The text of a quoted cell, doubled quotes made single, and its length with the quotes.
fn quoted_cell(rest: &[u8]) -> Result<(Cow<'_, [u8]>, usize), CellFault> {
    let mut at = 1;
    let mut doubled = false;
    loop {
        at += memchr(b'"', &rest[at..]).ok_or(CellFault::Open)?;
        if rest.get(at + 1) != Some(&b'"') {
            break;
        }
        doubled = true;
        at += 2;
    }
    let inner = &rest[1..at];
    if !doubled {
        return Ok((Cow::Borrowed(inner), at + 1));
    }
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        text.push(*byte);
        if *byte == b'"' {
            bytes.next();
        }
    }
    Ok((Cow::Owned(text), at + 1))
}

/// The length of the first line with its end, if the end is there.
fn line_length(input: &[u8], last: bool) -> Option<usize> {
    match memchr(b'\n', input) {
        Some(at) => Some(at + 1),
        None => last.then_some(input.len()),
    }
}

/// A line or record without the end of its line.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
