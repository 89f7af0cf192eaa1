//! What one event costs a key state: read and added, per aggregation function, for a quiet key and
//! for a busy one, beside the least that a loop over plain numbers would do for it.
//!
//! `cargo bench -p millrace-aggregate`. Every figure is for [`EVENTS`] events, so a microsecond is
//! a nanosecond per event. The floors: a quiet key walks its rows (`walk_of_rows`), a busy one adds
//! and subtracts (`running_sum`).

use std::collections::VecDeque;
use std::sync::Arc;

use divan::{Bencher, black_box};
use millrace_aggregate::{
    Aggregate, Arguments, Function, Horizon, Input, KeyState, Layout, Position, Readings, Scratch,
    Shape, Window,
};
use millrace_event::expr::{Expr, Kind};
use millrace_event::{Batch, Column, EventTime, Field, Schema, Span, Type};

const EVENTS: usize = 1_000;
const WINDOW: i64 = 1_000_000;
/// Rows inside the window.
const QUIET: i64 = 8;
const BUSY: i64 = 400;

const FUNCTIONS: [Function; 8] = [
    Function::Count,
    Function::Sum,
    Function::Mean,
    Function::Max,
    Function::Stddev,
    Function::Distinct,
    Function::Last,
    Function::LastN(5),
];

fn main() {
    divan::main();
}

fn shape(function: Function) -> Shape {
    let amount = Expr { kind: Kind::Column(2), ty: Type::Int, nullable: false };
    let count = function == Function::Count;
    let ty = match function {
        Function::Mean | Function::Stddev | Function::Variance => Type::Float,
        Function::LastN(_) => Type::List(Box::new(Type::Int)),
        Function::Count
        | Function::Sum
        | Function::Min
        | Function::Max
        | Function::Distinct
        | Function::First
        | Function::Last => Type::Int,
    };
    Shape::new(Arc::new(Layout {
        inputs: vec![Input { expr: amount }],
        time_input: None,
        filters: Vec::new(),
        windows: vec![Window::Sliding { width: Span(WINDOW), every: None }],
        aggregates: vec![Aggregate {
            function,
            input: if count { None } else { Some(0) },
            filter: None,
            window: 0,
            ty,
        }],
        hash: 0,
    }))
}

/// Events of one key, of which `rows` lie in a window.
fn events(rows: i64) -> Batch {
    let field = |name: &str, ty| Field { name: Arc::from(name), ty, nullable: false };
    let schema = Schema {
        stream: Arc::from("s"),
        fields: vec![
            field("id", Type::Int),
            field("time", Type::Timestamp),
            field("amount", Type::Int),
        ],
        id: 0,
        time: 1,
        lateness: Span(0),
    };
    let numbers = 0..(EVENTS as i64 + rows);
    Batch {
        schema: Arc::new(schema),
        columns: vec![
            Column::words(numbers.clone().collect()),
            Column::words(numbers.clone().map(|n| n * (WINDOW / rows)).collect()),
            Column::words(numbers.map(|n| n * 7_919 % 1_000).collect()),
        ],
    }
}

/// A key that has seen the first `rows` events.
fn filled(shape: &Shape, arguments: &Arguments, rows: i64) -> KeyState {
    let mut state = KeyState::default();
    for row in 0..rows as usize {
        let horizon = Horizon::at(shape, EventTime(arguments.time(row)));
        state.insert(shape, arguments, row, None, horizon);
    }
    state
}

#[divan::bench(args = FUNCTIONS)]
fn quiet(bencher: Bencher<'_, '_>, function: &Function) {
    read_and_add(bencher, *function, QUIET);
}

#[divan::bench(args = FUNCTIONS)]
fn busy(bencher: Bencher<'_, '_>, function: &Function) {
    read_and_add(bencher, *function, BUSY);
}

fn read_and_add(bencher: Bencher<'_, '_>, function: Function, rows: i64) {
    let shape = shape(function);
    let arguments = Arguments::evaluate(&shape, &events(rows));
    let first = filled(&shape, &arguments, rows);
    bencher.with_inputs(|| first.clone()).bench_values(|mut state| {
        let mut out = vec![Column::new(shape.layout().aggregates[0].ty.physical())];
        let (mut readings, mut scratch) = (Readings::default(), Scratch::default());
        readings.prepare(&shape, EVENTS);
        for row in rows as usize..rows as usize + EVENTS {
            let t = EventTime(arguments.time(row));
            let horizon = Horizon::at(&shape, t);
            if shape.is_deferred() {
                state.read_deferred(&shape, t, horizon, &mut readings, row - rows as usize);
            } else {
                state.read(&shape, &Position::Time(t), horizon, t, &mut scratch, &mut out);
            }
            state.insert(&shape, &arguments, row, None, horizon);
        }
        readings.finish(&shape, &mut out);
        (state, out)
    });
}

/// A busy key read 100 events behind its newest: the way of events out of order.
#[divan::bench(args = FUNCTIONS)]
fn busy_behind_the_newest(bencher: Bencher<'_, '_>, function: &Function) {
    let shape = shape(*function);
    let arguments = Arguments::evaluate(&shape, &events(BUSY));
    let mut state = filled(&shape, &arguments, BUSY);
    let at = Position::Time(EventTime(arguments.time(BUSY as usize - 100)));
    let horizon = Horizon::at(&shape, EventTime(0));
    bencher.bench_local(|| {
        let mut scratch = Scratch::default();
        let mut out = vec![Column::new(shape.layout().aggregates[0].ty.physical())];
        for _ in 0..EVENTS {
            state.read(&shape, &at, horizon, EventTime(0), &mut scratch, &mut out);
        }
        out
    });
}

#[divan::bench]
fn floor_of_quiet_walk_of_rows(bencher: Bencher<'_, '_>) {
    let numbers: Vec<i64> = (0..EVENTS as i64 + QUIET).collect();
    bencher.bench(|| {
        numbers.windows(QUIET as usize).map(|rows| rows.iter().sum::<i64>()).fold(0, |a, b| a ^ b)
    });
}

#[divan::bench]
fn floor_of_busy_running_sum(bencher: Bencher<'_, '_>) {
    bencher.bench(|| {
        let mut rows: VecDeque<i64> = (0..BUSY).collect();
        let mut sum = 0;
        for n in 0..EVENTS as i64 {
            sum += black_box(n) - rows.pop_front().unwrap_or(0);
            rows.push_back(n);
        }
        (rows, sum)
    });
}
