//! What real sources do to events: some come twice, some too late, some broken.

use std::collections::VecDeque;

use millrace_payments::{JsonLines, PaymentEvent, PaymentStream};

/// Every so many events one comes twice.
const TWICE_EVERY: u64 = 2_000;
/// Every so many attempts one is held back until it is too late.
const LATE_EVERY: u64 = 4_999;
/// Every so many events a line breaks off.
const BROKEN_EVERY: u64 = 9_973;
/// Chunks for which an event is held back: hours, at the rate of the made-up payments.
const HELD_CHUNKS: usize = 3;

/// Whether a source behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noise {
    None,
    Some,
}

#[derive(Debug, Default)]
pub struct Noisy {
    count: u64,
    /// By chunk, the events that are held back.
    held: VecDeque<Vec<PaymentEvent>>,
}

impl Noisy {
    /// Writes the events, and what is due of those held back.
    pub fn write(&mut self, events: &[PaymentEvent], lines: &mut JsonLines) {
        let mut held = Vec::new();
        for event in events {
            self.count += 1;
            if self.count.is_multiple_of(LATE_EVERY) && event.stream() == PaymentStream::Attempts {
                held.push(*event);
                continue;
            }
            lines.push(event);
            if self.count.is_multiple_of(TWICE_EVERY) {
                lines.push(event);
            }
            if self.count.is_multiple_of(BROKEN_EVERY) {
                push_broken(event, lines);
            }
        }
        self.held.push_back(held);
        if self.held.len() > HELD_CHUNKS {
            let due = self.held.pop_front().unwrap_or_default();
            due.iter().for_each(|event| lines.push(event));
        }
    }

    /// Writes all that is held back.
    pub fn write_held(&mut self, lines: &mut JsonLines) {
        for event in self.held.drain(..).flatten() {
            lines.push(&event);
        }
    }
}

/// A second copy of the event's line, cut in the middle.
fn push_broken(event: &PaymentEvent, lines: &mut JsonLines) {
    let out = lines.stream_mut(event.stream());
    let start = out.len();
    millrace_payments::write_json(event, out);
    out.truncate(start + (out.len() - start) / 2);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use millrace_payments::{History, Settings};

    use super::*;

    #[test]
    fn every_event_is_written_and_some_are_written_worse() {
        let settings = Settings { days: 3, n_cards: 20_000, n_new: 100, ..Settings::default() };
        let history = History::generate(&settings).unwrap();
        let events: Vec<PaymentEvent> = history.events().collect();
        assert!(events.len() > 2 * BROKEN_EVERY as usize, "{}", events.len());
        let (mut noisy, mut lines) = (Noisy::default(), JsonLines::default());
        events.chunks(1_000).for_each(|chunk| noisy.write(chunk, &mut lines));
        noisy.write_held(&mut lines);
        let written: Vec<&[u8]> = PaymentStream::ALL
            .iter()
            .flat_map(|s| lines.stream(*s).split_inclusive(|b| *b == b'\n'))
            .collect();
        let n = events.len() as u64;
        let broken = written.iter().filter(|line| !line.ends_with(b"}\n")).count() as u64;
        assert_eq!(broken, n / BROKEN_EVERY);
        assert_eq!(written.len() as u64, n + n / TWICE_EVERY + broken);
    }
}
