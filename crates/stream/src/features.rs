//! From aggregates to features, and from features to a view: column-wise, for one row or many.

use millrace_event::expr::eval;
use millrace_event::{Column, State, Value};
use millrace_feature::plan::{Group, Source, View};

/// The group's features from the values of its aggregates, each of `rows` cells.
pub(crate) fn features_of(group: &Group, aggregates: Vec<Column>, rows: usize) -> Vec<Column> {
    let mut features: Vec<Column> = Vec::with_capacity(group.features.len());
    for feature in &group.features {
        let column = match &feature.source {
            Source::Aggregate(index) => aggregates[*index].clone(),
            Source::Derived(expr) => eval(expr, &features.iter().collect::<Vec<_>>(), rows),
        };
        features.push(match &feature.default {
            Some(default) => with_default(column, default),
            None => column,
        });
    }
    features
}

/// The view's columns from the event's fields and the features of its reads.
pub(crate) fn view_columns(view: &View, inputs: &[&Column], rows: usize) -> Vec<Column> {
    view.columns.iter().map(|c| eval(&c.expr, inputs, rows)).collect()
}

/// Puts the default where the value is null. The reason stays, except that "nothing was there"
/// becomes `default`.
fn with_default(column: Column, default: &Value) -> Column {
    let Some(marks) = column.marks() else { return column };
    if !marks.iter().any(|m| m.is_null()) {
        return column;
    }
    // An empty column of the same kind.
    let mut out = column.select(&[]);
    for row in 0..column.len() as u32 {
        let mark = column.mark(row as usize);
        if mark.is_null() {
            let state = match mark.state() {
                State::Ok | State::Empty | State::Default => State::Default,
                state @ (State::Stale | State::Limit | State::Overflow) => state,
            };
            out.push(default, state);
        } else {
            out.append(&column.select(&[row]));
        }
    }
    out
}
