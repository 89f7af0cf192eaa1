use std::fmt;
use std::sync::Arc;

use crate::{EventTime, Span, Value};

/// What an entity's keys are made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyKind {
    Text,
    Int,
}

/// A thing features are about: `entity card` or `entity card : int`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Entity {
    pub name: Arc<str>,
    pub kind: KeyKind,
}

/// The type of a field, a feature or an expression. Nullability stands beside it, not in it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    Bool,
    /// 64-bit signed.
    Int,
    /// 64-bit IEEE, always finite; −0.0 is stored as 0.0.
    Float,
    /// A 64-bit mantissa with this many digits after the point (at most 18).
    Decimal(u8),
    String,
    Timestamp,
    Duration,
    /// A key of this entity; keys of two entities never compare.
    Key(Arc<Entity>),
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
}

/// How a column of the type is held (see [`crate::Data`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Physical {
    Word,
    Float,
    Text,
    Nested,
}

impl Type {
    /// The value that says nothing: what stands in a field that may not be null and that nobody gave.
    pub fn neutral(&self) -> Value {
        match self {
            Type::Bool => Value::Bool(false),
            Type::Int => Value::Int(0),
            Type::Float => Value::Float(0.0),
            Type::Decimal(scale) => Value::Decimal { mantissa: 0, scale: *scale },
            Type::String => Value::text(""),
            Type::Timestamp => Value::Timestamp(EventTime(0)),
            Type::Duration => Value::Duration(Span(0)),
            Type::Key(entity) => match entity.kind {
                KeyKind::Text => Value::text(""),
                KeyKind::Int => Value::Int(0),
            },
            Type::List(_) => Value::List(Vec::new()),
            Type::Map(_, _) => Value::Map(Vec::new()),
        }
    }

    pub fn physical(&self) -> Physical {
        match self {
            Type::Bool | Type::Int | Type::Decimal(_) | Type::Timestamp | Type::Duration => {
                Physical::Word
            }
            Type::Float => Physical::Float,
            Type::String => Physical::Text,
            Type::Key(entity) => match entity.kind {
                KeyKind::Int => Physical::Word,
                KeyKind::Text => Physical::Text,
            },
            Type::List(_) | Type::Map(_, _) => Physical::Nested,
        }
    }
}

/// As written in the language: `decimal(2)`, `list<string>`, an entity by its name.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Bool => write!(f, "bool"),
            Type::Int => write!(f, "int"),
            Type::Float => write!(f, "float"),
            Type::Decimal(scale) => write!(f, "decimal({scale})"),
            Type::String => write!(f, "string"),
            Type::Timestamp => write!(f, "timestamp"),
            Type::Duration => write!(f, "duration"),
            Type::Key(entity) => write!(f, "{}", entity.name),
            Type::List(of) => write!(f, "list<{of}>"),
            Type::Map(key, value) => write!(f, "map<{key}, {value}>"),
        }
    }
}
