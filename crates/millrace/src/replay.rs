//! `millrace replay`: events that came too late are applied after all.

use std::sync::Arc;
use std::sync::mpsc::channel;

use millrace_store::{Access, Disk, FileDisk};
use millrace_stream::live::{Live, LiveError, Replayed, now};

use crate::console::{counted, duration, note, say, spinner};
use crate::decision;
use crate::exit::Failure;
use crate::project::DataPlace;
use crate::remote::Remote;

/// Applies the events that came too late
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  millrace replay --project risk              the data of a project that nothing is running on
  millrace replay --url http://127.0.0.1:7878 the data of a running server

Late events are kept when they come. A replay applies those that came since the last one, whatever
their time; windows that still reach them change. An event that was applied in time, and sent again
when its id was known no more, is late as well, and a replay would count it a second time.")]
pub struct Args {
    #[command(flatten)]
    place: DataPlace,
    /// Ask this server to do it, with the key in MILLRACE_KEY if it asks for one
    #[arg(long, value_name = "URL", conflicts_with_all = ["project", "data"])]
    url: Option<String>,
}

pub fn replay(args: &Args) -> Result<(), Failure> {
    let Replayed { events, removed } = match &args.url {
        Some(url) => on_server(url)?,
        None => on_data(&args.place)?,
    };
    if removed > 0 {
        note!(
            "{removed} older entries of late events had been removed, since there were more than \
             storage.late_max in millrace.toml"
        );
    }
    say!("{} applied", counted(events as usize, "late event"))
}

fn on_server(url: &str) -> Result<Replayed, Failure> {
    let answer = Remote::new(url)?.post("/v1/late/replay", "{}".to_owned())?;
    let events = answer["replayed"].as_u64();
    let events = events.ok_or_else(|| Failure::bug("the server does not say how many"))?;
    // Older servers remove nothing.
    Ok(Replayed { events, removed: answer["removed"].as_u64().unwrap_or(0) })
}

fn on_data(place: &DataPlace) -> Result<Replayed, Failure> {
    let project = place.project.open()?;
    let dir = place.existing()?;
    let bar = spinner("opening the data");
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(&dir, Access::Owner)?);
    let settings = project.config.live(dir);
    let (live, recovery) = Live::open_on(Arc::clone(&disk), project.plan.clone(), settings)?;
    decision::note_start(&project, disk, &recovery)?;
    bar.finish_and_clear();
    recovery.notes.iter().for_each(|text| note!("{text}"));
    let keys = counted(recovery.keys as usize, "key");
    note!("{}: opened with {keys} in {}", project.name(), duration(recovery.took));
    let (done, replayed) = channel();
    let asked = live.replay_late(now(), Box::new(move |result| drop(done.send(result))));
    let replayed = asked
        .map_err(Failure::environment)
        .and_then(|()| Ok(replayed.recv().map_err(|_| LiveError::Stopped)??));
    live.close()?;
    replayed
}
