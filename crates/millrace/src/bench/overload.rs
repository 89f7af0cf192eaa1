//! `millrace bench overload`: what is left of a server's capacity when ten times as much comes.
//!
//! First the capacity: connections hand events over as fast as they are taken, more of them in each
//! round. What the best number of them hands over once more is the capacity. Then at once an open
//! load of ten times as much, each request at its moment. What is refused must say when to come
//! back; what is taken must be about as much as the capacity. Behind the overload that is measured
//! once more, for the state has grown. All loads take the same events in turn.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use millrace_api::Limits;
use millrace_stream::live::now;
use rustix::process::{Resource, Rlimit};
use serde_json::json;

use super::attempts::Attempts;
use super::data::default_folder;
use super::http::{Connection, write_post};
use super::offer::{Sending, Tally, WARM_UP, clients, closed, open};
use super::sample::Sample;
use super::server::Server;
use super::usage::Memory;
use crate::console::{grouped, say, size, spinner};
use crate::exit::Failure;

/// How much more than its capacity a server is offered.
const TIMES: f64 = 10.0;
/// Connections of the rounds that look for the best number of them; the last are as many requests
/// with events as a server has in flight.
const ROUNDS: [usize; 3] = [16, 64, 128];
/// Connections that the open load has at hand.
const OPEN_CONNECTIONS: usize = 880;
/// Those of the rounds stay open beside it.
const CONNECTIONS: usize = ROUNDS[ROUNDS.len() - 1] + OPEN_CONNECTIONS;
// With the reader's, no more than a server accepts: a connection that it closes at once would be
// counted as broken.
const _: () = assert!(CONNECTIONS < Limits::CONNECTIONS);
/// Open files that this process and the server, which inherits the limit, may need each: the
/// connections, and beside them those of logs, checkpoints and the runtime.
const FILES: u64 = CONNECTIONS as u64 + 512;
/// Events of one request, at most.
const BATCH_MAX: u32 = 2_000;
/// Events of all bodies, which are made beforehand, about 300 bytes each.
const EVENTS_MAX: usize = 1 << 21;
const _: () = assert!(CONNECTIONS * BATCH_MAX as usize <= EVENTS_MAX);
/// The share of the capacity that must be left.
const RATIO_MIN: f64 = 0.8;
/// The share of the tenfold load that must have been sent.
const OFFERED_MIN: f64 = 0.98;
/// How nice the generator's thread is to the server on the same machine: it gets about a tenth of a
/// core that both want.
const NICE: i32 = 10;
/// Reads beside the open load.
const READ_GAP: Duration = Duration::from_millis(10);
const VIEW_PATH: &str = "/v1/views/checkout";

/// Measures a server's capacity for events, then offers ten times as much
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace bench overload
  millrace bench overload --seconds 30 --json
  millrace bench overload --whole         senders that do not ask before they send a body

Starts a server of the payments example in a child process with a new data directory and a
checkpoint every second. The load comes from this process, on the same machine, from one thread of
a lower priority: requests are made beforehand, and only ids and times in them change. Ends with
code 3 when a refusal does not say when to come back, when ten times the capacity could not be sent,
or when less than 0.8 of the capacity just before is left.")]
pub struct Args {
    /// How long each load is measured, after two seconds of warm-up
    #[arg(long, value_name = "N", default_value_t = 10)]
    seconds: u32,
    /// Events of one request, up to 2,000
    #[arg(long, value_name = "N", default_value_t = 500)]
    batch: u32,
    /// Send bodies without asking first (`Expect: 100-continue`)
    #[arg(long)]
    whole: bool,
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

/// What was measured of the loads.
#[derive(Debug)]
struct Measured {
    /// Events a second of each of the [`ROUNDS`]; of the best one again, just before the overload;
    /// and again behind it.
    rounds: [f64; ROUNDS.len()],
    capacity: f64,
    after: f64,
    over: Tally,
    before: Option<Memory>,
    overloaded: Option<Memory>,
}

/// Reads beside the overload.
#[derive(Debug, Default)]
struct Reads {
    latency: Sample,
    refused: u64,
    failed: u64,
}

pub fn overload(args: &Args) -> Result<(), Failure> {
    if args.seconds == 0 || !(1..=BATCH_MAX).contains(&args.batch) {
        let most = grouped(u64::from(BATCH_MAX));
        return Err(Failure::usage(format!("--seconds must be at least 1, --batch 1 to {most}")));
    }
    allow_open_files()?;
    let folder = args.dir.clone().unwrap_or_else(default_folder);
    std::fs::create_dir_all(&folder).map_err(Failure::io(&folder))?;
    let bar = spinner("making up payments");
    let attempts = Attempts::new()?;
    let server = Server::at(args.url.as_deref(), &folder)?;
    bar.set_message("measuring the capacity, then offering ten times as much");
    // The server is a process by now: only the thread of the generator is made nicer. The reader is
    // not started from there, for a thread is as nice as the one that starts it.
    let (address, (begin, begun)) = (server.address, channel());
    let (measured, reads) = std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_when_told(address, &begun));
        let generator = scope.spawn(|| measure(args, &server, attempts, begin));
        (generator.join(), reader.join())
    });
    let measured = measured.map_err(|_| Failure::environment("the load's thread failed"))??;
    let mut reads = reads
        .unwrap_or_else(|_| Err(std::io::Error::other("the reading thread failed")))
        .map_err(|e| Failure::environment(format!("http://{address}: {e}")))?;
    bar.finish_and_clear();
    measured.report(args, &mut reads)
}

/// Sees to it that so many connections can be open, here and in a server that is started.
fn allow_open_files() -> Result<(), Failure> {
    let Rlimit { current, maximum } = rustix::process::getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= FILES) {
        return Ok(());
    }
    let wanted = Rlimit { current: Some(FILES), maximum };
    rustix::process::setrlimit(Resource::Nofile, wanted).map_err(|_| {
        let [least, current] = [FILES, current.unwrap_or(0)].map(grouped);
        Failure::environment(format!(
            "the load needs {least} open files, and a process may have {current}: \
             raise the limit (`ulimit -n`)"
        ))
    })
}

/// When the open load begins: attempts for the reader, and until when it reads.
type Begin = (Attempts, Instant);

fn measure(
    args: &Args,
    server: &Server,
    mut attempts: Attempts,
    begin: Sender<Begin>,
) -> Result<Measured, Failure> {
    rustix::process::setpriority_process(None, NICE)
        .map_err(|e| Failure::environment(format!("the load cannot be made nicer: {e}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::environment(format!("the load cannot be started: {e}")))?;
    let address = server.address;
    let mut clients = clients(address, CONNECTIONS, &mut attempts, args.batch);
    let waiting = clients.split_off(CONNECTIONS - OPEN_CONNECTIONS);
    let per_second = |tally: &Tally| tally.accepted as f64 / f64::from(args.seconds);
    let mut taken_by = |connections: usize| {
        let mut rest = clients.split_off(connections);
        let taken = per_second(&runtime.block_on(closed(&mut clients, args.seconds)));
        clients.append(&mut rest);
        taken
    };
    let rounds = ROUNDS.map(&mut taken_by);
    let best = (0..ROUNDS.len()).max_by(|a, b| rounds[*a].total_cmp(&rounds[*b])).unwrap_or(0);
    let capacity = taken_by(ROUNDS[best]);
    let rate = capacity * TIMES / f64::from(args.batch);
    if rate <= 0.0 {
        return Err(Failure::environment(format!("http://{address} took no events")));
    }
    let before = server.memory();
    let sending = if args.whole { Sending::Whole } else { Sending::Asking };
    let until = Instant::now() + WARM_UP + Duration::from_secs(u64::from(args.seconds));
    begin.send((attempts, until)).map_err(|_| Failure::environment("the reading thread failed"))?;
    let over = runtime.block_on(open(waiting, args.seconds, rate, sending));
    let overloaded = server.memory();
    let after = taken_by(ROUNDS[best]);
    Ok(Measured { rounds, capacity, after, over, before, overloaded })
}

/// Nothing, when the load never begins.
fn read_when_told(server: SocketAddr, begun: &Receiver<Begin>) -> std::io::Result<Reads> {
    match begun.recv() {
        Ok((attempts, until)) => read(server, attempts, until),
        Err(_) => Ok(Reads::default()),
    }
}

/// Reads the view for payments about to be made, at equal distances; latency counts from the moment
/// at which each was due.
fn read(server: SocketAddr, mut attempts: Attempts, until: Instant) -> std::io::Result<Reads> {
    let mut connection = Connection::open(server)?;
    let (mut reads, mut body, mut request) = (Reads::default(), Vec::new(), Vec::new());
    let mut due = Instant::now();
    while due < until {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        body.clear();
        request.clear();
        attempts.push_line(now(), &mut body);
        write_post(&mut request, VIEW_PATH, "application/json", &body);
        let (answer, _) = connection.ask(&request)?;
        match answer.status {
            200 => reads.latency.push(due.elapsed()),
            _ if answer.is_refusal() => reads.refused += 1,
            _ => reads.failed += 1,
        }
        due += READ_GAP;
    }
    Ok(reads)
}

impl Measured {
    fn report(&self, args: &Args, reads: &mut Reads) -> Result<(), Failure> {
        let seconds = f64::from(args.seconds);
        let capacity = self.capacity;
        let over = self.over;
        let goodput = over.accepted as f64 / seconds;
        let ratio = goodput / capacity;
        let offered = (over.offered * u64::from(args.batch)) as f64 / seconds;
        let share = over.refused as f64 / over.offered.max(1) as f64;
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|s| reads.latency.percentile_ms(s));
        if args.json {
            say!(
                "{}",
                json!({
                    "seconds": args.seconds,
                    "batch": args.batch,
                    "asks_first": !args.whole,
                    "capacity_connections": ROUNDS,
                    "capacity_rounds_events_per_second": self.rounds,
                    "capacity_events_per_second": capacity,
                    "capacity_after_events_per_second": self.after,
                    "target_events_per_second": capacity * TIMES,
                    "offered_events_per_second": offered,
                    "goodput_events_per_second": goodput,
                    "goodput_ratio": ratio,
                    "refused_share": share,
                    "refused": over.refused,
                    "refused_without_retry_after": over.without_retry_after,
                    "broken": over.broken,
                    "failed": over.failed,
                    "unsent": over.unsent,
                    "reads": reads.latency.len(),
                    "reads_refused": reads.refused,
                    "reads_failed": reads.failed,
                    "read_p50_ms": p50,
                    "read_p99_ms": p99,
                    "read_max_ms": most,
                    "rss_before_bytes": self.before.map(|m| m.now_bytes),
                    "rss_after_bytes": self.overloaded.map(|m| m.now_bytes),
                    "peak_rss_bytes": self.overloaded.map(|m| m.peak_bytes),
                })
            )?;
        } else {
            for (connections, events) in ROUNDS.iter().zip(&self.rounds) {
                let events = grouped(*events as u64);
                say!("taken     {events} events a second, {connections} connections")?;
            }
            say!("capacity  {} events a second, the best once more", grouped(capacity as u64))?;
            say!("offered   {} events a second", grouped(offered as u64))?;
            say!("goodput   {} a second, {ratio:.2} of the capacity", grouped(goodput as u64))?;
            say!("after     {} events a second", grouped(self.after as u64))?;
            say!("refused   {:.1} % of {}", share * 100.0, grouped(over.offered))?;
            say!("broken    {} connections, {} other answers", over.broken, over.failed)?;
            if let (Some(p50), Some(p99)) = (p50, p99) {
                say!("reads     p50 {p50:.2} ms, p99 {p99:.2} ms, {} refused", reads.refused)?;
            }
            if let (Some(before), Some(after)) = (self.before, self.overloaded) {
                let [before, peak] = [before.now_bytes, after.peak_bytes].map(size);
                say!("memory    {before} before the overload, at most {peak}")?;
            }
        }
        verdict(&over, offered / (capacity * TIMES), ratio)
    }
}

/// Whether the claim holds: all was offered, refusals say when to come back, enough is left.
fn verdict(over: &Tally, offered: f64, ratio: f64) -> Result<(), Failure> {
    if over.without_retry_after > 0 {
        let count = over.without_retry_after;
        return Err(Failure::environment(format!("{count} refusals without Retry-After")));
    }
    if offered < OFFERED_MIN {
        let (offered, unsent) = (offered * TIMES, over.unsent);
        return Err(Failure::environment(format!(
            "only {offered:.2} times the capacity could be sent, {unsent} requests for want of a \
             connection; the machine is too busy for {TIMES}"
        )));
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
    fn a_load_that_was_not_sent_proves_nothing() {
        let fine = Tally::default();
        assert!(verdict(&fine, 1.0, 0.8).is_ok());
        assert!(verdict(&fine, 0.5, 1.0).is_err() && verdict(&fine, 1.0, 0.79).is_err());
        assert!(verdict(&Tally { without_retry_after: 1, ..fine }, 1.0, 1.0).is_err());
    }
}
