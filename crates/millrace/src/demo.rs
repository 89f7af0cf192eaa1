//! `millrace demo`: payments in, features out, through the real path and with nothing to set up.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use millrace_connector::{JsonDecoder, Limits, value_to_json};
use millrace_event::{EventTime, Key, Value};
use millrace_feature::SourceFile;
use millrace_feature::plan::Plan;
use millrace_payments::{History, JsonLines, PROJECT, PaymentEvent, PaymentStream, Settings};
use millrace_stream::live::{
    DeadEvent, Delivery, Live, LiveError, LiveSettings, ReadRequest, Receipt, Status,
};

use crate::console::{counted, duration, grouped, progress, rate, say, size};
use crate::exit::Failure;
use crate::key::now;
use crate::project;
use crate::stop::Stop;

/// Events decoded and handed over together.
const CHUNK: usize = 2_000;
/// Reads that are timed for the report.
const READS: usize = 2_000;

/// Generates payments, computes the example's features on them, and shows a fraud burst live
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace demo                        21 days of payments, then a card-testing burst, live
  millrace demo --once --days 3        a short run that ends by itself")]
pub struct Args {
    /// End after the report, without the live part
    #[arg(long)]
    once: bool,
    /// Days of payments
    #[arg(long, default_value_t = 21)]
    days: u32,
    /// What the payments are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn demo(args: &Args) -> Result<(), Failure> {
    let stop = Stop::on_signals()?;
    let sources: Vec<SourceFile> =
        PROJECT.iter().map(|(name, text)| SourceFile::new(*name, *text)).collect();
    let plan = Arc::new(project::plan(&sources)?);
    let begun = Instant::now();
    let settings = Settings { seed: args.seed, days: args.days, ..Settings::default() };
    let history = History::generate(&settings).map_err(Failure::usage)?;
    say!("{} days of payments, generated in {}", args.days, duration(begun.elapsed()))?;
    let folder = Folder::new()?;
    let live_settings = LiveSettings { dir: folder.0.clone(), ..LiveSettings::default() };
    let (live, _) = Live::open(Arc::clone(&plan), live_settings)?;
    let mut feed = Feed { live: &live, plan: &plan, sent: 0, receipts: Receipt::default() };
    let told = ingest(&mut feed, &history, &stop).and_then(|()| report(&feed));
    let shown = match told {
        Ok(()) if !args.once && !stop.is_asked() => burst(&mut feed, &history, &settings, &stop),
        other => other,
    };
    live.close()?;
    shown
}

/// A data directory that is gone when the demo ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder, Failure> {
        let path = std::env::temp_dir().join(format!("millrace-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(Failure::io(&path))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing depends on it; the system cleans its temporary files some day.
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}

struct Feed<'a> {
    live: &'a Live,
    plan: &'a Plan,
    sent: u64,
    receipts: Receipt,
}

impl Feed<'_> {
    /// Hands over JSON lines of each stream as a source would, and waits until they are durable.
    fn send(&mut self, events: &[PaymentEvent]) -> Result<(), Failure> {
        let mut lines = JsonLines::default();
        events.iter().for_each(|event| lines.push(event));
        let (done, receipts) = channel();
        let mut waiting = 0;
        for stream in PaymentStream::ALL {
            let index = self.plan.stream(stream.name()).ok_or_else(|| missing(stream.name()))?;
            let schema = Arc::clone(&self.plan.streams[index].schema);
            let decoded =
                JsonDecoder::new(schema, Limits::default()).lines(lines.stream(stream), "demo")?;
            self.sent += decoded.records() as u64;
            if decoded.records() == 0 {
                continue;
            }
            let dead = decoded.dead.iter().map(|letter| dead_event(stream, letter)).collect();
            let delivery = Delivery {
                stream: index,
                partition: "demo".to_owned(),
                batch: decoded.batch,
                dead,
                received: now().max(last_time(events)),
                position: None,
            };
            let done = done.clone();
            self.live.ingest_waiting(delivery, Box::new(move |r| drop(done.send(r))))?;
            waiting += 1;
        }
        for _ in 0..waiting {
            let receipt = receipts.recv().map_err(|_| LiveError::Stopped)??;
            self.receipts.applied += receipt.applied;
            self.receipts.duplicate += receipt.duplicate;
            self.receipts.late += receipt.late;
            self.receipts.dead += receipt.dead;
        }
        Ok(())
    }

    fn status(&self) -> Result<Status, Failure> {
        let (done, status) = channel();
        self.live.status(Box::new(move |r| drop(done.send(r)))).map_err(Failure::environment)?;
        Ok(status.recv().map_err(|_| LiveError::Stopped)??)
    }

    /// A group's features for a key at a time, as `name value` pairs.
    fn read(&self, group: &str, key: &str, at: EventTime) -> Result<Vec<String>, Failure> {
        let index = self.plan.group(group).ok_or_else(|| missing(group))?;
        let key = Key::of(&[Value::text(key)]).ok_or_else(|| missing(group))?;
        let (done, reply) = channel();
        self.live
            .read(
                vec![ReadRequest { group: index, key, at }],
                Box::new(move |r| drop(done.send(r))),
            )
            .map_err(Failure::environment)?;
        let reply = reply.recv().map_err(|_| LiveError::Stopped)??;
        let features = &self.plan.groups[index].features;
        let answers = reply.answers.first().map_or(&[][..], |a| a);
        let shown = |(f, a): (&millrace_feature::plan::Feature, &millrace_stream::Answer)| {
            format!("{} {}", f.name, value_to_json(&a.value, &f.ty).get())
        };
        Ok(features.iter().zip(answers).map(shown).collect())
    }
}

fn missing(name: &str) -> Failure {
    Failure::bug(format!("the example project has no `{name}`"))
}

fn dead_event(stream: PaymentStream, letter: &millrace_connector::DeadLetter) -> DeadEvent {
    DeadEvent {
        stream: Some(stream.name().to_owned()),
        origin: letter.origin.to_string(),
        position: letter.position.to_string(),
        reason: letter.reason.to_string(),
        message: letter.message.clone(),
        bytes: letter.bytes.clone(),
    }
}

fn last_time(events: &[PaymentEvent]) -> EventTime {
    events.last().map_or(EventTime::MIN, PaymentEvent::at)
}

fn ingest(feed: &mut Feed<'_>, history: &History, stop: &Stop) -> Result<(), Failure> {
    let begun = Instant::now();
    let total = history.events().len() as u64;
    let bar = progress("ingesting", total);
    let mut chunk = Vec::with_capacity(CHUNK);
    for event in history.events() {
        chunk.push(event);
        if chunk.len() == CHUNK {
            feed.send(&chunk)?;
            bar.inc(CHUNK as u64);
            chunk.clear();
        }
        if stop.is_asked() {
            return Err(Failure::interrupted("stopped"));
        }
    }
    feed.send(&chunk)?;
    bar.finish_and_clear();
    let took = begun.elapsed();
    let per_second = grouped(rate(feed.sent, took));
    say!(
        "{} events decoded, logged, applied and durable in {}: {per_second} per second",
        grouped(feed.sent),
        duration(took)
    )
}

fn report(feed: &Feed<'_>) -> Result<(), Failure> {
    let Receipt { applied, duplicate, late, dead, .. } = feed.receipts;
    say!(
        "in {} = applied {} + duplicate {} + late {} + dead-lettered {}{}",
        grouped(feed.sent),
        grouped(applied),
        duplicate,
        late,
        dead,
        if feed.sent == applied + duplicate + late + dead { "" } else { "  (DIFFERENT)" }
    )?;
    let mut reads = Vec::with_capacity(READS);
    for n in 0..READS {
        let begun = Instant::now();
        feed.read("card_velocity", &format!("card_{:06}", n % 1_000), now())?;
        reads.push(begun.elapsed());
    }
    reads.sort_unstable();
    let at = |share: usize| duration(reads[(READS - 1) * share / 100]);
    say!("reads of a card's features: p50 {}, p99 {}", at(50), at(99))?;
    let status = feed.status()?;
    for group in &status.groups {
        let per_key = group.state_bytes / group.keys.max(1);
        let keys = counted(group.keys, "key");
        say!("  {:<18} {keys:>14}, {per_key:>5} bytes each", group.name)?;
    }
    say!(
        "checkpoint {}: {}, {} old",
        status.checkpoint_epoch,
        size(status.checkpoint_bytes),
        duration(status.checkpoint_age)
    )
}

/// Streams a card-testing burst at accelerated speed and shows what the features see of it.
fn burst(
    feed: &mut Feed<'_>,
    history: &History,
    settings: &Settings,
    stop: &Stop,
) -> Result<(), Failure> {
    let events = history.inject_card_testing(settings.end(), settings.seed + 1);
    let Some(PaymentEvent::Attempt(first)) = events.first() else { return Ok(()) };
    let (device, merchant) = (first.keys.device.to_string(), first.keys.merchant.to_string());
    say!()?;
    say!(
        "a card-testing burst begins: {} at {merchant}; Ctrl-C ends",
        counted(events.len(), "event")
    )?;
    for chunk in events.chunks(20) {
        feed.send(chunk)?;
        let at = last_time(chunk);
        let device_now = feed.read("device_risk", &device, at)?.join("  ");
        let merchant_now = feed.read("merchant_traffic", &merchant, at)?;
        let merchant_now = merchant_now.first().cloned().unwrap_or_default();
        say!("{at}  {device}: {device_now}  {merchant}: {merchant_now}")?;
        if stop.sleep(Duration::from_millis(300)) {
            break;
        }
    }
    Ok(())
}
