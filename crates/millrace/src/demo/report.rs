//! What the demo measured: rate, freshness, reads, state, and that nothing was lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_event::EventTime;
use millrace_payments::{BatchWriter, History, PaymentEvent, PaymentStream};
use millrace_stream::live::{Receipt, Status};

use super::feed::{Feed, Noise, missing};
use crate::console::{counted, duration, grouped, say, size};
use crate::exit::Failure;
use crate::stop::Stop;

/// Events that are sent one by one to measure how fresh reads are.
pub const PROBES: usize = 1_000;
/// Views that are read for the report, one after the other.
const READS: usize = 5_000;
/// Groups of fewer keys are not shown by themselves.
const KEYS_SHOWN: usize = 1_000;

/// How long single events took.
#[derive(Debug, Default)]
pub struct Fresh {
    /// From a line of JSON to the answer of a read that counts it.
    readable: Vec<Duration>,
    /// From a line of JSON to being on the disk.
    durable: Vec<Duration>,
}

/// Sends events one by one, and reads after each the card or device that it is about: the engine
/// answers in the order of its inbox, so that answer has the event in it. `None` when told to stop.
pub fn probe(
    feed: &mut Feed<'_>,
    events: &[PaymentEvent],
    stop: &Stop,
) -> Result<Option<Fresh>, Failure> {
    let group = |name: &str| feed.plan.group(name).ok_or_else(|| missing(name));
    let (card, device) = (group("card_velocity")?, group("device_outcomes")?);
    let mut fresh = Fresh::default();
    for event in events {
        if stop.is_asked() {
            return Ok(None);
        }
        let begun = Instant::now();
        feed.send(std::slice::from_ref(event), Noise::None)?;
        let keys = event.keys();
        match event.stream() {
            PaymentStream::Attempts => feed.read(card, &keys.card.to_string(), event.at())?,
            PaymentStream::Outcomes | PaymentStream::Reports => {
                feed.read(device, &keys.device.to_string(), event.at())?
            }
        };
        fresh.readable.push(begun.elapsed());
        feed.settle()?;
        fresh.durable.push(begun.elapsed());
    }
    Ok(Some(fresh))
}

pub fn report(
    feed: &mut Feed<'_>,
    history: &History,
    live_from: EventTime,
    fresh: &Fresh,
) -> Result<(), Failure> {
    let probes = counted(fresh.readable.len(), "event");
    say!("freshness   readable after {} (line of JSON to answer)", percentiles(&fresh.readable))?;
    say!("            durable after {} ({probes}, one by one)", percentiles(&fresh.durable))?;
    let (columns, reads) = read_views(feed, history, live_from)?;
    let columns = counted(columns, "value");
    say!("reads       {} for the {columns} of one payment", percentiles(&reads))?;
    feed.checkpoint()?;
    let status = feed.status()?;
    state(&status)?;
    identity(feed, &status)
}

pub fn percentiles(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = |share: usize| {
        let last = sorted.len().saturating_sub(1);
        duration(sorted.get(last * share / 100).copied().unwrap_or_default())
    };
    format!("p50 {}, p99 {}", at(50), at(99))
}

/// Reads the view of the last payments before the live part, each by itself.
fn read_views(
    feed: &Feed<'_>,
    history: &History,
    live_from: EventTime,
) -> Result<(usize, Vec<Duration>), Failure> {
    let view = feed.plan.view("checkout").ok_or_else(|| missing("checkout"))?;
    let stream = feed.plan.views[view].stream;
    let schema = Arc::clone(&feed.plan.streams[stream].schema);
    let mut writer = BatchWriter::new(schema).map_err(Failure::bug)?;
    let mut times = Vec::with_capacity(READS);
    let end = history.payments().partition_point(|p| p.at < live_from);
    let skipped = end.saturating_sub(READS);
    let is_attempt = |e: &PaymentEvent| e.stream() == PaymentStream::Attempts;
    let attempts = history.events().filter(is_attempt).take(end).skip(skipped);
    for event in attempts {
        writer.push(&event);
        let batch = writer.take();
        let begun = Instant::now();
        feed.view(view, batch, live_from)?;
        times.push(begun.elapsed());
    }
    Ok((feed.plan.views[view].columns.len(), times))
}

fn state(status: &Status) -> Result<(), Failure> {
    let keys: usize = status.groups.iter().map(|g| g.keys).sum();
    let bytes: usize = status.groups.iter().map(|g| g.state_bytes).sum();
    let each = bytes / keys.max(1);
    let keys = counted(keys, "key");
    say!("state       {keys}, {}: {each} bytes per key", size(bytes as u64))?;
    // Sizes are those of the last look at each key, so those of few keys that come and go say little.
    for group in status.groups.iter().filter(|g| g.keys >= KEYS_SHOWN) {
        let each = group.state_bytes / group.keys.max(1);
        say!("            {:<18} {:>8} keys {each:>6} bytes each", group.name, group.keys)?;
    }
    let (epoch, checkpoint, log) =
        (status.checkpoint_epoch, size(status.checkpoint_bytes), size(status.log_bytes));
    say!("durable     checkpoint {epoch} of {checkpoint}, event log of {log}")
}

/// Every line is in exactly one of four places; who sent them counted them, too.
fn identity(feed: &mut Feed<'_>, status: &Status) -> Result<(), Failure> {
    feed.settle()?;
    let Receipt { applied, duplicate, late, dead, .. } = feed.receipts;
    let [sent, a, d, l, x] = [feed.sent, applied, duplicate, late, dead].map(grouped);
    say!("nothing     in {sent} = {a} applied + {d} duplicate + {l} late + {x} dead-lettered")?;
    say!("is lost     (some lines were sent twice, too late or broken, as sources do)")?;
    let counted: u64 = status
        .streams
        .iter()
        .map(|s| s.counts.applied + s.counts.duplicate + s.counts.late + s.dead)
        .sum();
    if feed.sent != applied + duplicate + late + dead || feed.sent != counted {
        return Err(Failure::bug(format!(
            "{sent} lines were sent and {counted} are accounted for"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let times: Vec<Duration> = (0..=100).rev().map(Duration::from_micros).collect();
        assert_eq!(percentiles(&times), "p50 50 µs, p99 99 µs");
        assert_eq!(percentiles(&[]), "p50 0 µs, p99 0 µs");
    }
}
