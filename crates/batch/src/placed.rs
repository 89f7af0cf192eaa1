//! A column whose cells come in any order, each with its place.

use std::ops::Range;

use millrace_event::{Column, Data, Mark, Physical};

use crate::packed::{Cells, Kept};

#[derive(Debug)]
pub(crate) struct Placed {
    cells: Filling,
    /// By place, once one differs.
    marks: Option<Vec<Mark>>,
    count: usize,
}

#[derive(Debug)]
enum Filling {
    Words(Vec<i64>),
    Floats(Vec<f64>),
    /// Cells without a size of their own lie as they came; and by place, where each is.
    Listed(Column, Vec<u32>),
}

impl Placed {
    /// Without a cell yet; there will be so many.
    pub fn new(kind: Physical, count: usize) -> Placed {
        let cells = match kind {
            Physical::Word => Filling::Words(vec![0; count]),
            Physical::Float => Filling::Floats(vec![0.0; count]),
            Physical::Text | Physical::Nested => Filling::Listed(Column::new(kind), vec![0; count]),
        };
        Placed { cells, marks: None, count }
    }

    /// Puts some rows of an addressable column of the same kind to their places.
    pub fn put(&mut self, from: &Kept, rows: Range<usize>, places: &[u32]) {
        match (&mut self.cells, &from.cells) {
            (Filling::Words(to), Cells::Bytes(base, cells)) => {
                put(to, places, &cells[rows.clone()], |cell| base + i64::from(cell));
            }
            (Filling::Words(to), Cells::Shorts(base, cells)) => {
                put(to, places, &cells[rows.clone()], |cell| base + i64::from(cell));
            }
            (Filling::Words(to), Cells::Ints(base, cells)) => {
                put(to, places, &cells[rows.clone()], |cell| base + i64::from(cell));
            }
            (Filling::Words(to), Cells::Wide(Data::Word(words))) => {
                put(to, places, &words[rows.clone()], |word| word);
            }
            (Filling::Floats(to), Cells::Wide(Data::Float(floats))) => {
                put(to, places, &floats[rows.clone()], |float| float);
            }
            (Filling::Listed(to, at), Cells::Wide(data)) => {
                for (row, place) in (to.len() as u32..).zip(places) {
                    at[*place as usize] = row;
                }
                to.data.append_rows(data, rows.clone());
            }
            (Filling::Words(_) | Filling::Floats(_) | Filling::Listed(..), _) => {
                unreachable!("a column has cells of one kind")
            }
        }
        if let Some(marks) = &from.marks {
            let to = self.marks.get_or_insert_with(|| vec![Mark::OK; self.count]);
            put(to, places, &marks[rows], |mark| mark);
        }
    }

    pub fn into_column(self) -> Column {
        let data = match self.cells {
            Filling::Words(words) => Data::Word(words),
            Filling::Floats(floats) => Data::Float(floats),
            Filling::Listed(column, at) => column.select(&at).data,
        };
        Column::with_marks(data, self.marks)
    }
}

#[inline]
fn put<T: Copy, U>(to: &mut [U], places: &[u32], cells: &[T], cell_of: impl Fn(T) -> U) {
    for (place, cell) in places.iter().zip(cells) {
        to[*place as usize] = cell_of(*cell);
    }
}
