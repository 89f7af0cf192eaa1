//! Each operator on values, nulls and their reasons, written out.

use super::{Binary, Clock, Expr, Kind, Unary, Zone, eval};
use crate::{Column, EventTime, Span, State, Type, Value};

/// A cell: a value, or why there is none.
type Cell = Result<Value, State>;

const EMPTY: Cell = Err(State::Empty);
const OVERFLOW: Cell = Err(State::Overflow);
const LIMIT: Cell = Err(State::Limit);

fn int(n: i64) -> Cell {
    Ok(Value::Int(n))
}
fn float(x: f64) -> Cell {
    Ok(Value::Float(x))
}
fn money(mantissa: i64) -> Cell {
    Ok(Value::Decimal { mantissa, scale: 2 })
}
fn text(s: &str) -> Cell {
    Ok(Value::text(s))
}
fn yes() -> Cell {
    Ok(Value::Bool(true))
}
fn no() -> Cell {
    Ok(Value::Bool(false))
}
fn moment(text: &str) -> Cell {
    Ok(Value::Timestamp(text.parse::<EventTime>().unwrap()))
}
fn span(text: &str) -> Cell {
    Ok(Value::Duration(text.parse::<Span>().unwrap()))
}

fn column(cells: &[Cell], ty: &Type) -> Column {
    let mut column = Column::new(ty.physical());
    for cell in cells {
        match cell {
            Ok(value) => column.push(value, State::Ok),
            Err(state) => column.push(&Value::Null, *state),
        }
    }
    column
}

/// Evaluates `kind` of the columns over one row for each case, all rows at once and one by one.
fn check<const N: usize>(
    make: impl Fn([Box<Expr>; N]) -> Kind,
    types: [Type; N],
    ty: Type,
    cases: &[([Cell; N], Cell)],
) {
    let operands = std::array::from_fn(|at| Box::new(Expr::column(at, types[at].clone(), true)));
    let expr = Expr { kind: make(operands), ty: ty.clone(), nullable: true };
    let columns: Vec<Column> = (0..N)
        .map(|at| {
            let cells: Vec<Cell> = cases.iter().map(|case| case.0[at].clone()).collect();
            column(&cells, &types[at])
        })
        .collect();
    let all = eval(&expr, &columns.iter().collect::<Vec<_>>(), cases.len());
    for (row, (operands, expected)) in cases.iter().enumerate() {
        let alone: Vec<Column> = operands
            .iter()
            .zip(&types)
            .map(|(c, ty)| column(std::slice::from_ref(c), ty))
            .collect();
        let alone = eval(&expr, &alone.iter().collect::<Vec<_>>(), 1);
        for (found, row) in [(&all, row), (&alone, 0)] {
            let mark = found.mark(row);
            let cell = match mark.is_null() {
                true => Err(mark.state()),
                false => Ok(found.value(row, &ty)),
            };
            assert_eq!(&cell, expected, "{:?} of {operands:?}", expr.kind);
        }
    }
}

fn unary(operator: Unary, of: Type, ty: Type, cases: &[([Cell; 1], Cell)]) {
    check(|[a]| Kind::Unary(operator.clone(), a), [of], ty, cases);
}

fn binary(operator: Binary, of: [Type; 2], ty: Type, cases: &[([Cell; 2], Cell)]) {
    check(|[a, b]| Kind::Binary(operator, a, b), of, ty, cases);
}

#[test]
fn sums_and_products() {
    let ints = || [Type::Int, Type::Int];
    binary(
        Binary::Add,
        ints(),
        Type::Int,
        &[
            ([int(2), int(-5)], int(-3)),
            ([int(i64::MAX), int(1)], OVERFLOW),
            ([int(1), EMPTY], EMPTY),
            ([EMPTY, LIMIT], LIMIT),
            ([OVERFLOW, LIMIT], OVERFLOW),
        ],
    );
    binary(
        Binary::Subtract,
        ints(),
        Type::Int,
        &[
            ([int(2), int(5)], int(-3)),
            ([int(i64::MIN), int(1)], OVERFLOW),
            ([EMPTY, int(1)], EMPTY),
        ],
    );
    binary(
        Binary::Multiply,
        ints(),
        Type::Int,
        &[([int(-2), int(5)], int(-10)), ([int(1 << 40), int(1 << 40)], OVERFLOW)],
    );
    binary(
        Binary::Add,
        [Type::Decimal(2), Type::Int],
        Type::Decimal(2),
        &[([money(150), int(2)], money(350)), ([money(1), int(i64::MAX)], OVERFLOW)],
    );
    binary(
        Binary::Multiply,
        [Type::Decimal(2), Type::Int],
        Type::Decimal(2),
        &[([money(150), int(-2)], money(-300)), ([money(i64::MAX), int(2)], OVERFLOW)],
    );
    binary(
        Binary::Multiply,
        [Type::Float, Type::Float],
        Type::Float,
        &[
            ([float(0.5), float(3.0)], float(1.5)),
            ([float(1e200), float(1e200)], OVERFLOW),
            ([float(-1.0), float(0.0)], float(0.0)),
            ([float(1.0), EMPTY], EMPTY),
        ],
    );
}

#[test]
fn quotients_and_remainders() {
    let third = float(1.0 / 3.0);
    binary(
        Binary::Divide,
        [Type::Int, Type::Int],
        Type::Float,
        &[([int(1), int(3)], third.clone()), ([int(1), int(0)], EMPTY), ([LIMIT, int(0)], LIMIT)],
    );
    binary(
        Binary::Divide,
        [Type::Decimal(2), Type::Int],
        Type::Float,
        &[([money(100), int(3)], third), ([money(100), EMPTY], EMPTY)],
    );
    binary(
        Binary::Divide,
        [Type::Duration, Type::Duration],
        Type::Float,
        &[([span("90s"), span("1m")], float(1.5)), ([span("90s"), span("0s")], EMPTY)],
    );
    binary(
        Binary::Divide,
        [Type::Float, Type::Float],
        Type::Float,
        &[([float(1.0), float(0.0)], EMPTY), ([float(1e300), float(1e-300)], OVERFLOW)],
    );
    binary(
        Binary::Remainder,
        [Type::Int, Type::Int],
        Type::Int,
        &[([int(-7), int(3)], int(-1)), ([int(7), int(0)], EMPTY)],
    );
    binary(
        Binary::Remainder,
        [Type::Float, Type::Float],
        Type::Float,
        &[([float(5.5), float(2.0)], float(1.5)), ([float(5.5), float(0.0)], EMPTY)],
    );
}

#[test]
fn moments_and_durations() {
    let (noon, one) = ("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z");
    binary(
        Binary::Subtract,
        [Type::Timestamp, Type::Timestamp],
        Type::Duration,
        &[([moment(one), moment(noon)], span("1h")), ([moment(one), EMPTY], EMPTY)],
    );
    binary(
        Binary::Add,
        [Type::Timestamp, Type::Duration],
        Type::Timestamp,
        &[([moment(noon), span("1h")], moment(one))],
    );
    binary(
        Binary::Multiply,
        [Type::Duration, Type::Int],
        Type::Duration,
        &[([span("30m"), int(2)], span("1h")), ([span("30m"), int(i64::MAX)], OVERFLOW)],
    );
    let zone = |text: &str| text.parse::<Zone>().unwrap();
    let late = "2026-02-28T23:30:00Z";
    for (clock, at, expected) in [
        (Clock::Hour, "UTC", 23),
        (Clock::Hour, "+01:00", 0),
        (Clock::Day, "UTC", 28),
        (Clock::Day, "+00:30", 1),
        (Clock::Weekday, "UTC", 6),
        (Clock::Weekday, "+01:00", 7),
    ] {
        let operator = Unary::Clock(clock, zone(at));
        let cases = [([moment(late)], int(expected)), ([LIMIT], LIMIT)];
        unary(operator, Type::Timestamp, Type::Int, &cases);
    }
}

#[test]
fn comparisons() {
    let cases = |equal: bool, less: bool, greater: bool| {
        let is = |b: bool| if b { yes() } else { no() };
        [
            ([int(2), money(200)], is(equal)),
            ([int(1), money(150)], is(less)),
            ([int(i64::MAX), money(i64::MAX)], is(greater)),
            ([EMPTY, money(1)], EMPTY),
            ([int(1), OVERFLOW], OVERFLOW),
        ]
    };
    for (operator, equal, less, greater) in [
        (Binary::Equal, true, false, false),
        (Binary::NotEqual, false, true, true),
        (Binary::Less, false, true, false),
        (Binary::LessOrEqual, true, true, false),
        (Binary::Greater, false, false, true),
        (Binary::GreaterOrEqual, true, false, true),
    ] {
        let types = [Type::Int, Type::Decimal(2)];
        binary(operator, types, Type::Bool, &cases(equal, less, greater));
    }
    binary(
        Binary::Less,
        [Type::String, Type::String],
        Type::Bool,
        &[
            ([text("Z"), text("a")], yes()),
            ([text("é"), text("z")], no()),
            ([EMPTY, text("")], EMPTY),
        ],
    );
    let least = |[a, b]: [Box<Expr>; 2]| Kind::Least(vec![*a, *b]);
    let greatest = |[a, b]: [Box<Expr>; 2]| Kind::Greatest(vec![*a, *b]);
    let words = [([int(1), int(2)], int(1)), ([int(1), LIMIT], LIMIT)];
    check(least, [Type::Int, Type::Int], Type::Int, &words);
    let floats = [([float(1.0), float(2.0)], float(2.0)), ([EMPTY, float(1.0)], EMPTY)];
    check(greatest, [Type::Float, Type::Float], Type::Float, &floats);
    let texts = [([text("a"), text("b")], text("b")), ([text("a"), EMPTY], EMPTY)];
    check(greatest, [Type::String, Type::String], Type::String, &texts);
}

#[test]
fn three_valued_logic() {
    let bools = || [Type::Bool, Type::Bool];
    binary(
        Binary::And,
        bools(),
        Type::Bool,
        &[
            ([yes(), yes()], yes()),
            ([yes(), no()], no()),
            ([no(), EMPTY], no()),
            ([EMPTY, no()], no()),
            ([yes(), EMPTY], EMPTY),
            ([EMPTY, LIMIT], LIMIT),
        ],
    );
    binary(
        Binary::Or,
        bools(),
        Type::Bool,
        &[
            ([no(), no()], no()),
            ([no(), yes()], yes()),
            ([yes(), EMPTY], yes()),
            ([OVERFLOW, yes()], yes()),
            ([no(), OVERFLOW], OVERFLOW),
        ],
    );
    unary(
        Unary::Not,
        Type::Bool,
        Type::Bool,
        &[([yes()], no()), ([no()], yes()), ([EMPTY], EMPTY)],
    );
    let nulls = [([text("")], no()), ([EMPTY], yes()), ([OVERFLOW], yes())];
    unary(Unary::IsNull, Type::String, Type::Bool, &nulls);
    check(
        |[a, b, c]| Kind::In(a, vec![*b, *c]),
        [Type::Int, Type::Int, Type::Int],
        Type::Bool,
        &[
            ([int(1), int(1), EMPTY], yes()),
            ([int(1), int(2), int(3)], no()),
            ([int(1), int(2), LIMIT], LIMIT),
            ([EMPTY, int(1), int(1)], EMPTY),
        ],
    );
}

#[test]
fn choices() {
    check(
        |[c, a, b]| Kind::If(c, a, b),
        [Type::Bool, Type::String, Type::String],
        Type::String,
        &[
            ([yes(), text("a"), EMPTY], text("a")),
            ([no(), EMPTY, text("b")], text("b")),
            ([EMPTY, text("a"), text("b")], text("b")),
            ([yes(), OVERFLOW, text("b")], OVERFLOW),
        ],
    );
    check(
        |[a, b, c]| Kind::Coalesce(vec![*a, *b, *c]),
        [Type::Float, Type::Float, Type::Float],
        Type::Float,
        &[
            ([float(1.0), float(2.0), float(3.0)], float(1.0)),
            ([OVERFLOW, EMPTY, float(3.0)], float(3.0)),
            ([EMPTY, OVERFLOW, LIMIT], OVERFLOW),
            ([EMPTY, EMPTY, EMPTY], EMPTY),
        ],
    );
}

#[test]
fn numbers_of_one_operand() {
    unary(Unary::Negate, Type::Int, Type::Int, &[([int(2)], int(-2)), ([int(i64::MIN)], OVERFLOW)]);
    unary(Unary::Abs, Type::Int, Type::Int, &[([int(-2)], int(2)), ([int(i64::MIN)], OVERFLOW)]);
    unary(Unary::Negate, Type::Float, Type::Float, &[([float(0.0)], float(0.0)), ([LIMIT], LIMIT)]);
    for (rule, of_float, up, down) in
        [(Unary::Floor, -2.0, 1, -2), (Unary::Ceil, -1.0, 2, -1), (Unary::Round, -2.0, 2, -2)]
    {
        unary(rule.clone(), Type::Float, Type::Float, &[([float(-1.5)], float(of_float))]);
        let cases = [([money(150)], int(up)), ([money(-150)], int(down)), ([EMPTY], EMPTY)];
        unary(rule, Type::Decimal(2), Type::Int, &cases);
    }
    let roots = [([float(9.0)], float(3.0)), ([float(-1.0)], EMPTY), ([OVERFLOW], OVERFLOW)];
    unary(Unary::Sqrt, Type::Float, Type::Float, &roots);
    unary(
        Unary::Ln,
        Type::Float,
        Type::Float,
        &[([float(1.0)], float(0.0)), ([float(0.0)], EMPTY)],
    );
    let powers = [([float(0.0)], float(1.0)), ([float(1000.0)], OVERFLOW)];
    unary(Unary::Exp, Type::Float, Type::Float, &powers);
}

#[test]
fn conversions() {
    let to = |from: Type, to: Type, cases: &[([Cell; 1], Cell)]| {
        unary(Unary::Convert, from, to, cases);
    };
    to(Type::Int, Type::Float, &[([int(3)], float(3.0)), ([LIMIT], LIMIT)]);
    to(Type::Bool, Type::Int, &[([yes()], int(1)), ([no()], int(0))]);
    to(Type::Decimal(2), Type::Float, &[([money(110)], float(1.1))]);
    to(Type::Decimal(2), Type::Int, &[([money(-199)], int(-1))]);
    to(Type::Float, Type::Int, &[([float(-1.9)], int(-1)), ([float(1e19)], OVERFLOW)]);
    to(Type::Float, Type::Decimal(2), &[([float(0.125)], money(13)), ([float(1e30)], OVERFLOW)]);
    to(Type::Int, Type::Decimal(2), &[([int(3)], money(300)), ([int(i64::MAX)], OVERFLOW)]);
    let five = |mantissa| Ok(Value::Decimal { mantissa, scale: 5 });
    to(Type::Decimal(5), Type::Decimal(2), &[([five(12_500)], money(13)), ([EMPTY], EMPTY)]);
}

#[test]
fn texts_and_lists() {
    let string = || Type::String;
    unary(Unary::Lower, string(), string(), &[([text("ÄB")], text("äb")), ([EMPTY], EMPTY)]);
    unary(Unary::Upper, string(), string(), &[([text("aß")], text("ASS"))]);
    unary(Unary::Length, string(), Type::Int, &[([text("aßc")], int(3)), ([LIMIT], LIMIT)]);
    let tests = |start: Cell, inside: Cell| {
        [
            ([text("abc"), text("b")], inside),
            ([text("abc"), text("ab")], start),
            ([text("abc"), text("")], yes()),
            ([EMPTY, text("")], EMPTY),
        ]
    };
    let two = || [Type::String, Type::String];
    binary(Binary::StartsWith, two(), Type::Bool, &tests(yes(), no()));
    binary(Binary::Contains, two(), Type::Bool, &tests(yes(), yes()));
    let of_ints = Type::List(Box::new(Type::Int));
    let list = || Ok(Value::List(vec![Value::Int(1), Value::Int(2)]));
    binary(
        Binary::Contains,
        [of_ints.clone(), Type::Int],
        Type::Bool,
        &[([list(), int(2)], yes()), ([list(), int(3)], no()), ([list(), EMPTY], EMPTY)],
    );
    unary(Unary::Length, of_ints, Type::Int, &[([list()], int(2)), ([OVERFLOW], OVERFLOW)]);
}

#[test]
fn a_column_alone_keeps_its_states_and_a_literal_is_spread() {
    let mut column = Column::words(vec![1]);
    column.push(&Value::Int(2), State::Default);
    let same = eval(&Expr::column(0, Type::Int, true), &[&column], 2);
    assert_eq!((same.value(1, &Type::Int), same.mark(1).state()), (Value::Int(2), State::Default));
    let literal = eval(&Expr::literal(Value::text("x"), Type::String), &[], 3);
    assert_eq!((literal.len(), literal.value(2, &Type::String)), (3, Value::text("x")));
    let null = eval(&Expr::literal(Value::Null, Type::Float), &[], 2);
    assert!(null.is_null(1) && null.mark(1).state() == State::Empty);
}
