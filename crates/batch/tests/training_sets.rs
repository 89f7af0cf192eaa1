//! Training sets of a small project: labels, which rows there are, and what happens at the limits.

use std::ops::Range;
use std::sync::Arc;

use millrace_batch::{
    AsOf, BatchError, Counting, History, Job, Labelling, Scratch, States, Subject,
};
use millrace_conformance::offline::Paper;
use millrace_conformance::prng::Prng;
use millrace_event::{Batch, EventTime, Span, State, Value};
use millrace_feature::plan::Plan;
use millrace_feature::{SourceFile, compile};
use millrace_stream::{EngineError, Settings};

const PROJECT: &str = "
entity card
stream payment {
  payment : string id
  at      : timestamp time, late 1m
  card    : card
  amount  : int
}
stream outcome {
  id       : string id
  at       : timestamp time, late 1m
  payment  : string?
  approved : bool
}
stream report {
  id      : int id
  at      : timestamp time, late 24h
  payment : string?
}
features velocity by card from payment {
  payments = count() over 1h
  spend    = sum(amount)
}
view checkout on payment {
  use velocity
}
label fraud on payment {
  positive from report by payment
  among outcome by payment where approved
  matures 2h
}
label any on payment {
  positive from report by payment
  matures 2h
}
";

const MINUTE: i64 = 60_000_000;
const EVERYTHING: Range<EventTime> = EventTime::MIN..EventTime::MAX;

fn plan() -> Arc<Plan> {
    let compiled = compile(&[SourceFile::new("a.mill", PROJECT)]);
    Arc::new(compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics)))
}

fn job(plan: &Arc<Plan>, rows: Range<EventTime>, labelling: Option<Labelling>) -> Job {
    Job {
        plan: Arc::clone(plan),
        view: 0,
        rows,
        asof: AsOf::Event,
        subject: Subject::Events,
        counting: Counting::AsHappened,
        labelling,
        fields: Vec::new(),
        states: States::Kept,
        memory: 1 << 30,
        settings: Settings { future_max: Span(i64::MAX / 2), ..Settings::default() },
    }
}

/// For a job that is given all the memory it needs.
#[derive(Debug)]
struct NoScratch;

impl Scratch for NoScratch {
    fn append(&self, _: &[u8]) -> Result<u64, String> {
        Err("there is none".to_owned())
    }

    fn read(&self, _: u64, _: usize) -> Result<Vec<u8>, String> {
        Err("there is none".to_owned())
    }
}

fn time(minutes: i64) -> Value {
    Value::Timestamp(EventTime(minutes * MINUTE))
}

fn text(text: String) -> Value {
    Value::Text(text.into())
}

/// Events of one stream, given one after the other.
fn batch(plan: &Plan, stream: usize, rows: &[Vec<Value>]) -> Batch {
    let mut batch = Batch::new(Arc::clone(&plan.streams[stream].schema));
    for row in rows {
        batch.columns.iter_mut().zip(row).for_each(|(c, value)| c.push(value, State::Ok));
    }
    batch
}

/// Rows by row, each cell as a value of the column's type.
type Rows = Vec<Vec<Value>>;

fn run(job: Job, scratch: Arc<dyn Scratch>, events: &[(usize, Rows)]) -> Result<Rows, BatchError> {
    let plan = Arc::clone(&job.plan);
    let labels = job.labelling.is_some();
    let mut history = History::new(job, scratch);
    for (stream, rows) in events {
        let partition = history.partition(*stream, "only");
        if history.needs(*stream) {
            for some in rows.chunks(7) {
                history.push(partition, &batch(&plan, *stream, some), EventTime(0))?;
            }
        }
    }
    let mut out = Vec::new();
    history.finish()?.run(3, &|_| true, &mut |rows| {
        let view = &plan.views[0];
        let schema = &plan.streams[view.stream].schema;
        let mut types = vec![&schema.fields[schema.id].ty, &schema.fields[schema.time].ty];
        types.extend(view.columns.iter().map(|c| &c.ty));
        let (label, known) = (millrace_event::Type::Bool, millrace_event::Type::Timestamp);
        types.extend(labels.then_some([&label, &known]).into_iter().flatten());
        assert_eq!(types.len(), rows.columns.len());
        for row in 0..rows.columns[0].len() {
            out.push(rows.columns.iter().zip(&types).map(|(c, ty)| c.value(row, ty)).collect());
        }
        Ok(())
    })?;
    Ok(out)
}

fn payments(random: &mut Prng, count: usize) -> Rows {
    let payment = |n: usize, random: &mut Prng| {
        let card = text(format!("c{}", random.below(9)));
        vec![text(format!("p{n}")), time(n as i64), card, Value::Int(random.between(0, 50))]
    };
    (0..count).map(|n| payment(n, random)).collect()
}

/// Outcomes and reports of some of them, in the order of time, some of them of no payment.
fn tidings(random: &mut Prng, count: usize) -> (Rows, Rows) {
    let mut outcomes = Vec::new();
    let mut reports = Vec::new();
    for minute in 0..2 * count as i64 {
        let of = |random: &mut Prng| match random.below(8) {
            0 => Value::Null,
            _ => text(format!("p{}", random.below(count + 3))),
        };
        if random.chance(2, 3) {
            let approved = Value::Bool(random.chance(3, 4));
            outcomes.push(vec![text(format!("o{minute}")), time(minute), of(random), approved]);
        }
        if random.chance(1, 3) {
            reports.push(vec![Value::Int(minute), time(minute), of(random)]);
        }
    }
    (outcomes, reports)
}

/// The earliest time of an event about this payment, in minutes.
fn told(events: &Rows, payment: &Value, counts: impl Fn(&[Value]) -> bool) -> Option<i64> {
    let about = events.iter().filter(|event| event[2] == *payment && counts(event));
    let minute = |event: &Vec<Value>| match event[1] {
        Value::Timestamp(EventTime(t)) => t / MINUTE,
        _ => unreachable!("the second field is the time"),
    };
    about.map(minute).min()
}

#[test]
fn labels_are_what_is_known_at_the_cutoff() {
    let plan = plan();
    let mut random = Prng::new(20_260_101);
    let count = 300;
    let payments = payments(&mut random, count);
    let (outcomes, reports) = tidings(&mut random, count);
    let events = [(0, payments.clone()), (1, outcomes.clone()), (2, reports.clone())];
    let mut seen = [0; 3];
    for (label, among) in [(0, true), (1, false)] {
        for cutoff in [0, 100, 250, 420, 900] {
            let labelling = Labelling { label, cutoff: EventTime(cutoff * MINUTE), is_given: true };
            for memory in [0, 1 << 30] {
                let job = Job { memory, ..job(&plan, EVERYTHING, Some(labelling)) };
                let rows = run(job, Arc::new(Paper::default()), &events).unwrap();
                assert_eq!(rows.len(), count);
                for (row, minute) in rows.iter().zip(0..) {
                    let by = |at: Option<i64>| at.filter(|at| *at <= cutoff);
                    let reported = by(told(&reports, &row[0], |_| true));
                    let approved = |event: &[Value]| event[3] == Value::Bool(true);
                    let counts = !among || by(told(&outcomes, &row[0], approved)).is_some();
                    let expected = match (counts, reported) {
                        (true, Some(_)) => Value::Bool(true),
                        (true, None) if minute + 120 <= cutoff => Value::Bool(false),
                        _ => Value::Null,
                    };
                    seen[match expected {
                        Value::Bool(true) => 0,
                        Value::Bool(false) => 1,
                        _ => 2,
                    }] += 1;
                    assert_eq!(row[4], expected, "{row:?} at {cutoff}");
                    assert_eq!(row[5], reported.map_or(Value::Null, time), "{row:?}");
                }
            }
        }
    }
    assert!(seen.iter().all(|n| *n > 100), "{seen:?}");
}

#[test]
fn what_lies_behind_the_last_event_is_not_known() {
    let plan = plan();
    let labelling = Labelling { label: 1, cutoff: EventTime::MAX, is_given: false };
    let payments = payments(&mut Prng::new(7), 400);
    let report = vec![Value::Int(1), time(390), text("p395".to_owned())];
    let events = [(0, payments), (2, vec![report])];
    let rows = run(job(&plan, EVERYTHING, Some(labelling)), Arc::new(NoScratch), &events).unwrap();
    let labels: Vec<&Value> = rows.iter().map(|row| &row[4]).collect();
    // The last event is of minute 399, and labels take two hours to mature.
    assert!(labels[..280].iter().all(|label| **label == Value::Bool(false)));
    assert!(labels[280..].iter().enumerate().all(|(n, label)| match n {
        115 => **label == Value::Bool(true),
        _ => label.is_null(),
    }));
}

#[test]
fn rows_of_a_period_have_the_features_that_all_events_give() {
    let plan = plan();
    let payments = payments(&mut Prng::new(7), 400);
    let events = [(0, payments)];
    let all = run(job(&plan, EVERYTHING, None), Arc::new(NoScratch), &events).unwrap();
    for asof in [AsOf::Event, AsOf::Delay(Span::minutes(9)), AsOf::Every(Span::hours(1))] {
        let whole = Job { asof, ..job(&plan, EVERYTHING, None) };
        let whole = run(whole, Arc::new(NoScratch), &events).unwrap();
        assert_eq!(whole == all, asof == AsOf::Event);
        let period = EventTime(123 * MINUTE)..EventTime(311 * MINUTE);
        let some = Job { asof, ..job(&plan, period, None) };
        assert_eq!(run(some, Arc::new(NoScratch), &events).unwrap(), whole[123..311]);
    }
}

#[test]
fn values_are_the_same_without_their_states() {
    let plan = plan();
    let events = [(0, payments(&mut Prng::new(7), 400))];
    let asof = AsOf::Every(Span::hours(24));
    let with = Job { asof, ..job(&plan, EVERYTHING, None) };
    let without = Job { states: States::LeftOut, ..with.clone() };
    let run = |job| run(job, Arc::new(NoScratch), &events).unwrap();
    assert_eq!(run(with), run(without));
}

/// What is written is cut into pages where rows are handed over.
#[test]
fn rows_are_handed_over_alike_whatever_the_memory() {
    let plan = plan();
    let payments = batch(&plan, 0, &payments(&mut Prng::new(7), 40_000));
    let lengths = |memory: usize| {
        let job = Job { memory, ..job(&plan, EVERYTHING, None) };
        let mut history = History::new(job, Arc::new(Paper::default()));
        let partition = history.partition(0, "only");
        for first in (0..40_000u32).step_by(999) {
            let rows: Vec<u32> = (first..(first + 999).min(40_000)).collect();
            history.push(partition, &payments.select(&rows), EventTime(0)).unwrap();
        }
        let mut lengths = Vec::new();
        let scattered = history.finish().unwrap();
        let done = scattered.run(2, &|_| true, &mut |rows| {
            lengths.push(rows.columns[0].len());
            Ok(())
        });
        done.map(|()| lengths).unwrap()
    };
    assert_eq!(lengths(0), lengths(1 << 30));
    assert_eq!(lengths(0).iter().sum::<usize>(), 40_000);
    assert!(lengths(0).len() > 2);
}

#[test]
fn a_stream_that_only_labels_holds_nothing_back() {
    let plan = plan();
    let labelling = Labelling { label: 1, cutoff: EventTime::MAX, is_given: false };
    let payments = payments(&mut Prng::new(7), 400);
    let patient = |labelling| {
        let settings = Settings { pending_max: 20, ..job(&plan, EVERYTHING, None).settings };
        Job { settings, ..job(&plan, EVERYTHING, labelling) }
    };
    let rows = run(patient(Some(labelling)), Arc::new(NoScratch), &[(2, vec![]), (0, payments)]);
    assert_eq!(rows.unwrap().len(), 400);
}

#[test]
fn what_cannot_be_done_is_said() {
    let plan = plan();
    let payments = payments(&mut Prng::new(7), 400);
    let events = [(0, payments)];
    let poor = Job { memory: 0, ..job(&plan, EVERYTHING, None) };
    let error = run(poor, Arc::new(NoScratch), &events).unwrap_err();
    assert!(matches!(error, BatchError::ScratchWrite(_)), "{error}");

    let settings = Settings { pending_max: 5, ..job(&plan, EVERYTHING, None).settings };
    let hasty = Job { settings, ..job(&plan, EVERYTHING, None) };
    let mut history = History::new(hasty, Arc::new(NoScratch));
    let partition = history.partition(0, "only");
    // Another one that delivers nothing.
    history.partition(0, "other");
    let error = history.push(partition, &batch(&plan, 0, &events[0].1), EventTime(0)).unwrap_err();
    assert!(matches!(error, BatchError::Engine(EngineError::Pending { limit: 5 })), "{error}");

    let mut history = History::new(job(&plan, EVERYTHING, None), Arc::new(NoScratch));
    let partition = history.partition(0, "only");
    history.push(partition, &batch(&plan, 0, &events[0].1), EventTime(0)).unwrap();
    let stopped = history.finish().unwrap().run(1, &|_| false, &mut |_| Ok(()));
    assert!(matches!(stopped, Err(BatchError::Stopped)));
}
