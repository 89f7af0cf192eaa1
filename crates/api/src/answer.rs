//! From a result to an HTTP answer.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use crate::error::ApiError;
use crate::write::Object;

pub type Answer = Response<Full<Bytes>>;

pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The text format of Prometheus.
pub const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

pub fn of(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// JSON that ends its line, as people who ask with curl want it.
pub fn json(status: StatusCode, mut body: Vec<u8>) -> Answer {
    body.push(b'\n');
    of(status, JSON, body)
}

/// Lets the page, which is an allowed one, read the answer.
pub fn allow(answer: &mut Answer, page: HeaderValue) {
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, page);
    headers.insert(VARY, HeaderValue::from_static("origin"));
}

/// What a browser wants to know before it lets a page send a request.
pub fn preflight() -> Answer {
    let mut answer = of(StatusCode::NO_CONTENT, JSON, Bytes::new());
    let headers = answer.headers_mut();
    headers.remove(CONTENT_TYPE);
    let methods = HeaderValue::from_static("GET, POST");
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    let allowed = HeaderValue::from_static("authorization, content-type");
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    answer
}

pub fn error(error: &ApiError) -> Answer {
    let told = error.told();
    let mut body = Vec::with_capacity(192);
    let mut object = Object::new(&mut body);
    write_error(object.member("error"), error);
    object.end();
    let mut answer = json(told.status, body);
    if told.status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(after) = told.retry_after {
        // Whole seconds, and never none: the header knows no less.
        let seconds = after.as_secs_f64().ceil().max(1.0) as u64;
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

pub fn write_error(out: &mut Vec<u8>, error: &ApiError) {
    let told = error.told();
    let mut object = Object::new(out);
    object.text("code", told.code);
    object.text("message", &error.to_string());
    object.text("hint", &told.hint);
    object.end();
}
