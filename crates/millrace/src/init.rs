//! `millrace init`: a project to start from.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::console::say;
use crate::exit::Failure;

/// The files of a new project: names and texts.
pub const FILES: [(&str, &str); 4] = [
    ("payments.mill", include_str!("../template/payments.mill")),
    ("millrace.toml", include_str!("../template/millrace.toml")),
    ("payments.ndjson", include_str!("../template/payments.ndjson")),
    (".gitignore", include_str!("../template/gitignore")),
];

/// Makes a small project to start from; never overwrites a file
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace init                        in this folder
  millrace init risk                   in a new one")]
pub struct Args {
    /// The folder; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

pub fn init(args: &Args) -> Result<(), Failure> {
    let folder = &args.folder;
    let path = |name: &str| folder.join(name);
    // Looked at before anything is written: a project is made whole or not at all.
    if let Some((name, _)) = FILES.iter().find(|(name, _)| path(name).exists()) {
        return Err(Failure::user(format!(
            "{}: this file is there already and is not overwritten; name another folder",
            path(name).display()
        )));
    }
    fs::create_dir_all(folder).map_err(Failure::io(folder))?;
    for (name, text) in FILES {
        create(&path(name), text)?;
        say!("{}", path(name).display())?;
    }
    let here = if folder == Path::new(".") {
        String::new()
    } else {
        format!(" --project {}", folder.display())
    };
    say!()?;
    say!("next:")?;
    say!("  millrace test{here}")?;
    say!("  millrace run{here}")?;
    let file = path("payments.ndjson");
    say!("  millrace compute checkout{here} --events payments={} -o checkout.csv", file.display())
}

fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    let created = options.write(true).create_new(true).open(path);
    match created.and_then(|mut file| file.write_all(text.as_bytes())) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            Err(Failure::user(format!("{}: it is there already", path.display())))
        }
        done => done.map_err(Failure::io(path)),
    }
}

#[cfg(test)]
mod tests {
    use millrace_feature::{SourceFile, compile, render};

    use super::*;
    use crate::config::Config;

    #[test]
    fn the_new_project_is_right() {
        let [(mill, text), (toml, config), ..] = FILES;
        assert!(Config::parse(config, toml).is_ok());
        let sources = [SourceFile::new(mill, text)];
        let compiled = compile(&sources);
        assert_eq!(render(&compiled.diagnostics, &sources), "");
        assert!(!compiled.plan.unwrap().tests.is_empty());
    }
}
