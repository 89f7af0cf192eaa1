//! A start of a server that decides: what its records mean, and from where its engine went on.

use millrace_event::{EventTime, Span};
use millrace_feature::plan::Plan;
use millrace_serving::Models;
use millrace_stream::live::Recovery;
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::forms::{DecisionForm, hex};

const VERSION: u32 = 1;

/// One record of the log of starts, as JSON. Its offset there is the number of the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    version: u32,
    /// By the clock, in microseconds since 1970.
    started_at: i64,
    /// Records of the event log that were left when it started. What an earlier start had counted
    /// beyond was never durable, and is gone.
    pub frontier: u64,
    history_micros: i64,
    /// Of the checkpoint that it started from; 0 where it read the whole event log.
    pub epoch: u64,
    /// SHA-256 of all definitions, in base16.
    pub definitions: String,
    /// Groups that knew nothing of the events before this frontier.
    pub started_empty: Vec<String>,
    /// Groups that were computed from the whole event log by this start.
    #[serde(default)]
    pub backfilled: Vec<String>,
    pub decisions: Vec<DecisionForm>,
}

impl Run {
    pub fn new(
        plan: &Plan,
        models: &Models,
        now: EventTime,
        history: Span,
        recovery: &Recovery,
    ) -> Run {
        Run {
            version: VERSION,
            started_at: now.0,
            frontier: recovery.frontier,
            history_micros: history.0,
            epoch: recovery.epoch,
            definitions: hex(&plan.hash),
            started_empty: recovery.started_empty.clone(),
            backfilled: recovery.backfilled.clone(),
            decisions: (0..plan.decisions.len())
                .map(|d| DecisionForm::of(plan, models, d))
                .collect(),
        }
    }

    pub fn started_at(&self) -> EventTime {
        EventTime(self.started_at)
    }

    /// How far behind the watermark its engine kept reads exact.
    pub fn history(&self) -> Span {
        Span(self.history_micros)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a run is plain data")
    }

    pub(crate) fn decode(number: u64, bytes: &[u8]) -> Result<Run, LedgerError> {
        let failed = |why: String| LedgerError::Run { run: number, why };
        let run: Run = serde_json::from_slice(bytes).map_err(|e| failed(e.to_string()))?;
        if run.version == VERSION {
            Ok(run)
        } else {
            Err(failed(format!("version {}, and this program reads {VERSION}", run.version)))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A start with these decisions, and nothing before it.
    pub(crate) fn run(decisions: Vec<DecisionForm>) -> Run {
        Run {
            version: VERSION,
            started_at: 0,
            frontier: 0,
            history_micros: 0,
            epoch: 0,
            definitions: String::new(),
            started_empty: Vec::new(),
            backfilled: Vec::new(),
            decisions,
        }
    }
}
