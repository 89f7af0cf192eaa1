//! The decision log, read in order: each record with what its server meant by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_event::EventTime;
use millrace_store::{Disk, LogName, LogReader, Offset, StoreError};

use crate::error::LedgerError;
use crate::forms::DecisionForm;
use crate::record::{Head, Record};
use crate::run::Run;

/// A decision with its form.
#[derive(Clone, Debug)]
pub struct Entry {
    pub offset: u64,
    pub run: Arc<Run>,
    pub record: Record,
}

impl Entry {
    pub fn form(&self) -> &DecisionForm {
        &self.run.decisions[self.record.decision]
    }
}

/// Decided at or after `from` and before `to`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    pub from: Option<EventTime>,
    pub to: Option<EventTime>,
}

impl Period {
    pub fn contains(&self, at: EventTime) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }
}

/// Reads the log, beside whoever writes it.
#[derive(Debug)]
pub struct Entries {
    reader: LogReader,
    runs: BTreeMap<u64, Arc<Run>>,
    first: u64,
}

impl Entries {
    /// From the first record that is kept; a log that is not there has none.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Entries, LedgerError> {
        Entries::open_at(disk, Offset(0))
    }

    pub(crate) fn open_at(disk: Arc<dyn Disk>, from: Offset) -> Result<Entries, LedgerError> {
        let runs = read_runs(&disk)?;
        let (reader, first) = open_kept(&disk, &LogName::DECISIONS, from)?;
        Ok(Entries { reader, runs, first })
    }

    /// Starts of servers, by number.
    pub fn runs(&self) -> &BTreeMap<u64, Arc<Run>> {
        &self.runs
    }

    /// Decisions that were removed from the log, since it was longer than it may be.
    pub fn removed(&self) -> u64 {
        self.first
    }

    /// The next decision; `None` at the end.
    ///
    /// # Errors
    /// For one that cannot be read.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, LedgerError> {
        self.next_matching(|_| true)
    }

    /// The next decision of the period.
    ///
    /// # Errors
    /// As [`Entries::next_entry`].
    pub fn next_within(&mut self, period: &Period) -> Result<Option<Entry>, LedgerError> {
        self.next_matching(|head| period.contains(head.decided_at))
    }

    pub(crate) fn next_matching(
        &mut self,
        is_wanted: impl Fn(&Head) -> bool,
    ) -> Result<Option<Entry>, LedgerError> {
        while let Some((offset, bytes)) = self.reader.next_record()? {
            let offset = offset.0;
            let failed = |why| LedgerError::Record { offset, why };
            let head = Head::of(bytes).map_err(failed)?;
            if !is_wanted(&head) {
                continue;
            }
            let run = self.runs.get(&head.run);
            let run = Arc::clone(run.ok_or(LedgerError::NoRun { offset, run: head.run })?);
            let record = Record::decode(&run.decisions, bytes).map_err(failed)?;
            return Ok(Some(Entry { offset, run, record }));
        }
        Ok(None)
    }
}

fn read_runs(disk: &Arc<dyn Disk>) -> Result<BTreeMap<u64, Arc<Run>>, LedgerError> {
    let (mut reader, _) = open_kept(disk, &LogName::DECISION_RUNS, Offset(0))?;
    let mut runs = BTreeMap::new();
    while let Some((offset, bytes)) = reader.next_record()? {
        runs.insert(offset.0, Arc::new(Run::decode(offset.0, bytes)?));
    }
    Ok(runs)
}

/// From this offset on, or from the first that is kept; and which that is.
fn open_kept(
    disk: &Arc<dyn Disk>,
    log: &LogName,
    from: Offset,
) -> Result<(LogReader, u64), LedgerError> {
    match LogReader::open(Arc::clone(disk), log, from) {
        Err(StoreError::NoSuchOffset { first, .. }) if from < first => {
            Ok((LogReader::open(Arc::clone(disk), log, first)?, first.0))
        }
        opened => Ok((opened?, 0)),
    }
}
