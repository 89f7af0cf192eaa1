//! From aggregates to features, and from features to a view: column-wise, for one row or many.

use millrace_event::expr::{Expr, Kind, eval};
use millrace_event::{Column, State, Value};
use millrace_feature::plan::{Group, Source, View};

/// The group's features from the values of its aggregates, each of `rows` cells.
pub fn features_of(group: &Group, aggregates: Vec<Column>, rows: usize) -> Vec<Column> {
    let mut aggregates = Shared::new(aggregates);
    for feature in &group.features {
        match &feature.source {
            Source::Aggregate(index) => aggregates.will_use(*index),
            Source::Derived(_) => {}
        }
    }
    let mut features: Vec<Column> = Vec::with_capacity(group.features.len());
    for feature in &group.features {
        let column = match &feature.source {
            Source::Aggregate(index) => aggregates.use_column(*index),
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
pub fn view_columns(
    view: &View,
    fields: &[Column],
    features: Vec<Column>,
    rows: usize,
) -> Vec<Column> {
    let as_feature = |expr: &Expr| {
        if let Kind::Column(index) = expr.kind { index.checked_sub(fields.len()) } else { None }
    };
    // What must be computed comes first: after that, features can be given away.
    let inputs: Vec<&Column> = fields.iter().chain(&features).collect();
    let computed = |expr: &Expr| as_feature(expr).is_none().then(|| eval(expr, &inputs, rows));
    let computed: Vec<Option<Column>> = view.columns.iter().map(|c| computed(&c.expr)).collect();
    let mut features = Shared::new(features);
    view.columns.iter().filter_map(|c| as_feature(&c.expr)).for_each(|i| features.will_use(i));
    let columns = view.columns.iter().zip(computed);
    columns
        .map(|(column, computed)| match (computed, as_feature(&column.expr)) {
            (Some(computed), _) => computed,
            (None, Some(feature)) => features.use_column(feature),
            (None, None) => eval(&column.expr, &[], rows),
        })
        .collect()
}

/// Columns that are given away at their last use, and copied before.
struct Shared {
    columns: Vec<Option<Column>>,
    uses: Vec<usize>,
}

impl Shared {
    fn new(columns: Vec<Column>) -> Shared {
        Shared { uses: vec![0; columns.len()], columns: columns.into_iter().map(Some).collect() }
    }

    fn will_use(&mut self, index: usize) {
        self.uses[index] += 1;
    }

    fn use_column(&mut self, index: usize) -> Column {
        self.uses[index] -= 1;
        let column = &mut self.columns[index];
        let used = if self.uses[index] == 0 { column.take() } else { column.clone() };
        used.expect("every use was announced, so the column is there until the last")
    }
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
            out.push_from(&column, row as usize);
        }
    }
    out
}
