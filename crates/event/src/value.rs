use std::cmp::Ordering;
use std::sync::Arc;

use crate::{EventTime, Span};

/// One cell. The type it belongs to is known from its place; `Decimal` carries its scale.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    /// Finite; never −0.0.
    Float(f64),
    /// `mantissa · 10^−scale`.
    Decimal {
        mantissa: i64,
        scale: u8,
    },
    Text(Arc<str>),
    Timestamp(EventTime),
    Duration(Span),
    List(Vec<Value>),
    /// In ascending order of the keys.
    Map(Vec<(Value, Value)>),
}

impl Value {
    pub fn text(s: &str) -> Value {
        Value::Text(Arc::from(s))
    }

    /// A finite float without a negative zero, or null: overflow and undefined results are null.
    pub fn float(x: f64) -> Value {
        if x.is_finite() { Value::Float(x + 0.0) } else { Value::Null }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The order of two values of one type; `None` when a null or another type is involved.
    pub fn compare(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
            (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
            (
                Value::Decimal { mantissa: a, scale: s },
                Value::Decimal { mantissa: b, scale: t },
            ) => {
                let widen = |m: i64, up: u8| i128::from(m) * 10i128.pow(u32::from(up));
                let top = (*s).max(*t);
                Some(widen(*a, top - s).cmp(&widen(*b, top - t)))
            }
            (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
            (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
            (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}
