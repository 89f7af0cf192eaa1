//! Keeping count of what is still in use, and choosing what to clean.
//!
//! Segments are cleaned first in, first out: the oldest are retired, and the caller puts their
//! live records into the next checkpoint. Since everything older is gone then, removals recorded
//! in the oldest segments need not be repeated. The files never hold much more than twice the live
//! bytes; each byte written is rewritten about once more over its life, whichever keys are hot.
//!
//! When a large state changes a little per checkpoint, the files stay far below twice the live
//! bytes while small segments pile up. Retiring the oldest would then rewrite the large, cold
//! ones for nothing, so small segments are merged instead, the smallest first; removals recorded
//! in them must be repeated, because older segments may hold what they removed.

use std::collections::BTreeMap;

use super::{Location, Segment};
use crate::SegmentId;

/// The files may hold one part in so many of a full segment beyond twice the live bytes: a tiny
/// state is not worth cleaning at every checkpoint.
const SLACK_SHARE: u64 = 64;
/// The most segments below half the size at which a segment is full.
pub const SMALL_SEGMENTS_MAX: usize = 64;
/// How many small segments merging leaves.
const SMALL_SEGMENTS_AFTER: usize = 48;

/// How many bytes of each segment belong to records that are current.
///
/// The caller tells it of every record that becomes current and of every one that no longer is.
/// Owners of parts of the state count for themselves, and the sums are absorbed into one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LiveBytes {
    segments: BTreeMap<SegmentId, u64>,
}

impl LiveBytes {
    /// This record holds the current value of its key.
    pub fn add(&mut self, at: Location) {
        *self.segments.entry(at.segment).or_default() += u64::from(at.len);
    }

    /// This record was overridden or its key removed.
    pub fn remove(&mut self, at: Location) {
        if let Some(bytes) = self.segments.get_mut(&at.segment) {
            *bytes = bytes.saturating_sub(u64::from(at.len));
        }
    }

    /// Adds the counts of another owner.
    pub fn absorb(&mut self, other: &LiveBytes) {
        for (segment, bytes) in &other.segments {
            *self.segments.entry(*segment).or_default() += bytes;
        }
    }

    /// Forgets a segment that was retired.
    pub fn forget(&mut self, segment: SegmentId) {
        self.segments.remove(&segment);
    }

    pub fn of(&self, segment: SegmentId) -> u64 {
        self.segments.get(&segment).copied().unwrap_or(0)
    }
}

/// What to do with the removals that a retired segment records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tombstones {
    /// No older segment is left: they can go.
    Drop,
    /// Delete again, in the next checkpoint, each key that is still absent.
    Carry,
}

/// A segment to retire with the next checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Victim {
    pub segment: SegmentId,
    pub tombstones: Tombstones,
}

/// How much cleaning may do at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Budget {
    /// At which size a segment is full.
    pub segment_bytes: u64,
    /// About how many bytes may be rewritten; one segment is always allowed.
    pub rewrite_bytes: u64,
}

/// The segments to retire now, oldest first. `segments` are those of the newest checkpoint, oldest
/// first, with their current live bytes.
pub(super) fn victims(segments: &[Segment], budget: Budget) -> Vec<Victim> {
    let oldest = oldest_victims(segments, budget);
    let mut is_victim: Vec<bool> = (0..segments.len()).map(|index| index < oldest).collect();
    for index in small_victims(segments, oldest, budget.segment_bytes) {
        is_victim[index] = true;
    }
    let without_older = is_victim.iter().take_while(|victim| **victim).count();
    let victim = |index: usize| Victim {
        segment: segments[index].id,
        tombstones: if index < without_older { Tombstones::Drop } else { Tombstones::Carry },
    };
    (0..segments.len()).filter(|index| is_victim[*index]).map(victim).collect()
}

/// How many of the oldest segments to retire so that the files hold at most twice the live bytes.
fn oldest_victims(segments: &[Segment], budget: Budget) -> usize {
    let slack = budget.segment_bytes / SLACK_SHARE;
    let live: u64 = segments.iter().map(|segment| segment.live_bytes).sum();
    let mut total: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let (mut count, mut rewritten) = (0, 0);
    for segment in segments {
        let is_enough = total <= 2 * live + slack;
        let is_too_much = count > 0 && rewritten + segment.live_bytes > budget.rewrite_bytes;
        if is_enough || is_too_much {
            break;
        }
        count += 1;
        rewritten += segment.live_bytes;
        total = total.saturating_sub(segment.bytes.saturating_sub(segment.live_bytes));
    }
    count
}

/// Which small segments to merge, when there are too many behind the `oldest` victims: the
/// smallest, as many as make one full segment at most. That is always two or more, so that they
/// become fewer.
fn small_victims(segments: &[Segment], oldest: usize, segment_bytes: u64) -> Vec<usize> {
    let is_small = |index: &usize| segments[*index].bytes < segment_bytes / 2;
    let mut small: Vec<usize> = (oldest..segments.len()).filter(is_small).collect();
    if small.len() <= SMALL_SEGMENTS_MAX {
        return Vec::new();
    }
    small.sort_by_key(|index| segments[*index].bytes);
    let too_many = small.len() - SMALL_SEGMENTS_AFTER;
    let mut merged_bytes = 0;
    let fits = |index: &usize| {
        // All of its bytes count, because its removals are rewritten too.
        merged_bytes += segments[*index].bytes;
        merged_bytes <= segment_bytes
    };
    small.into_iter().take(too_many).take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const BUDGET: Budget = Budget { segment_bytes: 6_400, rewrite_bytes: 12_800 };

    fn segments(sizes: &[(u64, u64)]) -> Vec<Segment> {
        let segment = |(id, (bytes, live_bytes)): (u32, &(u64, u64))| Segment {
            id: SegmentId(id),
            bytes: *bytes,
            records: 1,
            live_bytes: *live_bytes,
            footer_crc: 0,
        };
        (1..).zip(sizes).map(segment).collect()
    }

    fn ids(victims: &[Victim]) -> Vec<(u32, Tombstones)> {
        victims.iter().map(|victim| (victim.segment.0, victim.tombstones)).collect()
    }

    #[test]
    fn nothing_is_cleaned_up_to_twice_the_live_bytes_and_the_slack() {
        assert_eq!(victims(&segments(&[(6_000, 1_000), (6_100, 5_000)]), BUDGET), []);
        let one_more = victims(&segments(&[(6_000, 1_000), (6_101, 5_000)]), BUDGET);
        assert_eq!(ids(&one_more), [(1, Tombstones::Drop)]);
        assert_eq!(victims(&[], BUDGET), []);
    }

    #[test]
    fn the_oldest_go_first_within_the_budget_but_one_at_least() {
        let mostly_dead = segments(&[(6_400, 100); 10]);
        assert_eq!(victims(&mostly_dead, BUDGET).len(), 10);
        let mut sizes = vec![(20_000, 20_000)];
        sizes.extend([(6_400, 0); 10]);
        let big_first = victims(&segments(&sizes), BUDGET);
        assert_eq!(ids(&big_first), [(1, Tombstones::Drop)]);
    }

    #[test]
    fn small_segments_are_merged_when_there_is_one_too_many() {
        let mut sizes = vec![(6_400, 6_400); 3];
        sizes.extend([(100, 100); SMALL_SEGMENTS_MAX]);
        assert_eq!(victims(&segments(&sizes), BUDGET), []);
        sizes.push((100, 100));
        let merged = victims(&segments(&sizes), BUDGET);
        assert_eq!(merged.len(), SMALL_SEGMENTS_MAX + 1 - 48);
        assert!(merged.iter().all(|victim| victim.tombstones == Tombstones::Carry));
    }

    #[test]
    fn two_small_segments_always_fit_into_one() {
        let merged = victims(&segments(&[(3_199, 3_199); SMALL_SEGMENTS_MAX + 1]), BUDGET);
        assert_eq!(ids(&merged), [(1, Tombstones::Drop), (2, Tombstones::Drop)]);
    }

    /// A state of equal records whose keys change at random, some of them far more often.
    struct Simulation {
        segments: Vec<Segment>,
        segment_of_key: Vec<SegmentId>,
        written: u64,
        rewritten: u64,
        dice: u64,
    }

    const RECORD: u64 = 100;

    impl Simulation {
        fn write(&mut self, segment: &mut Segment, key: usize) {
            let old = self.segment_of_key[key];
            if let Some(old) = self.segments.iter_mut().find(|one| one.id == old) {
                old.live_bytes -= RECORD;
            }
            self.segment_of_key[key] = segment.id;
            segment.bytes += RECORD;
            segment.live_bytes += RECORD;
        }

        fn key(&mut self) -> usize {
            self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (hot, at) = ((self.dice >> 60) > 3, (self.dice >> 33) as usize);
            let keys = self.segment_of_key.len();
            at % if hot { keys.min(50) } else { keys }
        }

        fn checkpoint(&mut self, changes: usize) {
            let id = SegmentId(self.segments.last().map_or(1, |last| last.id.0 + 1));
            let mut new = Segment { id, bytes: 0, records: 0, live_bytes: 0, footer_crc: 0 };
            let changed: BTreeSet<usize> = (0..changes).map(|_| self.key()).collect();
            for key in changed {
                self.write(&mut new, key);
                self.written += RECORD;
            }
            for victim in victims(&self.segments, BUDGET) {
                for key in 0..self.segment_of_key.len() {
                    if self.segment_of_key[key] == victim.segment {
                        self.write(&mut new, key);
                        self.rewritten += RECORD;
                    }
                }
                self.segments.retain(|segment| segment.id != victim.segment);
            }
            self.segments.push(new);
        }
    }

    #[test]
    fn files_stay_below_twice_the_state_and_bytes_are_rewritten_about_once() {
        for (keys, changes) in [(200, 40), (2_000, 60), (2_000, 3), (20, 5), (1, 1)] {
            let none = SegmentId(0);
            let mut simulation = Simulation {
                segments: Vec::new(),
                segment_of_key: vec![none; keys],
                written: 0,
                rewritten: 0,
                dice: 7,
            };
            for _ in 0..2_000 {
                simulation.checkpoint(changes);
                let total: u64 = simulation.segments.iter().map(|one| one.bytes).sum();
                let live: u64 = simulation.segments.iter().map(|one| one.live_bytes).sum();
                let newest = simulation.segments.last().map_or(0, |one| one.bytes);
                let bound = 2 * live + newest + BUDGET.segment_bytes;
                assert!(total <= bound, "{keys} keys: {total} > {bound}");
                assert!(simulation.segments.len() < 2 * SMALL_SEGMENTS_MAX);
            }
            let share = simulation.rewritten * 10 / simulation.written;
            assert!(share <= 10, "{keys} keys, {changes} changes: {share} tenths");
        }
    }
}
