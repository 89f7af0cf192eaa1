//! Puts the rows that a group needs into partitions by key.

use std::ops::Range;
use std::sync::Arc;

use millrace_aggregate::{Arguments, Shape};
use millrace_event::{Batch, Column, Data, Physical};
use millrace_feature::plan::{Plan, Read};
use millrace_stream::{Place, Released};
use siphasher::sip::SipHasher13;

use crate::AsOf;
use crate::arrival::seen;
use crate::history::arrivals_of;
use crate::job::{Counting, Job, Subject};
use crate::spool::Spool;

/// Into how many partitions the keys of a group are put: so many that the key states of one stay
/// in the cache, and so few that each gets some rows at a time.
pub(crate) const PARTITIONS: usize = 64;
const PARTITION_BITS: u32 = PARTITIONS.trailing_zeros();

/// Rows of a partition that are worked on together.
pub(crate) const BLOCK_ROWS: usize = 8_192;

/// One group as the view reads it: what it needs of each event, and where that is kept.
#[derive(Debug)]
pub(crate) struct GroupInput {
    pub read: Read,
    pub shape: Arc<Shape>,
    pub way: Way,
    pub has_ids: bool,
    /// Whether events count from their arrival: see `arrival.rs`.
    pub is_known: bool,
    /// [`Way::Own`]: the row's number, or -1; else the event's place in the order. Where events
    /// count from their arrival, when they can be seen. Then the arguments, the key, and the id
    /// where values depend on it.
    pub events: Spool,
    /// Nothing in [`Way::Own`]; else place, number, time and key of each row that is read.
    pub reads: Spool,
}

/// How reads and events of a group go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Each event of the view's stream is read for, then added, under one key.
    Own,
    /// Reads come before the events of the same place.
    Before,
    /// Reads come behind them.
    Behind,
}

impl GroupInput {
    pub fn new(job: &Job, read: &Read) -> GroupInput {
        let plan = &job.plan;
        let view = &plan.views[job.view];
        let group = &plan.groups[read.group];
        let is_own = group.stream == view.stream;
        let is_known = job.counting == Counting::AsKnown;
        let is_merged = is_known || job.subject == Subject::Asked;
        let way = match job.asof {
            AsOf::Event if view.including && is_own => Way::Behind,
            AsOf::Event if is_own && read.keys == group.keys && !is_merged => Way::Own,
            AsOf::Event => Way::Before,
            AsOf::Delay(_) | AsOf::Every(_) => Way::Behind,
        };
        let shape = Arc::new(Shape::new(Arc::clone(&group.layout)));
        let schema = &plan.streams[group.stream].schema;
        let kind = |field: &usize| schema.fields[*field].ty.physical();
        let keys: Vec<Physical> = group.keys.iter().map(kind).collect();
        // What is applied out of order finds its place by its id.
        let has_ids = shape.needs_ids() || is_known;
        let mut kinds = vec![Physical::Word; 1 + usize::from(is_known)];
        kinds.extend(Arguments::kinds(&shape));
        kinds.extend(&keys);
        kinds.extend(has_ids.then(|| kind(&schema.id)));
        let mut read_kinds = vec![Physical::Word; 3];
        read_kinds.extend(&keys);
        GroupInput {
            read: read.clone(),
            shape,
            way,
            has_ids,
            is_known,
            events: Spool::new(kinds, PARTITIONS, BLOCK_ROWS),
            reads: Spool::new(read_kinds, PARTITIONS, BLOCK_ROWS),
        }
    }

    /// Takes what it needs of these events.
    pub fn take(&mut self, job: &Job, released: &Released<'_>, rows_at: usize, numbers: &Numbers) {
        let plan = &job.plan;
        let stream = plan.groups[self.read.group].stream;
        let places = |stream| places_of(released.places, stream, numbers.first_place);
        let events = &released.batches[stream];
        let times = events.times();
        let seen = arrivals_of(job, released, stream).map(|arrivals| seen(times, arrivals));
        let seen = seen.as_deref();
        match self.way {
            Way::Own => self.take_events(plan, events, (&numbers.rows, None), |_| true),
            Way::Before | Way::Behind if job.asof != AsOf::Event => {
                let counts_from = seen.unwrap_or(times);
                let wanted = |row: usize| counts_from[row] < job.rows.end.0;
                self.take_events(plan, events, (times, seen), wanted);
            }
            Way::Before | Way::Behind => {
                self.take_events(plan, events, (&places(stream), seen), |_| true);
            }
        }
        if self.way != Way::Own {
            let events = &released.batches[rows_at];
            let times: Vec<i64> = events
                .times()
                .iter()
                .map(|t| job.asof.position(millrace_event::EventTime(*t)).0)
                .collect();
            let order = if job.asof == AsOf::Event { places(rows_at) } else { times.clone() };
            self.take_reads(events, &numbers.rows, order, times);
        }
    }

    fn take_events(
        &mut self,
        plan: &Plan,
        events: &Batch,
        (heads, seen): (&[i64], Option<&[i64]>),
        wanted: impl Fn(usize) -> bool,
    ) {
        let group = &plan.groups[self.read.group];
        let arguments = Arguments::evaluate(&self.shape, events);
        let keys: Vec<&Column> = group.keys.iter().map(|f| &events.columns[*f]).collect();
        let is_read = self.way == Way::Own;
        let keep = |row: usize| {
            is_read
                || (wanted(row)
                    && keys.iter().all(|key| !key.is_null(row))
                    && arguments.is_relevant(&self.shape, row))
        };
        let order = by_partition(&keys, events.len(), keep);
        let heads = Column::words(heads.to_vec());
        let seen = seen.map(|seen| Column::words(seen.to_vec()));
        let arguments = arguments.into_columns(&self.shape);
        let ids = self.has_ids.then(|| &events.columns[events.schema.id]);
        let heads = [&heads].into_iter().chain(&seen);
        let columns: Vec<&Column> = heads.chain(&arguments).chain(keys).chain(ids).collect();
        append(&mut self.events, columns.iter().copied(), &order);
    }

    fn take_reads(&mut self, events: &Batch, numbers: &[i64], order: Vec<i64>, times: Vec<i64>) {
        let keys: Vec<&Column> = self.read.keys.iter().map(|f| &events.columns[*f]).collect();
        let placed = by_partition(&keys, events.len(), |row| numbers[row] >= 0);
        let heads = [order, numbers.to_vec(), times].map(Column::words);
        append(&mut self.reads, heads.iter().chain(keys), &placed);
    }
}

/// The rows of the training set among some events of the view's stream.
#[derive(Debug)]
pub(crate) struct Numbers {
    /// The place of the first of all released events in the order of all.
    pub first_place: i64,
    /// Per event its row's number, or -1 where it gets no row.
    pub rows: Vec<i64>,
}

/// The places, among all events, of those of one stream.
fn places_of(places: &[Place], stream: usize, first: i64) -> Vec<i64> {
    let places = places.iter().zip(first..).filter(|(place, _)| place.is_of(stream));
    places.map(|(_, at)| at).collect()
}

/// Rows in the order of their partitions, and where each partition's lie.
#[derive(Debug)]
pub(crate) struct Order {
    rows: Vec<u32>,
    ranges: Vec<Range<usize>>,
}

/// The rows to keep, by the partition of their key; within one, they stay in order.
pub(crate) fn by_partition(keys: &[&Column], rows: usize, keep: impl Fn(usize) -> bool) -> Order {
    let partitions = partitions(keys, rows);
    let kept = || (0..rows).filter(|row| keep(*row));
    let mut ends = [0usize; PARTITIONS];
    kept().for_each(|row| ends[usize::from(partitions[row])] += 1);
    let mut start = 0;
    let mut ranges = Vec::with_capacity(PARTITIONS);
    for end in &mut ends {
        ranges.push(start..start + *end);
        start += *end;
        *end = start - *end;
    }
    let mut order = vec![0u32; start];
    for row in kept() {
        let at = &mut ends[usize::from(partitions[row])];
        order[*at] = row as u32;
        *at += 1;
    }
    Order { rows: order, ranges }
}

/// The partition of each row's key. It must not depend on the process: what is in a scratch file
/// may be read by a later one.
fn partitions(keys: &[&Column], rows: usize) -> Vec<u8> {
    let hasher = SipHasher13::new_with_key(&[0; 16]);
    let mut hashes = vec![0u64; rows];
    for key in keys {
        match &key.data {
            Data::Word(words) => {
                hashes.iter_mut().zip(words).for_each(|(h, w)| *h = mix(*h ^ *w as u64));
            }
            Data::Text(texts) => {
                let texts = (0..rows).map(|row| hasher.hash(texts.get(row).as_bytes()));
                hashes.iter_mut().zip(texts).for_each(|(h, text)| *h = mix(*h ^ text));
            }
            Data::Float(_) | Data::Nested(_) => {}
        }
    }
    hashes.into_iter().map(|hash| (hash >> (u64::BITS - PARTITION_BITS)) as u8).collect()
}

/// Spreads each bit over the high ones (the multiplier is that of splitmix64).
fn mix(word: u64) -> u64 {
    (word ^ word >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// Puts rows of some events into the lists of their partitions.
pub(crate) fn append<'a>(
    spool: &mut Spool,
    columns: impl Iterator<Item = &'a Column> + Clone,
    order: &Order,
) {
    for (partition, range) in order.ranges.iter().enumerate() {
        spool.append(partition, columns.clone(), &order.rows[range.clone()]);
    }
}
