//! What was logged beside what is computed again, bit for bit.

use std::fmt;

use millrace_connector::value_to_json;
use millrace_event::{Column, Type};
use millrace_serving::model::Score;

use crate::audit::Recomputed;
use crate::entries::Entry;
use crate::forms::ModelForm;

/// Where in a decision.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// A value of the vector, or its state.
    Feature(String),
    Score(String),
    Shadow(String),
    /// The outcome, or the rule that gave it.
    Outcome,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Feature(name) => write!(f, "feature {name}"),
            Part::Score(name) => write!(f, "score {name}"),
            Part::Shadow(name) => write!(f, "shadow score {name}"),
            Part::Outcome => f.write_str("outcome"),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    pub part: Part,
    pub logged: String,
    pub recomputed: String,
}

/// A value and its state, as people read them.
pub fn cell_text(cell: &Column, ty: &Type) -> String {
    format!("{} ({})", value_to_json(&cell.value(0, ty), ty), cell.mark(0).state().name())
}

pub fn score_text(score: &Score) -> String {
    format!("{:?} (raw {:?})", score.value, score.raw)
}

/// The outcome and what gave it.
pub fn outcome_text(
    entry: &Entry,
    outcome: (millrace_feature::plan::Outcome, Option<usize>),
) -> String {
    format!("{} ({})", outcome.0, entry.form().reason(outcome.1))
}

/// Every part that differs, in the order in which a decision is made. What could not be recomputed
/// is not compared.
pub(crate) fn compare(entry: &Entry, recomputed: &Recomputed) -> Vec<Difference> {
    let (form, record) = (entry.form(), &entry.record);
    let mut differences = Vec::new();
    let cells = record.vector.iter().zip(&recomputed.vector);
    for ((logged, again), column) in cells.zip(&form.columns) {
        if bytes_of(logged) != bytes_of(again) {
            differences.push(Difference {
                part: Part::Feature(column.name.clone()),
                logged: cell_text(logged, &column.ty),
                recomputed: cell_text(again, &column.ty),
            });
        }
    }
    let (scores, shadows) = (&recomputed.scores, &recomputed.shadows);
    differences.extend(compare_scores(&record.scores, scores, &form.scores, Part::Score));
    differences.extend(compare_scores(&record.shadows, shadows, &form.shadows, Part::Shadow));
    let logged = (record.outcome, record.rule);
    if let Some(again) = recomputed.outcome.filter(|again| *again != logged) {
        differences.push(Difference {
            part: Part::Outcome,
            logged: outcome_text(entry, logged),
            recomputed: outcome_text(entry, again),
        });
    }
    differences
}

fn compare_scores(
    logged: &[Score],
    recomputed: &[Option<Score>],
    models: &[ModelForm],
    part: fn(String) -> Part,
) -> Vec<Difference> {
    let bits = |score: &Score| (score.raw.to_bits(), score.value.to_bits());
    let pairs = logged.iter().zip(recomputed).zip(models);
    pairs
        .filter_map(|((logged, again), model)| {
            let again = again.as_ref().filter(|again| bits(again) != bits(logged))?;
            Some(Difference {
                part: part(model.name.clone()),
                logged: score_text(logged),
                recomputed: score_text(again),
            })
        })
        .collect()
}

/// The cell and its state, as a log has them: equal bytes are equal bits.
fn bytes_of(cell: &Column) -> Vec<u8> {
    let mut bytes = Vec::new();
    cell.encode(&mut bytes);
    bytes
}
