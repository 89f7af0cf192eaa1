//! Events on their way into the engine, in pieces small enough that reads get in between.
//!
//! One piece costs the engine about as much as a few reads do, and only a few pieces are in its
//! inbox at once: the rest wait here, where a read passes them by.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use millrace_event::Batch;
use millrace_stream::live::{DeadEvent, Delivery, Live, LiveError, Receipt, now};
use tokio::sync::{Semaphore, oneshot};

use crate::ask;
use crate::error::ApiError;
use crate::meters::Meters;

/// Events of one piece.
const PIECE_ROWS: usize = 256;
/// What a piece costs beside its events, in events.
const PIECE_COST: u32 = 16;
/// Events that may be in the engine's inbox at once, pieces' costs included.
const IN_ENGINE: usize = 640;
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
        self.frontier = self.frontier.max(other.frontier);
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

    /// Hands the events and dead letters over; returns when they can be read. `arrived` is when
    /// their bytes were here.
    ///
    /// # Errors
    /// When the engine is busy or has stopped. Before the first piece nothing has been taken then.
    pub async fn push(
        &mut self,
        batch: &Batch,
        dead: Vec<DeadEvent>,
        position: Option<Vec<u8>>,
        arrived: Instant,
    ) -> Result<(), ApiError> {
        let rows = batch.len();
        for letter in &dead {
            *self.tally.causes.entry(letter.reason.clone()).or_default() += 1;
            if self.tally.letters.len() < LETTERS_SHOWN {
                self.tally.letters.push(letter.clone());
            }
        }
        self.tally.received += (rows + dead.len()) as u64;
        let mut from = 0;
        let mut dead = Some(dead);
        while from < rows || dead.is_some() {
            let to = rows.min(from + PIECE_ROWS);
            let letters = dead.take().unwrap_or_default();
            if from == to && letters.is_empty() && position.is_none() {
                break;
            }
            // A position belongs to what is complete with it.
            let position = position.clone().filter(|_| to == rows);
            self.piece(batch, from..to, letters, position, arrived).await?;
            from = to;
        }
        Ok(())
    }

    async fn piece(
        &mut self,
        batch: &Batch,
        rows: std::ops::Range<usize>,
        dead: Vec<DeadEvent>,
        position: Option<Vec<u8>>,
        arrived: Instant,
    ) -> Result<(), ApiError> {
        let count = rows.len();
        let cost = PIECE_COST + u32::try_from(count).unwrap_or(u32::MAX);
        let place = self.queue.places.acquire_many(cost).await;
        let _place = place.map_err(|_| ApiError::Stopping)?;
        let since = Instant::now();
        let is_whole = count == batch.len();
        let delivery = Delivery {
            stream: self.stream,
            partition: self.partition.to_owned(),
            batch: if is_whole { batch.clone() } else { select(batch, rows) },
            dead,
            received: now(),
            position,
        };
        let received = delivery.batch.len() + delivery.dead.len();
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
            self.meters.freshness.observe(arrived.elapsed(), count as u64);
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
            if receipt.future > 0 {
                *tally.causes.entry(FUTURE.to_owned()).or_default() += receipt.future;
            }
            tally.frontier = tally.frontier.max(receipt.frontier);
        }
        Ok(self.tally)
    }
}

/// The reason of letters whose time is too far ahead of the receiving clock.
pub const FUTURE: &str = millrace_stream::live::FUTURE.reason;

fn select(batch: &Batch, rows: std::ops::Range<usize>) -> Batch {
    let rows: Vec<u32> = (rows.start as u32..rows.end as u32).collect();
    batch.select(&rows)
}
