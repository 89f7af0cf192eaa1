//! The program: arguments, configuration, wiring, signals, exit codes; no business rule.

mod backfill;
mod backtest;
mod bench;
mod check;
mod cli;
mod compute;
mod config;
mod console;
mod dead_letters;
mod decision;
mod demo;
mod exit;
mod fmt;
mod history;
mod init;
mod key;
mod lift;
mod model;
mod models;
mod project;
mod remote;
mod replay;
mod run;
mod stop;
mod test;
mod training_set;
mod whole_file;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
