use arrow_array::Array;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, DecimalType, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use crate::json::write_string;

/// A cell that no column of ours holds, as JSON for messages and dead letters: text as a string, a
/// number by its digits (a time in the column's own unit), lists and maps by their parts.
pub(super) fn shown(array: &dyn Array, row: usize) -> String {
    if array.is_null(row) {
        return "null".to_owned();
    }
    text(array, row)
        .or_else(|| NUMBERS.iter().find_map(|number| number(array, row)))
        .or_else(|| nested(array, row))
        .unwrap_or_else(|| "null".to_owned())
}

type Show = fn(&dyn Array, usize) -> Option<String>;

const NUMBERS: [Show; 24] = [
    native::<Int8Type>,
    native::<Int16Type>,
    native::<Int32Type>,
    native::<Int64Type>,
    native::<UInt8Type>,
    native::<UInt16Type>,
    native::<UInt32Type>,
    native::<UInt64Type>,
    native::<Float32Type>,
    native::<Float64Type>,
    native::<Date32Type>,
    native::<Date64Type>,
    native::<TimestampSecondType>,
    native::<TimestampMillisecondType>,
    native::<TimestampMicrosecondType>,
    native::<TimestampNanosecondType>,
    native::<DurationSecondType>,
    native::<DurationMillisecondType>,
    native::<DurationMicrosecondType>,
    native::<DurationNanosecondType>,
    decimal::<Decimal32Type>,
    decimal::<Decimal64Type>,
    decimal::<Decimal128Type>,
    decimal::<Decimal256Type>,
];

fn native<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> Option<String> {
    let text = format!("{:?}", array.as_primitive_opt::<T>()?.value(row));
    // `NaN` and `inf` are no JSON.
    let digits = text.bytes().any(|b| b.is_ascii_digit());
    Some(if digits { text } else { quoted(text.as_bytes()) })
}

fn decimal<T: DecimalType>(array: &dyn Array, row: usize) -> Option<String> {
    Some(array.as_primitive_opt::<T>()?.value_as_string(row))
}

fn text(array: &dyn Array, row: usize) -> Option<String> {
    if let Some(texts) = array.as_string_opt::<i32>() {
        Some(quoted(texts.value(row).as_bytes()))
    } else if let Some(texts) = array.as_string_opt::<i64>() {
        Some(quoted(texts.value(row).as_bytes()))
    } else if let Some(texts) = array.as_string_view_opt() {
        Some(quoted(texts.value(row).as_bytes()))
    } else if let Some(bytes) = array.as_binary_opt::<i32>() {
        Some(quoted(bytes.value(row)))
    } else if let Some(bytes) = array.as_binary_opt::<i64>() {
        Some(quoted(bytes.value(row)))
    } else if let Some(bytes) = array.as_binary_view_opt() {
        Some(quoted(bytes.value(row)))
    } else {
        array.as_boolean_opt().map(|bools| bools.value(row).to_string())
    }
}

fn quoted(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    write_string(&mut out, &String::from_utf8_lossy(bytes));
    String::from_utf8(out).unwrap_or_default()
}

fn nested(array: &dyn Array, row: usize) -> Option<String> {
    let all = |array: &dyn Array| -> Vec<String> {
        (0..array.len()).map(|at| shown(array, at)).collect()
    };
    if let Some(list) = array.as_list_opt::<i32>() {
        Some(format!("[{}]", all(&list.value(row)).join(",")))
    } else if let Some(list) = array.as_list_opt::<i64>() {
        Some(format!("[{}]", all(&list.value(row)).join(",")))
    } else if let Some(map) = array.as_map_opt() {
        let entries = map.value(row);
        let names = all(entries.column(0))
            .into_iter()
            .map(|name| if name.starts_with('"') { name } else { quoted(name.as_bytes()) });
        let members =
            names.zip(all(entries.column(1))).map(|(name, value)| format!("{name}:{value}"));
        Some(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
    } else if let Some(dictionary) = array.as_any_dictionary_opt() {
        let value = *dictionary.normalized_keys().get(row)?;
        Some(shown(dictionary.values(), value))
    } else {
        None
    }
}
