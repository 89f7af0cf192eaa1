//! The command line: which command, and which exit code it ends with.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::console::note;
use crate::exit::Failure;
use crate::{check, compute, demo, key, test};

/// Live features from event streams: exact sliding windows, on one machine
#[derive(Parser, Debug)]
#[command(version, after_help = "Start with `millrace demo`.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Demo(demo::Args),
    Check(check::Args),
    Test(test::Args),
    Compute(compute::Args),
    Key(key::Args),
}

pub fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let result = match &command {
        Command::Demo(args) => demo::demo(args),
        Command::Check(args) => check::check(args),
        Command::Test(args) => test::test(args),
        Command::Compute(args) => compute::compute(args),
        Command::Key(args) => key::key(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { exit, message }) => {
            if !message.is_empty() {
                note!("error: {message}");
            }
            ExitCode::from(exit.code())
        }
    }
}
