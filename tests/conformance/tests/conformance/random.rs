//! Random definitions over random events: the engine against the specification.
//!
//! `MILLRACE_CONFORMANCE_VALUES` says how many values to compare (four millions by default), and
//! `MILLRACE_CONFORMANCE_SEED` where to begin; both are printed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use millrace_conformance::case::Case;
use millrace_conformance::compare::{Comparison, Tally};
use millrace_conformance::question::Bounds;
use millrace_conformance::random::Draft;
use millrace_conformance::scenario::Scenario;
use millrace_conformance::variation::Variation;
use millrace_feature::render;

const VALUES: u64 = 4_000_000;
const SEED: u64 = 20_260_101;
/// Scenarios that disagree before the rest is left alone: each is made small, which takes time.
const FAILING_MAX: usize = 3;
const BOUNDS: Bounds = Bounds { keys_max: 3, positions_max: 20 };

#[test]
fn random_scenarios_agree() {
    let values = setting("MILLRACE_CONFORMANCE_VALUES", VALUES);
    let first = setting("MILLRACE_CONFORMANCE_SEED", SEED);
    let (mut tally, mut failures, mut seed, mut events) = (Tally::default(), Vec::new(), first, 0);
    while tally.values < values && failures.len() < FAILING_MAX {
        let draft = Draft::new(seed);
        let scenario = scenario(&draft).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        events += draft.events();
        let mut comparison = Comparison::new(&scenario, BOUNDS);
        for variation in Variation::of_random(seed) {
            if let Some(failure) = disagreement(&mut comparison, variation) {
                failures.push(told(draft, seed, variation, &failure));
                break;
            }
        }
        tally.add(comparison.tally);
        seed += 1;
    }
    println!("random: seeds {first} to {}, {events} events, {tally}", seed - 1);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn setting(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
        Err(_) => otherwise,
    }
}

fn scenario(draft: &Draft) -> Result<Scenario, String> {
    let case = Case::new("random", draft.text()).map_err(|e| e.to_string())?;
    let compiled = case.compile();
    let Some(plan) = compiled.plan.map(Arc::new) else {
        return Err(render(&compiled.diagnostics, &case.sources()));
    };
    Ok(case.scenario(&plan, &plan.tests[0]))
}

/// The first thing that is wrong, a panic included.
fn disagreement(comparison: &mut Comparison<'_>, variation: Variation) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| comparison.check(variation))) {
        Ok(failures) => failures.first().map(ToString::to_string),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Some(format!("[{variation}]: panicked: {}", text.unwrap_or_default()))
        }
    }
}

/// What went wrong, with the smallest case that still shows it.
fn told(draft: Draft, seed: u64, variation: Variation, failure: &str) -> String {
    let fails = |draft: &Draft| {
        let Ok(scenario) = scenario(draft) else { return false };
        disagreement(&mut Comparison::new(&scenario, BOUNDS), variation).is_some()
    };
    let small = draft.shrunk(fails);
    let last = scenario(&small)
        .ok()
        .and_then(|scenario| disagreement(&mut Comparison::new(&scenario, BOUNDS), variation));
    let last = last.unwrap_or_default();
    format!("seed {seed}: {failure}\nmade small: {last}\n{}", small.text())
}
