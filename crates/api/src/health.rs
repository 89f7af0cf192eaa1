//! Whether the process lives, and whether it answers.

use hyper::StatusCode;

use crate::answer::{self, Answer, JSON};
use crate::error::ApiError;
use crate::service::Service;

pub fn alive() -> Answer {
    answer::of(StatusCode::OK, JSON, &b"{\"status\":\"ok\"}\n"[..])
}

/// 503 while it recovers, when it stops, and when nothing is durable any more. Whoever asks needs
/// no key: so it costs the engine nothing, and says no more than the code.
pub fn ready(service: &Service) -> Answer {
    match service.live().and_then(|live| Ok(live.health()?)).and_then(|()| logs(service)) {
        Ok(()) => answer::of(StatusCode::OK, JSON, &b"{\"status\":\"ready\"}\n"[..]),
        // The cause names files of this machine.
        Err(ApiError::NotLogged(_)) => {
            answer::error(&ApiError::NotLogged("the server's log says why".to_owned()))
        }
        Err(ApiError::Durability(_)) => {
            answer::error(&ApiError::Durability("the server's log says why".to_owned()))
        }
        Err(error) => answer::error(&error),
    }
}

/// A server without a decision log is ready for everything else.
fn logs(service: &Service) -> Result<(), ApiError> {
    service.ledger().map_or(Ok(()), |ledger| Ok(ledger.health()?))
}
