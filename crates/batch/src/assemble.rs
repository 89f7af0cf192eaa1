//! Brings the features of a row together again, in the order of the rows.

use millrace_event::Column;

use crate::BatchError;
use crate::spool::{Blocks, Scratch, Spool};

/// A list in blocks of one length, whatever those it was stored in: what is written must not show
/// when there was no room in memory.
#[derive(Debug)]
pub(crate) struct Even {
    blocks: Blocks,
    rows: usize,
    /// Rows that are less than a block.
    rest: Vec<Column>,
}

impl Even {
    pub fn of(mut spool: Spool, rows: usize) -> Even {
        Even { blocks: spool.take(0), rows, rest: Vec::new() }
    }

    /// The next rows: as many as always, or those that are left at the end.
    pub fn next(&mut self, scratch: &dyn Scratch) -> Result<Option<Vec<Column>>, BatchError> {
        let mut columns = std::mem::take(&mut self.rest);
        while len(&columns) < self.rows {
            let Some(block) = self.blocks.next(scratch)? else { break };
            if columns.is_empty() && len(&block) == self.rows {
                return Ok(Some(block));
            }
            if columns.is_empty() {
                columns = block;
            } else {
                columns.iter_mut().zip(&block).for_each(|(to, from)| to.append(from));
            }
        }
        let (all, rows) = (len(&columns), self.rows);
        if all > rows {
            let behind = |from: &Column| {
                let mut column = from.select(&[]);
                column.append_rows(from, rows..all);
                column
            };
            self.rest = columns.iter().map(behind).collect();
            let first: Vec<u32> = (0..rows as u32).collect();
            columns = columns.iter().map(|column| column.select(&first)).collect();
        }
        Ok((all > 0).then_some(columns))
    }
}

fn len(columns: &[Column]) -> usize {
    columns.first().map_or(0, Column::len)
}

/// The output of one group's partitions, each in the order of the rows' numbers.
#[derive(Debug)]
pub(crate) struct Output {
    partitions: Vec<Cursor>,
}

#[derive(Debug)]
struct Cursor {
    blocks: Blocks,
    /// The block at hand, and how many of its rows were taken.
    block: Vec<Column>,
    taken: usize,
    is_over: bool,
}

impl Output {
    pub fn of(mut spool: Spool) -> Output {
        let partitions = (0..spool.lists()).map(|list| Cursor {
            blocks: spool.take(list),
            block: Vec::new(),
            taken: 0,
            is_over: false,
        });
        Output { partitions: partitions.collect() }
    }

    /// The columns of the next `count` rows, whose numbers begin with `first`.
    pub fn next(
        &mut self,
        first: i64,
        count: usize,
        scratch: &dyn Scratch,
    ) -> Result<Vec<Column>, BatchError> {
        let end = first + count as i64;
        let mut at = vec![u32::MAX; count];
        let mut columns: Vec<Column> = Vec::new();
        let mut rows = 0;
        for cursor in &mut self.partitions {
            while let Some(range) = cursor.rows_before(end, scratch)? {
                let [numbers, features @ ..] = &cursor.block[..] else { continue };
                for number in &numbers.as_words()[range.clone()] {
                    at[(number - first) as usize] = rows;
                    rows += 1;
                }
                if columns.is_empty() {
                    columns = features.iter().map(|column| column.select(&[])).collect();
                }
                columns
                    .iter_mut()
                    .zip(features)
                    .for_each(|(to, f)| to.append_rows(f, range.clone()));
                cursor.taken = range.end;
            }
        }
        assert!(rows as usize == count && !at.contains(&u32::MAX), "each row is in one partition");
        Ok(columns.iter().map(|column| column.select(&at)).collect())
    }
}

impl Cursor {
    /// The rows of the block at hand that are next and have smaller numbers than `end`.
    fn rows_before(
        &mut self,
        end: i64,
        scratch: &dyn Scratch,
    ) -> Result<Option<std::ops::Range<usize>>, BatchError> {
        while !self.is_over && self.taken == self.block.first().map_or(0, Column::len) {
            self.taken = 0;
            match self.blocks.next(scratch)? {
                Some(block) => self.block = block,
                None => (self.block, self.is_over) = (Vec::new(), true),
            }
        }
        let Some(numbers) = self.block.first().map(Column::as_words) else { return Ok(None) };
        let until = self.taken + numbers[self.taken..].partition_point(|number| *number < end);
        Ok((until > self.taken).then_some(self.taken..until))
    }
}
