//! Requests with events, and the two ways in which they are offered: as fast as they are taken, and
//! on a schedule whatever becomes of them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_event::EventTime;
use millrace_stream::live::now;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::attempts::Attempts;
use super::http::{Answer, READ_BYTES, parse};

/// Before anything is measured.
pub const WARM_UP: Duration = Duration::from_secs(2);
/// How long one answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
const PATH: &str = "/v1/streams/payment_attempts/events";
/// What stands before each event's number, and how many digits it has.
const ID_BEFORE: &[u8] = b"\"payment_id\":\"p_";
const ID_DIGITS: usize = 10;
/// What stands before each event's time, and how long that is with microseconds.
const TIME_BEFORE: &[u8] = b"\"at\":\"";
const TIME_BYTES: usize = "2026-01-01T00:00:00.000001Z".len();
const HEAD_END: &[u8] = b"\r\n\r\n";
const GO_ON: &[u8] = b"HTTP/1.1 100 ";

/// What a load came to, within the measured time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Requests that were sent on schedule, whatever became of them.
    pub offered: u64,
    /// Requests that were due and not sent, because all connections waited for answers.
    pub unsent: u64,
    /// Events that the server says it has taken.
    pub accepted: u64,
    /// 429 and 503, and those of them that do not say when to come back.
    pub refused: u64,
    pub without_retry_after: u64,
    /// Connections that ended without an answer, and other answers.
    pub broken: u64,
    pub failed: u64,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.offered += other.offered;
        self.unsent += other.unsent;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.without_retry_after += other.without_retry_after;
        self.broken += other.broken;
        self.failed += other.failed;
    }
}

/// How a request with events is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// The body follows the head at once.
    Whole,
    /// The head asks first (`Expect: 100-continue`), as curl does for large bodies.
    Asking,
}

/// The part of a load that is measured.
#[derive(Clone, Copy, Debug)]
struct Measured {
    from: Instant,
    end: Instant,
}

impl Measured {
    fn after_warm_up(begun: Instant, seconds: u32) -> Measured {
        let from = begun + WARM_UP;
        Measured { from, end: from + Duration::from_secs(u64::from(seconds)) }
    }

    fn holds(self, moment: Instant) -> bool {
        moment >= self.from && moment < self.end
    }
}

/// A request's body, made once; the ids and times of its events are changed in place.
#[derive(Debug, Default)]
struct Body {
    bytes: Vec<u8>,
    /// Where the digits of each id begin.
    ids: Vec<usize>,
    /// Where the time of each begins.
    times: Vec<usize>,
    next: u64,
    step: u64,
}

/// Bodies that all connections take in turn, so that the events are the same however many
/// connections there are.
#[derive(Clone, Debug)]
struct Bodies(Arc<Mutex<VecDeque<Body>>>);

impl Bodies {
    /// So many, with `batch` events each.
    fn new(attempts: &mut Attempts, batch: u32, count: usize) -> Bodies {
        let count = count as u64;
        let bodies = (0..count).map(|first| Body::new(attempts, batch, first, count));
        Bodies(Arc::new(Mutex::new(bodies.collect())))
    }

    /// The one that has waited longest.
    fn lend(&self) -> Lent {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        // `clients` makes one for each connection, which has one request at a time, and a body
        // comes back whatever becomes of its request.
        let body = body.expect("there are as many bodies as connections");
        Lent { body, bodies: self.clone(), is_refused: false }
    }
}

/// A body that goes back, behind the others, also when its request is given up.
#[derive(Debug)]
struct Lent {
    body: Body,
    bodies: Bodies,
    /// Its events are to be sent again; else the server has them, or may have them.
    is_refused: bool,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut body = std::mem::take(&mut self.body);
        if !self.is_refused {
            body.renew();
        }
        self.bodies.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(body);
    }
}

impl Body {
    /// Its ids are `first` and every `step`th from there on.
    fn new(attempts: &mut Attempts, batch: u32, first: u64, step: u64) -> Body {
        let mut bytes = Vec::new();
        (0..batch).for_each(|_| attempts.push_line(with_micros(now()), &mut bytes));
        let behind = |what: &[u8]| -> Vec<usize> {
            memchr::memmem::find_iter(&bytes, what).map(|at| at + what.len()).collect()
        };
        let (ids, times) = (behind(ID_BEFORE), behind(TIME_BEFORE));
        let mut body = Body { bytes, ids, times, next: first, step };
        body.renew();
        body
    }

    /// Makes its events new ones.
    fn renew(&mut self) {
        for at in &self.ids {
            let mut number = self.next;
            for digit in self.bytes[*at..at + ID_DIGITS].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
            self.next += self.step;
        }
    }

    /// Makes its events happen now.
    fn stamp(&mut self, now: EventTime) {
        let time = with_micros(now).to_string();
        for at in &self.times {
            self.bytes[*at..at + TIME_BYTES].copy_from_slice(time.as_bytes());
        }
    }
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    server: SocketAddr,
    stream: Option<TcpStream>,
    /// What has come of the answer.
    buffer: Vec<u8>,
    bodies: Bodies,
}

/// So many connections, which take as many bodies of `batch` events in turn.
pub fn clients(
    server: SocketAddr,
    count: usize,
    attempts: &mut Attempts,
    batch: u32,
) -> Vec<Client> {
    let bodies = Bodies::new(attempts, batch, count);
    let client = |_| Client { server, stream: None, buffer: Vec::new(), bodies: bodies.clone() };
    (0..count).map(client).collect()
}

impl Client {
    /// Sends a request once; what became of it counts if the answer came in the measured time.
    async fn once(mut self, sending: Sending, measured: Measured) -> (Client, Tally) {
        let mut lent = self.bodies.lend();
        lent.body.stamp(now());
        let answer = tokio::time::timeout(ANSWER_TIME_MAX, self.ask(&lent.body.bytes, sending));
        let answer = answer.await.ok().flatten();
        let mut tally = Tally::default();
        match &answer {
            Some(answer) if answer.status == 200 => {
                tally.accepted = accepted(&self.buffer[answer.body.clone()]);
            }
            Some(answer) if answer.is_refusal() => {
                lent.is_refused = true;
                tally.refused = 1;
                tally.without_retry_after = u64::from(!answer.has_retry_after);
            }
            Some(_) => tally.failed = 1,
            None => tally.broken = 1,
        }
        drop(lent);
        if answer.is_none_or(|answer| answer.closes) {
            self.stream = None;
        }
        let tally = if measured.holds(Instant::now()) { tally } else { Tally::default() };
        (self, tally)
    }

    /// `None` when the connection ended without an answer.
    async fn ask(&mut self, body: &[u8], sending: Sending) -> Option<Answer> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let new = TcpStream::connect(self.server).await.ok()?;
                new.set_nodelay(true).ok()?;
                self.stream.insert(new)
            }
        };
        let buffer = &mut self.buffer;
        buffer.clear();
        stream.write_all(head(body.len(), sending).as_bytes()).await.ok()?;
        if sending == Sending::Asking {
            while memchr::memmem::find(buffer, HEAD_END).is_none() {
                read_some(stream, buffer).await?;
            }
            if !buffer.starts_with(GO_ON) {
                return read_answer(stream, buffer).await;
            }
            let end = memchr::memmem::find(buffer, HEAD_END)? + HEAD_END.len();
            buffer.drain(..end);
        }
        // A server that refuses may answer, and end the connection, before it has read all: the
        // answer is waited for while the body is still being written.
        let (mut input, mut output) = stream.split();
        let mut write = std::pin::pin!(output.write_all(body));
        let mut is_written = false;
        let mut answer = std::pin::pin!(read_answer(&mut input, buffer));
        loop {
            tokio::select! {
                // Whether it was written whole shows in the answer.
                _ = write.as_mut(), if !is_written => is_written = true,
                answer = answer.as_mut() => {
                    let closes = |answer: &Answer| answer.closes || !is_written;
                    return answer.map(|a| Answer { closes: closes(&a), ..a });
                }
            }
        }
    }
}

/// The moment, or the microsecond after it: one that is written with six digits behind the point.
fn with_micros(at: EventTime) -> EventTime {
    EventTime(at.0 | 1)
}

fn head(length: usize, sending: Sending) -> String {
    let expect = match sending {
        Sending::Whole => "",
        Sending::Asking => "Expect: 100-continue\r\n",
    };
    format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n\
         {expect}Content-Length: {length}\r\n\r\n"
    )
}

async fn read_some(
    input: &mut (impl tokio::io::AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> Option<()> {
    let held = buffer.len();
    buffer.resize(held + READ_BYTES, 0);
    let got = input.read(&mut buffer[held..]).await.unwrap_or(0);
    buffer.truncate(held + got);
    (got > 0).then_some(())
}

async fn read_answer(
    input: &mut (impl tokio::io::AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> Option<Answer> {
    loop {
        if let Some(answer) = parse(buffer).ok()? {
            return Some(answer);
        }
        read_some(input, buffer).await?;
    }
}

/// The count of events that an answer says were taken.
fn accepted(body: &[u8]) -> u64 {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    answer["accepted"].as_u64().unwrap_or(0)
}

/// Each client sends as soon as it has its answer.
pub async fn closed(clients: &mut Vec<Client>, seconds: u32) -> Tally {
    let measured = Measured::after_warm_up(Instant::now(), seconds);
    let mut tasks = JoinSet::new();
    for mut client in clients.drain(..) {
        tasks.spawn(async move {
            let mut tally = Tally::default();
            while Instant::now() < measured.end {
                let (back, one) = client.once(Sending::Whole, measured).await;
                client = back;
                tally.add(one);
            }
            (client, tally)
        });
    }
    let mut tally = Tally::default();
    while let Some(done) = tasks.join_next().await {
        let Ok((client, one)) = done else { continue };
        clients.push(client);
        tally.add(one);
    }
    tally
}

/// A request at every moment of a schedule, over whichever connection waits for nothing. One that
/// is late is sent late; one for which there is no connection is counted as not sent.
pub async fn open(mut idle: Vec<Client>, seconds: u32, per_second: f64, sending: Sending) -> Tally {
    let begun = Instant::now();
    let measured = Measured::after_warm_up(begun, seconds);
    let mut tasks = JoinSet::new();
    let mut tally = Tally::default();
    let mut number = 0u64;
    loop {
        let due = begun + Duration::from_secs_f64(number as f64 / per_second);
        if due >= measured.end || Instant::now() >= measured.end {
            break;
        }
        tokio::select! {
            biased;
            Some(done) = tasks.join_next() => {
                let Ok((client, one)) = done else { continue };
                idle.push(client);
                tally.add(one);
            }
            () = tokio::time::sleep_until(due.into()) => {
                number += 1;
                let is_measured = u64::from(measured.holds(Instant::now()));
                match idle.pop() {
                    Some(client) => {
                        tasks.spawn(client.once(sending, measured));
                        tally.offered += is_measured;
                    }
                    None => tally.unsent += is_measured,
                }
            }
        }
    }
    // Requests in flight are given up; their bodies are for the load that comes next.
    tasks.shutdown().await;
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_renewed_in_place() {
        let mut attempts = Attempts::new().unwrap();
        let mut body = Body::new(&mut attempts, 3, 7, 10);
        let ids = |body: &Body| {
            let id = |at: &usize| String::from_utf8_lossy(&body.bytes[*at..at + 10]).into_owned();
            body.ids.iter().map(id).collect::<Vec<_>>()
        };
        assert_eq!(ids(&body), ["0000000007", "0000000017", "0000000027"]);
        let length = body.bytes.len();
        body.renew();
        let at = EventTime(1_790_000_000_000_000);
        body.stamp(at);
        assert_eq!(ids(&body), ["0000000037", "0000000047", "0000000057"]);
        let text = String::from_utf8(body.bytes.clone()).unwrap();
        let time = format!("\"at\":\"{}\"", EventTime(at.0 + 1));
        assert_eq!((text.matches(&time).count(), text.len()), (3, length));
    }

    #[test]
    fn bodies_are_taken_in_turn() {
        let bodies = Bodies::new(&mut Attempts::new().unwrap(), 1, 2);
        let (mut first, second) = (bodies.lend(), bodies.lend());
        let [refused, taken] = [first.body.next, second.body.next];
        first.is_refused = true;
        drop(first);
        drop(second);
        assert_eq!(bodies.lend().body.next, refused, "its events are sent again");
        assert_eq!(bodies.lend().body.next, taken + 2, "these are new");
    }

    #[test]
    fn the_body_of_a_request_that_is_given_up_comes_back() {
        // It accepts connections and never answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = silent.local_addr().unwrap();
        let mut clients = clients(server, 2, &mut Attempts::new().unwrap(), 1);
        let bodies = clients[0].bodies.clone();
        let held = || bodies.0.lock().unwrap().len();
        let measured = Measured::after_warm_up(Instant::now(), 1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let request = clients.pop().unwrap().once(Sending::Asking, measured);
            let mut tasks = JoinSet::new();
            tasks.spawn(request);
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert_eq!(held(), 1);
            tasks.shutdown().await;
        });
        assert_eq!(held(), 2);
    }

    #[test]
    fn an_answer_says_how_many_were_taken() {
        assert_eq!(accepted(br#"{"stream":"s","accepted":12,"duplicate":1}"#), 12);
        assert_eq!(accepted(b""), 0);
    }

    #[test]
    fn what_is_measured_begins_behind_the_warm_up() {
        let begun = Instant::now();
        let measured = Measured::after_warm_up(begun, 1);
        assert!(!measured.holds(begun) && measured.holds(begun + WARM_UP));
        assert!(!measured.holds(begun + WARM_UP + Duration::from_secs(1)));
    }
}
