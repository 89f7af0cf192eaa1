//! Events in order of time: three cursors over the payments, and merging of two such streams.

use std::iter::Peekable;
use std::ops::Deref;

use millrace_event::EventTime;

use crate::event::{OUTCOME_DELAY, Outcome, PaymentEvent, Report};
use crate::history::{History, Payment};
use crate::id::PaymentId;

/// Attempts, outcomes and reports of a [`History`] in order of time. At equal times attempts come
/// before outcomes, and outcomes before reports; each in the order of payment ids.
#[derive(Clone, Debug)]
pub struct Events<H> {
    history: H,
    attempt: usize,
    outcome: usize,
    report: usize,
}

impl<H: Deref<Target = History>> Events<H> {
    /// Over a history that is borrowed, or shared with an `Arc`.
    pub fn new(history: H) -> Events<H> {
        Events { history, attempt: 0, outcome: 0, report: 0 }
    }

    fn payment(&self, index: usize) -> Option<Payment> {
        self.history.payments().get(index).copied()
    }
}

impl<H: Deref<Target = History>> Iterator for Events<H> {
    type Item = PaymentEvent;

    fn next(&mut self) -> Option<PaymentEvent> {
        let attempt = self.payment(self.attempt);
        let outcome = self.payment(self.outcome).map(|p| p.at.plus(OUTCOME_DELAY));
        let report = self.history.reports.get(self.report).copied();
        let attempt_at = attempt.map(|p| p.at);
        let first = [attempt_at, outcome, report.map(|r| r.0)].into_iter().flatten().min()?;
        if attempt_at == Some(first) {
            let event = self.history.attempt(payment_id(self.attempt), &attempt?);
            self.attempt += 1;
            Some(PaymentEvent::Attempt(event))
        } else if outcome == Some(first) {
            let event = outcome_of(payment_id(self.outcome), &self.payment(self.outcome)?);
            self.outcome += 1;
            Some(PaymentEvent::Outcome(event))
        } else {
            let (at, index) = report?;
            let event = report_of(payment_id(index as usize), &self.payment(index as usize)?, at);
            self.report += 1;
            Some(PaymentEvent::Report(event))
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let payments = self.history.payments().len();
        let left =
            2 * payments - self.attempt - self.outcome + (self.history.reports.len() - self.report);
        (left, Some(left))
    }
}

impl<H: Deref<Target = History>> ExactSizeIterator for Events<H> {}

fn payment_id(index: usize) -> PaymentId {
    PaymentId(index as u64 + 1)
}

pub(crate) fn outcome_of(payment: PaymentId, row: &Payment) -> Outcome {
    let at = row.at.plus(OUTCOME_DELAY);
    Outcome { payment, at, keys: row.keys, approved: row.approved }
}

pub(crate) fn report_of(payment: PaymentId, row: &Payment, at: EventTime) -> Report {
    Report { payment, at, keys: row.keys }
}

/// Two streams, each in order of time, as one; at equal times the left one comes first.
pub fn merge<A, B>(left: A, right: B) -> Merge<A::IntoIter, B::IntoIter>
where
    A: IntoIterator<Item = PaymentEvent>,
    B: IntoIterator<Item = PaymentEvent>,
{
    Merge { left: left.into_iter().peekable(), right: right.into_iter().peekable() }
}

/// See [`merge`].
#[derive(Clone, Debug)]
pub struct Merge<A: Iterator<Item = PaymentEvent>, B: Iterator<Item = PaymentEvent>> {
    left: Peekable<A>,
    right: Peekable<B>,
}

impl<A, B> Iterator for Merge<A, B>
where
    A: Iterator<Item = PaymentEvent>,
    B: Iterator<Item = PaymentEvent>,
{
    type Item = PaymentEvent;

    fn next(&mut self) -> Option<PaymentEvent> {
        let is_right_first = match (self.left.peek(), self.right.peek()) {
            (Some(left), Some(right)) => right.at() < left.at(),
            (left, _) => left.is_none(),
        };
        if is_right_first { self.right.next() } else { self.left.next() }
    }
}
