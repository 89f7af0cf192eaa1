//! What is known of events beyond their labels: whether each was positive after all, and of which
//! kind.

use std::collections::HashMap;
use std::path::Path;

use crate::exit::Failure;

/// Kinds that the table by kind has room for.
const KINDS_MAX: usize = 50;

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
}

impl Truth<'_> {
    /// Reads a CSV file with a header: a column `id`, and perhaps `kind`. Its ids are the positive
    /// ones; those whose kind is empty have none.
    pub fn read(path: &Path) -> Result<Truth<'static>, Failure> {
        let text = std::fs::read_to_string(path).map_err(Failure::io(path))?;
        let failed = |line: usize, message: &str| {
            Failure::user(format!("{}: line {line}: {message}", path.display()))
        };
        let mut lines =
            text.lines().map(str::trim_end).zip(1..).filter(|(line, _)| !line.is_empty());
        let (header, _) = lines.next().ok_or_else(|| failed(1, "no header; it names `id,kind`"))?;
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        let place = |name: &str| names.iter().position(|one| *one == name);
        let id_at = place("id").ok_or_else(|| failed(1, "the header has no column `id`"))?;
        let kind_at = place("kind");
        let mut kinds: Vec<String> = Vec::new();
        let mut verdicts: HashMap<String, Option<usize>> = HashMap::new();
        for (line, number) in lines {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let id = cells.get(id_at).filter(|id| !id.is_empty());
            let id = id.ok_or_else(|| failed(number, "there is no id"))?;
            let kind = kind_at.and_then(|at| cells.get(at)).filter(|kind| !kind.is_empty());
            let kind = kind.map(|kind| {
                kinds.iter().position(|known| known == kind).unwrap_or_else(|| {
                    kinds.push((*kind).to_owned());
                    kinds.len() - 1
                })
            });
            verdicts.insert((*id).to_owned(), kind);
            if kinds.len() > KINDS_MAX {
                let message = format!("more than {KINDS_MAX} kinds; is this the column of kinds?");
                return Err(failed(number, &message));
            }
        }
        let of = move |id: &str| match verdicts.get(id) {
            Some(kind) => Verdict::Positive { kind: *kind },
            None => Verdict::Negative,
        };
        Ok(Truth { kinds, of: Box::new(of) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_which_are_positive_and_of_which_kind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kinds.csv");
        std::fs::write(&path, "kind,id\nslow,p1\nfast,p2\n,p3\nslow,p4\n").unwrap();
        let truth = Truth::read(&path).unwrap();
        assert_eq!(truth.kinds, ["slow", "fast"]);
        let of = |id| (truth.of)(id);
        assert_eq!(of("p4"), Verdict::Positive { kind: Some(0) });
        assert_eq!(of("p3"), Verdict::Positive { kind: None });
        assert_eq!(of("p5"), Verdict::Negative);
        std::fs::write(&path, "payment,kind\np1,slow\n").unwrap();
        let told = Truth::read(&path).err().unwrap().message;
        assert!(told.contains("no column `id`"), "{told}");
        std::fs::write(&path, "id\np1\n\n").unwrap();
        let told = Truth::read(&path).unwrap();
        assert_eq!((told.of)("p1"), Verdict::Positive { kind: None });
    }
}
