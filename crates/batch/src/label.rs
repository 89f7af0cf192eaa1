//! Labels: for each row, when it became known that its event was a positive one.
//!
//! The stream that tells is partitioned by the field that joins it with the view's stream. No order
//! matters: of each value, the earliest time is kept.

use hashbrown::HashMap;
use millrace_event::expr::eval;
use millrace_event::{Batch, Column, EventTime, Mark, Physical, State};
use millrace_feature::plan::{Label, LabelSource, Plan};
use millrace_stream::{KeyHasher, Keys};

use crate::BatchError;
use crate::arrival;
use crate::partition::Emit;
use crate::scatter::{BLOCK_ROWS, PARTITIONS, append, by_partition};
use crate::spool::{Blocks, Scratch, Spool};

/// One stream that tells of the rows' events, joined by a field's value.
#[derive(Debug)]
pub(crate) struct Told {
    source: LabelSource,
    /// The time and the value.
    pub events: Spool,
    /// The row's number and the value.
    pub rows: Spool,
}

impl Told {
    pub fn new(plan: &Plan, label: &Label, source: &LabelSource) -> Told {
        let by = plan.streams[label.stream].schema.fields[source.by_own].ty.physical();
        let kinds = vec![Physical::Word, by];
        Told {
            source: source.clone(),
            events: Spool::new(kinds.clone(), PARTITIONS, BLOCK_ROWS),
            rows: Spool::new(kinds, PARTITIONS, BLOCK_ROWS),
        }
    }

    /// Takes what the events of a stream tell, if it is the one: at their times, or, where it is
    /// noted when they arrived, from when on they can be seen.
    pub fn take_events(&mut self, stream: usize, events: &Batch, arrivals: Option<&[i64]>) {
        if self.source.stream != stream {
            return;
        }
        let by = &events.columns[self.source.by_other];
        let passes = passing(&self.source, events);
        let wanted = |row: usize| !by.is_null(row) && passes.as_ref().is_none_or(|p| holds(p, row));
        let order = by_partition(&[by], events.len(), wanted);
        let times = match arrivals {
            None => events.times().to_vec(),
            Some(arrivals) => arrival::seen(events.times(), arrivals),
        };
        let times = Column::words(times);
        append(&mut self.events, [&times, by].into_iter(), &order);
    }

    /// Takes the rows of the training set among the events of its stream.
    pub fn take_rows(&mut self, events: &Batch, numbers: &[i64]) {
        let by = &events.columns[self.source.by_own];
        let order = by_partition(&[by], events.len(), |row| numbers[row] >= 0);
        let numbers = Column::words(numbers.to_vec());
        append(&mut self.rows, [&numbers, by].into_iter(), &order);
    }
}

fn passing(source: &LabelSource, events: &Batch) -> Option<Column> {
    let columns: Vec<&Column> = events.columns.iter().collect();
    source.filter.as_ref().map(|filter| eval(filter, &columns, events.len()))
}

fn holds(condition: &Column, row: usize) -> bool {
    !condition.is_null(row) && condition.as_words()[row] != 0
}

/// Where the output of [`run`] lies: the rows' numbers, and when they were first told of.
pub(crate) fn output(lists: usize, block_rows: usize) -> Spool {
    Spool::new(vec![Physical::Word; 2], lists, block_rows)
}

/// One partition: the earliest time at which each row's event was told of, or null.
pub(crate) fn run(
    mut events: Blocks,
    mut rows: Blocks,
    scratch: &dyn Scratch,
    emit: &mut Emit<'_>,
) -> Result<(), BatchError> {
    let hasher = KeyHasher::default();
    let mut earliest: HashMap<Vec<u8>, i64> = HashMap::new();
    while let Some(columns) = events.next(scratch)? {
        let [times, by] = &columns[..] else { continue };
        let keys = Keys::of_columns(&[by], by.len(), &hasher);
        for (row, time) in times.as_words().iter().enumerate() {
            let known = earliest.entry_ref(keys.get(row)).or_insert(*time);
            *known = (*known).min(*time);
        }
    }
    while let Some(columns) = rows.next(scratch)? {
        let [numbers, by] = &columns[..] else { continue };
        let keys = Keys::of_columns(&[by], by.len(), &hasher);
        let mut told = Column::new(Physical::Word);
        for row in 0..by.len() {
            match earliest.get(keys.get(row)).filter(|_| !by.is_null(row)) {
                Some(time) => told.push_word(*time, Mark::OK),
                None => told.push_null(Mark::null(State::Empty)),
            }
        }
        emit(vec![numbers.clone(), told])?;
    }
    Ok(())
}

/// What is known at `cutoff` of events at these times: true, false, or null where it is not known
/// yet or nothing can be. `among` is there where the label has such a clause.
pub(crate) fn label(
    definition: &Label,
    cutoff: EventTime,
    times: &[i64],
    positive: &Column,
    among: Option<&Column>,
) -> Column {
    let known = |told: &Column, row: usize| !told.is_null(row) && told.as_words()[row] <= cutoff.0;
    let mut labels = Column::new(Physical::Word);
    for (row, time) in times.iter().enumerate() {
        let is_mature = EventTime(*time).plus(definition.matures) <= cutoff;
        let counts = among.is_none_or(|among| known(among, row));
        match (counts, known(positive, row), is_mature) {
            (true, true, _) => labels.push_word(1, Mark::OK),
            (true, false, true) => labels.push_word(0, Mark::OK),
            (true, false, false) | (false, ..) => labels.push_null(Mark::null(State::Empty)),
        }
    }
    labels
}

/// When the row's event was known to be a positive one, of what was known at `cutoff`.
pub(crate) fn known(cutoff: EventTime, positive: &Column) -> Column {
    let mut times = Column::new(Physical::Word);
    for (row, time) in positive.as_words().iter().enumerate() {
        if !positive.is_null(row) && *time <= cutoff.0 {
            times.push_word(*time, Mark::OK);
        } else {
            times.push_null(Mark::null(State::Empty));
        }
    }
    times
}
