//! From method and path to what is asked for.

use std::borrow::Cow;

use hyper::Method;
use percent_encoding::percent_decode_str;

use crate::error::ApiError;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    Events { stream: String },
    Features { group: String, key: Vec<String> },
    ManyFeatures,
    View { view: String },
    Decision { decision: String },
    Definitions,
    OpenApi,
    DeadLetters,
    Resubmit,
    ReplayLate,
    Checkpoint,
    Metrics,
    Health,
    Ready,
}

/// A route without what is in its path: what requests are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Events,
    Features,
    ManyFeatures,
    View,
    Decision,
    Definitions,
    OpenApi,
    DeadLetters,
    Resubmit,
    ReplayLate,
    Checkpoint,
    Metrics,
    Health,
    Ready,
    /// No route at all.
    Unknown,
}

impl Kind {
    pub const ALL: [Kind; 15] = [
        Kind::Events,
        Kind::Features,
        Kind::ManyFeatures,
        Kind::View,
        Kind::Decision,
        Kind::Definitions,
        Kind::OpenApi,
        Kind::DeadLetters,
        Kind::Resubmit,
        Kind::ReplayLate,
        Kind::Checkpoint,
        Kind::Metrics,
        Kind::Health,
        Kind::Ready,
        Kind::Unknown,
    ];

    /// The path with its variables, as in the reference.
    pub fn path(self) -> &'static str {
        match self {
            Kind::Events => "/v1/streams/{stream}/events",
            Kind::Features => "/v1/features/{group}/{key}",
            Kind::ManyFeatures => "/v1/features",
            Kind::View => "/v1/views/{view}",
            Kind::Decision => "/v1/decisions/{decision}",
            Kind::Definitions => "/v1/definitions",
            Kind::OpenApi => "/v1/openapi.json",
            Kind::DeadLetters => "/v1/dead-letters",
            Kind::Resubmit => "/v1/dead-letters/resubmit",
            Kind::ReplayLate => "/v1/late/replay",
            Kind::Checkpoint => "/v1/checkpoint",
            Kind::Metrics => "/metrics",
            Kind::Health => "/healthz",
            Kind::Ready => "/readyz",
            Kind::Unknown => "other",
        }
    }

    /// What may stand behind the `?`.
    pub fn parameters(self) -> &'static [&'static str] {
        match self {
            Kind::Events => &["partition"],
            Kind::Features => &["at"],
            Kind::DeadLetters => &["stream", "reason", "from", "limit"],
            Kind::ManyFeatures
            | Kind::View
            | Kind::Decision
            | Kind::Definitions
            | Kind::OpenApi
            | Kind::Resubmit
            | Kind::ReplayLate
            | Kind::Checkpoint
            | Kind::Metrics
            | Kind::Health
            | Kind::Ready
            | Kind::Unknown => &[],
        }
    }

    /// Health is told to everybody: it says nothing, and a probe has no key.
    pub fn is_open(self) -> bool {
        matches!(self, Kind::Health | Kind::Ready)
    }
}

impl Route {
    pub fn kind(&self) -> Kind {
        match self {
            Route::Events { .. } => Kind::Events,
            Route::Features { .. } => Kind::Features,
            Route::ManyFeatures => Kind::ManyFeatures,
            Route::View { .. } => Kind::View,
            Route::Decision { .. } => Kind::Decision,
            Route::Definitions => Kind::Definitions,
            Route::OpenApi => Kind::OpenApi,
            Route::DeadLetters => Kind::DeadLetters,
            Route::Resubmit => Kind::Resubmit,
            Route::ReplayLate => Kind::ReplayLate,
            Route::Checkpoint => Kind::Checkpoint,
            Route::Metrics => Kind::Metrics,
            Route::Health => Kind::Health,
            Route::Ready => Kind::Ready,
        }
    }

    /// # Errors
    /// For a path that is none of ours, or a method that it does not take.
    pub fn of(method: &Method, path: &str) -> Result<Route, ApiError> {
        const GET: &str = "GET";
        const POST: &str = "POST";
        let decoded = path.strip_prefix('/').map(decode_parts).transpose()?.unwrap_or_default();
        let parts: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
        let (route, allowed) = match parts[..] {
            ["v1", "streams", stream, "events"] => {
                (Route::Events { stream: stream.to_owned() }, POST)
            }
            ["v1", "features"] => (Route::ManyFeatures, POST),
            ["v1", "features", group, ref key @ ..] if !key.is_empty() => {
                let key = key.iter().map(|&k| k.to_owned()).collect();
                (Route::Features { group: group.to_owned(), key }, GET)
            }
            ["v1", "views", view] => (Route::View { view: view.to_owned() }, POST),
            ["v1", "decisions", decision] => {
                (Route::Decision { decision: decision.to_owned() }, POST)
            }
            ["v1", "definitions"] => (Route::Definitions, GET),
            ["v1", "openapi.json"] => (Route::OpenApi, GET),
            ["v1", "dead-letters"] => (Route::DeadLetters, GET),
            ["v1", "dead-letters", "resubmit"] => (Route::Resubmit, POST),
            ["v1", "late", "replay"] => (Route::ReplayLate, POST),
            ["v1", "checkpoint"] => (Route::Checkpoint, POST),
            ["metrics"] => (Route::Metrics, GET),
            ["healthz"] => (Route::Health, GET),
            ["readyz"] => (Route::Ready, GET),
            _ => return Err(ApiError::UnknownRoute { path: shown(path) }),
        };
        let is_allowed = method.as_str() == allowed || (allowed == GET && method == Method::HEAD);
        if !is_allowed {
            let (path, given) = (shown(path), shown(method.as_str()));
            return Err(ApiError::MethodNotAllowed { path, given, allowed });
        }
        Ok(route)
    }
}

fn decode_parts(path: &str) -> Result<Vec<Cow<'_, str>>, ApiError> {
    path.split('/')
        .map(|part| {
            percent_decode_str(part)
                .decode_utf8()
                .map_err(|_| ApiError::BadRequest("the path is not UTF-8".into()))
        })
        .collect()
}

/// What a client sent, short enough for a message and without control characters.
pub fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 64;
    let mut shown: String = text
        .chars()
        .take(CHARS_MAX)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Result<Route, ApiError> {
        Route::of(&Method::GET, path)
    }

    #[test]
    fn key_parts_are_decoded_each_by_itself() {
        let key = |path| match get(path) {
            Ok(Route::Features { group, key }) => (group, key),
            other => panic!("{path}: {other:?}"),
        };
        assert_eq!(key("/v1/features/g/a"), ("g".into(), vec!["a".into()]));
        assert_eq!(key("/v1/features/g/a%2Fb/c"), ("g".into(), vec!["a/b".into(), "c".into()]));
        assert_eq!(key("/v1/features/g/"), ("g".into(), vec![String::new()]));
        assert_eq!(key("/v1/features/g/%C3%A9+"), ("g".into(), vec!["é+".into()]));
    }

    #[test]
    fn what_is_no_route_is_refused() {
        for path in ["", "/", "/v1", "/v1/features/g", "/v1/views", "/healthz/", "/v2/features/g/a"]
        {
            assert!(matches!(get(path), Err(ApiError::UnknownRoute { .. })), "{path}");
        }
        assert!(matches!(get("/v1/features/g/%FF"), Err(ApiError::BadRequest(_))));
        let posted = Route::of(&Method::POST, "/healthz");
        assert!(matches!(posted, Err(ApiError::MethodNotAllowed { allowed: "GET", .. })));
        assert_eq!(Route::of(&Method::HEAD, "/healthz").unwrap(), Route::Health);
    }

    #[test]
    fn what_is_shown_is_short_and_plain() {
        assert_eq!(shown("a\u{1b}[31m\n"), "a\u{fffd}[31m\u{fffd}");
        assert_eq!(shown(&"x".repeat(70)).chars().count(), 65);
    }
}
