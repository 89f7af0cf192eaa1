//! A batch seen by one group: filters and arguments, evaluated column-wise once per batch.

use millrace_event::expr::{Expr, eval};
use millrace_event::{Batch, Column, Data, Physical};

use crate::Layout;
use crate::shape::Shape;

/// The filters (as bits) and arguments of a group for each event of a batch.
#[derive(Debug)]
pub struct Arguments {
    times: Vec<i64>,
    /// Per event; empty when the shape has no flags.
    flags: Vec<u64>,
    inputs: Vec<Column>,
}

impl Arguments {
    pub fn evaluate(shape: &Shape, batch: &Batch) -> Arguments {
        let rows = batch.len();
        let columns: Vec<&Column> = batch.columns.iter().collect();
        let evaluate = |expr: &Expr| eval(expr, &columns, rows);
        let inputs: Vec<Column> = shape.layout().inputs.iter().map(|i| evaluate(&i.expr)).collect();
        let mut flags = Vec::new();
        if shape.has_flags {
            flags = vec![0u64; rows];
            for (bit, filter) in shape.layout().filters.iter().enumerate() {
                let column = evaluate(filter);
                for (row, word) in column.as_words().iter().enumerate() {
                    let holds = *word != 0 && !column.is_null(row);
                    flags[row] |= u64::from(holds) << bit;
                }
            }
            for (bit, input) in inputs.iter().enumerate() {
                if let Some(marks) = input.marks() {
                    for (row, mark) in marks.iter().enumerate() {
                        flags[row] |= u64::from(mark.is_null()) << (Layout::FILTERS_MAX + bit);
                    }
                }
            }
        }
        Arguments { times: batch.times().to_vec(), flags, inputs }
    }

    /// As columns: the times, the filters where there are any, and the arguments.
    pub fn into_columns(self, shape: &Shape) -> Vec<Column> {
        let mut columns = vec![Column::words(self.times)];
        if shape.has_flags {
            columns.push(Column::words(self.flags.into_iter().map(|f| f as i64).collect()));
        }
        columns.extend(self.inputs);
        columns
    }

    /// What [`Arguments::into_columns`] gives for a shape, by the kinds of its columns.
    pub fn kinds(shape: &Shape) -> Vec<Physical> {
        let flags = shape.has_flags.then_some(Physical::Word);
        let inputs = shape.layout().inputs.iter().map(|input| input.ty().physical());
        [Physical::Word].into_iter().chain(flags).chain(inputs).collect()
    }

    /// Out of the columns that [`Arguments::into_columns`] gave, or of some of their rows.
    pub fn from_columns(shape: &Shape, columns: Vec<Column>) -> Arguments {
        let mut columns = columns.into_iter();
        let mut words = || match columns.next().map(|column| column.data) {
            Some(Data::Word(words)) => words,
            Some(Data::Float(_) | Data::Text(_) | Data::Nested(_)) | None => Vec::new(),
        };
        let times = words();
        let flags = if shape.has_flags { words() } else { Vec::new() };
        let flags = flags.into_iter().map(|f| f as u64).collect();
        Arguments { times, flags, inputs: columns.collect() }
    }

    #[inline]
    pub fn time(&self, row: usize) -> i64 {
        self.times[row]
    }

    /// Whether any filter or argument selects this event: if not, no aggregate can see it.
    #[inline]
    pub fn is_relevant(&self, shape: &Shape, row: usize) -> bool {
        if !shape.has_flags {
            return true;
        }
        let flags = self.flags[row];
        shape.lanes.iter().any(|l| flags & l.wanted == l.wanted && flags & l.unwanted == 0)
    }

    /// Writes time, flags and arguments of one event; strings are left to the caller.
    #[inline]
    pub(crate) fn fill(&self, shape: &Shape, row: usize, words: &mut [u64]) {
        words[0] = self.times[row] as u64;
        if shape.has_flags {
            words[1] = self.flags[row];
        }
        for (input, slot) in self.inputs.iter().zip(&shape.slots) {
            if let Some(slot) = slot {
                words[*slot] = match &input.data {
                    Data::Word(v) => v[row] as u64,
                    Data::Float(v) => v[row].to_bits(),
                    Data::Text(_) | Data::Nested(_) => 0,
                };
            }
        }
    }

    /// The word of an argument that is one; 0 for others.
    #[inline]
    pub(crate) fn word(&self, input: usize, row: usize) -> u64 {
        match self.inputs.get(input).map(|input| &input.data) {
            Some(Data::Word(v)) => v[row] as u64,
            Some(Data::Float(_) | Data::Text(_) | Data::Nested(_)) | None => 0,
        }
    }

    /// The string argument of an event; `None` for arguments of other types.
    pub(crate) fn text(&self, input: usize, row: usize) -> Option<&str> {
        self.inputs[input].as_texts().map(|t| t.get(row))
    }
}
