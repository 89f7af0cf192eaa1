//! A request's body, in bounded memory and time.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::error::ApiError;

/// A body that is being read.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    left: usize,
    limit: usize,
    until: Instant,
    timeout: Duration,
}

impl Body {
    pub fn new(incoming: Incoming, limit: usize, timeout: Duration) -> Body {
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
