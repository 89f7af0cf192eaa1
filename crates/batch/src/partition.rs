//! One partition of a group: its events and reads in order, out of which come features.

use millrace_aggregate::{Arguments, Horizon};
use millrace_event::{Column, Data, EventId, EventTime, Physical};
use millrace_feature::plan::Group;
use millrace_stream::{
    AllInMemory, EngineError, GroupRows, KeyHasher, Keys, Reads, Shard, Step, aggregate_columns,
    features_of,
};

use crate::job::States;
use crate::scatter::{GroupInput, Way};
use crate::spool::{Blocks, Scratch};
use crate::{BatchError, spool::Spool};

/// Takes the features of some rows: their numbers, then a column for each feature that is used.
pub(crate) type Emit<'a> = dyn FnMut(Vec<Column>) -> Result<(), BatchError> + 'a;

/// One partition, to be run once.
#[derive(Debug)]
pub(crate) struct Partition<'a> {
    pub input: &'a GroupInput,
    pub group: &'a Group,
    /// The features that the view uses, ascending.
    pub used: &'a [usize],
    pub states: States,
    pub events: Blocks,
    pub reads: Blocks,
    pub scratch: &'a dyn Scratch,
}

/// Where the output of a group's partitions lies.
pub(crate) fn output(group: &Group, used: &[usize], lists: usize, block_rows: usize) -> Spool {
    let features = used.iter().map(|feature| group.features[*feature].ty.physical());
    Spool::new([Physical::Word].into_iter().chain(features).collect(), lists, block_rows)
}

impl Partition<'_> {
    pub fn run(mut self, emit: &mut Emit<'_>) -> Result<(), BatchError> {
        let hasher = KeyHasher::default();
        let shard = Shard::new(1, &hasher, false);
        match self.input.way {
            _ if self.input.is_known => self.run_known(shard, &hasher, emit),
            Way::Own => self.run_own(shard, &hasher, emit),
            Way::Before | Way::Behind => self.run_merged(shard, &hasher, emit),
        }
    }

    fn run_own(
        &mut self,
        mut shard: Shard,
        hasher: &KeyHasher,
        emit: &mut Emit<'_>,
    ) -> Result<(), BatchError> {
        while let Some(columns) = self.events.next(self.scratch)? {
            let events = Events::new(self.input, columns, hasher);
            let input = events.input(self.input, EventTime(events.arguments.time(0)));
            let rows = 0..events.heads.len() as u32;
            let numbers = &events.heads;
            if numbers.iter().all(|number| *number < 0) {
                let relevant = |row: &u32| {
                    let row = *row as usize;
                    events.keys.is_present(row)
                        && events.arguments.is_relevant(&self.input.shape, row)
                };
                let rows: Vec<u32> = rows.filter(relevant).collect();
                shard.apply(&input, &rows, &AllInMemory).map_err(EngineError::Cold)?;
                continue;
            }
            let mut out = aggregate_columns(self.group);
            let rows: Vec<u32> = rows.collect();
            shard.read_and_apply(&input, &rows, &mut out).map_err(EngineError::Cold)?;
            self.emit(numbers, out, emit)?;
        }
        Ok(())
    }

    /// Reads and events come from two lists, and are put into order here.
    fn run_merged(
        &mut self,
        mut shard: Shard,
        hasher: &KeyHasher,
        emit: &mut Emit<'_>,
    ) -> Result<(), BatchError> {
        let mut events = Pair::default();
        let mut reads = Pair::default();
        loop {
            if events.is_used_up() {
                let next = self.events.next(self.scratch)?;
                events.set(next.map(|columns| Events::new(self.input, columns, hasher)));
            }
            if reads.is_used_up() {
                let next = self.reads.next(self.scratch)?;
                reads.set(next.map(|columns| ReadRows::new(columns, hasher)));
            }
            // Behind the last read, nothing that is added could be seen.
            let Some(rows) = &reads.rows else { return Ok(()) };
            let from = reads.next;
            let steps = match &events.rows {
                Some(added) => {
                    let orders = (&added.heads[..], &rows.order[..]);
                    merge(self.input.way, orders, (&mut events.next, &mut reads.next))
                }
                None => {
                    let all = from as u32..rows.order.len() as u32;
                    reads.next = rows.order.len();
                    all.map(Step::Read).collect()
                }
            };
            let mut out = aggregate_columns(self.group);
            let none = Events::none(self.input, hasher);
            let added = events.rows.as_ref().unwrap_or(&none);
            let first = steps.first().map_or(i64::MAX, |step| match step {
                Step::Read(row) => rows.times[*row as usize],
                Step::Apply(row) => added.arguments.time(*row as usize),
            });
            let input = added.input(self.input, EventTime(first));
            let given = Reads { keys: &rows.keys, times: &rows.times };
            shard.take_steps(&input, &given, &steps, &mut out).map_err(EngineError::Cold)?;
            self.emit(&rows.numbers[from..reads.next], out, emit)?;
        }
    }

    /// Hands on the features that are used of the rows that have a number.
    pub(crate) fn emit(
        &self,
        numbers: &[i64],
        aggregates: Vec<Column>,
        emit: &mut Emit<'_>,
    ) -> Result<(), BatchError> {
        let features = features_of(self.group, aggregates, numbers.len());
        let mut used = self.used.iter().copied().peekable();
        let mut columns = vec![Column::words(numbers.to_vec())];
        for (index, feature) in features.into_iter().enumerate() {
            if used.next_if_eq(&index).is_some() {
                columns.push(match self.states {
                    States::Kept => feature,
                    States::LeftOut => feature.without_states(),
                });
            }
        }
        if numbers.iter().any(|number| *number < 0) {
            let rows = (0..numbers.len() as u32).filter(|row| numbers[*row as usize] >= 0);
            let rows: Vec<u32> = rows.collect();
            columns = columns.iter().map(|column| column.select(&rows)).collect();
        }
        emit(columns)
    }
}

/// The steps up to the end of either list, from where both stand.
fn merge(
    way: Way,
    (events, reads): (&[i64], &[i64]),
    (event, read): (&mut usize, &mut usize),
) -> Vec<Step> {
    let mut steps = Vec::with_capacity(events.len() - *event + reads.len() - *read);
    while let (Some(added), Some(asked)) = (events.get(*event), reads.get(*read)) {
        let is_added = match way {
            Way::Behind => added <= asked,
            Way::Before | Way::Own => added < asked,
        };
        if is_added {
            steps.push(Step::Apply(*event as u32));
            *event += 1;
        } else {
            steps.push(Step::Read(*read as u32));
            *read += 1;
        }
    }
    steps
}

/// Rows of a list, and how many of them were taken.
#[derive(Debug)]
struct Pair<T> {
    rows: Option<T>,
    next: usize,
}

impl<T> Default for Pair<T> {
    fn default() -> Pair<T> {
        Pair { rows: None, next: 0 }
    }
}

trait Rows {
    fn len(&self) -> usize;
}

impl<T: Rows> Pair<T> {
    fn is_used_up(&self) -> bool {
        self.rows.as_ref().is_none_or(|rows| self.next == rows.len())
    }

    fn set(&mut self, rows: Option<T>) {
        *self = Pair { rows, next: 0 };
    }
}

/// Events of the partition.
#[derive(Debug)]
pub(crate) struct Events {
    /// Their rows' numbers, or their places in the order.
    pub heads: Vec<i64>,
    pub arguments: Arguments,
    pub keys: Keys,
    pub ids: Vec<EventId>,
}

impl Rows for Events {
    fn len(&self) -> usize {
        self.heads.len()
    }
}

impl Events {
    pub fn new(input: &GroupInput, columns: Vec<Column>, hasher: &KeyHasher) -> Events {
        let mut columns = columns.into_iter();
        let heads = columns.next().map_or_else(Vec::new, |column| column.as_words().to_vec());
        let arguments = Arguments::kinds(&input.shape).len();
        let arguments = columns.by_ref().take(arguments).collect();
        let mut columns: Vec<Column> = columns.collect();
        let ids = if input.has_ids { columns.pop() } else { None };
        let ids =
            ids.map_or_else(Vec::new, |column| (0..column.len()).map(|r| id(&column, r)).collect());
        let keys: Vec<&Column> = columns.iter().collect();
        Events {
            arguments: Arguments::from_columns(&input.shape, arguments),
            keys: Keys::of_columns(&keys, heads.len(), hasher),
            ids,
            heads,
        }
    }

    pub fn none(input: &GroupInput, hasher: &KeyHasher) -> Events {
        let kinds = Arguments::kinds(&input.shape);
        let columns = kinds.into_iter().map(Column::new).collect();
        Events {
            heads: Vec::new(),
            arguments: Arguments::from_columns(&input.shape, columns),
            keys: Keys::of_columns(&[], 0, hasher),
            ids: Vec::new(),
        }
    }

    fn input<'a>(&'a self, input: &'a GroupInput, first: EventTime) -> GroupRows<'a> {
        GroupRows {
            group: 0,
            shape: &input.shape,
            arguments: &self.arguments,
            keys: &self.keys,
            ids: &self.ids,
            horizon: Horizon::at(&input.shape, first),
        }
    }
}

/// Reads of the partition.
#[derive(Debug)]
pub(crate) struct ReadRows {
    pub order: Vec<i64>,
    pub numbers: Vec<i64>,
    pub times: Vec<i64>,
    pub keys: Keys,
}

impl Rows for ReadRows {
    fn len(&self) -> usize {
        self.order.len()
    }
}

impl ReadRows {
    pub fn new(columns: Vec<Column>, hasher: &KeyHasher) -> ReadRows {
        let mut columns = columns.into_iter();
        let mut words =
            || columns.next().map_or_else(Vec::new, |column| column.as_words().to_vec());
        let (order, numbers, times) = (words(), words(), words());
        let keys: Vec<Column> = columns.collect();
        let keys: Vec<&Column> = keys.iter().collect();
        let keys = Keys::of_columns(&keys, order.len(), hasher);
        ReadRows { order, numbers, times, keys }
    }
}

fn id(column: &Column, row: usize) -> EventId {
    match &column.data {
        Data::Text(texts) => EventId::text(texts.get(row)),
        Data::Word(words) => EventId::int(words[row]),
        Data::Float(_) | Data::Nested(_) => unreachable!("an id is a string or an integer"),
    }
}
