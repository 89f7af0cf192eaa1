//! The least of HTTP/1.1 that a load generator needs: requests whose bytes are made beforehand, on
//! connections that stay open, and answers of a known length.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Bytes asked of the socket at once.
pub const READ_BYTES: usize = 16 << 10;
/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// What an answer says, with where its body lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub has_retry_after: bool,
    /// Whether the server ends the connection behind it.
    pub closes: bool,
    pub body: Range<usize>,
}

impl Answer {
    /// Whether the server says that it has too much to do.
    pub fn is_refusal(&self) -> bool {
        matches!(self.status, 429 | 503)
    }
}

/// Appends a request.
pub fn write_post(out: &mut Vec<u8>, path: &str, content_type: &str, body: &[u8]) {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(body);
}

pub fn write_get(out: &mut Vec<u8>, path: &str) {
    out.extend_from_slice(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
}

/// The answer at the start of these bytes; `None` while it is not whole.
///
/// # Errors
/// For what is no answer, or one whose length is not said.
pub fn parse(bytes: &[u8]) -> io::Result<Option<Answer>> {
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let Some(head_end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(bad("the answer's head does not end"));
        }
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..head_end]).map_err(|_| bad("the head is no text"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| bad("the answer has no status"))?;
    let (mut length, mut has_retry_after, mut closes) = (None, false, false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok(),
            "retry-after" => has_retry_after = true,
            "connection" => closes = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let length: usize = length.ok_or_else(|| bad("the answer does not say its length"))?;
    let body = head_end + 4..head_end + 4 + length;
    if body.end > ANSWER_BYTES_MAX {
        return Err(bad("the answer is too long"));
    }
    let whole = Answer { status, has_retry_after, closes, body };
    Ok((bytes.len() >= whole.body.end).then_some(whole))
}

/// A connection that waits for each answer.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        Ok(Connection { address, stream, buffer: Vec::new() })
    }

    /// Sends a request and waits for its answer; a connection that the server ended is opened
    /// again for the next one.
    pub fn ask(&mut self, request: &[u8]) -> io::Result<(Answer, &[u8])> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let answer = loop {
            let held = self.buffer.len();
            self.buffer.resize(held + READ_BYTES, 0);
            let got = self.stream.read(&mut self.buffer[held..])?;
            self.buffer.truncate(held + got);
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = parse(&self.buffer)? {
                break answer;
            }
        };
        if answer.closes {
            self.stream = Connection::open(self.address)?.stream;
        }
        let body = &self.buffer[answer.body.clone()];
        Ok((answer, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        let text =
            b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\ncontent-length: 2\r\n\r\n{}";
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]).unwrap(), None);
        }
        let answer = parse(text).unwrap().unwrap();
        assert!(answer.is_refusal() && answer.has_retry_after && !answer.closes);
        assert_eq!(&text[answer.body], b"{}");
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "no length");
        assert!(parse(b"\r\n\r\n").is_err());
    }
}
