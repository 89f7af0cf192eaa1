use millrace_event::{EventTime, Span};

use crate::transaction::{CustomerId, TerminalId, Transaction, TransactionId};

/// How long after a payment it becomes known that it was fraud: the book's delay of labels.
pub const REPORT_DELAY: Span = Span::days(7);

/// The bank learns that a payment was fraud. It repeats whom the payment is about, because a
/// feature group reads one stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// The payment's.
    pub id: TransactionId,
    pub at: EventTime,
    pub customer: CustomerId,
    pub terminal: TerminalId,
}

/// One event of one of the two streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// What happens when somebody pays, besides the truth, which nobody knows then.
    Payment(Transaction),
    Report(Report),
}

impl Event {
    pub fn at(&self) -> EventTime {
        match self {
            Event::Payment(row) => row.at,
            Event::Report(report) => report.at,
        }
    }
}

/// Payments and reports in order of time, and of equal times by id: of a report and a payment at
/// one moment the report comes first, since its payment is older.
#[derive(Clone, Debug)]
pub struct Events<'a> {
    payments: &'a [Transaction],
    /// Those whose reports are still to come.
    to_report: &'a [Transaction],
    reports_left: usize,
}

impl<'a> Events<'a> {
    pub(crate) fn new(transactions: &'a [Transaction]) -> Events<'a> {
        Events {
            payments: transactions,
            to_report: transactions,
            reports_left: transactions.iter().filter(|row| row.is_fraud()).count(),
        }
    }
}

impl Iterator for Events<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let honest = self.to_report.iter().take_while(|row| !row.is_fraud()).count();
        self.to_report = self.to_report.get(honest..).unwrap_or_default();
        let report = self.to_report.first().map(report);
        let payment = self.payments.first();
        let is_report_due =
            report.is_some_and(|report| payment.is_none_or(|payment| report.at <= payment.at));
        if is_report_due {
            self.to_report = self.to_report.get(1..).unwrap_or_default();
            self.reports_left -= 1;
            return report.map(Event::Report);
        }
        self.payments = self.payments.get(1..).unwrap_or_default();
        payment.copied().map(Event::Payment)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.payments.len() + self.reports_left;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Events<'_> {}

fn report(row: &Transaction) -> Report {
    let Transaction { id, at, customer, terminal, .. } = *row;
    Report { id, at: at.plus(REPORT_DELAY), customer, terminal }
}
