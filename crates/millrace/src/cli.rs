//! The command line: which command, and which exit code it ends with.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::console::note;
use crate::exit::Failure;
use crate::{
    backfill, backtest, bench, check, compute, dead_letters, decision, demo, fmt, init, key, lift,
    model, replay, run, test, training_set,
};

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
    Init(init::Args),
    Run(run::Args),
    Check(check::Args),
    Fmt(fmt::Args),
    Test(test::Args),
    Compute(compute::Args),
    TrainingSet(training_set::Args),
    Lift(lift::Args),
    Bench(bench::Args),
    Backfill(backfill::Args),
    Backtest(backtest::Args),
    Replay(replay::Args),
    Key(key::Args),
    Model(model::Args),
    DeadLetters(dead_letters::Args),
    Decision(decision::Args),
    Audit(decision::AuditArgs),
}

pub fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    // A panic has told its message by then; what is left is the code that says "a bug".
    let result = std::panic::catch_unwind(|| dispatch(&command));
    match result.unwrap_or_else(|_| Err(Failure::bug("this is a bug in millrace"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { exit, message }) => {
            if !message.is_empty() {
                note!("error: {message}");
            }
            ExitCode::from(exit.code())
        }
    }
}

fn dispatch(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo::demo(args),
        Command::Init(args) => init::init(args),
        Command::Run(args) => run::run(args),
        Command::Check(args) => check::check(args),
        Command::Fmt(args) => fmt::fmt(args),
        Command::Test(args) => test::test(args),
        Command::Compute(args) => compute::compute(args),
        Command::TrainingSet(args) => training_set::training_set(args),
        Command::Lift(args) => lift::lift(args),
        Command::Bench(args) => bench::bench(args),
        Command::Backfill(args) => backfill::backfill(args),
        Command::Backtest(args) => backtest::backtest(args),
        Command::Replay(args) => replay::replay(args),
        Command::Key(args) => key::key(args),
        Command::Model(args) => model::model(args),
        Command::DeadLetters(args) => dead_letters::dead_letters(args),
        Command::Decision(args) => decision::decision(args),
        Command::Audit(args) => decision::audit(args),
    }
}
