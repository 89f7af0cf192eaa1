use millrace_event::{Span, State, Value};
use millrace_feature::plan::{Feature, Group};
use millrace_stream::Answer;

use crate::freshness::{TooOld, Verdict, judge, last_good};
use crate::{Served, ServedValue};

/// One read of a group, completed: `answers` are the engine's, one per feature, and `age` is that
/// of the group's stream.
///
/// Beyond the freshness policy's bounds a feature with a `default` is that default, in the state
/// `default`; one without is null, in the state `stale`, because nothing that could be said of it
/// is known to be true.
///
/// # Errors
/// [`TooOld`] when the definition refuses an answer of this age.
pub fn serve_group(
    group: &Group,
    answers: Vec<Answer>,
    age: Span,
    frontier: u64,
) -> Result<Served<'_>, TooOld> {
    assert_eq!(answers.len(), group.features.len(), "an answer for each feature");
    let verdict = judge(group.freshness, age);
    if let Verdict::Refuse { bound } = verdict {
        return Err(TooOld { group: group.name.to_string(), age, bound });
    }
    let complete = |feature: &Feature, answer: Answer| match verdict {
        Verdict::Fresh => answer,
        Verdict::LastGood => last_good(answer),
        Verdict::Default | Verdict::Refuse { .. } => stand_in(feature),
    };
    let values = group.features.iter().zip(answers).map(|(feature, answer)| {
        let Answer { value, state } = complete(feature, answer);
        ServedValue { name: &feature.name, ty: &feature.ty, value, state, age }
    });
    Ok(Served { definition: group.hash, frontier, values: values.collect() })
}

/// What stands for a feature of which nothing recent enough is known.
pub(crate) fn stand_in(feature: &Feature) -> Answer {
    match &feature.default {
        Some(default) => Answer { value: default.clone(), state: State::Default },
        None => Answer { value: Value::Null, state: State::Stale },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use millrace_aggregate::Layout;
    use millrace_event::expr::{Binary, Expr, Kind};
    use millrace_event::{Entity, Field, KeyKind, Schema, Type};
    use millrace_feature::plan::{
        DefinitionHash, Freshness, Plan, Read, Source, Stale, Stream, View, ViewColumn,
    };

    use super::*;

    pub(crate) const CARD: usize = 0;
    pub(crate) const DEVICE_CARD: usize = 1;

    fn feature(name: &str, ty: Type, default: Option<Value>) -> Feature {
        Feature {
            name: Arc::from(name),
            family: Arc::from(name),
            window: None,
            nullable: default.is_none(),
            default,
            source: Source::Aggregate(0),
            hash: DefinitionHash([1; 32]),
            ty,
        }
    }

    fn group(
        name: &str,
        keys: Vec<usize>,
        key_kinds: Vec<KeyKind>,
        features: Vec<Feature>,
    ) -> Group {
        Group {
            name: Arc::from(name),
            stream: 0,
            keys,
            key_kinds,
            owner: None,
            freshness: Some(Freshness {
                within: Span::millis(500),
                last_good_for: Some(Span::minutes(5)),
                otherwise: Stale::Default,
            }),
            layout: Arc::new(Layout::default()),
            features,
            hash: DefinitionHash([2; 32]),
        }
    }

    fn plus(a: Expr, b: Expr) -> Expr {
        let kind = Kind::Binary(Binary::Add, Box::new(a), Box::new(b));
        Expr { kind, ty: Type::Int, nullable: true }
    }

    /// Two groups and a view over one stream; `device` has integer keys.
    pub(crate) fn plan() -> Plan {
        let card = Type::Key(Arc::new(Entity { name: Arc::from("card"), kind: KeyKind::Text }));
        let device = Type::Key(Arc::new(Entity { name: Arc::from("device"), kind: KeyKind::Int }));
        let field = |name: &str, ty| Field { name: Arc::from(name), ty, nullable: false };
        let schema = Schema {
            stream: Arc::from("payment"),
            fields: vec![
                field("id", Type::String),
                field("at", Type::Timestamp),
                field("card", card),
                field("device", device),
            ],
            id: 0,
            time: 1,
            lateness: Span::minutes(10),
        };
        let by_card = group(
            "card_velocity",
            vec![2],
            vec![KeyKind::Text],
            vec![
                feature("attempts_5m", Type::Int, None),
                feature("mean_30d", Type::Float, Some(Value::Float(0.0))),
            ],
        );
        let by_both = group(
            "device_card",
            vec![3, 2],
            vec![KeyKind::Int, KeyKind::Text],
            vec![feature("pairs", Type::Int, None)],
        );
        let column = |index: usize, ty: Type| Expr::column(index, ty, true);
        let sum = plus(column(4, Type::Int), column(6, Type::Int));
        let named = |name: &str, expr: Expr| ViewColumn {
            name: Arc::from(name),
            ty: expr.ty.clone(),
            nullable: true,
            expr,
        };
        let view = View {
            name: Arc::from("checkout"),
            stream: 0,
            including: false,
            reads: vec![
                Read { group: CARD, keys: vec![2] },
                Read { group: DEVICE_CARD, keys: vec![3, 2] },
            ],
            columns: vec![
                named("mean", column(5, Type::Float)),
                named("attempts", column(4, Type::Int)),
                named("sum", sum),
                named("when", column(1, Type::Timestamp)),
            ],
            hash: DefinitionHash([3; 32]),
        };
        Plan {
            entities: Vec::new(),
            streams: vec![Stream { schema: Arc::new(schema), hash: DefinitionHash([4; 32]) }],
            groups: vec![by_card, by_both],
            views: vec![view],
            labels: Vec::new(),
            models: Vec::new(),
            decisions: Vec::new(),
            tests: Vec::new(),
            hash: DefinitionHash([5; 32]),
        }
    }

    fn answers() -> Vec<Answer> {
        vec![
            Answer { value: Value::Int(4), state: State::Ok },
            Answer { value: Value::Float(2.5), state: State::Ok },
        ]
    }

    fn cells(served: &Served<'_>) -> Vec<(String, Value, State)> {
        let cell = |v: &ServedValue<'_>| (v.name.to_owned(), v.value.clone(), v.state);
        served.values.iter().map(cell).collect()
    }

    #[test]
    fn a_fresh_read_is_the_engines_answer_with_names() {
        let plan = plan();
        let served = serve_group(&plan.groups[CARD], answers(), Span::millis(500), 9).unwrap();
        assert_eq!(
            cells(&served),
            [
                ("attempts_5m".to_owned(), Value::Int(4), State::Ok),
                ("mean_30d".to_owned(), Value::Float(2.5), State::Ok),
            ]
        );
        assert_eq!((served.frontier, served.definition), (9, DefinitionHash([2; 32])));
        assert!(served.values.iter().all(|v| v.age == Span::millis(500)));
    }

    #[test]
    fn older_values_are_stale_and_the_oldest_are_replaced() {
        let plan = plan();
        let group = &plan.groups[CARD];
        let stale = serve_group(group, answers(), Span::minutes(5), 9).unwrap();
        assert_eq!(
            cells(&stale),
            [
                ("attempts_5m".to_owned(), Value::Int(4), State::Stale),
                ("mean_30d".to_owned(), Value::Float(2.5), State::Stale),
            ]
        );
        let expired = serve_group(group, answers(), Span::minutes(6), 9).unwrap();
        assert_eq!(
            cells(&expired),
            [
                ("attempts_5m".to_owned(), Value::Null, State::Stale),
                ("mean_30d".to_owned(), Value::Float(0.0), State::Default),
            ]
        );
    }

    #[test]
    fn a_refusal_names_the_age_and_the_bound() {
        let mut plan = plan();
        let group = &mut plan.groups[CARD];
        group.freshness = group.freshness.map(|f| Freshness { otherwise: Stale::Refuse, ..f });
        let error = serve_group(&plan.groups[CARD], answers(), Span::minutes(6), 9).unwrap_err();
        assert_eq!(
            error.to_string(),
            "group `card_velocity` is 6m old, and its definition refuses an answer older than 5m"
        );
    }
}
