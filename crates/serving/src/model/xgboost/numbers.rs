//! A JSON array of numbers, read into the very type that XGBoost holds it in.
//!
//! JSON libraries read every number as a 64-bit float first; rounded a second time to 32 bits it
//! may differ in the last bit from what XGBoost read.

use std::str::FromStr;

use serde_json::value::RawValue;

use crate::model::error::{Fault, ModelError};

/// A number takes two bytes of the text at least: what is allocated is bounded by it.
pub(super) fn numbers<T: FromStr>(
    raw: &RawValue,
    path: &dyn Fn() -> String,
) -> Result<Vec<T>, ModelError> {
    let text = raw.get().trim_ascii();
    let items = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let items = items
        .ok_or_else(|| ModelError::at(path(), Fault::unreadable(text, "a list")))?
        .trim_ascii();
    let mut list = Vec::new();
    if items.is_empty() {
        return Ok(list);
    }
    for item in items.split(',') {
        let item = match item.trim_ascii() {
            // As releases before 2.0 may write what is now 0 and 1.
            "true" => "1",
            "false" => "0",
            super::nan::QUOTED => "nan",
            item => item,
        };
        let number = item.parse().map_err(|_| {
            let fault = Fault::unreadable(item, "a number that fits here");
            ModelError::at(format!("{}[{}]", path(), list.len()), fault)
        })?;
        list.push(number);
    }
    Ok(list)
}

/// As [`numbers`], of which there must be this many.
pub(super) fn numbers_of<T: FromStr>(
    raw: &RawValue,
    path: &dyn Fn() -> String,
    what: &'static str,
    expected: usize,
) -> Result<Vec<T>, ModelError> {
    let list = numbers(raw, path)?;
    if list.len() != expected {
        let fault = Fault::Count { what, given: list.len(), expected };
        return Err(ModelError::at(path(), fault));
    }
    Ok(list)
}
