//! The types of each function of values.

use millrace_event::expr::{Binary, Clock, Expr, Kind, Unary, Zone};
use millrace_event::{KeyKind, Type};

use crate::ast::{self, ExprKind, Literal, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::SourceSpan;
use crate::types::{self, DECIMAL_DIGITS_MAX, described};

use super::expression::unary;
use super::scope::Context;

impl Context<'_> {
    /// "`f` takes …, and this is …".
    fn wrong_type(&mut self, name: &str, wanted: &str, found: &Type, span: SourceSpan) {
        let message = format!("`{name}` takes {wanted}, and this is {}", described(found));
        self.report.error(Code::TypeMismatch, span, message);
    }

    pub(super) fn abs(&mut self, a: &ast::Expr, expected: Option<&Type>) -> Option<Expr> {
        let x = self.infer(a, expected)?;
        if !types::is_number(&x.ty) && x.ty != Type::Duration {
            self.wrong_type("abs", "a number or a duration", &x.ty, a.span);
            return None;
        }
        let ty = x.ty.clone();
        let nullable = x.nullable || ty != Type::Float;
        Some(Expr { nullable, ..unary(Unary::Abs, x, ty) })
    }

    /// A float stays one; a decimal becomes an int, which is what an int is already.
    pub(super) fn rounded(&mut self, rule: Unary, a: &ast::Expr) -> Option<Expr> {
        let x = self.infer(a, None)?;
        match x.ty {
            Type::Int => Some(x),
            Type::Float => Some(unary(rule, x, Type::Float)),
            Type::Decimal(_) => Some(unary(rule, x, Type::Int)),
            Type::Bool
            | Type::String
            | Type::Timestamp
            | Type::Duration
            | Type::Key(_)
            | Type::List(_)
            | Type::Map(_, _) => {
                self.wrong_type("floor, ceil and round", "a number", &x.ty, a.span);
                None
            }
        }
    }

    pub(super) fn of_float(&mut self, f: Unary, name: &Name, a: &ast::Expr) -> Option<Expr> {
        let what = format!("the argument of `{}`", name.text);
        let x = self.checked(a, &Type::Float, &what)?;
        Some(Expr { nullable: true, ..unary(f, x, Type::Float) })
    }

    pub(super) fn extreme(
        &mut self,
        kind: fn(Vec<Expr>) -> Kind,
        name: &Name,
        all: &[ast::Expr],
        expected: Option<&Type>,
    ) -> Option<Expr> {
        let what = format!("the arguments of `{}`", name.text);
        let all = self.alike(&all.iter().collect::<Vec<_>>(), expected, &what)?;
        let ty = all.first()?.ty.clone();
        if !types::is_ordered(&ty) {
            self.wrong_type(&name.text, "values that have an order", &ty, name.span);
            return None;
        }
        let nullable = all.iter().any(|e| e.nullable);
        Some(Expr { kind: kind(all), ty, nullable })
    }

    pub(super) fn coalesce(&mut self, all: &[ast::Expr], expected: Option<&Type>) -> Option<Expr> {
        let what = "the arguments of `coalesce`";
        let all = self.alike(&all.iter().collect::<Vec<_>>(), expected, what)?;
        let ty = all.first()?.ty.clone();
        let nullable = all.iter().all(|e| e.nullable);
        Some(Expr { kind: Kind::Coalesce(all), ty, nullable })
    }

    /// A string, or the text of a key.
    fn textual(&mut self, name: &Name, a: &ast::Expr) -> Option<Expr> {
        let x = self.infer(a, Some(&Type::String))?;
        if !is_text(&x.ty) {
            self.wrong_type(&name.text, "a string", &x.ty, a.span);
            return None;
        }
        Some(x)
    }

    pub(super) fn of_text(&mut self, f: Unary, name: &Name, a: &ast::Expr) -> Option<Expr> {
        let x = self.textual(name, a)?;
        Some(unary(f, x, Type::String))
    }

    pub(super) fn length(&mut self, a: &ast::Expr) -> Option<Expr> {
        let x = self.infer(a, Some(&Type::String))?;
        if types::is_scalar(&x.ty) && !is_text(&x.ty) {
            self.wrong_type("length", "a string or a list", &x.ty, a.span);
            return None;
        }
        Some(unary(Unary::Length, x, Type::Int))
    }

    pub(super) fn text_test(
        &mut self,
        test: Binary,
        name: &Name,
        a: &ast::Expr,
        b: &ast::Expr,
    ) -> Option<Expr> {
        let (x, y) = (self.textual(name, a), self.textual(name, b));
        let (x, y) = (x?, y?);
        let nullable = x.nullable || y.nullable;
        Some(Expr { kind: Kind::Binary(test, Box::new(x), Box::new(y)), ty: Type::Bool, nullable })
    }

    /// A text in a text, or an element in a list.
    pub(super) fn contains(&mut self, name: &Name, a: &ast::Expr, b: &ast::Expr) -> Option<Expr> {
        let x = self.infer(a, Some(&Type::String))?;
        let y = match &x.ty {
            Type::List(of) => self.checked(b, of, "an element of the list")?,
            ty if is_text(ty) => self.textual(name, b)?,
            ty => {
                let found = ty.clone();
                self.wrong_type("contains", "a string or a list", &found, a.span);
                return None;
            }
        };
        let nullable = x.nullable || y.nullable;
        let kind = Kind::Binary(Binary::Contains, Box::new(x), Box::new(y));
        Some(Expr { kind, ty: Type::Bool, nullable })
    }

    pub(super) fn clock(
        &mut self,
        clock: Clock,
        name: &Name,
        a: &ast::Expr,
        zone: &ast::Expr,
    ) -> Option<Expr> {
        let what = format!("the argument of `{}`", name.text);
        let x = self.checked(a, &Type::Timestamp, &what);
        let ExprKind::Literal(Literal::Text(text)) = &zone.kind else {
            self.report.push(
                Diagnostic::error(Code::NotConstant, zone.span, "a time zone is a string literal")
                    .hint("write `\"UTC\"`, an offset such as `\"+01:00\"`"),
            );
            return None;
        };
        match text.parse::<Zone>() {
            Ok(zone) => Some(unary(Unary::Clock(clock, zone), x?, Type::Int)),
            Err(reason) => {
                let message = format!("`{text}` is no time zone that is known here");
                self.report
                    .push(Diagnostic::error(Code::UnknownZone, zone.span, message).hint(reason));
                None
            }
        }
    }

    /// How many digits `decimal(x, n)` asks for.
    pub(super) fn digits(&mut self, digits: &ast::Expr) -> Option<u8> {
        let literal = match &digits.kind {
            ExprKind::Literal(Literal::Number(number)) if number.scale == 0 => {
                u8::try_from(number.mantissa).ok().filter(|n| *n <= DECIMAL_DIGITS_MAX)
            }
            _ => None,
        };
        if literal.is_none() {
            let message =
                format!("the digits of a decimal are a literal, 0 to {DECIMAL_DIGITS_MAX}");
            self.report.error(Code::BadDecimal, digits.span, message);
        }
        literal
    }

    /// `float(x)`, `int(x)`, `decimal(x, n)`: from a number or a bool.
    pub(super) fn converted(&mut self, name: &Name, a: &ast::Expr, to: Type) -> Option<Expr> {
        let x = self.infer(a, Some(&to))?;
        if !types::is_number(&x.ty) && x.ty != Type::Bool {
            self.wrong_type(&name.text, "a number or a bool", &x.ty, a.span);
            return None;
        }
        let fits = match (&x.ty, &to) {
            (_, Type::Float) | (Type::Bool, _) => true,
            (Type::Decimal(_) | Type::Int, Type::Int) => true,
            (_, _) => x.ty == to,
        };
        let nullable = x.nullable || !fits;
        if x.ty == to {
            return Some(x);
        }
        Some(Expr { kind: Kind::Unary(Unary::Convert, Box::new(x)), ty: to, nullable })
    }
}

fn is_text(ty: &Type) -> bool {
    match ty {
        Type::String => true,
        Type::Key(entity) => entity.kind == KeyKind::Text,
        Type::Bool
        | Type::Int
        | Type::Float
        | Type::Decimal(_)
        | Type::Timestamp
        | Type::Duration
        | Type::List(_)
        | Type::Map(_, _) => false,
    }
}
