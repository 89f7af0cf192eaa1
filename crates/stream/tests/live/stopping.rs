//! Whatever is wrong, an engine that is asked to stop does, and keeps what it acknowledged.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use millrace_event::Value;
use millrace_stream::live::{Live, LiveError, Receipt};

use super::gated::Gated;
use super::limits::{TEXTS, count, row, rows};
use super::world::{open, plan_of, reply, settings};

/// More than anything here should take, and less than any time-out of the engine.
const SOON: Duration = Duration::from_secs(5);

/// Hands deliveries over as a source that can wait does, until the engine says that it has stopped.
fn follow(live: &Live, note: &str) -> Vec<Receiver<Result<Receipt, LiveError>>> {
    let mut answers = Vec::new();
    loop {
        let id = answers.len() as i64;
        let delivery = rows(vec![row(id, &format!("k{id}"), note)]).delivery(live.plan());
        let (reply, answer) = reply();
        if live.ingest_waiting(delivery, reply).is_err() {
            return answers;
        }
        answers.push(answer);
    }
}

#[test]
fn on_a_full_disk_and_over_its_memory_it_still_stops_and_keeps_what_it_acknowledged() {
    let disk = Gated::new();
    let mut settings = settings(1);
    (settings.inbox_max, settings.memory_max_bytes) = (4, 1 << 20);
    let plan = plan_of(&TEXTS.replace("n = count()", "last = last(note)\n  n = count()"));
    let (live, _) = open(disk.clone(), &plan, &settings).unwrap();
    disk.fill_checkpoints();
    // Nobody has room: each event leaves its note in memory, and no checkpoint takes it out.
    let note = "x".repeat(8 << 20);
    let (taken, took, closed) = std::thread::scope(|scope| {
        let following = scope.spawn(|| follow(&live, &note));
        wait_until_stuck(&live);
        let begun = Instant::now();
        let closed = live.close();
        let answers = following.join().unwrap();
        let answers = answers.iter().map(|answer| answer.recv().unwrap());
        let taken = answers.map(|answer| answer.is_ok()).collect::<Vec<_>>();
        (taken, begun.elapsed(), closed)
    });
    assert!(took < SOON, "{took:?}");
    assert!(closed.unwrap_err().to_string().contains("storage space"));
    let acknowledged = taken.iter().filter(|taken| **taken).count();
    assert!(acknowledged > 5 && acknowledged < taken.len(), "{taken:?}");
    // The disk that is left, with room again.
    let (live, _) = open(disk.disk.clone(), &plan, &settings).unwrap();
    for (id, taken) in taken.iter().enumerate() {
        let there = count(&live, &format!("k{id}")) != Value::Null;
        assert_eq!(there, *taken, "event {id}");
    }
    live.close().unwrap();
}

/// Waits until the engine takes nothing more for a while.
fn wait_until_stuck(live: &Live) {
    let mut before = None;
    loop {
        let frontier = Some(super::world::status(live).frontier);
        if frontier > Some(5) && frontier == before {
            return;
        }
        before = frontier;
        std::thread::sleep(Duration::from_millis(500));
    }
}
