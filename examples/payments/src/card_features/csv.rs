use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::Row;
use crate::cents::Cents;

/// Sources of equal pace, so that two readers can share a data set.
const PARTS: usize = 2;
const BUFFER_BYTES: usize = 1 << 20;
const HEADER: &[u8] = b"event_id,event_time,card_id,merchant_id,country,amount,approved\n";

/// Appends one line, `event_id,event_time,card_id,merchant_id,country,amount,approved`: the time in
/// milliseconds, the amount with two digits after the point, `true` or `false`.
pub fn write_row(row: &Row, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    let mut field = |out: &mut Vec<u8>, number: i64| {
        out.extend_from_slice(digits.format(number).as_bytes());
        out.push(b',');
    };
    field(out, i64::from(row.id));
    field(out, row.at_ms);
    field(out, i64::from(row.card));
    field(out, i64::from(row.merchant));
    field(out, i64::from(row.country));
    Cents(row.cents).write(out);
    out.extend_from_slice(if row.approved { b",true\n" } else { b",false\n" });
}

/// Writes `NAME.csv/part-0.csv` (even ids) and `NAME.csv/part-1.csv` (odd ids) into the folder, in
/// the order of the rows, each with a header.
///
/// # Errors
/// Those of the file system.
pub fn write_csv(folder: &Path, name: &str, rows: impl Iterator<Item = Row>) -> io::Result<()> {
    let folder = folder.join(format!("{name}.csv"));
    fs::create_dir_all(&folder)?;
    let mut parts = Vec::with_capacity(PARTS);
    for part in 0..PARTS {
        let file = File::create(folder.join(format!("part-{part}.csv")))?;
        let mut part = BufWriter::with_capacity(BUFFER_BYTES, file);
        part.write_all(HEADER)?;
        parts.push(part);
    }
    let mut line = Vec::new();
    for row in rows {
        line.clear();
        write_row(&row, &mut line);
        parts[row.id as usize % PARTS].write_all(&line)?;
    }
    parts.iter_mut().try_for_each(BufWriter::flush)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card_features::{Preset, Rows, Workload};

    #[test]
    fn a_line_has_seven_columns() {
        let row = Row {
            at_ms: 1_767_225_600_123,
            id: 4,
            card: 199_999,
            merchant: 0,
            cents: 1_205,
            country: 39,
            approved: false,
        };
        let mut out = Vec::new();
        write_row(&row, &mut out);
        assert_eq!(out, b"4,1767225600123,199999,0,39,12.05,false\n");
    }

    #[test]
    fn parts_hold_even_and_odd_ids_in_the_order_of_arrival() {
        let folder = tempfile::tempdir().unwrap();
        let workload = Workload { rows: 1_001, ..Preset::C100k.workload() };
        write_csv(folder.path(), "tiny", Rows::new(workload)).unwrap();
        for part in 0..2 {
            let path = folder.path().join(format!("tiny.csv/part-{part}.csv"));
            let mut expected = HEADER.to_vec();
            let own = Rows::new(workload).filter(|row| row.id % 2 == part);
            own.for_each(|row| write_row(&row, &mut expected));
            assert_eq!(fs::read(path).unwrap(), expected);
        }
    }
}
