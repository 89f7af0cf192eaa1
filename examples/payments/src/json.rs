//! Events as JSON, one per line: what a service would put on a topic or into a file.

use std::io::Write as _;

use millrace_event::EventTime;

use crate::event::{Attempt, Keys, Outcome, PaymentEvent, PaymentStream, Report};
use crate::id::PaymentId;

/// Appends the event as one JSON object without a line end. Amounts are numbers with two digits
/// after the point, times RFC 3339 in UTC; no text needs escaping.
pub fn write_json(event: &PaymentEvent, out: &mut Vec<u8>) {
    match event {
        PaymentEvent::Attempt(attempt) => write_attempt(attempt, out),
        PaymentEvent::Outcome(outcome) => write_outcome(outcome, out),
        PaymentEvent::Report(report) => write_report(report, out),
    }
}

/// Lines of JSON, one buffer per stream.
#[derive(Clone, Debug, Default)]
pub struct JsonLines {
    pub attempts: Vec<u8>,
    pub outcomes: Vec<u8>,
    pub reports: Vec<u8>,
}

impl JsonLines {
    /// Appends the event's line to its stream's buffer.
    pub fn push(&mut self, event: &PaymentEvent) {
        let out = self.stream_mut(event.stream());
        write_json(event, out);
        out.push(b'\n');
    }

    pub fn stream(&self, stream: PaymentStream) -> &[u8] {
        match stream {
            PaymentStream::Attempts => &self.attempts,
            PaymentStream::Outcomes => &self.outcomes,
            PaymentStream::Reports => &self.reports,
        }
    }

    pub fn stream_mut(&mut self, stream: PaymentStream) -> &mut Vec<u8> {
        match stream {
            PaymentStream::Attempts => &mut self.attempts,
            PaymentStream::Outcomes => &mut self.outcomes,
            PaymentStream::Reports => &mut self.reports,
        }
    }
}

impl Extend<PaymentEvent> for JsonLines {
    fn extend<I: IntoIterator<Item = PaymentEvent>>(&mut self, events: I) {
        events.into_iter().for_each(|event| self.push(&event));
    }
}

fn write_attempt(event: &Attempt, out: &mut Vec<u8>) {
    write_start(event.payment, event.at, &event.keys, out);
    write_text(out, "category", event.category.name());
    write_name(out, "amount");
    event.amount.write(out);
    write_name(out, "list_price");
    event.list_price.write(out);
    write_text(out, "card_country", event.card_country.code());
    write_text(out, "ip_country", event.ip_country.code());
    write_bool(out, "first_of_card", event.first_of_card);
    out.push(b'}');
}

fn write_outcome(event: &Outcome, out: &mut Vec<u8>) {
    write_start(event.payment, event.at, &event.keys, out);
    write_bool(out, "approved", event.approved);
    out.push(b'}');
}

fn write_report(event: &Report, out: &mut Vec<u8>) {
    write_start(event.payment, event.at, &event.keys, out);
    out.push(b'}');
}

/// What every event begins with.
fn write_start(payment: PaymentId, at: EventTime, keys: &Keys, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"payment_id\":\"");
    payment.write(out);
    out.extend_from_slice(b"\",\"at\":\"");
    write_time(at, out);
    out.extend_from_slice(b"\",\"card\":\"");
    keys.card.write(out);
    out.extend_from_slice(b"\",\"bin\":\"");
    keys.bin.write(out);
    out.extend_from_slice(b"\",\"device\":\"");
    keys.device.write(out);
    out.extend_from_slice(b"\",\"ip\":\"");
    keys.ip.write(out);
    out.extend_from_slice(b"\",\"merchant\":\"");
    keys.merchant.write(out);
    out.push(b'"');
}

fn write_time(at: EventTime, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail.
    let _ = write!(out, "{at}");
}

fn write_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn write_text(out: &mut Vec<u8>, name: &str, text: &str) {
    write_name(out, name);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn write_bool(out: &mut Vec<u8>, name: &str, value: bool) {
    write_name(out, name);
    out.extend_from_slice(if value { b"true" } else { b"false" });
}
