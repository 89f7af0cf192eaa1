use std::io::Write as _;
use std::ops::Range;

use millrace_event::{Column, EventTime, Type};

use super::cells::{Cells, Written as WrittenColumn};
use super::partial::PartialFile;
use crate::cell::digits::{PAIRS, put_decimal, put_int};
use crate::fields::Kind;
use crate::json::{float_parts, write_json, write_word};
use crate::{Error, TimeFormat};

/// Text that is gathered before it is written to the file.
const FLUSH_BYTES: usize = 256 << 10;
/// Room that is made for each cell of a row; a cell that may be longer makes its own.
const CELL_BYTES: usize = 40;

/// Writes CSV: each row is one line.
///
/// Cells are written straight into a buffer that has room for the whole row, so that no cell but a
/// text asks for more.
#[derive(Debug)]
pub(super) struct CsvWriter {
    file: PartialFile,
    delimiter: u8,
    times: TimeFormat,
    day: Day,
    /// As long as the room that there is; what is written ends at `at`.
    buffer: Vec<u8>,
    at: usize,
    scratch: Vec<u8>,
}

impl CsvWriter {
    pub fn new(
        file: PartialFile,
        delimiter: u8,
        columns: &[(String, Type)],
        times: TimeFormat,
    ) -> CsvWriter {
        let mut writer = CsvWriter {
            file,
            delimiter,
            times,
            day: Day::default(),
            buffer: vec![0; FLUSH_BYTES + (64 << 10)],
            at: 0,
            scratch: Vec::new(),
        };
        for (at, (name, _)) in columns.iter().enumerate() {
            if at > 0 {
                writer.bytes(&[delimiter]);
            }
            writer.text(name.as_bytes());
        }
        writer.bytes(b"\n");
        writer
    }

    pub fn write(
        &mut self,
        declared: &[(String, Type)],
        columns: &[&Column],
        rows: Range<usize>,
    ) -> Result<(), Error> {
        let columns: Vec<WrittenColumn<'_>> = columns
            .iter()
            .zip(declared)
            .map(|(column, (_, ty))| WrittenColumn::new(column, ty))
            .collect();
        for row in rows {
            self.row(&columns, row);
            if self.at >= FLUSH_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        self.file.finish()
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file.write_all(&self.buffer[..self.at]).map_err(Error::io(self.file.path()))?;
        self.at = 0;
        Ok(())
    }

    fn row(&mut self, columns: &[WrittenColumn<'_>], row: usize) {
        self.make_room((columns.len() + 1) * CELL_BYTES);
        for column in columns {
            if column.is_null(row) {
                // A line with nothing on it would not be read as a row.
                if columns.len() == 1 {
                    self.bytes(b"\"\"");
                }
            } else {
                match column.cells {
                    Cells::Word(words, kind) => self.word(words[row], kind),
                    Cells::Float(floats) => self.float(floats[row]),
                    Cells::Text(texts) => self.text(texts.get(row).as_bytes()),
                    Cells::Nested(values, ty) => {
                        let mut json = Vec::new();
                        write_json(&mut json, &values[row], ty, self.times);
                        self.text(&json);
                    }
                }
                // Texts may have used the room of the cells behind them.
                if matches!(column.cells, Cells::Text(_) | Cells::Nested(..)) {
                    self.make_room((columns.len() + 1) * CELL_BYTES);
                }
            }
            self.buffer[self.at] = self.delimiter;
            self.at += 1;
        }
        // The last delimiter gives way to the end of the line.
        if columns.is_empty() {
            self.at += 1;
        }
        self.buffer[self.at - 1] = b'\n';
    }

    #[inline]
    fn word(&mut self, word: i64, kind: Kind) {
        let length = match kind {
            Kind::Decimal(scale) => put_decimal(self.room(), word, scale),
            Kind::Bool => {
                let text: &[u8; 5] = if word != 0 { b"true\0" } else { b"false" };
                self.room::<5>().copy_from_slice(text);
                if word != 0 { 4 } else { 5 }
            }
            Kind::Time | Kind::Duration => return self.time(word, kind),
            Kind::Int | Kind::Float | Kind::Text | Kind::Nested => put_int(self.room(), word),
        };
        self.at += length;
    }

    fn time(&mut self, word: i64, kind: Kind) {
        if kind == Kind::Time && self.times == TimeFormat::Text && self.day.reach(word) {
            let (date, in_day) = (self.day.text, word - self.day.from);
            self.at += put_time(self.room(), date, in_day);
            return;
        }
        // Durations are numbers of one unit, which a column can be reckoned with; `90m` beside
        // `1500ms` cannot.
        let times = if kind == Kind::Duration { TimeFormat::Millis } else { self.times };
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        write_word(&mut scratch, word, kind, times);
        self.bytes(&scratch);
        self.scratch = scratch;
    }

    #[inline]
    fn float(&mut self, x: f64) {
        let mut digits = zmij::Buffer::new();
        let [text, exponent] = float_parts(&mut digits, x);
        self.bytes(text.as_bytes());
        if !exponent.is_empty() {
            self.bytes(exponent.as_bytes());
        }
    }

    /// A text cell, quoted where it must be; an empty text is quoted, for nothing at all is null.
    fn text(&mut self, text: &[u8]) {
        let special = |b: &u8| *b == self.delimiter || matches!(b, b'"' | b'\n' | b'\r');
        if !text.is_empty() && !text.iter().any(special) {
            return self.bytes(text);
        }
        self.bytes(b"\"");
        for (at, part) in text.split(|b| *b == b'"').enumerate() {
            if at > 0 {
                self.bytes(b"\"\"");
            }
            self.bytes(part);
        }
        self.bytes(b"\"");
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.buffer[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    #[inline]
    fn make_room(&mut self, bytes: usize) {
        if self.buffer.len() - self.at < bytes {
            self.buffer.resize(self.at + bytes, 0);
        }
    }

    #[inline]
    fn room<const N: usize>(&mut self) -> &mut [u8; N] {
        const { assert!(N <= CELL_BYTES) };
        self.buffer[self.at..].first_chunk_mut().expect("a row begins with room for its cells")
    }
}

const DAY_MICROS: i64 = 86_400_000_000;
/// `2026-01-01T23:59:59.999999Z`.
const TIME_BYTES: usize = 27;

/// The day of the last time that was written: times come in order, so it is mostly the next one's.
#[derive(Debug)]
struct Day {
    /// Its midnight in microseconds since 1970.
    from: i64,
    /// Its date with the `T` behind.
    text: [u8; 11],
}

impl Default for Day {
    fn default() -> Day {
        Day { from: 0, text: *b"1970-01-01T" }
    }
}

impl Day {
    /// Goes to the day of this moment; `false` where its date cannot be written like that.
    #[inline]
    fn reach(&mut self, micros: i64) -> bool {
        let range = self.from..self.from.saturating_add(DAY_MICROS);
        range.contains(&micros) || self.go(micros)
    }

    fn go(&mut self, micros: i64) -> bool {
        let Some(from) = micros.div_euclid(DAY_MICROS).checked_mul(DAY_MICROS) else {
            return false;
        };
        let text = EventTime(from).to_string();
        // A year of more or fewer than four digits has a date of another length.
        match text.strip_suffix("00:00:00Z").map(|date| date.as_bytes().try_into()) {
            Some(Ok(date)) if text.starts_with(|c: char| c.is_ascii_digit()) => {
                *self = Day { from, text: date };
                true
            }
            _ => false,
        }
    }
}

/// Writes a date and the time of that day, with as many digits after the point as needed: none,
/// three or six.
fn put_time(room: &mut [u8; TIME_BYTES], date: [u8; 11], in_day: i64) -> usize {
    let (seconds, micros) = (in_day / 1_000_000, in_day % 1_000_000);
    let mut pair = |at: usize, n: i64, after: u8| {
        room[at..at + 2].copy_from_slice(&PAIRS[(n % 100) as usize]);
        room[at + 2] = after;
    };
    pair(11, seconds / 3_600, b':');
    pair(14, seconds / 60 % 60, b':');
    if micros == 0 {
        pair(17, seconds % 60, b'Z');
        room[..11].copy_from_slice(&date);
        return 20;
    }
    pair(17, seconds % 60, b'.');
    let (millis, rest) = (micros / 1_000, micros % 1_000);
    let digit = |n: i64| b'0' + (n % 10) as u8;
    room[20] = digit(millis / 100);
    room[21..23].copy_from_slice(&PAIRS[(millis % 100) as usize]);
    room[23] = b'Z';
    room[..11].copy_from_slice(&date);
    if rest == 0 {
        return 24;
    }
    room[23] = digit(rest / 100);
    room[24..26].copy_from_slice(&PAIRS[(rest % 100) as usize]);
    room[26] = b'Z';
    TIME_BYTES
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(day: &mut Day, micros: i64) -> Option<String> {
        day.reach(micros).then(|| {
            let mut room = [0; TIME_BYTES];
            let length = put_time(&mut room, day.text, micros - day.from);
            String::from_utf8(room[..length].to_vec()).unwrap()
        })
    }

    #[test]
    fn the_first_and_last_moments_are_left_to_others_or_right() {
        let mut day = Day::default();
        for micros in [0, -1, i64::MIN, i64::MAX, 253_402_300_800_000_000, -62_167_219_200_000_001]
        {
            let text = written(&mut day, micros);
            assert!(text.is_none_or(|t| t == EventTime(micros).to_string()), "{micros}");
        }
    }

    proptest! {
        #[test]
        fn times_are_written_as_everywhere_else(
            micros in -62_167_219_200_000_000i64..253_402_300_800_000_000,
            unit in prop::sample::select(vec![1i64, 1_000, 1_000_000]),
            further in 0i64..200_000_000_000,
        ) {
            let micros = micros / unit * unit;
            let mut day = Day::default();
            for micros in [micros, (micros + further) / unit * unit] {
                if micros < 253_402_300_800_000_000 {
                    let text = written(&mut day, micros);
                    prop_assert_eq!(text, Some(EventTime(micros).to_string()));
                }
            }
        }
    }
}
