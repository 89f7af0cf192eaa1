//! Brings the features of a row together again, in the order of the rows.

use std::ops::Range;
use std::sync::Arc;

use millrace_event::{Column, Physical};

use crate::BatchError;
use crate::packed::Kept;
use crate::placed::Placed;
use crate::spool::{Blocks, Scratch, Spool, len};

const OTHER_ROWS: &str = "its partitions have other rows than the training set";

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

/// The output of one group's partitions, each in the order of the rows' numbers.
#[derive(Debug)]
pub(crate) struct Output {
    partitions: Vec<Cursor>,
    kinds: Vec<Physical>,
}

#[derive(Debug)]
struct Cursor {
    blocks: Blocks,
    /// Of the block at hand the rows' numbers and how many of them were taken, and what they have.
    numbers: Vec<i64>,
    taken: usize,
    features: Arc<[Kept]>,
    is_over: bool,
}

impl Output {
    pub fn of(mut spool: Spool) -> Output {
        let kinds = spool.kinds()[1..].to_vec();
        let partitions = (0..spool.lists()).map(|list| Cursor {
            blocks: spool.take(list),
            numbers: Vec::new(),
            taken: 0,
            features: Arc::default(),
            is_over: false,
        });
        Output { partitions: partitions.collect(), kinds }
    }

    /// The columns of the next `count` rows, whose numbers begin with `first`.
    pub fn next(
        &mut self,
        first: i64,
        count: usize,
        scratch: &dyn Scratch,
    ) -> Result<Vec<Column>, BatchError> {
        let end = first + count as i64;
        let mut pieces: Vec<Piece> = Vec::new();
        let mut places: Vec<u32> = Vec::with_capacity(count);
        let mut is_there = vec![false; count];
        for cursor in &mut self.partitions {
            while let Some(rows) = cursor.rows_before(end, scratch)? {
                let numbers = &cursor.numbers[rows.clone()];
                if !numbers.iter().all(|number| (first..end).contains(number)) {
                    return Err(BatchError::Damaged(OTHER_ROWS));
                }
                let start = places.len();
                places.extend(numbers.iter().map(|number| (number - first) as u32));
                places[start..].iter().for_each(|place| is_there[*place as usize] = true);
                cursor.taken = rows.end;
                let features = Arc::clone(&cursor.features);
                pieces.push(Piece { features, rows, places: start..places.len() });
            }
        }
        // Each row is in one partition, unless what was kept says otherwise.
        if !is_there.iter().all(|is| *is) {
            return Err(BatchError::Damaged(OTHER_ROWS));
        }
        // One column after the other, so that the one that is written to stays in the cache.
        let column = |(feature, kind): (usize, &Physical)| {
            let mut placed = Placed::new(*kind, count);
            for Piece { features, rows, places: at } in &pieces {
                placed.put(&features[feature], rows.clone(), &places[at.clone()]);
            }
            placed.into_column()
        };
        Ok(self.kinds.iter().enumerate().map(column).collect())
    }
}

/// Rows of a partition's block, and where their places lie among all.
#[derive(Debug)]
struct Piece {
    features: Arc<[Kept]>,
    rows: Range<usize>,
    places: Range<usize>,
}

impl Cursor {
    /// The rows of the block at hand that are next and have smaller numbers than `end`.
    fn rows_before(
        &mut self,
        end: i64,
        scratch: &dyn Scratch,
    ) -> Result<Option<Range<usize>>, BatchError> {
        while !self.is_over && self.taken == self.numbers.len() {
            self.taken = 0;
            match self.blocks.next_packed(scratch)? {
                Some(block) => {
                    let mut columns = block.into_columns().into_iter();
                    let numbers = columns.next().map(Kept::unpack);
                    self.numbers = numbers.map_or_else(Vec::new, |n| n.as_words().to_vec());
                    self.features = columns.map(Kept::addressable).collect();
                }
                None => (self.numbers, self.is_over) = (Vec::new(), true),
            }
        }
        let until = self.taken + self.numbers[self.taken..].partition_point(|n| *n < end);
        Ok((until > self.taken).then_some(self.taken..until))
    }
}
