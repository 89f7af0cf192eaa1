//! The program: arguments, configuration, wiring, signals, exit codes; no business rule.

mod check;
mod cli;
mod compute;
mod config;
mod console;
mod demo;
mod exit;
mod key;
mod project;
mod stop;
mod test;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
