//! Training sets as known: keys with many events, which arrive whenever they like, and labels.

#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped here is the test's failure")]

use std::sync::Arc;

use millrace_batch::{AsOf, Counting, History, Job, Labelling, States, Subject};
use millrace_conformance::offline::Paper;
use millrace_conformance::prng::Prng;
use millrace_event::{Batch, EventTime, Span, State, Value};
use millrace_feature::plan::Plan;
use millrace_feature::{SourceFile, compile};
use millrace_stream::Settings;

const PROJECT: &str = "
entity card
stream payment {
  payment : int id
  at      : timestamp time
  card    : card
  amount  : int
}
stream report {
  report  : int id
  at      : timestamp time
  payment : int
}
features velocity by card from payment {
  payments = count()        over 1h
  spend    = sum(amount)    over 30m, 3h
  most     = max(amount)    over 3h
  amounts  = distinct(amount) over 2h
  last     = last(amount)
}
view checkout on payment {
  use velocity
}
label fraud on payment {
  positive from report by payment
  matures 2h
}
";

const SECOND: i64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
struct Payment {
    id: i64,
    at: i64,
    card: usize,
    amount: i64,
    arrived: i64,
}

/// Of three cards, one every twenty seconds or so, some at the same time.
fn payments(random: &mut Prng, count: i64) -> Vec<Payment> {
    let payment = |n: i64| {
        let at = n / 2 * 2 * 20 * SECOND;
        let lag = match random.below(6) {
            0 => random.between(0, 20_000),
            1..3 => random.between(0, 60),
            _ => 0,
        };
        let (card, amount) = (random.below(3), random.between(0, 40));
        Payment { id: n, at, card, amount, arrived: at + lag * SECOND }
    };
    (0..count).map(payment).collect()
}

fn row(payment: &Payment) -> [Value; 4] {
    let card = Value::Text(format!("c{}", payment.card).into());
    let at = Value::Timestamp(EventTime(payment.at));
    [Value::Int(payment.id), at, card, Value::Int(payment.amount)]
}

fn batch(plan: &Plan, stream: usize, row: &[Value]) -> Batch {
    let mut batch = Batch::new(Arc::clone(&plan.streams[stream].schema));
    batch.columns.iter_mut().zip(row).for_each(|(c, value)| c.push(value, State::Ok));
    batch
}

fn plan() -> Arc<Plan> {
    let compiled = compile(&[SourceFile::new("a.mill", PROJECT)]);
    Arc::new(compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics)))
}

fn job(plan: &Arc<Plan>, asof: AsOf, labelling: Option<Labelling>, memory: usize) -> Job {
    Job {
        plan: Arc::clone(plan),
        view: 0,
        rows: EventTime::MIN..EventTime::MAX,
        asof,
        subject: Subject::Events,
        counting: Counting::AsKnown,
        labelling,
        fields: Vec::new(),
        states: States::Kept,
        memory,
        settings: Settings::default(),
    }
}

/// Each row's id, time and values behind them.
fn rows(history: History, types: &[millrace_event::Type]) -> Vec<Vec<Value>> {
    let mut out = Vec::new();
    let done = history.finish().unwrap().run(2, &|_| true, &mut |rows| {
        assert_eq!(rows.columns.len(), types.len());
        for row in 0..rows.columns[0].len() {
            out.push(rows.columns.iter().zip(types).map(|(c, ty)| c.value(row, ty)).collect());
        }
        Ok(())
    });
    done.unwrap();
    out
}

fn types(plan: &Plan) -> Vec<millrace_event::Type> {
    use millrace_event::Type;
    let columns = plan.views[0].columns.iter().map(|column| column.ty.clone());
    [Type::Int, Type::Timestamp].into_iter().chain(columns).collect()
}

#[test]
fn busy_keys_count_what_has_arrived() {
    let plan = plan();
    let payments = payments(&mut Prng::new(11), 3_000);
    for asof in [AsOf::Event, AsOf::Delay(Span::minutes(25)), AsOf::Every(Span::hours(1))] {
        let mut history = History::new(job(&plan, asof, None, 0), Arc::new(Paper::default()));
        let mut arrived = payments.clone();
        arrived.sort_by_key(|payment| payment.arrived);
        for payment in &arrived {
            let events = batch(&plan, 0, &row(payment));
            history.admit(0, &events, EventTime(payment.arrived));
        }
        let rows = rows(history, &types(&plan));
        assert_eq!(rows.len(), payments.len());
        for (row, payment) in rows.iter().zip(&payments) {
            let r = asof.position(EventTime(payment.at)).0;
            let precedes = |other: &Payment| match asof {
                AsOf::Event => (other.at, other.id) < (payment.at, payment.id),
                AsOf::Delay(_) | AsOf::Every(_) => other.at <= r,
            };
            let known: Vec<&Payment> = payments
                .iter()
                .filter(|other| other.card == payment.card && precedes(other))
                .filter(|other| other.arrived <= r)
                .collect();
            let within =
                |minutes: i64| known.iter().filter(move |o| o.at > r - minutes * 60 * SECOND);
            let spend = |minutes| Value::Int(within(minutes).map(|o| o.amount).sum());
            let int = |value: Option<i64>| value.map_or(Value::Null, Value::Int);
            let mut amounts: Vec<i64> = within(120).map(|o| o.amount).collect();
            amounts.sort_unstable();
            amounts.dedup();
            let expected = [
                Value::Int(payment.id),
                Value::Timestamp(EventTime(payment.at)),
                Value::Int(within(60).count() as i64),
                spend(30),
                spend(180),
                int(within(180).map(|o| o.amount).max()),
                Value::Int(amounts.len() as i64),
                int(known.last().map(|o| o.amount)),
            ];
            assert_eq!(row[..], expected, "{asof:?}");
        }
    }
}

#[test]
fn a_report_is_known_from_its_arrival_on() {
    let plan = plan();
    let mut random = Prng::new(5);
    let payments = payments(&mut random, 600);
    let report = |n: i64| {
        let payment = random.between(0, 599);
        let at = payments[payment as usize].at + random.between(0, 3_000) * SECOND;
        (n, payment, at, at + random.between(0, 9_000) * SECOND)
    };
    let reports: Vec<_> = (0..200).map(report).collect();
    let types = [&types(&plan)[..], &[millrace_event::Type::Bool, millrace_event::Type::Timestamp]];
    let mut counts = [0; 3];
    for (cutoff, is_given) in [(6_000, true), (12_000, true), (i64::MAX / SECOND, false)] {
        let cutoff = cutoff * SECOND;
        let labelling = Labelling { label: 0, cutoff: EventTime(cutoff), is_given };
        let job = job(&plan, AsOf::Event, Some(labelling), 1 << 30);
        let mut history = History::new(job, Arc::new(Paper::default()));
        let mut last = 0;
        for payment in &payments {
            history.admit(0, &batch(&plan, 0, &row(payment)), EventTime(payment.arrived));
            last = last.max(payment.arrived);
        }
        for (id, payment, at, arrived) in &reports {
            let row = [Value::Int(*id), Value::Timestamp(EventTime(*at)), Value::Int(*payment)];
            history.admit(1, &batch(&plan, 1, &row), EventTime(*arrived));
            last = last.max(*arrived);
        }
        let cutoff = if is_given { cutoff } else { last };
        for (row, payment) in rows(history, &types.concat()).iter().zip(&payments) {
            let told = reports.iter().filter(|report| report.1 == payment.id).map(|r| r.3).min();
            let told = told.filter(|at| *at <= cutoff);
            let (label, count) = match told {
                Some(_) => (Value::Bool(true), 0),
                None if payment.at + 7_200 * SECOND <= cutoff => (Value::Bool(false), 1),
                None => (Value::Null, 2),
            };
            counts[count] += 1;
            let known = told.map_or(Value::Null, |at| Value::Timestamp(EventTime(at)));
            assert_eq!(row[row.len() - 2..], [label, known], "{payment:?}");
        }
    }
    assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
}
