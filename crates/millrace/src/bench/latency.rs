//! `millrace bench latency`: a steady load over HTTP, and how long answers took.
//!
//! The load is open: every request has a time at which it is to be sent, whatever became of those
//! before it, and its latency counts from that time. A server that stalls is charged for all that
//! waited meanwhile.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use millrace_event::{EventTime, Span};
use millrace_stream::live::now;
use serde_json::json;

use super::attempts::Attempts;
use super::data::default_folder;
use super::http::{Connection, write_get, write_post};
use super::sample::Sample;
use super::server::Server;
use crate::console::{note, say, size, spinner};
use crate::exit::Failure;

/// Connections that send events, and as many that read.
pub const CONNECTIONS: usize = 4;
/// Events of one request: what a service gathers in a few milliseconds.
pub const BATCH: u32 = 25;
/// Probes of freshness a second.
const PROBES_PER_SECOND: f64 = 20.0;
/// How long a probe may stay unseen.
const PROBE_TIME_MAX: Duration = Duration::from_secs(10);
/// Load that is offered before anything is measured.
pub const WARM_UP: Duration = Duration::from_secs(3);
/// Bare syncs before the load and after it, each of as many bytes as a batch of events.
const SYNCS: usize = 200;
const SYNC_BYTES: usize = 10 << 10;
/// A thread sleeps until this long before the moment it waits for, and spins for the rest.
const SPIN: Duration = Duration::from_micros(120);

const EVENTS_PATH: &str = "/v1/streams/payment_attempts/events";
const VIEW_PATH: &str = "/v1/views/checkout";
const NDJSON: &str = "application/x-ndjson";

/// Offers a steady load over HTTP, events and reads of 30 features, and measures every answer
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace bench latency                                     5,000 events and 1,000 reads a second
  millrace bench latency --seconds 600 --speed 8640          sixty days in ten minutes: is memory flat?
  millrace bench latency --url http://127.0.0.1:7878         a server of the payments example

Starts a server of the payments example in a child process with a new data directory and a
checkpoint every second, unless --url names one. Latency counts from the moment at which a request
was to be sent. Freshness is that from an event of a card that nobody else uses to the answer that
shows it. The same disk is synced bare before and after the load, with as many bytes as a batch of
events.")]
pub struct Args {
    /// How long the load is measured, after a warm-up of three seconds
    #[arg(long, value_name = "N", default_value_t = 20)]
    seconds: u32,
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    events_per_second: u32,
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    reads_per_second: u32,
    /// How many times as fast as the clock the events' time runs, up to the present at the end: with
    /// 8640 ten minutes are sixty days, and every window is full before half of them are over
    #[arg(long, value_name = "N", default_value_t = 1)]
    speed: u32,
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

/// Moments at equal distances.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    start: Instant,
    measured_from: Instant,
    end: Instant,
    /// Seconds between two moments, and before the first one.
    gap: f64,
    offset: f64,
}

impl Schedule {
    /// One of `parts` that share a rate evenly.
    pub fn part(
        start: Instant,
        measured: Duration,
        per_second: f64,
        part: usize,
        parts: usize,
    ) -> Schedule {
        let gap = parts as f64 / per_second;
        let offset = part as f64 / per_second;
        let measured_from = start + WARM_UP;
        Schedule { start, measured_from, end: measured_from + measured, gap, offset }
    }

    /// The moment of the request of this number, once it has come.
    fn wait(&self, number: u64) -> Option<Instant> {
        let due = self.start + Duration::from_secs_f64(self.offset + number as f64 * self.gap);
        if due >= self.end {
            return None;
        }
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(due);
            }
            if left > SPIN {
                std::thread::sleep(left - SPIN);
            }
        }
    }
}

/// The time of events, which may run faster than the clock and ends at the present.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub end: Instant,
    pub speed: u32,
}

impl Pace {
    pub fn now(self) -> EventTime {
        let left = self.end.saturating_duration_since(Instant::now());
        let ahead = left.as_micros() as i64 * (i64::from(self.speed) - 1);
        now().minus(Span(ahead))
    }
}

/// The server's memory, ten times in the measured time.
const MEMORY_SAMPLES: u32 = 10;

/// What one kind of requests came to.
#[derive(Debug, Default)]
pub struct Tally {
    pub latency: Sample,
    /// Requests or events that were served in the measured time.
    pub served: u64,
    pub refused: u64,
    pub failed: u64,
    /// The first failure.
    pub example: Option<String>,
}

impl Tally {
    pub fn absorb(&mut self, other: Tally) {
        self.latency.append(other.latency);
        self.served += other.served;
        self.refused += other.refused;
        self.failed += other.failed;
        self.example = self.example.take().or(other.example);
    }
}

pub fn latency(args: &Args) -> Result<(), Failure> {
    if args.speed == 0 {
        return Err(Failure::usage("--speed is 0; use at least 1"));
    }
    if args.seconds == 0 || args.events_per_second < BATCH || args.reads_per_second == 0 {
        return Err(Failure::usage(format!(
            "--seconds and --reads-per-second must be at least 1, --events-per-second {BATCH}"
        )));
    }
    let folder = args.dir.clone().unwrap_or_else(default_folder);
    std::fs::create_dir_all(&folder).map_err(Failure::io(&folder))?;
    let bar = spinner("making up payments");
    let attempts = Attempts::new()?;
    let server = Server::at(args.url.as_deref(), &folder)?;
    let mut syncs = bare_syncs(server.folder(&folder))?;
    bar.set_message("under load");
    let rss_start = server.memory().map(|m| m.now_bytes);
    let mut load = Load::run(args, &server, &attempts)?;
    let memory = server.memory();
    bar.set_message("syncing");
    syncs.append(bare_syncs(server.folder(&folder))?);
    bar.finish_and_clear();
    load.report(args, &mut syncs, rss_start, memory.map(|m| (m.now_bytes, m.peak_bytes)))
}

/// Times of a write and sync of one batch's bytes, without a server.
fn bare_syncs(folder: &Path) -> Result<Sample, Failure> {
    let path = folder.join("bare-sync");
    let failed = Failure::io(&path);
    let mut sample = Sample::default();
    let mut file: File =
        OpenOptions::new().create(true).append(true).open(&path).map_err(&failed)?;
    let bytes = vec![b'.'; SYNC_BYTES];
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(&failed)?;
        sample.push(begun.elapsed());
    }
    std::fs::remove_file(&path).map_err(&failed)?;
    Ok(sample)
}

/// All that was measured under load.
#[derive(Debug, Default)]
struct Load {
    acks: Tally,
    reads: Tally,
    probes: Tally,
    /// Of the server, at equal distances.
    memory_bytes: Vec<u64>,
}

impl Load {
    fn run(args: &Args, at: &Server, attempts: &Attempts) -> Result<Load, Failure> {
        let server = at.address;
        // The probes have a share of the ids for themselves.
        let mut shares = attempts.split(CONNECTIONS + 1);
        let prober = shares.pop();
        let start = Instant::now() + Duration::from_millis(200);
        let measured = Duration::from_secs(u64::from(args.seconds));
        let pace = Pace { end: start + WARM_UP + measured, speed: args.speed };
        let schedule = |rate: f64, part, parts| Schedule::part(start, measured, rate, part, parts);
        let (events, reads) = (
            f64::from(args.events_per_second) / f64::from(BATCH),
            f64::from(args.reads_per_second),
        );
        let done: Result<Load, io::Error> = std::thread::scope(|scope| {
            let senders: Vec<_> = shares
                .into_iter()
                .enumerate()
                .map(|(i, share)| {
                    let schedule = schedule(events, i, CONNECTIONS);
                    scope.spawn(move || send_events(server, schedule, pace, share))
                })
                .collect();
            let readers: Vec<_> = (0..CONNECTIONS)
                .map(|i| {
                    let (schedule, share) = (schedule(reads, i, CONNECTIONS), attempts.clone());
                    scope.spawn(move || read_views(server, schedule, pace, share))
                })
                .collect();
            let schedule = schedule(PROBES_PER_SECOND, 0, 1);
            let prober =
                prober.map(|share| scope.spawn(move || probe(server, schedule, pace, share)));
            let mut load = Load::default();
            for _ in 0..MEMORY_SAMPLES {
                std::thread::sleep(measured / MEMORY_SAMPLES);
                load.memory_bytes.extend(at.memory().map(|memory| memory.now_bytes));
            }
            let broken = |_| io::Error::other("a thread of the load failed");
            for sender in senders {
                load.acks.absorb(sender.join().map_err(broken)??);
            }
            for reader in readers {
                load.reads.absorb(reader.join().map_err(broken)??);
            }
            if let Some(prober) = prober {
                load.probes.absorb(prober.join().map_err(broken)??);
            }
            Ok(load)
        });
        done.map_err(|e| Failure::environment(format!("http://{server}: {e}")))
    }

    fn report(
        &mut self,
        args: &Args,
        syncs: &mut Sample,
        rss_start: Option<u64>,
        rss_end: Option<(u64, u64)>,
    ) -> Result<(), Failure> {
        let seconds = f64::from(args.seconds);
        let [events, reads] = [&self.acks, &self.reads].map(|t| t.served as f64 / seconds);
        let tallies = [&self.acks, &self.reads, &self.probes];
        let refused: u64 = tallies.iter().map(|t| t.refused).sum();
        let failed: u64 = tallies.iter().map(|t| t.failed).sum();
        let example = tallies.iter().find_map(|t| t.example.clone());
        let probes = self.probes.latency.len();
        let mut freshness = |share| self.probes.latency.percentile_ms(share);
        let fresh = [freshness(0.5), freshness(0.99), freshness(1.0)];
        let mut of_reads = |share| self.reads.latency.percentile_ms(share);
        let read = [of_reads(0.5), of_reads(0.99), of_reads(0.999)];
        let mut of_acks = |share| self.acks.latency.percentile_ms(share);
        let ack = [of_acks(0.5), of_acks(0.99)];
        let sync = [syncs.percentile_ms(0.5), syncs.percentile_ms(0.99)];
        if args.json {
            say!(
                "{}",
                json!({
                    "seconds": args.seconds,
                    "events_per_second": events,
                    "reads_per_second": reads,
                    "features_per_read": 30,
                    "freshness_p50_ms": fresh[0],
                    "freshness_p99_ms": fresh[1],
                    "freshness_max_ms": fresh[2],
                    "freshness_probes": probes,
                    "read_p50_ms": read[0],
                    "read_p99_ms": read[1],
                    "read_p999_ms": read[2],
                    "ack_p50_ms": ack[0],
                    "ack_p99_ms": ack[1],
                    "bare_fsync_p50_ms": sync[0],
                    "bare_fsync_p99_ms": sync[1],
                    "refused": refused,
                    "failed": failed,
                    "speed": args.speed,
                    "rss_bytes": self.memory_bytes,
                    "rss_start_bytes": rss_start,
                    "rss_end_bytes": rss_end.map(|m| m.0),
                    "peak_rss_bytes": rss_end.map(|m| m.1),
                })
            )?;
        } else {
            let ms = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.2} ms"));
            say!("load       {events:.0} events and {reads:.0} reads of 30 features a second")?;
            say!("freshness  p50 {}, p99 {} ({probes} probes)", ms(fresh[0]), ms(fresh[1]))?;
            say!("reads      p50 {}, p99 {}, p99.9 {}", ms(read[0]), ms(read[1]), ms(read[2]))?;
            say!("acks       p50 {}, p99 {}: durable", ms(ack[0]), ms(ack[1]))?;
            say!("bare sync  p50 {}, p99 {}", ms(sync[0]), ms(sync[1]))?;
            if let (Some(start), Some((end, peak))) = (rss_start, rss_end) {
                say!("memory     {} to {}, at most {}", size(start), size(end), size(peak))?;
                let each: Vec<String> = self.memory_bytes.iter().map(|n| size(*n)).collect();
                say!("           at ten moments: {}", each.join(", "))?;
            }
            if refused > 0 {
                note!("{refused} requests were refused as too much; they are in no percentile");
            }
        }
        verdict(failed, probes, example)
    }
}

/// Whether the figures mean anything: nothing failed, and probes were seen.
fn verdict(failed: u64, probes: usize, example: Option<String>) -> Result<(), Failure> {
    if failed == 0 && probes > 0 {
        return Ok(());
    }
    let example = example.unwrap_or_else(|| "no probe was seen".to_owned());
    Err(Failure::environment(format!("{failed} requests failed, such as: {example}")))
}

/// Asks at the moments of the schedule. `make` writes the request for the one of this number.
pub fn ask_on_schedule(
    server: SocketAddr,
    schedule: Schedule,
    worth: u64,
    mut make: impl FnMut(&mut Vec<u8>),
) -> io::Result<Tally> {
    let mut connection = Connection::open(server)?;
    let (mut tally, mut request) = (Tally::default(), Vec::new());
    for number in 0.. {
        let Some(due) = schedule.wait(number) else { break };
        request.clear();
        make(&mut request);
        let (answer, body) = connection.ask(&request)?;
        if due < schedule.measured_from {
            continue;
        }
        match answer.status {
            200 => {
                tally.latency.push(due.elapsed());
                tally.served += worth;
            }
            _ if answer.is_refusal() => tally.refused += 1,
            _ => {
                tally.failed += 1;
                tally.example.get_or_insert_with(|| String::from_utf8_lossy(body).into_owned());
            }
        }
    }
    Ok(tally)
}

pub fn send_events(
    server: SocketAddr,
    schedule: Schedule,
    pace: Pace,
    mut share: Attempts,
) -> io::Result<Tally> {
    let mut body = Vec::new();
    ask_on_schedule(server, schedule, u64::from(BATCH), |request| {
        body.clear();
        (0..BATCH).for_each(|_| share.push_line(pace.now(), &mut body));
        write_post(request, EVENTS_PATH, NDJSON, &body);
    })
}

/// Each read is the view for a payment that is about to be made: thirty values.
fn read_views(
    server: SocketAddr,
    schedule: Schedule,
    pace: Pace,
    mut share: Attempts,
) -> io::Result<Tally> {
    let mut body = Vec::new();
    ask_on_schedule(server, schedule, 1, |request| {
        body.clear();
        share.push_line(pace.now(), &mut body);
        write_post(request, VIEW_PATH, "application/json", &body);
    })
}

/// Sends an event of a card on one connection, while another asks when that card was last used,
/// until it is by this event.
fn probe(
    server: SocketAddr,
    schedule: Schedule,
    pace: Pace,
    mut share: Attempts,
) -> io::Result<Tally> {
    let (jobs, waiting) = std::sync::mpsc::sync_channel::<Vec<u8>>(1);
    let (mut sending, mut asking) = (Connection::open(server)?, Connection::open(server)?);
    std::thread::scope(|scope| {
        let sender = scope.spawn(move || -> io::Result<u64> {
            let mut refused = 0;
            for request in waiting {
                let (answer, _) = sending.ask(&request)?;
                refused += u64::from(answer.status != 200);
            }
            Ok(refused)
        });
        let mut tally = Tally::default();
        let (mut body, mut question) = (Vec::new(), Vec::new());
        for number in 0.. {
            let Some(due) = schedule.wait(number) else { break };
            body.clear();
            question.clear();
            let at = pace.now();
            let card = share.push_probe(number as u32, at, &mut body);
            let mut request = Vec::new();
            write_post(&mut request, EVENTS_PATH, NDJSON, &body);
            write_get(&mut question, &format!("/v1/features/card_velocity/{card}?at={at}"));
            if jobs.send(request).is_err() {
                break;
            }
            let seen = ask_until_seen(&mut asking, &question, at, due)?;
            if due >= schedule.measured_from {
                match seen {
                    Some(time) => tally.latency.push(time),
                    None => tally.failed += 1,
                }
            }
        }
        drop(jobs);
        let joined = sender.join().map_err(|_| io::Error::other("the probing thread failed"))?;
        tally.refused += joined?;
        Ok(tally)
    })
}

fn ask_until_seen(
    connection: &mut Connection,
    question: &[u8],
    at: EventTime,
    due: Instant,
) -> io::Result<Option<Duration>> {
    while due.elapsed() < PROBE_TIME_MAX {
        let (answer, body) = connection.ask(question)?;
        if answer.status == 200 && was_last_used(body, at) {
            return Ok(Some(due.elapsed()));
        }
    }
    Ok(None)
}

/// Whether the answer for a card says that it was last used at `at`.
fn was_last_used(body: &[u8], at: EventTime) -> bool {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    answer["values"]["last_at"]["value"].as_str() == Some(&at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_schedule_share_its_moments_evenly() {
        let start = Instant::now();
        let part = |part| Schedule::part(start, Duration::ZERO, 1_000.0, part, 4);
        let due = |part: Schedule, number| {
            let at = part.wait(number).unwrap() - start;
            (at.as_secs_f64() * 1e6).round() as u64
        };
        assert_eq!([due(part(0), 0), due(part(1), 0), due(part(0), 1)], [0, 1_000, 4_000]);
        assert!(part(0).wait(750).is_none(), "the warm-up is over and nothing is measured");
    }

    #[test]
    fn a_probe_is_seen_when_its_event_is_the_last() {
        let body = |at: EventTime| format!(r#"{{"values":{{"last_at":{{"value":"{at}"}}}}}}"#);
        let at = EventTime(1_790_000_000_000_000);
        assert!(was_last_used(body(at).as_bytes(), at));
        assert!(!was_last_used(body(EventTime(at.0 - 1)).as_bytes(), at));
        assert!(!was_last_used(b"{}", at) && !was_last_used(b"", at));
    }
}
