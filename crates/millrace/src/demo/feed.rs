//! The way of a line into the engine, as a source goes it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use millrace_connector::{JsonDecoder, Limits};
use millrace_event::EventTime;
use millrace_feature::plan::Plan;
use millrace_payments::{JsonLines, PaymentEvent, PaymentStream};
use millrace_stream::live::{DeadEvent, Delivery, Live, LiveError, Receipt, now};

pub use super::noise::Noise;
use super::noise::Noisy;
use crate::exit::Failure;

/// Deliveries that may wait to be durable before the next is sent.
const IN_FLIGHT: usize = 16;

pub struct Feed<'a> {
    pub plan: &'a Arc<Plan>,
    pub live: &'a Live,
    /// Lines handed over, counted as they are written, before anybody reads them.
    pub sent: u64,
    /// What the engine said of them.
    pub receipts: Receipt,
    streams: Vec<Stream>,
    noisy: Noisy,
    waiting: usize,
    done: Sender<Result<Receipt, LiveError>>,
    receive: Receiver<Result<Receipt, LiveError>>,
}

struct Stream {
    kind: PaymentStream,
    index: usize,
    decoder: JsonDecoder,
}

impl<'a> Feed<'a> {
    pub fn new(plan: &'a Arc<Plan>, live: &'a Live) -> Result<Feed<'a>, Failure> {
        let stream = |kind: PaymentStream| {
            let index = plan.stream(kind.name()).ok_or_else(|| missing(kind.name()))?;
            let schema = Arc::clone(&plan.streams[index].schema);
            Ok(Stream { kind, index, decoder: JsonDecoder::new(schema, Limits::default()) })
        };
        let streams = PaymentStream::ALL.into_iter().map(stream).collect::<Result<_, Failure>>()?;
        let (done, receive) = channel();
        Ok(Feed {
            plan,
            live,
            sent: 0,
            receipts: Receipt::default(),
            streams,
            noisy: Noisy::default(),
            waiting: 0,
            done,
            receive,
        })
    }

    /// Writes the events as lines and hands them over. Returns before they are durable.
    pub fn send(&mut self, events: &[PaymentEvent], noise: Noise) -> Result<(), Failure> {
        let mut lines = JsonLines::default();
        match noise {
            Noise::None => events.iter().for_each(|event| lines.push(event)),
            Noise::Some => self.noisy.write(events, &mut lines),
        }
        self.deliver(&lines, received(events))
    }

    /// Hands over the events that were held back to be late.
    pub fn send_held(&mut self) -> Result<(), Failure> {
        let mut lines = JsonLines::default();
        self.noisy.write_held(&mut lines);
        self.deliver(&lines, now())
    }

    fn deliver(&mut self, lines: &JsonLines, received: EventTime) -> Result<(), Failure> {
        for stream in &mut self.streams {
            let bytes = lines.stream(stream.kind);
            if bytes.is_empty() {
                continue;
            }
            self.sent += bytes.iter().filter(|b| **b == b'\n').count() as u64;
            let decoded = stream.decoder.lines(bytes, "demo")?;
            let dead = decoded.dead.iter().map(|letter| dead_event(stream.kind, letter)).collect();
            let delivery = Delivery {
                stream: stream.index,
                partition: "demo".to_owned(),
                batch: decoded.batch,
                dead,
                received,
                position: None,
            };
            let done = self.done.clone();
            self.live.ingest_waiting(delivery, Box::new(move |r| drop(done.send(r))))?;
            self.waiting += 1;
        }
        self.settle_to(IN_FLIGHT)
    }

    /// Waits until all that was sent is durable.
    pub fn settle(&mut self) -> Result<(), Failure> {
        self.settle_to(0)
    }

    fn settle_to(&mut self, most: usize) -> Result<(), Failure> {
        while self.waiting > most {
            let receipt = self.receive.recv().map_err(|_| LiveError::Stopped)??;
            self.waiting -= 1;
            self.receipts.applied += receipt.applied;
            self.receipts.duplicate += receipt.duplicate;
            self.receipts.late += receipt.late;
            self.receipts.dead += receipt.dead;
        }
        Ok(())
    }
}

/// The receiving clock: the one on the wall, unless the made-up world is ahead of it.
fn received(events: &[PaymentEvent]) -> EventTime {
    events.last().map_or(EventTime::MIN, PaymentEvent::at).max(now())
}

pub fn missing(name: &str) -> Failure {
    Failure::bug(format!("the example project has no `{name}`"))
}

fn dead_event(stream: PaymentStream, letter: &millrace_connector::DeadLetter) -> DeadEvent {
    DeadEvent {
        stream: Some(stream.name().to_owned()),
        origin: letter.origin.to_string(),
        position: letter.position.to_string(),
        reason: letter.reason.to_string(),
        message: letter.message.clone(),
        bytes: letter.bytes.clone(),
    }
}
