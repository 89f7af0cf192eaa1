//! From the vector of a view to an outcome: the models of a decision, and then its rules.
//!
//! ```text
//! vector ─┬▶ encoding ─▶ model ─▶ score  ─┬▶ rules ─▶ outcome
//!         └▶ encoding ─▶ model ─▶ shadow  ┆  (logged, and seen by no rule)
//! ```
//!
//! The server, a replay and an audit all go through [`Models::evaluate`], so that what was decided
//! is decided again by the same code.

use std::sync::Arc;

use millrace_feature::plan::{Decision, Outcome, Plan};

use crate::ServedValue;
use crate::decision::{Decided, decide};
use crate::encoding::Encoding;
use crate::model::{Attribution, Mismatch, Model, Score};

/// The models of a plan that were read and fit their views.
#[derive(Clone, Debug, Default)]
pub struct Models {
    /// By the plan's index; `None` where a model was not given.
    loaded: Vec<Option<Loaded>>,
}

#[derive(Clone, Debug)]
struct Loaded {
    model: Arc<Model>,
    encoding: Encoding,
}

/// A model asks for what its view does not serve.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "model `{model}` ({file}) does not fit its inputs, view `{view}`:{}\n  change the columns of \
     the view, or train the model on what the view serves",
    mismatches.iter().map(|m| format!("\n  {m}")).collect::<String>()
)]
pub struct Unfit {
    pub model: String,
    pub file: String,
    pub view: String,
    pub mismatches: Vec<Mismatch>,
}

/// A decision needs a model that was not given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model `{model}` of decision `{decision}` is not loaded")]
pub struct NotLoaded {
    pub decision: String,
    pub model: String,
}

/// What a decision makes of one vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// By the decision's `scores`, and by its `shadows`.
    pub scores: Vec<Scored>,
    pub shadows: Vec<Scored>,
    pub outcome: Outcome,
    /// Index into the decision's rules; `None` for its `else`.
    pub rule: Option<usize>,
}

/// A model's score, with what made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    pub score: Score,
    /// The features that add most to the raw score, the largest first.
    pub reasons: Vec<Reason>,
}

/// What one feature adds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reason {
    /// Index into the view's columns.
    pub column: usize,
    pub contribution: f64,
}

impl Models {
    /// `given` has a model for each of the plan's, where there is one.
    ///
    /// # Errors
    /// [`Unfit`] for the first that asks for what its view does not serve.
    pub fn new(plan: &Plan, given: Vec<Option<Arc<Model>>>) -> Result<Models, Unfit> {
        assert_eq!(given.len(), plan.models.len(), "a place for each model of the plan");
        let mut loaded = Vec::with_capacity(given.len());
        for (definition, model) in plan.models.iter().zip(given) {
            let Some(model) = model else {
                loaded.push(None);
                continue;
            };
            let view = &plan.views[definition.view];
            let encoding = Encoding::new(&model, view).map_err(|mismatches| Unfit {
                model: definition.name.to_string(),
                file: definition.file.to_string(),
                view: view.name.to_string(),
                mismatches,
            })?;
            loaded.push(Some(Loaded { model, encoding }));
        }
        Ok(Models { loaded })
    }

    pub fn get(&self, model: usize) -> Option<&Arc<Model>> {
        self.loaded.get(model)?.as_ref().map(|loaded| &loaded.model)
    }

    /// Whether every model of the decision, shadows included, is there.
    ///
    /// # Errors
    /// [`NotLoaded`] names the first that is not.
    pub fn check(&self, plan: &Plan, decision: &Decision) -> Result<(), NotLoaded> {
        let absent =
            decision.scores.iter().chain(&decision.shadows).find(|m| self.of(**m).is_none());
        match absent.and_then(|model| plan.models.get(*model)) {
            None => Ok(()),
            Some(model) => Err(NotLoaded {
                decision: decision.name.to_string(),
                model: model.name.to_string(),
            }),
        }
    }

    /// Scores and decides; of each score the `reasons_max` features that add most are told.
    ///
    /// # Errors
    /// [`NotLoaded`], as [`Models::check`].
    pub fn evaluate(
        &self,
        plan: &Plan,
        decision: &Decision,
        vector: &[ServedValue<'_>],
        reasons_max: usize,
    ) -> Result<Evaluation, NotLoaded> {
        self.check(plan, decision)?;
        let score = |models: &[usize]| -> Vec<Scored> {
            models.iter().filter_map(|m| Some(self.of(*m)?.score(vector, reasons_max))).collect()
        };
        let (scores, shadows) = (score(&decision.scores), score(&decision.shadows));
        let values: Vec<f64> = scores.iter().map(|scored| scored.score.value).collect();
        let Decided { outcome, rule, reason: _ } = decide(decision, vector, &values);
        Ok(Evaluation { scores, shadows, outcome, rule })
    }

    /// The score of one model alone; `None` where it is not loaded.
    pub fn score(&self, model: usize, vector: &[ServedValue<'_>]) -> Option<Score> {
        Some(self.of(model)?.score(vector, 0).score)
    }

    fn of(&self, model: usize) -> Option<&Loaded> {
        self.loaded.get(model)?.as_ref()
    }
}

impl Loaded {
    fn score(&self, vector: &[ServedValue<'_>], reasons_max: usize) -> Scored {
        let row = self.encoding.row(&self.model, vector);
        let mut scratch = self.model.scratch();
        if reasons_max == 0 {
            let score = self.model.score_row(&row, &mut scratch);
            return Scored { score, reasons: Vec::new() };
        }
        let mut attribution = Attribution::default();
        let score = self.model.attribute_row(&row, &mut scratch, &mut attribution);
        let largest = attribution.largest();
        let reason = |(feature, contribution): (usize, f64)| {
            let column = self.encoding.column(feature)?;
            Some(Reason { column, contribution })
        };
        let reasons = largest.into_iter().take(reasons_max).filter_map(reason).collect();
        Scored { score, reasons }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use millrace_event::{Span, State, Value};
    use millrace_feature::{SourceFile, compile, render};

    use super::*;

    pub(crate) const TEXT: &str = "entity card
        stream payment { id : string id at : timestamp time card : card amount : decimal(2) }
        features velocity by card from payment { n = count() over 5m last = last(at) }
        view checkout on payment { n = velocity.n  amount = amount  idle = at - velocity.last }
        model risk { file \"risk.txt\" inputs checkout }
        model next { file \"next.txt\" inputs checkout }
        decision authorise on checkout {
          score risk
          shadow next
          block  when risk >= 0.9
          review when n >= 3
          else   allow
        }";
    /// Two trees over the view's columns: many payments, a high amount, and seconds since the last.
    pub(crate) const MODEL: &str = "tree
version=v4
num_class=1
num_tree_per_iteration=1
max_feature_idx=2
objective=binary sigmoid:1
feature_names=n amount idle
tree_sizes=1 1

Tree=0
num_leaves=3
num_cat=0
split_feature=0 1
threshold=2.5 50
decision_type=10 10
left_child=-1 -2
right_child=1 -3
leaf_value=-1 0.5 3
leaf_count=60 30 10
is_linear=0
shrinkage=1


Tree=1
num_leaves=2
num_cat=0
split_feature=2
threshold=60
decision_type=8
left_child=-1
right_child=-2
leaf_value=1 -0.5
leaf_count=40 60
is_linear=0
shrinkage=1


end of trees
";

    pub(crate) fn compiled(text: &str, model: &str) -> (Plan, Model) {
        let sources = [SourceFile::new("a.mill", text)];
        let compiled = compile(&sources);
        let plan =
            compiled.plan.unwrap_or_else(|| panic!("{}", render(&compiled.diagnostics, &sources)));
        (plan, Model::read(model.as_bytes()).unwrap())
    }

    fn vector(plan: &Plan, n: i64, cents: i64, idle: Option<i64>) -> Vec<ServedValue<'_>> {
        let idle = idle.map_or(Value::Null, |seconds| Value::Duration(Span::seconds(seconds)));
        let values = [Value::Int(n), Value::Decimal { mantissa: cents, scale: 2 }, idle];
        let columns = plan.views[0].columns.iter().zip(values);
        columns
            .map(|(column, value)| ServedValue {
                name: &column.name,
                ty: &column.ty,
                value,
                state: State::Ok,
                age: Span(0),
            })
            .collect()
    }

    fn evaluate(models: &Models, plan: &Plan, vector: &[ServedValue<'_>]) -> Evaluation {
        models.evaluate(plan, &plan.decisions[0], vector, 2).unwrap()
    }

    #[test]
    fn a_vector_is_scored_explained_and_decided_on() {
        let (plan, model) = compiled(TEXT, MODEL);
        let model = Arc::new(model);
        let given = vec![Some(Arc::clone(&model)), Some(model)];
        let models = Models::new(&plan, given).unwrap();
        let of = |n, cents, idle| evaluate(&models, &plan, &vector(&plan, n, cents, idle));
        let high = of(4, 99_00, Some(3));
        assert_eq!(
            (high.scores[0].score.raw, high.outcome, high.rule),
            (4.0, Outcome::Block, Some(0))
        );
        // The amount took the row from the mean of its siblings to the highest leaf.
        assert_eq!(high.scores[0].reasons.iter().map(|r| r.column).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(high.shadows, high.scores, "the same model on the same vector");
        let busy = of(4, 1_00, Some(3));
        assert_eq!(
            (busy.scores[0].score.raw, busy.outcome, busy.rule),
            (1.5, Outcome::Review, Some(1))
        );
        // Nothing is known of the card: the missing idle time goes right.
        let new = of(0, 1_00, None);
        assert_eq!((new.scores[0].score.raw, new.outcome, new.rule), (-1.5, Outcome::Allow, None));
    }

    #[test]
    fn a_model_that_asks_for_more_than_its_view_serves_is_refused() {
        let text = TEXT.replace("idle = at - velocity.last", "idel = at - velocity.last");
        let (plan, model) = compiled(&text, MODEL);
        let unfit = Models::new(&plan, vec![Some(Arc::new(model)), None]).unwrap_err();
        let told = unfit.to_string();
        for part in ["model `risk` (risk.txt)", "view `checkout`", "`idle`", "did you mean `idel`"]
        {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_decision_without_its_models_is_not_taken() {
        let (plan, model) = compiled(TEXT, MODEL);
        let models = Models::new(&plan, vec![Some(Arc::new(model)), None]).unwrap();
        let vector = vector(&plan, 0, 0, None);
        let error = models.evaluate(&plan, &plan.decisions[0], &vector, 0).unwrap_err();
        assert_eq!(error.to_string(), "model `next` of decision `authorise` is not loaded");
        assert!(Models::default().check(&plan, &plan.decisions[0]).is_err());
    }
}
