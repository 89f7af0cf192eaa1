//! A request's body, in bounded memory and time.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::HeaderMap;
use hyper::body::{Body as _, Incoming};
use hyper::header::EXPECT;
use tokio::time::{Instant, timeout_at};

use crate::error::ApiError;

/// The largest body of a request that failed which is read and dropped, so that its connection stays.
/// A larger one costs more to read than a new connection does.
const DROPPED_BODY_MAX: u64 = 64 << 10;

/// Reads what is left of the body of a request that failed and drops it, if it is small and comes
/// within this time. Whether nothing is left: if not, the connection cannot be used again.
///
/// A client that waits for leave to send its body (`Expect: 100-continue`) is not given it: hyper
/// gives leave when a body is first asked for. Its connection ends with the refusal. It could not
/// be kept: whether the client sends the body after all cannot be known, and a body that is taken
/// for a request is how one client's words are put into the mouth of another.
pub async fn read_and_drop(incoming: &mut Incoming, headers: &HeaderMap, limit: Duration) -> bool {
    if incoming.is_end_stream() {
        return true;
    }
    let is_small = incoming.size_hint().exact().is_some_and(|n| n <= DROPPED_BODY_MAX);
    if !is_small || headers.contains_key(EXPECT) {
        return false;
    }
    let read = async { while let Some(Ok(_)) = incoming.frame().await {} };
    let read = timeout_at(Instant::now() + limit, read).await;
    read.is_ok() && incoming.is_end_stream()
}

/// A body that is being read.
#[derive(Debug)]
pub struct Body<'a> {
    incoming: &'a mut Incoming,
    left: usize,
    limit: usize,
    until: Instant,
    timeout: Duration,
}

impl Body<'_> {
    pub fn new(incoming: &mut Incoming, limit: usize, timeout: Duration) -> Body<'_> {
        Body { incoming, left: limit, limit, until: Instant::now() + timeout, timeout }
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// Beyond the limit, after the time, and when the client goes away.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let frame = timeout_at(self.until, self.incoming.frame()).await;
            let frame = frame.map_err(|_| ApiError::BodyTimeout { limit: self.timeout })?;
            let Some(frame) = frame else { return Ok(None) };
            // Trailers say nothing that we want to know.
            let Ok(bytes) = frame.map_err(|_| ApiError::BodyBroken)?.into_data() else { continue };
            let too_large = ApiError::BodyTooLarge { limit: self.limit };
            self.left = self.left.checked_sub(bytes.len()).ok_or(too_large)?;
            return Ok(Some(bytes));
        }
    }

    /// # Errors
    /// As [`Body::next`].
    pub async fn whole(mut self) -> Result<Vec<u8>, ApiError> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.next().await? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }
}
