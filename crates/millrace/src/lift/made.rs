//! The worlds of the two examples as sources: made up in memory, with the truth about each payment.

use std::sync::Arc;

use millrace_event::{Batch, EventTime, Mark, Schema};
use millrace_feature::plan::Plan;
use millrace_handbook::{Event, Scenario, Transaction, TransactionId};
use millrace_payments::{BatchWriter, Kind, PaymentEvent, PaymentId, PaymentStream, merge};
use millrace_stream::PartitionId;
use millrace_stream::live::now;

use super::source::{Intake, Source};
use super::truth::{Truth, Verdict};
use crate::exit::Failure;

/// Events that are handed over together.
const CHUNK: usize = 1 << 16;
/// The one partition of each stream.
const PARTITION: &str = "made up";

/// A world of the payments example, and what is known of it at its end.
pub struct Payments<'a> {
    pub plan: Arc<Plan>,
    pub history: &'a millrace_payments::History,
    /// Events beside those of the history, in order of time.
    pub extra: &'a [PaymentEvent],
    pub end: EventTime,
}

impl Source for Payments<'_> {
    fn feed(&self, intake: &mut Intake<'_>) -> Result<(), Failure> {
        let mut writers: Vec<Option<(PartitionId, BatchWriter)>> = Vec::new();
        for kind in PaymentStream::ALL {
            let stream = self.plan.stream(kind.name()).filter(|s| intake.history.needs(*s));
            writers.push(match stream {
                None => None,
                Some(stream) => {
                    let schema = Arc::clone(&self.plan.streams[stream].schema);
                    let writer = BatchWriter::new(schema).map_err(Failure::bug)?;
                    Some((intake.history.partition(stream, PARTITION), writer))
                }
            });
        }
        let events = merge(self.history.events(), self.extra.iter().copied());
        let events = events.take_while(|event| event.at() < self.end);
        let (mut taken, all) = (0usize, self.history.events().len().max(1));
        for event in events {
            for (_, writer) in writers.iter_mut().flatten() {
                if writer.push(&event) {
                    break;
                }
            }
            taken += 1;
            if taken.is_multiple_of(CHUNK) {
                flush(&mut writers, intake)?;
                intake.progress(taken as f64 / all as f64);
            }
        }
        flush(&mut writers, intake)
    }
}

fn flush(
    writers: &mut [Option<(PartitionId, BatchWriter)>],
    intake: &mut Intake<'_>,
) -> Result<(), Failure> {
    for (partition, writer) in writers.iter_mut().flatten() {
        deliver(*partition, &writer.take(), intake)?;
    }
    Ok(())
}

fn deliver(partition: PartitionId, batch: &Batch, intake: &mut Intake<'_>) -> Result<(), Failure> {
    let last = batch.times().last().copied().unwrap_or(i64::MIN);
    intake.push(partition, batch, EventTime(last).max(now()))
}

impl Payments<'_> {
    pub fn truth(&self) -> Truth<'_> {
        let fraud = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Legitimate);
        let place = |kind: Kind| Kind::ALL.iter().position(|one| *one == kind);
        let verdict = move |id: &str| {
            let number = id.strip_prefix("p_").and_then(|digits| digits.parse().ok());
            let payment = number.and_then(|number| self.history.payment(PaymentId(number)));
            match payment.filter(|payment| payment.is_fraud()) {
                Some(payment) => Verdict::Positive { kind: place(payment.kind).map(|at| at - 1) },
                None => Verdict::Negative,
            }
        };
        let kinds = fraud.map(|kind| kind.name().to_owned()).collect();
        Truth { kinds, of: Box::new(verdict), file: None }
    }
}

/// The handbook's data set up to a time.
pub struct Handbook {
    pub plan: Arc<Plan>,
    pub history: millrace_handbook::History,
    pub end: EventTime,
}

/// A stream of the handbook on its way into the engine.
struct Column {
    partition: PartitionId,
    schema: Arc<Schema>,
    batch: Batch,
}

impl Source for Handbook {
    fn feed(&self, intake: &mut Intake<'_>) -> Result<(), Failure> {
        let mut open = |name: &str| {
            let stream = self.plan.stream(name).filter(|s| intake.history.needs(*s))?;
            let schema = Arc::clone(&self.plan.streams[stream].schema);
            let partition = intake.history.partition(stream, PARTITION);
            Some(Column { partition, batch: Batch::new(Arc::clone(&schema)), schema })
        };
        let mut payments = open("transactions");
        let mut reports = open("fraud_reports");
        let (mut taken, all) = (0usize, self.history.events().len().max(1));
        for event in self.history.events().take_while(|event| event.at() < self.end) {
            let to = match event {
                Event::Payment(_) => &mut payments,
                Event::Report(_) => &mut reports,
            };
            if let Some(column) = to {
                column.push(&event)?;
            }
            taken += 1;
            if taken.is_multiple_of(CHUNK) {
                for column in [&mut payments, &mut reports].into_iter().flatten() {
                    column.flush(intake)?;
                }
                intake.progress(taken as f64 / all as f64);
            }
        }
        for column in [&mut payments, &mut reports].into_iter().flatten() {
            column.flush(intake)?;
        }
        Ok(())
    }
}

impl Column {
    fn push(&mut self, event: &Event) -> Result<(), Failure> {
        let (id, customer, terminal, amount) = match event {
            Event::Payment(row) => {
                let Transaction { id, customer, terminal, amount, .. } = row;
                (id, customer, terminal, amount.0 as i64)
            }
            Event::Report(report) => (&report.id, &report.customer, &report.terminal, 0),
        };
        for (field, column) in self.schema.fields.iter().zip(&mut self.batch.columns) {
            let word = match &*field.name {
                "id" => i64::from(id.0),
                "at" => event.at().0,
                "customer" => i64::from(customer.0),
                "terminal" => i64::from(terminal.0),
                "amount" => amount,
                name => return Err(Failure::bug(format!("the handbook has no field `{name}`"))),
            };
            column.push_word(word, Mark::OK);
        }
        Ok(())
    }

    fn flush(&mut self, intake: &mut Intake<'_>) -> Result<(), Failure> {
        let empty = Batch::new(Arc::clone(&self.schema));
        let batch = std::mem::replace(&mut self.batch, empty);
        deliver(self.partition, &batch, intake)
    }
}

impl Handbook {
    pub fn truth(&self) -> Truth<'_> {
        let name = |scenario: Scenario| match scenario {
            Scenario::LargeAmount => "large amount",
            Scenario::Terminal => "terminal, four weeks",
            Scenario::Customer => "customer, two weeks",
        };
        let verdict = move |id: &str| {
            let row = id.parse().ok().and_then(|id| self.row(TransactionId(id)));
            match row.and_then(|row| row.scenario) {
                Some(scenario) => {
                    Verdict::Positive { kind: Some(usize::from(scenario.number()) - 1) }
                }
                None => Verdict::Negative,
            }
        };
        let kinds = Scenario::ALL.map(|scenario| name(scenario).to_owned()).to_vec();
        Truth { kinds, of: Box::new(verdict), file: None }
    }

    fn row(&self, id: TransactionId) -> Option<&Transaction> {
        self.history.transactions().get(id.0 as usize)
    }
}
