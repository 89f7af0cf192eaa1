//! From an expression to a column: operands first, then one operator over all rows.

use std::cmp::Ordering;

use crate::{Column, Mark, State, Type, Value};

use super::cells::{Operand, Source};
use super::{
    Binary, Expr, Kind, Unary, calendar, compare, convert, decimal, float, int, logic, text,
};

/// Evaluates `expr` over `rows` rows. Each column has `rows` cells; so has the result.
pub fn eval(expr: &Expr, columns: &[&Column], rows: usize) -> Column {
    operand(expr, columns, rows).into_column(rows)
}

fn operand<'a>(expr: &'a Expr, columns: &[&'a Column], rows: usize) -> Operand<'a> {
    let source = match &expr.kind {
        Kind::Column(index) => {
            let column = columns.get(*index);
            Source::Given(column.expect("the resolver names columns that its engines give"))
        }
        Kind::Literal(Value::Null) => Source::Computed(nulls(&expr.ty, rows)),
        Kind::Literal(value) => Source::Constant(value),
        Kind::Unary(operator, a) => {
            let a = operand(a, columns, rows);
            Source::Computed(unary(operator, &a, &expr.ty, rows))
        }
        Kind::Binary(operator, a, b) => {
            let (a, b) = (operand(a, columns, rows), operand(b, columns, rows));
            Source::Computed(binary(*operator, &a, &b, &expr.ty, rows))
        }
        Kind::In(a, others) => {
            let a = operand(a, columns, rows);
            let others: Vec<_> = others.iter().map(|e| operand(e, columns, rows)).collect();
            Source::Computed(logic::is_in(&a, &others, rows))
        }
        Kind::If(condition, yes, no) => {
            let condition = operand(condition, columns, rows);
            let (yes, no) = (operand(yes, columns, rows), operand(no, columns, rows));
            Source::Computed(logic::choose(&condition, &yes, &no, rows))
        }
        Kind::Coalesce(all) => fold(all, &expr.ty, columns, rows, &logic::coalesce),
        Kind::Least(all) => fold(all, &expr.ty, columns, rows, &compare::least),
        Kind::Greatest(all) => fold(all, &expr.ty, columns, rows, &compare::greatest),
    };
    Operand { source, ty: &expr.ty }
}

type Pairwise = dyn Fn(&Operand<'_>, &Operand<'_>, usize) -> Column;

/// `f(f(a, b), c)`.
fn fold<'a>(
    all: &'a [Expr],
    ty: &'a Type,
    columns: &[&'a Column],
    rows: usize,
    f: &Pairwise,
) -> Source<'a> {
    let mut all = all.iter().map(|e| operand(e, columns, rows));
    let Some(first) = all.next() else { return Source::Computed(nulls(ty, rows)) };
    let folded = all.fold(first, |a, b| Operand { source: Source::Computed(f(&a, &b, rows)), ty });
    folded.source
}

fn nulls(ty: &Type, rows: usize) -> Column {
    let mut column = Column::new(ty.physical());
    for _ in 0..rows {
        column.push_null(Mark::null(State::Empty));
    }
    column
}

fn unary(operator: &Unary, a: &Operand<'_>, ty: &Type, rows: usize) -> Column {
    let is_float = *a.ty == Type::Float;
    match operator {
        Unary::Negate if is_float => float::map(a, rows, |x| -x),
        Unary::Negate => int::negate(a, rows),
        Unary::Abs if is_float => float::map(a, rows, f64::abs),
        Unary::Abs => int::abs(a, rows),
        Unary::Floor if is_float => float::map(a, rows, libm::floor),
        Unary::Floor => decimal::floor(a, rows),
        Unary::Ceil if is_float => float::map(a, rows, libm::ceil),
        Unary::Ceil => decimal::ceil(a, rows),
        Unary::Round if is_float => float::map(a, rows, libm::round),
        Unary::Round => decimal::round(a, rows),
        Unary::Sqrt => float::sqrt(a, rows),
        Unary::Ln => float::ln(a, rows),
        Unary::Exp => float::map(a, rows, libm::exp),
        Unary::Not => logic::not(a, rows),
        Unary::IsNull => logic::is_null(a, rows),
        Unary::Lower => text::map(a, rows, str::to_lowercase),
        Unary::Upper => text::map(a, rows, str::to_uppercase),
        Unary::Length => text::length(a, rows),
        Unary::Convert => convert::convert(a, ty, rows),
        Unary::Clock(clock, zone) => calendar::read(a, *clock, zone, rows),
    }
}

fn binary(operator: Binary, a: &Operand<'_>, b: &Operand<'_>, ty: &Type, rows: usize) -> Column {
    match operator {
        Binary::Add => arithmetic(a, b, ty, rows, int::add, decimal::add, |x, y| x + y),
        Binary::Subtract => {
            arithmetic(a, b, ty, rows, int::subtract, decimal::subtract, |x, y| x - y)
        }
        Binary::Multiply => {
            arithmetic(a, b, ty, rows, int::multiply, decimal::multiply, |x, y| x * y)
        }
        Binary::Divide if *a.ty == Type::Float => float::divide(a, b, rows),
        Binary::Divide => decimal::divide(a, b, rows),
        Binary::Remainder if *a.ty == Type::Float => float::remainder(a, b, rows),
        Binary::Remainder => decimal::remainder(a, b, rows),
        Binary::Equal => compare::by(a, b, rows, Ordering::is_eq),
        Binary::NotEqual => compare::by(a, b, rows, Ordering::is_ne),
        Binary::Less => compare::by(a, b, rows, Ordering::is_lt),
        Binary::LessOrEqual => compare::by(a, b, rows, Ordering::is_le),
        Binary::Greater => compare::by(a, b, rows, Ordering::is_gt),
        Binary::GreaterOrEqual => compare::by(a, b, rows, Ordering::is_ge),
        Binary::And => logic::and(a, b, rows),
        Binary::Or => logic::or(a, b, rows),
        Binary::StartsWith => text::starts_with(a, b, rows),
        Binary::Contains => text::contains(a, b, rows),
    }
}

type Words = fn(&Operand<'_>, &Operand<'_>, usize) -> Column;

/// Float with float; decimals by their scales; everything else (int, timestamp, duration) is plain
/// 64-bit arithmetic.
fn arithmetic(
    a: &Operand<'_>,
    b: &Operand<'_>,
    ty: &Type,
    rows: usize,
    int: Words,
    decimal: Words,
    float: impl Fn(f64, f64) -> f64,
) -> Column {
    match ty {
        Type::Float => float::zip(a, b, rows, float),
        Type::Decimal(_) => decimal(a, b, rows),
        Type::Int
        | Type::Timestamp
        | Type::Duration
        | Type::Bool
        | Type::String
        | Type::Key(_)
        | Type::List(_)
        | Type::Map(_, _) => int(a, b, rows),
    }
}
