//! Literals take the type that their place asks for.

use std::sync::Arc;

use millrace_event::expr::Expr;
use millrace_event::{EventTime, KeyKind, Type, Value};

use crate::ast::{self, ExprKind, Literal, Number, UnaryOperator};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::SourceSpan;
use crate::types::DECIMAL_DIGITS_MAX;

use super::scope::Context;

/// Whether an expression's type is left to its place: literals, and arithmetic over them alone.
pub(super) fn is_open(expr: &ast::Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(literal) => match literal {
            Literal::Number(_) | Literal::Text(_) | Literal::Null => true,
            Literal::Duration(_) | Literal::Time(_) | Literal::Bool(_) => false,
        },
        ExprKind::Unary(UnaryOperator::Negate, a) => is_open(a),
        ExprKind::Binary(operator, a, b) => {
            operator.value.is_arithmetic() && is_open(a) && is_open(b)
        }
        ExprKind::Error
        | ExprKind::Name(_)
        | ExprKind::Member(_, _)
        | ExprKind::Index(_, _)
        | ExprKind::Call(_, _)
        | ExprKind::Unary(UnaryOperator::Not, _)
        | ExprKind::IsNull { .. }
        | ExprKind::In { .. }
        | ExprKind::If(_, _, _)
        | ExprKind::List(_) => false,
    }
}

pub(super) fn is_null(expr: &ast::Expr) -> bool {
    matches!(expr.kind, ExprKind::Literal(Literal::Null))
}

impl Context<'_> {
    pub(super) fn literal(
        &mut self,
        literal: &Literal,
        span: SourceSpan,
        expected: Option<&Type>,
    ) -> Option<Expr> {
        match literal {
            Literal::Number(number) => self.number(number, false, span, expected),
            Literal::Duration(d) => Some(Expr::literal(Value::Duration(*d), Type::Duration)),
            Literal::Bool(b) => Some(Expr::literal(Value::Bool(*b), Type::Bool)),
            Literal::Text(text) => self.text(text, span, expected),
            Literal::Time(time) if self.allows_bare_times() => {
                Some(Expr::literal(Value::Timestamp(*time), Type::Timestamp))
            }
            Literal::Time(_) => {
                self.report.push(
                    Diagnostic::error(Code::BadTime, span, "a bare time can stand in a test only")
                        .hint("write the whole moment: \"2026-01-01T12:00:00Z\""),
                );
                None
            }
            Literal::Null => match expected {
                Some(ty) => Some(Expr::literal(Value::Null, ty.clone())),
                None => {
                    self.report.error(
                        Code::UntypedNull,
                        span,
                        "nothing tells the type of this null",
                    );
                    None
                }
            },
        }
    }

    /// A number, perhaps negative, as an int, a float or a decimal.
    pub(super) fn number(
        &mut self,
        number: &Number,
        negative: bool,
        span: SourceSpan,
        expected: Option<&Type>,
    ) -> Option<Expr> {
        let mantissa = if negative { -number.mantissa } else { number.mantissa };
        let literal = match expected {
            Some(Type::Float) => self.float(number, negative),
            Some(Type::Decimal(scale)) => decimal(mantissa, number.scale, *scale),
            Some(Type::Key(entity)) if entity.kind == KeyKind::Int && number.scale == 0 => {
                let ty = Type::Key(Arc::clone(entity));
                i64::try_from(mantissa).ok().map(|n| Expr::literal(Value::Int(n), ty))
            }
            _ if number.scale > 0 => self.float(number, negative),
            _ => i64::try_from(mantissa).ok().map(|n| Expr::literal(Value::Int(n), Type::Int)),
        };
        if literal.is_none() {
            let ty = expected.filter(|ty| **ty != Type::Float).unwrap_or(&Type::Int);
            let message = format!("this number does not fit its type, `{ty}`");
            self.report.error(Code::BadNumber, span, message);
        }
        literal
    }

    fn float(&self, number: &Number, negative: bool) -> Option<Expr> {
        let x: f64 = number.text.parse().ok()?;
        let value = Value::float(if negative { -x } else { x });
        (!value.is_null()).then(|| Expr::literal(value, Type::Float))
    }

    /// A string, a key, or a moment where the place asks for one.
    fn text(&mut self, text: &Arc<str>, span: SourceSpan, expected: Option<&Type>) -> Option<Expr> {
        match expected {
            Some(Type::Timestamp) => {
                let time = is_shaped_like_a_time(text).then(|| text.parse::<EventTime>());
                let Some(Ok(time)) = time else {
                    let message = format!("\"{text}\" is no moment");
                    self.report.push(
                        Diagnostic::error(Code::BadTime, span, message)
                            .hint("write it like \"2026-01-01T12:00:00Z\", or a date alone"),
                    );
                    return None;
                };
                Some(Expr::literal(Value::Timestamp(time), Type::Timestamp))
            }
            Some(ty @ Type::Key(entity)) if entity.kind == KeyKind::Text => {
                Some(Expr::literal(Value::Text(Arc::clone(text)), ty.clone()))
            }
            _ => Some(Expr::literal(Value::Text(Arc::clone(text)), Type::String)),
        }
    }
}

/// Whether digits stand where a time has digits, and nowhere else up to the seconds; what follows
/// them is a fraction and a zone.
fn is_shaped_like_a_time(text: &str) -> bool {
    let fits = |text: &[u8], shape: &[u8]| {
        text.iter().zip(shape).all(|(byte, shape)| byte.is_ascii_digit() == (*shape == b'0'))
    };
    let bytes = text.as_bytes();
    let zone = bytes.iter().skip(19).position(|byte| matches!(byte, b'+' | b'-'));
    fits(bytes, b"0000-00-00T00:00:00") && zone.is_none_or(|at| fits(&bytes[19 + at..], b"+00:00"))
}

/// With at least the digits of its place, and more where more are written.
fn decimal(mantissa: i128, written: u8, wanted: u8) -> Option<Expr> {
    let scale = written.max(wanted);
    if scale > DECIMAL_DIGITS_MAX {
        return None;
    }
    let widened = mantissa.checked_mul(10i128.pow(u32::from(scale - written)))?;
    let mantissa = i64::try_from(widened).ok()?;
    Some(Expr::literal(Value::Decimal { mantissa, scale }, Type::Decimal(scale)))
}
