//! What becomes of an event: the rules of a decision over the vector and the scores.
//!
//! Nothing else goes in, so that a logged vector with its scores is decided again as it was.

use millrace_event::expr::eval;
use millrace_event::{Column, Mark, State, Type};
use millrace_feature::plan::{Decision, Outcome};

use crate::ServedValue;

/// The reason where no rule's condition is true.
const OTHERWISE: &str = "else";

/// An outcome, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided<'d> {
    pub outcome: Outcome,
    /// Index into the decision's rules; `None` for its `else`.
    pub rule: Option<usize>,
    /// The rule's name, or its condition as it is written.
    pub reason: &'d str,
}

/// Decides on one vector: the view's values as they are served, and the scores of the decision's
/// models in its order. A score that is not finite is null, and makes no condition true.
pub fn decide<'d>(
    decision: &'d Decision,
    vector: &[ServedValue<'_>],
    scores: &[f64],
) -> Decided<'d> {
    let mut columns: Vec<Column> = vector.iter().map(cell).collect();
    columns.extend(scores.iter().map(|score| score_column(&[*score])));
    let (vector, scores) = columns.split_at(vector.len());
    let decided = decide_rows(decision, vector, scores, 1);
    decided.into_iter().next().unwrap_or_else(|| otherwise(decision))
}

/// Decides on every row: `vector` are the view's columns, `scores` those of the decision's models
/// in its order (see [`score_column`]), each of `rows` cells.
pub fn decide_rows<'d>(
    decision: &'d Decision,
    vector: &[Column],
    scores: &[Column],
    rows: usize,
) -> Vec<Decided<'d>> {
    assert_eq!(scores.len(), decision.scores.len(), "a score for each model of the decision");
    let columns: Vec<&Column> = vector.iter().chain(scores).collect();
    assert!(columns.iter().all(|column| column.len() == rows), "a cell for each row");
    let mut decided: Vec<Option<Decided<'d>>> = vec![None; rows];
    for (index, rule) in decision.rules.iter().enumerate() {
        if decided.iter().all(Option::is_some) {
            break;
        }
        let (outcome, reason) = (rule.outcome, &*rule.reason);
        let truth = eval(&rule.condition, &columns, rows);
        for (row, (slot, word)) in decided.iter_mut().zip(truth.as_words()).enumerate() {
            let is_true = *word != 0 && !truth.is_null(row);
            if is_true && slot.is_none() {
                *slot = Some(Decided { outcome, rule: Some(index), reason });
            }
        }
    }
    decided.into_iter().map(|d| d.unwrap_or_else(|| otherwise(decision))).collect()
}

/// The scores of one model as a column. One that is not finite is null, in the state `overflow`,
/// as any float that is none of the language.
pub fn score_column(scores: &[f64]) -> Column {
    let mut column = Column::new(Type::Float.physical());
    for score in scores {
        match score.is_finite() {
            // Without a negative zero, as any float of the language.
            true => column.push_float(score + 0.0, Mark::OK),
            false => column.push_null(Mark::null(State::Overflow)),
        }
    }
    column
}

fn otherwise(decision: &Decision) -> Decided<'_> {
    Decided { outcome: decision.otherwise, rule: None, reason: OTHERWISE }
}

fn cell(value: &ServedValue<'_>) -> Column {
    let mut column = Column::new(value.ty.physical());
    column.push(&value.value, value.state);
    column
}

#[cfg(test)]
mod tests {
    use millrace_event::{Span, Value};
    use millrace_feature::plan::Plan;
    use millrace_feature::{SourceFile, compile, render};

    use super::*;

    const TEXT: &str = "entity card, device
        stream payment { id : string id at : timestamp time card : card device : device x : int }
        features velocity by card from payment { n = count() over 5m }
        features device_risk by device from payment { cards = distinct(card) over 1h }
        view checkout on payment { use velocity  x = x  devices = device_risk.cards }
        model risk { file \"risk.txt\" inputs checkout }
        model other { file \"other.txt\" inputs checkout }
        model next { file \"next.txt\" inputs checkout }
        decision authorise on checkout {
          score other
          shadow next
          score risk
          block  when risk >= 0.9
          block  \"many cards\" when device_risk.cards >= 5
          allow  when n = 0 and other < 0.5
          review when risk >= 0.5 or other >= 0.5
          else   allow
        }
        decision by_rules on checkout { review when x > 10 else block }";

    fn plan() -> Plan {
        let sources = [SourceFile::new("a.mill", TEXT)];
        let compiled = compile(&sources);
        compiled.plan.unwrap_or_else(|| panic!("{}", render(&compiled.diagnostics, &sources)))
    }

    /// Decides on n, x and devices, null where there is nothing.
    fn decided(
        plan: &Plan,
        name: &str,
        vector: [Option<i64>; 3],
        scores: &[f64],
    ) -> (Outcome, Option<usize>, String) {
        let decision = &plan.decisions[plan.decision(name).unwrap()];
        let view = &plan.views[decision.view];
        let served: Vec<ServedValue<'_>> = view
            .columns
            .iter()
            .zip(vector)
            .map(|(column, n)| ServedValue {
                name: &column.name,
                ty: &column.ty,
                value: n.map_or(Value::Null, Value::Int),
                state: if n.is_some() { State::Ok } else { State::Empty },
                age: Span(0),
            })
            .collect();
        let Decided { outcome, rule, reason } = decide(decision, &served, scores);
        (outcome, rule, reason.to_owned())
    }

    #[test]
    fn the_first_true_rule_decides() {
        let plan = plan();
        let of = |vector, scores: [f64; 2]| decided(&plan, "authorise", vector, &scores);
        let some = |n, x, devices| [Some(n), Some(x), Some(devices)];
        let (block, review, allow) = (Outcome::Block, Outcome::Review, Outcome::Allow);
        // Scores stand in the order of the text: other, risk.
        let first = "risk >= 0.9".to_owned();
        assert_eq!(of(some(1, 1, 9), [0.0, 0.9]), (block, Some(0), first));
        let named = "many cards".to_owned();
        assert_eq!(of(some(1, 1, 5), [0.0, 0.6]), (block, Some(1), named));
        let quiet = "n = 0 and other < 0.5".to_owned();
        assert_eq!(of(some(0, 1, 4), [0.4, 0.6]), (allow, Some(2), quiet));
        let third = "risk >= 0.5 or other >= 0.5".to_owned();
        assert_eq!(of(some(1, 1, 4), [0.5, 0.0]), (review, Some(3), third));
        assert_eq!(of(some(1, 1, 4), [0.4, 0.4]), (allow, None, "else".to_owned()));
    }

    #[test]
    fn null_is_not_true() {
        let plan = plan();
        let of = |vector, scores: [f64; 2]| decided(&plan, "authorise", vector, &scores);
        assert_eq!(of([None, None, None], [0.4, 0.4]).1, None);
        assert_eq!(of([None, None, None], [0.4, 0.6]).1, Some(3));
        assert_eq!(of([Some(1), None, None], [f64::NAN, f64::INFINITY]).1, None);
        // `null or true` is true.
        assert_eq!(of([Some(1), None, None], [f64::NAN, 0.5]).1, Some(3));
    }

    #[test]
    fn a_decision_may_have_rules_only() {
        let plan = plan();
        let of = |x| decided(&plan, "by_rules", [None, x, None], &[]);
        assert_eq!(of(Some(11)), (Outcome::Review, Some(0), "x > 10".to_owned()));
        assert_eq!(of(Some(10)), (Outcome::Block, None, "else".to_owned()));
        assert_eq!(of(None).0, Outcome::Block);
    }

    #[test]
    fn many_rows_are_decided_as_each_alone() {
        let plan = plan();
        let decision = &plan.decisions[plan.decision("authorise").unwrap()];
        let rows: Vec<([Option<i64>; 3], [f64; 2])> = (0..60)
            .map(|i| {
                let some = |n: i64, step: i64| (n % step != 0).then_some(n % 7);
                let score = |n: i64| (n % 11) as f64 / 10.0;
                ([some(i, 5), some(i, 3), some(i, 4)], [score(i), score(i * 7)])
            })
            .collect();
        let mut vector = vec![Column::new(Type::Int.physical()); 3];
        for (values, _) in &rows {
            for (column, value) in vector.iter_mut().zip(values) {
                column.push(&value.map_or(Value::Null, Value::Int), State::Ok);
            }
        }
        let scores = [0, 1].map(|at| {
            score_column(&rows.iter().map(|(_, scores)| scores[at]).collect::<Vec<f64>>())
        });
        let all = decide_rows(decision, &vector, &scores, rows.len());
        let mut rules = Vec::new();
        for (together, (vector, scores)) in all.iter().zip(&rows) {
            let alone = decided(&plan, "authorise", *vector, scores);
            assert_eq!(alone, (together.outcome, together.rule, together.reason.to_owned()));
            rules.push(together.rule);
        }
        for rule in [None, Some(0), Some(1), Some(3)] {
            assert!(rules.contains(&rule), "{rule:?} is not tried");
        }
        let none = [score_column(&[]), score_column(&[])];
        let empty = vec![Column::new(Type::Int.physical()); 3];
        assert_eq!(decide_rows(decision, &empty, &none, 0), []);
    }
}
