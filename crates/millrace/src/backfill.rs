//! `millrace backfill`: new features are computed from the events that came before them.

use std::sync::Arc;

use millrace_store::{Access, Disk, FileDisk};
use millrace_stream::live::{Live, LiveSettings};
use serde_json::json;

use crate::console::{counted, duration, note, say, spinner};
use crate::decision;
use crate::exit::Failure;
use crate::project::DataPlace;

/// Computes new or changed features from the event log
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace backfill --project risk     then start the server again

Features that were added or changed count only what comes after that. This computes their groups from
the whole event log, up to exactly where the others are, so that nothing is missing and nothing counts
twice; the next `run` goes on from there. The server must not be running. It needs the log from its
first record on (storage.log_retain); where that is gone, it says so and changes nothing.")]
pub struct Args {
    #[command(flatten)]
    place: DataPlace,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

pub fn backfill(args: &Args) -> Result<(), Failure> {
    let project = args.place.project.open()?;
    let dir = args.place.existing()?;
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(&dir, Access::Owner)?);
    let settings = LiveSettings { backfill: true, ..project.config.live(dir) };
    let bar = spinner("computing new features from the log");
    let (live, recovery) = Live::open_on(Arc::clone(&disk), project.plan.clone(), settings)?;
    decision::note_start(&project, disk, &recovery)?;
    bar.finish_and_clear();
    recovery.notes.iter().for_each(|text| note!("{text}"));
    // The last checkpoint holds what was computed.
    live.close()?;
    if args.json {
        return say!(
            "{}",
            json!({
                "groups": recovery.backfilled,
                "records": recovery.backfilled_records,
                "seconds": recovery.took.as_secs_f64(),
            })
        );
    }
    if recovery.backfilled.is_empty() {
        return say!("nothing to do: all features are as old as the log");
    }
    say!(
        "{} computed from {} in {}: {}",
        counted(recovery.backfilled.len(), "group"),
        counted(recovery.backfilled_records as usize, "record"),
        duration(recovery.took),
        recovery.backfilled.join(", ")
    )
}
