//! `millrace bench`: what this program does on this machine, measured so that others can repeat it.
//!
//! Each command prints every figure beside what it was measured against, in the same run.

mod attempts;
mod card_features;
mod checkpoints;
mod data;
mod decisions;
mod forest;
mod http;
mod latency;
mod offer;
mod overload;
mod peers;
mod phase;
mod sample;
mod server;
mod training_set;
pub mod usage;
mod verify;

use crate::exit::Failure;

/// Measures throughput, latency, behaviour under overload and training sets on this machine
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace bench card-features
  millrace bench latency
  millrace bench decisions
  millrace bench overload
  millrace bench training-set")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    CardFeatures(card_features::Args),
    Latency(latency::Args),
    Decisions(decisions::Args),
    Overload(overload::Args),
    TrainingSet(training_set::Args),
    #[command(hide = true)]
    Phase(phase::Args),
}

pub fn bench(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::CardFeatures(args) => card_features::card_features(args),
        Command::Latency(args) => latency::latency(args),
        Command::Decisions(args) => decisions::decisions(args),
        Command::Overload(args) => overload::overload(args),
        Command::TrainingSet(args) => training_set::training_set(args),
        Command::Phase(args) => phase::phase(args),
    }
}
