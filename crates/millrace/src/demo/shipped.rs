//! Models that are shipped with the examples, each trained on features of one age, and what they
//! are worth on a world that they have not learnt from.

use millrace_event::EventTime;
use millrace_lift::Table;
use millrace_lift::experiment::{Options, Trial, of_scores};
use millrace_lift::world::Part;
use millrace_serving::model::Model;

use super::feed::missing;
use crate::exit::Failure;
use crate::lift::freshness::Freshness;
use crate::lift::selection::{Wanted, select};
use crate::lift::study::Study;
use crate::lift::tables;
use crate::lift::truth::Truth;
use crate::lift::windows::Windows;

/// Scores the rows of a study between two times: with features of each of these ages, by the model
/// that is shipped for it. Nothing is learnt.
pub fn trial(
    study: &Study<'_>,
    truth: &Truth<'_>,
    (from, to): (EventTime, EventTime),
    ages: &[&str],
    shipped: &[(&str, &str)],
) -> Result<Trial, Failure> {
    let windows = Windows { train: from..from, test: from..to };
    let schema = &study.plan.streams[study.plan.views[study.view].stream].schema;
    let wanted = Wanted {
        windows: &windows,
        known: EventTime::MAX,
        truth: Some(truth),
        kinds: Some(truth),
        card: None,
        amount: schema.field("amount"),
        keep_every: 1,
    };
    let ages = ages.iter().map(|age| age.parse::<Freshness>().map_err(Failure::bug));
    let ages = ages.collect::<Result<Vec<_>, _>>()?;
    let world = tables::world(study, &windows, &ages, select(study, &wanted)?)?;
    let test = world.rows_of(Part::Test);
    let mut scores = Vec::new();
    for one in world.freshness() {
        scores.push(Shipped::named(&one.name, shipped)?.scores(&one.table, &test)?);
    }
    Ok(of_scores(&world, &scores, &Options::default())?)
}

/// A model that was trained on features of one age.
struct Shipped {
    model: Model,
}

impl Shipped {
    fn named(freshness: &str, shipped: &[(&str, &str)]) -> Result<Shipped, Failure> {
        let path = format!("models/{freshness}.txt");
        let file = shipped.iter().find(|(name, _)| *name == path);
        let (_, text) = file.ok_or_else(|| missing(&path))?;
        Ok(Shipped { model: Model::read(text.as_bytes()).map_err(Failure::bug)? })
    }

    /// The log-odds of rows of a table.
    fn scores(&self, table: &Table, rows: &[u32]) -> Result<Vec<f64>, Failure> {
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

#[cfg(test)]
mod tests {
    use millrace_serving::model::Size;

    use super::*;
    use crate::lift::example::compiled;

    /// The models of a project are those of its views, with all of their columns.
    fn check(texts: &[(&str, &str)], view: &str, models: &[(&str, &str)]) {
        let plan = compiled(texts).unwrap();
        let view = &plan.views[plan.view(view).unwrap()];
        let inputs = millrace_serving::inputs(view);
        for (path, text) in models {
            let read = Model::read(text.as_bytes()).unwrap();
            assert_eq!(read.check_inputs(&inputs), [], "{path}");
            assert!(matches!(read.size(), Size::Trees { trees: 100, .. }), "{path}");
            assert_eq!(read.features().len(), inputs.len(), "{path}");
        }
    }

    #[test]
    fn shipped_models_fit_their_views() {
        check(&millrace_payments::PROJECT, "checkout", &millrace_payments::MODELS);
        check(&millrace_handbook::PROJECT, "scoring", &millrace_handbook::MODELS);
    }
}
