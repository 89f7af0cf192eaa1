//! An Arrow array as a column of ours: what fits exactly is taken, what does not is a fault of its
//! row.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayAccessor};
use arrow_schema::{DataType, TimeUnit};
use millrace_event::{Column, Mark, Type};

use super::nested;
use super::numbers::{Exact, decimal_to_exact, float_to_exact, int_to_exact};
use super::shown::shown;
use crate::Limits;
use crate::cell::number::NumberFault;
use crate::cell::{Problem, text_to_cell};
use crate::columns::Cell;
use crate::fields::Kind;

/// A column, and the rows of it that hold something else than its type; those are null.
#[derive(Debug)]
pub(super) struct Filled {
    pub column: Column,
    /// In the order of the rows.
    pub problems: Vec<(usize, Problem)>,
}

/// The column of type `ty` that `array` makes; `None` where an array of its kind never makes one.
pub(super) fn array_to_column(array: &dyn Array, ty: &Type, limits: &Limits) -> Option<Filled> {
    let mut filling = Filling {
        ty,
        kind: Kind::of(ty),
        limits,
        filled: Filled { column: Column::new(ty.physical()), problems: Vec::new() },
    };
    filling.fill(array)?;
    Some(filling.filled)
}

struct Filling<'f> {
    ty: &'f Type,
    kind: Kind,
    limits: &'f Limits,
    filled: Filled,
}

impl Filling<'_> {
    fn fill(&mut self, array: &dyn Array) -> Option<()> {
        match array.data_type() {
            DataType::Null => (0..array.len()).for_each(|_| self.null()),
            DataType::Dictionary(_, _) => {
                let dictionary = array.as_any_dictionary_opt()?;
                let plain =
                    arrow_select::take::take(dictionary.values(), dictionary.keys(), None).ok()?;
                return self.fill(&plain);
            }
            DataType::Boolean => self.bools(array)?,
            DataType::Utf8 => self.texts(array.as_string_opt::<i32>()?),
            DataType::LargeUtf8 => self.texts(array.as_string_opt::<i64>()?),
            DataType::Utf8View => self.texts(array.as_string_view_opt()?),
            DataType::Binary => self.texts(array.as_binary_opt::<i32>()?),
            DataType::LargeBinary => self.texts(array.as_binary_opt::<i64>()?),
            DataType::BinaryView => self.texts(array.as_binary_view_opt()?),
            DataType::List(_) | DataType::LargeList(_) => {
                self.filled = nested::lists(array, self.ty, self.limits)?;
            }
            DataType::Map(_, _) => self.filled = nested::maps(array, self.ty, self.limits)?,
            other => return self.fill_numbers(array, other),
        }
        Some(())
    }

    fn fill_numbers(&mut self, array: &dyn Array, data_type: &DataType) -> Option<()> {
        let kind = self.kind;
        let exact_int = |v: i128| int_to_exact(v, kind);
        match data_type {
            DataType::Int64 if kind == Kind::Int => self.numbers::<Int64Type>(array, Exact::Word),
            DataType::Decimal128(_, scale) if kind.is_decimal_of(*scale) => {
                self.numbers::<Decimal128Type>(array, Exact::word)
            }
            DataType::Int8 => self.numbers::<Int8Type>(array, |v| exact_int(v.into())),
            DataType::Int16 => self.numbers::<Int16Type>(array, |v| exact_int(v.into())),
            DataType::Int32 => self.numbers::<Int32Type>(array, |v| exact_int(v.into())),
            DataType::Int64 => self.numbers::<Int64Type>(array, |v| exact_int(v.into())),
            DataType::UInt8 => self.numbers::<UInt8Type>(array, |v| exact_int(v.into())),
            DataType::UInt16 => self.numbers::<UInt16Type>(array, |v| exact_int(v.into())),
            DataType::UInt32 => self.numbers::<UInt32Type>(array, |v| exact_int(v.into())),
            DataType::UInt64 => self.numbers::<UInt64Type>(array, |v| exact_int(v.into())),
            DataType::Float32 => {
                self.numbers::<Float32Type>(array, |v| float_to_exact(v.into(), kind))
            }
            DataType::Float64 => self.numbers::<Float64Type>(array, |v| float_to_exact(v, kind)),
            DataType::Decimal32(_, scale) => {
                self.numbers::<Decimal32Type>(array, |v| decimal_to_exact(v.into(), *scale, kind))
            }
            DataType::Decimal64(_, scale) => {
                self.numbers::<Decimal64Type>(array, |v| decimal_to_exact(v.into(), *scale, kind))
            }
            DataType::Decimal128(_, scale) => {
                self.numbers::<Decimal128Type>(array, |v| decimal_to_exact(v, *scale, kind))
            }
            DataType::Decimal256(_, scale) => self.numbers::<Decimal256Type>(array, |v| {
                v.to_i128().map_or(Exact::Fault(NumberFault::OutOfRange), |v| {
                    decimal_to_exact(v, *scale, kind)
                })
            }),
            other => self.fill_times(array, other),
        }
    }

    fn fill_times(&mut self, array: &dyn Array, data_type: &DataType) -> Option<()> {
        let wanted = match data_type {
            DataType::Duration(_) => Kind::Duration,
            _ => Kind::Time,
        };
        if self.kind != wanted {
            return None;
        }
        match data_type {
            DataType::Timestamp(TimeUnit::Second, _) => {
                self.numbers::<TimestampSecondType>(array, |v| Exact::scaled(v, 1_000_000))
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                self.numbers::<TimestampMillisecondType>(array, |v| Exact::scaled(v, 1_000))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                self.numbers::<TimestampMicrosecondType>(array, Exact::Word)
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                self.numbers::<TimestampNanosecondType>(array, |v| Exact::Word(v.div_euclid(1_000)))
            }
            DataType::Date32 => {
                self.numbers::<Date32Type>(array, |v| Exact::scaled(i64::from(v), 86_400_000_000))
            }
            DataType::Date64 => self.numbers::<Date64Type>(array, |v| Exact::scaled(v, 1_000)),
            DataType::Duration(TimeUnit::Second) => {
                self.numbers::<DurationSecondType>(array, |v| Exact::scaled(v, 1_000_000))
            }
            DataType::Duration(TimeUnit::Millisecond) => {
                self.numbers::<DurationMillisecondType>(array, |v| Exact::scaled(v, 1_000))
            }
            DataType::Duration(TimeUnit::Microsecond) => {
                self.numbers::<DurationMicrosecondType>(array, Exact::Word)
            }
            DataType::Duration(TimeUnit::Nanosecond) => {
                self.numbers::<DurationNanosecondType>(array, |v| Exact::Word(v.div_euclid(1_000)))
            }
            _ => None,
        }
    }

    fn numbers<T: ArrowPrimitiveType>(
        &mut self,
        array: &dyn Array,
        exact: impl Fn(T::Native) -> Exact,
    ) -> Option<()> {
        // What a number of this kind can never be is known without a number.
        if exact(T::Native::default()) == Exact::Never {
            return None;
        }
        let array = array.as_primitive_opt::<T>()?;
        if array.null_count() == 0 && !array.is_empty() && self.words(array.values(), &exact) {
            return Some(());
        }
        for row in 0..array.len() {
            if array.is_null(row) {
                self.null();
                continue;
            }
            match exact(array.value(row)) {
                Exact::Word(word) => self.filled.column.push_word(word, Mark::OK),
                Exact::Float(x) => self.filled.column.push_float(x, Mark::OK),
                Exact::Fault(fault) => {
                    let shown = shown(array, row);
                    self.bad(row, Problem::of_number(fault, shown.as_bytes(), self.ty));
                }
                Exact::Never => return None,
            }
        }
        Some(())
    }

    /// Takes all of the numbers where each of them makes a word, which is nearly always so.
    fn words<N: Copy>(&mut self, numbers: &[N], exact: &impl Fn(N) -> Exact) -> bool {
        let mut words = Vec::with_capacity(numbers.len());
        for number in numbers {
            match exact(*number) {
                Exact::Word(word) => words.push(word),
                Exact::Float(_) | Exact::Fault(_) | Exact::Never => return false,
            }
        }
        self.filled.column = Column::words(words);
        true
    }

    fn bools(&mut self, array: &dyn Array) -> Option<()> {
        let array = array.as_boolean_opt()?;
        if self.kind != Kind::Bool {
            return None;
        }
        if array.null_count() == 0 {
            let words = array.values().iter().map(i64::from).collect();
            self.filled.column = Column::words(words);
            return Some(());
        }
        for row in 0..array.len() {
            if array.is_null(row) {
                self.null();
            } else {
                self.filled.column.push_word(i64::from(array.value(row)), Mark::OK);
            }
        }
        Some(())
    }

    fn texts<A: ArrayAccessor<Item: AsRef<[u8]>>>(&mut self, array: A) {
        for row in 0..array.len() {
            if array.is_null(row) {
                self.null();
                continue;
            }
            let item = array.value(row);
            match text_to_cell(self.ty, item.as_ref(), self.limits) {
                Ok(cell) => self.push(cell),
                Err(problem) => self.bad(row, problem),
            }
        }
    }

    fn push(&mut self, cell: Cell<'_>) {
        let column = &mut self.filled.column;
        match cell {
            Cell::Null => column.push_null(Mark::NULL),
            Cell::Word(word) => column.push_word(word, Mark::OK),
            Cell::Float(x) => column.push_float(x, Mark::OK),
            Cell::Text(text) => column.push_text(&text, Mark::OK),
            Cell::Nested(value) => column.push(&value, millrace_event::State::Ok),
        }
    }

    fn null(&mut self) {
        self.filled.column.push_null(Mark::NULL);
    }

    fn bad(&mut self, row: usize, problem: Problem) {
        self.null();
        self.filled.problems.push((row, problem));
    }
}
