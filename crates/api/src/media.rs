//! What a request says its body is.

use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};

use crate::error::ApiError;
use crate::route::shown;

/// The body's type without its parameters, in lower case; empty where the request says none.
pub fn media_type(headers: &HeaderMap) -> String {
    let essence = given(headers).split(';').next().unwrap_or("");
    essence.trim().to_ascii_lowercase()
}

/// JSON alone: the types that a web page may send without asking are refused.
///
/// # Errors
/// [`ApiError::UnsupportedMediaType`].
pub fn check_json(headers: &HeaderMap) -> Result<(), ApiError> {
    check_encoding(headers)?;
    match media_type(headers).as_str() {
        "application/json" => Ok(()),
        _ => Err(refused(headers, "send `Content-Type: application/json`")),
    }
}

/// Bodies are taken as they are: one that is said to be compressed would be read as what it is not.
///
/// # Errors
/// [`ApiError::UnsupportedEncoding`].
pub fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut given = headers.get_all(CONTENT_ENCODING).iter();
    match given.find(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        None => Ok(()),
        Some(value) => {
            let given = shown(&String::from_utf8_lossy(value.as_bytes()));
            Err(ApiError::UnsupportedEncoding { given })
        }
    }
}

/// That this type is not taken here.
pub fn refused(headers: &HeaderMap, hint: &'static str) -> ApiError {
    let given = match given(headers) {
        "" => "nothing".to_owned(),
        given => shown(given),
    };
    ApiError::UnsupportedMediaType { given, hint }
}

fn given(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_type_is_read_without_its_parameters_and_in_any_case() {
        let of = |value: &'static str| {
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))])
        };
        assert_eq!(media_type(&of("Application/JSON ; charset=utf-8")), "application/json");
        assert!(check_json(&of("application/json;charset=utf-8")).is_ok());
        for wrong in [of("text/plain"), of("application/jsonx"), HeaderMap::new()] {
            assert!(check_json(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_compressed_body_is_refused() {
        let of = |value: &'static str| {
            HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(value))])
        };
        assert!(check_encoding(&HeaderMap::new()).is_ok());
        assert!(check_encoding(&of("Identity")).is_ok());
        assert!(matches!(
            check_encoding(&of("gzip")),
            Err(ApiError::UnsupportedEncoding { given }) if given == "gzip"
        ));
    }
}
