//! The names of all objects in a data directory, and the numbers they are made of.
//!
//! One type makes every name and one function reads them back, so that two parts of the crate
//! cannot disagree about where something lives.
//!
//! ```text
//! LOCK  keys.lock  keys.json  pepper
//! events/00000000000000000000.log          named by the first offset in it
//! checkpoints/0000000007.segment           named by its id
//! checkpoints/00000000000000000042.manifest  named by its epoch
//! ```

use std::borrow::Cow;
use std::fmt;

use crate::StoreError;

/// The number of a record in a log, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Offset(pub u64);

/// The number of a checkpoint, from 1; each published one is greater than all before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Epoch(pub u64);

/// The number of a checkpoint segment. A later segment overrides an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SegmentId(pub u32);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The name of a log, which is also its folder: 1 to [`LogName::BYTES_MAX`] of `a-z 0-9 - _`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LogName(Cow<'static, str>);

impl LogName {
    pub const BYTES_MAX: usize = 64;
    /// Accepted events.
    pub const EVENTS: LogName = LogName(Cow::Borrowed("events"));
    /// Events that came after the lateness of their stream.
    pub const LATE: LogName = LogName(Cow::Borrowed("late"));
    /// Records that could not be read as events, with the reason.
    pub const DEAD_LETTERS: LogName = LogName(Cow::Borrowed("dead-letters"));
    /// Decisions that were answered, with all they were made of.
    pub const DECISIONS: LogName = LogName(Cow::Borrowed("decisions"));
    /// The starts of servers that decided: what their decisions' records mean.
    pub const DECISION_RUNS: LogName = LogName(Cow::Borrowed("decision-runs"));

    /// # Errors
    /// When the text is empty, too long, has another character, or is the checkpoints' folder.
    pub fn new(text: &str) -> Result<LogName, StoreError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        let is_name = !text.is_empty()
            && text.len() <= LogName::BYTES_MAX
            && text.chars().all(plain)
            && text != Folder::CHECKPOINTS.as_str();
        if !is_name {
            return Err(StoreError::LogName { given: text.into(), limit: LogName::BYTES_MAX });
        }
        Ok(LogName(Cow::Owned(text.to_owned())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn folder(&self) -> Folder {
        Folder(self.0.clone())
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A folder of the data directory. There is one level of them below the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Folder(Cow<'static, str>);

impl Folder {
    /// The data directory itself.
    pub const ROOT: Folder = Folder(Cow::Borrowed(""));
    pub const CHECKPOINTS: Folder = Folder(Cow::Borrowed("checkpoints"));
    /// Decisions as Parquet, a folder for each name of a decision.
    pub const DECISION_FILES: Folder = Folder(Cow::Borrowed("decision-files"));

    /// Relative to the data directory; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

/// The name of one file of the data directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name {
    folder: Folder,
    file: Cow<'static, str>,
}

impl Name {
    /// Held locked by the process that owns the data directory.
    pub const LOCK: Name = Name { folder: Folder::ROOT, file: Cow::Borrowed("LOCK") };
    /// Held locked while keys are changed.
    pub const KEYS_LOCK: Name = Name { folder: Folder::ROOT, file: Cow::Borrowed("keys.lock") };
    pub const KEYS: Name = Name { folder: Folder::ROOT, file: Cow::Borrowed("keys.json") };
    /// The secret that makes the stored HMACs useless without it.
    pub const PEPPER: Name = Name { folder: Folder::ROOT, file: Cow::Borrowed("pepper") };

    /// The number of the first decision that is in no file yet. No decision's folder has this name,
    /// for no name in the language has a point in it.
    pub const EXPORTED: Name =
        Name { folder: Folder::DECISION_FILES, file: Cow::Borrowed(".exported") };
    /// Where that number was before: a decision may have this name.
    pub const EXPORTED_BEFORE: Name =
        Name { folder: Folder::DECISION_FILES, file: Cow::Borrowed("exported") };

    pub fn log_segment(log: &LogName, first: Offset) -> Name {
        Name { folder: log.folder(), file: Cow::Owned(format!("{:020}.log", first.0)) }
    }

    pub fn segment(id: SegmentId) -> Name {
        Name { folder: Folder::CHECKPOINTS, file: Cow::Owned(format!("{:010}.segment", id.0)) }
    }

    pub fn manifest(epoch: Epoch) -> Name {
        Name { folder: Folder::CHECKPOINTS, file: Cow::Owned(format!("{:020}.manifest", epoch.0)) }
    }

    /// A file as it was listed.
    pub(crate) fn in_folder(folder: &Folder, file: String) -> Name {
        Name { folder: folder.clone(), file: Cow::Owned(file) }
    }

    /// Where a file is prepared before it takes the place of this one.
    #[must_use]
    pub fn temporary(&self) -> Name {
        Name { folder: self.folder.clone(), file: Cow::Owned(format!("{}.tmp", self.file)) }
    }

    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The name inside its folder.
    pub fn file(&self) -> &str {
        &self.file
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.folder.0.is_empty() { "" } else { "/" };
        write!(f, "{}{separator}{}", self.folder.0, self.file)
    }
}

/// What a file in a log's folder or in the checkpoints' folder is, by its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    LogSegment(Offset),
    Segment(SegmentId),
    Manifest(Epoch),
    Temporary,
    /// Not ours: left alone.
    Foreign,
}

pub(crate) fn kind_of(file: &str) -> Kind {
    let Some((stem, extension)) = file.rsplit_once('.') else { return Kind::Foreign };
    if extension == "tmp" {
        return Kind::Temporary;
    }
    if !stem.bytes().all(|b| b.is_ascii_digit()) {
        return Kind::Foreign;
    }
    let number = stem.parse::<u64>().ok();
    match (extension, stem.len(), number) {
        ("log", 20, Some(n)) => Kind::LogSegment(Offset(n)),
        ("manifest", 20, Some(n)) => Kind::Manifest(Epoch(n)),
        ("segment", 10, Some(n)) => {
            u32::try_from(n).map_or(Kind::Foreign, |n| Kind::Segment(SegmentId(n)))
        }
        _ => Kind::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_made() {
        let log = Name::log_segment(&LogName::EVENTS, Offset(7));
        assert_eq!(log.to_string(), "events/00000000000000000007.log");
        assert_eq!(kind_of(log.file()), Kind::LogSegment(Offset(7)));
        let segment = Name::segment(SegmentId(u32::MAX));
        assert_eq!(segment.to_string(), "checkpoints/4294967295.segment");
        assert_eq!(kind_of(segment.file()), Kind::Segment(SegmentId(u32::MAX)));
        let manifest = Name::manifest(Epoch(u64::MAX));
        assert_eq!(kind_of(manifest.file()), Kind::Manifest(Epoch(u64::MAX)));
        assert_eq!(kind_of(manifest.temporary().file()), Kind::Temporary);
        assert_eq!(Name::KEYS.to_string(), "keys.json");
    }

    #[test]
    fn foreign_files_are_left_alone() {
        for file in ["x", "1.log", "+0000000000000000007.log", "9999999999.segment", "a.log~"] {
            assert_eq!(kind_of(file), Kind::Foreign, "{file}");
        }
    }

    #[test]
    fn log_names_are_plain_and_bounded() {
        assert!(LogName::new(&"a".repeat(LogName::BYTES_MAX)).is_ok());
        for wrong in ["", "A", "../x", "a/b", "checkpoints", &"a".repeat(LogName::BYTES_MAX + 1)] {
            assert!(LogName::new(wrong).is_err(), "{wrong}");
        }
    }
}
