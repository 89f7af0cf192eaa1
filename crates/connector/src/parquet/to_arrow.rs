//! Our columns as Arrow arrays, for writing Parquet.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, DurationMicrosecondArray, Float64Array, Int64Array,
    ListArray, MapArray, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, TimeUnit};
use millrace_event::{Column, Mark, Type, Value};

use crate::fields::Kind;

/// The digits of an `i64`, so that every mantissa fits.
const PRECISION: u8 = 19;

const UTC: &str = "UTC";

/// How wide decimals are held. Those of at most 18 digits are 64-bit integers in a file, which costs a
/// small part of what wider ones do; nearly all are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decimals {
    Narrow,
    Wide,
}

impl Decimals {
    fn precision(self) -> u8 {
        match self {
            Decimals::Narrow => 18,
            Decimals::Wide => PRECISION,
        }
    }

    /// Whether a mantissa fits.
    pub fn hold(self, mantissa: i64) -> bool {
        match self {
            Decimals::Narrow => mantissa.unsigned_abs() < NARROW_END,
            Decimals::Wide => true,
        }
    }
}

/// The first mantissa of more than 18 digits.
const NARROW_END: u64 = 1_000_000_000_000_000_000;

/// The type of a column, whose own cells are decimals of this width; those in lists are wide.
pub(crate) fn column_type(ty: &Type, decimals: Decimals) -> DataType {
    match type_to_arrow(ty) {
        DataType::Decimal128(_, scale) => DataType::Decimal128(decimals.precision(), scale),
        other => other,
    }
}

fn type_to_arrow(ty: &Type) -> DataType {
    match Kind::of(ty) {
        Kind::Bool => DataType::Boolean,
        Kind::Int => DataType::Int64,
        Kind::Float => DataType::Float64,
        Kind::Decimal(scale) => DataType::Decimal128(PRECISION, scale.min(18) as i8),
        Kind::Text => DataType::Utf8,
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from(UTC))),
        Kind::Duration => DataType::Duration(TimeUnit::Microsecond),
        Kind::Nested => match ty {
            Type::List(of) => DataType::List(Arc::new(item_field(of))),
            Type::Map(key, value) => DataType::Map(Arc::new(entries_field(key, value)), true),
            _ => DataType::Null,
        },
    }
}

fn item_field(of: &Type) -> Field {
    Field::new("item", type_to_arrow(of), true)
}

fn entry_fields(key: &Type, value: &Type) -> Fields {
    Fields::from(vec![
        Field::new("keys", type_to_arrow(key), false),
        Field::new("values", type_to_arrow(value), true),
    ])
}

fn entries_field(key: &Type, value: &Type) -> Field {
    Field::new("entries", DataType::Struct(entry_fields(key, value)), false)
}

/// These rows of a column of type `ty`, as an array of [`column_type`].
pub(crate) fn column_to_array(
    column: &Column,
    rows: Range<usize>,
    ty: &Type,
    decimals: Decimals,
) -> Result<ArrayRef, ArrowError> {
    let nulls = || nulls(column.marks()?.get(rows.clone())?);
    let words = || column.as_words().get(rows.clone()).unwrap_or_default().to_vec();
    Ok(match Kind::of(ty) {
        Kind::Int => Arc::new(Int64Array::try_new(words().into(), nulls())?),
        Kind::Time => {
            let array = TimestampMicrosecondArray::try_new(words().into(), nulls())?;
            Arc::new(array.with_timezone(UTC))
        }
        Kind::Duration => Arc::new(DurationMicrosecondArray::try_new(words().into(), nulls())?),
        Kind::Decimal(scale) => {
            let mantissas: Vec<i128> = words().into_iter().map(i128::from).collect();
            let array = Decimal128Array::try_new(mantissas.into(), nulls())?;
            Arc::new(array.with_precision_and_scale(decimals.precision(), scale.min(18) as i8)?)
        }
        Kind::Float => {
            let floats = column.as_floats().get(rows.clone()).unwrap_or_default().to_vec();
            Arc::new(Float64Array::try_new(floats.into(), nulls())?)
        }
        Kind::Bool => {
            let bits = words().into_iter().map(|word| word != 0).collect();
            Arc::new(BooleanArray::new(bits, nulls()))
        }
        Kind::Text => {
            let text = |row| {
                column.as_texts().filter(|_| !column.is_null(row)).map(|texts| texts.get(row))
            };
            Arc::new(rows.clone().map(text).collect::<StringArray>())
        }
        Kind::Nested => {
            let values: Vec<Value> = rows.clone().map(|row| column.value(row, ty)).collect();
            values_to_array(&values.iter().collect::<Vec<_>>(), ty)?
        }
    })
}

/// Which cells are not null, where any is.
fn nulls(marks: &[Mark]) -> Option<NullBuffer> {
    // Without a way out of the loop, many marks are looked at in one step.
    let is_any = marks.iter().fold(false, |any, mark| any | mark.is_null());
    let valid = |row: usize| !marks[row].is_null();
    is_any.then(|| NullBuffer::new(BooleanBuffer::collect_bool(marks.len(), valid)))
}

/// Values of one type as an array, parts of lists and maps included.
fn values_to_array(values: &[&Value], ty: &Type) -> Result<ArrayRef, ArrowError> {
    match ty {
        Type::List(of) => {
            let parts = |value: &&Value| match value {
                Value::List(parts) => parts.len(),
                _ => 0,
            };
            let items = values.iter().flat_map(|value| match value {
                Value::List(parts) => parts.as_slice(),
                _ => &[],
            });
            let child = values_to_array(&items.collect::<Vec<_>>(), of)?;
            let offsets = OffsetBuffer::from_lengths(values.iter().map(parts));
            let field = Arc::new(item_field(of));
            Ok(Arc::new(ListArray::try_new(field, offsets, child, validity(values))?))
        }
        Type::Map(key, value_type) => {
            let entries = |value: &&Value| match value {
                Value::Map(entries) => entries.len(),
                _ => 0,
            };
            let all = values.iter().flat_map(|value| match value {
                Value::Map(entries) => entries.as_slice(),
                _ => &[],
            });
            let (keys, parts): (Vec<&Value>, Vec<&Value>) = all.map(|(k, v)| (k, v)).unzip();
            let columns = vec![values_to_array(&keys, key)?, values_to_array(&parts, value_type)?];
            let entry_array = StructArray::try_new(entry_fields(key, value_type), columns, None)?;
            let offsets = OffsetBuffer::from_lengths(values.iter().map(entries));
            let field = Arc::new(entries_field(key, value_type));
            let nulls = validity(values);
            Ok(Arc::new(MapArray::try_new(field, offsets, entry_array, nulls, true)?))
        }
        Type::Bool
        | Type::Int
        | Type::Float
        | Type::Decimal(_)
        | Type::String
        | Type::Timestamp
        | Type::Duration
        | Type::Key(_) => {
            let mut column = Column::new(ty.physical());
            values.iter().for_each(|value| column.push(value, millrace_event::State::Ok));
            column_to_array(&column, 0..values.len(), ty, Decimals::Wide)
        }
    }
}

fn validity(values: &[&Value]) -> Option<NullBuffer> {
    Some(NullBuffer::from_iter(values.iter().map(|value| !value.is_null())))
}
