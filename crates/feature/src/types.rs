//! Which types meet, and what becomes of them.

use millrace_event::Type;
use millrace_event::expr::{Expr, Kind, Unary};

/// The most digits behind the point of a decimal.
pub const DECIMAL_DIGITS_MAX: u8 = 18;

/// Why two types do not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clash {
    DecimalAndFloat,
    /// Keys of two entities.
    Keys,
    Other,
}

pub(crate) fn is_number(ty: &Type) -> bool {
    matches!(ty, Type::Int | Type::Float | Type::Decimal(_))
}

/// Types with an order that comparisons and `least` may use.
pub(crate) fn is_ordered(ty: &Type) -> bool {
    is_number(ty) || matches!(ty, Type::Timestamp | Type::Duration | Type::String)
}

/// One cell in a word, a float or a text: not a list or a map.
pub(crate) fn is_scalar(ty: &Type) -> bool {
    !matches!(ty, Type::List(_) | Type::Map(_, _))
}

/// The type that values of both can have: an int becomes a float or a decimal, a decimal one of
/// more digits.
pub(crate) fn join(a: &Type, b: &Type) -> Result<Type, Clash> {
    match (a, b) {
        _ if a == b => Ok(a.clone()),
        (Type::Int, Type::Float) | (Type::Float, Type::Int) => Ok(Type::Float),
        (Type::Int, Type::Decimal(s)) | (Type::Decimal(s), Type::Int) => Ok(Type::Decimal(*s)),
        (Type::Decimal(s), Type::Decimal(t)) => Ok(Type::Decimal(*s.max(t))),
        (Type::Decimal(_), Type::Float) | (Type::Float, Type::Decimal(_)) => {
            Err(Clash::DecimalAndFloat)
        }
        (Type::Key(_), Type::Key(_)) => Err(Clash::Keys),
        (_, _) => Err(Clash::Other),
    }
}

/// The expression as one of another type, where values of its type can have it.
pub(crate) fn coerce(expr: Expr, to: &Type) -> Result<Expr, (Expr, Clash)> {
    match join(&expr.ty, to) {
        Ok(joined) if joined == *to => Ok(convert(expr, to)),
        Ok(_) => Err((expr, Clash::Other)),
        Err(clash) => Err((expr, clash)),
    }
}

/// A conversion between numbers, or nothing where the types are the same.
pub(crate) fn convert(expr: Expr, to: &Type) -> Expr {
    if expr.ty == *to {
        return expr;
    }
    // To a float nothing is lost but digits; more digits of a decimal may not fit.
    let nullable = expr.nullable || *to != Type::Float;
    Expr { kind: Kind::Unary(Unary::Convert, Box::new(expr)), ty: to.clone(), nullable }
}

/// With its article, for messages.
pub(crate) fn described(ty: &Type) -> String {
    let name = ty.to_string();
    match ty {
        Type::Int => "an int".to_owned(),
        Type::Key(entity) => format!("a key of `{}`", entity.name),
        Type::Bool
        | Type::Float
        | Type::Decimal(_)
        | Type::String
        | Type::Timestamp
        | Type::Duration
        | Type::List(_)
        | Type::Map(_, _) => format!("a {name}"),
    }
}
