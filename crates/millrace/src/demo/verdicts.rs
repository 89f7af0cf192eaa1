//! What the server decides about each payment that comes, and beside it, for those of the burst, what
//! they would get who know only what was there at the last midnight.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_event::{EventTime, Span};
use millrace_feature::plan::Outcome;
use millrace_payments::{JsonLines, PaymentEvent, PaymentStream};

use super::decided::Decided;
use super::report::percentiles;
use super::serve::Serving;
use crate::backtest::decide::Verdict;
use crate::console::counted;
use crate::exit::Failure;

/// The decision that is asked, and its model.
pub const DECISION: &str = "authorise";
const MODEL: &str = "risk";
/// Payments of the burst that are shown one by one; those behind them are counted, and the last one
/// is shown.
const SHOWN: usize = 12;

/// The decisions so far.
pub struct Verdicts {
    /// When the burst begins.
    begins: EventTime,
    /// By the ids of the burst's payments, what a nightly batch leads to.
    daily: BTreeMap<String, Verdict>,
    live_counts: Counts,
    daily_counts: Counts,
    /// Of the payments that are not of the burst.
    other_counts: Counts,
    first_block: Option<EventTime>,
    /// The last one that was blocked, or the last one while none was: its id, and as it is shown.
    last: Option<(String, String)>,
    took: Vec<Duration>,
}

/// By [`Outcome::ALL`].
#[derive(Clone, Copy, Debug, Default)]
struct Counts([usize; Outcome::ALL.len()]);

impl Counts {
    fn add(&mut self, outcome: Outcome) {
        for (one, count) in Outcome::ALL.iter().zip(&mut self.0) {
            *count += usize::from(*one == outcome);
        }
    }

    fn total(self) -> usize {
        self.0.iter().sum()
    }

    /// `block 12, review 3, allow 40`.
    fn line(self) -> String {
        let named = Outcome::ALL.iter().zip(self.0).rev();
        named.map(|(outcome, count)| format!("{outcome} {count}")).collect::<Vec<_>>().join(", ")
    }
}

impl Verdicts {
    pub fn new(burst: &[PaymentEvent], daily: BTreeMap<String, Verdict>) -> Verdicts {
        Verdicts {
            begins: burst.first().map_or(EventTime::MIN, PaymentEvent::at),
            daily,
            live_counts: Counts::default(),
            daily_counts: Counts::default(),
            other_counts: Counts::default(),
            first_block: None,
            last: None,
            took: Vec::new(),
        }
    }

    /// Whether somebody asks what becomes of this event.
    pub fn asks(event: &PaymentEvent) -> bool {
        event.stream() == PaymentStream::Attempts
    }

    /// Has the server decide on a payment that nobody has counted yet; a line about it, if it is
    /// one of the first of the burst.
    pub fn decide(
        &mut self,
        serving: &Serving,
        event: &PaymentEvent,
    ) -> Result<Option<String>, Failure> {
        let begun = Instant::now();
        let answer = serving.decide(DECISION, json_line(event)?)?;
        self.took.push(begun.elapsed());
        let decided = Decided::of(&answer, MODEL)?;
        let payment = event.payment().to_string();
        let Some(daily) = self.daily.get(&payment) else {
            self.other_counts.add(decided.outcome);
            return Ok(None);
        };
        self.live_counts.add(decided.outcome);
        self.daily_counts.add(daily.outcome);
        let line = told(&payment, event.at().since(self.begins), &decided, daily);
        let is_blocked = decided.outcome == Outcome::Block;
        if is_blocked {
            self.first_block.get_or_insert(event.at());
        }
        if is_blocked || self.first_block.is_none() {
            self.last = Some((decided.id, line.clone()));
        }
        Ok((self.live_counts.total() <= SHOWN).then_some(line))
    }

    /// The last decision that is worth another look.
    pub fn last_id(&self) -> Option<&str> {
        self.last.as_ref().map(|(id, _)| id.as_str())
    }

    /// Above the lines of [`Verdicts::decide`].
    pub fn heads() -> Vec<String> {
        vec![
            format!(
                "each payment is decided on over HTTP, POST /v1/decisions/{DECISION}, before it"
            ),
            "is counted; beside it, what features as of the last midnight lead to".to_owned(),
            format!("  {:>8}  {:<14} {:<14} {:<14} why", "after", "payment", "live", "midnight"),
        ]
    }

    /// For the screen; always the same number of lines.
    pub fn lines(&self) -> Vec<String> {
        let of_burst = counted(self.live_counts.total(), "of its attempt");
        let others = counted(self.other_counts.total(), "other payment");
        let first = self.first_block.map_or_else(
            || "none blocked yet".to_owned(),
            |at| format!("first blocked {:.1} s after it begins", seconds(at.since(self.begins))),
        );
        let took = match self.took.as_slice() {
            [] => String::new(),
            took => format!(", {}", percentiles(took)),
        };
        vec![
            format!("  decided on {of_burst} and {others}{took}"),
            format!("    as of the event      {:<30} {first}", self.live_counts.line()),
            format!("    as of last midnight  {}", self.daily_counts.line()),
            format!("    the other payments   {}", self.other_counts.line()),
            format!("  last: {}", self.last.as_ref().map_or("-", |(_, line)| line.trim_start())),
        ]
    }
}

fn told(payment: &str, after: Span, decided: &Decided, daily: &Verdict) -> String {
    let named = |outcome: Outcome, score: f64| format!("{:<6} {score:.4}", outcome.name());
    let (live, midnight) =
        (named(decided.outcome, decided.score), named(daily.outcome, daily.score));
    let (after, why) = (seconds(after), decided.why());
    format!("  {after:>6.1} s  {payment:<14} {live:<14} {midnight:<14} {why}")
}

fn seconds(span: Span) -> f64 {
    span.0 as f64 / 1e6
}

/// A payment as it is handed over.
pub fn json_line(event: &PaymentEvent) -> Result<String, Failure> {
    let mut lines = JsonLines::default();
    lines.push(event);
    String::from_utf8(lines.stream(event.stream()).to_vec()).map_err(Failure::bug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_both_outcomes_with_their_scores() {
        let decided = Decided {
            id: "019a".to_owned(),
            outcome: Outcome::Block,
            score: 0.5,
            rule: "rule 1, risk >= 0.2".to_owned(),
            reasons: "cards 9".to_owned(),
        };
        let daily = Verdict { outcome: Outcome::Allow, rule: None, score: 0.0021 };
        let line = told("p_9", Span::millis(3_260), &decided, &daily);
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words, "3.3 s p_9 block 0.5000 allow 0.0021 rule 1, risk >= 0.2: cards 9");
    }
}
