//! What is counted and timed: atomics only, so that counting never waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::StatusCode;
use millrace_feature::plan::Outcome;

use crate::route::Kind;

/// The statuses that answers have; the last counts all others.
pub const CODES: [u16; 15] =
    [200, 204, 400, 401, 403, 404, 405, 408, 413, 415, 421, 429, 500, 503, 0];

#[derive(Debug, Default)]
pub struct Meters {
    /// By route and status.
    requests: [[AtomicU64; CODES.len()]; Kind::ALL.len()],
    /// From the last byte of an event to an engine that counts it, by event.
    pub freshness: Histogram,
    /// From the head of a request to its answer, of features and views.
    pub reads: Histogram,
    /// The same of decisions.
    pub decisions: Histogram,
    /// By decision and outcome, in the order of `Outcome::ALL`.
    pub decided: Vec<[AtomicU64; Outcome::ALL.len()]>,
    pub connections: AtomicU64,
    pub connections_refused: AtomicU64,
    pub resubmitted: AtomicU64,
    /// Events and bad records that came over HTTP, by stream: counted before the engine counts.
    pub received: Vec<AtomicU64>,
    /// Members of events that their stream does not declare, by stream.
    pub unknown_fields: Vec<AtomicU64>,
}

impl Meters {
    pub fn new(streams: usize, decisions: usize) -> Meters {
        let counters = || (0..streams).map(|_| AtomicU64::default()).collect();
        Meters {
            received: counters(),
            unknown_fields: counters(),
            decided: (0..decisions).map(|_| Default::default()).collect(),
            ..Meters::default()
        }
    }

    pub fn request(&self, kind: Kind, status: StatusCode) {
        let code = CODES.iter().position(|c| *c == status.as_u16()).unwrap_or(CODES.len() - 1);
        self.requests[kind as usize][code].fetch_add(1, Ordering::Relaxed);
    }

    pub fn requests(&self, kind: Kind, code: usize) -> u64 {
        self.requests[kind as usize][code].load(Ordering::Relaxed)
    }
}

/// Upper ends of the buckets, in microseconds; the last bucket has none.
pub const BOUNDS_MICROS: [u64; 16] = [
    50, 100, 200, 300, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000,
    1_000_000, 10_000_000,
];

#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    sum_micros: AtomicU64,
}

impl Histogram {
    /// Counts something that took this long, this many times.
    pub fn observe(&self, took: Duration, times: u64) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        self.buckets[bucket].fetch_add(times, Ordering::Relaxed);
        self.sum_micros.fetch_add(micros.saturating_mul(times), Ordering::Relaxed);
    }

    /// Counts by bucket, each by itself.
    pub fn counts(&self) -> [u64; BOUNDS_MICROS.len() + 1] {
        std::array::from_fn(|i| self.buckets[i].load(Ordering::Relaxed))
    }

    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_micros.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_belong_to_their_bucket() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_micros(50), 2);
        histogram.observe(Duration::from_micros(51), 1);
        histogram.observe(Duration::from_secs(60), 1);
        let counts = histogram.counts();
        assert_eq!((counts[0], counts[1], counts[BOUNDS_MICROS.len()]), (2, 1, 1));
        assert_eq!(histogram.sum(), Duration::from_micros(60_000_151));
    }

    #[test]
    fn unknown_statuses_are_counted_too() {
        let meters = Meters::default();
        meters.request(Kind::Health, StatusCode::OK);
        meters.request(Kind::Health, StatusCode::IM_A_TEAPOT);
        assert_eq!(meters.requests(Kind::Health, 0), 1);
        assert_eq!(meters.requests(Kind::Health, CODES.len() - 1), 1);
    }
}
