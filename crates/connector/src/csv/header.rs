use super::record::{Split, split};
use super::{CsvOptions, Source, start_length};
use crate::fields::{Fields, Kind};
use crate::{Error, Limits};

/// What stands before a file's first row.
pub(super) struct Header {
    /// `None` where the file has no header, or is empty.
    pub names: Option<Vec<String>>,
    pub bytes: usize,
    pub lines: u64,
}

/// Reads the header, which `start` holds whole, if the options say that there is one.
pub(super) fn read(
    start: &[u8],
    options: &CsvOptions,
    limits: &Limits,
    origin: &str,
) -> Result<Header, Error> {
    let mut header = Header { names: None, bytes: start_length(start), lines: 0 };
    if !options.has_header {
        return Ok(header);
    }
    let bad = |cause| {
        let origin = origin.to_owned();
        Err(Error::BadHeader { origin, limit: limits.record_bytes, cause })
    };
    while header.bytes < start.len() {
        let rest = &start[header.bytes..];
        match split(rest, options.delimiter, true, limits.record_bytes) {
            Split::Blank { used } => {
                header.bytes += used;
                header.lines += 1;
            }
            Split::Whole(record) => {
                header.bytes += record.used;
                header.lines += record.lines;
                let names = record.cells.iter().map(|(name, _)| text(name, origin));
                header.names = Some(names.collect::<Result<_, _>>()?);
                return Ok(header);
            }
            Split::Bad { .. } => return bad("its quotes are wrong or it is too long"),
            Split::Partial => return bad("it does not end"),
        }
    }
    Ok(header)
}

fn text(name: &[u8], origin: &str) -> Result<String, Error> {
    String::from_utf8(name.to_vec()).map_err(|_| Error::HeaderUtf8 { origin: origin.to_owned() })
}

/// Finds the field of each column.
pub(super) fn sources(
    fields: &Fields,
    names: &[String],
    origin: &str,
) -> Result<Vec<Source>, Error> {
    let mut filled = vec![false; fields.len()];
    let mut sources = Vec::with_capacity(names.len());
    for (column, name) in names.iter().enumerate() {
        let field = fields.find(name, column);
        if let Some(field) = field
            && std::mem::replace(&mut filled[field], true)
        {
            let (origin, column) = (origin.to_owned(), name.clone());
            return Err(Error::DuplicateColumn { origin, column });
        }
        sources.push(Source {
            field,
            kind: field.map_or(Kind::Text, |field| fields.kinds[field]),
            required: field.is_some_and(|field| fields.required[field]),
        });
    }
    for (field, filled) in filled.iter().enumerate() {
        if !filled && fields.required[field] {
            return Err(Error::MissingColumn {
                origin: origin.to_owned(),
                column: fields.name(field).to_string(),
                found: names.to_vec(),
            });
        }
    }
    Ok(sources)
}

/// Letters, digits and what numbers, quotes and lines are made of cannot separate cells.
pub(crate) fn check_delimiter(delimiter: u8) -> Result<(), Error> {
    let taken = matches!(delimiter, b'"' | b'\n' | b'\r' | b'-' | b'+' | b'.');
    if taken || delimiter.is_ascii_alphanumeric() || !delimiter.is_ascii() {
        return Err(Error::Delimiter { delimiter });
    }
    Ok(())
}
