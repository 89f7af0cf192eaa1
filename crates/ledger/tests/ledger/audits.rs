//! What an audit finds, and what it says of what it cannot make again.

use std::sync::Arc;

use millrace_event::{Span, Value};
use millrace_ledger::{Entries, Obstacle, Part, Period};
use millrace_store::{LogName, MemoryDisk, Name, Offset};

use crate::world::{TEXT, World, as_disk, audit, auditor, before, entries};

fn obstacles(audit: &millrace_ledger::Audit) -> Vec<(String, u64)> {
    audit.obstacles.iter().map(|(o, n)| (o.to_string(), *n)).collect()
}

#[test]
fn decisions_through_restarts_and_replays_agree() {
    let mut world = World::new();
    for round in 0..3 {
        for n in 0..40 {
            let card = format!("c{}", n % 5);
            world.pay(&card, 100 * n, Span::millis(n * 7));
            if n % 10 == 0 {
                // Too late, and counted after all.
                world.pay(&card, 9_999, Span::minutes(11));
                world.replay_late();
            }
            world.decide("authorise", &card, 40 * n);
            world.decide("plain", "unknown", 200 * n);
        }
        if round < 2 {
            let (disk, folder) = world.close();
            world = World::on(disk, TEXT, folder, |_| {});
        }
    }
    let (disk, _) = world.close();
    let found = audit(&disk, TEXT);
    assert_eq!((found.decisions, found.agreed), (240, 240), "{found:?}");
    assert_eq!(found.compared, 120 * 7 + 120 * 5);
    // By name, and by time.
    let last = entries(&disk).pop().unwrap().record.decided_at;
    let mut auditor = auditor(&disk, TEXT, 4.0);
    let plain = auditor.audit(&before(last), Some("plain"), |_| {}).unwrap();
    assert!(plain.is_clean() && (110..120).contains(&plain.decisions), "{plain:?}");
}

#[test]
fn frontiers_out_of_order_are_made_again_all_the_same() {
    let mut world = World::new();
    let early = world.undecided("authorise", "a", 500);
    for n in 0..10 {
        world.pay("a", 1_000 + n, Span(0));
        world.decide("authorise", "a", 500);
    }
    // It waited all this time.
    world.log(&early);
    let (disk, _) = world.close();
    let found = audit(&disk, TEXT);
    assert_eq!((found.decisions, found.agreed), (11, 11), "{found:?}");
    // Where it comes too late for the first pass, it gets one of its own.
    let mut auditor = auditor(&disk, TEXT, 4.0);
    let entries = entries(&disk);
    let (_, differences) = auditor.recompute(&entries[9]);
    assert!(differences.is_empty());
    let again = auditor.audit(&Period::default(), None, |_| {}).unwrap();
    assert_eq!(again.agreed, 11, "{again:?}");
}

#[test]
fn a_stale_feature_is_found_and_named() {
    let mut world = World::new();
    world.pay("a", 1_000, Span::seconds(10));
    let old = world.undecided("authorise", "a", 500);
    world.pay("a", 3_000, Span::seconds(5));
    // Served as it was one payment ago.
    let new = world.undecided("authorise", "a", 500);
    let stale = millrace_ledger::Record { frontier: new.frontier, ..old };
    world.log(&stale);
    world.log(&new);
    let (disk, _) = world.close();
    let found = audit(&disk, TEXT);
    assert_eq!((found.agreed, found.differed), (1, 1), "{found:?}");
    let parts: Vec<String> = found.differences.keys().map(ToString::to_string).collect();
    assert_eq!(parts, ["feature idle", "feature mean", "feature n"]);
    let mean = &found.differences[&Part::Feature("mean".to_owned())];
    let (id, _, difference) = &mean.examples[0];
    assert_eq!(*id, stale.id);
    assert_eq!(
        (difference.logged.as_str(), difference.recomputed.as_str()),
        ("10.0 (ok)", "20.0 (ok)")
    );
}

#[test]
fn every_part_of_a_decision_is_compared() {
    let mut world = World::new();
    world.pay("a", 1_000, Span(0));
    let right = world.undecided("authorise", "a", 500);
    let mut wrong = vec![right.clone(); 5];
    wrong[0].scores[0].value = f64::from_bits(right.scores[0].value.to_bits() + 1);
    wrong[1].shadows[0].raw += 1.0;
    wrong[2].rule = Some(1);
    wrong[3].outcome = millrace_feature::plan::Outcome::Block;
    // Another event than the one it was decided on.
    wrong[4].event[3] = {
        let mut cell = millrace_event::Column::new(millrace_event::Type::Decimal(2).physical());
        cell.push(&Value::Decimal { mantissa: 501, scale: 2 }, millrace_event::State::Ok);
        cell
    };
    wrong.iter().for_each(|record| world.log(record));
    let (disk, _) = world.close();
    let found = audit(&disk, TEXT);
    assert_eq!((found.agreed, found.differed), (0, 5), "{found:?}");
    let counts: Vec<(String, u64)> =
        found.differences.iter().map(|(part, t)| (part.to_string(), t.count)).collect();
    let expected =
        [("feature amount", 1), ("score risk", 1), ("shadow score next", 1), ("outcome", 2)];
    assert_eq!(counts, expected.map(|(part, n)| (part.to_owned(), n)));
}

#[test]
fn another_model_leaves_the_vector_and_the_rules_to_compare() {
    let mut world = World::new();
    world.pay("a", 1_000, Span(0));
    let mut record = world.decide("authorise", "a", 500);
    record.rule = Some(1);
    world.log(&record);
    let (disk, _) = world.close();
    let found = auditor(&disk, TEXT, 4.5).audit(&Period::default(), None, |_| {}).unwrap();
    assert_eq!((found.in_part, found.differed, found.compared), (1, 1, 12), "{found:?}");
    assert_eq!(found.obstacles[&Obstacle::Model { model: "risk".to_owned() }], 2);
    assert_eq!(found.differences[&Part::Outcome].count, 1);
}

#[test]
fn other_definitions_are_named() {
    let mut world = World::new();
    world.pay("a", 1_000, Span(0));
    world.decide("authorise", "a", 500);
    let (disk, _) = world.close();
    let rules = audit(&disk, &TEXT.replace("n >= 3", "n >= 4"));
    assert_eq!((rules.in_part, rules.compared), (1, 6), "{rules:?}");
    assert!(obstacles(&rules)[0].0.contains("decision `authorise` was defined otherwise"));
    let view = audit(&disk, &TEXT.replace("over 5m", "over 6m"));
    assert_eq!((view.not_recomputed, view.compared), (1, 0), "{view:?}");
    assert!(obstacles(&view)[0].0.contains("view `checkout` was defined otherwise"));
}

#[test]
fn a_group_that_started_empty_is_not_compared() {
    let mut world = World::new();
    world.pay("a", 1_000, Span(0));
    world.decide("authorise", "a", 500);
    world.checkpoint();
    let (disk, folder) = world.close();
    let text = TEXT.replace("over 5m", "over 6m");
    let mut world = World::on(disk, &text, folder, |_| {});
    assert_eq!(world.recovery.started_empty, ["velocity"]);
    world.decide("authorise", "a", 500);
    let (disk, folder) = world.close();
    // It is still without the first payment after another start.
    world = World::on(disk, &text, folder, |_| {});
    assert!(world.recovery.started_empty.is_empty());
    world.decide("authorise", "a", 500);
    let (disk, _) = world.close();
    let found = audit(&disk, &text);
    let told = obstacles(&found);
    assert_eq!((found.differed, found.not_recomputed), (0, 3), "{told:?}");
    let empty = "features `velocity` were new or changed, and had started empty".to_owned();
    assert!(told.contains(&(empty, 2)), "{told:?}");
}

#[test]
fn a_decision_that_is_refused_now_adds_nothing_that_was_compared() {
    let text = TEXT.replace("fresh 1h, else default", "fresh 1h, else refuse");
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let mut world = World::on(MemoryDisk::new(), &text, folder, |_| {});
    world.pay("a", 1_000, Span(0));
    let mut record = world.decide("authorise", "a", 500);
    record.ages = vec![Span::hours(2)];
    world.log(&record);
    let (disk, _) = world.close();
    let found = audit(&disk, &text);
    assert_eq!((found.agreed, found.differed, found.compared), (1, 1, 7), "{found:?}");
}

#[test]
fn a_record_that_cannot_be_read_ends_nothing() {
    let mut world = World::new();
    world.pay("a", 1_000, Span(0));
    let first = world.decide("authorise", "a", 500);
    // Of a start that nobody knows, and of a decision that its start does not have.
    let lost = millrace_ledger::Record { run: 99, ..first.clone() };
    world.log(&lost);
    world.log(&millrace_ledger::Record { decision: 99, ..first.clone() });
    let last = world.decide("authorise", "a", 501);
    let (disk, _) = world.close();
    let found = audit(&disk, TEXT);
    assert_eq!((found.decisions, found.agreed, found.unreadable.records), (2, 2, 2), "{found:?}");
    let told = found.unreadable.first.clone().unwrap();
    assert!(told.starts_with("record 1 of the decision log belongs to start 99"), "{told}");
    assert!(!found.is_clean());
    assert_eq!(entries(&disk).len(), 2);
    // Whoever looks for one decision reads no other.
    let mut entries = Entries::open(as_disk(&disk)).unwrap();
    assert_eq!(entries.find(last.id).unwrap().unwrap().offset, 3);
    assert!(entries.unreadable().is_empty());
    // What was decided when is known of a record whose start is not: it is of no other period.
    let early = auditor(&disk, TEXT, 4.0).audit(&before(first.decided_at), None, |_| {}).unwrap();
    assert_eq!((early.decisions, early.unreadable.records), (0, 0), "{early:?}");
}

#[test]
fn a_damaged_segment_is_passed_over() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let mut world = World::on(MemoryDisk::new(), TEXT, folder, |settings| {
        settings.segment_bytes = 2_000;
    });
    world.pay("a", 1_000, Span(0));
    for n in 0..40 {
        world.decide("authorise", "a", n);
    }
    let (disk, _) = world.close();
    let mut segments: Vec<Name> = disk.names();
    segments.retain(|name| *name.folder() == LogName::DECISIONS.folder());
    let first: Vec<u64> =
        segments.iter().map(|name| name.file().trim_end_matches(".log").parse().unwrap()).collect();
    assert!(first.len() > 3, "{segments:?}");
    // The header of the second segment, and a record in the middle of the last.
    disk.flip_bit(&segments[1], 8);
    let last = Name::log_segment(&LogName::DECISIONS, Offset(first[first.len() - 1]));
    disk.flip_bit(&last, 8 * 60);
    let found = audit(&disk, TEXT);
    let lost = first[2] - first[1];
    assert_eq!((found.unreadable.records, found.unreadable.open_ends), (lost, 1), "{found:?}");
    assert_eq!(found.agreed, first[first.len() - 1] - lost, "{found:?}");
    let told = found.unreadable.first.unwrap();
    assert!(told.contains("is corrupt at byte 0"), "{told}");
}
