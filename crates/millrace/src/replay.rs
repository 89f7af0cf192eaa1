//! `millrace replay`: events that came too late are applied after all.

use std::sync::mpsc::channel;

use millrace_stream::live::{Live, LiveError};

use crate::console::{counted, duration, note, say, spinner};
use crate::exit::Failure;
use crate::project::Place;

/// Applies the events that came too late, on the data of a project that nothing is running on
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:
  millrace replay --project risk

Late events are kept when they come. A replay applies those that came since the last one, each once,
whatever their time; windows that still reach them change.")]
pub struct Args {
    #[command(flatten)]
    place: Place,
}

pub fn replay(args: &Args) -> Result<(), Failure> {
    let project = args.place.open()?;
    let dir = project.data_dir();
    if !dir.is_dir() {
        let dir = dir.display();
        return Err(Failure::environment(format!(
            "{dir}: there is no data here yet; name the project with --project DIR"
        )));
    }
    let bar = spinner("opening the data");
    let (live, recovery) = Live::open(project.plan.clone(), project.config.live(dir))?;
    bar.finish_and_clear();
    recovery.notes.iter().for_each(|text| note!("{text}"));
    let keys = counted(recovery.keys as usize, "key");
    note!("{}: opened with {keys} in {}", project.name(), duration(recovery.took));
    let (done, replayed) = channel();
    let asked = live.replay_late(Box::new(move |result| drop(done.send(result))));
    let replayed = asked
        .map_err(Failure::environment)
        .and_then(|()| Ok(replayed.recv().map_err(|_| LiveError::Stopped)??));
    live.close()?;
    say!("{} applied", counted(replayed?.events as usize, "late event"))
}
