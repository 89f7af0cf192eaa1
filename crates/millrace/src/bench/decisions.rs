//! `millrace bench decisions`: decisions with a model of 300 trees while events flow in.
//!
//! The load is open, as in `bench latency`: a decision's time counts from the moment at which it was
//! to be asked for. Each is in the decision log when it is answered. With `--audit` the server is
//! killed afterwards, and every decision made again.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::attempts::Attempts;
use super::data::default_folder;
use super::forest;
use super::http::write_post;
use super::latency::{BATCH, CONNECTIONS, Pace, Schedule, Tally, WARM_UP};
use super::latency::{ask_on_schedule, send_events};
use super::server::Server;
use crate::console::{note, say, size, spinner};
use crate::exit::Failure;

const PATH: &str = "/v1/decisions/bench";
const DEFINITIONS: &str = "model forest {\n  file \"models/forest.txt\"\n  inputs checkout\n}\n
decision bench on checkout {\n  score forest\n  block when forest >= 0.8\n  \
review when forest >= 0.6\n  else allow\n}\n";

/// Offers decisions and events over HTTP, and measures every decision
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace bench decisions                                2,000 decisions beside 5,000 events a second
  millrace bench decisions --seconds 60 --audit           120,000 decisions, a kill, and all made again

Starts a server of the payments example in a child process, with a model of 300 random trees of 31
leaves over 28 of the view's 30 columns: it costs what a trained one does, and its scores mean nothing.
Latency counts from the moment at which a request was to be sent, and each answer is logged by then.")]
pub struct Args {
    /// How long the load is measured, after a warm-up of three seconds
    #[arg(long, value_name = "N", default_value_t = 20)]
    seconds: u32,
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    events_per_second: u32,
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    decisions_per_second: u32,
    /// Kill the server afterwards, and make all decisions again: code 1 when any value differs
    #[arg(long)]
    audit: bool,
    /// Where the server's data goes; a folder in the system's temporary one, if not given
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

pub fn decisions(args: &Args) -> Result<(), Failure> {
    if args.seconds == 0 || args.events_per_second < BATCH || args.decisions_per_second == 0 {
        return Err(Failure::usage(format!(
            "--seconds and --decisions-per-second must be at least 1, --events-per-second {BATCH}"
        )));
    }
    let folder = args.dir.clone().unwrap_or_else(default_folder);
    std::fs::create_dir_all(&folder).map_err(Failure::io(&folder))?;
    let bar = spinner("making up payments");
    let attempts = Attempts::new()?;
    let model = forest::text();
    let files = [("bench.mill", DEFINITIONS), ("models/forest.txt", model.as_str())];
    let mut server = Server::with(&folder, &files)?;
    bar.set_message("under load");
    let (mut acks, mut decided) = run(args, &server, &attempts)?;
    let peak = server.memory().map(|memory| memory.peak_bytes);
    bar.set_message("deciding again");
    let audit = if args.audit { Some(audit(&mut server)?) } else { None };
    bar.finish_and_clear();
    report(args, &mut acks, &mut decided, peak, audit.as_ref())?;
    let failed = acks.failed + decided.failed;
    if failed > 0 {
        let example = decided.example.or(acks.example).unwrap_or_default();
        return Err(Failure::environment(format!("{failed} requests failed, such as: {example}")));
    }
    match audit {
        Some(audit) if audit["differed"] != 0 => Err(Failure::reported()),
        _ => Ok(()),
    }
}

fn run(args: &Args, server: &Server, attempts: &Attempts) -> Result<(Tally, Tally), Failure> {
    let address = server.address;
    let start = Instant::now() + Duration::from_millis(200);
    let measured = Duration::from_secs(u64::from(args.seconds));
    let pace = Pace { end: start + WARM_UP + measured, speed: 1 };
    let schedule = |rate: f64, part| Schedule::part(start, measured, rate, part, CONNECTIONS);
    let events = f64::from(args.events_per_second) / f64::from(BATCH);
    let asked = f64::from(args.decisions_per_second);
    let done: io::Result<(Tally, Tally)> = std::thread::scope(|scope| {
        let shares = attempts.split(CONNECTIONS).into_iter().enumerate();
        let senders: Vec<_> = shares
            .map(|(i, share)| {
                let schedule = schedule(events, i);
                scope.spawn(move || send_events(address, schedule, pace, share))
            })
            .collect();
        let askers: Vec<_> = (0..CONNECTIONS)
            .map(|i| {
                let (schedule, mut share) = (schedule(asked, i), attempts.clone());
                scope.spawn(move || {
                    let mut body = Vec::new();
                    ask_on_schedule(address, schedule, 1, |request| {
                        body.clear();
                        share.push_line(pace.now(), &mut body);
                        write_post(request, PATH, "application/json", &body);
                    })
                })
            })
            .collect();
        let broken = |_| io::Error::other("a thread of the load failed");
        let (mut acks, mut decided) = (Tally::default(), Tally::default());
        for sender in senders {
            acks.absorb(sender.join().map_err(broken)??);
        }
        for asker in askers {
            decided.absorb(asker.join().map_err(broken)??);
        }
        Ok((acks, decided))
    });
    done.map_err(|e| Failure::environment(format!("http://{address}: {e}")))
}

/// Kills the server, and has all of its decisions made again.
fn audit(server: &mut Server) -> Result<Value, Failure> {
    server.kill();
    let begun = Instant::now();
    let told = server.on_its_data(&["audit", "--json"])?;
    let mut audit: Value = serde_json::from_slice(&told)
        .map_err(|_| Failure::environment("the audit did not end as it should"))?;
    audit["seconds"] = json!(begun.elapsed().as_secs_f64());
    Ok(audit)
}

fn report(
    args: &Args,
    acks: &mut Tally,
    decided: &mut Tally,
    peak: Option<u64>,
    audit: Option<&Value>,
) -> Result<(), Failure> {
    let seconds = f64::from(args.seconds);
    let [events, decisions] = [&*acks, &*decided].map(|t| t.served as f64 / seconds);
    let refused = acks.refused + decided.refused;
    let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|s| decided.latency.percentile_ms(s));
    let [ack50, ack99] = [0.5, 0.99].map(|share| acks.latency.percentile_ms(share));
    if args.json {
        return say!(
            "{}",
            json!({
                "seconds": args.seconds,
                "events_per_second": events,
                "decisions_per_second": decisions,
                "trees": forest::TREES,
                "decision_p50_ms": p50,
                "decision_p99_ms": p99,
                "decision_p999_ms": p999,
                "decision_max_ms": max,
                "ack_p50_ms": ack50,
                "ack_p99_ms": ack99,
                "refused": refused,
                "failed": acks.failed + decided.failed,
                "peak_rss_bytes": peak,
                "audit": audit,
            })
        );
    }
    let ms = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.2} ms"));
    say!(
        "load       {events:.0} events and {decisions:.0} decisions a second, {} trees",
        forest::TREES
    )?;
    say!("decisions  p50 {}, p99 {}, p99.9 {}, max {}", ms(p50), ms(p99), ms(p999), ms(max))?;
    say!("acks       p50 {}, p99 {}: durable", ms(ack50), ms(ack99))?;
    if let Some(peak) = peak {
        say!("memory     at most {}", size(peak))?;
    }
    if let Some(audit) = audit {
        let seconds = audit["seconds"].as_f64().unwrap_or(0.0);
        say!(
            "audit      {} decisions and {} values in {seconds:.1} s: {} agree, {} differ, {} not made again",
            audit["decisions"],
            audit["values_compared"],
            audit["agreed"],
            audit["differed"],
            audit["not_recomputed"]
        )?;
    }
    if refused > 0 {
        note!("{refused} requests were refused as too much; they are in no percentile");
    }
    Ok(())
}
