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
        let message = format!("{what} is {}, which is written as a list", described(wanted));
        report
            .push(Diagnostic::error(Code::TypeMismatch, expr.span, message).hint("write `[a, b]`"));
        return None;
    }
    let scope = Scope::Constant { in_test: place == Place::Test };
    let typed = Context::new(scope, report).checked(expr, wanted, what)?;
    Some(eval(&typed, &[], 1).value(0, wanted))
}
