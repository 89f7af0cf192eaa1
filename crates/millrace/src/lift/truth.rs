//! What is known of events beyond their labels: whether each was positive after all, and of which
//! kind.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_connector::{FileOptions, FileSource};
use millrace_event::{Batch, Field, Schema, Span, Type};

use crate::exit::Failure;

/// Kinds that the table by kind has room for.
const KINDS_MAX: usize = 50;
/// Ids that are read together.
const BLOCK_ROWS: usize = 1 << 16;

/// What an event turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Negative,
    /// `kind` is an index into [`Truth::kinds`].
    Positive {
        kind: Option<usize>,
    },
}

/// By an event's id.
pub struct Truth<'a> {
    pub kinds: Vec<String>,
    pub of: Box<dyn Fn(&str) -> Verdict + 'a>,
    /// Where it was read, if it was.
    pub file: Option<Listed>,
}

/// A file of ids.
#[derive(Debug)]
pub struct Listed {
    option: &'static str,
    path: PathBuf,
    ids: usize,
}

impl Truth<'_> {
    /// Reads a file, CSV as a rule, with a column `id`, and perhaps `kind`. Its ids are the positive
    /// ones; those whose kind is empty have none.
    pub fn read(option: &'static str, path: &Path) -> Result<Truth<'static>, Failure> {
        let mut source = FileSource::open(path, Arc::new(schema()), &FileOptions::default())?;
        let mut found = Found::default();
        while let Some(decoded) = source.next_block(BLOCK_ROWS)? {
            // An event that is left out would be taken to be no positive one.
            if let Some(letter) = decoded.dead.first() {
                return Err(Failure::user(letter));
            }
            found.take(&decoded.batch)?;
            if found.kinds.len() > KINDS_MAX {
                return Err(Failure::user(format!(
                    "{}: more than {KINDS_MAX} kinds; is `kind` the column of kinds?",
                    path.display()
                )));
            }
        }
        let Found { kinds, verdicts } = found;
        let file = Some(Listed { option, path: path.to_owned(), ids: verdicts.len() });
        let of = move |id: &str| match verdicts.get(id) {
            Some(kind) => Verdict::Positive { kind: *kind },
            None => Verdict::Negative,
        };
        Ok(Truth { kinds, of: Box::new(of), file })
    }
}

impl Listed {
    /// What is wrong when none of its ids is that of an event.
    pub fn unmet(&self, schema: &Schema) -> Failure {
        let id = schema.fields.get(schema.id).map_or("", |field| &*field.name);
        Failure::user(format!(
            "{} {}: none of its {} ids is that of an event which is learnt from or tested on; give \
             ids as in `{id}` of stream `{}`",
            self.option,
            self.path.display(),
            self.ids,
            schema.stream
        ))
    }
}

/// No event: it has no time.
fn schema() -> Schema {
    let field = |name: &str, nullable| Field { name: name.into(), ty: Type::String, nullable };
    let fields = vec![field("id", false), field("kind", true)];
    let time = fields.len();
    Schema { stream: "truth".into(), fields, id: 0, time, lateness: Span(0) }
}

#[derive(Default)]
struct Found {
    kinds: Vec<String>,
    verdicts: HashMap<String, Option<usize>>,
}

impl Found {
    fn take(&mut self, rows: &Batch) -> Result<(), Failure> {
        let [ids, kinds] = rows.columns.as_slice() else {
            return Err(Failure::bug("a file of ids has two columns"));
        };
        let (Some(id_texts), Some(kind_texts)) = (ids.as_texts(), kinds.as_texts()) else {
            return Err(Failure::bug("ids and kinds are strings"));
        };
        for row in 0..ids.len() {
            let kind = match kinds.is_null(row) {
                true => None,
                false => Some(kind_texts.get(row).trim()).filter(|kind| !kind.is_empty()),
            };
            let kind = kind.map(|kind| {
                self.kinds.iter().position(|known| known == kind).unwrap_or_else(|| {
                    self.kinds.push(kind.to_owned());
                    self.kinds.len() - 1
                })
            });
            self.verdicts.insert(id_texts.get(row).trim().to_owned(), kind);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_which_are_positive_and_of_which_kind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kinds.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Truth::read("--kinds", &path)
        };
        // As spreadsheets write it, too.
        for text in [
            "kind,id\nslow,p1\nfast,p2\n,p3\nslow,p4\n",
            "\u{feff}\"kind\",\"id\"\r\n\"slow\",\"p1\"\r\nfast,\"p2\"\r\n,p3\r\nslow,p4\r\n",
        ] {
            let truth = read(text).unwrap();
            assert_eq!(truth.kinds, ["slow", "fast"]);
            let of = |id| (truth.of)(id);
            assert_eq!(of("p1"), Verdict::Positive { kind: Some(0) });
            assert_eq!(of("p4"), Verdict::Positive { kind: Some(0) });
            assert_eq!(of("p3"), Verdict::Positive { kind: None });
            assert_eq!(of("p5"), Verdict::Negative);
        }
        let told = read("payment,kind\np1,slow\n").err().unwrap().message;
        assert!(told.contains("`id`"), "{told}");
        let told = read("id,kind\np1,slow\n,slow\n").err().unwrap().message;
        assert!(told.contains("kinds.csv") && told.contains("line 3"), "{told}");
        let told = read("id\np1\n\n").unwrap();
        assert_eq!((told.of)("p1"), Verdict::Positive { kind: None });
    }
}
