//! Expressions: types are found from the leaves up; what its place asks for is handed down to
//! literals only.
//!
//! Every function answers `None` for an expression whose mistake has been told.

use millrace_event::Type;
use millrace_event::expr::{Expr, Kind, Unary};

use crate::ast::{self, ExprKind, UnaryOperator};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::SourceSpan;
use crate::types::{self, Clash, described};

use super::literal::{is_null, is_open};
use super::scope::{Context, Inlined};

impl Context<'_> {
    /// The expression as one of type `wanted`; `what` says who asks, such as "a condition".
    pub fn checked(&mut self, expr: &ast::Expr, wanted: &Type, what: &str) -> Option<Expr> {
        let found = self.infer(expr, Some(wanted))?;
        self.coerced(found, wanted, expr.span, what)
    }

    /// The expression with the type that it has by itself, checked for its size.
    pub fn typed(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let found = self.infer(expr, None)?;
        Inlined::new(found, expr.span, self.report).map(|i| i.expr)
    }

    pub(super) fn coerced(
        &mut self,
        expr: Expr,
        wanted: &Type,
        span: SourceSpan,
        what: &str,
    ) -> Option<Expr> {
        let found = expr.ty.clone();
        match types::coerce(expr, wanted) {
            Ok(expr) => Some(expr),
            Err((_, clash)) => {
                let message =
                    format!("{what} is {}, and this is {}", described(wanted), described(&found));
                self.mismatch(clash, span, message);
                None
            }
        }
    }

    /// Tells a clash by its own code.
    pub(super) fn mismatch(&mut self, clash: Clash, span: SourceSpan, message: String) {
        let (code, hint) = match clash {
            Clash::DecimalAndFloat => (
                Code::DecimalMeetsFloat,
                Some("say which is meant: `float(x)` of the decimal, or `decimal(x, 2)`"),
            ),
            Clash::Keys => (
                Code::KeyMismatch,
                Some("keys of two entities never compare, even if both are strings"),
            ),
            Clash::Other => (Code::TypeMismatch, None),
        };
        let diagnostic = Diagnostic::error(code, span, message);
        self.report.push(diagnostic.hint_if(hint.map(str::to_owned)));
    }

    pub(super) fn infer(&mut self, expr: &ast::Expr, expected: Option<&Type>) -> Option<Expr> {
        match &expr.kind {
            ExprKind::Error => None,
            ExprKind::Literal(literal) => self.literal(literal, expr.span, expected),
            ExprKind::Name(name) => self.name(name),
            ExprKind::Member(of, name) => match &of.kind {
                ExprKind::Name(group) => self.member(group, name, None),
                _ => self.no_member(expr.span),
            },
            ExprKind::Index(of, window) => match &of.kind {
                ExprKind::Name(name) => self.indexed(name, window),
                ExprKind::Member(group, name) => match &group.kind {
                    ExprKind::Name(group) => self.member(group, name, Some(window)),
                    _ => self.no_member(expr.span),
                },
                _ => self.no_member(expr.span),
            },
            ExprKind::Call(name, arguments) => self.call(name, arguments, expr.span, expected),
            ExprKind::Unary(UnaryOperator::Not, a) => {
                let a = self.checked(a, &Type::Bool, "the operand of `not`")?;
                Some(unary(Unary::Not, a, Type::Bool))
            }
            ExprKind::Unary(UnaryOperator::Negate, a) => self.negate(a, expr.span, expected),
            ExprKind::Binary(operator, a, b) => self.binary(*operator, a, b, expected),
            ExprKind::IsNull { operand, negated } => self.is_null(operand, *negated),
            ExprKind::In { operand, list, negated } => self.is_in(operand, list, *negated),
            ExprKind::If(condition, yes, no) => {
                let condition = self.checked(condition, &Type::Bool, "a condition");
                let branches = self.alike(&[yes, no], expected, "both branches of `if`");
                let (condition, mut branches) = (condition?, branches?);
                let (no, yes) = (branches.pop()?, branches.pop()?);
                let (ty, nullable) = (yes.ty.clone(), yes.nullable || no.nullable);
                let kind = Kind::If(Box::new(condition), Box::new(yes), Box::new(no));
                Some(Expr { kind, ty, nullable })
            }
            ExprKind::List(_) => {
                self.report.push(
                    Diagnostic::error(Code::TypeMismatch, expr.span, "a list cannot stand here")
                        .hint("lists stand behind `in`, behind `default`, and in tests"),
                );
                None
            }
        }
    }

    fn no_member(&mut self, span: SourceSpan) -> Option<Expr> {
        self.report.push(
            Diagnostic::error(Code::TypeMismatch, span, "this has no parts")
                .hint("`[5m]` stands behind a feature, `.` behind a feature group"),
        );
        None
    }

    fn negate(
        &mut self,
        operand: &ast::Expr,
        span: SourceSpan,
        expected: Option<&Type>,
    ) -> Option<Expr> {
        if let ExprKind::Literal(ast::Literal::Number(number)) = &operand.kind {
            return self.number(number, true, span, expected);
        }
        let a = self.infer(operand, expected)?;
        if !types::is_number(&a.ty) && a.ty != Type::Duration {
            let message = format!("`-` of {}; it takes a number or a duration", described(&a.ty));
            self.report.error(Code::TypeMismatch, operand.span, message);
            return None;
        }
        let ty = a.ty.clone();
        // The smallest word has no opposite.
        let nullable = a.nullable || ty != Type::Float;
        Some(Expr { nullable, ..unary(Unary::Negate, a, ty) })
    }

    fn is_null(&mut self, operand: &ast::Expr, negated: bool) -> Option<Expr> {
        let a = self.infer(operand, None)?;
        let test = Expr { nullable: false, ..unary(Unary::IsNull, a, Type::Bool) };
        Some(if negated { unary(Unary::Not, test, Type::Bool) } else { test })
    }

    fn is_in(&mut self, operand: &ast::Expr, list: &[ast::Expr], negated: bool) -> Option<Expr> {
        let all: Vec<&ast::Expr> = std::iter::once(operand).chain(list).collect();
        let mut all = self.alike(&all, None, "a value and the list it is looked for in")?;
        let others = all.split_off(1);
        let a = all.pop()?;
        if !types::is_scalar(&a.ty) {
            let message = format!("{} cannot be compared", described(&a.ty));
            self.report.error(Code::TypeMismatch, operand.span, message);
            return None;
        }
        let nullable = a.nullable || others.iter().any(|e| e.nullable);
        let kind = Kind::In(Box::new(a), others);
        let test = Expr { kind, ty: Type::Bool, nullable };
        Some(if negated { unary(Unary::Not, test, Type::Bool) } else { test })
    }

    /// Expressions of one type: what the typed ones have together, else what the place asks for.
    pub(super) fn alike(
        &mut self,
        all: &[&ast::Expr],
        expected: Option<&Type>,
        what: &str,
    ) -> Option<Vec<Expr>> {
        let mut found: Vec<Option<Expr>> = Vec::with_capacity(all.len());
        let mut failed = false;
        let mut joined: Option<Type> = None;
        for expr in all {
            if is_open(expr) {
                found.push(None);
                continue;
            }
            let typed = self.infer(expr, expected);
            failed |= typed.is_none();
            if let Some(typed) = &typed {
                joined = Some(self.join(joined, &typed.ty, expr.span, what)?);
            }
            found.push(typed);
        }
        for (slot, expr) in found.iter_mut().zip(all) {
            if slot.is_some() || !is_open(expr) || (is_null(expr) && joined.is_none()) {
                continue;
            }
            let ask = joined.clone().or_else(|| expected.cloned());
            let typed = self.infer(expr, ask.as_ref());
            failed |= typed.is_none();
            if let Some(typed) = &typed {
                joined = Some(self.join(joined, &typed.ty, expr.span, what)?);
            }
            *slot = typed;
        }
        if failed {
            return None;
        }
        let joined = match joined.or_else(|| expected.cloned()) {
            Some(joined) => joined,
            None => {
                let span = all.first()?.span;
                self.report.error(Code::UntypedNull, span, "nothing tells the type of these nulls");
                return None;
            }
        };
        let null = || Expr::literal(millrace_event::Value::Null, joined.clone());
        Some(
            found
                .into_iter()
                .map(|expr| expr.map_or_else(null, |e| types::convert(e, &joined)))
                .collect(),
        )
    }

    fn join(
        &mut self,
        so_far: Option<Type>,
        next: &Type,
        span: SourceSpan,
        what: &str,
    ) -> Option<Type> {
        let Some(so_far) = so_far else { return Some(next.clone()) };
        match types::join(&so_far, next) {
            Ok(joined) => Some(joined),
            Err(clash) => {
                let (a, b) = (described(&so_far), described(next));
                self.mismatch(clash, span, format!("{what} have one type; here are {a} and {b}"));
                None
            }
        }
    }
}

/// A strict unary operator.
pub(super) fn unary(operator: Unary, a: Expr, ty: Type) -> Expr {
    let nullable = a.nullable;
    Expr { kind: Kind::Unary(operator, Box::new(a)), ty, nullable }
}
