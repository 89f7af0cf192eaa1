//! The engine as it was at each frontier, found again from the event log alone.
//!
//! A frontier is a count of records of the event log, and what the engine holds at it is a function
//! of these records: of the events, of what each delivery was judged by, and of the late events
//! that were replayed. So whoever logs the frontier of an answer can be given the answer again.
//!
//! Nothing is written, and no lock is taken: it may stand beside the server that writes the log.
//! Key states stay in memory.

use std::sync::Arc;

use millrace_event::{Batch, EventTime, Span};
use millrace_feature::plan::Plan;
use millrace_store::{Disk, LogName, LogReader, Offset, StoreError};
use thiserror::Error;

use super::LiveError;
use super::again::apply_again;
use super::recovery::{counted_by_checkpoint, secret};
use crate::engine::{Answer, Engine};
use crate::settings::Settings;

/// Why the state at a frontier cannot be found again.
#[derive(Debug, Error)]
pub enum PastError {
    #[error(
        "the event log begins at record {first}: what came before was removed, since it was longer \
         than storage.log_retain in millrace.toml"
    )]
    Removed { first: u64 },
    #[error("the event log ends at record {end}, before frontier {frontier}")]
    NotThere { end: u64, frontier: u64 },
    #[error("frontier {frontier} is behind us, at {at}")]
    Behind { at: u64, frontier: u64 },
    #[error(transparent)]
    Live(#[from] LiveError),
}

impl From<StoreError> for PastError {
    fn from(error: StoreError) -> PastError {
        PastError::Live(error.into())
    }
}

/// The event log, from its first record to what the newest checkpoint counts, at least.
pub(super) fn open_log(disk: &Arc<dyn Disk>) -> Result<LogReader, PastError> {
    // Before the log is opened: a server may be writing it.
    let counted = counted_by_checkpoint(&**disk)?;
    let opened = LogReader::open(Arc::clone(disk), &LogName::EVENTS, Offset(0));
    let reader = opened.map_err(|error| match error {
        StoreError::NoSuchOffset { first, .. } => PastError::Removed { first: first.0 },
        other => other.into(),
    })?;
    Ok(reader.known_durable(Offset(counted)))
}

/// An engine that is taken from frontier to frontier, forwards.
#[derive(Debug)]
pub struct Past {
    engine: Engine,
    disk: Arc<dyn Disk>,
    reader: LogReader,
    frontier: u64,
}

impl Past {
    /// Before the first event.
    ///
    /// # Errors
    /// [`PastError::Removed`] when the log does not go back that far.
    pub fn open(
        disk: Arc<dyn Disk>,
        plan: Arc<Plan>,
        settings: Settings,
    ) -> Result<Past, PastError> {
        let reader = open_log(&disk)?;
        Ok(Past { engine: Engine::new(plan, settings, secret()), disk, reader, frontier: 0 })
    }

    pub fn frontier(&self) -> u64 {
        self.frontier
    }

    /// From now on reads are exact this far behind the watermark, as a server was told to keep it
    /// that started here; but not where they were not before.
    pub fn keep_history(&mut self, history: Span) {
        self.engine.keep_history(history);
    }

    /// Applies the records up to this frontier.
    ///
    /// # Errors
    /// [`PastError::Behind`] and [`PastError::NotThere`]; otherwise the engine is of no more use.
    pub fn go_to(&mut self, frontier: u64) -> Result<(), PastError> {
        if frontier < self.frontier {
            return Err(PastError::Behind { at: self.frontier, frontier });
        }
        while self.frontier < frontier {
            let Some((offset, bytes)) = self.reader.next_record()? else {
                return Err(PastError::NotThere { end: self.frontier, frontier });
            };
            apply_again(&mut self.engine, &self.disk, bytes)?;
            self.frontier = offset.0 + 1;
        }
        Ok(())
    }

    /// Whether what a view reads at this time, at this frontier, is exact whatever was cleaned up.
    pub fn is_exact(&self, view: usize, at: EventTime) -> bool {
        let plan = self.engine.plan();
        let mut streams = plan.views[view].reads.iter().map(|read| plan.groups[read.group].stream);
        streams.all(|stream| at >= self.engine.exact_from(stream))
    }

    /// What a view answered for this event at this frontier.
    ///
    /// # Errors
    /// When the engine cannot go on.
    pub fn view(&mut self, view: usize, event: &Batch) -> Result<Vec<Answer>, LiveError> {
        Ok(self.engine.view(view, event)?)
    }
}
