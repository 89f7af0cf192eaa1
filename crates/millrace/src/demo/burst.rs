//! The live part: payments go on, and somebody begins to test stolen cards.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use millrace_event::{EventTime, Span};
use millrace_payments::{History, JsonLines, PaymentEvent, PaymentStream, merge};
use millrace_stream::live::now;

use super::REDRAW;
use super::feed::{Feed, Noise};
use super::verdicts::Verdicts;
use crate::console::{counted, grouped, is_terminal, say};
use crate::exit::Failure;
use crate::stop::Stop;

/// How much faster than the clock on the wall it goes until it has caught up.
const ACCELERATION: i64 = 60;
/// When the burst begins, in the live part.
const BURST_AFTER: Span = Span::minutes(5);
/// The moment to ask about is no later than this: well before the clock on the wall is reached.
const MOMENT_AFTER: Span = Span::minutes(35);
/// How far an unbounded run goes, and in which steps.
const UNBOUNDED: Span = Span::minutes(40);
const UNBOUNDED_STEP: Span = Span::minutes(10);
/// Of the payments before the live part, those that tell which merchant is a busy one.
const RECENT: usize = 5_000;

/// How time passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// Faster than the clock on the wall until it is reached, and then along with it.
    Accelerated,
    /// As fast as it goes, for a while of event time.
    Unbounded,
}

/// Whom to watch.
#[derive(Clone, Debug, PartialEq)]
struct Watched {
    merchant: String,
    device: String,
    bin: String,
    /// A merchant that has nothing to do with it.
    other: String,
}

/// What is about to happen.
pub struct Burst {
    live_from: EventTime,
    events: Vec<PaymentEvent>,
    watched: Watched,
    verdicts: Verdicts,
}

impl Burst {
    pub fn new(
        history: &History,
        live_from: EventTime,
        seed: u64,
        stop: &Stop,
    ) -> Result<Burst, Failure> {
        let events = history.inject_card_testing(live_from.plus(BURST_AFTER), seed);
        let watched = Watched::of(&events, history, live_from);
        let verdicts = Verdicts::new(history, &events, stop)?;
        Ok(Burst { live_from, events, watched, verdicts })
    }

    /// The merchant whose payment page is abused.
    pub fn merchant(&self) -> &str {
        &self.watched.merchant
    }

    fn attempts(&self) -> impl DoubleEndedIterator<Item = &PaymentEvent> {
        self.events.iter().filter(|e| e.stream() == PaymentStream::Attempts)
    }

    /// A moment to ask about: the end of the burst or, of a long one, half an hour into it.
    pub fn moment(&self) -> EventTime {
        let last = self.attempts().next_back().map_or(self.live_from, PaymentEvent::at);
        let at = last.min(self.live_from.plus(MOMENT_AFTER));
        at.floor_to(Span::seconds(1)).plus(Span::seconds(1))
    }

    /// How long the live part takes to get to that moment.
    pub fn reached_in(&self) -> Duration {
        let micros = self.moment().since(self.live_from).0 / ACCELERATION;
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// One of its attempts, as a line of JSON.
    pub fn attempt(&self) -> Option<String> {
        let mut lines = JsonLines::default();
        lines.push(self.attempts().next()?);
        String::from_utf8(lines.stream(PaymentStream::Attempts).to_vec()).ok()
    }

    pub fn stream(
        self,
        feed: &mut Feed<'_>,
        history: &History,
        pace: Pace,
        stop: &Stop,
    ) -> Result<(), Failure> {
        let attempts = self.attempts().count();
        let Burst { live_from, events, watched, mut verdicts } = self;
        let Watched { merchant, device, .. } = &watched;
        say!()?;
        let attempts = counted(attempts, "attempt");
        say!("a script tests stolen cards: {attempts} at {merchant}, many from {device}")?;
        let ordinary = history.events().skip_while(|e| e.at() < live_from);
        let mut events = merge(ordinary, events).peekable();
        let mut clock = Clock { begun: Instant::now(), from: live_from, now: live_from, pace };
        let mut screen = Screen { is_terminal: is_terminal(), lines: 0 };
        loop {
            let at = clock.step();
            let due: Vec<PaymentEvent> =
                std::iter::from_fn(|| events.next_if(|e| e.at() <= at)).collect();
            feed.send(&due, Noise::None)?;
            verdicts.look(feed, &due)?;
            let mut lines = table(feed, &watched, at, due.len())?;
            lines.extend(verdicts.lines());
            screen.draw(&lines)?;
            let is_over = pace == Pace::Unbounded && at >= live_from.plus(UNBOUNDED);
            if is_over || (pace == Pace::Accelerated && stop.sleep(REDRAW)) || stop.is_asked() {
                return feed.settle();
            }
        }
    }
}

struct Clock {
    begun: Instant,
    from: EventTime,
    now: EventTime,
    pace: Pace,
}

impl Clock {
    /// The moment up to which events happen now; never moves back.
    fn step(&mut self) -> EventTime {
        let next = match self.pace {
            Pace::Unbounded => self.now.plus(UNBOUNDED_STEP),
            Pace::Accelerated => {
                let passed = i64::try_from(self.begun.elapsed().as_micros()).unwrap_or(i64::MAX);
                self.from.plus(Span(passed.saturating_mul(ACCELERATION))).min(now())
            }
        };
        self.now = self.now.max(next);
        self.now
    }
}

impl Watched {
    fn of(burst: &[PaymentEvent], history: &History, live_from: EventTime) -> Watched {
        let mut devices: BTreeMap<String, usize> = BTreeMap::new();
        for event in burst {
            *devices.entry(event.keys().device.to_string()).or_default() += 1;
        }
        let busiest = devices.into_iter().max_by_key(|(_, count)| *count);
        let first = burst.first().map(PaymentEvent::keys);
        let merchant = first.map(|k| k.merchant);
        let before = history.payments().partition_point(|p| p.at < live_from);
        let recent = history.payments().get(before.saturating_sub(RECENT)..before);
        let mut merchants = BTreeMap::new();
        for payment in recent.unwrap_or_default() {
            if Some(payment.keys.merchant) != merchant {
                *merchants.entry(payment.keys.merchant).or_insert(0usize) += 1;
            }
        }
        let other = merchants.into_iter().max_by_key(|(_, count)| *count).map(|(m, _)| m);
        Watched {
            merchant: merchant.map(|m| m.to_string()).unwrap_or_default(),
            device: busiest.map(|(device, _)| device).unwrap_or_default(),
            bin: first.map(|k| k.bin.to_string()).unwrap_or_default(),
            other: other.map(|m| m.to_string()).unwrap_or_default(),
        }
    }
}

/// The lines to show: the first is a summary that also stands alone.
fn table(
    feed: &Feed<'_>,
    watched: &Watched,
    at: EventTime,
    due: usize,
) -> Result<Vec<String>, Failure> {
    let Watched { merchant, device, bin, other } = watched;
    let get = |feature: &str, key: &str| feed.feature(feature, key, at);
    let merchant_row = |key: &str| -> Result<String, Failure> {
        Ok(format!(
            "{key:<16} attempts 1h {:>5}   times its usual hour {:>6}   share of new cards {:>4}",
            get("merchant_traffic.attempts_1h", key)?,
            get("merchant_traffic.surge", key)?,
            get("merchant_traffic.new_share", key)?,
        ))
    };
    let seconds = at.floor_to(Span::seconds(1));
    Ok(vec![
        format!("{seconds}  {:>5} events", grouped(due as u64)),
        format!("  {}", merchant_row(merchant)?),
        format!(
            "  {device:<16} cards 1h    {:>5}   declined in an hour  {:>6}",
            get("device_risk.cards_1h", device)?,
            get("device_outcomes.declines_1h", device)?,
        ),
        format!("  {bin:<16} attempts 1h {:>5}", get("bin_traffic.attempts_1h", bin)?),
        format!("  {}  (another merchant)", merchant_row(other)?),
    ])
}

/// Redraws in place on a terminal, and appends elsewhere.
struct Screen {
    is_terminal: bool,
    /// Lines drawn last time.
    lines: usize,
}

impl Screen {
    fn draw(&mut self, table: &[String]) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        let mut text = String::new();
        if self.is_terminal && self.lines > 0 {
            text.push_str(&format!("\x1b[{}A", self.lines));
        }
        for line in table {
            let clear = if self.is_terminal { "\x1b[K" } else { "" };
            text.push_str(&format!("{line}{clear}\n"));
        }
        self.lines = table.len();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::output)
    }
}

#[cfg(test)]
mod tests {
    use millrace_payments::Settings;

    use super::*;

    #[test]
    fn the_merchant_and_the_busiest_device_of_the_burst_are_watched() {
        let settings = Settings { days: 2, n_cards: 2_000, n_new: 100, ..Settings::default() };
        let history = History::generate(&settings).unwrap();
        let from = settings.start.plus(Span::days(1));
        let burst = history.inject_card_testing(from, 1);
        let watched = Watched::of(&burst, &history, from);
        let count =
            |device: &str| burst.iter().filter(|e| e.keys().device.to_string() == device).count();
        assert!(burst.iter().all(|e| e.keys().merchant.to_string() == watched.merchant));
        assert!(
            burst.iter().all(|e| count(&e.keys().device.to_string()) <= count(&watched.device))
        );
        assert_ne!(watched.other, watched.merchant);
    }

    #[test]
    fn an_unbounded_clock_runs_in_steps() {
        let from = EventTime(0);
        let mut clock = Clock { begun: Instant::now(), from, now: from, pace: Pace::Unbounded };
        assert_eq!(clock.step(), EventTime(0).plus(UNBOUNDED_STEP));
        assert_eq!(clock.step(), EventTime(0).plus(Span(2 * UNBOUNDED_STEP.0)));
    }
}
