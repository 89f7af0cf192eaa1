//! The process or the power ends at any I/O call.

use millrace_store::{Fault, MemoryDisk};

use super::story::Story;

const SEEDS: u64 = 150;
const ENDS: usize = 4;

/// From this call on every call fails, as for a process that is gone.
fn die_at(call: u64, half_done: bool) -> Option<Fault> {
    let kind = std::io::ErrorKind::Other;
    Some(Fault { first: call, calls: u64::MAX, kind, half_done })
}

#[test]
fn what_was_acknowledged_comes_back_and_nothing_twice() {
    let (mut values, mut ends, mut lost_answers) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut story = Story::new(seed);
        let mut disk = MemoryDisk::new();
        for _ in 0..ENDS {
            let call = disk.calls() + story.source.random.below(400) as u64;
            disk.set_fault(die_at(call, story.source.random.chance(1, 2)));
            if let Ok(live) = story.open(disk.clone()) {
                story.send(&live, 120);
                drop(live);
            }
            // Nothing that the threads still do reaches the disk.
            disk.set_fault(die_at(0, false));
            disk = story.end(&disk);
            ends += 1;
            let live = story.open(disk.clone()).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            story.check(&live);
            if story.source.random.chance(1, 2) {
                live.close().unwrap();
            } else {
                disk.set_fault(die_at(0, false));
                disk = story.end(&disk);
            }
        }
        values += story.values;
        lost_answers += story.lost_answers;
    }
    println!("{ends} ends, {lost_answers} answers lost in them, {values} values compared");
    assert!(lost_answers > 100, "the ends came too late to prove anything: {lost_answers}");
}
