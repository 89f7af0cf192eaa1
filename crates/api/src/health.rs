//! Whether the process lives, and whether it answers.

use hyper::StatusCode;

use crate::answer::{self, Answer, JSON};
use crate::ask;
use crate::error::ApiError;
use crate::service::Service;

pub fn alive() -> Answer {
    answer::of(StatusCode::OK, JSON, &b"{\"status\":\"ok\"}"[..])
}

/// 503 with the reason while it recovers, when it stops, and when nothing is durable any more.
pub async fn ready(service: &Service) -> Answer {
    let refused = match service.live() {
        Err(error) => Some(error),
        Ok(live) => match ask::status(live).await {
            Ok(status) => status.failure.map(ApiError::Durability),
            // That it is busy does not mean that it is not ready.
            Err(ApiError::Overloaded { .. }) => None,
            Err(error) => Some(error),
        },
    };
    match refused {
        None => answer::of(StatusCode::OK, JSON, &b"{\"status\":\"ready\"}"[..]),
        Some(error) => answer::error(&error),
    }
}
