//! Running the program, and folders to run it on.

use std::path::Path;
use std::process::{Command, Stdio};

/// How one run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    command.args(arguments).stdin(Stdio::null()).env_remove("MILLRACE_KEY");
    command
}

/// Runs the program in a folder.
pub fn run(folder: &Path, arguments: &[&str]) -> Ended {
    let output = command(arguments).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// As [`run`], of a command that must succeed; what it printed.
pub fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let ended = run(folder, arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    ended.out
}

/// As [`run`], of a command that must end with this code; what it said on standard error.
pub fn fail(folder: &Path, arguments: &[&str], code: i32) -> String {
    let ended = run(folder, arguments);
    assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
    ended.err
}

/// Writes files of these names and texts into the folder.
pub fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}
