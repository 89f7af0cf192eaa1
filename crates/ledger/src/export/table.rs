//! The rows of one file, as typed columns.

use std::path::Path;

use millrace_connector::{RowWriter, WriteOptions};
use millrace_event::{Column, Mark, State, Type, Value};

use crate::entries::Entry;
use crate::error::LedgerError;
use crate::forms::DecisionForm;

/// What a row takes beside its cells: names, hashes and numbers. About, and rather too much.
const ROW_BYTES: usize = 512;
const MODEL_BYTES: usize = 128;
const STATE_BYTES: usize = 32;

/// The rows of one file.
pub(super) struct Table {
    first: u64,
    form: DecisionForm,
    columns: Vec<(String, Type, Column)>,
    rows: usize,
}

impl Table {
    pub fn new(entry: &Entry) -> Table {
        let form = entry.form().clone();
        let mut columns: Vec<(String, Type)> = vec![
            ("id".to_owned(), Type::String),
            ("decided_at".to_owned(), Type::Timestamp),
            ("outcome".to_owned(), Type::String),
            ("reason".to_owned(), Type::String),
            ("rule".to_owned(), Type::Int),
            ("frontier".to_owned(), Type::Int),
            ("definition".to_owned(), Type::String),
            ("view_definition".to_owned(), Type::String),
        ];
        for (kind, models) in [("score", &form.scores), ("shadow", &form.shadows)] {
            for model in models {
                columns.push((format!("{kind}__{}", model.name), Type::Float));
                columns.push((format!("{kind}_raw__{}", model.name), Type::Float));
                columns.push((format!("{kind}_model__{}", model.name), Type::String));
            }
        }
        columns.extend(form.groups.iter().map(|g| (format!("age__{g}"), Type::Duration)));
        columns.extend(form.fields.iter().map(|f| (format!("event__{}", f.name), f.ty.clone())));
        for column in &form.columns {
            columns.push((format!("vector__{}", column.name), column.ty.clone()));
            columns.push((format!("state__{}", column.name), Type::String));
        }
        let empty = |(name, ty): (String, Type)| {
            let column = Column::new(ty.physical());
            (name, ty, column)
        };
        let columns = columns.into_iter().map(empty).collect();
        Table { first: entry.offset, form, columns, rows: 0 }
    }

    /// About how many bytes this decision takes in a table.
    pub fn bytes_of(entry: &Entry) -> usize {
        let record = &entry.record;
        let cells: usize = record.event.iter().chain(&record.vector).map(Column::bytes).sum();
        let models = record.scores.len() + record.shadows.len();
        cells + ROW_BYTES + MODEL_BYTES * models + STATE_BYTES * record.vector.len()
    }

    /// In the order of [`Table::new`].
    pub fn push(&mut self, entry: &Entry) {
        let record = &entry.record;
        let form = &self.form;
        let mut columns = self.columns.iter_mut().map(|(_, _, column)| column);
        let mut push = |value: Value| {
            if let Some(column) = columns.next() {
                column.push(&value, State::Ok);
            }
        };
        push(Value::text(&record.id.to_string()));
        push(Value::Timestamp(record.decided_at));
        push(Value::text(record.outcome.name()));
        push(Value::text(form.reason(record.rule)));
        push(record.rule.map_or(Value::Null, |rule| Value::Int(rule as i64)));
        push(Value::Int(i64::try_from(record.frontier).unwrap_or(i64::MAX)));
        push(Value::text(&form.hash));
        push(Value::text(&form.view_hash));
        let scores = form.scores.iter().zip(&record.scores);
        for (model, score) in scores.chain(form.shadows.iter().zip(&record.shadows)) {
            for number in [score.value, score.raw] {
                if let Some(column) = columns.next() {
                    column.push_float(number, Mark::OK);
                }
            }
            if let Some(column) = columns.next() {
                column.push(&Value::text(&model.hash), State::Ok);
            }
        }
        for age in &record.ages {
            if let Some(column) = columns.next() {
                column.push(&Value::Duration(*age), State::Ok);
            }
        }
        for (cell, column) in record.event.iter().zip(columns.by_ref()) {
            column.append(cell);
        }
        for cell in &record.vector {
            if let Some(column) = columns.next() {
                column.append(cell);
            }
            if let Some(column) = columns.next() {
                column.push(&Value::text(cell.mark(0).state().name()), State::Ok);
            }
        }
        self.rows += 1;
    }

    pub fn write(&self, folder: &Path) -> Result<(), LedgerError> {
        let path = folder.join(format!("{:020}.parquet", self.first));
        let declared: Vec<(&str, Type)> =
            self.columns.iter().map(|(name, ty, _)| (name.as_str(), ty.clone())).collect();
        let mut writer = RowWriter::create(&path, &declared, WriteOptions::default())?;
        let columns: Vec<&Column> = self.columns.iter().map(|(_, _, column)| column).collect();
        writer.write(&columns, 0..self.rows)?;
        Ok(writer.finish()?)
    }
}
