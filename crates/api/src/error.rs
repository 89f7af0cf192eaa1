//! What a request can be refused for, and the one place that says with which status and code.

use std::borrow::Cow;
use std::time::Duration;

use hyper::StatusCode;
use millrace_serving::{KeyError, NotEvaluated, NotLoaded, NotScored, TooOld};
use millrace_store::StoreError;
use millrace_stream::live::{Busy, LiveError};
use thiserror::Error;

/// Why a request got no other answer.
#[derive(Debug, Error)]
pub enum ApiError {
    #[error("{0}")]
    BadRequest(Cow<'static, str>),
    #[error("`at` is {given}, which is no RFC 3339 time")]
    BadTime { given: String },
    #[error(transparent)]
    BadKey(#[from] KeyError),
    #[error("{0}")]
    BadEvent(String),
    #[error("{given} reads in one request, and the limit is {limit}")]
    TooManyReads { given: usize, limit: usize },
    #[error(
        "a partition's name is 1 to {limit} of A-Z, a-z, 0-9, '-', '_' and '.', and not {}",
        crate::resubmit::PARTITION
    )]
    BadPartition { limit: usize },
    #[error("there are {limit} partition names already")]
    TooManyPartitions { limit: usize },
    #[error("the body broke off")]
    BodyBroken,
    #[error("this server asks for a key, and the request has none that it knows")]
    Unauthorized,
    #[error("requests from the web page {given} are refused")]
    OriginRefused { given: String },
    #[error("there is nothing at {path}")]
    UnknownRoute { path: String },
    #[error("no {what} is named `{given}`")]
    Unknown { what: Named, given: String, hint: String },
    #[error("{path} does not take {given}")]
    MethodNotAllowed { path: String, given: String, allowed: &'static str },
    #[error("the body did not come within {} s", limit.as_secs())]
    BodyTimeout { limit: Duration },
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge { limit: usize },
    #[error("more than {limit} objects of the list cannot be read; none of it was taken")]
    TooManyDead { limit: usize },
    #[error("the body is of the type {given}")]
    UnsupportedMediaType { given: String, hint: &'static str },
    #[error("the body is encoded as {given}")]
    UnsupportedEncoding { given: String },
    #[error("this server is not called {given}")]
    HostRefused { given: String },
    #[error("the server is busy: {what}")]
    Overloaded { what: &'static str, retry_after: Duration },
    #[error("the server is recovering its state and answers soon")]
    Recovering,
    #[error("the server is stopping")]
    Stopping,
    #[error("events cannot be made durable: {0}")]
    Durability(String),
    #[error(transparent)]
    TooOld(#[from] TooOld),
    #[error(transparent)]
    NoModel(#[from] NotLoaded),
    #[error(transparent)]
    NoScore(#[from] NotScored),
    #[error("the decision cannot be logged: {0}")]
    NotLogged(String),
    #[error("{0}")]
    DecisionTooLarge(String),
    #[error("{0}")]
    Internal(String),
}

/// What has a name in a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named {
    Stream,
    Group,
    View,
    Decision,
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Named::Stream => "stream",
            Named::Group => "feature group",
            Named::View => "view",
            Named::Decision => "decision",
        })
    }
}

/// How an error is told over HTTP.
#[derive(Debug)]
pub struct Told {
    pub status: StatusCode,
    /// Stable: programs may depend on it.
    pub code: &'static str,
    pub hint: Cow<'static, str>,
    pub retry_after: Option<Duration>,
}

/// When to come back to a server that is not ready.
pub const NOT_READY: Duration = Duration::from_secs(1);

impl ApiError {
    pub fn told(&self) -> Told {
        let (status, code) = self.status_and_code();
        Told { status, code, hint: self.hint(), retry_after: self.retry_after() }
    }

    fn status_and_code(&self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            ApiError::BadRequest(_) => (S::BAD_REQUEST, "bad_request"),
            ApiError::BadTime { .. } => (S::BAD_REQUEST, "bad_time"),
            ApiError::BadKey(_) => (S::BAD_REQUEST, "bad_key"),
            ApiError::BadEvent(_) => (S::BAD_REQUEST, "bad_event"),
            ApiError::TooManyReads { .. } => (S::BAD_REQUEST, "too_many_reads"),
            ApiError::BadPartition { .. } => (S::BAD_REQUEST, "bad_partition"),
            ApiError::TooManyPartitions { .. } => (S::BAD_REQUEST, "too_many_partitions"),
            ApiError::BodyBroken => (S::BAD_REQUEST, "body_broken"),
            ApiError::Unauthorized => (S::UNAUTHORIZED, "unauthorized"),
            ApiError::OriginRefused { .. } => (S::FORBIDDEN, "origin_refused"),
            ApiError::UnknownRoute { .. } => (S::NOT_FOUND, "unknown_route"),
            ApiError::Unknown { what: Named::Stream, .. } => (S::NOT_FOUND, "unknown_stream"),
            ApiError::Unknown { what: Named::Group, .. } => (S::NOT_FOUND, "unknown_group"),
            ApiError::Unknown { what: Named::View, .. } => (S::NOT_FOUND, "unknown_view"),
            ApiError::Unknown { what: Named::Decision, .. } => (S::NOT_FOUND, "unknown_decision"),
            ApiError::MethodNotAllowed { .. } => (S::METHOD_NOT_ALLOWED, "method_not_allowed"),
            ApiError::BodyTimeout { .. } => (S::REQUEST_TIMEOUT, "body_timeout"),
            ApiError::BodyTooLarge { .. } => (S::PAYLOAD_TOO_LARGE, "body_too_large"),
            ApiError::TooManyDead { .. } => (S::BAD_REQUEST, "too_many_dead"),
            ApiError::UnsupportedMediaType { .. } | ApiError::UnsupportedEncoding { .. } => {
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            ApiError::HostRefused { .. } => (S::MISDIRECTED_REQUEST, "host_refused"),
            ApiError::Overloaded { .. } => (S::TOO_MANY_REQUESTS, "overloaded"),
            ApiError::Recovering => (S::SERVICE_UNAVAILABLE, "recovering"),
            ApiError::Stopping => (S::SERVICE_UNAVAILABLE, "stopping"),
            ApiError::Durability(_) => (S::SERVICE_UNAVAILABLE, "durability_failed"),
            ApiError::TooOld(_) => (S::SERVICE_UNAVAILABLE, "too_old"),
            ApiError::NoModel(_) => (S::SERVICE_UNAVAILABLE, "no_model"),
            ApiError::NoScore(_) => (S::UNPROCESSABLE_ENTITY, "no_score"),
            ApiError::NotLogged(_) => (S::SERVICE_UNAVAILABLE, "decision_not_logged"),
            ApiError::DecisionTooLarge(_) => (S::UNPROCESSABLE_ENTITY, "decision_too_large"),
            ApiError::Internal(_) => (S::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            ApiError::Unknown { hint, .. } => return Cow::Owned(hint.clone()),
            ApiError::MethodNotAllowed { allowed, .. } => {
                return Cow::Owned(format!("use {allowed}"));
            }
            ApiError::UnsupportedMediaType { hint, .. } => hint,
            ApiError::BadRequest(_) => "see GET /v1/openapi.json",
            ApiError::BadTime { .. } => {
                "write it as 2026-01-05T12:00:00Z; a + must be sent as %2B in a query"
            }
            ApiError::BadKey(_) => "GET /v1/definitions shows each group's key",
            ApiError::BadEvent(_) => "GET /v1/definitions shows the fields",
            ApiError::TooManyReads { .. } => "send several requests",
            ApiError::BadPartition { .. } => "leave it out to use `http`",
            ApiError::TooManyPartitions { .. } => {
                "a partition is a source, such as a host; do not make one for each request"
            }
            ApiError::Unauthorized => {
                "send `Authorization: Bearer KEY`; `millrace key create NAME` makes a key"
            }
            ApiError::OriginRefused { .. } => {
                "name the page's origin under [server] origins in millrace.toml"
            }
            ApiError::UnknownRoute { .. } => "GET /v1/openapi.json lists what there is",
            ApiError::BodyBroken | ApiError::BodyTimeout { .. } | ApiError::Stopping => SEND_AGAIN,
            ApiError::BodyTooLarge { .. } => "send it in parts",
            ApiError::TooManyDead { .. } => {
                "look at whether the list belongs to this stream; send it in parts, or as lines"
            }
            ApiError::UnsupportedEncoding { .. } => {
                "send it as it is, without Content-Encoding: `gunzip -c file | curl …`"
            }
            ApiError::HostRefused { .. } => "name the host under [server] hosts in millrace.toml",
            ApiError::Overloaded { .. } => "send it again later",
            ApiError::Recovering => "GET /readyz says when it is ready",
            ApiError::Durability(_) => {
                "what was acknowledged is safe; free or mend the disk and start the server again"
            }
            ApiError::TooOld(_) => {
                "the group's source has fallen behind; its definition says `else refuse`"
            }
            ApiError::NoModel(_) => {
                "`millrace run` reads the models of a project; this server was started without them"
            }
            ApiError::NoScore(_) => {
                "nothing was decided; give the view's columns values where they are null, with \
                 `coalesce` or `default`, or train a model that takes missing values"
            }
            ApiError::NotLogged(_) => {
                "nothing was decided; free or mend the disk and start the server again"
            }
            ApiError::DecisionTooLarge(_) => "nothing was decided",
            ApiError::Internal(_) => "the server's log says more",
        })
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            ApiError::Overloaded { retry_after, .. } => Some(*retry_after),
            ApiError::Recovering
            | ApiError::Stopping
            | ApiError::Durability(_)
            | ApiError::NoModel(_)
            | ApiError::NotLogged(_)
            | ApiError::TooOld(_) => Some(NOT_READY),
            ApiError::BadRequest(_)
            | ApiError::DecisionTooLarge(_)
            | ApiError::BadTime { .. }
            | ApiError::BadKey(_)
            | ApiError::BadEvent(_)
            | ApiError::TooManyReads { .. }
            | ApiError::BadPartition { .. }
            | ApiError::TooManyPartitions { .. }
            | ApiError::BodyBroken
            | ApiError::Unauthorized
            | ApiError::OriginRefused { .. }
            | ApiError::UnknownRoute { .. }
            | ApiError::Unknown { .. }
            | ApiError::MethodNotAllowed { .. }
            | ApiError::BodyTimeout { .. }
            | ApiError::BodyTooLarge { .. }
            | ApiError::TooManyDead { .. }
            | ApiError::UnsupportedMediaType { .. }
            | ApiError::UnsupportedEncoding { .. }
            | ApiError::HostRefused { .. }
            | ApiError::NoScore(_)
            | ApiError::Internal(_) => None,
        }
    }
}

const SEND_AGAIN: &str =
    "send it again; events that were taken already count as duplicates then, by their ids";

impl From<NotEvaluated> for ApiError {
    fn from(error: NotEvaluated) -> ApiError {
        match error {
            NotEvaluated::NotLoaded(error) => ApiError::NoModel(error),
            NotEvaluated::NotScored(error) => ApiError::NoScore(error),
        }
    }
}

impl From<LiveError> for ApiError {
    fn from(error: LiveError) -> ApiError {
        match error {
            LiveError::Stopped => ApiError::Stopping,
            LiveError::Durability(cause) => ApiError::Durability(cause),
            LiveError::Store(_)
            | LiveError::Engine(_)
            | LiveError::Record(_)
            | LiveError::Backfill(_)
            | LiveError::Thread(_) => {
                tracing::error!(%error, "the engine could not answer");
                ApiError::Internal("the engine could not answer".to_owned())
            }
        }
    }
}

impl From<Busy> for ApiError {
    fn from(busy: Busy) -> ApiError {
        let what = "too much waits for the engine";
        ApiError::Overloaded { what, retry_after: busy.retry_after }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        tracing::error!(%error, "a log could not be read");
        ApiError::Internal("a log could not be read".to_owned())
    }
}
