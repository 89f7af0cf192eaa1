//! Arithmetic, comparisons and logic between two operands.

use millrace_event::expr::{Binary, Expr, Kind};
use millrace_event::{Type, Value};

use crate::ast::{self, At, BinaryOperator, ExprKind, Literal};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::SourceSpan;
use crate::types::{self, Clash, DECIMAL_DIGITS_MAX, described};

use super::literal::{is_null, is_open};
use super::scope::Context;

impl Context<'_> {
    pub(super) fn binary(
        &mut self,
        operator: At<BinaryOperator>,
        a: &ast::Expr,
        b: &ast::Expr,
        expected: Option<&Type>,
    ) -> Option<Expr> {
        match operator.value {
            BinaryOperator::And => self.logic(Binary::And, "and", a, b),
            BinaryOperator::Or => self.logic(Binary::Or, "or", a, b),
            BinaryOperator::Equal => self.comparison(Binary::Equal, operator, a, b),
            BinaryOperator::NotEqual => self.comparison(Binary::NotEqual, operator, a, b),
            BinaryOperator::Less => self.comparison(Binary::Less, operator, a, b),
            BinaryOperator::LessEqual => self.comparison(Binary::LessOrEqual, operator, a, b),
            BinaryOperator::Greater => self.comparison(Binary::Greater, operator, a, b),
            BinaryOperator::GreaterEqual => self.comparison(Binary::GreaterOrEqual, operator, a, b),
            BinaryOperator::Add => self.arithmetic(Binary::Add, operator, a, b, expected),
            BinaryOperator::Subtract => self.arithmetic(Binary::Subtract, operator, a, b, expected),
            BinaryOperator::Multiply => self.arithmetic(Binary::Multiply, operator, a, b, expected),
            BinaryOperator::Divide => self.arithmetic(Binary::Divide, operator, a, b, expected),
            BinaryOperator::Remainder => {
                self.arithmetic(Binary::Remainder, operator, a, b, expected)
            }
        }
    }

    fn logic(
        &mut self,
        operator: Binary,
        word: &str,
        a: &ast::Expr,
        b: &ast::Expr,
    ) -> Option<Expr> {
        let what = format!("an operand of `{word}`");
        let (a, b) = (self.checked(a, &Type::Bool, &what), self.checked(b, &Type::Bool, &what));
        let (a, b) = (a?, b?);
        let nullable = a.nullable || b.nullable;
        Some(binary(operator, a, b, Type::Bool, nullable))
    }

    /// Both operands; an open one is asked for the type that goes with the other's.
    fn operands(
        &mut self,
        operator: Binary,
        a: &ast::Expr,
        b: &ast::Expr,
        expected: Option<&Type>,
    ) -> Option<(Expr, Expr)> {
        match (is_open(a), is_open(b)) {
            (true, false) => {
                let b = self.infer(b, expected)?;
                let a = self.infer(a, partner(operator, &b.ty, is_text(a), expected).as_ref())?;
                Some((a, b))
            }
            (false, true) => {
                let a = self.infer(a, expected)?;
                let b = self.infer(b, partner(operator, &a.ty, is_text(b), expected).as_ref())?;
                Some((a, b))
            }
            (_, _) => {
                let (a, b) = (self.infer(a, expected), self.infer(b, expected));
                Some((a?, b?))
            }
        }
    }

    fn comparison(
        &mut self,
        operator: Binary,
        sign: At<BinaryOperator>,
        a: &ast::Expr,
        b: &ast::Expr,
    ) -> Option<Expr> {
        if is_null(a) || is_null(b) {
            let is_equal = operator == Binary::Equal;
            let (kept, test) =
                (if is_null(a) { b } else { a }, if is_equal { "is null" } else { "is not null" });
            let mut diagnostic = Diagnostic::error(
                Code::NullComparison,
                a.span.to(b.span),
                "a comparison with null is never true",
            )
            .hint(format!("write `x {test}`"));
            if kept.span == a.span && matches!(operator, Binary::Equal | Binary::NotEqual) {
                let span = SourceSpan { start: sign.span.start, ..b.span };
                diagnostic = diagnostic.fix(span, test);
            }
            self.report.push(diagnostic);
            return None;
        }
        let (x, y) = self.operands(operator, a, b, None)?;
        let span = a.span.to(b.span);
        let joined = match types::join(&x.ty, &y.ty) {
            Ok(joined) => joined,
            Err(clash) => {
                self.operator_mismatch(clash, sign, &x, &y, span);
                return None;
            }
        };
        let is_order = !matches!(operator, Binary::Equal | Binary::NotEqual);
        if !types::is_scalar(&joined) || (is_order && !types::is_ordered(&joined)) {
            let message =
                format!("`{}` does not compare {}", sign.value.sign(), described(&joined));
            self.report.error(Code::TypeMismatch, span, message);
            return None;
        }
        let nullable = x.nullable || y.nullable;
        // Decimals and ints compare by value at any scale, so only floats need a conversion.
        let (x, y) = match joined {
            Type::Float => (types::convert(x, &joined), types::convert(y, &joined)),
            _ => (x, y),
        };
        Some(binary(operator, x, y, Type::Bool, nullable))
    }

    fn arithmetic(
        &mut self,
        operator: Binary,
        sign: At<BinaryOperator>,
        a: &ast::Expr,
        b: &ast::Expr,
        expected: Option<&Type>,
    ) -> Option<Expr> {
        let ask = expected.filter(|_| is_open(a) && is_open(b));
        let (x, y) = self.operands(operator, a, b, ask.or(expected.filter(|t| is_time(t))))?;
        let span = a.span.to(b.span);
        let ty = match result(operator, &x.ty, &y.ty) {
            Ok(ty) => ty,
            Err(clash) => {
                self.operator_mismatch(clash, sign, &x, &y, span);
                return None;
            }
        };
        if let Type::Decimal(digits) = ty
            && digits > DECIMAL_DIGITS_MAX
        {
            let message = format!(
                "the product has {digits} digits behind the point; at most {DECIMAL_DIGITS_MAX}"
            );
            self.report.push(
                Diagnostic::error(Code::BadDecimal, span, message)
                    .hint("round an operand first: `decimal(x, 2)`"),
            );
            return None;
        }
        let is_float = x.ty == Type::Float || y.ty == Type::Float;
        let (x, y) = match is_float {
            true => (types::convert(x, &Type::Float), types::convert(y, &Type::Float)),
            false => (x, y),
        };
        let by_zero = matches!(operator, Binary::Divide | Binary::Remainder) && !is_not_zero(&y);
        // Quotients of words and remainders always fit.
        let overflows = is_float || !matches!(operator, Binary::Divide | Binary::Remainder);
        let nullable = x.nullable || y.nullable || by_zero || overflows;
        Some(binary(operator, x, y, ty, nullable))
    }

    fn operator_mismatch(
        &mut self,
        clash: Clash,
        sign: At<BinaryOperator>,
        a: &Expr,
        b: &Expr,
        span: SourceSpan,
    ) {
        let (a, b) = (described(&a.ty), described(&b.ty));
        let message = format!("`{}` does not take {a} and {b}", sign.value.sign());
        self.mismatch(clash, span, message);
    }
}

fn binary(operator: Binary, a: Expr, b: Expr, ty: Type, nullable: bool) -> Expr {
    Expr { kind: Kind::Binary(operator, Box::new(a), Box::new(b)), ty, nullable }
}

fn is_text(expr: &ast::Expr) -> bool {
    matches!(expr.kind, ExprKind::Literal(Literal::Text(_)))
}

fn is_time(ty: &Type) -> bool {
    matches!(ty, Type::Timestamp | Type::Duration)
}

fn is_not_zero(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Literal(Value::Int(n)) => *n != 0,
        Kind::Literal(Value::Float(x)) => *x != 0.0,
        Kind::Literal(Value::Decimal { mantissa, .. }) => *mantissa != 0,
        Kind::Literal(Value::Duration(d)) => d.0 != 0,
        _ => false,
    }
}

/// What an open operand is asked to be, beside an operand of type `other`.
fn partner(operator: Binary, other: &Type, is_text: bool, expected: Option<&Type>) -> Option<Type> {
    match (operator, other) {
        // A factor has its own digits; they add up.
        (Binary::Multiply | Binary::Divide, Type::Decimal(_)) => Some(Type::Decimal(0)),
        // `"2026-01-01" + 5m`: a moment, if a moment is asked for.
        (Binary::Add | Binary::Subtract, Type::Duration) if is_text => {
            expected.filter(|ty| **ty == Type::Timestamp).cloned()
        }
        // `d * 2` and `d / 2`: a plain number.
        (Binary::Multiply | Binary::Divide, Type::Duration) => None,
        // `n * 0.5`: what is written.
        (_, Type::Int) => None,
        (_, _) => Some(other.clone()),
    }
}

/// The type of a result, before a decimal's digits are looked at.
fn result(operator: Binary, a: &Type, b: &Type) -> Result<Type, Clash> {
    let clash = |a: &Type, b: &Type| types::join(a, b).err().unwrap_or(Clash::Other);
    match (operator, a, b) {
        (Binary::Subtract, Type::Timestamp, Type::Timestamp)
        | (Binary::Add | Binary::Subtract, Type::Duration, Type::Duration)
        | (Binary::Multiply, Type::Duration, Type::Int)
        | (Binary::Multiply, Type::Int, Type::Duration) => Ok(Type::Duration),
        (Binary::Add | Binary::Subtract, Type::Timestamp, Type::Duration)
        | (Binary::Add, Type::Duration, Type::Timestamp) => Ok(Type::Timestamp),
        (Binary::Divide, Type::Duration, Type::Duration) => Ok(Type::Float),
        (_, a, b) if !types::is_number(a) || !types::is_number(b) => Err(clash(a, b)),
        (Binary::Divide, a, b) => types::join(a, b).map(|_| Type::Float),
        (Binary::Multiply, Type::Decimal(s), Type::Decimal(t)) => {
            Ok(Type::Decimal(s.saturating_add(*t)))
        }
        (_, a, b) => types::join(a, b),
    }
}
