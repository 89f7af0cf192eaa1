//! Payment attempts without end: those of a made-up week, with new ids and the present time.

use millrace_event::{EventTime, Span};
use millrace_payments::{Attempt, CardId, History, PaymentEvent, PaymentId, Settings, write_json};
use millrace_stream::live::now;

use crate::exit::Failure;

/// Days of payments that are gone through again and again.
const DAYS: u32 = 3;
/// Cards from here on are in no history; probes go round so many of them, so that they add no more
/// keys in a long run than in a short one.
const PROBE_CARDS: u32 = 500_000;
const PROBE_CARD_COUNT: u32 = 400;

#[derive(Clone, Debug)]
pub struct Attempts {
    known: Vec<Attempt>,
    next: usize,
    id: u64,
    step: u64,
}

impl Attempts {
    pub fn new() -> Result<Attempts, Failure> {
        let start = now().minus(Span::days(i64::from(DAYS))).floor_to(Span::days(1));
        let settings = Settings { days: DAYS, start, ..Settings::default() };
        let history = History::generate(&settings).map_err(Failure::bug)?;
        let known = history.events().filter_map(|event| match event {
            PaymentEvent::Attempt(attempt) => Some(attempt),
            PaymentEvent::Outcome(_) | PaymentEvent::Report(_) => None,
        });
        Ok(Attempts { known: known.collect(), next: 0, id: 1, step: 1 })
    }

    /// Shares of the same attempts whose ids are all different.
    pub fn split(&self, parts: usize) -> Vec<Attempts> {
        let part = |i: usize| Attempts {
            known: self.known.clone(),
            next: i * self.known.len() / parts,
            id: self.id + i as u64,
            step: parts as u64,
        };
        (0..parts).map(part).collect()
    }

    /// Appends the next attempt as a line of JSON.
    pub fn push_line(&mut self, at: EventTime, out: &mut Vec<u8>) {
        let attempt = Attempt { at, payment: self.next_id(), ..self.known[self.next] };
        self.next = (self.next + 1) % self.known.len();
        write_json(&PaymentEvent::Attempt(attempt), out);
        out.push(b'\n');
    }

    /// The next attempt, of a card that only probes have; and the card.
    pub fn push_probe(&mut self, number: u32, at: EventTime, out: &mut Vec<u8>) -> CardId {
        let card = CardId(PROBE_CARDS + number % PROBE_CARD_COUNT);
        let mut attempt = Attempt { at, payment: self.next_id(), ..self.known[self.next] };
        attempt.keys.card = card;
        write_json(&PaymentEvent::Attempt(attempt), out);
        out.push(b'\n');
        card
    }

    fn next_id(&mut self) -> PaymentId {
        let id = PaymentId(self.id);
        self.id += self.step;
        id
    }
}
