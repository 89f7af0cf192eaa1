//! A training set whose unfinished work is kept: a run begins it, and another one goes on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_batch::{BatchError, History, Scattered, Step};

use super::Work;
use super::folder::{Folder, FolderKeeper};
use super::identity::Identity;
use super::logged::LogMark;
use super::manifest::{self, Head};
use crate::console::note;
use crate::exit::{Exit, Failure};
use crate::history::{KeptSummary, Letters, Summary};
use crate::project::DataPlace;

impl Work<'_> {
    /// Returns what was counted, and where dead letters are, which belong to `letters`.
    pub fn run_kept(
        &self,
        dir: &Path,
        letters: &Path,
    ) -> Result<(Summary, Option<PathBuf>), Failure> {
        let folder = Arc::new(Folder::open(dir)?);
        let history = History::new(self.job.clone(), Arc::clone(&folder.blocks) as _);
        let identity = Identity::of(self.args, self.project, self.job, &history)?;
        let (mut scattered, head, mut summary) = match folder.find()? {
            Some(bytes) => self.go_on(&folder, history, (&identity, &bytes))?,
            None => self.begin(&folder, history, identity).inspect_err(|_| {
                // Nothing was kept, so nobody needs the room. The first error is told.
                let _ = folder.clear();
            })?,
        };
        let has_letters = head.letters.is_some();
        let keeper = Arc::new(FolderKeeper::new(Arc::clone(&folder), head));
        scattered.keep_with(keeper)?;
        summary.rows = self.write(scattered).map_err(|failure| goes_on(&folder, failure))?;
        folder.finish(letters)?;
        Ok((summary, has_letters.then(|| letters.to_owned())))
    }

    /// Reads everything, which leaves blocks without a manifest.
    fn begin(
        &self,
        folder: &Folder,
        history: History,
        identity: Identity,
    ) -> Result<(Scattered, Head, Summary), Failure> {
        folder.clear()?;
        let mut letters = Letters::at(folder.letters());
        let mut summary = Summary::default();
        let scattered = self.read(history, &mut letters, &mut summary)?;
        letters.finish()?;
        let log = match summary.log_records {
            Some(records) => LogMark::of(&self.data()?, records)?,
            None => None,
        };
        let head = Head {
            identity,
            summary: KeptSummary::of(&summary),
            scratch_bytes: 0,
            letters: folder.letters_there()?,
            log,
        };
        Ok((scattered, head, summary))
    }

    /// Takes up what an earlier run has kept, if it is of the same job.
    fn go_on(
        &self,
        folder: &Folder,
        history: History,
        (identity, bytes): (&Identity, &[u8]),
    ) -> Result<(Scattered, Head, Summary), Failure> {
        let (head, work) = manifest::decode(bytes).map_err(|what| folder.damaged(&what))?;
        if let Some(difference) = identity.difference(&head.identity) {
            return Err(folder.other_job(&difference));
        }
        if self.args.origins.from_log {
            let log =
                head.log.ok_or_else(|| folder.damaged("it does not say which log it is of"))?;
            log.check(&self.data()?).map_err(|what| folder.other_job(&what))?;
        }
        folder.restore(&head)?;
        let summary = head.summary.clone().into_summary().map_err(|what| folder.damaged(what))?;
        let scattered = history.resume(work).map_err(|error| failed(folder, error))?;
        let Step { partitions: (done, all) } = scattered.step();
        note!("{}: going on after {done} of {all} partitions", folder.dir().display());
        Ok((scattered, head, summary))
    }

    fn data(&self) -> Result<PathBuf, Failure> {
        DataPlace::of(&self.args.place, self.args.origins.data.as_deref()).existing()
    }
}

fn failed(folder: &Folder, error: BatchError) -> Failure {
    match error {
        BatchError::Damaged(what) => folder.damaged(what),
        other => other.into(),
    }
}

/// What was kept is still there when a run was told to stop.
fn goes_on(folder: &Folder, failure: Failure) -> Failure {
    if failure.exit != Exit::Interrupted {
        return failure;
    }
    let dir = folder.dir().display();
    Failure::interrupted(format!(
        "{}; the same command goes on from what is kept in {dir}",
        failure.message
    ))
}
