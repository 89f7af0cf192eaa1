//! Values that are known from the text: defaults, and what tests say.

use millrace_event::expr::eval;
use millrace_event::{Type, Value};

use crate::ast::{self, ExprKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::types::described;

use super::Report;
use super::scope::{Context, Scope};

/// Where a constant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Definition,
    /// Where bare times and lists may stand too.
    Test,
}

/// The value of an expression without names, as one of type `wanted`; null where it is.
pub(super) fn constant(
    expr: &ast::Expr,
    wanted: &Type,
    what: &str,
    place: Place,
    report: &mut Report,
) -> Option<Value> {
    if let (ExprKind::List(all), Type::List(of)) = (&expr.kind, wanted) {
        let values: Vec<Option<Value>> =
            all.iter().map(|e| constant(e, of, "an element", place, report)).collect();
        return values.into_iter().collect::<Option<Vec<Value>>>().map(Value::List);
    }
    if !crate::types::is_scalar(wanted) && !super::literal::is_null(expr) {
        report.push(not_written(expr, wanted, what));
        return None;
    }
    let scope = Scope::Constant { in_test: place == Place::Test };
    let typed = Context::new(scope, report).checked(expr, wanted, what)?;
    Some(eval(&typed, &[], 1).value(0, wanted))
}

/// A list is not written as this expression is, and a map cannot be written at all.
fn not_written(expr: &ast::Expr, wanted: &Type, what: &str) -> Diagnostic {
    let described = described(wanted);
    let (message, hint) = match wanted {
        Type::Map(_, _) => (
            format!("{what} is {described}, which a text cannot write"),
            "leave it out: it is null if it may be, else empty",
        ),
        Type::List(_)
        | Type::Bool
        | Type::Int
        | Type::Float
        | Type::Decimal(_)
        | Type::String
        | Type::Timestamp
        | Type::Duration
        | Type::Key(_) => {
            (format!("{what} is {described}, which is written as a list"), "write `[a, b]`")
        }
    };
    Diagnostic::error(Code::TypeMismatch, expr.span, message).hint(hint)
}
