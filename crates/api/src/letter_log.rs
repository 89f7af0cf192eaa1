//! The log of dead letters, read beside whoever writes it.

use std::path::Path;
use std::sync::Arc;

use millrace_connector::Reason;
use millrace_store::{Access, FileDisk, LogName, LogReader, Offset, StoreError};
use millrace_stream::live::DeadEvent;

/// The reason of what stands in the log and is no letter.
const BAD_LETTER: &str = "bad-letter";

/// Every reason that a letter can have.
pub fn letter_reasons() -> impl Iterator<Item = &'static str> + Clone {
    let decoding = Reason::ALL.iter().map(|reason| reason.name());
    decoding.chain([BAD_LETTER])
}

/// Which letters.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// Only of this stream.
    pub stream: Option<String>,
    /// Only for this reason.
    pub reason: Option<String>,
    /// Only from this number on.
    pub from: u64,
}

impl Chosen {
    fn matches(&self, letter: &DeadEvent) -> bool {
        self.stream.as_ref().is_none_or(|s| letter.stream.as_ref() == Some(s))
            && self.reason.as_ref().is_none_or(|r| letter.reason == *r)
    }
}

/// Some dead letters of a data directory, oldest first.
#[derive(Debug)]
pub struct LetterLog {
    reader: LogReader,
    chosen: Chosen,
}

impl LetterLog {
    /// # Errors
    /// When the log cannot be read.
    pub fn open(data_dir: &Path, chosen: Chosen) -> Result<LetterLog, StoreError> {
        let disk = Arc::new(FileDisk::open(data_dir, Access::Read)?);
        let log = LogName::DEAD_LETTERS;
        let reader = match LogReader::open(disk.clone(), &log, Offset(chosen.from)) {
            // What is older than the log keeps is gone; begin with what there is.
            Err(StoreError::NoSuchOffset { first, .. }) if chosen.from < first.0 => {
                LogReader::open(disk, &log, first)?
            }
            opened => opened?,
        };
        Ok(LetterLog { reader, chosen })
    }

    /// The next letter with its number; `None` at the end.
    ///
    /// # Errors
    /// When the log cannot be read. A record of it that is no letter is given as one that says so:
    /// it hides neither itself nor those behind it.
    pub fn next_letter(&mut self) -> Result<Option<(u64, DeadEvent)>, StoreError> {
        while let Some((offset, bytes)) = self.reader.next_record()? {
            let letter = letter(bytes);
            if self.chosen.matches(&letter) {
                return Ok(Some((offset.0, letter)));
            }
        }
        Ok(None)
    }
}

fn letter(bytes: &[u8]) -> DeadEvent {
    serde_json::from_slice(bytes).unwrap_or_else(|error| DeadEvent {
        stream: None,
        origin: "the log of dead letters".to_owned(),
        position: String::new(),
        reason: BAD_LETTER.to_owned(),
        message: format!("a newer or damaged millrace wrote this letter: {error}"),
        bytes: bytes.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_chosen_by_stream_and_reason() {
        let letter = letter(
            br#"{"stream":"s","origin":"http","position":"","reason":"bad-json","message":"","bytes":{"text":""}}"#,
        );
        let chosen = |stream: Option<&str>, reason: Option<&str>| Chosen {
            stream: stream.map(str::to_owned),
            reason: reason.map(str::to_owned),
            from: 0,
        };
        assert!(chosen(None, None).matches(&letter));
        assert!(chosen(Some("s"), Some("bad-json")).matches(&letter), "{letter:?}");
        assert!(!chosen(Some("t"), None).matches(&letter));
        assert!(!chosen(None, Some("future")).matches(&letter));
    }

    #[test]
    fn the_reference_explains_every_reason() {
        let reference = include_str!("../../../docs/reference/inputs.md");
        for reason in letter_reasons() {
            assert!(reference.contains(&format!("\n| `{reason}` | ")), "{reason}");
        }
    }

    #[test]
    fn a_record_that_is_no_letter_is_shown_as_one() {
        let letter = letter(b"{\"stream\":7}");
        assert_eq!(
            (letter.reason.as_str(), &letter.bytes[..]),
            (BAD_LETTER, &b"{\"stream\":7}"[..])
        );
    }
}
