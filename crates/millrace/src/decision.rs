//! `millrace decision` and `millrace audit`: logged decisions, looked at and decided again.

mod audit;
mod period;
mod replay;
mod report;

use std::sync::Arc;

use millrace_ledger::{Auditor, Ledger, LedgerError, LedgerSettings, Run, Unreadable};
use millrace_serving::Models;
use millrace_store::{Access, Disk, FileDisk};
use millrace_stream::live::{Recovery, now};

use crate::config::did_you_mean;
use crate::console::{counted, note};
use crate::exit::Failure;
use crate::models;
use crate::project::{DataPlace, Project};

pub use audit::{AuditArgs, audit};

/// Looks at logged decisions, and decides them again
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace decision replay 019a0b1c-2d3e-7000-8f00-0123456789ab
  millrace decision report --amount amount
  millrace audit                                all of them, decided again

They read the data directory of a project, and may run beside its server.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Replay(replay::Args),
    Report(report::Args),
}

pub fn decision(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Replay(args) => replay::replay(args),
        Command::Report(args) => report::report(args),
    }
}

/// The decision log of a server that starts.
pub fn ledger(
    project: &Project,
    disk: Arc<dyn Disk>,
    dir: std::path::PathBuf,
    models: &Models,
    recovery: &Recovery,
) -> Result<Ledger, Failure> {
    let settings = LedgerSettings {
        bytes_max: project.config.storage.decisions_max.0,
        segment_bytes: LedgerSettings::new(dir.clone())
            .segment_bytes
            .min(project.config.storage.decisions_max.0 / 8),
        ..LedgerSettings::new(dir)
    };
    Ok(Ledger::open(disk, settings, &start(project, models, recovery))?)
}

/// Notes the start of an engine that decides nothing.
pub fn note_start(
    project: &Project,
    disk: Arc<dyn Disk>,
    recovery: &Recovery,
) -> Result<(), Failure> {
    millrace_ledger::note_start(disk, &start(project, &Models::default(), recovery))?;
    Ok(())
}

fn start(project: &Project, models: &Models, recovery: &Recovery) -> Run {
    Run::new(&project.plan, models, now(), project.config.engine.history.0, recovery)
}

/// A project's data, to be looked at.
struct Opened {
    project: Project,
    disk: Arc<dyn Disk>,
}

fn open(place: &DataPlace) -> Result<Opened, Failure> {
    let project = place.project.open()?;
    let dir = place.existing()?;
    let disk = FileDisk::open(&dir, Access::Read)?;
    Ok(Opened { project, disk: Arc::new(disk) })
}

impl Opened {
    fn auditor(&self) -> Result<Auditor, Failure> {
        let Opened { project, disk } = self;
        let models = models::load(&project.folder, &project.plan)?;
        let engine = project.config.engine();
        Ok(Auditor::open(Arc::clone(disk), Arc::clone(&project.plan), models, engine)?)
    }

    /// # Errors
    /// For a name that no decision has.
    fn check_name(&self, name: Option<&str>) -> Result<(), Failure> {
        let plan = &self.project.plan;
        let Some(name) = name.filter(|name| plan.decision(name).is_none()) else { return Ok(()) };
        let known: Vec<&str> = plan.decisions.iter().map(|d| &*d.name).collect();
        let hint = did_you_mean(name, known);
        Err(Failure::usage(format!("no decision is named `{name}`; {hint}")))
    }
}

/// Tells what of the log was passed over.
fn note_unreadable(unreadable: &Unreadable) {
    let Some(first) = &unreadable.first else { return };
    let records = counted(unreadable.records as usize, "record");
    let what = match (unreadable.records, unreadable.open_ends) {
        (_, 0) => records,
        (0, _) => "the end".to_owned(),
        (_, _) => format!("{records} and the end"),
    };
    note!("{what} of the decision log could not be read, the first because: {first}");
}

/// The same for programs; `first` is null where all could be read.
fn unreadable_json(unreadable: &Unreadable) -> serde_json::Value {
    serde_json::json!({
        "records": unreadable.records,
        "open_ends": unreadable.open_ends,
        "first": unreadable.first,
    })
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Failure {
        match error {
            LedgerError::Store(error) => error.into(),
            LedgerError::Live(error) => error.into(),
            LedgerError::Record { .. }
            | LedgerError::NoRun { .. }
            | LedgerError::Run { .. }
            | LedgerError::File(_)
            | LedgerError::Io { .. }
            | LedgerError::Disk(_)
            | LedgerError::Note { .. }
            | LedgerError::Thread(_)
            | LedgerError::Past(_) => Failure::environment(error),
        }
    }
}
