//! A share of the keys of every group. Shards never talk to each other.

use std::sync::Arc;

use hashbrown::DefaultHashBuilder;
use millrace_aggregate::{Arguments, Horizon, KeyState, Position, Readings, Scratch, Shape};
use millrace_event::{Column, EventId, EventTime};

use crate::keys::Keys;
use crate::table::{AllInMemory, ColdBlocks, Table};

/// Rows whose key states are looked up and touched together before they are applied, so that
/// their cache misses overlap.
const LOOKAHEAD: usize = 16;

/// As [`LOOKAHEAD`], for rows that are applied without a read before each. More of one key come
/// together, which spares moving its rows for each that is late.
const TOGETHER: usize = 64;

/// Reads whose values wait together to be made into columns: as many as fit the cache.
const READINGS_MAX: usize = 1_024;

#[derive(Debug)]
pub(crate) struct Shard {
    /// By group.
    pub(crate) tables: Vec<Table>,
    scratch: Scratch,
    readings: Readings,
}

/// One batch as one group sees it.
#[derive(Debug)]
pub(crate) struct GroupRows<'a> {
    pub(crate) group: usize,
    pub(crate) shape: &'a Arc<Shape>,
    pub(crate) arguments: &'a Arguments,
    pub(crate) keys: &'a Keys,
    /// One per event of the batch; none at all where events come in order and no value depends
    /// on the order of equal times.
    pub(crate) ids: &'a [EventId],
    pub(crate) horizon: Horizon,
}

impl Shard {
    pub(crate) fn new(groups: usize, hasher: &DefaultHashBuilder, tracked: bool) -> Shard {
        let tables = (0..groups).map(|_| Table::new(hasher.clone(), tracked)).collect();
        Shard { tables, scratch: Scratch::default(), readings: Readings::default() }
    }

    /// Adds these rows of a batch to their keys.
    pub(crate) fn apply(
        &mut self,
        input: &GroupRows<'_>,
        rows: &[u32],
        cold: &dyn ColdBlocks,
    ) -> Result<(), String> {
        let table = &mut self.tables[input.group];
        for rows in rows.chunks(TOGETHER) {
            let mut slots = [0u32; TOGETHER];
            warm_index(table, input, rows);
            for (slot, row) in slots.iter_mut().zip(rows) {
                let row = *row as usize;
                *slot = table.find_or_insert(input.keys.hashes[row], input.keys.get(row));
            }
            let slots = &slots[..rows.len()];
            warm(table, input, slots, rows);
            let added = add_together(table, input, slots, rows, cold);
            // Also after an error: the keys are still read.
            slots.iter().for_each(|slot| table.close_gap(*slot, input.shape));
            added?;
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
    pub(crate) fn read_and_apply(
        &mut self,
        input: &GroupRows<'_>,
        rows: &[u32],
        out: &mut [Column],
    ) -> Result<(), String> {
        let mut slots = [0u32; LOOKAHEAD];
        for rows in rows.chunks(LOOKAHEAD) {
            let table = &mut self.tables[input.group];
            warm_index(table, input, rows);
            for (slot, row) in slots.iter_mut().zip(rows) {
                let row = *row as usize;
                *slot = if input.keys.present[row] {
                    table.find_or_insert(input.keys.hashes[row], input.keys.get(row))
                } else {
                    NO_KEY
                };
            }
            warm(table, input, &slots[..rows.len()], rows);
            for (slot, row) in slots.iter().zip(rows) {
                self.read_and_apply_one(input, *slot, *row as usize, out)?;
            }
            if self.readings.len() >= READINGS_MAX {
                self.readings.finish(input.shape, out);
            }
        }
        if input.shape.is_deferred() {
            self.readings.finish(input.shape, out);
        }
        Ok(())
    }

    #[inline]
    fn read_and_apply_one(
        &mut self,
        input: &GroupRows<'_>,
        slot: u32,
        row: usize,
        out: &mut [Column],
    ) -> Result<(), String> {
        let (shape, horizon) = (&**input.shape, input.horizon);
        let time = EventTime(input.arguments.time(row));
        let mut nothing = KeyState::default();
        let state = match slot {
            NO_KEY => &mut nothing,
            slot => self.tables[input.group].change(slot, shape, &AllInMemory)?,
        };
        if shape.is_deferred() {
            state.read_deferred(shape, time, horizon, &mut self.readings);
        } else {
            state.read(shape, &Position::Time(time), horizon, time, &mut self.scratch, out);
        }
        if slot != NO_KEY && input.arguments.is_relevant(shape, row) {
            state.insert(shape, input.arguments, row, input.ids.get(row), horizon);
        }
        Ok(())
    }

    fn read_nothing(&mut self, input: &GroupRows<'_>, at: &Position, out: &mut [Column]) {
        let (horizon, settled) = (input.horizon, at.time());
        KeyState::default().read(input.shape, at, horizon, settled, &mut self.scratch, out);
    }

    /// One step of an ordered run in which reads and events come from different streams.
    pub(crate) fn step(
        &mut self,
        input: &GroupRows<'_>,
        keys: &Keys,
        step: Step,
        at: Position,
        out: &mut [Column],
    ) -> Result<(), String> {
        let cold = &AllInMemory;
        match step {
            Step::Read(row) if keys.present[row as usize] => {
                let (hash, key) = (keys.hashes[row as usize], keys.get(row as usize));
                let settled = at.time();
                self.read(
                    input.group,
                    input.shape,
                    hash,
                    key,
                    &at,
                    (input.horizon, settled),
                    out,
                    cold,
                )
            }
            Step::Read(_) => {
                self.read_nothing(input, &at, out);
                Ok(())
            }
            Step::Apply(row) => {
                let row = row as usize;
                if keys.present[row] && input.arguments.is_relevant(input.shape, row) {
                    let table = &mut self.tables[input.group];
                    let slot = table.find_or_insert(keys.hashes[row], keys.get(row));
                    let state = table.change(slot, input.shape, cold)?;
                    state.insert(
                        input.shape,
                        input.arguments,
                        row,
                        input.ids.get(row),
                        input.horizon,
                    );
                }
                Ok(())
            }
        }
    }
}

/// Adds each of these rows to the key in its slot.
fn add_together(
    table: &mut Table,
    input: &GroupRows<'_>,
    slots: &[u32],
    rows: &[u32],
    cold: &dyn ColdBlocks,
) -> Result<(), String> {
    let GroupRows { shape, arguments, ids, horizon, .. } = *input;
    for (at, row) in rows.iter().enumerate() {
        let (slot, row) = (slots[at], *row as usize);
        let together = || slots[at..].iter().filter(|other| **other == slot).count();
        let state = table.change(slot, shape, cold)?;
        state.insert_together(shape, arguments, row, ids.get(row), horizon, together);
    }
    Ok(())
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
fn warm(table: &Table, input: &GroupRows<'_>, slots: &[u32], rows: &[u32]) {
    let states = || slots.iter().map(|slot| table.peek(*slot));
    let first = states().flatten().fold(0, |all, state| all ^ state.peek());
    let second = states().zip(rows).filter_map(|(state, row)| {
        state.map(|state| state.peek_for(input.shape, input.arguments, *row as usize))
    });
    std::hint::black_box(second.fold(first, |all, word| all ^ word));
}

/// No slot: the event's key is null.
const NO_KEY: u32 = u32::MAX;

/// One step of an ordered run: a row of the view's stream, or of the group's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Read(u32),
    Apply(u32),
}
