//! The live part: payments go on, and somebody begins to test stolen cards.

use std::time::{Duration, Instant};

use millrace_event::{EventTime, Span};
use millrace_payments::{History, PaymentEvent, PaymentStream, merge};
use millrace_serving::Models;
use millrace_stream::live::now;

use super::daily::daily;
use super::feed::{Feed, Noise};
use super::screen::Screen;
use super::serve::Serving;
use super::verdicts::{Verdicts, json_line};
use super::watched::{Watched, table};
use crate::console::{counted, say};
use crate::exit::Failure;
use crate::project::Project;
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
/// How long one redraw of the live part stays.
const REDRAW: Duration = Duration::from_millis(500);

/// How time passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// Faster than the clock on the wall until it is reached, and then along with it.
    Accelerated,
    /// As fast as it goes, for a while of event time.
    Unbounded,
}

/// What is about to happen.
pub struct Burst {
    live_from: EventTime,
    events: Vec<PaymentEvent>,
    watched: Watched,
    verdicts: Verdicts,
}

impl Burst {
    /// Makes it up, and computes what a nightly batch would say of it.
    pub fn new(
        (project, models): (&Project, &Models),
        history: &History,
        live_from: EventTime,
        seed: u64,
        stop: &Stop,
    ) -> Result<Burst, Failure> {
        let events = history.inject_card_testing(live_from.plus(BURST_AFTER), seed);
        let watched = Watched::of(&events, history, live_from);
        let daily = daily(project, models, history, &events, stop)?;
        let verdicts = Verdicts::new(&events, daily);
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

    /// Its last attempt before that moment, as a line of JSON.
    pub fn attempt(&self) -> Result<Option<String>, Failure> {
        let moment = self.moment();
        self.attempts().rfind(|event| event.at() <= moment).map(json_line).transpose()
    }

    /// Lets it happen, among the payments that go on, and has the server decide on each attempt.
    /// Returns the id of a decision to look at.
    pub fn stream(
        self,
        feed: &mut Feed<'_>,
        (history, serving): (&History, &Serving),
        pace: Pace,
        stop: &Stop,
    ) -> Result<Option<String>, Failure> {
        let attempts = counted(self.attempts().count(), "attempt");
        let Burst { live_from, events, watched, mut verdicts } = self;
        let Watched { merchant, device, .. } = &watched;
        say!()?;
        say!("a script tests stolen cards: {attempts} at {merchant}, many from {device};")?;
        Verdicts::heads().iter().try_for_each(|line| say!("{line}"))?;
        let ordinary = history.events().skip_while(|e| e.at() < live_from);
        let mut events = merge(ordinary, events).peekable();
        let mut clock = Clock { begun: Instant::now(), from: live_from, now: live_from, pace };
        let mut screen = Screen::new();
        loop {
            let at = clock.step();
            let due: Vec<PaymentEvent> =
                std::iter::from_fn(|| events.next_if(|e| e.at() <= at)).collect();
            let lines = happen(feed, serving, &mut verdicts, &due)?;
            let mut rows = table(feed, &watched, at, due.len())?;
            rows.extend(verdicts.lines());
            screen.draw(&lines, &rows)?;
            let is_over = pace == Pace::Unbounded && at >= live_from.plus(UNBOUNDED);
            if is_over || (pace == Pace::Accelerated && stop.sleep(REDRAW)) || stop.is_asked() {
                feed.settle()?;
                return Ok(verdicts.last_id().map(str::to_owned));
            }
        }
    }
}

/// Hands events over in their order; a payment that is asked about is decided when all before it
/// were handed over, and itself was not. Returns lines about them.
fn happen(
    feed: &mut Feed<'_>,
    serving: &Serving,
    verdicts: &mut Verdicts,
    due: &[PaymentEvent],
) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    // Each piece begins with a payment that is asked about, but for the first, which may not.
    let mut rest = due;
    while let Some(first) = rest.first() {
        if Verdicts::asks(first) {
            lines.extend(verdicts.decide(serving, first)?);
        }
        let behind = rest.iter().skip(1).position(Verdicts::asks);
        let (piece, next) = rest.split_at(behind.map_or(rest.len(), |at| at + 1));
        feed.send(piece, Noise::None)?;
        rest = next;
    }
    Ok(lines)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unbounded_clock_runs_in_steps() {
        let from = EventTime(0);
        let mut clock = Clock { begun: Instant::now(), from, now: from, pace: Pace::Unbounded };
        assert_eq!(clock.step(), EventTime(0).plus(UNBOUNDED_STEP));
        assert_eq!(clock.step(), EventTime(0).plus(Span(2 * UNBOUNDED_STEP.0)));
    }
}
