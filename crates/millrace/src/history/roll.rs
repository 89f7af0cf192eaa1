//! Which rows a pass over events gave.
//!
//! What is computed in several passes is joined by the rows' places. Files may be written to between
//! two of them, so each is held against the first.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use millrace_batch::TrainingRows;

use crate::exit::Failure;

/// The ids and times of a pass's rows, in order, as one number.
#[derive(Clone, Debug, Default)]
pub struct Roll {
    rows: u64,
    // Its keys are the same each time.
    hash: DefaultHasher,
}

impl Roll {
    /// Takes the next rows: their first columns are id and time.
    pub fn take(&mut self, rows: &TrainingRows) {
        let [ids, times, ..] = rows.columns.as_slice() else { return };
        for (row, time) in times.as_words().iter().enumerate() {
            match ids.as_texts() {
                Some(texts) => texts.get(row).hash(&mut self.hash),
                None => ids.as_words().get(row).hash(&mut self.hash),
            }
            time.hash(&mut self.hash);
        }
        self.rows += times.len() as u64;
    }

    /// The rows that were given before are these; `fix` says what to do where they are not.
    ///
    /// # Errors
    /// When there were others, or more, or fewer.
    pub fn check(&self, before: &Roll, fix: &str) -> Result<(), Failure> {
        let (first, then) = (before.rows, self.rows);
        if first == then && before.hash.finish() == self.hash.finish() {
            return Ok(());
        }
        let then = if first == then { "others".to_owned() } else { then.to_string() };
        Err(Failure::user(format!(
            "the first pass over the events gave {first} rows, and a later one {then}; {fix}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use millrace_event::{Column, Mark};

    use super::*;

    fn roll(rows: &[(&str, i64)]) -> Roll {
        let mut roll = Roll::default();
        for rows in rows.chunks(2) {
            let mut ids = Column::new(millrace_event::Type::String.physical());
            rows.iter().for_each(|(id, _)| ids.push_text(id, Mark::OK));
            let times = Column::words(rows.iter().map(|(_, time)| *time).collect());
            roll.take(&TrainingRows { columns: vec![ids, times] });
        }
        roll
    }

    #[test]
    fn passes_over_events_that_changed_are_told_apart() {
        let first = roll(&[("a", 1), ("b", 2), ("c", 3)]);
        assert!(roll(&[("a", 1), ("b", 2), ("c", 3)]).check(&first, "").is_ok());
        for (then, said) in [
            (&[("a", 1), ("b", 2)][..], "a later one 2"),
            (&[("a", 1), ("b", 2), ("c", 3), ("d", 4)], "a later one 4"),
            (&[("a", 1), ("x", 2), ("c", 3)], "a later one others"),
            (&[("a", 1), ("b", 1), ("c", 3)], "a later one others"),
        ] {
            let told = roll(then).check(&first, "read again").unwrap_err().message;
            assert!(told.contains(said) && told.ends_with("; read again"), "{told}");
        }
    }
}
