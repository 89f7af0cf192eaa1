//! The example's models and decisions, as they are shipped.

use std::sync::Arc;

use millrace_event::Column;
use millrace_feature::plan::{Decision, Outcome, Plan};
use millrace_lift::Table;
use millrace_payments::{DECISION, MODELS, PROJECT};
use millrace_serving::Encoding;
use millrace_serving::decision::{decide_rows, score_column};
use millrace_serving::model::{Attribution, Model};
use millrace_stream::Answer;

use super::feed::missing;
use crate::exit::Failure;
use crate::lift::example::compiled;

/// Features that are told of a score.
const REASONS: usize = 2;

/// The project with its decisions.
pub fn plan() -> Result<Arc<Plan>, Failure> {
    let texts: Vec<(&str, &str)> = PROJECT.into_iter().chain([DECISION]).collect();
    compiled(&texts)
}

/// A model that was trained on features of this age.
pub struct Shipped {
    model: Model,
}

impl Shipped {
    pub fn named(freshness: &str) -> Result<Shipped, Failure> {
        let path = format!("models/{freshness}.txt");
        let file = MODELS.iter().find(|(name, _)| *name == path);
        let (_, text) = file.ok_or_else(|| missing(&path))?;
        Ok(Shipped { model: Model::read(text.as_bytes()).map_err(Failure::bug)? })
    }

    /// The log-odds of rows of a table.
    pub fn scores(&self, table: &Table, rows: &[u32]) -> Result<Vec<f64>, Failure> {
        let mut inputs = Vec::new();
        for feature in self.model.features() {
            let column = table.columns().iter().find(|column| column.name() == feature.name);
            let column = column.ok_or_else(|| missing(&feature.name))?;
            let codes: Option<Vec<f64>> = column.words().map(|words| {
                words.iter().map(|word| feature.code_of(word).unwrap_or(f64::NAN)).collect()
            });
            inputs.push((column.values(), codes));
        }
        let (mut scratch, mut values) = (self.model.scratch(), vec![f64::NAN; inputs.len()]);
        let mut scores = Vec::with_capacity(rows.len());
        for row in rows {
            for (slot, (column, codes)) in values.iter_mut().zip(&inputs) {
                let value = column.get(*row as usize).copied().unwrap_or(f64::NAN);
                *slot = match codes {
                    Some(codes) if value >= 0.0 => {
                        codes.get(value as usize).copied().unwrap_or(f64::NAN)
                    }
                    Some(_) => f64::NAN,
                    None => value,
                };
            }
            scores.push(self.model.score_row(&values, &mut scratch).raw);
        }
        Ok(scores)
    }
}

/// What became of a payment, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub outcome: Outcome,
    pub score: f64,
    /// The rule, and what made the score.
    pub reason: String,
}

/// A decision with its one model.
pub struct Judge {
    plan: Arc<Plan>,
    decision: usize,
    shipped: Shipped,
}

impl Judge {
    pub fn new(plan: &Arc<Plan>, decision: &str, freshness: &str) -> Result<Judge, Failure> {
        let index = plan.decision(decision).ok_or_else(|| missing(decision))?;
        let (plan, shipped) = (Arc::clone(plan), Shipped::named(freshness)?);
        Ok(Judge { plan, decision: index, shipped })
    }

    fn decision(&self) -> &Decision {
        &self.plan.decisions[self.decision]
    }

    /// Decides on vectors of the view.
    pub fn decide(&self, rows: &[Vec<Answer>]) -> Result<Vec<Verdict>, Failure> {
        let columns = &self.plan.views[self.decision().view].columns;
        let mut cells: Vec<Column> =
            columns.iter().map(|column| Column::new(column.ty.physical())).collect();
        for answers in rows {
            for (cell, Answer { value, state }) in cells.iter_mut().zip(answers) {
                cell.push(value, *state);
            }
        }
        self.decide_columns(&cells)
    }

    /// As [`Judge::decide`], of the view's columns.
    pub fn decide_columns(&self, cells: &[Column]) -> Result<Vec<Verdict>, Failure> {
        let model = &self.shipped.model;
        let columns = &self.plan.views[self.decision().view].columns;
        let view = &self.plan.views[self.decision().view];
        let encoding = Encoding::new(model, view)
            .map_err(|_| Failure::bug("a shipped model does not fit its view"))?;
        let typed: Vec<_> = columns.iter().map(|column| &column.ty).zip(cells).collect();
        let rows = cells.first().map_or(0, Column::len);
        let (mut scratch, mut told) = (model.scratch(), Attribution::default());
        let (mut scores, mut reasons) = (Vec::new(), Vec::new());
        let features = model.features();
        for values in encoding.rows(model, &typed, rows).chunks_exact(features.len().max(1)) {
            scores.push(model.attribute_row(values, &mut scratch, &mut told).value);
            let most = told.largest().into_iter().filter(|(_, share)| *share > 0.0).take(REASONS);
            let named = most.filter_map(|(at, _)| {
                Some(format!("{} {}", features.get(at)?.name, short(*values.get(at)?)))
            });
            reasons.push(named.collect::<Vec<_>>().join(", "));
        }
        let decided = decide_rows(self.decision(), cells, &[score_column(&scores)], rows);
        let verdicts = decided.into_iter().zip(scores.into_iter().zip(reasons));
        let verdict =
            |(decided, (score, reasons)): (millrace_serving::decision::Decided<'_>, _)| {
                let reason = format!("{}: {reasons}", decided.reason);
                Verdict { outcome: decided.outcome, score, reason }
            };
        Ok(verdicts.map(verdict).collect())
    }
}

/// A value of a feature in few signs.
fn short(value: f64) -> String {
    if value.is_nan() {
        "null".to_owned()
    } else if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_that_is_declared_is_shipped_and_fits() {
        let plan = plan().unwrap();
        assert_eq!(plan.models.len(), MODELS.len());
        for model in &plan.models {
            let (_, text) = MODELS.iter().find(|(path, _)| *path == &*model.file).unwrap();
            let read = Model::read(text.as_bytes()).unwrap();
            let columns = plan.views[model.view].columns.iter();
            let inputs: Vec<_> = columns.map(|column| (&*column.name, &column.ty)).collect();
            assert_eq!(read.check_inputs(&inputs), []);
            assert_eq!((read.trees(), read.features().len()), (100, 30));
        }
    }

    #[test]
    fn nothing_known_is_no_reason_to_block() {
        let plan = plan().unwrap();
        let judge = Judge::new(&plan, "authorise", "event").unwrap();
        let empty = |column: &millrace_feature::plan::ViewColumn| {
            let mut cells = Column::new(column.ty.physical());
            cells.push_null(millrace_event::Mark::NULL);
            cells
        };
        let cells: Vec<Column> =
            plan.views[judge.decision().view].columns.iter().map(empty).collect();
        let verdicts = judge.decide_columns(&cells).unwrap();
        assert_eq!(verdicts.len(), 1);
        assert!((0.0..=1.0).contains(&verdicts[0].score));
        let named = verdicts[0].reason.split(':').next().unwrap();
        assert!(named == "else" || named.starts_with("risk"), "{named}");
    }
}
