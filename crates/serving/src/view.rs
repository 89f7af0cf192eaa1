//! A view's columns, each as fresh as the groups it was computed from.

use millrace_event::expr::Kind;
use millrace_event::{Span, State, Value};
use millrace_feature::plan::{Feature, Plan, View};
use millrace_stream::Answer;

use crate::freshness::{TooOld, Verdict, judge, last_good};
use crate::group::stand_in;
use crate::{Served, ServedValue};

/// Which groups each column of a view was computed from: worked out once per view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewSources {
    columns: Vec<ColumnSources>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ColumnSources {
    /// Indexes into the view's reads, ascending.
    reads: Vec<usize>,
    /// The group and feature, when the column is just that feature.
    feature: Option<(usize, usize)>,
}

impl ViewSources {
    pub fn of(plan: &Plan, view: &View) -> ViewSources {
        // The row that a column's expression sees: the stream's fields, then each read's features.
        let mut origin: Vec<Option<(usize, usize)>> =
            vec![None; plan.streams[view.stream].schema.fields.len()];
        for (at, read) in view.reads.iter().enumerate() {
            let features = plan.groups[read.group].features.len();
            origin.extend((0..features).map(|feature| Some((at, feature))));
        }
        let origin_of = |index: usize| origin.get(index).copied().flatten();
        let columns = view.columns.iter().map(|column| {
            let mut reads = Vec::new();
            column.expr.for_each_column(&mut |index| {
                reads.extend(origin_of(index).map(|(read, _)| read));
            });
            reads.sort_unstable();
            reads.dedup();
            let feature = match column.expr.kind {
                Kind::Column(index) => origin_of(index),
                Kind::Literal(_)
                | Kind::Unary(..)
                | Kind::Binary(..)
                | Kind::In(..)
                | Kind::If(..)
                | Kind::Coalesce(_)
                | Kind::Least(_)
                | Kind::Greatest(_) => None,
            };
            let group_of = |(read, feature): (usize, usize)| (view.reads[read].group, feature);
            ColumnSources { reads, feature: feature.map(group_of) }
        });
        ViewSources { columns: columns.collect() }
    }
}

/// One evaluation of a view, completed: `answers` are the engine's, one per column, and
/// `group_ages` the ages of what it read, one per read.
///
/// A column is as old as the oldest group it was computed from, and the strictest verdict of these
/// groups holds for it. When a group is too old to be used, a column that is just one of its
/// features is that feature's stand-in (see [`crate::serve_group`]), and one that is computed is
/// null, in the state `stale`. Columns over the event alone are as they are.
///
/// # Errors
/// [`TooOld`] when a group that the view reads refuses an answer of its age.
pub fn serve_view<'p>(
    plan: &'p Plan,
    view: &'p View,
    sources: &ViewSources,
    answers: Vec<Answer>,
    group_ages: &[Span],
    frontier: u64,
) -> Result<Served<'p>, TooOld> {
    assert_eq!(answers.len(), view.columns.len(), "an answer for each column");
    assert_eq!(group_ages.len(), view.reads.len(), "an age for each read");
    let mut verdicts = Vec::with_capacity(view.reads.len());
    for (read, age) in view.reads.iter().zip(group_ages) {
        let group = &plan.groups[read.group];
        let verdict = judge(group.freshness, *age);
        if let Verdict::Refuse { bound } = verdict {
            return Err(TooOld { group: group.name.to_string(), age: *age, bound });
        }
        verdicts.push(verdict);
    }
    let columns = view.columns.iter().zip(&sources.columns).zip(answers);
    let values = columns.map(|((column, from), answer)| {
        let age = from.reads.iter().map(|r| group_ages[*r]).max().unwrap_or(Span(0));
        let worst = strictest(from.reads.iter().map(|r| verdicts[*r]));
        let feature = from.feature.map(|(group, f)| &plan.groups[group].features[f]);
        let Answer { value, state } = complete(worst, feature, answer);
        ServedValue { name: &column.name, ty: &column.ty, value, state, age }
    });
    Ok(Served { definition: view.hash, frontier, values: values.collect() })
}

fn complete(verdict: Verdict, feature: Option<&Feature>, answer: Answer) -> Answer {
    match verdict {
        Verdict::Fresh => answer,
        Verdict::LastGood => last_good(answer),
        Verdict::Default | Verdict::Refuse { .. } => match feature {
            Some(feature) => stand_in(feature),
            None => Answer { value: Value::Null, state: State::Stale },
        },
    }
}

fn strictest(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Fresh => 0,
        Verdict::LastGood => 1,
        Verdict::Default => 2,
        Verdict::Refuse { .. } => 3,
    };
    verdicts.max_by_key(rank).unwrap_or(Verdict::Fresh)
}

#[cfg(test)]
mod tests {
    use millrace_event::EventTime;
    use millrace_feature::plan::{Freshness, Stale};

    use super::*;
    use crate::group::tests::{DEVICE_CARD, plan};

    fn answers() -> Vec<Answer> {
        let ok = |value| Answer { value, state: State::Ok };
        vec![
            ok(Value::Float(2.5)),
            ok(Value::Int(4)),
            ok(Value::Int(5)),
            ok(Value::Timestamp(EventTime(7))),
        ]
    }

    fn serve(ages: [Span; 2]) -> Vec<(Value, State, Span)> {
        let plan = plan();
        let view = &plan.views[0];
        let sources = ViewSources::of(&plan, view);
        let served = serve_view(&plan, view, &sources, answers(), &ages, 3).unwrap();
        served.values.iter().map(|v| (v.value.clone(), v.state, v.age)).collect()
    }

    #[test]
    fn columns_know_the_groups_they_come_from() {
        let plan = plan();
        let sources = ViewSources::of(&plan, &plan.views[0]);
        let reads: Vec<&[usize]> = sources.columns.iter().map(|c| &c.reads[..]).collect();
        assert_eq!(reads, [&[0][..], &[0], &[0, 1], &[]]);
        let features: Vec<_> = sources.columns.iter().map(|c| c.feature).collect();
        assert_eq!(features, [Some((0, 1)), Some((0, 0)), None, None]);
    }

    #[test]
    fn each_column_is_as_old_as_its_oldest_group() {
        let (young, old) = (Span::millis(1), Span::minutes(1));
        assert_eq!(
            serve([young, old]),
            [
                (Value::Float(2.5), State::Ok, young),
                (Value::Int(4), State::Ok, young),
                (Value::Int(5), State::Stale, old),
                (Value::Timestamp(EventTime(7)), State::Ok, Span(0)),
            ]
        );
    }

    #[test]
    fn what_cannot_be_used_any_more_has_a_stand_in() {
        let gone = Span::hours(1);
        assert_eq!(
            serve([gone, Span(0)]),
            [
                (Value::Float(0.0), State::Default, gone),
                (Value::Null, State::Stale, gone),
                (Value::Null, State::Stale, gone),
                (Value::Timestamp(EventTime(7)), State::Ok, Span(0)),
            ]
        );
    }

    #[test]
    fn one_group_that_refuses_refuses_the_view() {
        let mut plan = plan();
        let group = &mut plan.groups[DEVICE_CARD];
        group.freshness = group.freshness.map(|f| Freshness { otherwise: Stale::Refuse, ..f });
        let view = &plan.views[0];
        let sources = ViewSources::of(&plan, view);
        let ages = [Span(0), Span::hours(1)];
        let error = serve_view(&plan, view, &sources, answers(), &ages, 3).unwrap_err();
        assert_eq!((error.group.as_str(), error.bound), ("device_card", Span::minutes(5)));
    }
}
