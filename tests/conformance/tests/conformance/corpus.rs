//! Every case of the corpus: its expectations on the specification, then every engine against it.

use std::path::Path;
use std::sync::Arc;

use millrace_conformance::case::Case;
use millrace_conformance::compare::{Comparison, Tally, same_value};
use millrace_conformance::failure::{Failure, What, shown};
use millrace_conformance::question::Bounds;
use millrace_conformance::scenario::Scenario;
use millrace_conformance::spec::{Answer, Fate, Spec};
use millrace_conformance::variation::Variation;
use millrace_feature::plan::{Plan, Subject, Test};
use millrace_feature::render;
use millrace_stream::test_run::run_test;

/// Shuffled orders of each case that may be shuffled.
const SEEDS: u64 = 2;
const BOUNDS: Bounds = Bounds { keys_max: 8, positions_max: 60 };
/// Of a case with more events, positions are sampled more thinly, and no step is saved.
const EVENTS_MANY: usize = 200;
const FEW_BOUNDS: Bounds = Bounds { keys_max: 2, positions_max: 4 };

pub fn cases() -> Vec<Case> {
    let corpus = Path::new("corpus");
    Case::all(corpus).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_corpus_holds_on_the_specification_and_on_the_engine() {
    let (mut tally, mut failures, mut tests) = (Tally::default(), Vec::new(), 0);
    let cases = cases();
    for case in cases.iter().filter(|c| !c.demands_an_error()) {
        let compiled = case.compile();
        let Some(plan) = compiled.plan.map(Arc::new) else {
            let text = render(&compiled.diagnostics, &case.sources());
            failures.push(format!("{} does not compile:\n{text}", case.name));
            continue;
        };
        assert!(!plan.tests.is_empty(), "{} tests nothing", case.name);
        tests += plan.tests.len();
        failures.extend(check_case(case, &plan, &mut tally).iter().map(Failure::to_string));
    }
    println!("corpus: {} cases, {tests} tests, {tally}", cases.len());
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_example_of_the_reference_holds() {
    let page = "../../docs/reference/language.md";
    let page = std::fs::read_to_string(page).unwrap();
    let (mut tally, mut failures, mut tests) = (Tally::default(), Vec::new(), 0);
    for part in page.split("```mill\n").skip(1) {
        let text = part.split("```").next().unwrap();
        let case = Case::new("docs/reference/language", text.to_string()).unwrap();
        let plan = Arc::new(case.compile().plan.unwrap());
        tests += plan.tests.len();
        failures.extend(check_case(&case, &plan, &mut tally).iter().map(Failure::to_string));
    }
    assert!(tests > 0);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// As `millrace test` does. It knows no origins and no receiving clock, so cases of those are left.
#[test]
fn the_tests_pass_as_a_user_runs_them() {
    let (mut tests, mut failures) = (0, Vec::new());
    for case in cases().iter().filter(|c| !c.demands_an_error() && c.directives.is_of_one_origin())
    {
        let plan = Arc::new(case.compile().plan.unwrap());
        for test in &plan.tests {
            let asked: usize =
                test.expectations.iter().map(|e| e.values.len() + e.states.len()).sum();
            let result = run_test(&plan, test).unwrap();
            tests += 1;
            if !result.passed() || result.compared != asked {
                failures.push(format!("{}: of {asked} values: {result:?}", case.name));
            }
        }
    }
    assert!(tests > 100);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check_case(case: &Case, plan: &Arc<Plan>, tally: &mut Tally) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut counts = [0; Fate::ALL.len()];
    for test in &plan.tests {
        let scenario = case.scenario(plan, test);
        let spec = told(&scenario);
        failures.extend(expectations(&scenario, &spec, test));
        for (count, fate) in counts.iter_mut().zip(Fate::ALL) {
            *count += spec.arrivals().iter().filter(|(_, f)| *f == fate).count();
        }
        let all_applied = spec.arrivals().iter().all(|(_, f)| *f == Fate::Applied);
        if !all_applied && case.directives.counts.is_empty() {
            let what = What::Uncounted;
            failures.push(Failure { scenario: scenario.name.clone(), variation: None, what });
        }
        if case.directives.skips.iter().any(|(engine, _)| engine == "stream") {
            continue;
        }
        let many = scenario.deliveries.len() > EVENTS_MANY;
        let may_shuffle = all_applied && !case.directives.fixes_arrival() && !many;
        let mut comparison = Comparison::new(&scenario, if many { FEW_BOUNDS } else { BOUNDS });
        for variation in Variation::of_case(may_shuffle, SEEDS) {
            if !many || variation.suits_many() {
                failures.extend(comparison.check(variation));
            }
        }
        tally.add(comparison.tally);
    }
    failures.extend(wrong_counts(case, &counts));
    failures
}

/// The specification after all arrivals.
fn told(scenario: &Scenario) -> Spec {
    let mut spec = Spec::new(Arc::clone(&scenario.plan), scenario.rules);
    for (stream, name) in &scenario.known {
        spec.partition(*stream, name);
    }
    for delivery in &scenario.deliveries {
        spec.arrive(delivery.arrival.clone());
    }
    spec
}

fn expectations(scenario: &Scenario, spec: &Spec, test: &Test) -> Vec<Failure> {
    let plan = &scenario.plan;
    let mut failures = Vec::new();
    for expectation in &test.expectations {
        let (answers, names): (Vec<Answer>, Vec<&str>) = match &expectation.subject {
            Subject::Group { group, key, at } => {
                let at = millrace_conformance::spec::Position::Time(*at);
                let names = plan.groups[*group].features.iter().map(|f| &*f.name).collect();
                (spec.read(*group, key, &at), names)
            }
            Subject::View { view, event } => {
                let names = plan.views[*view].columns.iter().map(|c| &*c.name).collect();
                (spec.view(*view, &test.events[*event].row), names)
            }
        };
        let mut fail = |index: usize, expected: String, got: String| {
            let place = expectation.place.to_string();
            let what = What::Expectation { place, feature: names[index].into(), expected, got };
            failures.push(Failure { scenario: scenario.name.clone(), variation: None, what });
        };
        for (index, value) in &expectation.values {
            if !same_value(value, &answers[*index].value) {
                fail(*index, shown(value), shown(&answers[*index].value));
            }
        }
        for (index, state) in &expectation.states {
            if *state != answers[*index].state {
                fail(*index, state.name().into(), answers[*index].state.name().into());
            }
        }
    }
    failures
}

fn wrong_counts(case: &Case, counts: &[usize]) -> Vec<Failure> {
    let expected = |fate: Fate| {
        let stated = case.directives.counts.iter().find(|(f, _)| *f == fate);
        stated.map_or(0, |(_, count)| *count)
    };
    let pairs = Fate::ALL.into_iter().zip(counts.iter().copied());
    pairs
        .filter(|(fate, got)| !case.directives.counts.is_empty() && expected(*fate) != *got)
        .map(|(fate, got)| Failure {
            scenario: case.name.clone(),
            variation: None,
            what: What::Count { fate, expected: expected(fate), got },
        })
        .collect()
}
