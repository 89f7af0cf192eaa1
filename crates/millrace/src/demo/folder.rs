//! The demo's project on the disk: definitions, models and configuration, with the data beside them.

use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use millrace_payments::{DECISION, MODELS, PROJECT};

use crate::config::FILE;
use crate::console::say;
use crate::exit::Failure;
use crate::project::{Place, Project};

const CONFIGURATION: (&str, &str) = (FILE, include_str!("../../template/demo.toml"));

/// A folder of its own; a temporary one is gone when the demo ends.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    is_kept: bool,
}

impl Folder {
    /// Makes the folder, and the project in it.
    ///
    /// # Errors
    /// When the folder is there already, or cannot be written.
    pub fn new(given: Option<&Path>) -> Result<Folder, Failure> {
        let path = match given {
            Some(path) if path.exists() => {
                let path = path.display();
                return Err(Failure::usage(format!("{path}: it is there already; name a new one")));
            }
            Some(path) => path.to_owned(),
            None => temporary_path(),
        };
        let is_kept = given.is_some();
        if let Some(parent) = path.parent().filter(|_| is_kept) {
            fs::create_dir_all(parent).map_err(Failure::io(parent))?;
        }
        // Nobody else gets into a temporary one, and it is not one that somebody else has laid out.
        let mut builder = DirBuilder::new();
        builder.mode(if is_kept { 0o777 } else { 0o700 });
        builder.create(&path).map_err(Failure::io(&path))?;
        let folder = Folder { path, is_kept };
        for (name, text) in PROJECT.into_iter().chain([DECISION, CONFIGURATION]).chain(MODELS) {
            folder.write(name, text)?;
        }
        Ok(folder)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.path.join(name);
        let parent = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(parent).map_err(Failure::io(parent))?;
        fs::write(&path, text).map_err(Failure::io(&path))
    }

    pub fn project(&self) -> Result<Project, Failure> {
        Place { project: self.path.clone() }.open()
    }

    /// Says what can be done with what stays: above all with this decision of its log.
    pub fn tell(&self, decision: Option<&str>) -> Result<(), Failure> {
        say!()?;
        if !self.is_kept {
            return say!(
                "nothing is kept; with --dir DIR the project, its data and its decisions are"
            );
        }
        say!("kept in {}: the project, and in .millrace its data", self.path.display())?;
        let Some(decision) = decision else { return Ok(()) };
        let command = |name: &str| {
            let program = std::env::args().next().unwrap_or_else(|| "millrace".to_owned());
            format!(
                "{} {name} --project {}",
                quoted(&program),
                quoted(&self.path.to_string_lossy())
            )
        };
        say!("  {} --amount amount", command("decision report"))?;
        say!("  {}", command(&format!("decision replay {decision}")))?;
        say!("  {}", command("audit"))?;
        say!("  {}", command("run"))
    }
}

/// A name that nobody can guess, for others may write where it lies.
fn temporary_path() -> PathBuf {
    let word = RandomState::new().hash_one(std::process::id());
    std::env::temp_dir().join(format!("millrace-demo-{word:016x}"))
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            // Nothing depends on it; the system cleans its temporary files some day.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models;

    #[test]
    fn the_folder_is_a_whole_project() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("demo");
        let folder = Folder::new(Some(&path)).unwrap();
        let project = folder.project().unwrap();
        assert_eq!(project.name(), "demo");
        assert!(models::load(&project.folder, &project.plan).is_ok());
        assert!(Folder::new(Some(&path)).unwrap_err().message.contains("name a new one"));
        drop(folder);
        assert!(path.exists());
    }

    #[test]
    fn a_temporary_folder_is_its_own_and_nobody_elses() {
        use std::os::unix::fs::PermissionsExt as _;
        let [one, other] = [(), ()].map(|()| Folder::new(None).unwrap());
        assert_ne!(one.path, other.path);
        let mode = fs::metadata(&one.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let path = one.path.clone();
        drop(one);
        assert!(!path.exists());
        // What lies there is not taken, not even as a name for something else.
        let parent = tempfile::tempdir().unwrap();
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(parent.path().join("nowhere"), &link).unwrap();
        assert!(Folder::new(Some(&link)).is_err());
    }

    #[test]
    fn words_are_quoted_for_a_shell_where_they_have_to_be() {
        assert_eq!(quoted("target/release/millrace"), "target/release/millrace");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
