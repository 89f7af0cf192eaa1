//! `millrace demo`: payments in, features out, through the real path and with nothing to set up.
//!
//! ```text
//!   generator ─▶ lines of JSON ─▶ decode ─▶ live engine ─▶ log, checkpoints
//!                                              ├▶ report, then a fraud burst as the features see it
//!                                              └▶ a server, for as long as the payments go on
//! ```
//!
//! The made-up history ends an hour ago. The live part begins there, runs faster than the clock on
//! the wall until it has caught up with it, and then goes on at the pace of the world.

mod ask;
mod burst;
mod feed;
mod noise;
mod report;
mod serve;
mod shipped;
mod verdicts;
mod worth;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_event::{EventTime, Span};
use millrace_feature::SourceFile;
use millrace_feature::plan::Plan;
use millrace_payments::{History, PROJECT, PaymentEvent, Settings};
use millrace_stream::live::{Live, LiveSettings, now};

use crate::console::{counted, duration, grouped, note, progress, rate, say, spinner};
use crate::exit::Failure;
use crate::project;
use crate::stop::Stop;
use feed::Feed;

/// Events decoded and handed over together.
const CHUNK: usize = 2_000;
/// How far behind the clock on the wall the live part begins.
const LIVE: Span = Span::hours(1);
/// How far back a value may be asked for: the lines that are printed ask as of the burst, which
/// stays behind while time goes on.
const HISTORY: Span = Span::hours(2);

/// Generates payments, computes the example's features on them, and shows a fraud burst live
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace demo                        three weeks of payments, then a card-testing burst, live,
                                       and a server to ask, until Ctrl-C
  millrace demo --once --days 3        a short run that ends by itself
  millrace demo --dir data             keeps the logs and checkpoints, to look at

The payments are made up by the generator in examples/payments, whose rules are written down there.")]
pub struct Args {
    /// End after the report and a short look at the burst
    #[arg(long)]
    once: bool,
    /// Days of payments
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..=365))]
    days: u32,
    /// Which world
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the server listens after the report; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:0",
        value_parser = crate::config::address::parse
    )]
    listen: SocketAddr,
    /// A new folder for the data; a temporary one, removed at the end, if not given
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub fn demo(args: &Args) -> Result<(), Failure> {
    let stop = Stop::on_signals()?;
    let begun = Instant::now();
    let sources: Vec<SourceFile> =
        PROJECT.iter().map(|(name, text)| SourceFile::new(*name, *text)).collect();
    let plan = Arc::new(project::plan(&sources)?);
    let live_from = now().minus(LIVE);
    let history = generate(args, live_from)?;
    let folder = Folder::new(args.dir.as_deref())?;
    let engine = millrace_stream::Settings { history: HISTORY, ..Default::default() };
    let dir = folder.path.clone();
    let settings = LiveSettings { engine, dir, ..LiveSettings::default() };
    let (live, recovery) = Live::open(Arc::clone(&plan), settings)?;
    let place = serve::Place { dir: &folder.path, listen: args.listen, recovery: &recovery };
    let whole = Whole { history: &history, live_from, begun };
    let shown = show(args, &plan, &live, &place, &whole, &stop);
    live.close()?;
    if folder.is_kept {
        note!("the data is in {}", folder.path.display());
    }
    shown
}

/// What is made up, and when the demo began.
struct Whole<'a> {
    history: &'a History,
    live_from: EventTime,
    begun: Instant,
}

fn show(
    args: &Args,
    plan: &Arc<Plan>,
    live: &Live,
    place: &serve::Place<'_>,
    whole: &Whole<'_>,
    stop: &Stop,
) -> Result<(), Failure> {
    let Whole { history, live_from, begun } = *whole;
    let mut feed = Feed::new(plan, live)?;
    let Some(probes) = ingest(&mut feed, history, live_from, stop)? else { return Ok(()) };
    let Some(fresh) = report::probe(&mut feed, &probes, stop)? else { return Ok(()) };
    report::report(&mut feed, history, live_from, &fresh)?;
    worth::worth(history, args.days, live_from, stop)?;
    if stop.is_asked() {
        return Ok(());
    }
    let burst = burst::Burst::new(history, live_from, args.seed, stop)?;
    say!("ready       {} after the start", took(begun))?;
    if args.once {
        return burst.stream(&mut feed, history, burst::Pace::Unbounded, stop);
    }
    let serving = serve::Serving::start(plan, live, place)?;
    serving.tell(&burst)?;
    let streamed = burst.stream(&mut feed, history, burst::Pace::Accelerated, stop);
    serving.stop();
    streamed
}

/// A history of this many days before the live part, and two more for it to go on into.
fn generate(args: &Args, live_from: EventTime) -> Result<History, Failure> {
    let bar = spinner("generating payments");
    let begun = Instant::now();
    let start = live_from.minus(Span::days(i64::from(args.days))).floor_to(Span::days(1));
    let days = args.days + 2;
    let settings = Settings { seed: args.seed, days, start, ..Settings::default() };
    let history = History::generate(&settings).map_err(Failure::usage)?;
    bar.finish_and_clear();
    let before = history.payments().partition_point(|p| p.at < live_from);
    let payments = grouped(before as u64);
    let days = counted(args.days as usize, "day");
    say!("generated   {payments} payments of {days} (seed {}) in {}", args.seed, took(begun))?;
    Ok(history)
}

fn took(begun: Instant) -> String {
    duration(begun.elapsed())
}

/// Hands over all that happened before the live part, but for the last events, which it returns:
/// they are for measuring. `None` when it was told to stop.
fn ingest(
    feed: &mut Feed<'_>,
    history: &History,
    live_from: EventTime,
    stop: &Stop,
) -> Result<Option<Vec<PaymentEvent>>, Failure> {
    let mut events: Vec<PaymentEvent> =
        history.events().take_while(|e| e.at() < live_from).collect();
    let probes = events.split_off(events.len().saturating_sub(report::PROBES));
    let begun = Instant::now();
    let bar = progress("ingesting", events.len() as u64);
    for chunk in events.chunks(CHUNK) {
        if stop.is_asked() {
            return Ok(None);
        }
        feed.send(chunk, feed::Noise::Some)?;
        bar.inc(chunk.len() as u64);
    }
    feed.send_held()?;
    feed.settle()?;
    bar.finish_and_clear();
    let elapsed = begun.elapsed();
    let (sent, per_second) = (grouped(feed.sent), grouped(rate(feed.sent, elapsed)));
    say!(
        "ingested    {sent} lines of JSON in {}, {per_second} a second: decoded, applied to {}, \
         logged, durable",
        duration(elapsed),
        counted(feed.plan.groups.len(), "feature group"),
    )?;
    Ok(Some(probes))
}

/// A data directory; a temporary one is gone when the demo ends.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    is_kept: bool,
}

impl Folder {
    fn new(given: Option<&std::path::Path>) -> Result<Folder, Failure> {
        let path = match given {
            Some(path) if path.exists() => {
                let path = path.display();
                return Err(Failure::usage(format!("{path}: it is there already; name a new one")));
            }
            Some(path) => path.to_owned(),
            None => {
                let name = format!("millrace-demo-{}", std::process::id());
                std::env::temp_dir().join(name)
            }
        };
        std::fs::create_dir_all(&path).map_err(Failure::io(&path))?;
        Ok(Folder { path, is_kept: given.is_some() })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            // Nothing depends on it; the system cleans its temporary files some day.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// How long one redraw of the live part stays.
const REDRAW: Duration = Duration::from_millis(500);
