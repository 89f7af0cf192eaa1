//! Compares what the engine wrote with what the floor computes, cell by cell, so that a fast wrong
//! answer is none; and reads the newest checkpoint back.

use std::fs::File;
use std::io::{BufRead, BufReader};

use millrace_payments::card_features::{Columns, compute};
use millrace_stream::Settings;
use serde::{Deserialize, Serialize};

use super::checkpoints;
use super::phase::Args;
use crate::exit::Failure;

/// The file's columns before those of the view.
const OWN_COLUMNS: usize = 2;
/// What a cell holds, by the column's place: see [`Columns::NAMES`].
const KINDS: [Kind; Columns::COUNT] = [
    Kind::Int,
    Kind::Int,
    Kind::Int,
    Kind::Cents,
    Kind::Cents,
    Kind::Cents,
    Kind::Float,
    Kind::Float,
    Kind::Float,
    Kind::Cents,
    Kind::Cents,
    Kind::Cents,
    Kind::Distinct,
    Kind::Int,
    Kind::Cents,
    Kind::Float,
];
/// Distinct members are counted up to here; beyond it the language's answer is null.
const DISTINCT_MAX: u64 = 4_096;

#[derive(Clone, Copy)]
enum Kind {
    Int,
    /// A decimal with two digits after the point.
    Cents,
    Float,
    Distinct,
}

/// That everything agreed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verified {
    pub rows: u64,
    /// Cells compared: sixteen a row.
    pub values: u64,
    /// Of these, counts of more distinct members than the language counts: null in both.
    pub values_at_limit: u64,
    /// Keys of the newest checkpoint, which was restored; `None` when none was taken.
    pub restored_keys: Option<u64>,
}

pub fn verify(args: &Args) -> Result<Verified, Failure> {
    let data = args.data_set();
    let path = args.output();
    let file = File::open(&path).map_err(Failure::io(&path))?;
    let mut lines = Lines { file: BufReader::with_capacity(1 << 20, file), line: Vec::new() };
    let header = format!("event_id,event_time,{}", Columns::NAMES.join(","));
    let failed = Failure::io(&path);
    if lines.next().map_err(&failed)? != Some(header.as_bytes()) {
        return Err(Failure::bug(format!("{}: its header is not `{header}`", path.display())));
    }
    let rows = data.rows();
    let mut wrong = None;
    let mut values_at_limit = 0;
    let floor = compute(&rows, |row, columns| {
        values_at_limit += u64::from(u64::from(columns.merchants) > DISTINCT_MAX);
        if wrong.is_none() {
            wrong = match lines.next() {
                Ok(line) => differs(line.unwrap_or_default(), row.id, &columns.words()),
                Err(error) => Some(error.to_string()),
            };
        }
    });
    let more = lines.next().map_err(&failed)?.is_some();
    if let Some(cause) = wrong.or(more.then(|| "it has more rows than events".to_owned())) {
        let path = path.display();
        return Err(Failure::bug(format!("{path} differs from the floor: {cause}")));
    }
    let settings = Settings { shards: args.threads, ..Settings::default() };
    let restored_keys = checkpoints::restore(&args.checkpoints(), &args.project()?, settings)?;
    let values = floor.rows * Columns::COUNT as u64;
    Ok(Verified { rows: floor.rows, values, values_at_limit, restored_keys })
}

struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    fn next(&mut self) -> std::io::Result<Option<&[u8]>> {
        self.line.clear();
        let got = self.file.read_until(b'\n', &mut self.line)?;
        Ok((got > 0).then(|| self.line.trim_ascii_end()))
    }
}

/// What is wrong with a line, if anything is.
fn differs(line: &[u8], id: u32, words: &[u64; Columns::COUNT]) -> Option<String> {
    let line = std::str::from_utf8(line).unwrap_or_default();
    let mut cells = line.split(',');
    let is_own = cells.next().and_then(|cell| cell.parse().ok()) == Some(id);
    let mut values = cells.skip(OWN_COLUMNS - 1);
    let mut column = 0;
    let same = |(cell, (kind, word)): (&str, (Kind, u64))| match kind {
        Kind::Distinct if word > DISTINCT_MAX => cell.is_empty(),
        Kind::Distinct => cell.parse() == Ok(word),
        Kind::Int | Kind::Cents | Kind::Float => read(cell, kind) == Some(word),
    };
    let is_same = is_own
        && KINDS.into_iter().zip(*words).all(|expected| {
            column += 1;
            values.next().is_some_and(|cell| same((cell, expected)))
        })
        && values.next().is_none();
    (!is_same).then(|| {
        let name = Columns::NAMES.get(column.max(1) - 1).copied().unwrap_or_default();
        format!("event {id}, at {name}: the row is `{line}`, the floor has {words:?}")
    })
}

/// A cell as the floor has it; an empty one is 0.
fn read(cell: &str, kind: Kind) -> Option<u64> {
    if cell.is_empty() {
        return Some(0);
    }
    match kind {
        Kind::Int | Kind::Distinct => cell.parse().ok(),
        Kind::Float => cell.parse::<f64>().ok().map(f64::to_bits),
        Kind::Cents => {
            let (units, cents) = cell.split_once('.').filter(|(_, cents)| cents.len() == 2)?;
            Some(units.parse::<u64>().ok()? * 100 + cents.parse::<u64>().ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_right_only_when_every_cell_is() {
        let half = 0.5f64.to_bits();
        let words = [1, 2, 3, 105, 200, 300, half, half, half, 7, 8, 9, 1, 4, 0, 0];
        let line = "5,2026-01-01T00:00:00Z,1,2,3,1.05,2.00,3.00,0.5,0.5,0.5,0.07,0.08,0.09,1,4,,";
        assert_eq!(differs(line.as_bytes(), 5, &words), None);
        assert!(differs(line.as_bytes(), 6, &words).is_some());
        let message = differs(line.replace("1.05", "1.06").as_bytes(), 5, &words).unwrap();
        assert!(message.contains("spend_10m"), "{message}");
        assert!(differs(format!("{line},1").as_bytes(), 5, &words).is_some());
        assert!(differs(b"", 5, &words).is_some());
    }

    #[test]
    fn more_distinct_members_than_are_counted_are_null() {
        let words = |distinct| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, distinct, 0, 0, 0];
        let line = |cell| format!("5,t,0,0,0,0.00,0.00,0.00,,,,,,,{cell},0,0.00,");
        assert_eq!(differs(line("4096").as_bytes(), 5, &words(4_096)), None);
        assert_eq!(differs(line("").as_bytes(), 5, &words(4_097)), None);
        assert!(differs(line("").as_bytes(), 5, &words(4_096)).is_some());
        assert!(differs(line("4097").as_bytes(), 5, &words(4_097)).is_some());
    }
}
