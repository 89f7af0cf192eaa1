//! Payments that follow from another: further purchases soon after, and retries after a decline.

use super::again;
use crate::clock::{MINUTE_MS, Offset};
use crate::draft::Draft;
use crate::random::Random;
use crate::world::World;

const FOLLOW_UP_SHARE: f64 = 0.12;
const FOLLOW_UP_MEAN: Offset = 25 * MINUTE_MS;
const RETRY_SHARE: f64 = 0.5;
const RETRY_APPROVED: f64 = 0.5;
const RETRY_ROUNDS: usize = 3;

/// Some of the payments since `begin` are followed by more, mostly within the hour, from the same
/// device and address.
pub(super) fn follow_ups(world: &World, begin: usize, random: &mut Random, out: &mut Vec<Draft>) {
    for position in begin..out.len() {
        if !random.chance(FOLLOW_UP_SHARE) {
            continue;
        }
        let first = out[position];
        for _ in 0..random.geometric(0.6) {
            let at = first.at + random.exponential(FOLLOW_UP_MEAN as f64) as Offset;
            let favourites = &world.card(first.card).favourites;
            let merchant =
                if random.chance(0.5) { first.merchant } else { random.pick(favourites) };
            out.push(Draft { at, ..again(world, &first, merchant, random) });
        }
    }
}

/// Half of the declined payments since `begin` are tried again, some minutes later at most; half
/// of those succeed, and the rest may be tried again, three times in all.
pub(super) fn retries(begin: usize, random: &mut Random, out: &mut Vec<Draft>) {
    let mut round = begin..out.len();
    for _ in 0..RETRY_ROUNDS {
        let next = out.len();
        for position in round {
            let declined = out[position];
            if !declined.approved && random.chance(RETRY_SHARE) {
                let at = declined.at + random.between(8_000..=299_999);
                out.push(Draft { at, approved: random.chance(RETRY_APPROVED), ..declined });
            }
        }
        round = next..out.len();
    }
}
