//! A burst of card testing on demand.

use std::collections::HashSet;

use millrace_event::{EventTime, Span};
use millrace_payments::{Attempt, PaymentEvent, PaymentStream, merge};

use crate::events::history;

fn start() -> EventTime {
    "2026-01-11T12:00:00Z".parse().unwrap()
}

fn attempts(events: &[PaymentEvent]) -> Vec<Attempt> {
    let attempt = |event: &PaymentEvent| match event {
        PaymentEvent::Attempt(attempt) => Some(*attempt),
        PaymentEvent::Outcome(_) | PaymentEvent::Report(_) => None,
    };
    events.iter().filter_map(attempt).collect()
}

#[test]
fn a_burst_is_what_the_rule_says() {
    let history = history();
    let (mut tried, mut approved) = (0, 0);
    for seed in 0..40 {
        let events = history.inject_card_testing(start(), seed);
        assert!(events.is_sorted_by_key(PaymentEvent::at));
        let attempts = attempts(&events);
        assert!((30..=299).contains(&attempts.len()));
        let last = attempts.last().unwrap();
        assert!(attempts[0].at >= start() && last.at < start().plus(Span::minutes(59)));
        assert!(attempts.iter().all(|a| a.keys.merchant == last.keys.merchant));
        assert!(last.list_price.units() < 25.0);
        let devices: HashSet<_> = attempts.iter().map(|a| a.keys.device).collect();
        assert!(devices.len() <= attempts.len() / 2);
        let unknown = || attempts.iter().filter(|a| a.first_of_card);
        let bins: HashSet<_> = unknown().map(|a| a.keys.bin).collect();
        assert!((1..=2).contains(&bins.len()));
        let share = unknown().count() as f64 / attempts.len() as f64;
        assert!((0.5..=0.95).contains(&share), "{share}");
        tried += attempts.len();
        approved += events.iter().filter(|e| is_approved(e)).count();
    }
    let share = approved as f64 / tried as f64;
    assert!((0.18..0.22).contains(&share), "{share}");
}

fn is_approved(event: &PaymentEvent) -> bool {
    matches!(event, PaymentEvent::Outcome(outcome) if outcome.approved)
}

#[test]
fn known_cards_have_been_seen_before_and_new_ones_are_never_seen() {
    let history = history();
    let before: HashSet<_> =
        history.payments().iter().filter(|p| p.at < start()).map(|p| p.keys.card).collect();
    let ever: HashSet<_> = history.payments().iter().map(|p| p.keys.card).collect();
    let mut known = 0;
    for attempt in attempts(&history.inject_card_testing(start(), 7)) {
        if attempt.first_of_card {
            assert!(!ever.contains(&attempt.keys.card));
        } else {
            assert!(before.contains(&attempt.keys.card));
            known += 1;
        }
    }
    assert!(known > 0);
}

#[test]
fn bursts_repeat_and_share_no_payment_with_each_other_or_the_history() {
    let history = history();
    let ids = |seed| -> HashSet<_> {
        history.inject_card_testing(start(), seed).iter().map(PaymentEvent::payment).collect()
    };
    assert_eq!(history.inject_card_testing(start(), 1), history.inject_card_testing(start(), 1));
    assert!(ids(1).is_disjoint(&ids(2)));
    assert!(ids(1).iter().all(|id| history.payment(*id).is_none()));
}

#[test]
fn a_burst_merges_into_a_running_stream() {
    let history = history();
    let burst = history.inject_card_testing(start(), 3);
    let total = history.events().len() + burst.len();
    let merged: Vec<PaymentEvent> = merge(history.events(), burst).collect();
    assert_eq!(merged.len(), total);
    assert!(merged.is_sorted_by_key(PaymentEvent::at));
    let hour = |event: &&PaymentEvent| {
        event.stream() == PaymentStream::Attempts
            && event.at() >= start()
            && event.at() < start().plus(Span::hours(1))
    };
    let with = merged.iter().filter(hour).count();
    let without = history.events().filter(|event| hour(&event)).count();
    assert!(with >= without + 30);
}
