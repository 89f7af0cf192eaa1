//! The files that had a followed file's name before it: found by their numbers, or by the names
//! that rotation gives, `NAME.1` and `NAME-20260131`.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::mark::{FileMark, number_of, open_regular};
use crate::Position;

/// A number behind a name from here on is a date and grows; a smaller one counts rotations, and the
/// oldest file has the greatest.
const DATE_MIN: u64 = 1_000_000;

struct Sibling {
    path: PathBuf,
    metadata: Metadata,
    /// The number behind the followed file's name, if this is what rotation made of it.
    rotation: Option<u64>,
}

impl Sibling {
    /// The file, unless another has its name by now: then the next look finds it.
    fn open(&self) -> io::Result<Option<File>> {
        let opened = open_regular(&self.path).and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((now, file)) => Ok((number_of(&now) == number_of(&self.metadata)).then_some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let path = self.path.display();
                Err(io::Error::new(error.kind(), format!("{path}: {error}")))
            }
        }
    }

    /// Greater for a file that was written later.
    fn age_order(&self) -> (Option<SystemTime>, u64, Reverse<u64>) {
        let rotation = self.rotation.unwrap_or(0);
        let (date, count) = if rotation >= DATE_MIN { (rotation, 0) } else { (0, rotation) };
        (self.metadata.modified().ok(), date, Reverse(count))
    }
}

/// The file that was left at this position: the one at the path, or else one beside it.
pub(super) fn find_left(
    path: &Path,
    position: Position,
    mark: FileMark,
) -> io::Result<Option<(File, PathBuf)>> {
    let is_start = position == Position::START;
    let mut found = None;
    let here = Sibling { path: path.to_owned(), metadata: fs::metadata(path)?, rotation: None };
    for sibling in std::iter::once(here).chain(siblings(path)?.into_iter().flatten()) {
        let same_number = number_of(&sibling.metadata) == mark.number;
        let is_likely = same_number || sibling.rotation.is_some() || sibling.path == path;
        // Of a file of which nothing was read, only the number is known.
        if !is_likely || (is_start && !same_number) {
            continue;
        }
        let Some(file) = sibling.open()? else { continue };
        if mark.fits(&file, position)? {
            if same_number {
                return Ok(Some((file, sibling.path)));
            }
            found.get_or_insert((file, sibling.path));
        }
    }
    Ok(found)
}

/// What this file is followed by: the next younger rotated file with anything in it, or else the one
/// that was found at the path `now`; `None` while nothing is written there.
///
/// The path is to be opened before this looks at the folder: what is renamed meanwhile is then
/// either in the folder already, or still the one that was opened.
pub(super) fn successor(path: &Path, left: &Metadata, now: File) -> io::Result<Option<File>> {
    let rotated = rotated_files(path)?;
    // A folder that is looked at while files are renamed may not show all: the next look tells.
    let numbers = |all: &[Sibling]| all.iter().map(|s| number_of(&s.metadata)).collect::<Vec<_>>();
    if numbers(&rotated) != numbers(&rotated_files(path)?) {
        return Ok(None);
    }
    let is_left = |s: &Sibling| number_of(&s.metadata) == number_of(left);
    let from = match rotated.iter().position(is_left) {
        Some(at) => at + 1,
        None => rotated.partition_point(|s| s.metadata.modified().ok() < left.modified().ok()),
    };
    let is_next = |s: &&Sibling| s.metadata.len() > 0 && !is_left(s);
    if let Some(sibling) = rotated[from..].iter().find(is_next) {
        return sibling.open();
    }
    Ok((now.metadata()?.len() > 0).then_some(now))
}

/// Those that rotation named, the oldest first.
fn rotated_files(path: &Path) -> io::Result<Vec<Sibling>> {
    let mut rotated = siblings(path)?.into_iter().collect::<io::Result<Vec<Sibling>>>()?;
    rotated.retain(|s| s.rotation.is_some());
    rotated.sort_by_key(Sibling::age_order);
    Ok(rotated)
}

/// The other files of the folder.
fn siblings(path: &Path) -> io::Result<Vec<io::Result<Sibling>>> {
    let name = path.file_name().unwrap_or_default();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let mut siblings = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let of = |metadata: Metadata| {
            let rotation = rotation(name, &entry.file_name());
            Sibling { path: entry.path(), metadata, rotation }
        };
        let sibling = entry.metadata().map(of);
        if entry.file_name() != name && !matches!(&sibling, Ok(s) if !s.metadata.is_file()) {
            siblings.push(sibling);
        }
    }
    Ok(siblings)
}

/// The number behind the name, of the digits of a count or of a date.
fn rotation(name: &OsStr, other: &OsStr) -> Option<u64> {
    let rest = other.to_str()?.strip_prefix(name.to_str()?)?.strip_prefix(['.', '-'])?;
    rest.replace('-', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_are_known_by_their_names() {
        let of = |other: &str| rotation(OsStr::new("a.ndjson"), OsStr::new(other));
        assert_eq!(of("a.ndjson.2"), Some(2));
        assert_eq!(of("a.ndjson-20260131"), Some(20_260_131));
        assert_eq!(of("a.ndjson.2026-01-31"), Some(20_260_131));
        for other in ["a.ndjson", "a.ndjson.", "a.ndjson.gz", "a.ndjson.1.gz", "b.ndjson.1"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
