//! `millrace bench overload`: what is left of a server's capacity when ten times as much comes.
//!
//! First the capacity: some connections hand events over as fast as they are taken. Then an open
//! load of ten times that, over many connections, each with its own schedule. What is refused must
//! say when to come back; what is taken must be about as much as before.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::attempts::Attempts;
use super::data::default_folder;
use super::http::{Answer, READ_BYTES, parse, write_post};
use super::server::Server;
use crate::console::{grouped, say, size, spinner};
use crate::exit::Failure;
use crate::key::now;

/// How much more than its capacity a server is offered.
const TIMES: f64 = 10.0;
/// Connections that measure the capacity.
const CLOSED_CONNECTIONS: usize = 16;
/// Connections of the open load: more than a server works on at once.
const OPEN_CONNECTIONS: usize = 256;
/// Before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long one answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// The share of the capacity that must be left.
const RATIO_MIN: f64 = 0.8;

const PATH: &str = "/v1/streams/payment_attempts/events";
const NDJSON: &str = "application/x-ndjson";
/// What stands before each event's number, and how many digits it has.
const ID_BEFORE: &[u8] = b"\"payment_id\":\"p_";
const ID_DIGITS: usize = 10;

/// Measures a server's capacity for events, then offers ten times as much
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace bench overload
  millrace bench overload --seconds 30 --json

Starts a server of the payments example in a child process with a new data directory and a
checkpoint every second. Both loads come from this process, on the same machine: requests are made
beforehand, and only the ids in them change. Ends with code 3 when a refusal does not say when to
come back, or less than 0.8 of the capacity is left.")]
pub struct Args {
    /// How long each of the two loads is measured, after two seconds of warm-up
    #[arg(long, value_name = "N", default_value_t = 10)]
    seconds: u32,
    /// Events of one request
    #[arg(long, value_name = "N", default_value_t = 500)]
    batch: u32,
    /// A server that runs already, of the payments example
    #[arg(long)]
    url: Option<String>,
    /// Where the server's data goes; a folder in the system's temporary one, if not given
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// What a load came to, within the measured time.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Events that the server says it has taken.
    accepted: u64,
    taken: u64,
    /// 429 and 503, and those of them that do not say when to come back.
    refused: u64,
    without_retry_after: u64,
    /// Connections that ended without an answer, and other answers.
    broken: u64,
    failed: u64,
    /// Requests that were due and could not be sent because the one before was not answered.
    skipped: u64,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.accepted += other.accepted;
        self.taken += other.taken;
        self.refused += other.refused;
        self.without_retry_after += other.without_retry_after;
        self.broken += other.broken;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    fn sent(&self) -> u64 {
        self.taken + self.refused + self.broken + self.failed
    }
}

/// A request with events, made once; their ids are changed in place.
struct Request {
    bytes: Vec<u8>,
    /// Where the digits of each id begin.
    ids: Vec<usize>,
    next: u64,
    step: u64,
}

impl Request {
    fn new(attempts: &mut Attempts, batch: u32, first: u64, step: u64) -> Request {
        let mut body = Vec::new();
        (0..batch).for_each(|_| attempts.push_line(now(), &mut body));
        let mut bytes = Vec::new();
        write_post(&mut bytes, PATH, NDJSON, &body);
        let found = memchr::memmem::find_iter(&bytes, ID_BEFORE);
        let ids = found.map(|at| at + ID_BEFORE.len()).collect();
        let mut request = Request { bytes, ids, next: first, step };
        request.renew();
        request
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
}

/// When one connection sends, and from when on it is measured.
#[derive(Clone, Copy)]
struct Pace {
    measured_from: Instant,
    end: Instant,
    /// Between two requests; zero to send as soon as the one before is answered.
    gap: Duration,
    first: Instant,
}

pub fn overload(args: &Args) -> Result<(), Failure> {
    if args.seconds == 0 || !(1..=10_000).contains(&args.batch) {
        return Err(Failure::usage("--seconds must be at least 1, --batch 1 to 10,000"));
    }
    let folder = args.dir.clone().unwrap_or_else(default_folder);
    std::fs::create_dir_all(&folder).map_err(Failure::io(&folder))?;
    let bar = spinner("making up payments");
    let mut attempts = Attempts::new()?;
    let server = Server::at(args.url.as_deref(), &folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::environment(format!("the load cannot be started: {e}")))?;
    let seconds = f64::from(args.seconds);
    let all = (CLOSED_CONNECTIONS + OPEN_CONNECTIONS) as u64;
    let mut request = |number: usize| Request::new(&mut attempts, args.batch, number as u64, all);
    let closed: Vec<Request> = (0..CLOSED_CONNECTIONS).map(&mut request).collect();
    let open: Vec<Request> =
        (0..OPEN_CONNECTIONS).map(|i| request(CLOSED_CONNECTIONS + i)).collect();
    bar.set_message("measuring the capacity");
    let capacity = runtime.block_on(load(server.address, closed, args.seconds, 0.0));
    let per_second = capacity.accepted as f64 / seconds;
    if capacity.accepted == 0 {
        let address = server.address;
        return Err(Failure::environment(format!("http://{address} took no events: {capacity:?}")));
    }
    bar.set_message("offering ten times as much");
    let rate = per_second * TIMES / f64::from(args.batch);
    let over = runtime.block_on(load(server.address, open, args.seconds, rate));
    let peak = server.memory().map(|m| m.peak_bytes);
    bar.finish_and_clear();
    report(args, per_second, &over, peak)
}

/// Offers requests over as many connections as there are, this many a second in all, or as fast as
/// they are answered if that is none.
async fn load(server: SocketAddr, requests: Vec<Request>, seconds: u32, per_second: f64) -> Tally {
    let begun = Instant::now();
    let measured_from = begun + WARM_UP;
    let end = measured_from + Duration::from_secs(u64::from(seconds));
    let parts = requests.len() as f64;
    let mut tasks = JoinSet::new();
    for (i, request) in requests.into_iter().enumerate() {
        let (gap, offset) =
            if per_second > 0.0 { (parts / per_second, i as f64 / per_second) } else { (0.0, 0.0) };
        let first = begun + Duration::from_secs_f64(offset);
        let pace = Pace { measured_from, end, gap: Duration::from_secs_f64(gap), first };
        tasks.spawn(connection(server, request, pace));
    }
    let mut tally = Tally::default();
    while let Some(part) = tasks.join_next().await {
        tally.add(part.unwrap_or_default());
    }
    tally
}

async fn connection(server: SocketAddr, mut request: Request, pace: Pace) -> Tally {
    let mut tally = Tally::default();
    let mut stream: Option<TcpStream> = None;
    let mut buffer = Vec::new();
    let mut due = pace.first;
    while due < pace.end && Instant::now() < pace.end {
        if !pace.gap.is_zero() {
            tokio::time::sleep_until(due.into()).await;
        }
        let answered = ask(server, &mut stream, &request.bytes, &mut buffer);
        let answered = tokio::time::timeout(ANSWER_TIME_MAX, answered).await;
        let now = Instant::now();
        let is_measured = now >= pace.measured_from && now < pace.end;
        let mut one = Tally::default();
        match answered {
            Ok(Some(answer)) => {
                judge(&answer, &buffer, &mut one);
                if answer.closes {
                    stream = None;
                }
                if answer.status == 200 {
                    request.renew();
                }
            }
            Ok(None) | Err(_) => {
                one.broken = 1;
                stream = None;
            }
        }
        // What was due meanwhile has not been offered; it is not sent in a burst either.
        due += pace.gap;
        while !pace.gap.is_zero() && due < now {
            one.skipped += 1;
            due += pace.gap;
        }
        if is_measured {
            tally.add(one);
        }
    }
    tally
}

fn judge(answer: &Answer, buffer: &[u8], tally: &mut Tally) {
    if answer.status == 200 {
        tally.taken += 1;
        tally.accepted += accepted(&buffer[answer.body.clone()]);
    } else if answer.is_refusal() {
        tally.refused += 1;
        tally.without_retry_after += u64::from(!answer.has_retry_after);
    } else {
        tally.failed += 1;
    }
}

/// The count of events that an answer says were taken.
fn accepted(body: &[u8]) -> u64 {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    answer["accepted"].as_u64().unwrap_or(0)
}

/// `None` when the connection ended without an answer.
async fn ask(
    server: SocketAddr,
    stream: &mut Option<TcpStream>,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> Option<Answer> {
    let stream = match stream {
        Some(stream) => stream,
        None => {
            let new = TcpStream::connect(server).await.ok()?;
            new.set_nodelay(true).ok()?;
            stream.insert(new)
        }
    };
    let (mut input, mut output) = stream.split();
    buffer.clear();
    // A server that refuses may answer, and end the connection, before it has read all: the answer
    // is waited for while the request is still being written.
    let write = async {
        // Whether it was written whole shows in the answer.
        let _ = output.write_all(request).await;
        std::future::pending::<()>().await;
    };
    let read = async {
        loop {
            let held = buffer.len();
            buffer.resize(held + READ_BYTES, 0);
            let got = input.read(&mut buffer[held..]).await.unwrap_or(0);
            buffer.truncate(held + got);
            if got == 0 {
                return None;
            }
            match parse(buffer) {
                Ok(Some(answer)) => return Some(answer),
                Ok(None) => {}
                Err(_) => return None,
            }
        }
    };
    tokio::select! {
        () = write => None,
        // After a refusal the server may not read the rest of the body, and end the connection.
        answer = read => answer.map(|answer| {
            let closes = answer.closes || answer.status != 200;
            Answer { closes, ..answer }
        }),
    }
}

fn report(args: &Args, capacity: f64, over: &Tally, peak: Option<u64>) -> Result<(), Failure> {
    let seconds = f64::from(args.seconds);
    let batch = u64::from(args.batch);
    let goodput = over.accepted as f64 / seconds;
    let ratio = goodput / capacity;
    let offered = (over.sent() * batch) as f64 / seconds;
    let share = over.refused as f64 / over.sent().max(1) as f64;
    if args.json {
        say!(
            "{}",
            json!({
                "seconds": args.seconds,
                "batch": args.batch,
                "connections": OPEN_CONNECTIONS,
                "capacity_events_per_second": capacity,
                "target_events_per_second": capacity * TIMES,
                "offered_events_per_second": offered,
                "goodput_events_per_second": goodput,
                "goodput_ratio": ratio,
                "refused_share": share,
                "refused": over.refused,
                "refused_without_retry_after": over.without_retry_after,
                "broken": over.broken,
                "failed": over.failed,
                "skipped": over.skipped,
                "peak_rss_bytes": peak,
            })
        )?;
    } else {
        let [capacity, offered, goodput] = [capacity, offered, goodput].map(|x| grouped(x as u64));
        say!("capacity  {capacity} events a second, {CLOSED_CONNECTIONS} connections")?;
        say!("offered   {offered} events a second, {OPEN_CONNECTIONS} connections")?;
        say!("goodput   {goodput} events a second, {ratio:.2} of the capacity")?;
        say!("refused   {:.1} % of {} requests", share * 100.0, grouped(over.sent()))?;
        say!("broken    {} connections, {} other answers", over.broken, over.failed)?;
        if let Some(peak) = peak {
            say!("memory    {} at most", size(peak))?;
        }
    }
    if over.without_retry_after > 0 {
        let count = over.without_retry_after;
        return Err(Failure::environment(format!("{count} refusals without Retry-After")));
    }
    if ratio < RATIO_MIN {
        return Err(Failure::environment(format!(
            "{ratio:.2} of the capacity is left under overload; {RATIO_MIN} is the least"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_renewed_in_place() {
        let mut attempts = Attempts::new().unwrap();
        let mut request = Request::new(&mut attempts, 3, 7, 10);
        let ids = |request: &Request| {
            let id =
                |at: &usize| String::from_utf8_lossy(&request.bytes[*at..at + 10]).into_owned();
            request.ids.iter().map(id).collect::<Vec<_>>()
        };
        assert_eq!(ids(&request), ["0000000007", "0000000017", "0000000027"]);
        let length = request.bytes.len();
        request.renew();
        assert_eq!(ids(&request), ["0000000037", "0000000047", "0000000057"]);
        assert_eq!(request.bytes.len(), length);
    }

    #[test]
    fn an_answer_says_how_many_were_taken() {
        assert_eq!(accepted(br#"{"stream":"s","accepted":12,"duplicate":1}"#), 12);
        assert_eq!(accepted(b""), 0);
    }
}
