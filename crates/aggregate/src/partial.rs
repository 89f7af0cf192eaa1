//! One lane's aggregations over any set of events, as an algebra.
//!
//! `add` takes an event, `merge` another partial; both are commutative and associative, and the
//! empty partial is neutral. So tiles and the lifetime summary may be built in any order. Only
//! `first` and `last` look at the order of events, and they carry (time, id) to be just as free.

use hashbrown::HashSet;
use millrace_event::{EventId, EventTime};
use ruint::aliases::U256;
use smallvec::SmallVec;

use crate::Layout;
use crate::exact::float_to_fixed;
use crate::shape::{Kind, Lane, Needs};

/// An event's place in the order of its stream, with the argument's word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Placed {
    pub(crate) time: EventTime,
    pub(crate) id: EventId,
    pub(crate) word: u64,
}

/// The state of one lane over a set of events; only what the lane needs is filled in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Partial {
    /// Events selected, with a non-null argument.
    pub(crate) count: u64,
    /// Those of them whose float argument lies outside the range of exact sums.
    pub(crate) bad: u64,
    pub(crate) sum: i128,
    pub(crate) squares: U256,
    /// Ordered words (see [`order`]).
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) more: Option<Box<More>>,
}

/// What few lanes need.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct More {
    /// Members so far; kept to one beyond the limit, which is enough to know it was passed.
    pub(crate) distinct: HashSet<u64>,
    pub(crate) first: Option<Placed>,
    /// The newest first.
    pub(crate) last: Vec<Placed>,
}

impl Default for Partial {
    fn default() -> Partial {
        Partial {
            count: 0,
            bad: 0,
            sum: 0,
            squares: U256::ZERO,
            min: i64::MAX,
            max: i64::MIN,
            more: None,
        }
    }
}

/// A word such that signed order is the order of the values.
#[inline]
pub(crate) fn order(kind: Kind, word: u64) -> i64 {
    let bits = word as i64;
    match kind {
        Kind::Float => bits ^ ((bits >> 63) as u64 >> 1) as i64,
        Kind::None | Kind::Word | Kind::Text => bits,
    }
}

/// The argument as an exact integer in the lane's unit; `None` outside the range.
#[inline]
pub(crate) fn amount(kind: Kind, word: u64) -> Option<i128> {
    match kind {
        Kind::Float => float_to_fixed(f64::from_bits(word)),
        Kind::None | Kind::Word | Kind::Text => Some(i128::from(word as i64)),
    }
}

pub(crate) fn square(amount: i128) -> U256 {
    let size = U256::from(amount.unsigned_abs());
    size * size
}

impl Partial {
    /// Adds one selected event.
    pub(crate) fn add(&mut self, lane: &Lane, time: EventTime, id: &EventId, word: u64) {
        self.count += 1;
        if lane.needs.has(Needs::SUM) {
            match amount(lane.kind, word) {
                Some(amount) => {
                    self.sum += amount;
                    if lane.needs.has(Needs::SQUARES) {
                        self.squares += square(amount);
                    }
                }
                None => self.bad += 1,
            }
        }
        if lane.needs.has(Needs::MIN.or(Needs::MAX)) {
            let ordered = order(lane.kind, word);
            self.min = self.min.min(ordered);
            self.max = self.max.max(ordered);
        }
        if lane.needs.has(Needs::DISTINCT) {
            self.more().add_member(word);
        }
        if lane.needs.has(Needs::FIRST.or(Needs::LAST)) {
            // No id decides between equal words: the same bytes, whether the row still had one or
            // not.
            let id = if lane.is_time() { EventId::text("") } else { id.clone() };
            let placed = Placed { time, id, word };
            let more = self.more();
            if more.first.as_ref().is_none_or(|f| placed < *f) {
                more.first = Some(placed.clone());
            }
            more.add_last(placed, lane.last_n as usize);
        }
    }

    /// Adds all events of another partial of the same lane.
    pub(crate) fn merge(&mut self, lane: &Lane, other: &Partial) {
        self.count += other.count;
        self.bad += other.bad;
        self.sum += other.sum;
        self.squares += other.squares;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        let Some(theirs) = &other.more else { return };
        let more = self.more();
        let mut members: SmallVec<[u64; 32]> = theirs.distinct.iter().copied().collect();
        // Which members are kept beyond the limit must not depend on the set's own order.
        members.sort_unstable();
        members.into_iter().for_each(|m| more.add_member(m));
        if let Some(first) = &theirs.first
            && more.first.as_ref().is_none_or(|f| first < f)
        {
            more.first = Some(first.clone());
        }
        for placed in &theirs.last {
            more.add_last(placed.clone(), lane.last_n as usize);
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_with(Box::default)
    }

    /// Visits every word that may be an index into the dictionary.
    pub(crate) fn for_each_word(&mut self, mut visit: impl FnMut(&mut u64)) {
        let Some(more) = &mut self.more else { return };
        let mut members: Vec<u64> = more.distinct.drain().collect();
        members.sort_unstable();
        members.iter_mut().for_each(&mut visit);
        more.distinct.extend(members);
        more.first.iter_mut().for_each(|p| visit(&mut p.word));
        more.last.iter_mut().for_each(|p| visit(&mut p.word));
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.more.as_ref().map_or(0, |m| {
            size_of::<More>() + m.distinct.capacity() * 9 + m.last.capacity() * size_of::<Placed>()
        })
    }
}

impl More {
    pub(crate) fn add_member(&mut self, word: u64) {
        if self.distinct.len() <= Layout::DISTINCT_MAX {
            self.distinct.insert(word);
        }
    }

    fn add_last(&mut self, placed: Placed, n: usize) {
        let at = self.last.partition_point(|p| *p > placed);
        if at < n {
            self.last.insert(at, placed);
            self.last.truncate(n);
        }
    }
}
