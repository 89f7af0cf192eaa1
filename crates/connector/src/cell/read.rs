use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use millrace_event::{EventTime, Span, Type, Value};

use super::number::{NumberFault, decimal, float};
use super::time::{duration, time};
use crate::columns::Cell;
use crate::dead::{Fault, FaultBox};
use crate::fields::Kind;
use crate::json::nested_to_value;
use crate::{Limits, Reason};

/// What is wrong with one cell, before it is known which field it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub reason: Reason,
    /// The cause and a fix, to be read after "field `x`: ".
    pub message: String,
}

impl Problem {
    pub fn new(reason: Reason, message: String) -> Problem {
        Problem { reason, message }
    }

    pub fn of(self, field: &Arc<str>) -> FaultBox {
        Box::new(Fault {
            reason: self.reason,
            field: Some(Arc::clone(field)),
            message: format!("field `{field}`: {}", self.message),
        })
    }

    /// `shown` is the value as it arrived.
    pub fn wrong_type(shown: &[u8], ty: &Type) -> Problem {
        let mut message = format!("{} is not {}; ", excerpt(shown), described(ty));
        message.push_str(match Kind::of(ty) {
            Kind::Bool => "send true or false",
            Kind::Int => "send a whole number",
            Kind::Float => "send a finite number, or leave it out for null",
            Kind::Decimal(_) => "send a number such as 12.34",
            Kind::Text => "put it in quotes, or change the field's type",
            Kind::Time => "send 2026-01-01T12:00:00Z, or milliseconds since 1970",
            Kind::Duration => "send a number and a unit such as 90m, or milliseconds",
            Kind::Nested => "send JSON of that shape",
        });
        Problem::new(Reason::WrongType, message)
    }

    pub fn of_number(fault: NumberFault, shown: &[u8], ty: &Type) -> Problem {
        let shown_text = excerpt(shown);
        match fault {
            NumberFault::NotANumber => Problem::wrong_type(shown, ty),
            NumberFault::TooPrecise => Problem::new(
                Reason::TooPrecise,
                match ty {
                    Type::Decimal(n) => format!(
                        "{shown_text} has more than {n} digits after the point; send at most {n}, \
                         or declare more"
                    ),
                    Type::Timestamp | Type::Duration => {
                        format!("{shown_text} is finer than a microsecond; send fewer digits")
                    }
                    _ => format!("{shown_text} is not a whole number; send one without a fraction"),
                },
            ),
            NumberFault::LikeSeconds => Problem::new(
                Reason::TimeInSeconds,
                format!(
                    "{shown_text} looks like seconds; times are milliseconds or RFC 3339: multiply \
                     it by 1000"
                ),
            ),
            NumberFault::OutOfRange => Problem::new(
                Reason::OutOfRange,
                format!(
                    "{shown_text} is beyond what {} can hold; send a smaller number",
                    described(ty)
                ),
            ),
        }
    }

    pub fn too_large(bytes: usize, limits: &Limits) -> Problem {
        Problem::new(
            Reason::FieldTooLarge,
            format!(
                "it has {bytes} bytes and the limit is {}; send less, or raise the field limit",
                limits.field_bytes
            ),
        )
    }

    pub fn bad_utf8() -> Problem {
        Problem::new(Reason::BadUtf8, "its text is not UTF-8; write the source as UTF-8".to_owned())
    }
}

/// The type with its article, as in "is not an int".
fn described(ty: &Type) -> String {
    let article = match ty {
        Type::Int => "an",
        Type::Bool
        | Type::Float
        | Type::Decimal(_)
        | Type::String
        | Type::Timestamp
        | Type::Duration
        | Type::Key(_)
        | Type::List(_)
        | Type::Map(_, _) => "a",
    };
    format!("{article} {ty}")
}

/// The start of a value for a message, in backticks, with control characters escaped.
fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    let text = String::from_utf8_lossy(bytes.get(..4 * SHOWN).unwrap_or(bytes));
    let mut out = String::from("`");
    for c in text.chars().take(SHOWN) {
        if c.is_control() {
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    out.push_str(if text.chars().nth(SHOWN).is_some() || text.len() < bytes.len() {
        "…`"
    } else {
        "`"
    });
    out
}

/// A cell from text: a CSV cell, a JSON string, or a string column's value. A string is taken as it
/// is; for every other type the spaces around it are ignored.
pub(crate) fn text_to_cell<'a>(
    ty: &Type,
    text: &'a [u8],
    limits: &Limits,
) -> Result<Cell<'a>, Problem> {
    if text.len() > limits.field_bytes {
        return Err(Problem::too_large(text.len(), limits));
    }
    let trimmed = text.trim_ascii();
    let number = |fault| Problem::of_number(fault, text, ty);
    match Kind::of(ty) {
        Kind::Text => {
            let text = std::str::from_utf8(text).map_err(|_| Problem::bad_utf8())?;
            Ok(Cell::Text(Cow::Borrowed(text)))
        }
        Kind::Int => decimal(trimmed, 0).map(Cell::Word).map_err(number),
        Kind::Decimal(scale) => decimal(trimmed, scale).map(Cell::Word).map_err(number),
        Kind::Float => float(trimmed).map(Cell::Float).map_err(number),
        Kind::Time => time(trimmed).map(Cell::Word).map_err(number),
        Kind::Duration => duration(trimmed).map(Cell::Word).map_err(number),
        Kind::Bool => match boolean(trimmed) {
            Some(b) => Ok(Cell::Word(i64::from(b))),
            None => Err(Problem::wrong_type(text, ty)),
        },
        Kind::Nested => {
            let json = std::str::from_utf8(text).map_err(|_| Problem::bad_utf8())?;
            nested_to_value(ty, json, limits).map(Cell::Nested)
        }
    }
}

/// `true` or `false` in any case, or `1` or `0`.
fn boolean(text: &[u8]) -> Option<bool> {
    if text == b"1" || text.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if text == b"0" || text.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}

/// As [`text_to_cell`], as a value.
pub(crate) fn text_to_value(ty: &Type, text: &[u8], limits: &Limits) -> Result<Value, Problem> {
    text_to_cell(ty, text, limits).map(|cell| cell_to_value(cell, ty))
}

/// The cell as a value of its type.
pub(crate) fn cell_to_value(cell: Cell<'_>, ty: &Type) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Word(word) => match Kind::of(ty) {
            Kind::Bool => Value::Bool(word != 0),
            Kind::Decimal(scale) => Value::Decimal { mantissa: word, scale },
            Kind::Time => Value::Timestamp(EventTime(word)),
            Kind::Duration => Value::Duration(Span(word)),
            Kind::Int | Kind::Float | Kind::Text | Kind::Nested => Value::Int(word),
        },
        Cell::Float(x) => Value::Float(x),
        Cell::Text(text) => Value::text(&text),
        Cell::Nested(value) => value,
    }
}
