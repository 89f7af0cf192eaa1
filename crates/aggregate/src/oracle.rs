//! A busy key's index against a walk over its rows: whatever comes in whatever order, wherever the
//! read is, the values are the same to the bit.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_event::expr::{Expr, Kind};
use millrace_event::{
    Batch, Column, Data, EventId, EventTime, Field, Mark, Physical, Schema, Span, State, Type,
};
use proptest::prelude::*;

use crate::index::Index;
use crate::{
    Aggregate, Arguments, DecodeError, Function, Horizon, Input, KeyState, Layout, Position,
    Readings, Scratch, Shape, Window,
};

const WIDTHS: [i64; 3] = [40, 300, 1_000];
/// How far behind the newest event reads are exact.
const HISTORY: i64 = 60;

#[derive(Clone, Debug)]
struct Step {
    /// Of the event, from the newest so far.
    ahead: i64,
    word: Option<i64>,
    float: f64,
    selected: bool,
    /// Of the read, from the newest event.
    at: i64,
    kind: u8,
}

/// What decides about the order of events of one moment, for each of the [`steps`]. It is beside
/// them, so that cases that failed before stay what they were.
fn ranks() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(0i64..50, 220)
}

/// Of the event of this number: each has its own, and they do not ascend.
fn id(ranks: &[i64], number: i64) -> EventId {
    EventId::int(ranks[number.max(0) as usize] * 1_000 + number)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let word = prop::option::weighted(0.9, prop_oneof![-3i64..3, Just(i64::MAX), Just(1 << 40)]);
    let float = prop_oneof![-2.0f64..2.0, Just(1e300), Just(0.5)];
    let ahead = prop_oneof![4 => 0i64..12, 1 => -80i64..0, 1 => Just(200i64)];
    let step = (ahead, word, float, any::<bool>(), -70i64..90, 0u8..3);
    let step = step.prop_map(|(ahead, word, float, selected, at, kind)| Step {
        ahead,
        word,
        float,
        selected,
        at,
        kind,
    });
    prop::collection::vec(step, 60..220)
}

fn shape(functions: &[(Function, Option<usize>, Option<usize>)], summaries: bool) -> Shape {
    shape_over(WIDTHS, functions, summaries)
}

fn shape_over(
    widths: [i64; 3],
    functions: &[(Function, Option<usize>, Option<usize>)],
    summaries: bool,
) -> Shape {
    let column = |index, ty, nullable| Expr { kind: Kind::Column(index), ty, nullable };
    let mut windows: Vec<Window> =
        widths.iter().map(|w| Window::Sliding { width: Span(*w), every: None }).collect();
    if summaries {
        windows.push(Window::Sliding { width: Span(500), every: Some(Span(50)) });
        windows.push(Window::Lifetime);
    }
    let aggregates = (0..windows.len()).flat_map(|window| {
        functions.iter().map(move |(function, input, filter)| Aggregate {
            function: *function,
            input: *input,
            filter: *filter,
            window,
            ty: match (function, input) {
                (Function::Count | Function::Distinct, _) => Type::Int,
                (Function::Mean | Function::Stddev | Function::Variance, _) | (_, Some(1)) => {
                    Type::Float
                }
                (Function::LastN(_), _) => Type::List(Box::new(Type::Int)),
                _ => Type::Int,
            },
        })
    });
    Shape::new(Arc::new(Layout {
        inputs: vec![
            Input { expr: column(3, Type::Int, true) },
            Input { expr: column(4, Type::Float, false) },
            Input { expr: column(1, Type::Timestamp, false) },
        ],
        filters: vec![column(2, Type::Bool, false)],
        aggregates: aggregates.collect(),
        windows,
        time_input: Some(2),
        hash: 1,
    }))
}

fn batch(number: i64, time: i64, step: &Step) -> Batch {
    let field = |name: &str, ty, nullable| Field { name: Arc::from(name), ty, nullable };
    let schema = Schema {
        stream: Arc::from("s"),
        fields: vec![
            field("id", Type::Int, false),
            field("time", Type::Timestamp, false),
            field("selected", Type::Bool, false),
            field("word", Type::Int, true),
            field("float", Type::Float, false),
        ],
        id: 0,
        time: 1,
        lateness: Span(HISTORY),
    };
    let mark = if step.word.is_some() { Mark::OK } else { Mark::null(State::Empty) };
    Batch {
        schema: Arc::new(schema),
        columns: vec![
            Column::words(vec![number]),
            Column::words(vec![time]),
            Column::words(vec![i64::from(step.selected)]),
            Column::with_marks(Data::Word(vec![step.word.unwrap_or(0)]), Some(vec![mark])),
            Column::floats(vec![step.float]),
        ],
    }
}

fn columns(shape: &Shape) -> Vec<Column> {
    shape.layout().aggregates.iter().map(|a| Column::new(a.ty.physical())).collect()
}

fn read(state: &mut KeyState, shape: &Shape, at: &Position, horizon: Horizon) -> Vec<Column> {
    let mut out = columns(shape);
    state.read(shape, at, horizon, horizon.exact_from, &mut Scratch::default(), &mut out);
    out
}

fn assert_same(shape: &Shape, got: &[Column], expected: &[Column], what: &str) {
    for ((a, b), aggregate) in got.iter().zip(expected).zip(&shape.layout().aggregates) {
        assert_eq!(a.mark(0), b.mark(0), "{what}: {aggregate:?}");
        let bits = |column: &Column| match &column.data {
            Data::Float(x) => x.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
            Data::Word(_) | Data::Text(_) | Data::Nested(_) => Vec::new(),
        };
        if aggregate.ty.physical() == Physical::Float {
            assert_eq!(bits(a), bits(b), "{what}: {aggregate:?}");
        } else {
            assert_eq!(a.data, b.data, "{what}: {aggregate:?}");
        }
    }
}

/// Rows are in the order of times, and of one moment in that of the ids, where they have one.
fn assert_in_order(shape: &Shape, state: &KeyState) {
    let times = state.times(shape);
    let places: Vec<_> = (0..times.len()).map(|i| (times.time(i), state.id(shape, i))).collect();
    for pair in places.windows(2) {
        let is_settled = pair[0].1.is_none();
        assert!(if is_settled { pair[0].0 <= pair[1].0 } else { pair[0] < pair[1] }, "{pair:?}");
    }
}

/// Runs the steps on a key that has an index from its first row on, and reads after each, also
/// from a copy that has none. Times are those of a grid. Returns how many events came before others
/// of their moment.
fn check(shape: &Shape, grid: i64, steps: &[Step], ranks: &[i64]) -> usize {
    let mut before_ties = 0;
    let mut state = KeyState::default();
    let mut newest = 10_000;
    for (number, step) in (0..).zip(steps) {
        let time = EventTime(newest + step.ahead).floor_to(Span(grid)).0;
        newest = newest.max(time);
        let horizon = Horizon::at(shape, EventTime(newest - HISTORY));
        let batch = batch(number, time, step);
        let arguments = Arguments::evaluate(shape, &batch);
        let own = id(ranks, number);
        state.insert(shape, &arguments, 0, Some(&own), horizon);
        assert_in_order(shape, &state);
        let times = state.times(shape);
        let mut ties = (0..times.len()).filter(|row| times.time(*row) == time);
        let is_before = ties.any(|row| state.id(shape, row) > Some(own.as_bytes()));
        before_ties += usize::from(is_before);
        if state.index.is_none() && number == 20 && state.times(shape).len() > 0 {
            state.rows.widen(shape.stride);
            state.index = Some(Box::new(Index::build(shape, state.rows.view(shape.stride, 0), 0)));
        }
        let t = EventTime(newest + step.at.max(-HISTORY));
        let at = match step.kind {
            0 => Position::Time(t),
            1 => Position::Before(t, id(ranks, number - 1)),
            _ => Position::Including(t, id(ranks, number - 1)),
        };
        let expected = read(&mut state.without_index(shape), shape, &at, horizon);
        let got = read(&mut state, shape, &at, horizon);
        assert_same(shape, &got, &expected, &format!("event {number}, {at:?}"));
        if shape.is_deferred() {
            let at = EventTime(newest + step.at.max(0));
            let expected =
                read(&mut state.without_index(shape), shape, &Position::Time(at), horizon);
            for (mut state, what) in
                [(state.clone(), "as it is"), (state.without_index(shape), "walk")]
            {
                let mut readings = Readings::default();
                readings.prepare(shape, 1);
                state.read_deferred(shape, at, horizon, &mut readings, 0);
                let mut got = columns(shape);
                readings.finish(shape, &mut got);
                assert_same(shape, &got, &expected, &format!("event {number}, deferred, {what}"));
            }
        }
    }
    before_ties
}

/// A key's bytes, as a store that is told only what changed has them.
#[derive(Default)]
struct Stored {
    state: Vec<u8>,
    parts: BTreeMap<u64, Vec<u8>>,
}

impl Stored {
    fn write(&mut self, state: &mut KeyState, shape: &Shape) {
        let (numbers, changed) = (state.parts(shape), state.take_changed_parts(shape));
        self.parts.retain(|number, _| numbers.contains(number));
        for number in numbers {
            if changed.contains(&number) || !self.parts.contains_key(&number) {
                let mut bytes = Vec::new();
                state.encode_part(shape, number, &mut bytes);
                self.parts.insert(number, bytes);
            }
        }
        self.state.clear();
        state.encode(shape, &mut self.state);
    }

    fn read(&self, shape: &Shape) -> Result<KeyState, DecodeError> {
        let missing = DecodeError::Damaged("a part is missing");
        KeyState::decode(shape, &self.state, |n| self.parts.get(&n).cloned().ok_or(missing.clone()))
    }
}

/// Stores a busy key now and then, and goes on with what is read back. Returns the most parts that
/// it had.
fn check_parts(shape: &Shape, steps: &[Step]) -> usize {
    let (mut state, mut stored) = (KeyState::default(), Stored::default());
    let (mut newest, mut most) = (10_000, 0);
    for (number, step) in (0..).zip(steps.iter().cycle().take(1_500)) {
        // So that the longest window always holds some hundred events.
        let time = newest + step.ahead.min(40);
        newest = newest.max(time);
        // So that several parts have ids, and others have none any more.
        let horizon = Horizon::at(shape, EventTime(newest - 50 * HISTORY));
        let batch = batch(number, time, step);
        let arguments = Arguments::evaluate(shape, &batch);
        state.insert(shape, &arguments, 0, Some(&EventId::int(number)), horizon);
        if step.at % 8 == 0 {
            stored.write(&mut state, shape);
            let read_back = stored.read(shape).unwrap();
            assert_same_rows(shape, &read_back, &state, &format!("event {number}"));
            most = most.max(stored.parts.len());
            if step.kind == 0 {
                state = read_back;
            }
        }
    }
    most
}

/// The same rows with the same ids.
fn assert_same_rows(shape: &Shape, got: &KeyState, expected: &KeyState, what: &str) {
    let (words, expected_words) = (got.words(shape), expected.words(shape));
    let (rows, expected_rows) = (words.view(shape.stride), expected_words.view(shape.stride));
    assert!(rows.rows().eq(expected_rows.rows()), "{what}");
    for row in 0..rows.len() {
        assert_eq!(got.id(shape, row), expected.id(shape, row), "{what}, row {row}");
    }
}

/// Reads one key many times in this order of the places; some of the reads lie too far back.
fn check_places(shape: &Shape, steps: &[Step], order: &[usize]) {
    let (mut state, mut newest) = (KeyState::default(), 10_000);
    for (number, step) in (0..).zip(steps) {
        newest += step.ahead.max(0);
        let horizon = Horizon::at(shape, EventTime(newest - HISTORY));
        let batch = batch(number, newest, step);
        let arguments = Arguments::evaluate(shape, &batch);
        state.insert(shape, &arguments, 0, None, horizon);
    }
    let horizon = Horizon::at(shape, EventTime(newest));
    let at = |place: usize| match place % 97 {
        0 => EventTime(newest - 1),
        _ => EventTime(newest + place as i64),
    };
    let mut readings = Readings::default();
    readings.prepare(shape, order.len());
    for place in order {
        state.clone().read_deferred(shape, at(*place), horizon, &mut readings, *place);
    }
    let mut got = columns(shape);
    readings.finish(shape, &mut got);
    for place in 0..order.len() {
        let got: Vec<Column> = got.iter().map(|column| column.select(&[place as u32])).collect();
        let expected = read(&mut state.clone(), shape, &Position::Time(at(place)), horizon);
        assert_same(shape, &got, &expected, &format!("place {place}"));
    }
}

const SIMPLE: [(Function, Option<usize>, Option<usize>); 14] = [
    (Function::Count, None, None),
    (Function::Count, None, Some(0)),
    (Function::Count, Some(0), None),
    (Function::Sum, Some(0), None),
    (Function::Sum, Some(0), Some(0)),
    (Function::Sum, Some(1), None),
    (Function::Mean, Some(1), Some(0)),
    (Function::Min, Some(0), None),
    (Function::Max, Some(0), Some(0)),
    (Function::Max, Some(1), None),
    (Function::Distinct, Some(0), None),
    (Function::Distinct, Some(1), Some(0)),
    (Function::Stddev, Some(1), None),
    (Function::Variance, Some(0), Some(0)),
];

const ORDERED: [(Function, Option<usize>, Option<usize>); 3] = [
    (Function::First, Some(0), None),
    (Function::Last, Some(0), Some(0)),
    (Function::LastN(3), Some(0), None),
];

const TIMED: [(Function, Option<usize>, Option<usize>); 6] = [
    (Function::Count, None, None),
    (Function::First, Some(2), None),
    (Function::Last, Some(2), Some(0)),
    (Function::LastN(3), Some(2), None),
    (Function::Max, Some(2), Some(0)),
    (Function::Distinct, Some(2), None),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_index_gives_what_a_walk_gives(steps in steps(), ranks in ranks()) {
        let shape = shape(&SIMPLE, false);
        assert!(shape.is_deferred());
        check(&shape, 1, &steps, &ranks);
    }

    #[test]
    fn reads_come_to_their_places_in_any_order(
        steps in steps(),
        order in Just((0..600).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        check_places(&shape(&SIMPLE, false), &steps, &order);
    }

    #[test]
    fn so_it_does_with_tiles_a_lifetime_and_order(steps in steps(), ranks in ranks()) {
        let functions: Vec<_> = SIMPLE.iter().chain(&ORDERED).copied().collect();
        check(&shape(&functions, true), 1, &steps, &ranks);
    }

    #[test]
    fn so_it_does_over_the_time_of_events(steps in steps(), ranks in ranks()) {
        for summaries in [false, true] {
            let shape = shape(&TIMED, summaries);
            prop_assert!(!shape.needs_ids(), "events of one moment agree in it");
            let before_ties = check(&shape, 8, &steps, &ranks);
            prop_assert!(before_ties > 0, "no event came before others of its moment");
        }
    }

    #[test]
    fn a_key_is_read_back_from_the_parts_that_changed(steps in steps()) {
        for functions in [SIMPLE.to_vec(), [&SIMPLE[..], &ORDERED].concat()] {
            let shape = shape_over(WIDTHS.map(|width| 20 * width), &functions, false);
            prop_assert!(check_parts(&shape, &steps) > 1);
        }
    }
}

/// The bytes of a key of 300 rows that all have an id.
fn busy(shape: &Shape) -> Stored {
    let step = Step { ahead: 3, word: Some(1), float: 0.5, selected: true, at: 0, kind: 0 };
    let (mut state, mut stored) = (KeyState::default(), Stored::default());
    for number in 0..300 {
        let batch = batch(number, 10_000 + 3 * number, &step);
        let arguments = Arguments::evaluate(shape, &batch);
        let horizon = Horizon::at(shape, EventTime(10_000));
        state.insert(shape, &arguments, 0, Some(&EventId::int(number)), horizon);
    }
    stored.write(&mut state, shape);
    stored
}

#[test]
fn damaged_parts_are_refused() {
    let shape = shape_over(WIDTHS.map(|width| 1_000 * width), &SIMPLE, false);
    let mut stored = busy(&shape);
    assert_eq!(stored.parts.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(KeyState::parts_of(&shape, &stored.state), Ok(0..4));
    assert!(stored.read(&shape).is_ok());
    let one = stored.parts[&1].clone();
    for at in 0..one.len() {
        stored.parts.insert(1, one[..at].to_vec());
        assert!(stored.read(&shape).is_err(), "cut at {at}");
    }
    let zero = stored.parts[&0].clone();
    stored.parts.insert(1, zero);
    assert!(stored.read(&shape).is_err(), "another part");
    stored.parts.remove(&1);
    assert!(stored.read(&shape).is_err(), "none");
}
