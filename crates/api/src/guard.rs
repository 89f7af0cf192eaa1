//! Who is answered: the names this server goes by, the web pages that may call it, and keys.
//!
//! A web page can make its visitor's browser call a server on loopback. The `Host` list stops one
//! that had its own name resolve to 127.0.0.1 (DNS rebinding); the `Origin` list stops the rest.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hyper::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN};
use hyper::{HeaderMap, Uri};
use millrace_store::{Access, FileDisk, Keys, StoreError};

use crate::error::ApiError;
use crate::route::{Kind, shown};

#[derive(Debug)]
pub struct Guard {
    /// Lower case, without a port.
    hosts: Vec<String>,
    origins: Vec<String>,
    data_dir: PathBuf,
    keys: RwLock<Keys>,
    /// Set where others reach the address and once there is or was a key, and never cleared: that
    /// the last key was revoked opens nothing, also after another start.
    asks_for_key: AtomicBool,
}

impl Guard {
    /// # Errors
    /// When there are keys that cannot be read.
    pub fn new(
        address: SocketAddr,
        hosts: &[String],
        origins: &[String],
        data_dir: &Path,
    ) -> Result<Guard, StoreError> {
        let mut names: Vec<String> = hosts.iter().map(|h| h.to_ascii_lowercase()).collect();
        if address.ip().is_loopback() {
            names.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
        }
        match address.ip() {
            std::net::IpAddr::V4(ip) => names.push(ip.to_string()),
            std::net::IpAddr::V6(ip) => names.push(format!("[{ip}]")),
        }
        let keys = read_keys(data_dir)?;
        let asks_for_key = !address.ip().is_loopback() || keys.are_set_up();
        Ok(Guard {
            hosts: names,
            origins: origins.iter().map(|o| o.trim_end_matches('/').to_owned()).collect(),
            data_dir: data_dir.to_owned(),
            keys: RwLock::new(keys),
            asks_for_key: AtomicBool::new(asks_for_key),
        })
    }

    /// Reads the keys again. When that fails, the keys of before stay in force.
    pub fn reload(&self) {
        match read_keys(&self.data_dir) {
            Ok(keys) => {
                if keys.are_set_up() {
                    self.asks_for_key.store(true, Ordering::Relaxed);
                }
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
            }
            Err(error) => tracing::error!(%error, "the keys cannot be read; the old ones hold"),
        }
    }

    /// Whether the request may be answered at all; gives back the web page that made it, if one did.
    ///
    /// # Errors
    /// For a foreign host or origin.
    pub fn admit<'h>(
        &self,
        uri: &Uri,
        headers: &'h HeaderMap,
    ) -> Result<Option<&'h HeaderValue>, ApiError> {
        // A request line with a whole address, as proxies get it, names the server as well.
        if let Some(authority) = uri.authority()
            && !self.is_ours(authority.as_str())
        {
            return Err(ApiError::HostRefused { given: shown(authority.as_str()) });
        }
        let host = text(headers, &HOST);
        if !host.is_some_and(|host| self.is_ours(host)) {
            let given = host.map_or_else(|| "nothing at all".to_owned(), shown);
            return Err(ApiError::HostRefused { given });
        }
        let page = headers.get(ORIGIN);
        if page.is_some() {
            let origin = text(headers, &ORIGIN).unwrap_or_default();
            if !self.origins.iter().any(|known| known == origin) {
                return Err(ApiError::OriginRefused { given: shown(origin) });
            }
        }
        Ok(page)
    }

    /// # Errors
    /// For a request without a known key where one is asked for.
    pub fn check_key(&self, kind: Kind, headers: &HeaderMap) -> Result<(), ApiError> {
        if kind.is_open() || !self.asks_for_key.load(Ordering::Relaxed) {
            return Ok(());
        }
        let key = text(headers, &AUTHORIZATION).and_then(bearer).ok_or(ApiError::Unauthorized)?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.verify(key).map(drop).ok_or(ApiError::Unauthorized)
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            // A colon inside of brackets belongs to the address.
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn read_keys(data_dir: &Path) -> Result<Keys, StoreError> {
    Keys::open(Arc::new(FileDisk::open(data_dir, Access::Read)?))
}

/// The header's one value; none where it is given twice or is not ASCII.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(HeaderValue::to_str)?.ok()?;
    values.next().is_none().then_some(first)
}

/// The key of `Bearer KEY`.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(address: &str, hosts: &[String]) -> Guard {
        let nowhere = Path::new("/nonexistent");
        Guard::new(address.parse().unwrap(), hosts, &[], nowhere).unwrap()
    }

    #[test]
    fn a_loopback_server_goes_by_the_names_of_loopback() {
        let guard = guard("127.0.0.1:7878", &["Box.Example".to_owned()]);
        for host in ["localhost", "LOCALHOST:7878", "127.0.0.1:1", "[::1]:7878", "box.example"] {
            assert!(guard.is_ours(host), "{host}");
        }
        let foreign =
            ["", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "localhost:x"];
        for host in foreign {
            assert!(!guard.is_ours(host), "{host}");
        }
    }

    #[test]
    fn an_address_that_others_reach_always_asks_for_a_key() {
        let guard = guard("10.0.0.1:80", &[]);
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("10.0.0.1"));
        assert!(matches!(guard.check_key(Kind::View, &headers), Err(ApiError::Unauthorized)));
        assert!(guard.check_key(Kind::Health, &headers).is_ok());
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        let refused = guard.admit(&Uri::from_static("/healthz"), &headers);
        assert!(matches!(refused, Err(ApiError::HostRefused { .. })));
    }

    #[test]
    fn a_whole_address_in_the_request_line_is_a_name_as_well() {
        let guard = guard("127.0.0.1:7878", &[]);
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        let admit = |uri: &'static str| guard.admit(&Uri::from_static(uri), &headers).is_ok();
        assert!(admit("/healthz") && admit("http://127.0.0.1:7878/healthz"));
        assert!(!admit("http://evil.example/healthz"));
        assert!(!admit("http://localhost@evil.example/healthz"));
    }
}
