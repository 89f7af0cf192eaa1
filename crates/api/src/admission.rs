//! How much is taken on at once.
//!
//! Refusing costs a look at a counter, before a byte of the body is read. What is taken on is then
//! finished: nobody waits in a queue whose end is after the caller's patience.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;
use crate::settings::Limits;

/// When to come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Bytes are counted in units of this.
const UNIT_BYTES: usize = 1 << 10;

#[derive(Debug)]
pub struct Admission {
    ingest_requests: Arc<Semaphore>,
    ingest_units: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    limits: Limits,
}

/// The right to be worked on; given back when dropped.
#[derive(Debug)]
pub struct Admitted {
    _permits: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
}

impl Admission {
    pub fn new(limits: Limits) -> Admission {
        Admission {
            ingest_requests: Arc::new(Semaphore::new(limits.ingest_requests_max)),
            ingest_units: Arc::new(Semaphore::new(units(limits.ingest_bytes_max) as usize)),
            reads: Arc::new(Semaphore::new(limits.read_requests_max)),
            limits,
        }
    }

    /// `length` is the body's, if the request says it.
    ///
    /// # Errors
    /// [`ApiError::BodyTooLarge`], [`ApiError::Overloaded`].
    pub fn ingest(&self, length: Option<u64>) -> Result<Admitted, ApiError> {
        let limit = self.limits.events_body_max;
        let length = length.map_or(limit, |n| usize::try_from(n).unwrap_or(usize::MAX));
        if length > limit {
            return Err(ApiError::BodyTooLarge { limit });
        }
        let request = take(&self.ingest_requests, 1, "too many events are being handed over")?;
        let bytes =
            take(&self.ingest_units, units(length), "too many bytes of events are in flight")?;
        Ok(Admitted { _permits: (request, Some(bytes)) })
    }

    /// # Errors
    /// [`ApiError::Overloaded`].
    pub fn read(&self) -> Result<Admitted, ApiError> {
        let request = take(&self.reads, 1, "too many reads are in flight")?;
        Ok(Admitted { _permits: (request, None) })
    }

    pub fn ingest_in_flight(&self) -> usize {
        self.limits.ingest_requests_max - self.ingest_requests.available_permits()
    }

    pub fn reads_in_flight(&self) -> usize {
        self.limits.read_requests_max - self.reads.available_permits()
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES).max(1)).unwrap_or(u32::MAX)
}

fn take(
    from: &Arc<Semaphore>,
    count: u32,
    what: &'static str,
) -> Result<OwnedSemaphorePermit, ApiError> {
    let taken = Arc::clone(from).try_acquire_many_owned(count);
    taken.map_err(|_| ApiError::Overloaded { what, retry_after: RETRY_AFTER })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission() -> Admission {
        Admission::new(Limits {
            ingest_requests_max: 2,
            ingest_bytes_max: 4 << 10,
            events_body_max: 3 << 10,
            read_requests_max: 1,
            ..Limits::default()
        })
    }

    #[test]
    fn requests_and_bytes_are_both_bounded_and_come_back() {
        let admission = admission();
        let first = admission.ingest(Some(3 << 10)).unwrap();
        assert!(matches!(admission.ingest(Some(1_025)), Err(ApiError::Overloaded { .. })));
        let second = admission.ingest(Some(1_024)).unwrap();
        assert!(matches!(admission.ingest(Some(0)), Err(ApiError::Overloaded { .. })));
        assert_eq!(admission.ingest_in_flight(), 2);
        drop((first, second));
        assert!(admission.ingest(Some(3 << 10)).is_ok());
    }

    #[test]
    fn a_body_over_the_limit_is_refused_and_one_of_unknown_length_counts_whole() {
        let admission = admission();
        let refused = admission.ingest(Some((3 << 10) + 1));
        assert!(matches!(refused, Err(ApiError::BodyTooLarge { limit: 3_072 })));
        let _whole = admission.ingest(None).unwrap();
        assert!(matches!(admission.ingest(None), Err(ApiError::Overloaded { .. })));
    }
}
