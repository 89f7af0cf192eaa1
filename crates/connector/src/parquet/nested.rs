//! Lists and maps: the children are read as one column, and each row takes its stretch of it.

use std::ops::Range;

use arrow_array::Array;
use arrow_array::cast::AsArray as _;
use arrow_schema::DataType;
use millrace_event::{Column, Mark, State, Type, Value};

use super::from_arrow::{Filled, array_to_column};
use crate::Limits;
use crate::json::{duplicate_key, sort_by_key};

pub(super) fn lists(array: &dyn Array, ty: &Type, limits: &Limits) -> Option<Filled> {
    let Type::List(of) = ty else { return None };
    let (children, ranges): (_, Vec<Range<usize>>) = match array.data_type() {
        DataType::LargeList(_) => {
            let list = array.as_list_opt::<i64>()?;
            let ends = list.value_offsets();
            (list.values(), ends.windows(2).map(|w| w[0] as usize..w[1] as usize).collect())
        }
        _ => {
            let list = array.as_list_opt::<i32>()?;
            (list.values(), i32_ranges(list.value_offsets()))
        }
    };
    let child = array_to_column(children, of, limits)?;
    Some(gather(array, ty, &ranges, &[&child], |range| {
        Value::List(range.map(|at| child.column.value(at, of)).collect())
    }))
}

pub(super) fn maps(array: &dyn Array, ty: &Type, limits: &Limits) -> Option<Filled> {
    let Type::Map(key_type, value_type) = ty else { return None };
    let map = array.as_map_opt()?;
    let keys = array_to_column(map.keys(), key_type, limits)?;
    let values = array_to_column(map.values(), value_type, limits)?;
    let ranges = i32_ranges(map.value_offsets());
    let mut repeated = Vec::new();
    let mut filled = gather(array, ty, &ranges, &[&keys, &values], |range| {
        let entry = |at| (keys.column.value(at, key_type), values.column.value(at, value_type));
        let start = range.start;
        let mut entries: Vec<(Value, Value)> = range.map(entry).collect();
        if !sort_by_key(&mut entries) {
            repeated.push(start);
        }
        Value::Map(entries)
    });
    let row_of = |start| ranges.iter().position(|range| range.contains(&start));
    for row in repeated.into_iter().filter_map(row_of) {
        filled.problems.push((row, duplicate_key()));
    }
    filled.problems.sort_by_key(|(row, _)| *row);
    Some(filled)
}

fn i32_ranges(ends: &[i32]) -> Vec<Range<usize>> {
    ends.windows(2).map(|w| w[0] as usize..w[1] as usize).collect()
}

/// One value per row, made of its range of the children; a problem of a child is one of its row.
fn gather(
    array: &dyn Array,
    ty: &Type,
    ranges: &[Range<usize>],
    children: &[&Filled],
    mut value: impl FnMut(Range<usize>) -> Value,
) -> Filled {
    let mut filled = Filled { column: Column::new(ty.physical()), problems: Vec::new() };
    for (row, range) in ranges.iter().enumerate() {
        if array.is_null(row) {
            filled.column.push_null(Mark::NULL);
            continue;
        }
        let problem = children.iter().find_map(|child| {
            let at = child.problems.partition_point(|(at, _)| *at < range.start);
            child.problems.get(at).filter(|(at, _)| *at < range.end)
        });
        match problem {
            Some((_, problem)) => {
                filled.column.push_null(Mark::NULL);
                filled.problems.push((row, problem.clone()));
            }
            None => filled.column.push(&value(range.clone()), State::Ok),
        }
    }
    filled
}
