//! The little of HTTP that commands need to talk to a running server: one request, one answer, one
//! connection, as HTTP/1.0, so that the answer ends where the connection does.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use crate::exit::Failure;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
const CONNECT_MAX: Duration = Duration::from_secs(5);
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Which server to talk to, and as whom.
#[derive(clap::Args, Clone, Debug)]
pub struct Server {
    /// The server's address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7878")]
    pub url: String,
    /// The API key, where the server asks for one
    #[arg(long, env = "MILLRACE_KEY", hide_env_values = true, value_name = "KEY")]
    pub key: Option<String>,
}

/// What the server said.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body, if the server did what it was asked.
    pub fn success(self, what: &str) -> Result<Vec<u8>, Failure> {
        let Answer { status, body } = self;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let said = String::from_utf8_lossy(&body);
        let message = format!("{what}: the server answered {status}: {}", said.trim_end());
        // 5xx is the server's world, 4xx is what was sent.
        if status >= 500 { Err(Failure::environment(message)) } else { Err(Failure::user(message)) }
    }
}

impl Server {
    /// Posts a body of this content type.
    pub fn post(&self, path: &str, content: &str, body: &[u8]) -> Result<Answer, Failure> {
        let (host, prefix) = self.parts()?;
        let key = match &self.key {
            Some(key) => format!("authorization: Bearer {key}\r\n"),
            None => String::new(),
        };
        let head = format!(
            "POST {prefix}{path} HTTP/1.0\r\nhost: {host}\r\ncontent-type: {content}\r\n\
             content-length: {}\r\n{key}\r\n",
            body.len()
        );
        let failed = |e: std::io::Error| {
            Failure::environment(format!("{}: {e}; is the server running?", self.url))
        };
        let mut stream = connect(host).map_err(failed)?;
        stream.set_read_timeout(Some(ANSWER_MAX)).map_err(failed)?;
        stream.write_all(head.as_bytes()).map_err(failed)?;
        stream.write_all(body).map_err(failed)?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).map_err(failed)?;
        parse(&answer).ok_or_else(|| {
            Failure::environment(format!("{}: this is no HTTP server", self.url))
        })
    }

    /// Host with port, and what stands before every path.
    fn parts(&self) -> Result<(&str, &str), Failure> {
        let url = &self.url;
        let rest = url.strip_prefix("http://").ok_or_else(|| {
            Failure::usage(format!("{url}: the address begins with http://; for https, use a tunnel"))
        })?;
        let rest = rest.trim_end_matches('/');
        let (host, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(Failure::usage(format!("{url}: there is no host in this address")));
        }
        Ok((host, prefix))
    }
}

fn connect(host: &str) -> std::io::Result<TcpStream> {
    let with_port = if has_port(host) { host.to_owned() } else { format!("{host}:80") };
    let mut failure = std::io::Error::other("the name has no address");
    for address in with_port.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_MAX) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A colon inside brackets belongs to an IPv6 address.
fn has_port(host: &str) -> bool {
    let after = host.rfind(']').map_or(host, |end| &host[end..]);
    after.contains(':')
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let (head, body) = answer.split_at(end + 4);
    let head = std::str::from_utf8(head).ok()?;
    let mut first = head.lines().next()?.split(' ');
    first.next().filter(|version| version.starts_with("HTTP/1."))?;
    let status = first.next()?.parse().ok()?;
    Some(Answer { status, body: body.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let server = |url: &str| Server { url: url.to_owned(), key: None };
        let parts = |url: &str| server(url).parts().map(|(h, p)| (h.to_owned(), p.to_owned())).ok();
        assert_eq!(parts("http://a:1"), Some(("a:1".into(), String::new())));
        assert_eq!(parts("http://a:1/risk/"), Some(("a:1".into(), "/risk".into())));
        assert_eq!(parts("https://a"), None);
        assert_eq!(parts("http:///x"), None);
        assert_eq!(parts("http://a\r\nb"), None);
        assert!(has_port("[::1]:80") && !has_port("[::1]") && !has_port("a"));
    }

    #[test]
    fn an_answer_is_a_status_and_a_body() {
        let answer = parse(b"HTTP/1.0 201 Created\r\na: b\r\n\r\nbody").unwrap();
        assert_eq!((answer.status, &answer.body[..]), (201, &b"body"[..]));
        assert!(parse(b"SSH-2.0\r\n\r\n").is_none() && parse(b"HTTP/1.1 200").is_none());
        let refused = Answer { status: 401, body: b"no key".to_vec() }.success("ingest");
        assert_eq!(refused.unwrap_err().exit.code(), 1);
    }
}
