//! A slow evaluator, one row and one value at a time, which the fast one must equal.

use proptest::prelude::*;

use super::{Binary, Clock, Expr, Kind, Unary, Zone, eval};
use crate::{Column, EventTime, Span, State, Type, Value};

/// A value, or why there is none.
type Cell = Result<Value, State>;

fn oracle(expr: &Expr, row: &[Cell]) -> Cell {
    let of = |e: &Expr| oracle(e, row);
    match &expr.kind {
        Kind::Column(at) => row[*at].clone(),
        Kind::Literal(Value::Null) => Err(State::Empty),
        Kind::Literal(value) => Ok(value.clone()),
        Kind::Unary(Unary::IsNull, a) => Ok(Value::Bool(of(a).is_err())),
        Kind::Unary(operator, a) => unary(operator, of(a)?, &expr.ty),
        Kind::Binary(operator @ (Binary::And | Binary::Or), a, b) => {
            let decisive = Ok(Value::Bool(*operator == Binary::Or));
            let (a, b) = (of(a), of(b));
            match (a == decisive || b == decisive, both(a, b)) {
                (true, _) => decisive,
                (false, both) => both.map(|(a, _)| a),
            }
        }
        Kind::Binary(operator, a, b) => {
            let (a, b) = both(of(a), of(b))?;
            binary(*operator, a, b, &expr.ty)
        }
        Kind::In(a, others) => {
            let mut result = Ok(Value::Bool(false));
            for other in others {
                let equal = both(of(a), of(other)).map(|(a, b)| Value::Bool(same(&a, &b)));
                result = match (result, equal) {
                    (Ok(Value::Bool(true)), _) | (_, Ok(Value::Bool(true))) => {
                        Ok(Value::Bool(true))
                    }
                    (a, b) => both(a, b).map(|(a, _)| a),
                };
            }
            result
        }
        Kind::If(c, a, b) => of(if of(c) == Ok(Value::Bool(true)) { a } else { b }),
        Kind::Coalesce(all) => all.iter().map(of).reduce(first_there).unwrap(),
        Kind::Least(all) => extreme(all.iter().map(of), std::cmp::Ordering::Less),
        Kind::Greatest(all) => extreme(all.iter().map(of), std::cmp::Ordering::Greater),
    }
}

fn first_there(a: Cell, b: Cell) -> Cell {
    match (a, b) {
        (Ok(a), _) => Ok(a),
        (Err(_), Ok(b)) => Ok(b),
        (a, b) => both(a, b).map(|(a, _)| a),
    }
}

fn extreme(all: impl Iterator<Item = Cell>, wanted: std::cmp::Ordering) -> Cell {
    all.reduce(|a, b| both(a, b).map(|(a, b)| if b.compare(&a) == Some(wanted) { b } else { a }))
        .unwrap()
}

/// Both values, or the graver reason, or the first.
fn both(a: Cell, b: Cell) -> Result<(Value, Value), State> {
    let is_grave = |s: &State| matches!(s, State::Limit | State::Overflow);
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(a), Err(b)) if is_grave(&b) && !is_grave(&a) => Err(b),
        (Err(state), _) | (Ok(_), Err(state)) => Err(state),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match number(a).zip(number(b)) {
        Some((a, b)) => a.0 * ten(b.1) == b.0 * ten(a.1),
        None => a == b,
    }
}

fn ten(n: u32) -> i128 {
    10i128.pow(n)
}

/// Mantissa and digits behind the point, of everything that is one word.
fn number(value: &Value) -> Option<(i128, u32)> {
    Some(match value {
        Value::Bool(b) => (i128::from(*b), 0),
        Value::Int(n) => (i128::from(*n), 0),
        Value::Decimal { mantissa, scale } => (i128::from(*mantissa), u32::from(*scale)),
        Value::Timestamp(t) => (i128::from(t.0), 0),
        Value::Duration(d) => (i128::from(d.0), 0),
        Value::Null | Value::Float(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => {
            return None;
        }
    })
}

/// A mantissa as a value of the type.
fn word(mantissa: i128, ty: &Type) -> Cell {
    let n = i64::try_from(mantissa).map_err(|_| State::Overflow)?;
    Ok(match ty {
        Type::Bool => Value::Bool(n != 0),
        Type::Decimal(scale) => Value::Decimal { mantissa: n, scale: *scale },
        Type::Timestamp => Value::Timestamp(EventTime(n)),
        Type::Duration => Value::Duration(Span(n)),
        _ => Value::Int(n),
    })
}

fn float(x: f64) -> Cell {
    if x.is_finite() { Ok(Value::float(x)) } else { Err(State::Overflow) }
}

/// The nearest double, by way of a decimal expansion with a digit that says whether more follows.
fn divided(a: i128, b: i128) -> f64 {
    let sign = if (a < 0) == (b < 0) { "" } else { "-" };
    let (mut rest, b) = (a.unsigned_abs(), b.unsigned_abs());
    let mut text = format!("{sign}{}.", rest / b);
    rest %= b;
    for _ in 0..60 {
        // Ten times the rest may pass 128 bits, so it is taken in two steps.
        let (twice, carry) = (rest * 2 % b, rest * 2 / b);
        let five_times = [twice; 5].iter().fold((0, 0), |(r, digits), t| {
            let sum = r + t;
            (sum % b, digits + sum / b)
        });
        text.push_str(&(carry * 5 + five_times.1).to_string());
        rest = five_times.0;
    }
    text.push(if rest == 0 { '0' } else { '1' });
    let x: f64 = text.parse().unwrap();
    x + 0.0
}

fn unary(operator: &Unary, a: Value, ty: &Type) -> Cell {
    if let Value::Float(x) = a {
        return match operator {
            Unary::Negate => float(-x),
            Unary::Abs => float(x.abs()),
            Unary::Floor => float(x.floor()),
            Unary::Ceil => float(x.ceil()),
            Unary::Round => float(x.round()),
            Unary::Sqrt if x < 0.0 => Err(State::Empty),
            Unary::Sqrt => float(x.sqrt()),
            Unary::Ln if x <= 0.0 => Err(State::Empty),
            Unary::Ln => float(libm::log(x)),
            Unary::Exp => float(libm::exp(x)),
            Unary::Convert if *ty == Type::Float => Ok(a),
            Unary::Convert if *ty == Type::Int => word(x.trunc() as i128, ty),
            Unary::Convert => rounded_float(x, ty),
            _ => unreachable!("{operator:?} of a float"),
        };
    }
    if let Value::Text(s) = &a {
        return Ok(match operator {
            Unary::Lower => Value::text(&s.to_lowercase()),
            Unary::Upper => Value::text(&s.to_uppercase()),
            Unary::Length => Value::Int(s.chars().count() as i64),
            _ => unreachable!("{operator:?} of a text"),
        });
    }
    if let Value::List(all) = &a {
        return Ok(Value::Int(all.len() as i64));
    }
    let (n, scale) = number(&a).unwrap();
    let unit = ten(scale);
    match operator {
        Unary::Negate => word(-n, ty),
        Unary::Abs => word(n.abs(), ty),
        Unary::Not => word(1 - n, ty),
        Unary::Floor => word(n.div_euclid(unit), ty),
        Unary::Ceil => word(-((-n).div_euclid(unit)), ty),
        Unary::Round => word((n.abs() * 2 + unit).div_euclid(unit * 2) * n.signum(), ty),
        Unary::Convert => match ty {
            Type::Float => float(divided(n, unit)),
            Type::Decimal(to) => {
                let grown = n.abs() * ten(u32::from(*to));
                word((grown * 2 + unit).div_euclid(unit * 2) * n.signum(), ty)
            }
            _ => word(n / unit, ty),
        },
        Unary::Clock(clock, zone) => {
            let local = n + i128::from(zone.minutes_east) * 60_000_000;
            let day = 86_400_000_000;
            Ok(Value::Int(match clock {
                Clock::Hour => (local.rem_euclid(day) / 3_600_000_000) as i64,
                Clock::Weekday => ((local.div_euclid(day) + 3).rem_euclid(7) + 1) as i64,
                Clock::Day => EventTime(local as i64).to_string()[8..10].parse().unwrap(),
            }))
        }
        _ => unreachable!("{operator:?} of a word"),
    }
}

/// By way of the exact decimal expansion of the double.
fn rounded_float(x: f64, ty: &Type) -> Cell {
    let Type::Decimal(scale) = ty else { unreachable!() };
    let text = format!("{:.1100}", x.abs());
    let (whole, fraction) = text.split_once('.').unwrap();
    let (kept, rest) = fraction.split_at(usize::from(*scale));
    let digits = format!("{whole}{kept}");
    if digits.len() > 38 {
        return Err(State::Overflow);
    }
    let up = i128::from(rest.as_bytes()[0] >= b'5');
    let magnitude = digits.parse::<i128>().unwrap() + up;
    word(if x < 0.0 { -magnitude } else { magnitude }, ty)
}

fn binary(operator: Binary, a: Value, b: Value, ty: &Type) -> Cell {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let ordered = |wanted: &[std::cmp::Ordering]| {
        let order = match number(&a).zip(number(&b)) {
            Some((x, y)) => (x.0 * ten(y.1)).cmp(&(y.0 * ten(x.1))),
            None => a.compare(&b).unwrap(),
        };
        Ok(Value::Bool(wanted.contains(&order)))
    };
    match operator {
        Binary::Equal => return ordered(&[Equal]),
        Binary::NotEqual => return ordered(&[Less, Greater]),
        Binary::Less => return ordered(&[Less]),
        Binary::LessOrEqual => return ordered(&[Less, Equal]),
        Binary::Greater => return ordered(&[Greater]),
        Binary::GreaterOrEqual => return ordered(&[Greater, Equal]),
        _ => {}
    }
    if let (Value::Float(x), Value::Float(y)) = (&a, &b) {
        return match operator {
            Binary::Add => float(x + y),
            Binary::Subtract => float(x - y),
            Binary::Multiply => float(x * y),
            Binary::Divide | Binary::Remainder if *y == 0.0 => Err(State::Empty),
            Binary::Divide => float(x / y),
            _ => float(x % y),
        };
    }
    match (&a, &b) {
        (Value::Text(x), Value::Text(y)) => {
            return Ok(Value::Bool(match operator {
                Binary::StartsWith => x.starts_with(&**y),
                _ => x.contains(&**y),
            }));
        }
        (Value::List(all), b) => return Ok(Value::Bool(all.iter().any(|v| v == b))),
        _ => {}
    }
    let ((x, s), (y, t)) = number(&a).zip(number(&b)).unwrap();
    if operator == Binary::Multiply {
        return word(x * y, ty);
    }
    let top = s.max(t);
    let (x, y) = (x * ten(top - s), y * ten(top - t));
    match operator {
        Binary::Add => word(x + y, ty),
        Binary::Subtract => word(x - y, ty),
        _ if y == 0 => Err(State::Empty),
        Binary::Divide => float(divided(x, y)),
        _ => word(x % y, ty),
    }
}

/// Random but repeatable choices out of a string of bytes.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn below(&mut self, n: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % n
    }
}

/// One column of each of these is there.
fn types() -> Vec<Type> {
    vec![
        Type::Bool,
        Type::Int,
        Type::Float,
        Type::Decimal(2),
        Type::Decimal(5),
        Type::String,
        Type::Timestamp,
        Type::Duration,
        Type::List(Box::new(Type::Int)),
    ]
}

const WORDS: [i64; 12] =
    [0, 1, -1, 2, 3, 7, 100, -250, 10_i64.pow(15), i64::MAX, i64::MIN, (1 << 53) + 1];
const FLOATS: [f64; 10] =
    [0.0, 1.0, -1.0, 0.5, 2.5, -1.125, 1e300, 5e-324, 0.1, 9_007_199_254_740_993.0];
const TEXTS: [&str; 5] = ["", "a", "É", "aß", "zebra"];

fn value(ty: &Type, c: &mut Choices<'_>) -> Value {
    match ty {
        Type::Float => Value::Float(FLOATS[c.below(FLOATS.len())]),
        Type::String => Value::text(TEXTS[c.below(TEXTS.len())]),
        Type::Bool => Value::Bool(c.below(2) == 1),
        Type::List(of) => Value::List((0..c.below(3)).map(|_| value(of, c)).collect()),
        // A calendar has years of four digits.
        Type::Timestamp => Value::Timestamp(EventTime(WORDS[c.below(9)] / 10)),
        ty => word(i128::from(WORDS[c.below(WORDS.len())]), ty).unwrap(),
    }
}

/// An expression of the type, as the resolver may build it.
fn expression(ty: &Type, depth: usize, c: &mut Choices<'_>) -> Expr {
    let column = types().iter().position(|t| t == ty);
    let leaf = |c: &mut Choices<'_>| match (column, c.below(4)) {
        (Some(at), 0..3) => Expr::column(at, ty.clone(), true),
        (_, 3) if c.below(3) == 0 => Expr::literal(Value::Null, ty.clone()),
        _ => Expr::literal(value(ty, c), ty.clone()),
    };
    if depth == 0 {
        return leaf(c);
    }
    let kind = match c.below(8) {
        0 => Kind::If(
            Box::new(expression(&Type::Bool, depth - 1, c)),
            Box::new(expression(ty, depth - 1, c)),
            Box::new(expression(ty, depth - 1, c)),
        ),
        1 => Kind::Coalesce((0..2).map(|_| expression(ty, depth - 1, c)).collect()),
        2 if !matches!(ty, Type::Bool | Type::List(_)) => {
            let all = (0..3).map(|_| expression(ty, depth - 1, c)).collect();
            if c.below(2) == 0 { Kind::Least(all) } else { Kind::Greatest(all) }
        }
        _ => operation(ty, depth - 1, c),
    };
    Expr { kind, ty: ty.clone(), nullable: true }
}

#[expect(clippy::too_many_lines, reason = "a table: a line for each operation of each type")]
fn operation(ty: &Type, depth: usize, c: &mut Choices<'_>) -> Kind {
    let one = |operator: Unary, of: Type, c: &mut Choices<'_>| {
        Kind::Unary(operator, Box::new(expression(&of, depth, c)))
    };
    let two = |operator: Binary, a: Type, b: Type, c: &mut Choices<'_>| {
        let a = Box::new(expression(&a, depth, c));
        Kind::Binary(operator, a, Box::new(expression(&b, depth, c)))
    };
    let plain = [Binary::Add, Binary::Subtract];
    match ty {
        Type::Bool => boolean(depth, c),
        Type::Int => match c.below(9) {
            0 => one(Unary::Length, Type::String, c),
            1 => one(Unary::Length, Type::List(Box::new(Type::Int)), c),
            2 => one(
                [Unary::Floor, Unary::Ceil, Unary::Round][c.below(3)].clone(),
                Type::Decimal(5),
                c,
            ),
            3 => one(
                Unary::Convert,
                [Type::Float, Type::Decimal(2), Type::Bool][c.below(3)].clone(),
                c,
            ),
            4 => {
                let clock = [Clock::Hour, Clock::Weekday, Clock::Day][c.below(3)];
                let zone = Zone { minutes_east: [0, 60, -570][c.below(3)] };
                one(Unary::Clock(clock, zone), Type::Timestamp, c)
            }
            5 => one([Unary::Negate, Unary::Abs][c.below(2)].clone(), Type::Int, c),
            6 => two(Binary::Remainder, Type::Int, Type::Int, c),
            7 => two(Binary::Multiply, Type::Int, Type::Int, c),
            _ => two(plain[c.below(2)], Type::Int, Type::Int, c),
        },
        Type::Float => match c.below(6) {
            0 => one(
                Unary::Convert,
                [Type::Int, Type::Decimal(2), Type::Bool][c.below(3)].clone(),
                c,
            ),
            1 => two(Binary::Divide, Type::Duration, Type::Duration, c),
            2 => two(
                Binary::Divide,
                Type::Decimal(5),
                [Type::Int, Type::Decimal(2)][c.below(2)].clone(),
                c,
            ),
            3 => two(Binary::Divide, Type::Int, Type::Int, c),
            4 => {
                let all =
                    [Unary::Sqrt, Unary::Ln, Unary::Exp, Unary::Round, Unary::Floor, Unary::Negate];
                one(all[c.below(all.len())].clone(), Type::Float, c)
            }
            _ => {
                let all = [Binary::Add, Binary::Multiply, Binary::Divide, Binary::Remainder];
                two(all[c.below(all.len())], Type::Float, Type::Float, c)
            }
        },
        Type::Decimal(2) => match c.below(3) {
            0 => one(
                Unary::Convert,
                [Type::Float, Type::Decimal(5), Type::Int][c.below(3)].clone(),
                c,
            ),
            1 => two(Binary::Multiply, Type::Decimal(2), Type::Int, c),
            _ => two(plain[c.below(2)], Type::Decimal(2), Type::Int, c),
        },
        Type::Decimal(_) => match c.below(3) {
            0 => one(
                Unary::Convert,
                [Type::Float, Type::Decimal(2), Type::Int][c.below(3)].clone(),
                c,
            ),
            1 => two(Binary::Remainder, Type::Decimal(5), Type::Decimal(2), c),
            _ => two(plain[c.below(2)], Type::Decimal(2), Type::Decimal(5), c),
        },
        Type::String => one([Unary::Lower, Unary::Upper][c.below(2)].clone(), Type::String, c),
        Type::Duration => match c.below(3) {
            0 => two(Binary::Subtract, Type::Timestamp, Type::Timestamp, c),
            1 => two(Binary::Multiply, Type::Duration, Type::Int, c),
            _ => two(plain[c.below(2)], Type::Duration, Type::Duration, c),
        },
        // Kept small, so that a calendar can show it.
        Type::Timestamp | Type::List(_) | Type::Key(_) | Type::Map(_, _) => {
            Kind::Literal(value(ty, c))
        }
    }
}

fn boolean(depth: usize, c: &mut Choices<'_>) -> Kind {
    let pairs = [
        (Type::Int, Type::Int),
        (Type::Float, Type::Float),
        (Type::Decimal(2), Type::Decimal(5)),
        (Type::Int, Type::Decimal(2)),
        (Type::String, Type::String),
        (Type::Timestamp, Type::Timestamp),
    ];
    let (a, b) = pairs[c.below(pairs.len())].clone();
    let list = Type::List(Box::new(Type::Int));
    let pair = |operator: Binary, a: Type, b: Type, c: &mut Choices<'_>| {
        let a = Box::new(expression(&a, depth, c));
        Kind::Binary(operator, a, Box::new(expression(&b, depth, c)))
    };
    match c.below(8) {
        0 => Kind::Unary(Unary::Not, Box::new(expression(&Type::Bool, depth, c))),
        1 => Kind::Unary(Unary::IsNull, Box::new(expression(&a, depth, c))),
        2 => pair(Binary::And, Type::Bool, Type::Bool, c),
        3 => pair(Binary::Or, Type::Bool, Type::Bool, c),
        4 => Kind::In(
            Box::new(expression(&a, depth, c)),
            (0..3).map(|_| expression(&b, depth, c)).collect(),
        ),
        5 => pair(Binary::Contains, list, Type::Int, c),
        6 => {
            let test = [Binary::StartsWith, Binary::Contains][c.below(2)];
            pair(test, Type::String, Type::String, c)
        }
        _ => {
            let all = [
                Binary::Equal,
                Binary::NotEqual,
                Binary::Less,
                Binary::LessOrEqual,
                Binary::Greater,
                Binary::GreaterOrEqual,
            ];
            pair(all[c.below(all.len())], a, b, c)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_fast_evaluator_equals_the_slow_one(
        shape in prop::collection::vec(any::<u8>(), 1..120),
        cells in prop::collection::vec(any::<u8>(), 0..300),
        rows in 1usize..6,
    ) {
        let types = types();
        let mut c = Choices(&cells);
        let mut columns: Vec<Column> = types.iter().map(|t| Column::new(t.physical())).collect();
        let mut table: Vec<Vec<Cell>> = Vec::new();
        for _ in 0..rows {
            let mut row = Vec::new();
            for (ty, column) in types.iter().zip(&mut columns) {
                let cell = match c.below(4) {
                    0 => Err(State::ALL[1 + c.below(5)]),
                    _ => Ok(value(ty, &mut c)),
                };
                match &cell {
                    // A default that stands in for a value is a value.
                    Ok(value) => column.push(value, [State::Ok, State::Default][c.below(2)]),
                    Err(state) => column.push(&Value::Null, *state),
                }
                row.push(cell);
            }
            table.push(row);
        }
        let mut c = Choices(&shape);
        let ty = types[c.below(types.len())].clone();
        let expr = Expr {
            kind: operation(&ty, 1 + c.below(4), &mut c),
            ty: ty.clone(),
            nullable: true,
        };
        let columns: Vec<&Column> = columns.iter().collect();
        let fast = eval(&expr, &columns, rows);
        prop_assert_eq!(fast.len(), rows);
        for (at, row) in table.iter().enumerate() {
            let expected = oracle(&expr, row);
            let mark = fast.mark(at);
            let found = match mark.is_null() {
                true => Err(mark.state()),
                false => Ok(fast.value(at, &ty)),
            };
            // Bits, because −0.0 equals 0.0.
            if let (Ok(Value::Float(x)), Ok(Value::Float(y))) = (&found, &expected) {
                prop_assert_eq!(x.to_bits(), y.to_bits(), "{:?}", expr);
            }
            prop_assert_eq!(&found, &expected, "{:?}", expr);
            prop_assert!(mark.is_null() || mark.state() == State::Ok);
        }
    }
}
