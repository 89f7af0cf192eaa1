//! Events on their way into the engine, in pieces small enough that reads get in between.
//!
//! One piece costs the engine about as much as a few reads do, and only a few pieces are in its
//! inbox at once: the rest wait here, where a read passes them by.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use millrace_event::{Batch, EventTime};
use millrace_stream::live::{
    DeadEvent, Delivery, LATE_EVENTS_TOLD, LateEvent, Live, LiveError, PIECE_ROWS, Piece, Receipt,
    now, pieces,
};
use tokio::sync::{Semaphore, oneshot};

use crate::ask;
use crate::error::ApiError;
use crate::meters::Meters;

/// What a piece costs beside its events, in events.
const PIECE_COST: u32 = 16;
/// Events that may be in the engine's inbox at once, pieces' costs included.
const IN_ENGINE: usize = 640;
const _: () = assert!(PIECE_ROWS + PIECE_COST as usize <= IN_ENGINE);
/// How long a request that is already taken in part may wait for a place in the inbox.
const PATIENCE: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(5);

/// Where all requests queue for the engine.
#[derive(Debug)]
pub struct Queue {
    places: Semaphore,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue { places: Semaphore::new(IN_ENGINE) }
    }
}

/// When the bytes of some events were here.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    at: Instant,
    /// By the receiving clock.
    pub received: EventTime,
}

impl Arrival {
    pub fn now() -> Arrival {
        Arrival { at: Instant::now(), received: now() }
    }
}

/// One request's events on their way.
#[derive(Debug)]
pub struct HandOver<'a> {
    pub live: &'a Live,
    pub queue: &'a Queue,
    pub meters: &'a Meters,
    pub stream: usize,
    pub partition: &'a str,
    tally: Tally,
    receipts: Vec<oneshot::Receiver<Result<Receipt, LiveError>>>,
}

/// What became of a request's events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub received: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub late: u64,
    pub dead: u64,
    /// Dead letters by reason.
    pub causes: BTreeMap<String, u64>,
    /// Some of the dead letters.
    pub letters: Vec<DeadEvent>,
    /// Some of the late events.
    pub late_events: Vec<LateEvent>,
    pub frontier: u64,
}

impl Tally {
    /// Counts another request's events in.
    pub fn add(&mut self, other: Tally) {
        self.received += other.received;
        self.accepted += other.accepted;
        self.duplicate += other.duplicate;
        self.late += other.late;
        self.dead += other.dead;
        for (cause, count) in other.causes {
            *self.causes.entry(cause).or_default() += count;
        }
        self.letters.extend(other.letters);
        self.letters.truncate(LETTERS_SHOWN);
        self.tell_late(other.late_events);
        self.frontier = self.frontier.max(other.frontier);
    }

    fn tell_late(&mut self, events: Vec<LateEvent>) {
        self.late_events.extend(events);
        self.late_events.truncate(LATE_EVENTS_TOLD);
    }
}

/// Dead letters that an answer repeats.
const LETTERS_SHOWN: usize = 10;

impl<'a> HandOver<'a> {
    pub fn new(
        live: &'a Live,
        queue: &'a Queue,
        meters: &'a Meters,
        stream: usize,
        partition: &'a str,
    ) -> HandOver<'a> {
        let (tally, receipts) = (Tally::default(), Vec::new());
        HandOver { live, queue, meters, stream, partition, tally, receipts }
    }

    /// Hands the events and dead letters over; returns when they can be read. What was against
    /// [`Live::rules`] when it arrived is among the dead letters.
    ///
    /// # Errors
    /// When the engine is busy or has stopped. Before the first piece nothing has been taken then.
    pub async fn push(
        &mut self,
        batch: Batch,
        dead: Vec<DeadEvent>,
        mut position: Option<Vec<u8>>,
        arrival: Arrival,
    ) -> Result<(), ApiError> {
        for letter in &dead {
            *self.tally.causes.entry(letter.reason.clone()).or_default() += 1;
            if self.tally.letters.len() < LETTERS_SHOWN {
                self.tally.letters.push(letter.clone());
            }
        }
        self.tally.received += (batch.len() + dead.len()) as u64;
        let mut dead = Some(dead);
        for Piece { batch, is_last } in pieces(batch) {
            let dead = dead.take().unwrap_or_default();
            // A position belongs to what is complete with it.
            let position = position.take_if(|_| is_last);
            let is_empty = batch.is_empty() && dead.is_empty() && position.is_none();
            // One is handed over all the same where there is no other: the answer needs a frontier.
            if !is_empty || self.receipts.is_empty() {
                self.piece(batch, dead, position, arrival).await?;
            }
        }
        Ok(())
    }

    async fn piece(
        &mut self,
        batch: Batch,
        dead: Vec<DeadEvent>,
        position: Option<Vec<u8>>,
        arrival: Arrival,
    ) -> Result<(), ApiError> {
        let (events, received) = (batch.len(), batch.len() + dead.len());
        let cost = PIECE_COST + u32::try_from(events).unwrap_or(u32::MAX);
        let place = self.queue.places.acquire_many(cost).await;
        let _place = place.map_err(|_| ApiError::Stopping)?;
        let since = Instant::now();
        let delivery = Delivery {
            stream: self.stream,
            partition: self.partition.to_owned(),
            batch,
            dead,
            received: arrival.received,
            position,
        };
        let (applied, readable) = oneshot::channel();
        let (durable, receipt) = ask::reply();
        let applied = Box::new(move || {
            // The request may have been given up: then nobody misses it.
            let _ = applied.send(());
        });
        let mut given = self.live.ingest(delivery, applied, durable);
        while let Err(not_taken) = given {
            // Before the first piece nothing has been taken of this request: it can be sent again.
            if self.receipts.is_empty() || since.elapsed() > PATIENCE {
                return Err(not_taken.busy.into());
            }
            tokio::time::sleep(RETRY).await;
            given = self.live.ingest_again(not_taken);
        }
        self.receipts.push(receipt);
        if let Some(counted) = self.meters.received.get(self.stream) {
            counted.fetch_add(received as u64, Ordering::Relaxed);
        }
        // Where it is refused, the receipt says why.
        if readable.await.is_ok() {
            self.meters.freshness.observe(arrival.at.elapsed(), events as u64);
        }
        Ok(())
    }

    /// Waits until all of it is durable.
    ///
    /// # Errors
    /// When that fails.
    pub async fn durable(mut self) -> Result<Tally, ApiError> {
        for receipt in self.receipts {
            let receipt = ask::arrived(receipt).await?;
            let tally = &mut self.tally;
            tally.accepted += receipt.applied;
            tally.duplicate += receipt.duplicate;
            tally.late += receipt.late;
            tally.dead += receipt.dead;
            tally.frontier = tally.frontier.max(receipt.frontier);
            tally.tell_late(receipt.late_events);
        }
        Ok(self.tally)
    }
}
