//! From the vector of a view to an outcome: the models of a decision, and then its rules.
//!
//! ```text
//! vector ─┬▶ encoding ─▶ model ─▶ score  ─┬▶ rules ─▶ outcome
//!         └▶ encoding ─▶ model ─▶ shadow  ┆  (logged, and seen by no rule)
//! ```
//!
//! The server goes through [`Models::evaluate`]. An audit, which has scores of its own, and a
//! backtest, which has many rows, put the same parts together: the models and `decision.rs`.

use std::sync::Arc;

use millrace_event::Value;
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

/// Why there is no evaluation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEvaluated {
    #[error(transparent)]
    NotLoaded(#[from] NotLoaded),
    #[error(transparent)]
    NotScored(#[from] NotScored),
}

/// A decision needs a score that its model does not have for this vector. Deciding without it would
/// be to take the rules that do not ask for it, mostly `else`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "model `{model}` of decision `{decision}` has no score for this event{}",
    column.as_ref().map_or_else(String::new, |c| format!(": `{c}` is null, and may not be missing"))
)]
pub struct NotScored {
    pub decision: String,
    pub model: String,
    /// The first column that is null where the model needs a value; `None` where the model itself
    /// comes to nothing.
    pub column: Option<String>,
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
    /// [`NotLoaded`], as [`Models::check`]; [`NotScored`] where a model of the decision that is no
    /// shadow has no score.
    pub fn evaluate(
        &self,
        plan: &Plan,
        decision: &Decision,
        vector: &[ServedValue<'_>],
        reasons_max: usize,
    ) -> Result<Evaluation, NotEvaluated> {
        self.check(plan, decision)?;
        let score = |models: &[usize]| -> Vec<Scored> {
            models.iter().filter_map(|m| Some(self.of(*m)?.score(vector, reasons_max))).collect()
        };
        let (scores, shadows) = (score(&decision.scores), score(&decision.shadows));
        self.check_scores(plan, decision, vector, &scores)?;
        let values: Vec<f64> = scores.iter().map(|scored| scored.score.value).collect();
        let Decided { outcome, rule, reason: _ } = decide(decision, vector, &values);
        Ok(Evaluation { scores, shadows, outcome, rule })
    }

    fn check_scores(
        &self,
        plan: &Plan,
        decision: &Decision,
        vector: &[ServedValue<'_>],
        scores: &[Scored],
    ) -> Result<(), NotScored> {
        let mut scored = decision.scores.iter().zip(scores);
        let Some((model, _)) = scored.find(|(_, scored)| scored.score.value.is_nan()) else {
            return Ok(());
        };
        let lacking = self.of(*model).and_then(|loaded| loaded.lacking(vector));
        let name = plan.models.get(*model).map_or_else(String::new, |m| m.name.to_string());
        let column = lacking.map(str::to_owned);
        Err(NotScored { decision: decision.name.to_string(), model: name, column })
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
    /// The first column that is null where the model takes no missing value.
    fn lacking<'v>(&self, vector: &'v [ServedValue<'_>]) -> Option<&'v str> {
        let features = self.model.features().iter().enumerate();
        let mut needed = features.filter(|(_, feature)| !feature.takes_missing);
        needed.find_map(|(at, _)| {
            let value = vector.get(self.encoding.column(at)?)?;
            (value.value == Value::Null).then_some(value.name)
        })
    }

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
    use millrace_event::{Span, State};
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

    /// A network over the three columns of the view is what a decision needs, and may not lack any.
    #[cfg(feature = "onnx")]
    #[test]
    fn a_decision_is_not_taken_without_a_score() {
        let network =
            || Model::read(include_bytes!("model/tests/fixtures/onnx_sklearn_network.onnx"));
        let columns = "amount = amount  count = coalesce(velocity.n, 0)  ratio = 0.5
            age = coalesce(at - velocity.last, 0s)  tiny = 0.0";
        let text =
            TEXT.replace("n = velocity.n  amount = amount  idle = at - velocity.last", columns);
        let text = text.replace("review when n >= 3", "");
        let (plan, _) = compiled(&text, MODEL);
        let given = || vec![Some(Arc::new(network().unwrap())); 2];
        let models = Models::new(&plan, given()).unwrap();
        let vector = |age: Value| {
            let values = [
                Value::Decimal { mantissa: 1, scale: 2 },
                Value::Int(1),
                Value::Float(0.5),
                age,
                Value::Float(0.0),
            ];
            let columns = plan.views[0].columns.iter().zip(values);
            let served = columns.map(|(column, value)| ServedValue {
                name: &column.name,
                ty: &column.ty,
                value,
                state: State::Ok,
                age: Span(0),
            });
            served.collect::<Vec<_>>()
        };
        let known = evaluate(&models, &plan, &vector(Value::Duration(Span(1))));
        assert!(known.scores[0].score.value > 0.0 && known.scores[0].reasons.is_empty());
        // Beyond a limit a value may be null, whatever the view says.
        let beyond = vector(Value::Null);
        let error = models.evaluate(&plan, &plan.decisions[0], &beyond, 2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "model `risk` of decision `authorise` has no score for this event: `age` is null, and \
             may not be missing"
        );
        let may_be_null = text.replace("coalesce(at - velocity.last, 0s)", "at - velocity.last");
        let (plan, _) = compiled(&may_be_null, MODEL);
        let unfit = Models::new(&plan, given()).unwrap_err().to_string();
        assert!(unfit.contains("feature `age`: the input may be null"), "{unfit}");
    }
}
