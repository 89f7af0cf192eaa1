//! The stream of events: its order, and that it tells everything about the payments once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use millrace_event::EventTime;
use millrace_payments::{
    CardId, Events, History, JsonLines, Keys, OUTCOME_DELAY, PaymentEvent, PaymentStream, Settings,
    merge,
};

pub fn history() -> History {
    let settings = Settings { days: 20, n_cards: 1_500, n_new: 500, ..Settings::default() };
    History::generate(&settings).unwrap()
}

#[test]
fn events_come_in_order_of_time() {
    let history = history();
    let events: Vec<PaymentEvent> = history.events().collect();
    assert!(events.is_sorted_by_key(PaymentEvent::at));
    assert_eq!(history.events().len(), events.len());
    let mut partly = history.events();
    partly.nth(999);
    assert_eq!(partly.len(), events.len() - 1_000);
    assert!(Events::new(Arc::new(history)).eq(events));
}

#[test]
fn every_payment_has_one_attempt_one_outcome_and_at_most_one_report() {
    let history = history();
    let mut attempts: HashMap<_, (EventTime, Keys)> = HashMap::new();
    let (mut outcomes, mut reports) = (HashSet::new(), HashSet::new());
    let mut last = None;
    for event in history.events() {
        let truth = history.payment(event.payment()).unwrap();
        assert_eq!(event.keys(), truth.keys);
        match event {
            PaymentEvent::Attempt(attempt) => {
                assert!(last < Some(attempt.payment), "ids ascend");
                last = Some(attempt.payment);
                assert_eq!(attempt.list_price, history.list_price(attempt.keys.merchant));
                assert_eq!(attempt.category, history.category(attempt.keys.merchant));
                attempts.insert(attempt.payment, (attempt.at, attempt.keys));
            }
            PaymentEvent::Outcome(outcome) => {
                let (at, _) = attempts[&outcome.payment];
                assert_eq!(outcome.at.since(at), OUTCOME_DELAY);
                assert_eq!(outcome.approved, truth.approved);
                assert!(outcomes.insert(outcome.payment));
            }
            PaymentEvent::Report(report) => {
                assert!(report.at > attempts[&report.payment].0);
                assert!(truth.is_fraud());
                assert!(reports.insert(report.payment));
            }
        }
    }
    assert_eq!(attempts.len(), history.payments().len());
    assert_eq!(outcomes.len(), history.payments().len());
    assert!(!reports.is_empty());
    assert!(attempts.values().all(|(at, _)| *at < history.settings().end()));
}

#[test]
fn the_first_payment_of_a_card_says_so_and_cards_are_numbered_by_it() {
    let history = history();
    let mut next = CardId(0);
    for payment in history.payments() {
        assert_eq!(payment.first_of_card, payment.keys.card == next);
        assert!(payment.keys.card <= next);
        next.0 += u32::from(payment.first_of_card);
    }
    assert!(next.0 > 1_000);
}

#[test]
fn equal_settings_give_equal_events_and_another_seed_others() {
    let events = |seed| -> Vec<PaymentEvent> {
        let settings = Settings { seed, days: 3, n_cards: 400, n_new: 40, ..Settings::default() };
        History::generate(&settings).unwrap().events().collect()
    };
    assert_eq!(events(1), events(1));
    assert_ne!(events(1), events(2));
}

#[test]
fn a_later_start_moves_every_event_and_changes_nothing_else() {
    let settings = Settings { days: 3, n_cards: 400, n_new: 40, ..Settings::default() };
    let later = Settings { start: EventTime(settings.start.0 + 1_000_000), ..settings.clone() };
    let plain = History::generate(&settings).unwrap();
    let moved = History::generate(&later).unwrap();
    for (a, b) in plain.payments().iter().zip(moved.payments()) {
        assert_eq!((a.at.0 + 1_000_000, a.keys, a.amount), (b.at.0, b.keys, b.amount));
    }
}

#[test]
fn the_smallest_world_has_no_card_but_one() {
    let settings = Settings { days: 1, n_cards: 1, n_new: 0, ..Settings::default() };
    let history = History::generate(&settings).unwrap();
    assert!(history.events().len() >= 2 * history.payments().len());
}

#[test]
fn merging_keeps_the_order_and_the_left_one_first() {
    let history = history();
    let (left, right): (Vec<_>, Vec<_>) =
        history.events().partition(|event| event.stream() == PaymentStream::Attempts);
    let merged: Vec<PaymentEvent> = merge(left, right).collect();
    let events: Vec<PaymentEvent> = history.events().collect();
    assert_eq!(merged, events);
    assert!(merge(events.clone(), Vec::new()).eq(events.clone()));
    assert!(merge(Vec::new(), events.clone()).eq(events));
}

/// FNV-1a.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Models and tables are made from worlds by their seed: a change of the generator that moves any
/// byte must be seen, and said in the changelog.
#[test]
fn a_world_keeps_its_bytes_from_release_to_release() {
    let mut lines = JsonLines::default();
    lines.extend(history().events());
    let digests = PaymentStream::ALL.map(|stream| digest(lines.stream(stream)));
    let expected =
        [5_436_002_634_799_695_774, 9_320_466_984_642_994_567, 9_952_294_130_576_386_613];
    assert_eq!(digests, expected);
}
