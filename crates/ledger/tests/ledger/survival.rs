//! Kills, losses of power, and disks that fail.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use millrace_event::Span;
use millrace_ledger::NotLogged;
use millrace_store::Fault;

use crate::world::{TEXT, World, audit, entries};

#[test]
fn a_kill_takes_no_answered_decision() {
    let mut world = World::new();
    let mut answered = Vec::new();
    for n in 0..50 {
        world.pay("a", n, Span(0));
        answered.push(world.decide("authorise", "a", n).id);
        if n % 10 == 9 {
            let killed = world.disk.kill();
            let logged: Vec<_> = entries(&killed).iter().map(|e| e.record.id).collect();
            assert_eq!(logged, answered);
        }
    }
    let killed = world.disk.kill();
    let again = World::on(killed, TEXT, Arc::clone(&world.folder), |_| {});
    assert_eq!(again.ledger.run(), 1);
    answered.push(again.decide("authorise", "a", 1).id);
    let (disk, _) = again.close();
    assert_eq!(entries(&disk).len(), answered.len());
    assert!(audit(&disk, TEXT).is_clean());
    world.close();
}

#[test]
fn a_loss_of_power_takes_the_last_second_at_most() {
    for seed in 0..20 {
        let mut world = World::new();
        for n in 0..20 {
            world.pay("a", n, Span(0));
            world.decide("authorise", "a", n);
        }
        // Longer than it takes until a sync.
        std::thread::sleep(Duration::from_millis(100));
        let durable = entries(&world.disk).len();
        (0..20).for_each(|n| drop(world.decide("authorise", "b", n)));
        let after = world.disk.power_loss(seed);
        let again = World::on(after, TEXT, Arc::clone(&world.folder), |_| {});
        again.decide("authorise", "a", 5);
        let (disk, _) = again.close();
        assert!(entries(&disk).len() > durable, "seed {seed}");
        let found = audit(&disk, TEXT);
        assert!(found.is_clean(), "seed {seed}: {found:?}");
        world.close();
    }
}

/// The frontier may be ahead of the log: what was counted then is gone with its events.
#[test]
fn decisions_on_events_that_were_lost_are_told_apart() {
    let mut world = World::new();
    world.pay("a", 1, Span(0));
    world.decide("authorise", "a", 1);
    let before = world.disk.kill();
    world.pay("a", 2, Span(0));
    let record = world.undecided("authorise", "a", 1);
    world.close();
    // The event did not reach this disk, and the decision did.
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let lost = World::on(before, TEXT, folder, |_| {});
    lost.log(&record);
    let (disk, folder) = lost.close();
    let mut after = World::on(disk, TEXT, folder, |_| {});
    after.pay("a", 3, Span(0));
    after.decide("authorise", "a", 1);
    let (disk, _) = after.close();
    let found = audit(&disk, TEXT);
    assert_eq!((found.agreed, found.not_recomputed, found.differed), (2, 1, 0), "{found:?}");
    let told = found.obstacles.keys().next().unwrap().to_string();
    assert!(told.contains("lost in a crash"), "{told}");
}

#[test]
fn a_disk_that_fails_ends_the_logging() {
    let world = World::new();
    world.decide("authorise", "a", 1);
    let record = world.undecided("authorise", "a", 1);
    let (first, kind) = (world.disk.calls(), ErrorKind::StorageFull);
    world.disk.set_fault(Some(Fault { first, calls: u64::MAX, kind, half_done: true }));
    let (done, wait) = channel();
    let appended = world.ledger.append(&record, Box::new(move |r| done.send(r).unwrap()));
    let refused = appended.and_then(|()| wait.recv().unwrap()).unwrap_err();
    assert!(matches!(refused, NotLogged::Failed(_)), "{refused}");
    world.disk.set_fault(None);
    let begun = Instant::now();
    while world.ledger.health().is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    let again = world.ledger.append(&record, Box::new(|_| {}));
    assert!(matches!(again, Err(NotLogged::Failed(_))));
    world.ledger.close();
    assert_eq!(entries(&world.disk.kill()).len(), 1);
}

/// Keeps the writer in the answer to one decision until the sender is used or dropped.
fn hold_the_writer(world: &World) -> std::sync::mpsc::Sender<()> {
    let (release, held) = channel::<()>();
    let (begun, wait) = channel();
    let hold = Box::new(move |_| {
        begun.send(()).unwrap();
        let _ = held.recv();
    });
    world.ledger.append(&world.undecided("authorise", "a", 1), hold).unwrap();
    wait.recv().unwrap();
    release
}

#[test]
fn every_decision_that_was_taken_is_answered_when_the_log_is_closed() {
    let world = World::new();
    let record = world.undecided("authorise", "a", 1);
    let release = hold_the_writer(&world);
    let ledger = world.ledger.clone();
    let closing = std::thread::spawn(move || ledger.close());
    // The word to close is in the queue by then, and these are behind it.
    std::thread::sleep(Duration::from_millis(100));
    let (done, wait) = channel();
    const TAKEN: usize = 1_000;
    for _ in 0..TAKEN {
        let done = done.clone();
        world.ledger.append(&record, Box::new(move |r| done.send(r).unwrap())).unwrap();
    }
    drop((done, release));
    closing.join().unwrap();
    let answers: Vec<_> = wait.iter().collect();
    assert_eq!(answers.len(), TAKEN);
    let written = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!(written < TAKEN, "some came after the last group");
    let is_told =
        |answer: &Result<(), NotLogged>| matches!(answer, Ok(()) | Err(NotLogged::Closed));
    assert!(answers.iter().all(is_told), "{answers:?}");
    let (disk, _) = world.close();
    assert_eq!(entries(&disk).len(), written + 1);
}

#[test]
fn a_writer_that_panics_keeps_nobody_waiting() {
    let world = World::new();
    let record = world.undecided("authorise", "a", 1);
    world.ledger.append(&record, Box::new(|_| panic!("a bug in an answer"))).unwrap();
    let begun = Instant::now();
    while world.ledger.health().is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    let (closed, wait) = channel();
    let ledger = world.ledger.clone();
    std::thread::spawn(move || {
        ledger.close();
        closed.send(()).unwrap();
    });
    assert_eq!(wait.recv_timeout(Duration::from_secs(10)), Ok(()), "closing hangs");
}
