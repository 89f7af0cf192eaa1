//! Expressions, one row at a time: values in, a value out, arithmetic in integers of any size.
//!
//! A null result carries the reason of its null operands: the first `limit` or `overflow`, else the
//! first one's. A result beyond its range is null, `overflow`; an undefined one null, `empty`. A
//! column alone is the answer it names, with its state; any other result that is there is `ok`.

use std::cmp::Ordering;

use millrace_event::expr::{Binary, Clock, Expr, Kind, Unary};
use millrace_event::{EventTime, Span, State, Type, Value};
use num_bigint::{BigInt, BigUint};

use super::{Answer, exact};

/// `expr` over one row, whose columns these are.
pub fn eval(expr: &Expr, row: &[Answer]) -> Answer {
    let each = |all: &[Expr]| -> Vec<Answer> { all.iter().map(|e| eval(e, row)).collect() };
    match &expr.kind {
        Kind::Column(index) => row[*index].clone(),
        Kind::Literal(value) => Answer::given(value),
        Kind::Unary(Unary::IsNull, a) => Answer::given(&Value::Bool(eval(a, row).value.is_null())),
        Kind::Unary(operator, a) => {
            let a = eval(a, row);
            strict(std::slice::from_ref(&a), || unary(operator, &a.value, &expr.ty))
        }
        Kind::Binary(Binary::And, a, b) => junction(&[eval(a, row), eval(b, row)], false),
        Kind::Binary(Binary::Or, a, b) => junction(&[eval(a, row), eval(b, row)], true),
        Kind::Binary(operator, a, b) => {
            let (a, b) = (eval(a, row), eval(b, row));
            strict(&[a.clone(), b.clone()], || binary(*operator, &a.value, &b.value, &expr.ty))
        }
        Kind::In(a, others) => {
            let a = eval(a, row);
            let is = |b: &Answer| strict(&[a.clone(), b.clone()], || Ok(equal(&a.value, &b.value)));
            junction(&each(others).iter().map(is).collect::<Vec<_>>(), true)
        }
        Kind::If(condition, yes, no) => {
            let taken = if eval(condition, row).value == Value::Bool(true) { yes } else { no };
            eval(taken, row).settled()
        }
        Kind::Coalesce(all) => {
            let all = each(all);
            let there = all.iter().find(|a| !a.value.is_null());
            there.map_or_else(|| strict(&all, || Err(State::Empty)), |a| a.clone().settled())
        }
        Kind::Least(all) => extreme(&each(all), Ordering::Less),
        Kind::Greatest(all) => extreme(&each(all), Ordering::Greater),
    }
}

/// Null if an operand is, with a reason; else what the operator makes, or why it makes nothing.
fn strict(operands: &[Answer], operator: impl FnOnce() -> Result<Value, State>) -> Answer {
    let reasons = || operands.iter().filter(|a| a.value.is_null()).map(|a| a.state);
    let grave = reasons().find(|s| matches!(s, State::Limit | State::Overflow));
    match grave.or_else(|| reasons().next()) {
        Some(reason) => Answer::null(reason),
        None => operator().map_or_else(Answer::null, |value| Answer::given(&value)),
    }
}

/// `and` (decided by a false) and `or` (decided by a true) of any number of operands.
fn junction(operands: &[Answer], decisive: bool) -> Answer {
    if operands.iter().any(|a| a.value == Value::Bool(decisive)) {
        return Answer::given(&Value::Bool(decisive));
    }
    strict(operands, || Ok(Value::Bool(!decisive)))
}

fn extreme(operands: &[Answer], wanted: Ordering) -> Answer {
    strict(operands, || {
        let better =
            |a: &Value, b: &Value| if compare(b, a) == wanted { b.clone() } else { a.clone() };
        let values = operands.iter().map(|a| a.value.clone());
        values.reduce(|a, b| better(&a, &b)).ok_or(State::Empty)
    })
}

fn unary(operator: &Unary, a: &Value, ty: &Type) -> Result<Value, State> {
    let float = |x: f64| real(x, State::Overflow);
    let whole = |rule: fn(&BigInt, &BigInt) -> BigInt| word(rule(&digits(a), &unit(scale(a))), ty);
    match (operator, a) {
        (Unary::Negate, Value::Float(x)) => float(-x),
        (Unary::Negate, _) => word(-digits(a), ty),
        (Unary::Abs, Value::Float(x)) => float(x.abs()),
        (Unary::Abs, _) => word(digits(a).magnitude().clone().into(), ty),
        (Unary::Floor, Value::Float(x)) => float(x.floor()),
        (Unary::Floor, _) => whole(floor),
        (Unary::Ceil, Value::Float(x)) => float(x.ceil()),
        (Unary::Ceil, _) => whole(|x, unit| -floor(&-x, unit)),
        (Unary::Round, Value::Float(x)) => float(x.round()),
        (Unary::Round, _) => whole(half_away),
        (Unary::Sqrt, Value::Float(x)) => real(x.sqrt(), State::Empty),
        (Unary::Ln, Value::Float(x)) => real(libm::log(*x), State::Empty),
        (Unary::Exp, Value::Float(x)) => float(libm::exp(*x)),
        (Unary::Not, Value::Bool(b)) => Ok(Value::Bool(!b)),
        (Unary::Lower, Value::Text(s)) => Ok(Value::text(&s.to_lowercase())),
        (Unary::Upper, Value::Text(s)) => Ok(Value::text(&s.to_uppercase())),
        (Unary::Length, Value::Text(s)) => Ok(Value::Int(s.chars().count() as i64)),
        (Unary::Length, Value::List(all)) => Ok(Value::Int(all.len() as i64)),
        (Unary::Length, Value::Map(all)) => Ok(Value::Int(all.len() as i64)),
        (Unary::Clock(clock, zone), Value::Timestamp(t)) => {
            Ok(Value::Int(shown(*clock, t.plus(Span::minutes(i64::from(zone.minutes_east))))))
        }
        (Unary::Convert, _) => convert(a, ty),
        _ => unreachable!("{operator:?} of {a:?}"),
    }
}

fn binary(operator: Binary, a: &Value, b: &Value, ty: &Type) -> Result<Value, State> {
    let (up, down) =
        (unit(scale(b).saturating_sub(scale(a))), unit(scale(a).saturating_sub(scale(b))));
    match (operator, a, b) {
        (Binary::Equal, ..) => Ok(equal(a, b)),
        (Binary::NotEqual, ..) => Ok(Value::Bool(compare(a, b).is_ne())),
        (Binary::Less, ..) => Ok(Value::Bool(compare(a, b).is_lt())),
        (Binary::LessOrEqual, ..) => Ok(Value::Bool(compare(a, b).is_le())),
        (Binary::Greater, ..) => Ok(Value::Bool(compare(a, b).is_gt())),
        (Binary::GreaterOrEqual, ..) => Ok(Value::Bool(compare(a, b).is_ge())),
        (Binary::StartsWith, Value::Text(a), Value::Text(b)) => {
            Ok(Value::Bool(a.starts_with(&**b)))
        }
        (Binary::Contains, Value::Text(a), Value::Text(b)) => Ok(Value::Bool(a.contains(&**b))),
        (Binary::Contains, Value::List(all), _) => Ok(Value::Bool(all.contains(b))),
        (Binary::Add, Value::Float(x), Value::Float(y)) => real(x + y, State::Overflow),
        (Binary::Subtract, Value::Float(x), Value::Float(y)) => real(x - y, State::Overflow),
        (Binary::Multiply, Value::Float(x), Value::Float(y)) => real(x * y, State::Overflow),
        (Binary::Divide | Binary::Remainder, _, Value::Float(0.0)) => Err(State::Empty),
        (Binary::Divide, Value::Float(x), Value::Float(y)) => real(x / y, State::Overflow),
        (Binary::Remainder, Value::Float(x), Value::Float(y)) => real(x % y, State::Overflow),
        (Binary::Add, ..) => word(digits(a) * up + digits(b) * down, ty),
        (Binary::Subtract, ..) => word(digits(a) * up - digits(b) * down, ty),
        (Binary::Multiply, ..) => word(digits(a) * digits(b), ty),
        (Binary::Divide | Binary::Remainder, ..) if digits(b) == BigInt::ZERO => Err(State::Empty),
        (Binary::Divide, ..) => Ok(quotient(&(digits(a) * up), &(digits(b) * down))),
        (Binary::Remainder, ..) => word(digits(a) * up % (digits(b) * down), ty),
        (Binary::And | Binary::Or | Binary::StartsWith | Binary::Contains, ..) => {
            unreachable!("{operator:?} of {a:?} and {b:?}")
        }
    }
}

/// Between bool, int, decimal and float: to int by cutting, to a decimal by rounding halves away.
fn convert(a: &Value, ty: &Type) -> Result<Value, State> {
    match (a, ty) {
        (Value::Float(x), Type::Int) => word(fraction(*x, 1, |n, d| n / d), ty),
        (Value::Float(x), Type::Decimal(to)) => {
            word(fraction(*x, power_of_ten(*to), half_away), ty)
        }
        (Value::Float(_), _) | (Value::Text(_), _) => Ok(a.clone()),
        (_, Type::Float) => Ok(quotient(&digits(a), &unit(scale(a)))),
        (_, Type::Int) => word(digits(a) / unit(scale(a)), ty),
        (_, Type::Decimal(to)) => word(half_away(&(digits(a) * unit(*to)), &unit(scale(a))), ty),
        _ => Ok(a.clone()),
    }
}

/// A rule over the float's exact value times `scale`, as a numerator and a denominator.
fn fraction(x: f64, scale: u64, rule: fn(&BigInt, &BigInt) -> BigInt) -> BigInt {
    let (mut mantissa, mut power) = (x, 0u32);
    // Doubling is exact for every finite float below the range's end; a large one is whole already.
    while mantissa.fract() != 0.0 {
        mantissa *= 2.0;
        power += 1;
    }
    let (mut whole, mut halvings) = (mantissa, 0u32);
    while whole.abs() >= 2f64.powi(62) {
        whole /= 2.0;
        halvings += 1;
    }
    rule(&((BigInt::from(whole as i64) << halvings) * scale), &(BigInt::from(1) << power))
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Float(x), Value::Float(y)) => x.total_cmp(y),
        (Value::Text(x), Value::Text(y)) => x.as_bytes().cmp(y.as_bytes()),
        _ => {
            let (s, t) = (scale(a), scale(b));
            (digits(a) * unit(t)).cmp(&(digits(b) * unit(s)))
        }
    }
}

fn equal(a: &Value, b: &Value) -> Value {
    Value::Bool(compare(a, b).is_eq())
}

/// What a clock and a calendar show at a moment of local time.
fn shown(clock: Clock, local: EventTime) -> i64 {
    let text = local.to_string();
    let number = |part: Option<&str>| part.and_then(|p| p.parse().ok()).unwrap_or(0);
    match clock {
        Clock::Hour => number(text.split(['T', ':']).nth(1)),
        Clock::Day => number(text.split(['-', 'T']).filter(|p| !p.is_empty()).nth(2)),
        // Day 0 of the epoch was a Thursday, the fourth day of its week.
        Clock::Weekday => (local.0.div_euclid(Span::days(1).0) + 3).rem_euclid(7) + 1,
    }
}

/// A value as a whole number of its smallest unit.
fn digits(value: &Value) -> BigInt {
    BigInt::from(match value {
        Value::Bool(b) => i64::from(*b),
        Value::Int(n) | Value::Decimal { mantissa: n, .. } => *n,
        Value::Timestamp(t) => t.0,
        Value::Duration(d) => d.0,
        other => unreachable!("a number was expected: {other:?}"),
    })
}

fn scale(value: &Value) -> u8 {
    if let Value::Decimal { scale, .. } = value { *scale } else { 0 }
}

fn power_of_ten(scale: u8) -> u64 {
    10u64.pow(u32::from(scale))
}

fn unit(scale: u8) -> BigInt {
    BigInt::from(power_of_ten(scale))
}

/// The number as a value of the type, if 64 bits hold it.
fn word(number: BigInt, ty: &Type) -> Result<Value, State> {
    let n = i64::try_from(number).map_err(|_| State::Overflow)?;
    Ok(match ty {
        Type::Decimal(scale) => Value::Decimal { mantissa: n, scale: *scale },
        Type::Timestamp => Value::Timestamp(EventTime(n)),
        Type::Duration => Value::Duration(Span(n)),
        _ => Value::Int(n),
    })
}

/// A finite float without a negative zero, or why there is none.
fn real(x: f64, otherwise: State) -> Result<Value, State> {
    if x.is_finite() { Ok(Value::Float(x + 0.0)) } else { Err(otherwise) }
}

fn quotient(a: &BigInt, b: &BigInt) -> Value {
    let sign = BigInt::from(if b.sign() == num_bigint::Sign::Minus { -1 } else { 1 });
    let magnitude: &BigUint = b.magnitude();
    Value::Float(exact::ratio(&(a * sign), magnitude) + 0.0)
}

fn floor(x: &BigInt, unit: &BigInt) -> BigInt {
    let (whole, rest) = (x / unit, x % unit);
    if rest < BigInt::ZERO { whole - 1 } else { whole }
}

/// To the nearest whole number, halves away from zero.
fn half_away(x: &BigInt, unit: &BigInt) -> BigInt {
    let (whole, rest) = (x / unit, x % unit);
    let up = BigInt::from(if x < &BigInt::ZERO { -1 } else { 1 });
    if rest.magnitude() * 2u32 >= *unit.magnitude() { whole + up } else { whole }
}
