//! `millrace check`: are the definitions right?

use std::path::PathBuf;

use millrace_feature::plan::Plan;
use millrace_feature::{Compiled, Severity, compile, render, render_json};

use crate::config::Config;
use crate::console::{counted, note, say};
use crate::exit::Failure;
use crate::models;
use crate::project::{self, Place};

/// Checks a project's definitions and configuration, and says what is wrong and how to mend it
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace check                       the project in this folder
  millrace check --project risk        another one
  millrace check payments.mill         these files alone
  millrace check --json                for editors and scripts: a JSON array of diagnostics")]
pub struct Args {
    /// Files and folders to check together, instead of the project's
    paths: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Print the diagnostics as a JSON array
    #[arg(long)]
    json: bool,
}

pub fn check(args: &Args) -> Result<(), Failure> {
    let sources = project::sources(&args.paths, &args.place.project)?;
    let Compiled { plan, diagnostics } = compile(&sources);
    if args.json {
        say!("{}", render_json(&diagnostics, &sources))?;
        let is_error = diagnostics.iter().any(|d| d.severity == Severity::Error);
        return match plan {
            Some(plan) if !is_error && args.paths.is_empty() => check_models(args, &plan),
            _ if is_error => Err(Failure::reported()),
            _ => Ok(()),
        };
    }
    if !diagnostics.is_empty() {
        note!("{}", render(&diagnostics, &sources).trim_end());
    }
    let Some(plan) = plan else { return Err(Failure::reported()) };
    if args.paths.is_empty() {
        let config = Config::of_project(&args.place.project)?;
        project::check_streams(&config, &plan)?;
        check_models(args, &plan)?;
    }
    let features: usize = plan.groups.iter().map(|g| g.features.len()).sum();
    say!(
        "{}: {}, {} in {}, {}, {}, {}, {}, {}",
        counted(sources.len(), "file"),
        counted(plan.streams.len(), "stream"),
        counted(features, "feature"),
        counted(plan.groups.len(), "group"),
        counted(plan.views.len(), "view"),
        counted(plan.labels.len(), "label"),
        counted(plan.models.len(), "model"),
        counted(plan.decisions.len(), "decision"),
        counted(plan.tests.len(), "test"),
    )
}

/// The files of the models are there, can be scored, and fit their views.
fn check_models(args: &Args, plan: &Plan) -> Result<(), Failure> {
    models::load(&args.place.project, plan).map(drop)
}
