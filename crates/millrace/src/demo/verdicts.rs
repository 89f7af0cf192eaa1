//! What is decided about each payment of the burst: with the features as they are when it comes,
//! and beside it with those of the last midnight.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_batch::AsOf;
use millrace_event::{EventTime, Span};
use millrace_feature::plan::{Outcome, Plan};
use millrace_payments::{BatchWriter, History, PaymentEvent, PaymentStream};

use super::feed::{Feed, missing};
use super::shipped::{self, Judge, Verdict};
use crate::exit::Failure;
use crate::lift::made::Payments;
use crate::lift::study::{Columns, Pass, Study};
use crate::stop::Stop;

const MEMORY: usize = 512 << 20;

/// The decisions so far.
pub struct Verdicts {
    judge: Judge,
    view: usize,
    /// When the burst begins.
    begins: EventTime,
    /// By the ids of the burst's payments, what a nightly batch leads to.
    daily: BTreeMap<String, Outcome>,
    live_counts: Counts,
    daily_counts: Counts,
    first_block: Option<EventTime>,
    last_block: Option<String>,
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
    /// Computes what the nightly batch would say of the burst, which is known beforehand.
    pub fn new(history: &History, burst: &[PaymentEvent], stop: &Stop) -> Result<Self, Failure> {
        let plan = shipped::plan()?;
        let judge = Judge::new(&plan, "authorise", "event")?;
        let begins = burst.first().map_or(EventTime::MIN, PaymentEvent::at);
        let daily = daily(&plan, history, burst, stop)?;
        Ok(Verdicts {
            judge,
            view: plan.view("checkout").ok_or_else(|| missing("checkout"))?,
            begins,
            daily,
            live_counts: Counts::default(),
            daily_counts: Counts::default(),
            first_block: None,
            last_block: None,
        })
    }

    /// Decides on the burst's payments among these events, each with what precedes it.
    pub fn look(&mut self, feed: &Feed<'_>, due: &[PaymentEvent]) -> Result<(), Failure> {
        let of_burst = |event: &&PaymentEvent| {
            event.stream() == PaymentStream::Attempts
                && self.daily.contains_key(&event.payment().to_string())
        };
        let due: Vec<&PaymentEvent> = due.iter().filter(of_burst).collect();
        let Some(last) = due.last() else { return Ok(()) };
        let at = last.at();
        let schema = &feed.plan.streams[feed.plan.views[self.view].stream].schema;
        let mut writer = BatchWriter::new(Arc::clone(schema)).map_err(Failure::bug)?;
        due.iter().for_each(|event| _ = writer.push(event));
        let reply = feed.view(self.view, writer.take(), at)?;
        for (event, verdict) in due.iter().zip(self.judge.decide(&reply.rows)?) {
            self.live_counts.add(verdict.outcome);
            if let Some(outcome) = self.daily.get(&event.payment().to_string()) {
                self.daily_counts.add(*outcome);
            }
            if verdict.outcome == Outcome::Block {
                self.first_block.get_or_insert(event.at());
                self.last_block = Some(told(event, &verdict));
            }
        }
        Ok(())
    }

    /// For the screen; always the same number of lines.
    pub fn lines(&self) -> Vec<String> {
        let of = counted_attempts(self.live_counts.total());
        let first = self.first_block.map_or_else(
            || "none blocked yet".to_owned(),
            |at| format!("first blocked {:.1} s after it begins", seconds(at.since(self.begins))),
        );
        vec![
            format!("  decided on {of}, features as of"),
            format!("    the event      {:<32} {first}", self.live_counts.line()),
            format!("    last midnight  {}", self.daily_counts.line()),
            format!("    last blocked   {}", self.last_block.as_deref().unwrap_or("-")),
        ]
    }
}

fn counted_attempts(n: usize) -> String {
    crate::console::counted(n, "of its attempt")
}

fn seconds(span: Span) -> f64 {
    span.0 as f64 / 1e6
}

fn told(event: &PaymentEvent, verdict: &Verdict) -> String {
    let payment = event.payment();
    format!("{payment}: {} (score {:.3})", verdict.reason, verdict.score)
}

/// The decisions on the burst with the features of the last midnight.
fn daily(
    plan: &Arc<Plan>,
    history: &History,
    burst: &[PaymentEvent],
    stop: &Stop,
) -> Result<BTreeMap<String, Outcome>, Failure> {
    let attempts = burst.iter().filter(|event| event.stream() == PaymentStream::Attempts);
    let ids: Vec<String> = attempts.clone().map(|event| event.payment().to_string()).collect();
    let times = || attempts.clone().map(PaymentEvent::at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        return Ok(BTreeMap::new());
    };
    let end = last.plus(Span::seconds(1));
    let source = Payments { plan: Arc::clone(plan), history, extra: burst, end };
    let study = Study {
        name: "burst".to_owned(),
        plan: Arc::clone(plan),
        view: plan.view("checkout").ok_or_else(|| missing("checkout"))?,
        label: plan.label("fraud").ok_or_else(|| missing("fraud"))?,
        source: &source,
        settings: millrace_stream::Settings::default(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        memory: MEMORY,
        scratch: std::env::temp_dir(),
        stop,
    };
    let pass = Pass {
        what: "as of the last midnight".to_owned(),
        columns: Columns::All,
        asof: AsOf::Every(Span::days(1)),
        labelled_at: None,
        fields: Vec::new(),
        rows: first..end,
    };
    let judge = Judge::new(plan, "authorise_daily", "daily")?;
    let mut outcomes = BTreeMap::new();
    study.pass(&pass, &mut |_, _| {}, &mut |rows| {
        let [keys, _, columns @ ..] = rows.columns.as_slice() else { return Ok(()) };
        let verdicts = judge.decide_columns(columns).map_err(|failure| failure.message)?;
        for (row, verdict) in verdicts.into_iter().enumerate() {
            let id = keys.as_texts().map(|texts| texts.get(row)).unwrap_or_default();
            if ids.iter().any(|one| one == id) {
                outcomes.insert(id.to_owned(), verdict.outcome);
            }
        }
        Ok(())
    })?;
    Ok(outcomes)
}
