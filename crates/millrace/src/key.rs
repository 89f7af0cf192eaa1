//! `millrace key`: the API keys of a project's server.

use std::sync::Arc;

use millrace_store::{Access, FileDisk, Keys};
use millrace_stream::live::now;
use serde_json::json;

use crate::console::{note, say};
use crate::exit::Failure;
use crate::project::DataPlace;

/// Makes, lists and revokes the API keys of a project's server
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace key create laptop --team risk
  millrace key list
  millrace key revoke laptop")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Makes a key and prints it, once
    #[command(after_help = "Examples:
  millrace key create scoring-service
  MILLRACE_KEY=$(millrace key create laptop --team risk)

Only the key goes to standard output. It is not kept anywhere: who loses it makes another one.")]
    Create {
        /// What the key is called, to list and revoke it by
        name: String,
        /// Whose key it is
        #[arg(long, default_value = "default")]
        team: String,
        #[command(flatten)]
        place: DataPlace,
    },
    /// Lists the keys by name, never the keys themselves
    #[command(after_help = "Examples:
  millrace key list
  millrace key list --json")]
    List {
        #[command(flatten)]
        place: DataPlace,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Takes a key's access away
    #[command(after_help = "Example:
  millrace key revoke laptop

A running server takes notice within seconds.")]
    Revoke {
        /// The key's name
        name: String,
        #[command(flatten)]
        place: DataPlace,
    },
}

pub fn key(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Create { name, team, place } => {
            let key = keys(place, Access::Keys)?.create(name, team, now())?;
            note!("key {name} of team {team}; this is the only time it is shown:");
            say!("{}", key.reveal())
        }
        Command::List { place, json } => list(&keys(place, Access::Read)?, *json),
        Command::Revoke { name, place } => {
            keys(place, Access::Keys)?.revoke(name)?;
            say!("key {name} is revoked")
        }
    }
}

fn list(keys: &Keys, json: bool) -> Result<(), Failure> {
    let all = keys.list();
    if json {
        let all: Vec<_> = all
            .iter()
            .map(|k| json!({ "name": k.name, "team": k.team, "created": k.created }))
            .collect();
        return say!("{}", serde_json::Value::Array(all));
    }
    if all.is_empty() {
        return say!("there are no keys; make one with `millrace key create NAME`");
    }
    for key in all {
        say!("{:<24} {:<16} {}", key.name, key.team, key.created)?;
    }
    Ok(())
}

fn keys(place: &DataPlace, access: Access) -> Result<Keys, Failure> {
    let disk = FileDisk::open(&place.data_dir()?, access)?;
    Ok(Keys::open(Arc::new(disk))?)
}
