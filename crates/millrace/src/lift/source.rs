//! Where the events come from: they are read once for each pass, so that none has to be kept.

use millrace_batch::History;
use millrace_event::{Batch, EventTime};
use millrace_stream::PartitionId;

use crate::console::note;
use crate::exit::Failure;
use crate::history::{Block, Events, PROGRESS, Reading, Sources};
use crate::project::Project;
use crate::stop::Stop;

/// Events that can be had again and again, and are the same each time.
pub trait Source {
    fn feed(&self, intake: &mut Intake<'_>) -> Result<(), Failure>;
}

/// What takes the events of one pass.
pub struct Intake<'a> {
    pub history: &'a mut History,
    pub bar: &'a indicatif::ProgressBar,
    pub stop: &'a Stop,
    /// Told of the times of the events of the view's stream, with the stream they are of.
    pub watch: &'a mut dyn FnMut(usize, &[i64]),
}

impl Intake<'_> {
    pub fn push(
        &mut self,
        partition: PartitionId,
        batch: &Batch,
        received: EventTime,
    ) -> Result<(), Failure> {
        check(self.stop)?;
        (self.watch)(partition.stream(), batch.times());
        self.history.push(partition, batch, received)?;
        Ok(())
    }

    /// How much was read, from 0 to 1.
    pub fn progress(&self, share: f64) {
        self.bar.set_position((share * PROGRESS as f64) as u64);
    }
}

pub fn check(stop: &Stop) -> Result<(), Failure> {
    match stop.is_asked() {
        true => Err(Failure::interrupted("stopped; nothing was written")),
        false => Ok(()),
    }
}

/// The files of a project's streams.
pub struct Files<'a> {
    pub project: &'a Project,
    pub reading: &'a Reading,
    pub threads: usize,
}

impl Source for Files<'_> {
    fn feed(&self, intake: &mut Intake<'_>) -> Result<(), Failure> {
        // What one pass does not need, another one does: no remark that it is not read.
        let plan = &self.project.plan;
        let is_needed = |given: &&Events| {
            plan.stream(&given.stream).is_none_or(|stream| intake.history.needs(stream))
        };
        let events = self.reading.events.iter().filter(is_needed).cloned().collect();
        let reading = Reading { events, ..self.reading.clone() };
        let Intake { history, bar, stop, watch } = intake;
        let mut sources = Sources::of_history(self.project, &reading, self.threads, history)?;
        let mut dead = 0;
        let mut see = |partition: PartitionId, block: &Block| {
            check(stop)?;
            dead += block.decoded.dead.len();
            watch(partition.stream(), block.decoded.batch.times());
            Ok(())
        };
        while sources.feed(history, &mut see)? {
            bar.set_position((sources.fraction() * PROGRESS as f64) as u64);
        }
        if dead > 0 {
            bar.suspend(|| {
                note!(
                    "{dead} records could not be read and are left out; `millrace training-set` \
                     writes them to a file"
                );
            });
        }
        Ok(())
    }
}
