//! A share of the keys of every group. Shards never talk to each other.

use std::sync::Arc;

use hashbrown::DefaultHashBuilder;
use millrace_aggregate::{Arguments, Horizon, KeyState, Position, Readings, Scratch, Shape};
use millrace_event::{Column, EventId, EventTime};

use crate::keys::Keys;
use crate::table::{AllInMemory, ColdBlocks, Table};

/// Rows whose keys are looked up, and whose key states are touched, together before they are
/// applied, so that their cache misses overlap.
const LOOKAHEAD: usize = 16;

/// Rows that are put into the order of their keys together: enough for those of a hot key to meet,
/// and so few that what is read of them stays in the cache.
const TOGETHER: usize = 4_096;

/// Words of what is read of them, at most: a group of many aggregates takes fewer rows together.
const READ_WORDS: usize = 64 << 10;

/// How far ahead is looked for more events of a key when one of them is late: room among the key's
/// rows is made for so many at once.
const LATE_TOGETHER: usize = 64;

#[derive(Debug)]
pub struct Shard {
    /// By group.
    pub(crate) tables: Vec<Table>,
    scratch: Scratch,
    readings: Readings,
    /// The rows at hand, by key where that is of use.
    by_key: Vec<Placed>,
    /// Space to sort them.
    sorted: Vec<Placed>,
    /// Of each step at hand and of their end, the reads before it.
    reads_before: Vec<u32>,
}

/// One batch as one group sees it.
#[derive(Debug)]
pub struct GroupRows<'a> {
    pub group: usize,
    pub shape: &'a Arc<Shape>,
    pub arguments: &'a Arguments,
    pub keys: &'a Keys,
    /// One per event of the batch; none at all where events come in order and no value depends
    /// on the order of equal times.
    pub ids: &'a [EventId],
    pub horizon: Horizon,
}

impl Shard {
    pub fn new(groups: usize, hasher: &DefaultHashBuilder, tracked: bool) -> Shard {
        let tables = (0..groups).map(|_| Table::new(hasher.clone(), tracked)).collect();
        Shard {
            tables,
            scratch: Scratch::default(),
            readings: Readings::default(),
            by_key: Vec::new(),
            sorted: Vec::new(),
            reads_before: Vec::new(),
        }
    }

    /// Adds these rows of a batch to their keys.
    pub fn apply(
        &mut self,
        input: &GroupRows<'_>,
        rows: &[u32],
        cold: &dyn ColdBlocks,
    ) -> Result<(), String> {
        rows.chunks(TOGETHER).try_for_each(|rows| self.apply_some(input, rows, cold))
    }

    fn apply_some(
        &mut self,
        input: &GroupRows<'_>,
        rows: &[u32],
        cold: &dyn ColdBlocks,
    ) -> Result<(), String> {
        self.find_keys(input, rows);
        sort(&mut self.by_key, &mut self.sorted);
        let table = &mut self.tables[input.group];
        let GroupRows { shape, arguments, ids, horizon, .. } = *input;
        let mut left = self.by_key.as_slice();
        while !left.is_empty() {
            let (placed, rest) = left.split_at(left.len().min(LOOKAHEAD));
            warm(table, input, placed, rows);
            for of_key in placed.chunk_by(|a, b| a.slot() == b.slot()) {
                let slot = of_key[0].slot();
                let of_slot = |placed: &&Placed| placed.slot() == slot;
                let more = || rest.iter().take(LATE_TOGETHER).take_while(of_slot).count();
                // Where room is open among the rows of a key, it is in memory, and captured if it
                // belongs to a checkpoint: nothing here looks at it but for what comes next.
                let state = table.change(slot, shape, cold)?;
                for (done, placed) in of_key.iter().enumerate() {
                    let together = || of_key.len() - done + more();
                    let row = rows[placed.place()] as usize;
                    state.insert_together(shape, arguments, row, ids.get(row), horizon, together);
                }
                if rest.first().is_none_or(|placed| placed.slot() != slot) {
                    state.close_gap(shape);
                }
            }
            left = rest;
        }
        Ok(())
    }

    /// Appends the value of every aggregate for a key at a position to `out`, one column each.
    #[expect(clippy::too_many_arguments, reason = "one call per read, all of it is needed")]
    pub(crate) fn read(
        &mut self,
        group: usize,
        shape: &Shape,
        hash: u64,
        key: &[u8],
        position: &Position,
        (horizon, settled): (Horizon, EventTime),
        out: &mut [Column],
        cold: &dyn ColdBlocks,
    ) -> Result<(), String> {
        let table = &mut self.tables[group];
        match table.find(hash, key) {
            Some(slot) => {
                let state = table.state_mut(slot, shape, cold)?;
                state.read(shape, position, horizon, settled, &mut self.scratch, out);
            }
            None => {
                let mut nothing = KeyState::default();
                nothing.read(shape, position, horizon, settled, &mut self.scratch, out);
            }
        }
        Ok(())
    }

    /// Reads and then adds each of these rows, which are in order and follow all before them.
    /// Appends the values just before each row to `out`. A row without a key reads as a key that
    /// was never seen, and is not added.
    pub fn read_and_apply(
        &mut self,
        input: &GroupRows<'_>,
        rows: &[u32],
        out: &mut [Column],
    ) -> Result<(), String> {
        out.iter_mut().for_each(|column| column.reserve(rows.len()));
        let together = (READ_WORDS / input.shape.record_words().max(1)).clamp(LOOKAHEAD, TOGETHER);
        rows.chunks(together).try_for_each(|rows| self.read_and_apply_some(input, rows, out))
    }

    fn read_and_apply_some(
        &mut self,
        input: &GroupRows<'_>,
        rows: &[u32],
        out: &mut [Column],
    ) -> Result<(), String> {
        let (shape, horizon) = (&**input.shape, input.horizon);
        self.find_keys(input, rows);
        if shape.is_deferred() {
            sort(&mut self.by_key, &mut self.sorted);
            self.readings.prepare(shape, rows.len());
        }
        let Shard { tables, scratch, readings, by_key, .. } = self;
        let table = &mut tables[input.group];
        for placed in by_key.chunks(LOOKAHEAD) {
            warm(table, input, placed, rows);
            for of_key in placed.chunk_by(|a, b| a.slot() == b.slot()) {
                let mut nothing = KeyState::default();
                let state = match of_key[0].slot() {
                    NO_KEY => &mut nothing,
                    slot => table.change(slot, shape, &AllInMemory)?,
                };
                for placed in of_key {
                    let row = rows[placed.place()] as usize;
                    let time = EventTime(input.arguments.time(row));
                    if shape.is_deferred() {
                        state.read_deferred(shape, time, horizon, readings, placed.place());
                    } else {
                        state.read(shape, &Position::Time(time), horizon, time, scratch, out);
                    }
                    if placed.slot() != NO_KEY && input.arguments.is_relevant(shape, row) {
                        state.insert(shape, input.arguments, row, input.ids.get(row), horizon);
                    }
                }
            }
        }
        if shape.is_deferred() {
            readings.finish(shape, out);
        }
        Ok(())
    }

    /// Finds the keys of these rows, or makes them.
    fn find_keys(&mut self, input: &GroupRows<'_>, rows: &[u32]) {
        let table = &mut self.tables[input.group];
        self.by_key.clear();
        for rows in rows.chunks(LOOKAHEAD) {
            warm_index(table, input, rows);
            let first = self.by_key.len() as u32;
            self.by_key.extend(rows.iter().zip(first..).map(|(row, place)| {
                let at = *row as usize;
                let slot = if input.keys.present[at] {
                    table.find_or_insert(input.keys.hashes[at], input.keys.get(at))
                } else {
                    NO_KEY
                };
                Placed::new(slot, place)
            }));
        }
    }

    /// Takes these steps, which are in order and follow all before them: reads append their values
    /// to `out`. A read without a key is one of a key that was never seen.
    pub fn take_steps(
        &mut self,
        input: &GroupRows<'_>,
        reads: &Reads<'_>,
        steps: &[Step],
        out: &mut [Column],
    ) -> Result<(), String> {
        let together = (READ_WORDS / input.shape.record_words().max(1)).clamp(LOOKAHEAD, TOGETHER);
        steps.chunks(together).try_for_each(|steps| self.take_some_steps(input, reads, steps, out))
    }

    fn take_some_steps(
        &mut self,
        input: &GroupRows<'_>,
        reads: &Reads<'_>,
        steps: &[Step],
        out: &mut [Column],
    ) -> Result<(), String> {
        let (shape, horizon) = (&**input.shape, input.horizon);
        self.find_keys_of_steps(input, reads, steps);
        if shape.is_deferred() {
            sort(&mut self.by_key, &mut self.sorted);
            self.readings.prepare(shape, self.reads_before.last().map_or(0, |n| *n as usize));
        }
        let Shard { tables, scratch, readings, by_key, reads_before, .. } = self;
        let table = &mut tables[input.group];
        for of_key in by_key.chunk_by(|a, b| a.slot() == b.slot()) {
            let mut nothing = KeyState::default();
            let state = match of_key[0].slot() {
                NO_KEY => &mut nothing,
                slot => table.change(slot, shape, &AllInMemory)?,
            };
            for placed in of_key {
                match steps[placed.place()] {
                    Step::Apply(row) => {
                        let row = row as usize;
                        state.insert(shape, input.arguments, row, input.ids.get(row), horizon);
                    }
                    Step::Read(row) => {
                        let time = EventTime(reads.times[row as usize]);
                        if shape.is_deferred() {
                            let place = reads_before[placed.place()] as usize;
                            state.read_deferred(shape, time, horizon, readings, place);
                        } else {
                            state.read(shape, &Position::Time(time), horizon, time, scratch, out);
                        }
                    }
                }
            }
        }
        if shape.is_deferred() {
            readings.finish(shape, out);
        }
        Ok(())
    }

    /// Finds the keys of these steps; those that are added to are made.
    fn find_keys_of_steps(&mut self, input: &GroupRows<'_>, reads: &Reads<'_>, steps: &[Step]) {
        let table = &mut self.tables[input.group];
        let applied = steps.iter().map(|step| match step {
            Step::Apply(row) => {
                let row = *row as usize;
                table.find_or_insert(input.keys.hashes[row], input.keys.get(row))
            }
            Step::Read(_) => NO_KEY,
        });
        let mut slots: Vec<u32> = applied.collect();
        self.reads_before.clear();
        let mut before = 0;
        for (slot, step) in slots.iter_mut().zip(steps) {
            self.reads_before.push(before);
            if let Step::Read(row) = step {
                before += 1;
                let row = *row as usize;
                if reads.keys.present[row] {
                    let found = table.find(reads.keys.hashes[row], reads.keys.get(row));
                    *slot = found.unwrap_or(NO_KEY);
                }
            }
        }
        self.reads_before.push(before);
        self.by_key.clear();
        let placed = slots.iter().zip(0..).map(|(slot, place)| Placed::new(*slot, place));
        self.by_key.extend(placed);
    }
}

/// What is read, by row.
#[derive(Debug)]
pub struct Reads<'a> {
    pub keys: &'a Keys,
    /// After all that came before, and at this time (µs).
    pub times: &'a [i64],
}

/// Begins to look for the keys of these events, together: in the index, then in the slots.
#[inline]
fn warm_index(table: &Table, input: &GroupRows<'_>, rows: &[u32]) {
    let hashes = || rows.iter().map(|row| input.keys.hashes[*row as usize]);
    std::hint::black_box(hashes().fold(0, |all, hash| all ^ table.peek_index(hash)));
    std::hint::black_box(hashes().fold(0, |all, hash| all ^ table.peek_slot(hash)));
}

/// Brings what these events need of their keys into the cache, together: first the rows and the
/// index of each key, then what the event needs of them.
#[inline]
fn warm(table: &Table, input: &GroupRows<'_>, placed: &[Placed], rows: &[u32]) {
    let states = || placed.iter().map(|placed| table.peek(placed.slot()));
    let first = states().flatten().fold(0, |all, state| all ^ state.peek());
    let second = states().zip(placed).filter_map(|(state, placed)| {
        let row = rows[placed.place()] as usize;
        state.map(|state| state.peek_for(input.shape, input.arguments, row))
    });
    std::hint::black_box(second.fold(first, |all, word| all ^ word));
}

/// A row's place in its list and the slot of its key, as one number that sorts by slot, then place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Placed(u64);

impl Placed {
    #[inline]
    fn new(slot: u32, place: u32) -> Placed {
        Placed(u64::from(slot) << 32 | u64::from(place))
    }

    #[inline]
    fn slot(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    fn place(self) -> usize {
        self.0 as u32 as usize
    }
}

/// Bits of a slot that are looked at together.
const DIGIT_BITS: u32 = 10;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Sorts rows by slot, and leaves those of a slot as they are: in the order of their places.
fn sort(placed: &mut Vec<Placed>, sorted: &mut Vec<Placed>) {
    let Some(first) = placed.first().map(|first| first.slot()) else { return };
    if placed.len() < DIGITS {
        return placed.sort_unstable();
    }
    let differing = placed.iter().fold(0, |all, placed| all | (placed.slot() ^ first));
    for shift in (0..u32::BITS - differing.leading_zeros()).step_by(DIGIT_BITS as usize) {
        let digit = |placed: &Placed| (placed.slot() >> shift) as usize % DIGITS;
        let mut starts = [0u32; DIGITS];
        placed.iter().for_each(|placed| starts[digit(placed)] += 1);
        let mut start = 0;
        for count in &mut starts {
            start += std::mem::replace(count, start);
        }
        sorted.resize(placed.len(), Placed(0));
        for placed in &*placed {
            let at = &mut starts[digit(placed)];
            sorted[*at as usize] = *placed;
            *at += 1;
        }
        std::mem::swap(placed, sorted);
    }
}

/// No slot: the key is null or, of a read, was never seen.
const NO_KEY: u32 = u32::MAX;

/// One step of an ordered run: a row that is read for, or one that is added, which has a key and is
/// relevant to the group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Read(u32),
    Apply(u32),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_are_sorted_by_slot_then_place(
            slots in prop_oneof![
                prop::collection::vec(any::<u32>(), 0..3 * DIGITS),
                prop::collection::vec(0..1u32 << 11, DIGITS..3 * DIGITS),
                prop::collection::vec(prop_oneof![Just(NO_KEY), 7..9u32], DIGITS..2 * DIGITS),
            ]
        ) {
            let placed = slots.iter().zip(0..).map(|(slot, place)| Placed::new(*slot, place));
            let mut placed: Vec<Placed> = placed.collect();
            let mut expected = placed.clone();
            expected.sort_unstable();
            sort(&mut placed, &mut vec![Placed(3); 5]);
            prop_assert_eq!(placed, expected);
        }
    }
}
