//! The real server under kill -9, poisoned input and a full disk, beside the specification.
//!
//! ```text
//!   cargo test -p millrace-crash                          all of it, about four minutes
//!   cargo test -p millrace-crash -- kills --rounds 5      one of them, shorter
//!   cargo test -p millrace-crash -- kills --seed 17       the random choices of another run
//! ```
//!
//! The server is the program `millrace`, built first by `cargo build -p millrace` in the profile of
//! the test; the variable `MILLRACE_BIN` names another one to test instead. What cannot be tested
//! where it runs is reported as not run, with the reason.

#![expect(clippy::print_stdout, reason = "a test program of its own says how its tests ended")]

mod full;
mod http;
mod kills;
mod load;
mod model;
mod poison;
mod project;
mod server;

use std::process::ExitCode;
use std::time::Instant;

/// How a test ends: with what it measured, or without having been run.
#[derive(Debug)]
pub enum Outcome {
    Passed(String),
    NotRun(String),
}

type Run = fn(&Options) -> Outcome;

const TESTS: [(&str, Run); 3] =
    [("kills", kills::run), ("poison", poison::run), ("full", full::run)];

/// What the command line says.
#[derive(Debug)]
pub struct Options {
    names: Vec<String>,
    pub seed: u64,
    pub rounds: usize,
}

impl Options {
    fn of(mut arguments: impl Iterator<Item = String>) -> Options {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = now.map_or(1, |since| u64::from(since.subsec_nanos()));
        let mut options = Options { names: Vec::new(), seed, rounds: 60 };
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next().and_then(|n| n.parse().ok());
            match argument.as_str() {
                "--seed" => options.seed = number().expect("--seed NUMBER"),
                "--rounds" => options.rounds = number().expect("--rounds NUMBER") as usize,
                // What `cargo test` hands to every test program.
                flag if flag.starts_with("--") => {}
                name => options.names.push(name.to_owned()),
            }
        }
        options
    }

    fn chooses(&self, test: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| test.contains(name.as_str()))
    }
}

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let options = Options::of(std::env::args().skip(1));
    println!("seed {}", options.seed);
    let mut failed = Vec::new();
    for (name, run) in TESTS.iter().filter(|(name, _)| options.chooses(name)) {
        let begun = Instant::now();
        let outcome = match server::is_there() {
            Ok(()) => std::panic::catch_unwind(|| run(&options)),
            Err(reason) => Ok(Outcome::NotRun(reason)),
        };
        let took = begun.elapsed().as_secs_f64();
        match outcome {
            Ok(Outcome::Passed(measured)) => {
                println!("test {name} ... ok ({took:.1} s)\n{measured}")
            }
            Ok(Outcome::NotRun(reason)) => println!("test {name} ... NOT RUN: {reason}"),
            Err(_) => {
                println!("test {name} ... FAILED (seed {}, {took:.1} s)", options.seed);
                failed.push(*name);
            }
        }
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
