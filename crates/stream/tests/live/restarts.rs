//! Closing, opening with other settings, and key states that do not fit into memory.

use std::time::Duration;

use millrace_event::Span;
use millrace_store::MemoryDisk;
use millrace_stream::live::LiveSettings;

use super::story::Story;
use super::world::{PROJECT, checkpoint, open, plan_of, status};

#[test]
fn closing_takes_a_last_checkpoint_and_nothing_is_replayed() {
    let mut story = Story::new(11);
    let disk = MemoryDisk::new();
    let live = story.open(disk.clone()).unwrap();
    story.send(&live, 60);
    live.close().unwrap();
    let (live, recovery) = open(disk, &story.plan, &story.settings).unwrap();
    assert_eq!(recovery.replayed_records, 0);
    assert!(recovery.epoch > 0 && recovery.keys > 0, "{recovery:?}");
    assert_eq!(recovery.notes, Vec::<String>::new());
    story.check(&live);
    live.close().unwrap();
    assert!(matches!(checkpoint(&live), Err(millrace_stream::live::LiveError::Stopped)));
}

#[test]
fn a_state_larger_than_the_memory_limit_is_not_loaded_at_a_start() {
    let mut story = Story::new(13);
    let disk = MemoryDisk::new();
    let live = story.open(disk.clone()).unwrap();
    story.send(&live, 60);
    live.close().unwrap();
    story.settings.memory_max_bytes = 1;
    let live = story.open(disk).unwrap();
    let groups = status(&live).groups;
    assert!(groups.iter().all(|group| group.keys > 0 && group.spilled_keys == group.keys));
    story.check(&live);
    live.close().unwrap();
}

#[test]
fn a_replay_of_the_log_spills_what_does_not_fit_into_memory() {
    for seed in 40..44 {
        let mut story = Story::new(seed);
        story.settings.checkpoint_every = Duration::from_secs(3_600);
        let mut disk = MemoryDisk::new();
        let (mut keys, mut in_memory) = (0, 0);
        for memory_max in [usize::MAX, 1, 2_000] {
            story.settings.memory_max_bytes = memory_max;
            let (live, recovery) = open(disk.clone(), &story.plan, &story.settings).unwrap();
            assert_eq!(recovery.notes, Vec::<String>::new());
            if memory_max == 1 {
                assert!(recovery.replayed_records >= 100, "{recovery:?}");
                assert!(status(&live).checkpoint_epoch > 0);
                for group in status(&live).groups {
                    keys += group.keys;
                    in_memory += group.keys - group.spilled_keys;
                }
            }
            story.check(&live);
            story.send(&live, 100);
            let left = story.end(&disk);
            drop(live);
            disk = left;
        }
        assert!(keys > 10 && in_memory == 0, "{in_memory} of {keys} keys in memory");
        story.settings.memory_max_bytes = usize::MAX;
        let live = story.open(disk).unwrap();
        story.check(&live);
        live.close().unwrap();
    }
}

#[test]
fn until_a_source_has_confirmed_nothing_counts_as_fresh() {
    let story = Story::new(14);
    let live = story.open(MemoryDisk::new()).unwrap();
    let age = || status(&live).streams[0].age;
    assert_eq!(age(), Span(0));
    live.expect_confirmation(0);
    // Nothing came yet: as old as the epoch.
    assert!(age() > Span::hours(24 * 365));
    live.confirm(0);
    assert!(age() < Span::minutes(1));
    live.expect_confirmation(0);
    assert!(age() < Span::minutes(1));
    live.close().unwrap();
}

#[test]
fn the_number_of_shards_may_change_at_every_start() {
    let mut story = Story::new(12);
    let disk = MemoryDisk::new();
    for shards in [1, 4, 2, 7, 1] {
        story.settings.engine.shards = shards;
        let live = story.open(disk.clone()).unwrap();
        story.check(&live);
        story.send(&live, 30);
        story.compare(&live);
        live.close().unwrap();
    }
}

#[test]
fn values_are_equal_when_hardly_any_key_state_is_in_memory() {
    let (mut spilled_most, mut restored_most) = (0, 0);
    for seed in 20..26 {
        let mut story = Story::new(seed);
        story.settings.memory_max_bytes = 1;
        let mut disk = MemoryDisk::new();
        for _ in 0..3 {
            let live = story.open(disk.clone()).unwrap();
            let groups = status(&live).groups;
            let in_memory: usize = groups.iter().map(|g| g.keys - g.spilled_keys).sum();
            restored_most = restored_most.max(in_memory);
            story.check(&live);
            for _ in 0..6 {
                story.send(&live, 12);
                checkpoint(&live).unwrap();
                // Housekeeping comes by between messages and when there is nothing to do.
                std::thread::sleep(std::time::Duration::from_millis(15));
                let spilled = status(&live).groups.iter().map(|g| g.spilled_keys).sum::<usize>();
                spilled_most = spilled_most.max(spilled);
                story.compare(&live);
            }
            story.send(&live, 20);
            let left = story.end(&disk);
            drop(live);
            disk = left;
        }
        println!("seed {seed}: {} values compared", story.values);
    }
    println!(
        "at most {spilled_most} keys spilled, at most {restored_most} in memory after a start"
    );
    assert!(spilled_most > 20, "only {spilled_most} keys were ever spilled");
}

#[test]
fn what_was_judged_stays_so_under_other_settings() {
    for (future_max, idle_after) in [
        (Span(1), Span(1)),
        (Span::hours(1_000), Span(1)),
        (Span(1), Span::hours(1_000)),
        (Span::hours(1_000), Span::hours(1_000)),
    ] {
        let mut story = Story::new(31);
        story.settings.checkpoint_every = Duration::from_secs(3_600);
        let disk = MemoryDisk::new();
        let live = story.open(disk.clone()).unwrap();
        story.send(&live, 150);
        let disk = disk.kill();
        drop(live);
        story.settings.engine.future_max = future_max;
        story.settings.engine.idle_after = idle_after;
        let live = story.open(disk).unwrap();
        let futures: u64 = status(&live).streams.iter().map(|s| s.counts.future).sum();
        assert!(futures > 0, "nothing was too far in the future");
        story.check(&live);
        live.close().unwrap();
    }
}

/// The project before two of its groups were written.
fn before_two_groups() -> std::sync::Arc<millrace_feature::plan::Plan> {
    let begins = PROJECT.find("features by_device").expect("it is there");
    let ends = PROJECT.find("features by_shop").expect("it is there");
    plan_of(&[&PROJECT[..begins], &PROJECT[ends..]].concat())
}

#[test]
fn groups_that_began_later_are_computed_from_the_log() {
    for seed in 60..66 {
        let mut story = Story::new(seed);
        let disk = MemoryDisk::new();
        let (live, _) = open(disk.clone(), &before_two_groups(), &story.settings).unwrap();
        story.send(&live, 40);
        live.close().unwrap();

        let (live, recovery) = open(disk.clone(), &story.plan, &story.settings).unwrap();
        let told = |name: &str| recovery.notes.iter().any(|note| note.contains(name));
        assert!(told("by_device") && told("by_pair") && !told("by_card"), "{recovery:?}");
        story.send(&live, 20);
        live.close().unwrap();

        story.settings.backfill = true;
        let (live, recovery) = open(disk.clone(), &story.plan, &story.settings).unwrap();
        assert_eq!(recovery.backfilled, ["by_device", "by_pair"]);
        assert!(recovery.backfilled_records > 0 && recovery.notes.is_empty(), "{recovery:?}");
        story.check(&live);
        story.send(&live, 20);
        story.check(&live);
        live.close().unwrap();

        // Once is enough, and nothing is left to tell.
        let (live, recovery) = open(disk.clone(), &story.plan, &story.settings).unwrap();
        assert!(recovery.backfilled.is_empty() && recovery.notes.is_empty(), "{recovery:?}");
        story.check(&live);
        live.close().unwrap();
    }
}

#[test]
fn what_has_no_room_is_not_backfilled_and_nothing_is_lost() {
    let mut story = Story::new(70);
    let disk = MemoryDisk::new();
    let (live, _) = open(disk.clone(), &before_two_groups(), &story.settings).unwrap();
    story.send(&live, 40);
    live.close().unwrap();
    let poor = LiveSettings { backfill: true, memory_max_bytes: 1, ..story.settings.clone() };
    let error = open(disk.clone(), &story.plan, &poor).unwrap_err();
    assert!(error.to_string().contains("engine.memory_max"), "{error}");
    story.settings.backfill = true;
    let live = story.open(disk).unwrap();
    story.check(&live);
    live.close().unwrap();
}
