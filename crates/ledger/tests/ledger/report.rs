//! Champion and challenger.

use millrace_event::Span;
use millrace_ledger::{Amount, Report};

use crate::world::{TEXT, World, entries, plan};

#[test]
fn the_rules_are_tried_with_the_score_of_the_shadow() {
    let mut world = World::new();
    (0..3).for_each(|n| world.pay("busy", n, Span(0)));
    // The highest leaf: 4 for the model that acts, 1 for the shadow.
    world.decide("authorise", "busy", 80_00);
    world.decide("authorise", "busy", 10_00);
    world.decide("authorise", "quiet", 5_50);
    world.decide("plain", "quiet", 5_50);
    let (disk, _) = world.close();
    let plan = plan(TEXT);
    let decision = &plan.decisions[0];
    let mut report = Report::default();
    for entry in entries(&disk).iter().filter(|e| e.form().name == "authorise") {
        report.count(entry, Some(decision), Amount::Field(3));
    }
    let day = report.days.values().next().unwrap();
    assert_eq!((day.counts, day.money), ([1, 1, 1], [5_50, 10_00, 80_00]));
    let challenge = &report.challenges[&("next".to_owned(), "risk".to_owned())];
    assert_eq!((challenge.decisions(), challenge.agreed()), (3, 2));
    // The block would be a review, since the card is busy.
    assert_eq!((challenge.counts[2][1], challenge.money[2][1]), (1, 80_00));
    let [least, most] = report.scores["risk"].quantiles([0.01, 1.0]);
    assert!(least < 0.5 && most > 0.9);
    assert_eq!(report.scores["risk"].tenths().iter().sum::<u64>(), 3);
    // Other rules are not tried.
    let mut other = Report::default();
    entries(&disk).iter().take(2).for_each(|entry| other.count(entry, None, Amount::NoField));
    assert_eq!((other.other_definition, other.challenges.len()), (2, 0));
    assert_eq!((report.without_money, other.without_money), (0, 2));
}
