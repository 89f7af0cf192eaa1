//! As known: rows of the offline engine, whose events arrive whenever they like, beside what the
//! specification says of those that had arrived by the moment of each row.

use std::sync::Arc;

use millrace_batch::{AsOf, Counting, Subject};
use millrace_conformance::case::Case;
use millrace_conformance::compare::same;
use millrace_conformance::driver;
use millrace_conformance::offline::{Offline, rows_of_judged};
use millrace_conformance::prng::Prng;
use millrace_conformance::random::Draft;
use millrace_conformance::scenario::Scenario;
use millrace_conformance::spec::{Arrival, Fate, Spec};
use millrace_event::{Span, Value};

const SEEDS: std::ops::Range<u64> = 0..60;

/// How long after its time an event arrives; now and then it is a little ahead.
fn lag(random: &mut Prng) -> Span {
    match random.below(8) {
        0 => Span::seconds(-random.between(0, 3)),
        1 => Span::seconds(random.between(0, 90)),
        2 => Span::minutes(random.between(0, 90)),
        3 => Span::hours(random.between(0, 72)),
        _ => Span(0),
    }
}

/// The scenario's events that count, and what the specification knows of them.
fn judged(scenario: &Scenario, random: &mut Prng) -> (Spec, Vec<Arrival>) {
    let mut spec = Spec::new(Arc::clone(&scenario.plan), scenario.rules);
    for delivery in &scenario.deliveries {
        let time = scenario.time(&delivery.arrival);
        let arrival = Arrival { received: time.plus(lag(random)), ..delivery.arrival.clone() };
        spec.arrive(arrival);
    }
    let applied = spec.arrivals().iter().filter(|(_, fate)| *fate == Fate::Applied);
    let mut events: Vec<Arrival> = applied.map(|(event, _)| event.clone()).collect();
    events.sort_by_key(|event| event.received);
    (spec, events)
}

#[test]
fn what_was_known_is_what_had_arrived() {
    let (mut values, mut unlike) = (0, 0);
    for seed in SEEDS {
        let case = Case::new("known", Draft::new(seed).text()).unwrap();
        let plan = Arc::new(case.compile().plan.unwrap());
        let scenario = case.scenario(&plan, &plan.tests[0]);
        let mut random = Prng::new(seed);
        let (spec, events) = judged(&scenario, &mut random);
        let arrived: Vec<&Arrival> = events.iter().collect();
        let releases: Vec<usize> = (0..events.len()).filter(|_| random.chance(1, 4)).collect();
        let settings = driver::settings(scenario.rules, Span(0), 1);
        let ways = [
            AsOf::Event,
            AsOf::Delay(Span::minutes(random.between(1, 200))),
            AsOf::Every(Span::hours(1)),
        ];
        for (view, asof) in (0..plan.views.len()).flat_map(|view| ways.map(|asof| (view, asof))) {
            let counting = Counting::AsKnown;
            let (threads, spills) = (1 + random.below(2), random.chance(1, 2));
            let offline =
                Offline { asof, counting, subject: Subject::Events, threads, batch: 1, spills };
            let rows =
                rows_of_judged(&plan, view, &settings, (&arrived, &releases), offline).unwrap();
            let own = events.iter().filter(|event| event.stream == plan.views[view].stream);
            assert_eq!(rows.len(), own.count());
            for (event, got) in &rows {
                let (time, _) = spec.position(plan.views[view].stream, event);
                let moment = asof.position(time);
                let older = (asof != AsOf::Event).then_some(moment);
                let expected = spec.known_at(moment).view_as_of(view, event, older);
                let happened = spec.view_as_of(view, event, older);
                for ((expected, got), happened) in expected.iter().zip(got).zip(&happened) {
                    let place = || format!("seed {seed}, {asof:?}, {:?}", plan.views[view].name);
                    assert!(same(expected, got), "{}: {event:?}: {expected:?} {got:?}", place());
                    values += 1;
                    unlike += u64::from(!same(expected, happened));
                }
            }
        }
    }
    println!("as known: {values} values agree; {unlike} of them are others as happened");
    assert!(unlike * 20 > values && values > 10_000, "{unlike} of {values}");
}

#[test]
fn what_arrives_at_once_is_known_as_it_happens() {
    for seed in SEEDS {
        let case = Case::new("known", Draft::new(seed).text()).unwrap();
        let plan = Arc::new(case.compile().plan.unwrap());
        let scenario = case.scenario(&plan, &plan.tests[0]);
        let (_, mut events) = judged(&scenario, &mut Prng::new(seed));
        events.iter_mut().for_each(|event| event.received = scenario.time(event));
        let arrived: Vec<&Arrival> = events.iter().collect();
        let settings = driver::settings(scenario.rules, Span(0), 1);
        for view in 0..plan.views.len() {
            let [happened, known] = [Counting::AsHappened, Counting::AsKnown].map(|counting| {
                let offline = Offline {
                    asof: AsOf::Event,
                    counting,
                    subject: Subject::Events,
                    threads: 1,
                    batch: 1,
                    spills: false,
                };
                rows_of_judged(&plan, view, &settings, (&arrived, &[]), offline).unwrap()
            });
            assert!(happened.iter().zip(&known).all(|(a, b)| is_alike(a, b)), "seed {seed}");
            assert_eq!(happened.len(), known.len());
        }
    }
}

fn is_alike(a: &driver::Row, b: &driver::Row) -> bool {
    let is_event = |a: &[Value], b: &[Value]| a == b;
    is_event(&a.0, &b.0) && a.1.iter().zip(&b.1).all(|(a, b)| same(a, b))
}
