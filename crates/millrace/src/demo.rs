//! `millrace demo`: payments in, features out, through the real path and with nothing to set up.
//!
//! ```text
//!   generator ─▶ lines of JSON ─▶ decode ─▶ live engine ─▶ log, checkpoints
//!                                              ├▶ report, and what fresh features are worth
//!                                              └▶ a server ─▶ decides on a fraud burst ─▶ decision log
//! ```
//!
//! All of it is a project in a folder, as anybody's: whoever keeps the folder can ask and audit it
//! when the demo has ended.
//!
//! The made-up history ends an hour ago. The live part begins there, runs faster than the clock on
//! the wall until it has caught up with it, and then goes on at the pace of the world.

mod ask;
mod burst;
mod control;
mod daily;
mod decided;
mod feed;
mod folder;
mod noise;
mod report;
mod screen;
mod serve;
mod shipped;
mod study;
mod verdicts;
mod watched;
mod worth;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use millrace_event::{EventTime, Span};
use millrace_payments::{History, PaymentEvent, Settings};
use millrace_serving::Models;
use millrace_stream::live::now;

use crate::console::{counted, duration, grouped, progress, rate, say, spinner};
use crate::exit::Failure;
use crate::models;
use crate::project::Project;
use crate::run::{self, Opened};
use crate::stop::Stop;
use feed::Feed;
use folder::Folder;

/// Events decoded and handed over together.
const CHUNK: usize = 2_000;
/// How far behind the clock on the wall the live part begins.
const LIVE: Span = Span::hours(1);

/// Generates payments, computes the example's features on them, and blocks a fraud burst live
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace demo                        three weeks of payments, then a card-testing burst, live,
                                       and a server to ask, until Ctrl-C
  millrace demo --once --days 3        a short run that ends by itself
  millrace demo --dir demo             keeps the project with its data: `millrace audit` there makes
                                       every decision again

The payments are made up by the generator in examples/payments, whose rules are written down there.")]
pub struct Args {
    /// End after the report and the burst, without waiting for anything
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
    /// A new folder for the project and its data; a temporary one, removed at the end, if not given
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub fn demo(args: &Args) -> Result<(), Failure> {
    let stop = Stop::on_signals()?;
    let begun = Instant::now();
    let live_from = now().minus(LIVE);
    let history = generate(args, live_from)?;
    let folder = Folder::new(args.dir.as_deref())?;
    let project = folder.project()?;
    let models = models::load(&project.folder, &project.plan)?;
    let opened = run::open(&project, project.folder.join(&project.config.storage.dir), &models)?;
    let whole = Whole { project, models, history, live_from, begun };
    let shown = show(args, &whole, &opened, &stop);
    opened.ledger.close();
    opened.live.close()?;
    folder.tell(shown?.as_deref())
}

/// What is made up and decided on, and when the demo began.
struct Whole {
    project: Project,
    models: Models,
    history: History,
    live_from: EventTime,
    begun: Instant,
}

/// Returns the id of a decision to look at, unless it was told to stop before one.
fn show(
    args: &Args,
    whole: &Whole,
    opened: &Opened,
    stop: &Stop,
) -> Result<Option<String>, Failure> {
    let Whole { project, models, history, live_from, begun } = whole;
    let live_from = *live_from;
    let mut feed = Feed::new(&project.plan, &opened.live)?;
    let Some(probes) = ingest(&mut feed, history, live_from, stop)? else { return Ok(None) };
    let Some(fresh) = report::probe(&mut feed, &probes, stop)? else { return Ok(None) };
    report::report(&mut feed, history, live_from, &fresh)?;
    if args.days < worth::DAYS_MIN {
        say!("lift        left out, and its control: it takes --days {} or more", worth::DAYS_MIN)?;
    } else {
        worth::worth(history, live_from, stop)?;
        control::control(stop)?;
    }
    if stop.is_asked() {
        return Ok(None);
    }
    let deciding = (project, models);
    let burst = burst::Burst::new(deciding, history, live_from, args.seed, stop)?;
    let serving = serve::Serving::start(deciding, opened, args.listen)?;
    say!("ready       {} after the start", took(*begun))?;
    let pace = if args.once { burst::Pace::Unbounded } else { burst::Pace::Accelerated };
    if !args.once {
        serving.tell(&burst)?;
    }
    let streamed = burst.stream(&mut feed, (history, &serving), pace, stop);
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
