//! Definitions and what arrives: the thing that every engine is asked about.

use std::sync::Arc;

use millrace_event::{EventTime, Span, Value};
use millrace_feature::plan::Plan;

use crate::prng::Prng;
use crate::spec::{Arrival, Rules};

/// A plan, events in the order of arrival, and the rules by which they are judged.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// For messages.
    pub name: String,
    pub plan: Arc<Plan>,
    pub rules: Rules,
    /// Origins, as (stream, name), that are made known before the first event.
    pub known: Vec<(usize, Arc<str>)>,
    pub deliveries: Vec<Delivery>,
    /// Moments at which a group is asked about a key, beside those that the events suggest.
    pub asked: Vec<(usize, Vec<Value>, EventTime)>,
}

/// An arrival, and which of the scenario's events it is: a copy has its original's number.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub number: usize,
    pub arrival: Arrival,
}

impl Scenario {
    pub fn time(&self, arrival: &Arrival) -> EventTime {
        match arrival.row[self.plan.streams[arrival.stream].schema.time] {
            Value::Timestamp(time) => time,
            ref other => unreachable!("an event without a time: {other:?}"),
        }
    }

    /// The same events in another order, in which no event comes later than its stream's lateness
    /// allows if all come from one origin.
    pub fn shuffled(&self, random: &mut Prng) -> Vec<Delivery> {
        let mut waiting = self.deliveries.clone();
        let mut shuffled = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let at = random.below(waiting.len());
            let (time, stream) = (self.time(&waiting[at].arrival), waiting[at].arrival.stream);
            let lateness: Span = self.plan.streams[stream].schema.lateness;
            let overtakes = waiting.iter().any(|other| {
                other.arrival.stream == stream && self.time(&other.arrival) < time.minus(lateness)
            });
            if !overtakes {
                shuffled.push(waiting.swap_remove(at));
            }
        }
        self.retimed(shuffled)
    }

    /// The events with copies of some of them: soon after, or at the very end.
    pub fn redelivered(&self, deliveries: &[Delivery], random: &mut Prng) -> Vec<Delivery> {
        let mut out: Vec<Delivery> = Vec::new();
        let mut held: Vec<(usize, Delivery)> = Vec::new();
        for (index, delivery) in deliveries.iter().enumerate() {
            out.push(delivery.clone());
            if random.chance(1, 2) {
                held.push((index + random.below(6), delivery.clone()));
            }
            let (due, later) = held.into_iter().partition(|(at, _)| *at <= index);
            held = later;
            out.extend(due.into_iter().map(|(_, d): (usize, Delivery)| d));
        }
        out.extend(held.into_iter().map(|(_, d)| d));
        self.retimed(out)
    }

    /// The receiving clock never runs back: each delivery gets the latest reading so far.
    fn retimed(&self, mut deliveries: Vec<Delivery>) -> Vec<Delivery> {
        let mut clock = EventTime::MIN;
        for delivery in &mut deliveries {
            clock = clock.max(delivery.arrival.received);
            delivery.arrival.received = clock;
        }
        deliveries
    }
}
