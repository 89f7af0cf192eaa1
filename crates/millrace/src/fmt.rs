//! `millrace fmt`: writes definitions the one way they are written.

use std::path::{Path, PathBuf};

use millrace_feature::{SOURCE_BYTES_MAX, format};

use crate::console::{counted, say};
use crate::exit::Failure;
use crate::project::{self, Place};

/// Formats the definitions of a project in place
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace fmt                         the project in this folder
  millrace fmt --check                 change nothing; end with code 1 if anything would change
  millrace fmt payments.mill           this file alone")]
pub struct Args {
    /// Files and folders, instead of the project's
    paths: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Only say which files would change
    #[arg(long)]
    check: bool,
}

pub fn fmt(args: &Args) -> Result<(), Failure> {
    let mut changed = 0;
    for path in project::files(&args.paths, &args.place.project)? {
        let text = project::text(&path)?;
        if text.len() > SOURCE_BYTES_MAX {
            let (path, size) = (project::shown(&path), text.len());
            return Err(Failure::user(format!(
                "{path}: a file of {size} bytes; at most {SOURCE_BYTES_MAX}, so split it"
            )));
        }
        let formatted = format(&text);
        if formatted == text {
            continue;
        }
        changed += 1;
        say!("{}", project::shown(&path))?;
        if !args.check {
            replace(&path, &formatted)?;
        }
    }
    if args.check && changed > 0 {
        let files = counted(changed, "file");
        return Err(Failure::user(format!("{files} would change; run `millrace fmt`")));
    }
    Ok(())
}

/// Writes beside and renames, so that a failure leaves the file as it was.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let beside = path.with_extension("mill.new");
    std::fs::write(&beside, text).map_err(Failure::io(&beside))?;
    std::fs::rename(&beside, path).map_err(Failure::io(path))
}
