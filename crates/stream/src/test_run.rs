//! Runs the `test` blocks of a plan on the engine, in this process.
//!
//! A test is a little world of its own: an engine that has seen nothing takes in the block's
//! events in the order of the text, all from one origin, and then answers. It keeps all history, so
//! that the expectations of a block may look back to any moment, and its clock stands at the newest
//! event, so that no event counts as one from the future unless it is an hour ahead of all others.

use std::sync::Arc;

use millrace_event::{Batch, EventTime, Key, KeyKind, Span, State, Type, Value};
use millrace_feature::plan::{Expectation, Plan, Subject, Test};

use crate::engine::{Answer, Applied, Engine, EngineError};
use crate::settings::Settings;
use crate::{Fate, Position};

/// What became of one test.
#[derive(Clone, Debug)]
pub struct TestResult {
    pub name: Arc<str>,
    /// The file and line of the block.
    pub place: Arc<str>,
    /// Every value that is not as expected; none when the test passes.
    pub mismatches: Vec<Mismatch>,
    /// Values and states that were compared.
    pub compared: usize,
}

impl TestResult {
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty()
    }
}

/// A value that is not as expected.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The file and line of the expectation.
    pub place: Arc<str>,
    pub asked: Asked,
    /// The feature's or column's name, as in tables: `attempts_5m`.
    pub name: Arc<str>,
    pub ty: Type,
    pub expected: Expected,
    pub got: Answer,
    /// Events of the test that were not applied, in the order of the text: often the reason.
    pub not_applied: Vec<(usize, Fate)>,
}

/// What an expectation asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    Group {
        name: Arc<str>,
        key: Vec<Value>,
        at: EventTime,
    },
    /// For the event at this place among the test's events.
    View {
        name: Arc<str>,
        event: usize,
    },
}

/// What should have been there.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    Value(Value),
    State(State),
}

/// Runs one test of the plan.
///
/// # Errors
/// As [`Engine::apply`]; an engine in memory has no reason to.
pub fn run_test(plan: &Arc<Plan>, test: &Test) -> Result<TestResult, EngineError> {
    let settings =
        Settings { history: Span(i64::MAX / 4), idle_after: Span(i64::MAX), ..Settings::default() };
    // Ids come from the test's own text, so a fixed secret will do.
    let mut engine = Engine::new(Arc::clone(plan), settings, [0; 16]);
    let not_applied = deliver(&mut engine, test)?;
    let mut result = TestResult {
        name: Arc::clone(&test.name),
        place: Arc::clone(&test.place),
        mismatches: Vec::new(),
        compared: 0,
    };
    for expectation in &test.expectations {
        let (asked, answers) = ask(&mut engine, test, expectation)?;
        for (index, expected) in expected_of(expectation) {
            let got = &answers[index];
            result.compared += 1;
            if !is_met(&expected, got) {
                let (name, ty) = column(plan, &expectation.subject, index);
                result.mismatches.push(Mismatch {
                    place: Arc::clone(&expectation.place),
                    asked: asked.clone(),
                    name,
                    ty,
                    expected,
                    got: got.clone(),
                    not_applied: not_applied.clone(),
                });
            }
        }
    }
    Ok(result)
}

/// Hands all events over; returns those that were not applied.
fn deliver(engine: &mut Engine, test: &Test) -> Result<Vec<(usize, Fate)>, EngineError> {
    let plan = Arc::clone(engine.plan());
    let events: Vec<Batch> =
        test.events.iter().map(|e| batch_of(&plan, e.stream, &e.row)).collect();
    let received = events.iter().map(|b| b.time(0)).max().unwrap_or(EventTime::MIN);
    let mut not_applied = Vec::new();
    for (index, (event, batch)) in test.events.iter().zip(&events).enumerate() {
        let origin = engine.partition(event.stream, "test");
        let Applied { fates } = engine.apply(origin, batch, received)?;
        let others = fates.into_iter().filter(|fate| *fate != Fate::Applied);
        not_applied.extend(others.map(|fate| (index, fate)));
    }
    Ok(not_applied)
}

fn batch_of(plan: &Plan, stream: usize, row: &[Value]) -> Batch {
    let mut batch = Batch::new(Arc::clone(&plan.streams[stream].schema));
    for (column, value) in batch.columns.iter_mut().zip(row) {
        let state = if value.is_null() { State::Empty } else { State::Ok };
        column.push(value, state);
    }
    batch
}

fn ask(
    engine: &mut Engine,
    test: &Test,
    expectation: &Expectation,
) -> Result<(Asked, Vec<Answer>), EngineError> {
    let plan = Arc::clone(engine.plan());
    match &expectation.subject {
        Subject::Group { group, key, at } => {
            let name = Arc::clone(&plan.groups[*group].name);
            // A null key selects nothing, as a key does that no event has.
            let of_values = Key::of(key).unwrap_or_else(|| no_key(&plan.groups[*group].key_kinds));
            let answers = engine.read(*group, &of_values, &Position::Time(*at))?;
            Ok((Asked::Group { name, key: key.clone(), at: *at }, answers))
        }
        Subject::View { view, event } => {
            let name = Arc::clone(&plan.views[*view].name);
            let row = &test.events[*event];
            let answers = engine.view(*view, &batch_of(&plan, row.stream, &row.row))?;
            Ok((Asked::View { name, event: *event }, answers))
        }
    }
}

/// A key that no event can have: it lacks the parts that the kinds ask for.
fn no_key(kinds: &[KeyKind]) -> Key {
    let mut key = Key::default();
    if kinds.is_empty() {
        key.push_int(0);
    }
    key
}

fn expected_of(expectation: &Expectation) -> impl Iterator<Item = (usize, Expected)> {
    let values = expectation.values.iter().map(|(i, v)| (*i, Expected::Value(v.clone())));
    let states = expectation.states.iter().map(|(i, s)| (*i, Expected::State(*s)));
    values.chain(states)
}

fn is_met(expected: &Expected, got: &Answer) -> bool {
    match expected {
        Expected::Value(value) => {
            *value == got.value || value.compare(&got.value).is_some_and(std::cmp::Ordering::is_eq)
        }
        Expected::State(state) => *state == got.state,
    }
}

fn column(plan: &Plan, subject: &Subject, index: usize) -> (Arc<str>, Type) {
    match subject {
        Subject::Group { group, .. } => {
            let feature = &plan.groups[*group].features[index];
            (Arc::clone(&feature.name), feature.ty.clone())
        }
        Subject::View { view, .. } => {
            let column = &plan.views[*view].columns[index];
            (Arc::clone(&column.name), column.ty.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_aggregate::{Aggregate, Function, Layout, Window};
    use millrace_event::{Entity, Field, Schema};
    use millrace_feature::plan::{DefinitionHash, Feature, Group, Source, Stream, TestEvent};

    use super::*;

    const NONE: DefinitionHash = DefinitionHash([0; 32]);

    /// `features g by card from s { n = count() over 5m }`, late 1m.
    fn plan() -> Arc<Plan> {
        let card = Arc::new(Entity { name: Arc::from("card"), kind: KeyKind::Text });
        let field = |name: &str, ty| Field { name: Arc::from(name), ty, nullable: false };
        let schema = Arc::new(Schema {
            stream: Arc::from("s"),
            fields: vec![
                field("id", Type::Int),
                field("at", Type::Timestamp),
                field("card", Type::Key(Arc::clone(&card))),
            ],
            id: 0,
            time: 1,
            lateness: Span::minutes(1),
        });
        let window = Window::Sliding { width: Span::minutes(5), every: None };
        let layout = Layout {
            windows: vec![window],
            aggregates: vec![Aggregate {
                function: Function::Count,
                input: None,
                filter: None,
                window: 0,
                ty: Type::Int,
            }],
            ..Layout::default()
        };
        let feature = Feature {
            name: Arc::from("n_5m"),
            family: Arc::from("n"),
            window: Some(window),
            ty: Type::Int,
            nullable: false,
            default: None,
            source: Source::Aggregate(0),
            hash: NONE,
        };
        let group = Group {
            name: Arc::from("g"),
            stream: 0,
            keys: vec![2],
            key_kinds: vec![KeyKind::Text],
            owner: None,
            freshness: None,
            layout: Arc::new(layout),
            features: vec![feature],
            hash: NONE,
        };
        Arc::new(Plan {
            entities: vec![card],
            streams: vec![Stream { schema, hash: NONE }],
            groups: vec![group],
            views: Vec::new(),
            labels: Vec::new(),
            models: Vec::new(),
            decisions: Vec::new(),
            tests: Vec::new(),
            hash: NONE,
        })
    }

    fn minute(n: i64) -> EventTime {
        EventTime(0).plus(Span::minutes(n))
    }

    fn test_of(events: &[(i64, i64)], expectations: &[(i64, i64)]) -> Test {
        let event = |(id, at): &(i64, i64)| TestEvent {
            stream: 0,
            row: vec![Value::Int(*id), Value::Timestamp(minute(*at)), Value::text("A")],
        };
        let expectation = |(at, n): &(i64, i64)| Expectation {
            place: Arc::from("t.mill:9"),
            subject: Subject::Group { group: 0, key: vec![Value::text("A")], at: minute(*at) },
            values: vec![(0, Value::Int(*n))],
            states: vec![(0, State::Ok)],
        };
        Test {
            name: Arc::from("t"),
            place: Arc::from("t.mill:3"),
            events: events.iter().map(event).collect(),
            expectations: expectations.iter().map(expectation).collect(),
        }
    }

    #[test]
    fn expectations_may_look_back_behind_every_window() {
        let test = test_of(&[(1, 0), (2, 3), (3, 600)], &[(0, 1), (4, 2), (5, 1), (600, 1)]);
        let result = run_test(&plan(), &test).unwrap();
        assert!(result.passed(), "{result:?}");
        assert_eq!(result.compared, 8);
    }

    #[test]
    fn a_mismatch_says_what_was_asked_expected_and_found_and_which_events_did_not_count() {
        let test = test_of(&[(1, 0), (1, 0), (2, 10), (3, 2)], &[(10, 2)]);
        let result = run_test(&plan(), &test).unwrap();
        let [mismatch] = &result.mismatches[..] else { panic!("{result:?}") };
        assert_eq!(mismatch.expected, Expected::Value(Value::Int(2)));
        assert_eq!(mismatch.got, Answer { value: Value::Int(1), state: State::Ok });
        assert_eq!(&*mismatch.name, "n_5m");
        assert_eq!(mismatch.not_applied, [(1, Fate::Duplicate), (3, Fate::Late)]);
        let asked =
            Asked::Group { name: Arc::from("g"), key: vec![Value::text("A")], at: minute(10) };
        assert_eq!(mismatch.asked, asked);
    }
}
