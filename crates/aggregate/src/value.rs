//! From what a cell holds to the value and state of an aggregate.

use hashbrown::HashSet;
use millrace_event::{Column, EventTime, Mark, Physical, Span, State, Type, Value};
use ruint::aliases::U256;
use smallvec::SmallVec;

use crate::dictionary::Dictionary;
use crate::exact::{quotient, ratio, root};
use crate::partial::Partial;
use crate::shape::{Kind, Lane, Needs, Output};
use crate::{Function, Layout};

/// A cell's contents at one position, whatever they were computed from.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub(crate) count: u64,
    pub(crate) bad: u64,
    pub(crate) sum: i128,
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) distinct: usize,
    /// Some of the history that the window needs is no longer kept.
    pub(crate) limited: bool,
    /// What few cells need; apart, so that the others stay small.
    pub(crate) rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Rare {
    pub(crate) squares: U256,
    pub(crate) first: u64,
    /// The newest first.
    pub(crate) last: SmallVec<[u64; 4]>,
}

impl Default for Contents {
    fn default() -> Contents {
        Contents {
            count: 0,
            bad: 0,
            sum: 0,
            min: i64::MAX,
            max: i64::MIN,
            distinct: 0,
            limited: false,
            rare: None,
        }
    }
}

impl Contents {
    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_with(Box::default)
    }

    /// Adds events that are all older than the rows this was computed from. `selected` are the
    /// words of those rows, read only for distinct members.
    pub(crate) fn add_older(
        &mut self,
        lane: &Lane,
        older: &Partial,
        selected: impl Iterator<Item = u64>,
    ) {
        if older.count == 0 {
            return;
        }
        let was_empty = self.count == 0;
        self.count += older.count;
        self.bad += older.bad;
        self.sum += older.sum;
        if lane.needs.has(Needs::SQUARES) {
            self.rare().squares += older.squares;
        }
        self.min = self.min.min(older.min);
        self.max = self.max.max(older.max);
        let Some(more) = older.more.as_deref() else { return };
        if lane.needs.has(Needs::DISTINCT) {
            let mut new: HashSet<u64> = HashSet::new();
            new.extend(selected.filter(|word| !more.distinct.contains(word)));
            self.distinct = more.distinct.len() + new.len();
        }
        if let Some(first) = &more.first {
            self.rare().first = first.word;
        }
        if !more.last.is_empty() {
            let last = &mut self.rare().last;
            if was_empty {
                last.clear();
            }
            let room = (lane.last_n as usize).saturating_sub(last.len());
            last.extend(more.last.iter().take(room).map(|p| p.word));
        }
    }
}

/// Appends the aggregate's value to its column.
pub(crate) fn push_output(
    output: &Output,
    contents: &Contents,
    dictionary: Option<&Dictionary>,
    column: &mut Column,
) {
    if contents.limited {
        return column.push_null(Mark::null(State::Limit));
    }
    let here = if contents.count == 0 { State::Empty } else { State::Ok };
    let kind = output.kind;
    match output.function {
        Function::Count => column.push_word(contents.count as i64, Mark::value(here)),
        Function::Distinct if contents.distinct > Layout::DISTINCT_MAX => {
            column.push_null(Mark::null(State::Limit));
        }
        Function::Distinct => column.push_word(contents.distinct as i64, Mark::value(here)),
        Function::Sum => push_sum(output, contents, here, column),
        Function::Mean | Function::Variance | Function::Stddev => {
            push_moment(output, contents, column);
        }
        Function::Min | Function::Max | Function::First | Function::Last | Function::LastN(_)
            if contents.count == 0 =>
        {
            column.push_null(Mark::NULL);
        }
        Function::Min => push_word(kind, unorder(kind, contents.min), dictionary, column),
        Function::Max => push_word(kind, unorder(kind, contents.max), dictionary, column),
        Function::First => {
            push_word(kind, contents.rare.as_ref().map_or(0, |r| r.first), dictionary, column)
        }
        Function::Last => {
            let newest = contents.rare.as_ref().and_then(|r| r.last.first().copied());
            push_word(kind, newest.unwrap_or(0), dictionary, column);
        }
        Function::LastN(n) => {
            let ty = output.input.as_ref().unwrap_or(&output.ty);
            let newest = contents.rare.iter().flat_map(|r| &r.last).take(n as usize);
            let list = newest.map(|w| word_to_value(*w, ty, dictionary)).collect();
            column.push(&Value::List(list), here);
        }
    }
}

fn push_sum(output: &Output, contents: &Contents, here: State, column: &mut Column) {
    if contents.bad > 0 {
        return column.push_null(Mark::null(State::Overflow));
    }
    match &mut column.data {
        millrace_event::Data::Float(_) => {
            column.push_float(quotient(contents.sum, output.unit), Mark::value(here));
        }
        _ => match i64::try_from(contents.sum) {
            Ok(sum) => column.push_word(sum, Mark::value(here)),
            Err(_) => column.push_null(Mark::null(State::Overflow)),
        },
    }
}

/// Mean, sample variance and sample standard deviation, each rounded once.
fn push_moment(output: &Output, contents: &Contents, column: &mut Column) {
    let n = contents.count;
    if contents.bad > 0 {
        return column.push_null(Mark::null(State::Overflow));
    }
    if n == 0 || (output.function != Function::Mean && n == 1) {
        return column.push_null(Mark::NULL);
    }
    let x = if output.function == Function::Mean {
        quotient(contents.sum, u128::from(n) * output.unit)
    } else {
        // n·Σx² − (Σx)² over n(n−1), in units squared; the numerator is never negative.
        let size = U256::from(contents.sum.unsigned_abs());
        let squares = contents.rare.as_ref().map_or(U256::ZERO, |r| r.squares);
        let numerator = squares * U256::from(n) - size * size;
        let unit = U256::from(output.unit);
        let denominator = U256::from(n) * U256::from(n - 1) * unit * unit;
        match output.function {
            Function::Variance => ratio(numerator, denominator),
            _ => root(numerator, denominator),
        }
    };
    column.push_float(x, Mark::OK);
}

fn push_word(kind: Kind, word: u64, dictionary: Option<&Dictionary>, column: &mut Column) {
    match kind {
        Kind::Float => column.push_float(f64::from_bits(word), Mark::OK),
        Kind::Text => column.push_text(dictionary.map_or("", |d| d.get(word)), Mark::OK),
        Kind::None | Kind::Word => column.push_word(word as i64, Mark::OK),
    }
}

/// The inverse of [`crate::partial::order`].
fn unorder(kind: Kind, ordered: i64) -> u64 {
    crate::partial::order(kind, ordered as u64) as u64
}

fn word_to_value(word: u64, ty: &Type, dictionary: Option<&Dictionary>) -> Value {
    match (ty, ty.physical()) {
        (_, Physical::Text) => Value::text(dictionary.map_or("", |d| d.get(word))),
        (_, Physical::Float) => Value::Float(f64::from_bits(word)),
        (Type::Bool, _) => Value::Bool(word != 0),
        (Type::Decimal(scale), _) => Value::Decimal { mantissa: word as i64, scale: *scale },
        (Type::Timestamp, _) => Value::Timestamp(EventTime(word as i64)),
        (Type::Duration, _) => Value::Duration(Span(word as i64)),
        _ => Value::Int(word as i64),
    }
}
