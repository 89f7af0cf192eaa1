//! Sums, means, variances and standard deviations, from exact integers.

use millrace_aggregate::{Aggregate, Function};
use millrace_event::{Span, State, Type, Value};
use num_bigint::{BigInt, BigUint};

use super::{Answer, exact};

/// The statistic of these values, of the type `argument`. None of them is null.
pub fn of(a: &Aggregate, values: &[Value], argument: &Type) -> Answer {
    let Some(words) = values.iter().map(fixed).collect::<Option<Vec<BigInt>>>() else {
        return Answer::null(State::Overflow);
    };
    let unit = match argument {
        Type::Decimal(scale) => BigUint::from(10u32).pow(u32::from(*scale)),
        Type::Float => BigUint::from(1u64 << 32),
        _ => BigUint::from(1u32),
    };
    let n = BigInt::from(words.len());
    let sum: BigInt = words.iter().sum();
    let squares: BigInt = words.iter().map(|x| x * x).sum();
    // n·Σx² − (Σx)² over n·(n − 1), in units squared. Neither is ever negative.
    let spread: BigInt = &n * squares - &sum * &sum;
    let pairs: BigInt = &n * (&n - 1);
    let pairs = pairs.magnitude() * &unit * &unit;
    let state = if words.is_empty() { State::Empty } else { State::Ok };
    match a.function {
        Function::Sum if *argument == Type::Float => float(exact::ratio(&sum, &unit), state),
        Function::Sum => match i64::try_from(&sum) {
            Ok(word) => Answer { value: integer(word, argument), state },
            Err(_) => Answer::null(State::Overflow),
        },
        Function::Mean if !words.is_empty() => {
            float(exact::ratio(&sum, &(n.magnitude() * unit)), state)
        }
        Function::Variance if words.len() > 1 => float(exact::ratio(&spread, &pairs), state),
        Function::Stddev if words.len() > 1 => {
            float(exact::root(spread.magnitude(), &pairs), state)
        }
        Function::Mean | Function::Variance | Function::Stddev => Answer::null(State::Empty),
        Function::Count
        | Function::Min
        | Function::Max
        | Function::Distinct
        | Function::First
        | Function::Last
        | Function::LastN(_) => unreachable!("{:?} is no statistic", a.function),
    }
}

/// A summand as an integer; floats as multiples of 2⁻³², to nearest, ties to even, within ±2⁶².
fn fixed(value: &Value) -> Option<BigInt> {
    match value {
        Value::Int(n) | Value::Decimal { mantissa: n, .. } => Some(BigInt::from(*n)),
        Value::Duration(d) => Some(BigInt::from(d.0)),
        Value::Float(x) if x.abs() > 2f64.powi(62) => None,
        // Scaling by a power of two is exact, and so is the conversion of a whole f64.
        Value::Float(x) => Some(BigInt::from((x * 2f64.powi(32)).round_ties_even() as i128)),
        other => unreachable!("the sum of {other:?}"),
    }
}

fn integer(word: i64, argument: &Type) -> Value {
    match argument {
        Type::Decimal(scale) => Value::Decimal { mantissa: word, scale: *scale },
        Type::Duration => Value::Duration(Span(word)),
        _ => Value::Int(word),
    }
}

fn float(x: f64, state: State) -> Answer {
    // A negative zero has no place in a value.
    Answer { value: Value::Float(x + 0.0), state }
}
