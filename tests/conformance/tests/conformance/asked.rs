//! Rows that are asked for, beside what the specification says of an event in the place of each.

use std::sync::Arc;

use millrace_batch::{AsOf, Counting, Subject};
use millrace_conformance::case::Case;
use millrace_conformance::compare::same;
use millrace_conformance::driver;
use millrace_conformance::offline::{Offline, rows_asked};
use millrace_conformance::prng::Prng;
use millrace_conformance::random::Draft;
use millrace_conformance::spec::{Arrival, Fate, Spec};
use millrace_event::{EventTime, Span, Value};
use millrace_feature::plan::Plan;

const SEEDS: std::ops::Range<u64> = 0..60;

/// Rows like the events: some as they are, some at another time, some without an id, which then
/// come after everything of their moment.
fn rows(plan: &Plan, stream: usize, events: &[&Arrival], random: &mut Prng) -> Vec<Vec<Value>> {
    let schema = &plan.streams[stream].schema;
    let mut rows = Vec::new();
    for event in events.iter().filter(|event| event.stream == stream) {
        let mut row = event.row.clone();
        let Value::Timestamp(time) = row[schema.time] else { unreachable!("it has a time") };
        let shift =
            [0, random.between(-5_000_000, 5_000_000), random.between(-4, 4) * 3_600_000_000];
        row[schema.time] = Value::Timestamp(time.plus(Span(*random.pick(&shift))));
        if random.chance(1, 2) {
            row[schema.id] = match row[schema.id] {
                Value::Int(_) => Value::Int(i64::MAX),
                _ => Value::text("\u{10ffff}"),
            };
        }
        rows.extend(vec![row; 1 + usize::from(random.chance(1, 6))]);
    }
    rows
}

#[test]
fn rows_are_answered_as_events_in_their_places_would_be() {
    let mut values = 0;
    for seed in SEEDS {
        let case = Case::new("asked", Draft::new(seed).text()).unwrap();
        let plan = Arc::new(case.compile().plan.unwrap());
        let scenario = case.scenario(&plan, &plan.tests[0]);
        let mut random = Prng::new(seed);
        let mut spec = Spec::new(Arc::clone(&plan), scenario.rules);
        for delivery in &scenario.deliveries {
            let lag = Span::seconds(random.between(0, 100).pow(2));
            let received = scenario.time(&delivery.arrival).plus(lag);
            spec.arrive(Arrival { received, ..delivery.arrival.clone() });
        }
        let applied = spec.arrivals().iter().filter(|(_, fate)| *fate == Fate::Applied);
        let events: Vec<&Arrival> = applied.map(|(event, _)| event).collect();
        let settings = driver::settings(scenario.rules, Span(0), 1);
        let older = AsOf::Delay(Span::minutes(random.between(1, 200)));
        for (view, asof) in (0..plan.views.len()).flat_map(|v| [(v, AsOf::Event), (v, older)]) {
            let stream = plan.views[view].stream;
            let mut asked = rows(&plan, stream, &events, &mut random);
            asked.sort_by_key(|row| spec.position(stream, row));
            let counting = *random.pick(&[Counting::AsHappened, Counting::AsKnown]);
            let subject = Subject::Asked;
            let offline = Offline { asof, counting, subject, threads: 1, batch: 1, spills: false };
            let given = (&events[..], &asked[..], 1 + random.below(9));
            let got = rows_asked(&plan, view, &settings, given, offline).unwrap();
            assert_eq!(got.len(), asked.len());
            for (row, (event, got)) in asked.iter().zip(&got) {
                assert_eq!(row, event, "seed {seed}");
                let (time, _) = spec.position(stream, row);
                let moment = asof.position(time);
                let known = match counting {
                    Counting::AsHappened => EventTime::MAX,
                    Counting::AsKnown => moment,
                };
                let older = (asof != AsOf::Event).then_some(moment);
                let expected = spec.known_at(known).view_as_of(view, row, older);
                for (expected, got) in expected.iter().zip(got) {
                    let place = (seed, asof, counting, &plan.views[view].name);
                    assert!(same(expected, got), "{place:?}: {row:?}: {expected:?} {got:?}");
                    values += 1;
                }
            }
        }
    }
    println!("asked for: {values} values agree");
    assert!(values > 10_000, "{values}");
}
