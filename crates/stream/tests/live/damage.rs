//! Bits that change on the disk.

use std::io::ErrorKind;

use millrace_store::{Fault, MemoryDisk};

use super::story::Story;
use super::world::{checkpoint, open, status};

const FLIPS: usize = 400;

#[test]
fn a_flipped_bit_is_an_error_or_makes_no_difference() {
    let (mut errors, mut sound, mut cut) = (0, 0, 0);
    for seed in 0..4 {
        let mut story = Story::new(seed);
        let disk = MemoryDisk::new();
        let live = story.open(disk.clone()).unwrap();
        for _ in 0..4 {
            story.send(&live, 20);
            checkpoint(&live).unwrap();
        }
        story.send(&live, 20);
        // Killed: the last records are in the log only.
        let dead = Fault { first: 0, calls: u64::MAX, kind: ErrorKind::Other, half_done: false };
        let left = disk.kill();
        disk.set_fault(Some(dead));
        drop(live);
        for _ in 0..FLIPS / 4 {
            let copy = left.kill();
            let names = copy.names();
            let name = story.source.random.pick(&names).clone();
            let bits = copy.content(&name).unwrap().len() * 8;
            if bits == 0 {
                continue;
            }
            copy.flip_bit(&name, story.source.random.below(bits) as u64);
            match open(copy, &story.plan, &story.settings) {
                Ok((live, recovery)) => {
                    let found = status(&live).frontier;
                    if recovery.notes.iter().any(|note| note.contains("log events")) {
                        // Behind the last marker damage looks like a write that did not end; that
                        // is said, and what is left is the state of a moment before.
                        cut += 1;
                    } else {
                        sound += 1;
                        assert_eq!(found, story.records(), "{name}: {:?}", recovery.notes);
                    }
                    story.compare_first(&live, found);
                }
                Err(error) => {
                    errors += 1;
                    let text = error.to_string();
                    assert!(text.contains(&name.to_string()), "{name}: {text}");
                }
            }
        }
    }
    println!(
        "flipped bits: {errors} errors, {sound} without effect, {cut} took the log's end away"
    );
    assert!(errors > 10 && sound > 10 && cut < errors);
}
