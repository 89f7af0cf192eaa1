//! From the values of a view to the row of a model: one number for each of its features.
//!
//! ```text
//!   bool            0 or 1
//!   int             the nearest f64
//!   float           as it is
//!   decimal(n)      the f64 nearest to it
//!   duration        seconds: its microseconds, divided by 1,000,000
//!   string          the code of the category that the model knows by this name
//!   null            NaN, in whatever state; so is a category that the model does not know
//! ```
//!
//! `docs/reference/models.md` says it to whoever trains a model: what is not encoded alike in
//! training and in serving makes a model that is good on paper only.

use millrace_event::expr::quotient;
use millrace_event::{Column, EventTime, Span, Type, Value};
use millrace_feature::plan::View;

use crate::ServedValue;
use crate::model::{FeatureKind, Input, Mismatch, Model, ModelFeature};

/// Which column of a view each feature of a model is, once they are known to fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// By feature, the index of the view's column.
    columns: Vec<usize>,
}

impl Encoding {
    /// # Errors
    /// Every feature of the model that the view does not serve as it needs.
    pub fn new(model: &Model, view: &View) -> Result<Encoding, Vec<Mismatch>> {
        let mismatches = model.check_inputs(&inputs(view));
        if !mismatches.is_empty() {
            return Err(mismatches);
        }
        let column = |f: &ModelFeature| view.columns.iter().position(|c| *c.name == *f.name);
        Ok(Encoding { columns: model.features().iter().filter_map(column).collect() })
    }

    /// The view's column that this feature of the model is.
    pub fn column(&self, feature: usize) -> Option<usize> {
        self.columns.get(feature).copied()
    }

    /// The row of one vector, which has the view's columns.
    ///
    /// # Panics
    /// When the vector is another view's.
    pub fn row(&self, model: &Model, vector: &[ServedValue<'_>]) -> Vec<f64> {
        assert_eq!(self.columns.len(), model.features().len(), "an encoding of this model");
        let features = model.features().iter().zip(&self.columns);
        features.map(|(feature, column)| number(feature, &vector[*column].value)).collect()
    }

    /// The rows of many vectors, one after the other: `columns` are the view's, with their types.
    ///
    /// # Panics
    /// As [`Encoding::row`].
    pub fn rows(&self, model: &Model, columns: &[(&Type, &Column)], rows: usize) -> Vec<f64> {
        assert_eq!(self.columns.len(), model.features().len(), "an encoding of this model");
        let mut all = Vec::with_capacity(rows * self.columns.len());
        for row in 0..rows {
            all.extend(model.features().iter().zip(&self.columns).map(|(feature, column)| {
                let (ty, column) = columns[*column];
                number(feature, &column.value(row, ty))
            }));
        }
        all
    }
}

/// The columns of a view, as a model's features are looked up among them.
pub fn inputs(view: &View) -> Vec<Input<'_>> {
    let columns = view.columns.iter();
    columns.map(|c| Input { name: &c.name, ty: &c.ty, nullable: c.nullable }).collect()
}

/// One value as a feature of a model takes it; NaN where it is missing.
pub fn number(feature: &ModelFeature, value: &Value) -> f64 {
    match &feature.kind {
        FeatureKind::Number | FeatureKind::Category { names: None } => plain(value),
        FeatureKind::Category { names: Some(_) } => category(feature, value),
    }
}

/// A value that is no category, as every model takes it.
pub fn plain(value: &Value) -> f64 {
    match value {
        Value::Bool(flag) => f64::from(u8::from(*flag)),
        Value::Int(n) => *n as f64,
        Value::Float(x) => *x,
        Value::Decimal { mantissa, scale } => {
            quotient(i128::from(*mantissa), 10i128.pow(u32::from(*scale)))
        }
        Value::Duration(Span(micros)) => *micros as f64 / 1e6,
        // None of these fits a feature: an encoding of a view with them is not made.
        Value::Null
        | Value::Text(_)
        | Value::Timestamp(EventTime(_))
        | Value::List(_)
        | Value::Map(_) => f64::NAN,
    }
}

/// By the name under which the model file lists the category.
fn category(feature: &ModelFeature, value: &Value) -> f64 {
    let code = match value {
        Value::Text(text) => feature.code_of(text),
        Value::Int(n) => feature.code_of(&n.to_string()),
        // As pandas and as JSON write them.
        Value::Bool(true) => feature.code_of("True").or_else(|| feature.code_of("true")),
        Value::Bool(false) => feature.code_of("False").or_else(|| feature.code_of("false")),
        Value::Null
        | Value::Float(_)
        | Value::Decimal { .. }
        | Value::Timestamp(_)
        | Value::Duration(_)
        | Value::List(_)
        | Value::Map(_) => None,
    };
    code.unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use millrace_event::State;

    use super::*;
    use crate::model::CategoryName;
    use crate::scoring::tests::{MODEL, TEXT, compiled};

    fn feature(kind: FeatureKind) -> ModelFeature {
        ModelFeature { name: "x".to_owned(), kind, is_used: true, takes_missing: true }
    }

    #[test]
    fn each_type_has_one_number() {
        let of = |value: Value| number(&feature(FeatureKind::Number), &value);
        let cases: [(Value, f64); 7] = [
            (Value::Bool(false), 0.0),
            (Value::Bool(true), 1.0),
            (Value::Int(-3), -3.0),
            (Value::Float(0.1), 0.1),
            (Value::Decimal { mantissa: 1_10, scale: 2 }, 1.1),
            (Value::Decimal { mantissa: 9_007_199_254_740_993, scale: 1 }, 900_719_925_474_099.3),
            (Value::Duration(Span(1_500_001)), 1.500_001),
        ];
        for (value, expected) in cases {
            assert_eq!(of(value.clone()).to_bits(), expected.to_bits(), "{value:?}");
        }
        assert!(of(Value::Null).is_nan());
    }

    #[test]
    fn categories_go_by_the_models_names() {
        let names = ["DE", "7", "True"].map(|name| CategoryName::Text(name.to_owned()));
        let named = feature(FeatureKind::Category { names: Some(names.to_vec()) });
        assert_eq!(number(&named, &Value::text("DE")), 0.0);
        assert_eq!(number(&named, &Value::Int(7)), 1.0);
        assert_eq!(number(&named, &Value::Bool(true)), 2.0);
        assert!(number(&named, &Value::text("FR")).is_nan());
        assert!(number(&named, &Value::Null).is_nan());
        let coded = feature(FeatureKind::Category { names: None });
        assert_eq!(number(&coded, &Value::Int(7)), 7.0);
    }

    #[test]
    fn many_rows_are_encoded_as_each_alone() {
        let (plan, model) = compiled(TEXT, MODEL);
        let view = &plan.views[0];
        let encoding = Encoding::new(&model, view).unwrap();
        let values = |i: i64| match i % 3 {
            0 => vec![Value::Null, Value::Decimal { mantissa: 7 * i, scale: 2 }, Value::Null],
            _ => vec![
                Value::Int(i),
                Value::Decimal { mantissa: i, scale: 2 },
                Value::Duration(Span(i * 1_001)),
            ],
        };
        let mut columns: Vec<Column> =
            view.columns.iter().map(|c| Column::new(c.ty.physical())).collect();
        let mut alone = Vec::new();
        for i in 0..9 {
            let served: Vec<ServedValue<'_>> = view
                .columns
                .iter()
                .zip(values(i))
                .map(|(c, value)| ServedValue {
                    name: &c.name,
                    ty: &c.ty,
                    value,
                    state: State::Ok,
                    age: Span(0),
                })
                .collect();
            alone.extend(encoding.row(&model, &served));
            for (column, value) in columns.iter_mut().zip(&served) {
                column.push(&value.value, State::Ok);
            }
        }
        let typed: Vec<_> = view.columns.iter().map(|c| &c.ty).zip(&columns).collect();
        let together = encoding.rows(&model, &typed, 9);
        let bits = |row: &[f64]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&alone), bits(&together));
    }
}
