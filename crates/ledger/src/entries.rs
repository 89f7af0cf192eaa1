//! The decision log, read in order: each record with what its server meant by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_event::EventTime;
use millrace_store::{Disk, LogName, LogReader, Offset, StoreError};

use crate::error::LedgerError;
use crate::forms::DecisionForm;
use crate::id::DecisionId;
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
    unreadable: Unreadable,
}

/// What was passed over, because it could not be read: one bad record says nothing of the others.
/// Which decisions these were, and when, cannot be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreadable {
    pub records: u64,
    /// Parts of the log that were passed over to their end, of which nobody knows how many records
    /// they had.
    pub open_ends: u64,
    /// What was wrong with the first, where it is, and what to do.
    pub first: Option<String>,
}

impl Unreadable {
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    fn note(&mut self, error: &LedgerError) {
        self.first.get_or_insert_with(|| error.to_string());
    }
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
        Ok(Entries { reader, runs, first, unreadable: Unreadable::default() })
    }

    /// Starts of servers, by number.
    pub fn runs(&self) -> &BTreeMap<u64, Arc<Run>> {
        &self.runs
    }

    /// Decisions that were removed from the log, since it was longer than it may be.
    pub fn removed(&self) -> u64 {
        self.first
    }

    /// What was passed over so far.
    pub fn unreadable(&self) -> &Unreadable {
        &self.unreadable
    }

    /// The next decision; `None` at the end. What cannot be read is counted, and passed over.
    ///
    /// # Errors
    /// When the disk fails.
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

    /// The decision of this id, of those that were not read yet.
    ///
    /// # Errors
    /// As [`Entries::next_entry`].
    pub fn find(&mut self, id: DecisionId) -> Result<Option<Entry>, LedgerError> {
        self.next_matching(|head| head.id == id)
    }

    fn next_matching(
        &mut self,
        is_wanted: impl Fn(&Head) -> bool,
    ) -> Result<Option<Entry>, LedgerError> {
        loop {
            match self.next_or_fail(&is_wanted) {
                Err(error @ (LedgerError::Record { .. } | LedgerError::NoRun { .. })) => {
                    self.unreadable.records += 1;
                    self.unreadable.note(&error);
                }
                // The reader goes on where the next segment begins.
                Err(LedgerError::Store(error)) if is_damage(&error) => {
                    match self.reader.skip_segment() {
                        (from, Some(to)) => self.unreadable.records += to.0.saturating_sub(from.0),
                        (_, None) => self.unreadable.open_ends += 1,
                    }
                    self.unreadable.note(&LedgerError::Store(error));
                }
                next => return next,
            }
        }
    }

    /// The next decision of which this is true.
    ///
    /// # Errors
    /// For one that cannot be read.
    pub(crate) fn next_or_fail(
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

/// Bytes that are not what was written; a disk that fails is another matter, since it may answer the
/// next time.
fn is_damage(error: &StoreError) -> bool {
    matches!(error, StoreError::Corrupt { .. } | StoreError::MissingRecords { .. })
}

fn read_runs(disk: &Arc<dyn Disk>) -> Result<BTreeMap<u64, Arc<Run>>, LedgerError> {
    let (mut reader, _) = open_kept(disk, &LogName::DECISION_RUNS, Offset(0))?;
    let mut runs = BTreeMap::new();
    while let Some((offset, bytes)) = reader.next_record()? {
        runs.insert(offset.0, Arc::new(Run::decode(offset.0, bytes)?));
    }
    Ok(runs)
}

/// From this offset on, or from the first that is kept; and how many were removed before, if any of
/// these was asked for.
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
