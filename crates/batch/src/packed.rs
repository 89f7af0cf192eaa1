//! Columns of a block as they wait in memory: integers in as few bytes as their range needs.
//!
//! Counts, amounts and keys of a few thousand rows rarely need eight bytes, and times ascend: of
//! them, the gaps are kept. What waits takes less than half of the memory then, and memory that is
//! written to once and read once costs more than the arithmetic.

use millrace_event::{Column, Data, Mark};

/// Columns of one length.
#[derive(Debug, Default)]
pub(crate) struct Packed(Vec<Kept>);

/// One of them.
#[derive(Debug)]
pub(crate) struct Kept {
    pub cells: Cells,
    pub marks: Option<Vec<Mark>>,
}

#[derive(Debug)]
pub(crate) enum Cells {
    /// Integers, each so much above the smallest.
    Bytes(i64, Vec<u8>),
    Shorts(i64, Vec<u16>),
    Ints(i64, Vec<u32>),
    /// Integers that ascend from the first, each so much above the one before.
    Gaps(i64, Vec<u32>),
    Wide(Data),
}

impl Packed {
    pub fn of(columns: Vec<Column>) -> Packed {
        Packed(columns.into_iter().map(Kept::of).collect())
    }

    /// Takes all cells out of the columns, which keep their room where that is possible.
    pub fn take(columns: &mut [Column]) -> Packed {
        Packed(columns.iter_mut().map(Kept::take).collect())
    }

    pub fn into_columns(self) -> Vec<Kept> {
        self.0
    }

    /// Bytes of all cells.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(Kept::bytes).sum()
    }

    pub fn unpack(self) -> Vec<Column> {
        self.0.into_iter().map(Kept::unpack).collect()
    }
}

impl Kept {
    fn of(column: Column) -> Kept {
        let (data, marks) = column.into_parts();
        Kept { cells: narrow(&data).unwrap_or(Cells::Wide(data)), marks }
    }

    fn take(column: &mut Column) -> Kept {
        match narrow(&column.data) {
            Some(cells) => {
                let marks = column.marks().map(<[Mark]>::to_vec);
                column.clear();
                Kept { cells, marks }
            }
            None => {
                let mut fresh = column.select(&[]);
                fresh.reserve(column.len());
                Kept::of(std::mem::replace(column, fresh))
            }
        }
    }

    fn bytes(&self) -> usize {
        let cells = match &self.cells {
            Cells::Bytes(_, cells) => size_of_val(&cells[..]),
            Cells::Shorts(_, cells) => size_of_val(&cells[..]),
            Cells::Ints(_, cells) | Cells::Gaps(_, cells) => size_of_val(&cells[..]),
            Cells::Wide(data) => data.bytes(),
        };
        cells + self.marks.as_ref().map_or(0, Vec::len)
    }

    /// The same cells, each to be read alone: gaps are not.
    pub fn addressable(self) -> Kept {
        match self.cells {
            Cells::Gaps(base, gaps) => {
                let cells = Cells::Wide(Data::Word(ascending(base, &gaps)));
                Kept { cells, marks: self.marks }
            }
            Cells::Bytes(..) | Cells::Shorts(..) | Cells::Ints(..) | Cells::Wide(_) => self,
        }
    }

    pub fn unpack(self) -> Column {
        let data = match self.cells {
            Cells::Bytes(base, cells) => Data::Word(words(base, &cells)),
            Cells::Shorts(base, cells) => Data::Word(words(base, &cells)),
            Cells::Ints(base, cells) => Data::Word(words(base, &cells)),
            Cells::Gaps(base, gaps) => Data::Word(ascending(base, &gaps)),
            Cells::Wide(data) => data,
        };
        Column::with_marks(data, self.marks)
    }
}

fn words<T: Copy + Into<i64>>(base: i64, cells: &[T]) -> Vec<i64> {
    cells.iter().map(|cell| base + (*cell).into()).collect()
}

/// Integers from the gaps between them; the first gap is none.
fn ascending(base: i64, gaps: &[u32]) -> Vec<i64> {
    let mut word = base;
    let next = |gap: &u32| {
        word += i64::from(*gap);
        word
    };
    gaps.iter().map(next).collect()
}

/// The cells in fewer bytes, where there is a way.
fn narrow(data: &Data) -> Option<Cells> {
    let Data::Word(words) = data else { return None };
    let (least, most) = words
        .iter()
        .fold((i64::MAX, i64::MIN), |(least, most), word| (least.min(*word), most.max(*word)));
    // The difference of any two fits, since it is not negative.
    let offset = |word: &i64| word.wrapping_sub(least).cast_unsigned();
    Some(match most.wrapping_sub(least).cast_unsigned() {
        _ if words.is_empty() => return None,
        0..=0xff => Cells::Bytes(least, words.iter().map(|w| offset(w) as u8).collect()),
        0x100..=0xffff => Cells::Shorts(least, words.iter().map(|w| offset(w) as u16).collect()),
        0x1_0000..=0xffff_ffff => {
            Cells::Ints(least, words.iter().map(|w| offset(w) as u32).collect())
        }
        _ => return gaps(words),
    })
}

fn gaps(words: &[i64]) -> Option<Cells> {
    let first = *words.first()?;
    let mut gaps = Vec::with_capacity(words.len());
    gaps.push(0);
    for pair in words.windows(2) {
        gaps.push(u32::try_from(pair[1].checked_sub(pair[0])?).ok()?);
    }
    Some(Cells::Gaps(first, gaps))
}

#[cfg(test)]
mod tests {
    use millrace_event::{Physical, State, Value};

    use super::*;

    #[test]
    fn what_is_packed_comes_back_as_it_was() {
        let ascending = |gap: i64| (0..100).map(|n| i64::MIN / 2 + n * gap).collect();
        let lists: [Vec<i64>; 9] = [
            vec![7; 5],
            vec![-3, 252, 0],
            vec![-3, 253, 0],
            vec![0, 0xffff],
            vec![0, 0x1_0000],
            vec![i64::MAX - 0xffff_ffff, i64::MAX],
            vec![i64::MIN, i64::MAX],
            ascending(0xffff_ffff),
            ascending(0x1_0000_0000),
        ];
        for words in lists {
            let column = Column::words(words);
            let mut taken = [column.clone()];
            let shown = format!("{taken:?}");
            assert_eq!(format!("{:?}", Packed::take(&mut taken).unpack()), shown);
            assert_eq!(taken[0].len(), 0);
            assert_eq!(format!("{:?}", Packed::of(vec![column]).unpack()), shown);
        }
    }

    #[test]
    fn marks_and_other_cells_are_kept() {
        let mut words = Column::words(vec![1, 2]);
        words.push_word(0, Mark::value(State::Empty));
        words.push_null(Mark::NULL);
        let mut texts = Column::new(Physical::Text);
        ["a", "", "b", "c"].iter().for_each(|text| texts.push(&Value::text(text), State::Ok));
        let columns = vec![words, Column::floats(vec![0.5, f64::NAN, -0.0, 1e300]), texts];
        let shown = format!("{columns:?}");
        assert_eq!(format!("{:?}", Packed::of(columns.clone()).unpack()), shown);
        assert_eq!(format!("{:?}", Packed::take(&mut columns.clone()).unpack()), shown);
    }

    #[test]
    fn small_numbers_take_small_room() {
        let bytes = |words: Vec<i64>| Packed::of(vec![Column::words(words)]).bytes();
        assert_eq!(bytes(vec![1_000_000, 1_000_255]), 2);
        assert_eq!(bytes(vec![1_000_000, 1_000_256]), 4);
        assert_eq!(bytes(vec![0, 1 << 32]), 16);
        assert_eq!(bytes(vec![0, 0xffff_ffff, 0x1_0000_0000]), 12);
        assert_eq!(bytes(vec![0x1_0000_0000, 0]), 16);
    }
}
