//! Questions to the live engine, awaited.

use millrace_event::{Batch, EventTime};
use millrace_stream::live::{
    Busy, Live, LiveError, ReadReply, ReadRequest, Replayed, Reply, Status, ViewReply, now,
};
use tokio::sync::oneshot;

use crate::error::ApiError;

/// A reply to hand to the engine, and where it arrives.
pub fn reply<T: Send + 'static>() -> (Reply<T>, oneshot::Receiver<Result<T, LiveError>>) {
    let (sender, receiver) = oneshot::channel();
    // Who asked may have gone away: then nobody misses the answer.
    (Box::new(move |result| drop(sender.send(result))), receiver)
}

/// # Errors
/// What the engine said; that it has stopped, when it says nothing any more.
pub async fn arrived<T>(receiver: oneshot::Receiver<Result<T, LiveError>>) -> Result<T, ApiError> {
    Ok(receiver.await.map_err(|_| ApiError::Stopping)??)
}

async fn ask<T: Send + 'static>(
    send: impl FnOnce(Reply<T>) -> Result<(), Busy>,
) -> Result<T, ApiError> {
    let (reply, receiver) = reply();
    send(reply)?;
    arrived(receiver).await
}

pub async fn read(live: &Live, requests: Vec<ReadRequest>) -> Result<ReadReply, ApiError> {
    ask(|reply| live.read(requests, reply)).await
}

pub async fn view(
    live: &Live,
    view: usize,
    events: Batch,
    now: EventTime,
) -> Result<ViewReply, ApiError> {
    ask(|reply| live.view(view, events, now, reply)).await
}

pub async fn status(live: &Live) -> Result<Status, ApiError> {
    ask(|reply| live.status(reply)).await
}

pub async fn checkpoint(live: &Live) -> Result<(), ApiError> {
    ask(|reply| live.checkpoint(reply)).await
}

pub async fn replay_late(live: &Live) -> Result<Replayed, ApiError> {
    ask(|reply| live.replay_late(now(), reply)).await
}
