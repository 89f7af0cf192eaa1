//! Single I/O calls fail, one after the other; the disk is full for a while.

use std::io::ErrorKind;

use millrace_store::{Fault, MemoryDisk};

use super::story::Story;
use super::world::{checkpoint, status};

/// A fixed story with a failing call: it ends in an error or not, and then everything that was
/// acknowledged is there.
fn fail_call(seed: u64, call: u64, half_done: bool) -> bool {
    let mut story = Story::new(seed);
    let disk = MemoryDisk::new();
    disk.set_fault(Some(Fault { first: call, calls: 1, kind: ErrorKind::Other, half_done }));
    if let Ok(live) = story.open(disk.clone()) {
        story.send(&live, 40);
        // It may fail; what was acknowledged is in the log all the same.
        let _ = live.close();
    }
    let was_reached = disk.calls() > call;
    disk.set_fault(None);
    let disk = story.end(&disk);
    let live = story.open(disk).unwrap_or_else(|e| panic!("call {call} failed, then {e}"));
    story.check(&live);
    live.close().unwrap();
    was_reached
}

#[test]
fn any_single_call_may_fail() {
    for half_done in [false, true] {
        let mut call = 0;
        while fail_call(7, call, half_done) {
            call += 1;
        }
        println!("{call} calls failed, one at a time; half done: {half_done}");
        assert!(call > 100, "{call}");
    }
}

#[test]
fn a_full_disk_stops_checkpoints_and_they_go_on_when_there_is_space() {
    let mut story = Story::new(1);
    let disk = MemoryDisk::new();
    let live = story.open(disk.clone()).unwrap();
    story.send(&live, 50);
    checkpoint(&live).unwrap();
    // The only call within the next checkpoint that meets the full disk is one of its own.
    let mut failed = 0;
    for _ in 0..20 {
        let kind = ErrorKind::StorageFull;
        disk.set_fault(Some(Fault { first: disk.calls(), calls: 1, kind, half_done: false }));
        if let Err(error) = checkpoint(&live) {
            assert!(error.to_string().contains("checkpoint failed"), "{error}");
            failed += 1;
        }
        disk.set_fault(None);
        if status(&live).failure.is_some() {
            break;
        }
    }
    assert!(failed > 0, "no checkpoint met the full disk");
    live.close().ok();
    let live = story.open(disk.clone()).unwrap();
    story.check(&live);
    story.send(&live, 50);
    checkpoint(&live).unwrap();
    story.compare(&live);
    live.close().unwrap();
}
